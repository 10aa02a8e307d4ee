//! What an act results in, and how it is answered.

use super::attributes;
use super::nodes::{Listed, OpenDir};
use super::store::Store;
use fuser::{
    Errno, FileAttr, FileHandle, FopenFlags, Generation, INodeNo, ReplyAttr, ReplyCreate, ReplyData,
    ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyLseek, ReplyOpen, ReplyStatfs,
    ReplyWrite, ReplyXattr,
};
use rustix::fs::StatVfs;
use std::sync::Arc;
use std::time::Duration;

/// A number is not given to two files while the kernel knows one of them.
const GENERATION: Generation = Generation(0);

/// Something that can be answered with a failure.
pub(super) trait Refusable: Send + 'static {
    fn refuse(self, errno: Errno);
}

macro_rules! refusable {
    ($($reply:ty),*) => {
        $(impl Refusable for $reply {
            fn refuse(self, errno: Errno) {
                self.error(errno);
            }
        })*
    };
}

refusable!(
    ReplyAttr,
    ReplyCreate,
    ReplyData,
    ReplyDirectory,
    ReplyDirectoryPlus,
    ReplyEmpty,
    ReplyEntry,
    ReplyLseek,
    ReplyOpen,
    ReplyStatfs,
    ReplyWrite,
    ReplyXattr
);

/// What an act results in.
pub(super) trait Outcome<R> {
    fn answer(self, reply: R, store: &Store);

    /// Gives back what the kernel would have held, where the act is reported as failed.
    fn discard(self, store: &Store)
    where
        Self: Sized,
    {
        let _ = store;
    }
}

/// What a name leads to, which is held once, and for how long the kernel may keep its attributes and the name.
pub(super) struct Entry {
    pub(super) attr: FileAttr,
    pub(super) attr_for: Duration,
    pub(super) name_for: Duration,
}

impl Outcome<ReplyEntry> for Entry {
    fn answer(self, reply: ReplyEntry, _: &Store) {
        reply.entry_with_ttls(&self.attr_for, &self.name_for, &self.attr, GENERATION);
    }

    fn discard(self, store: &Store) {
        store.nodes.forget(self.attr.ino.0, 1);
    }
}

/// The attributes of a node, and how long the kernel may keep them.
pub(super) struct Attributes(pub(super) FileAttr, pub(super) Duration);

impl Outcome<ReplyAttr> for Attributes {
    fn answer(self, reply: ReplyAttr, _: &Store) {
        reply.attr(&self.1, &self.0);
    }
}

impl Outcome<ReplyEmpty> for () {
    fn answer(self, reply: ReplyEmpty, _: &Store) {
        reply.ok();
    }
}

/// The flags that files are opened with.
fn flags(store: &Store) -> FopenFlags {
    if store.options().direct_io { FopenFlags::FOPEN_DIRECT_IO } else { FopenFlags::empty() }
}

/// The handle of a file.
pub(super) struct OpenedFile(pub(super) u64);

impl Outcome<ReplyOpen> for OpenedFile {
    fn answer(self, reply: ReplyOpen, store: &Store) {
        reply.opened(FileHandle(self.0), flags(store));
    }

    fn discard(self, store: &Store) {
        store.files.close(self.0);
    }
}

/// The handle of a directory.
pub(super) struct OpenedDir(pub(super) u64);

impl Outcome<ReplyOpen> for OpenedDir {
    fn answer(self, reply: ReplyOpen, _: &Store) {
        reply.opened(FileHandle(self.0), FopenFlags::empty());
    }

    fn discard(self, store: &Store) {
        store.dirs.close(self.0);
    }
}

/// A new file that is open.
pub(super) struct Created(pub(super) Entry, pub(super) OpenedFile);

impl Outcome<ReplyCreate> for Created {
    fn answer(self, reply: ReplyCreate, store: &Store) {
        let Self(entry, file) = self;
        let timeout = entry.attr_for.min(entry.name_for);
        reply.created(&timeout, &entry.attr, GENERATION, FileHandle(file.0), flags(store));
    }

    fn discard(self, store: &Store) {
        self.1.discard(store);
        self.0.discard(store);
    }
}

impl Outcome<ReplyData> for Vec<u8> {
    fn answer(self, reply: ReplyData, _: &Store) {
        reply.data(&self);
    }
}

/// How many bytes were written.
pub(super) struct Written(pub(super) usize);

impl Outcome<ReplyWrite> for Written {
    fn answer(self, reply: ReplyWrite, _: &Store) {
        reply.written(self.0 as u32);
    }
}

/// An extended attribute, or a list of their names.
pub(super) enum Xattr {
    Size(usize),
    Value(Vec<u8>),
}

impl Outcome<ReplyXattr> for Xattr {
    fn answer(self, reply: ReplyXattr, _: &Store) {
        match self {
            Self::Size(size) => reply.size(size as u32),
            Self::Value(value) => reply.data(&value),
        }
    }
}

/// A place in a file.
pub(super) struct Offset(pub(super) u64);

impl Outcome<ReplyLseek> for Offset {
    fn answer(self, reply: ReplyLseek, _: &Store) {
        reply.offset(self.0.cast_signed());
    }
}

impl Outcome<ReplyStatfs> for StatVfs {
    fn answer(self, reply: ReplyStatfs, _: &Store) {
        let (block, fragment) = (self.f_bsize as u32, self.f_frsize as u32);
        let name = self.f_namemax as u32;
        reply.statfs(
            self.f_blocks,
            self.f_bfree,
            self.f_bavail,
            self.f_files,
            self.f_ffree,
            block,
            name,
            fragment,
        );
    }
}

/// What is left of a listing, from this offset on.
pub(super) struct Rest {
    pub(super) dir: Arc<OpenDir>,
    pub(super) from: usize,
}

impl Rest {
    fn entries(&self) -> Vec<(u64, Listed)> {
        let listing = self.dir.listing.lock().unwrap();
        let rest = listing.iter().enumerate().skip(self.from);
        rest.map(|(at, entry)| (at as u64 + 1, entry.clone())).collect()
    }
}

impl Outcome<ReplyDirectory> for Rest {
    fn answer(self, mut reply: ReplyDirectory, _: &Store) {
        for (next, entry) in self.entries() {
            if reply.add(INodeNo(entry.id), next, entry.kind, &entry.name) {
                break;
            }
        }
        reply.ok();
    }
}

impl Outcome<ReplyDirectoryPlus> for Rest {
    fn answer(self, mut reply: ReplyDirectoryPlus, store: &Store) {
        for (next, entry) in self.entries() {
            if entry.name == "." || entry.name == ".." {
                // The kernel does not look at the attributes of these, and holds nothing by them.
                let mut attr = attributes::nothing();
                (attr.ino, attr.kind) = (INodeNo(entry.id), entry.kind);
                if reply.add(attr.ino, next, &entry.name, &Duration::ZERO, &attr, GENERATION) {
                    break;
                }
                continue;
            }
            // What has vanished since it was listed is left out.
            let Ok(found) = store.look_up(&self.dir.node, &entry.name) else { continue };
            let timeout = found.attr_for.min(found.name_for);
            if reply.add(found.attr.ino, next, &entry.name, &timeout, &found.attr, GENERATION) {
                found.discard(store);
                break;
            }
        }
        reply.ok();
    }
}

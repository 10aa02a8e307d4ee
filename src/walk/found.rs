//! What a scan finds: the entries, and the listings that they come from.

use crate::sys::Stat;
use crate::tree::{Device, Entry, RelPathBuf, Timestamp};

/// One entry, with what is needed to check later whether it is still the same.
///
/// A file's xattrs and holes are not known yet; they are read with its content.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) entry: Entry,
    pub(crate) stamp: Stamp,
    /// Whether later entries are hard links to this one.
    pub(crate) has_links: bool,
    /// For a directory: it is only on the way to selected entries.
    pub(crate) is_passed: bool,
    /// For a directory: something in it is left out.
    pub(crate) leaves_out: bool,
}

/// Identifies an inode and its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) dev: Device,
    pub(crate) ino: u64,
    pub(crate) nlink: u32,
    pub(crate) blocks: u64,
    pub(crate) size: u64,
    pub(crate) mtime: Timestamp,
    pub(crate) ctime: Timestamp,
}

/// A directory's listing, or a stretch of it.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) path: RelPathBuf,
    /// Something in it is left out.
    pub(super) leaves_out: bool,
    /// The directory itself; `None` in all but one stretch.
    pub(super) own: Option<Found>,
    pub(super) children: Vec<Child>,
}

#[derive(Debug)]
pub(super) enum Child {
    /// Anything but a directory.
    Other(Found),
    /// A directory, which has a listing of its own.
    Directory(RelPathBuf),
}

impl Child {
    pub(super) fn name(&self) -> &[u8] {
        match self {
            Child::Other(found) => found.entry.path.as_path().file_name(),
            Child::Directory(path) => path.as_path().file_name(),
        }
    }
}

impl Found {
    pub(crate) fn new(entry: Entry, stamp: Stamp) -> Self {
        Found { entry, stamp, has_links: false, is_passed: false, leaves_out: false }
    }
}

impl Stamp {
    pub(crate) fn of(stat: &Stat) -> Self {
        Stamp {
            dev: stat.dev,
            ino: stat.ino,
            nlink: stat.nlink,
            blocks: stat.blocks,
            size: stat.size,
            mtime: stat.mtime,
            ctime: stat.ctime,
        }
    }
}

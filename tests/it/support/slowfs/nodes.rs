//! What the kernel knows: files by number, and what is open.

use fuser::Errno;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Stat, readlinkat, statat};
use rustix::io::Result;
use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// The number of the root, by FUSE's rule. Everything else has the number of its file in the backing directory, which
/// cannot be given to another file while it is held here.
pub(super) const ROOT: u64 = 1;

/// A file of the backing directory that the kernel knows.
pub(super) struct Node {
    pub(super) id: u64,
    fd: OwnedFd,
    /// How often it is open.
    opens: AtomicUsize,
}

impl Node {
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// A path that leads to the file itself, also to a symlink, for calls that take no descriptor of this kind.
    pub(super) fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.fd.as_raw_fd())
    }

    pub(super) fn stat(&self) -> Result<Stat> {
        statat(&self.fd, c"", AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW)
    }

    pub(super) fn target(&self) -> Result<Vec<u8>> {
        Ok(readlinkat(&self.fd, c"", Vec::new())?.into_bytes())
    }

    /// One of its names, as it is now.
    pub(super) fn name(&self) -> String {
        let path = std::fs::read_link(self.path()).unwrap_or_default();
        path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// A node, and how many answers have named it that the kernel has not forgotten.
struct Held {
    node: Arc<Node>,
    lookups: u64,
}

/// The nodes by number.
pub(super) struct Nodes {
    root: Arc<Node>,
    held: Mutex<HashMap<u64, Held>>,
}

impl Nodes {
    pub(super) fn new(root: OwnedFd) -> Self {
        let root = Arc::new(Node { id: ROOT, fd: root, opens: AtomicUsize::new(0) });
        Self { root, held: Mutex::default() }
    }

    pub(super) fn get(&self, id: u64) -> std::result::Result<Arc<Node>, Errno> {
        if id == ROOT {
            return Ok(Arc::clone(&self.root));
        }
        let held = self.held.lock().unwrap();
        held.get(&id).map(|held| Arc::clone(&held.node)).ok_or(Errno::ESTALE)
    }

    /// Holds the file once more.
    pub(super) fn hold(&self, fd: OwnedFd, stat: &Stat) -> Arc<Node> {
        let id = stat.st_ino;
        let mut held = self.held.lock().unwrap();
        let entry = held.entry(id).or_insert_with(|| Held {
            node: Arc::new(Node { id, fd, opens: AtomicUsize::new(0) }),
            lookups: 0,
        });
        entry.lookups += 1;
        Arc::clone(&entry.node)
    }

    pub(super) fn forget(&self, id: u64, lookups: u64) {
        let mut held = self.held.lock().unwrap();
        if let Some(entry) = held.get_mut(&id) {
            entry.lookups = entry.lookups.saturating_sub(lookups);
            if entry.lookups == 0 {
                held.remove(&id);
            }
        }
    }

    /// Whether somebody has the file open.
    pub(super) fn is_open(&self, stat: &Stat) -> bool {
        let held = self.held.lock().unwrap();
        held.get(&stat.st_ino).is_some_and(|held| held.node.opens.load(Ordering::SeqCst) > 0)
    }
}

/// An open file.
pub(super) struct OpenFile {
    pub(super) fd: OwnedFd,
    pub(super) node: Arc<Node>,
    /// Whether it was written through this handle.
    pub(super) written: AtomicBool,
}

impl OpenFile {
    pub(super) fn new(fd: OwnedFd, node: Arc<Node>) -> Self {
        node.opens.fetch_add(1, Ordering::SeqCst);
        Self { fd, node, written: AtomicBool::new(false) }
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.node.opens.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A name of a listing.
#[derive(Clone)]
pub(super) struct Listed {
    pub(super) name: OsString,
    pub(super) id: u64,
    pub(super) kind: fuser::FileType,
}

/// An open directory: what was in it when its listing began.
pub(super) struct OpenDir {
    pub(super) node: Arc<Node>,
    pub(super) listing: Mutex<Vec<Listed>>,
}

/// What is open, by number.
pub(super) struct Handles<T> {
    next: AtomicU64,
    open: Mutex<HashMap<u64, Arc<T>>>,
}

impl<T> Default for Handles<T> {
    fn default() -> Self {
        Self { next: AtomicU64::new(1), open: Mutex::default() }
    }
}

impl<T> Handles<T> {
    pub(super) fn open(&self, value: T) -> u64 {
        let handle = self.next.fetch_add(1, Ordering::Relaxed);
        self.open.lock().unwrap().insert(handle, Arc::new(value));
        handle
    }

    pub(super) fn get(&self, handle: u64) -> std::result::Result<Arc<T>, Errno> {
        self.open.lock().unwrap().get(&handle).cloned().ok_or(Errno::EBADF)
    }

    pub(super) fn close(&self, handle: u64) {
        let closed = self.open.lock().unwrap().remove(&handle);
        drop(closed);
    }
}

//! What all requests share.

use super::attributes;
use super::counts::Meter;
use super::faults::Faults;
use super::names;
use super::nodes::{Handles, Node, Nodes, OpenDir, OpenFile};
use super::options::Options;
use fuser::{Errno, FileAttr};
use rustix::fs::{CWD, Mode, OFlags, Stat, openat};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::sync::{Arc, RwLock};
use std::time::Duration;

pub(super) type Result<T> = std::result::Result<T, Errno>;

/// fuser's errno for rustix's.
pub(super) fn errno(error: rustix::io::Errno) -> Errno {
    Errno::from_i32(error.raw_os_error())
}

/// The backing directory, and how it is shown.
pub(super) struct Store {
    options: RwLock<Arc<Options>>,
    pub(super) nodes: Nodes,
    pub(super) files: Handles<OpenFile>,
    pub(super) dirs: Handles<OpenDir>,
    pub(super) meter: Meter,
    pub(super) faults: Faults,
}

impl Store {
    pub(super) fn open(backing: &Path, options: Options) -> io::Result<Self> {
        let root = openat(CWD, backing, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let faults = Faults::default();
        faults.arm(options.faults.iter().cloned());
        Ok(Self {
            options: RwLock::new(Arc::new(options)),
            nodes: Nodes::new(root),
            files: Handles::default(),
            dirs: Handles::default(),
            meter: Meter::default(),
            faults,
        })
    }

    pub(super) fn options(&self) -> Arc<Options> {
        Arc::clone(&self.options.read().unwrap())
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Options)) {
        let mut options = self.options.write().unwrap();
        let mut changed = Options::clone(&options);
        change(&mut changed);
        *options = Arc::new(changed);
    }

    /// What the kernel may know of a node, and for how long.
    pub(super) fn attr(&self, node: &Node) -> Result<(FileAttr, Duration)> {
        Ok(self.attr_of(&node.stat().map_err(errno)?, node.id))
    }

    pub(super) fn attr_of(&self, stat: &Stat, id: u64) -> (FileAttr, Duration) {
        let options = self.options();
        let attr = attributes::shown(stat, id, &options);
        // A close changes the time and is not asked about it.
        let lost = options.times_lost_on_close && attr.kind == fuser::FileType::RegularFile;
        (attr, if lost { Duration::ZERO } else { options.attr_timeout })
    }

    /// How `name` is spelled in `dir`.
    pub(super) fn spelled(&self, dir: &Node, name: &OsStr) -> OsString {
        if self.options().case_insensitive { names::spelling(dir.fd(), name) } else { name.to_owned() }
    }

    /// Fails for a name that cannot be created.
    pub(super) fn allow(&self, name: &OsStr) -> Result<()> {
        refuse(self.options().forbidden_names && names::is_forbidden(name), Errno::EINVAL)
    }
}

/// Fails with `errno` if it is `so`.
pub(super) fn refuse(so: bool, errno: Errno) -> Result<()> {
    if so { Err(errno) } else { Ok(()) }
}

/// Fails with the errno that the options give.
pub(super) fn refuse_with(errno: Option<Errno>) -> Result<()> {
    errno.map_or(Ok(()), Err)
}

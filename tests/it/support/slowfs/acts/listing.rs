//! Listing directories.

use super::super::attributes;
use super::super::nodes::{Listed, Node, OpenDir};
use super::super::outcome::{OpenedDir, Rest};
use super::super::store::{Result, Store, errno};
use rustix::fs::{Dir, Mode, OFlags, openat};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::sync::{Arc, Mutex};

impl Store {
    pub(in super::super) fn open_dir(&self, node: &Arc<Node>) -> Result<OpenedDir> {
        let dir = OpenDir { node: Arc::clone(node), listing: Mutex::new(list(node)?) };
        Ok(OpenedDir(self.dirs.open(dir)))
    }

    /// What follows `offset` in the listing, which begins anew at zero.
    pub(in super::super) fn read_dir(&self, handle: u64, offset: u64) -> Result<Rest> {
        let dir = self.dirs.get(handle)?;
        if offset == 0 {
            *dir.listing.lock().unwrap() = list(&dir.node)?;
        }
        Ok(Rest { dir, from: offset as usize })
    }
}

fn list(node: &Node) -> Result<Vec<Listed>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = openat(node.fd(), c".", flags, Mode::empty()).map_err(errno)?;
    let listed = Dir::new(fd).map_err(errno)?.map(|entry| {
        let entry = entry.map_err(errno)?;
        let name = OsString::from_vec(entry.file_name().to_bytes().to_owned());
        Ok(Listed { name, id: entry.ino(), kind: attributes::kind(entry.file_type().as_raw_mode()) })
    });
    listed.collect()
}

//! With `--fsync`: names and metadata that wait until what they belong to is on the disk.

use super::fault::at_destination;
use super::run::Run;
use super::worker::Worker;
use crate::account::Report;
use crate::error::Act;
use crate::pool::lock;
use crate::sys::{Handle, commit};
use crate::tree::attributes::{Attributes, Changes};
use crate::tree::{RelPath, RelPathBuf, Timestamp};
use std::collections::HashMap;
use std::os::fd::AsFd;
use std::sync::Mutex;

/// What waits for the barrier.
#[derive(Debug, Default)]
pub(super) struct Barrier {
    unpublished: Mutex<Vec<(RelPathBuf, Vec<u8>)>>,
    restored: Mutex<HashMap<RelPathBuf, Timestamp>>,
    unsettled: Mutex<Vec<(RelPathBuf, Changes)>>,
}

impl Barrier {
    /// What is complete under the name `temp` is to be at `path`.
    pub(super) fn publish(&self, path: RelPath<'_>, temp: Vec<u8>) {
        lock(&self.unpublished).push((path.to_buf(), temp));
    }

    /// The directory at `path` is to have this time again, if nothing else is said of it. The first time counts: names
    /// that come with the barrier change what is there later.
    pub(super) fn restore(&self, path: RelPath<'_>, mtime: Timestamp) {
        lock(&self.restored).entry(path.to_buf()).or_insert(mtime);
    }

    /// The directory at `path` is to get these metadata.
    pub(super) fn settle(&self, path: RelPath<'_>, changes: Changes) {
        lock(&self.unsettled).push((path.to_buf(), changes));
    }
}

/// Gives names to what has none yet, once it is on the disk: one barrier for all of them. A barrier that failed is not
/// tried again: the kernel tells of a lost write once.
pub(super) fn publish(run: &Run<'_>) -> Report {
    let mut worker = Worker::new(run);
    let mut waiting = std::mem::take(&mut *lock(&run.barrier.unpublished));
    let Some(root) = run.dst.as_ref().filter(|_| !waiting.is_empty()) else { return worker.report };
    waiting.sort();
    let synced = commit::sync_fs(&root.dir);
    for (path, temp) in waiting {
        let (parent, name) = path.as_path().split();
        let published = run.made_dir(parent).and_then(|dir| match synced {
            Ok(()) if !run.is_ending() => dir.rename(&temp, name),
            _ => dir.remove_file(&temp),
        });
        if let Err(errno) = published {
            worker.fail(path.as_path(), at_destination(Act::Publish)(errno));
        }
    }
    if let Err(errno) = synced {
        run.stop(crate::error::Error::io(Act::Sync, root.path, errno));
    }
    worker.report
}

/// Gives directories their metadata, the deepest first.
pub(super) fn settle(run: &Run<'_>) -> Report {
    let mut worker = Worker::new(run);
    let mut waiting = std::mem::take(&mut *lock(&run.barrier.unsettled));
    waiting.sort_by(|a, b| b.0.cmp(&a.0));
    let restored = std::mem::take(&mut *lock(&run.barrier.restored)).into_iter().map(|(path, mtime)| {
        let attributes = Attributes { mtime: Some(mtime), ..Attributes::default() };
        (path, Changes { attributes, ..Changes::default() })
    });
    for (path, changes) in restored.chain(waiting) {
        match run.made_dir(path.as_path()) {
            Ok(dir) => worker.set(path.as_path(), Handle::Open(dir.as_fd()), &changes),
            Err(errno) => worker.fail(path.as_path(), at_destination(Act::Open)(errno)),
        }
    }
    worker.report
}

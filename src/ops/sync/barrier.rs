//! With `--fsync`: names and metadata that wait until what they belong to is on the disk.

use super::fault::{Fault, at_destination};
use super::run::Run;
use super::worker::Worker;
use crate::account::Report;
use crate::dest::barrier::{Barrier, Blocked};
use crate::dest::failed;
use crate::error::{Act, Error};
use crate::sys::Handle;
use std::os::fd::AsFd;

/// Gives names to what has none yet, once it is on the disk: one barrier for all of them.
pub(super) fn publish(run: &Run<'_>) -> Report {
    let mut worker = Worker::new(run);
    let waiting = run.barrier.paths();
    let Some(root) = run.dst.as_ref().filter(|_| !waiting.is_empty()) else { return worker.report };
    if let Err(errno) = Barrier::sync(&root.dir) {
        for path in waiting {
            worker.fail(path.as_path(), Fault::Destination(Act::Publish, errno.into()));
        }
        run.stop(Error::io(Act::Sync, root.path, errno));
    }
    if run.is_ending() {
        run.barrier.discard(|path| run.made_dir(path));
        return worker.report;
    }
    let open = |path: crate::tree::RelPath<'_>| run.made_dir(path).map_err(failed(Act::Publish));
    run.barrier.publish(Blocked::Fails, open, |path, failure| worker.fail(path, failure.into()));
    worker.report
}

/// Gives directories their metadata, the deepest first.
pub(super) fn settle(run: &Run<'_>) -> Report {
    let mut worker = Worker::new(run);
    for (path, changes) in run.barrier.take_metadata() {
        match run.made_dir(path.as_path()) {
            Ok(dir) => worker.set(path.as_path(), Handle::Open(dir.as_fd()), &changes),
            Err(errno) => worker.fail(path.as_path(), at_destination(Act::Open)(errno)),
        }
    }
    worker.report
}

//! Atomic publish: a new tree is built beside the old one and takes its place in one step.
//!
//! Owns the order of the steps, and that no other is taken when one fails; the tree itself is built by `sync` or
//! `unpack`, which know nothing of it. Under the name of the destination there is the whole old or the whole new tree
//! at every moment, also when the process dies; what it leaves then lies in the store (`store`), where the next run
//! finds it.

mod clear;
mod place;
mod retire;
mod reuse;
mod rollback;
mod store;
mod swap;

pub use rollback::rollback;

use super::Threads;
use crate::account::{Counts, End, Observer, Report};
use crate::cancel::Cancel;
use crate::error::{Act, Error};
use crate::sys::commit;
use place::Place;
use std::path::Path;
use store::Store;

/// How to publish.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How the new tree takes the place of the old one.
    pub by: By,
    /// What becomes of the old tree's files in the new one.
    pub reuse: Reuse,
    /// How many old trees are kept.
    pub keep: usize,
    /// Worker threads.
    pub threads: Threads,
    /// Leave the old tree in its place when the report counts no change. For builders that count changes, as mirrors do.
    pub only_changed: bool,
    /// Return only when the new tree would survive a power cut, and under its name.
    pub fsync: bool,
    /// Wait for another run that holds the destination, in place of giving up at once.
    pub wait: bool,
}

/// How a tree takes the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum By {
    /// The two directories change places, renameat2(2).
    #[default]
    Exchange,
    /// The name is a symlink, and a new one is renamed over it.
    Symlink,
}

/// What becomes of files of the old tree that the new one has, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reuse {
    /// Reflinks where the file system has them, else hard links.
    #[default]
    Auto,
    /// They share their blocks; an error where the file system cannot do that.
    Reflink,
    /// They are one inode: who writes into it, or changes its metadata, changes both trees.
    Hardlink,
    /// They are copied.
    Copy,
}

/// Lets `build` make a tree, and puts it in the place of `dst`.
///
/// `build` is given a directory that holds all that `dst` holds, or, where there is no `dst`, a path where nothing is
/// yet. Unless it reports that it is complete, without a failure, `dst` stays as it is and the report ends with the
/// error that says so. Failures of a report that is complete concern old trees only, which could not be removed.
///
/// An error says that nothing was done: another run holds the destination, or `dst` is nothing that can be replaced.
pub fn publish(
    dst: &Path,
    options: &Options,
    cancel: &Cancel,
    observer: &dyn Observer,
    build: impl FnOnce(&Path) -> Result<Report, Error>,
) -> Result<Report, Error> {
    let place = Place::open(dst)?;
    let Some(store) = Store::make(&place, options, cancel, observer)? else {
        return Ok(interrupted(Report::default()));
    };
    let outcome = attempt(&place, &store, options, (cancel, observer), build);
    store.close(outcome)
}

fn attempt(
    place: &Place<'_>,
    store: &Store,
    options: &Options,
    (cancel, observer): (&Cancel, &dyn Observer),
    build: impl FnOnce(&Path) -> Result<Report, Error>,
) -> Result<Report, Error> {
    store.clear(place)?;
    let Some(There { tree, current }) = place.there(options, cancel, observer)? else {
        return Ok(interrupted(Report::default()));
    };
    if options.by == By::Exchange {
        swap::try_exchange(place, store)?;
    }
    if let Some(tree) = &tree {
        let copied = reuse::copy(tree, store, options, cancel, observer)?;
        if !is_whole(&copied) {
            return Ok(unpublished(copied, place));
        }
    }
    let mut report = build(&store.stage())?;
    if !is_whole(&report) {
        return Ok(unpublished(report, place));
    }
    if cancel.is_set() {
        return Ok(interrupted(report));
    }
    if options.only_changed && tree.is_some() && !is_changed(&report) {
        retire::retire(store, options.keep, current, &mut report);
        return Ok(report);
    }
    // What the copy has made, too, which the builder need not know of.
    if options.fsync
        && let Err(errno) = commit::sync_fs(&store.dir)
    {
        report.end = End::Stopped(Error::io(Act::Sync, &store.stage(), errno));
        return Ok(report);
    }
    let swapped = match options.by {
        By::Exchange => swap::exchange(place, store, tree.is_some(), options.fsync),
        By::Symlink => swap::link(place, store, current, options.fsync),
    };
    match swapped {
        Ok(current) => retire::retire(store, options.keep, current, &mut report),
        Err(error) => report.end = End::Stopped(error),
    }
    Ok(report)
}

/// What is in the destination's place, held by this run.
struct There {
    /// The old tree, if there is one.
    tree: Option<place::Tree>,
    /// Which version the destination's symlink leads to.
    current: Option<u64>,
}

fn is_whole(report: &Report) -> bool {
    matches!(report.end, End::Complete) && report.failures.is_empty()
}

/// Whether a mirror differs from what it was before.
fn is_changed(report: &Report) -> bool {
    let Counts { created, updated, linked, metadata_set, deleted, .. } = report.counts;
    created + updated + linked + metadata_set + deleted > 0
}

fn interrupted(mut report: Report) -> Report {
    report.end = End::Interrupted;
    report
}

/// The report of a run that could not make the new tree whole.
fn unpublished(mut report: Report, place: &Place<'_>) -> Report {
    if matches!(report.end, End::Complete) {
        let failed = report.failures.len();
        let cause = std::io::Error::other(format!(
            "{failed} {} failed, so nothing is published and it stays as it is",
            if failed == 1 { "entry" } else { "entries" },
        ));
        report.end = End::Stopped(Error::io(Act::Publish, place.path, cause));
    }
    report
}

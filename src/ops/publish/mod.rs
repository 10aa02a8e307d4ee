//! Atomic publish: builds a new tree next to the old one and replaces the old one in one step.
//!
//! Owns the order of the steps, and stops at the first one that fails; `sync` or `unpack` builds the tree itself and
//! knows nothing about publishing. The name of the destination leads to the whole old or the whole new tree at every
//! moment, even if the process dies; what it then leaves is in the store (`store`), where the next run finds it.

mod clear;
mod options;
mod place;
mod retire;
mod reuse;
mod rollback;
mod store;
mod swap;

pub use rollback::rollback;

use crate::account::{Counts, End, Observer, Report};
use crate::cancel::Cancel;
use crate::error::{Act, Error};
use crate::sys::commit;
pub use options::{By, PublishOptions, Reuse};
use place::{PublishPlace, There};
use std::path::Path;
use store::Store;

/// Lets `build` make a tree, and replaces `dst` with it.
///
/// `build` gets a directory that holds everything in `dst` or, if there is no `dst`, a path where nothing exists yet.
/// Unless it reports a complete run without failures, `dst` stays as it is and the report ends with an error that says
/// so. Failures in a complete report are only about old trees that could not be removed.
///
/// An error means that nothing was done: another run holds the destination, or `dst` cannot be replaced.
pub fn publish(
    dst: &Path,
    options: &PublishOptions,
    cancel: &Cancel,
    observer: &dyn Observer,
    build: impl FnOnce(&Path) -> Result<Report, Error>,
) -> Result<Report, Error> {
    let place = PublishPlace::open(dst)?;
    let Some(store) = Store::make(&place, options, cancel, observer)? else {
        return Ok(interrupted(Report::default()));
    };
    let outcome = attempt(&place, &store, options, (cancel, observer), build);
    store.close(outcome)
}

fn attempt(
    place: &PublishPlace<'_>,
    store: &Store,
    options: &PublishOptions,
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
    // Including what the copy has created, which the builder need not know about.
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

/// The report of a run that could not complete the new tree.
fn unpublished(mut report: Report, place: &PublishPlace<'_>) -> Report {
    if matches!(report.end, End::Complete) {
        let failed = report.failures.len();
        let cause = std::io::Error::other(format!(
            "{failed} {} failed, so nothing was published and the old tree is unchanged",
            if failed == 1 { "entry" } else { "entries" },
        ));
        report.end = End::Stopped(Error::io(Act::Publish, place.path, cause));
    }
    report
}

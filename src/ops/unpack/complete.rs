//! The end of a run: everything gets its name, what is to go is removed, and directories get their metadata.

use super::delete::{self, Held};
use super::directories;
use super::hand::Hand;
use super::run::UnpackRun;
use crate::account::{End, Report};
use crate::dest::{Destination, Owners};
use crate::error::Error;
use crate::sys::Handle;
use crate::tree::attributes::Changes;
use std::os::fd::AsFd;

/// Publishes new entries, or removes them if the run did not reach its end. `held` is what the archive has.
pub(super) fn end(
    run: &UnpackRun<'_>,
    destination: &mut Destination,
    mut report: Report,
    held: &Held<'_>,
) -> Report {
    if matches!(report.end, End::Complete)
        && let Err(error) = complete(run, destination, &mut report, Some(held))
    {
        report.end = End::Stopped(error);
    }
    if !matches!(report.end, End::Complete) {
        destination.abandon();
    }
    report.sort();
    report
}

/// Gives everything its name, makes the removals, and gives directories their metadata. Without `held`, more will
/// come, and only what blocks an entry is removed.
pub(super) fn complete(
    run: &UnpackRun<'_>,
    destination: &mut Destination,
    report: &mut Report,
    held: Option<&Held<'_>>,
) -> Result<(), Error> {
    let mut hand = Hand::new(run, destination);
    destination.publish(&mut |path, failed| hand.fail(path, failed))?;
    let new = destination.take_new();
    report.merge(directories::complete(run, destination, &new));
    report.merge(std::mem::take(&mut hand.ledger.report));
    if report.failures.is_empty() && run.options.deletes() {
        report.merge(delete::blocking(run, destination));
    }
    destination.publish_blocked(&mut |path, failed| hand.fail(path, failed));
    report.merge(std::mem::take(&mut hand.ledger.report));
    if let Some(held) = held {
        if report.failures.is_empty() && run.options.deletes() {
            report.merge(delete::extraneous(run, destination, held));
        } else if run.options.update.is_some() && !destination.is_new() {
            delete::stale(run, destination);
        }
    }
    complete_found(run, destination, &mut hand);
    report.merge(std::mem::take(&mut hand.ledger.report));
    drop(hand);
    match run.stop.take() {
        Some(error) => Err(error),
        None => destination.finish(),
    }
}

/// Gives existing directories their metadata.
fn complete_found(run: &UnpackRun<'_>, destination: &Destination, hand: &mut Hand<'_>) {
    let is_update = run.options.update.is_some();
    let mut owners = Owners::default();
    for entry in destination.take_found() {
        let set = destination.found_directory(&entry, &mut owners).and_then(|(dir, changes)| {
            hand.maker.set(Handle::Open(dir.as_fd()), &changes)?;
            Ok(is_update && is_more_than_time(changes))
        });
        hand.report_lacks();
        match set {
            Ok(is_changed) => hand.ledger.report.counts.metadata_set += u64::from(is_changed),
            Err(failed) => hand.fail(entry.path.as_path(), failed),
        }
    }
}

/// Whether something other than the time must be set: any change in a directory has changed its time.
fn is_more_than_time(mut changes: Changes) -> bool {
    changes.attributes.mtime = None;
    !changes.is_empty()
}

//! Handles directories, one depth after the other: those of the same depth do not depend on each other, so all threads
//! share them.

use super::hand::Hand;
use super::run::UnpackRun;
use crate::account::{End, Report};
use crate::dest::{Destination, PendingDirectory};
use crate::pool::{lock, scatter};
use crate::source::frames::Halt;
use crate::tree::Entry;
use std::sync::Mutex;

/// How many a thread takes at a time. They are in path order, so most have the same parent as the previous one. Fewer
/// are not worth a thread.
const AT_A_TIME: usize = 64;

/// Creates directories, parents first.
pub(super) fn make(run: &UnpackRun<'_>, destination: &Destination, mut entries: Vec<&Entry>) -> Report {
    let depth = |entry: &&Entry| entry.path.as_path().depth();
    entries.sort_by_key(depth);
    by_depth(run, destination, &entries, depth, |hand, entry| hand.directory(entry))
}

/// Completes directories that this run has created, the deepest first.
pub(super) fn complete(run: &UnpackRun<'_>, destination: &Destination, new: &[PendingDirectory]) -> Report {
    let depth = |directory: &PendingDirectory| directory.entry.path.as_path().depth();
    by_depth(run, destination, new, depth, |hand, directory| {
        if let Err(failed) = hand.maker.complete_directory(directory) {
            hand.fail(directory.entry.path.as_path(), failed);
        }
        hand.report_lacks();
        Ok(())
    })
}

fn by_depth<T: Sync>(
    run: &UnpackRun<'_>,
    destination: &Destination,
    items: &[T],
    depth: impl Fn(&T) -> usize,
    work: impl Fn(&mut Hand<'_>, &T) -> Result<(), Halt> + Sync,
) -> Report {
    let halt = Mutex::new(None);
    let mut hand = Hand::new(run, destination);
    let mut report = Report::default();
    for level in items.chunk_by(|a, b| depth(a) == depth(b)) {
        let take = |hand: &mut Hand<'_>, some: &[T]| {
            for item in some {
                if lock(&halt).is_some() {
                    return;
                }
                if let Err(error) = work(hand, item) {
                    lock(&halt).get_or_insert(error);
                }
            }
        };
        if level.len() <= AT_A_TIME {
            take(&mut hand, level);
        } else {
            let start = || Hand::new(run, destination);
            let hands = scatter(run.options.threads, level.chunks(AT_A_TIME), start, take);
            report.merge_all(hands.into_iter().map(|hand| hand.ledger.report));
        }
    }
    report.merge(hand.ledger.report);
    if let Some(halt) = lock(&halt).take() {
        report.merge(Report { end: End::Stopped(halt.at(run.path)), ..Report::default() });
    }
    report
}

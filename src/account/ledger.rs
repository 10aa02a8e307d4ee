//! Keeps account of one worker's part of a run.

use super::change::Change;
use super::failure::{Cause, Failure};
use super::observer::{Event, Observer};
use super::report::Report;
use crate::error::Act;
use crate::tree::RelPath;

/// Keeps account of one worker's part of a run: the only place that both counts and tells.
///
/// Every worker owns one, so no counter is shared while they work; the reports are merged when the workers join.
pub(crate) struct Ledger<'a> {
    observer: &'a dyn Observer,
    pub(crate) report: Report,
}

#[allow(dead_code)] // until the engines use it
impl<'a> Ledger<'a> {
    pub(crate) fn new(observer: &'a dyn Observer) -> Self {
        Ledger { observer, report: Report::default() }
    }

    /// Tells the observer.
    pub(crate) fn tell(&self, event: Event<'_>) {
        self.observer.event(event);
    }

    /// Notes that `act` failed for the entry at `path`.
    pub(crate) fn fail(&mut self, path: RelPath<'_>, act: Act, cause: impl Into<Cause>) {
        let failure = Failure { path: path.as_bytes().into(), act, cause: cause.into() };
        self.observer.event(Event::Failed(&failure));
        self.report.failures.push(failure);
    }

    /// Notes that an entry is left out on purpose.
    pub(crate) fn skip(&mut self, path: RelPath<'_>, why: &str) {
        self.report.counts.skipped += 1;
        self.observer.event(Event::Skipped(path, why));
    }

    /// Notes a change to the destination.
    pub(crate) fn change(&mut self, change: &Change<'_>) {
        self.report.counts.add_change(change.deed);
        self.observer.event(Event::Changed(change));
    }
}

/// Notes a failure where a report is not yet kept in a ledger.
pub(crate) fn fail_aloud(
    report: &mut Report,
    observer: &dyn Observer,
    path: RelPath<'_>,
    (act, cause): (Act, impl Into<Cause>),
) {
    let mut ledger = Ledger::new(observer);
    ledger.fail(path, act, cause);
    report.merge(ledger.report);
}

impl std::fmt::Debug for Ledger<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("report", &self.report).finish_non_exhaustive()
    }
}

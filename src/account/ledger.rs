//! Keeps account of one worker's part of a run.

use super::change::Change;
use super::failure::{Cause, Failure};
use super::observer::{Event, Observer};
use super::report::Report;
use super::stop::Stop;
use crate::error::{Act, Error, ends_run};
use crate::tree::RelPath;
use std::fmt;
use std::path::Path;

/// Keeps account of one worker's part of a run: the only place that both counts and reports to the observer.
///
/// Every worker owns one, so no counter is shared while they work; the reports are merged when the workers join.
pub(crate) struct Ledger<'a> {
    observer: &'a dyn Observer,
    pub(crate) report: Report,
}

/// The side of a run that an entry lies on: its root as the user named it, and what stops the run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunSide<'a> {
    pub(crate) root: &'a Path,
    pub(crate) stop: &'a Stop<'a>,
}

impl<'a> Ledger<'a> {
    pub(crate) fn new(observer: &'a dyn Observer) -> Self {
        Ledger { observer, report: Report::default() }
    }

    /// Reports an event to the observer.
    pub(crate) fn tell(&self, event: Event<'_>) {
        self.observer.event(event);
    }

    /// Records that `act` failed for the entry at `path`.
    pub(crate) fn fail(&mut self, path: RelPath<'_>, act: Act, cause: impl Into<Cause>) {
        let failure = Failure { path: path.as_bytes().into(), act, cause: cause.into() };
        self.observer.event(Event::Failed(&failure));
        self.report.failures.push(failure);
    }

    /// The same, but stops the run if everything that follows on this side would fail in the same way.
    ///
    /// This is the only place that asks [`ends_run`].
    pub(crate) fn fail_or_stop(
        &mut self,
        side: RunSide<'_>,
        path: RelPath<'_>,
        act: Act,
        cause: impl Into<Cause>,
    ) {
        match cause.into() {
            Cause::Os(error) if ends_run(act, &error) => {
                side.stop.set(Error::io(act, &side.root.join(path.as_os_str()), error));
            }
            cause => self.fail(path, act, cause),
        }
    }

    /// Reports that an entry is left out on purpose.
    pub(crate) fn skip(&mut self, path: RelPath<'_>, why: &str) {
        self.report.counts.skipped += 1;
        self.observer.event(Event::Skipped(path, why));
    }

    /// Records a change to the destination.
    pub(crate) fn change(&mut self, change: &Change<'_>) {
        self.report.counts.add_change(change.deed);
        self.observer.event(Event::Changed(change));
    }
}

impl fmt::Debug for Ledger<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("report", &self.report).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Recorder;
    use crate::cancel::Cancel;
    use rustix::io::Errno;

    /// What stopped the run, and how many failures were reported.
    fn after(act: Act, errno: Errno) -> (Option<String>, usize) {
        let (recorder, cancel) = (Recorder::default(), Cancel::default());
        let stop = Stop::new(&cancel);
        let mut ledger = Ledger::new(&recorder);
        let side = RunSide { root: Path::new("/dst"), stop: &stop };
        ledger.fail_or_stop(side, RelPath::new(b"a/b").unwrap(), act, errno);
        assert_eq!(recorder.lines().len(), ledger.report.failures.len());
        (stop.take().map(|error| error.to_string()), ledger.report.failures.len())
    }

    #[test]
    fn a_full_disk_stops_the_run_and_one_entrys_trouble_is_a_failure() {
        let full = "cannot write /dst/a/b: No space left on device (ENOSPC)".to_owned();
        assert_eq!(after(Act::Write, Errno::NOSPC), (Some(full), 0));
        assert_eq!(after(Act::Write, Errno::FBIG), (None, 1));
        assert_eq!(after(Act::SetXattrs, Errno::NOSPC), (None, 1));
        assert_eq!(after(Act::Create, Errno::ACCESS), (None, 1));
    }
}

//! The outcome of a run.
//!
//! Every worker owns a [`Report`]. They are merged when the workers join, so threads share no counter while they work.

use super::counts::Counts;
use super::difference::Difference;
use super::failure::{Cause, Failure};
use crate::error::{Act, Error};
use crate::tree::RelPath;

/// What a run did, what it failed to do, and how it ended.
#[derive(Debug, Default)]
pub struct Report {
    /// What was done.
    pub counts: Counts,
    /// What failed, one for each path.
    pub failures: Vec<Failure>,
    /// Where two trees, or an archive and a tree, differ; filled by the verbs that compare.
    pub differences: Vec<Difference>,
    /// How the run ended.
    pub end: End,
}

/// How a run ended.
#[derive(Debug, Default)]
pub enum End {
    /// Everything was attempted.
    #[default]
    Complete,
    /// A signal, or [`crate::cancel::Cancel::set`], asked it to stop.
    Interrupted,
    /// It had to stop.
    Stopped(Error),
}

impl Report {
    /// Adds what another worker did.
    pub fn merge(&mut self, other: Report) {
        // Destructured in full, so that a new field cannot be forgotten here.
        let Report { counts, failures, differences, end } = other;
        self.counts.add(&counts);
        self.failures.extend(failures);
        self.differences.extend(differences);
        self.end.merge(end);
    }

    /// Adds what several workers did.
    pub fn merge_all(&mut self, others: impl IntoIterator<Item = Report>) {
        for other in others {
            self.merge(other);
        }
    }

    /// Records that `act` failed for the entry at `path`.
    pub fn fail(&mut self, path: RelPath<'_>, act: Act, cause: impl Into<Cause>) {
        self.failures.push(Failure { path: path.as_bytes().into(), act, cause: cause.into() });
    }

    /// Puts failures and differences in path order, so that the report does not depend on timing.
    pub fn sort(&mut self) {
        self.failures.sort_by(|a, b| a.path.cmp(&b.path));
        self.differences.sort_by(|a, b| a.path.cmp(&b.path));
    }
}

impl End {
    fn merge(&mut self, other: End) {
        // An error is more telling than an interruption, and the first of several is the most telling.
        match (&self, &other) {
            (End::Stopped(_), _) | (_, End::Complete) => {}
            _ => *self = other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_of_several_workers_is_kept() {
        let held = |text: &str| Error::Held { path: text.into(), holder: None };
        let stopped = |text: &str| Report { end: End::Stopped(held(text)), ..Report::default() };
        let mut report = Report { end: End::Interrupted, ..Report::default() };
        report.merge(stopped("first"));
        report.merge(stopped("second"));
        report.merge(Report::default());
        assert!(matches!(&report.end, End::Stopped(Error::Held { path, .. }) if path.as_os_str() == "first"));
    }

    #[test]
    fn a_failure_names_act_path_and_cause() {
        let mut report = Report::default();
        report.fail(RelPath::ROOT, Act::Open, rustix::io::Errno::ACCESS);
        assert_eq!(report.failures[0].to_string(), "cannot open .: Permission denied (EACCES)");
    }
}

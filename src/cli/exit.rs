//! The only map from the result of a run to an exit code.

use super::refusal::Refusal;
use haul::account::{End, Report};
use haul::error::Error;
use std::process::ExitCode;

/// How the process ends. The numbers are a promise to scripts: their meaning never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: everything asked for was done.
    Done,
    /// 1: the run could not start, or had to stop.
    Failed,
    /// 2: the command line cannot be understood. (clap uses the same number.)
    Usage,
    /// 3: done, but some entries failed. Takes precedence over 4, since what failed was not compared.
    Partial,
    /// 4: differences were found.
    Different,
    /// 5: the archive is malformed, or asks for something that haul refuses.
    Archive,
    /// 6: another run holds the destination.
    Held,
    /// 128 + n: stopped by signal n, as shells count.
    Signal(u8),
}

impl Exit {
    /// The end of a run that `signal` asked to stop, or none (0).
    pub(crate) fn of(outcome: &Result<Report, Error>, signal: usize) -> Self {
        match outcome {
            Err(error) => Self::of_error(error),
            Ok(report) => match &report.end {
                End::Stopped(error) => Self::of_error(error),
                End::Interrupted => Self::Signal(u8::try_from(signal).unwrap_or(0)),
                End::Complete if !report.failures.is_empty() => Self::Partial,
                End::Complete if !report.differences.is_empty() => Self::Different,
                End::Complete => Self::Done,
            },
        }
    }

    /// The end of a run that an error stopped or prevented.
    fn of_error(error: &Error) -> Self {
        match error {
            Error::Malformed { .. } | Error::Refused { .. } => Self::Archive,
            Error::Held { .. } => Self::Held,
            // Io, Precaution, Unfit, Rule, Unsupported, and what may be added to them.
            _ => Self::Failed,
        }
    }

    /// The end of a command line that was refused.
    pub(crate) fn of_refusal(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Usage(_) => Self::Usage,
            Refusal::Error(error) => Self::of_error(error),
        }
    }

    /// The number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Partial => 3,
            Self::Different => 4,
            Self::Archive => 5,
            Self::Held => 6,
            Self::Signal(number) => 128_u8.saturating_add(number),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use haul::account::{Difference, Differs};
    use haul::error::{Act, Origin, Precaution, RuleError, RuleFault, Unfit};
    use haul::tree::RelPath;
    use std::path::Path;

    fn io_error() -> Error {
        Error::io(Act::Open, Path::new("a"), std::io::Error::from_raw_os_error(2))
    }

    fn malformed() -> Error {
        Error::Malformed { archive: "a".into(), what: "it is".into() }
    }

    fn rule_error() -> Error {
        RuleError { rule: b"?"[..].into(), origin: Origin::default(), fault: RuleFault::Unknown }.into()
    }

    fn ended(end: End) -> Report {
        Report { end, ..Report::default() }
    }

    #[test]
    fn every_result_has_the_code_of_the_table() {
        let mut failed = Report::default();
        failed.fail(RelPath::ROOT, Act::Open, std::io::Error::from_raw_os_error(13));
        let difference = Difference { path: "a".into(), what: vec![Differs::Mode] };
        let different = Report { differences: vec![difference.clone()], ..Report::default() };
        let mut both = Report { differences: vec![difference], ..Report::default() };
        both.fail(RelPath::ROOT, Act::Open, std::io::Error::from_raw_os_error(13));
        for (outcome, signal, code) in [
            (Ok(ended(End::Complete)), 0, 0),
            (Err(io_error()), 0, 1),
            (Ok(ended(End::Stopped(io_error()))), 0, 1),
            (Err(Error::Precaution(Precaution::NotKept { path: "a".into() })), 0, 1),
            (Err(Error::unfit(Path::new("a"), Unfit::IsDelta)), 0, 1),
            (Err(rule_error()), 0, 1),
            (Ok(ended(End::Stopped(rule_error()))), 0, 1),
            (Ok(failed), 0, 3),
            (Ok(different), 0, 4),
            (Ok(both), 0, 3),
            (Err(malformed()), 0, 5),
            (Ok(ended(End::Stopped(malformed()))), 0, 5),
            (Err(Error::Refused { archive: "a".into(), what: "it".into() }), 0, 5),
            (Err(Error::Held { path: "a".into(), holder: Some(1) }), 0, 6),
            (Ok(ended(End::Interrupted)), 2, 130),
            (Ok(ended(End::Interrupted)), 15, 143),
            (Ok(ended(End::Interrupted)), 1, 129),
            // Too late to matter: the run was complete.
            (Ok(ended(End::Complete)), 2, 0),
        ] {
            assert_eq!(Exit::of(&outcome, signal).code(), code, "{outcome:?} with signal {signal}");
        }
    }

    #[test]
    fn only_what_is_typed_exits_2() {
        let rule = |file: Option<&[u8]>| RuleError {
            rule: b"?"[..].into(),
            origin: Origin { file: file.map(Into::into), line: 1 },
            fault: RuleFault::Unknown,
        };
        for (refusal, code) in [
            (Refusal::Usage("no".into()), 2),
            (rule(None).into(), 2),
            (rule(Some(b"rules")).into(), 1),
            (io_error().into(), 1),
            (malformed().into(), 5),
        ] {
            assert_eq!(Exit::of_refusal(&refusal).code(), code, "{refusal}");
        }
    }
}

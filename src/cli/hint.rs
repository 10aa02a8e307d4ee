//! Which flag helps with an error.
//!
//! The library knows no flags: its errors are values, and only this module connects them with the command line.

use haul::account::{Cause, Failure};
use haul::error::{Error, Feature, IndexUse, Precaution, RuleFault, Unfit};
use std::fmt::{self, Display};

/// What to add to an error so that the user knows which flag is concerned.
fn hint(error: &Error) -> Option<&'static str> {
    match error {
        Error::Precaution(Precaution::EmptySource { .. }) => Some("--allow-empty-source allows it"),
        Error::Precaution(Precaution::SymbolicLink { .. }) => Some("--atomic=symlink replaces it"),
        Error::Unsupported { feature: Feature::Exchange, .. } => Some("--atomic=symlink does not need that"),
        Error::Unsupported { feature: Feature::Reflink, .. } => Some("--reuse=hardlink does not need that"),
        Error::Unfit { why: Unfit::NoIndex(use_), .. } => match use_ {
            IndexUse::Stamp => Some("leave out --if-changed"),
            IndexUse::Prefetch => Some("leave out --prefetch"),
            IndexUse::Digests => Some("leave out --checksum"),
            IndexUse::Base => Some("leave out --base"),
            _ => None,
        },
        Error::Rule(rule) if matches!(rule.fault, RuleFault::Nul) => Some(FROM0),
        _ => None,
    }
}

/// The hint for a NUL byte in a list of lines.
pub(crate) const FROM0: &str = "is --from0 missing?";

/// An error as it is shown.
pub(crate) fn explained(error: &Error) -> impl Display {
    WithHint { text: error.to_string(), hint: hint(error) }
}

/// A failure as it is shown.
pub(crate) fn explained_failure(failure: &Failure) -> impl Display {
    let hint = matches!(failure.cause, Cause::Limit).then_some("limited by --max-delete");
    WithHint { text: failure.to_string(), hint }
}

struct WithHint {
    text: String,
    hint: Option<&'static str>,
}

impl Display for WithHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        self.hint.map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use haul::account::Report;
    use haul::error::Act;
    use haul::tree::RelPath;
    use std::path::Path;

    #[test]
    fn an_error_that_a_flag_helps_against_names_it() {
        let empty = Precaution::EmptySource { src: "s".into(), dst: "d".into() };
        for (error, shown) in [
            (
                empty.into(),
                "s is empty, so everything in d would be deleted (--allow-empty-source allows it)",
            ),
            (
                Error::unfit(Path::new("a"), Unfit::NoIndex(IndexUse::Base)),
                "a: it has no index, which reusing unchanged frames needs (leave out --base)",
            ),
            (Error::unfit(Path::new("a"), Unfit::IsDelta), "a: it is a delta, not a whole tree"),
        ] {
            assert_eq!(explained(&error).to_string(), shown);
        }
        let mut report = Report::default();
        report.fail(RelPath::ROOT, Act::Delete, Cause::Limit);
        let shown = explained_failure(&report.failures[0]).to_string();
        assert_eq!(shown, "cannot delete .: no more entries may be deleted (limited by --max-delete)");
    }
}

//! What can be wrong with a rule.
//!
//! Owns the messages about invalid rules. A rule that cannot be used ends the run: guessing its meaning could delete
//! what it should have protected.

use crate::tree::path::escape;
use std::fmt;
use std::io;

/// A rule that cannot be used.
///
/// The message quotes a rule that the caller gave, but never a line of a file: whoever writes the merge files of a tree
/// could otherwise name a file that only the running user can read, and read its lines in the messages.
#[derive(Debug, thiserror::Error)]
pub struct RuleError {
    /// The rule as it was written.
    pub rule: Box<[u8]>,
    /// Where it was written.
    pub origin: Origin,
    /// What is wrong with it.
    pub fault: RuleFault,
}

/// Where a rule was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The file; `None` for an option's value and for the environment.
    pub file: Option<Box<[u8]>>,
    /// The line in that file, or the word where a file is split into words, counted from 1.
    pub line: usize,
}

/// What is wrong with a rule.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each is the sentence that it prints
#[non_exhaustive]
pub enum RuleFault {
    #[error("unknown rule: expected one of + - . : H S P R !, or a long name such as 'exclude'")]
    Unknown,
    #[error("unexpected modifier '{}'", escape(&[*.0]))]
    Modifier(u8),
    #[error("expected a pattern or a file name")]
    Missing,
    #[error("unexpected argument")]
    Argument,
    #[error("the merge rule names a side, so the rules in its file cannot")]
    Sides,
    #[error("unexpected NUL byte")]
    Nul,
    #[error("invalid pattern: it can match nothing, since a '[' or a '\\' is not complete")]
    Malformed,
    #[error("expected the name of a file")]
    NoFileName,
    #[error("merge files are nested more than {0} deep")]
    TooDeep(usize),
    #[error("the merge file does not exist or cannot be read")]
    Absent,
    #[error("cannot read the file: {}", super::Errno(.0))]
    Unreadable(io::Error),
    #[error("rules are read from files of a directory, and this is an archive")]
    NeedsDirectory,
    #[error("absolute paths are those of a directory, and this is an archive")]
    NeedsLocation,
    #[error("only a mirror has rules about extended attributes")]
    AboutXattrs,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RuleError { rule, origin, fault } = self;
        match (&origin.file, fault) {
            (None, _) => write!(f, "filter rule '{}': {fault}", escape(rule)),
            (Some(_), RuleFault::Modifier(_)) => write!(f, "filter rule in {origin}: unexpected modifier"),
            (Some(_), _) => write!(f, "filter rule in {origin}: {fault}"),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{}:{}", escape(file), self.line),
            None => Ok(()),
        }
    }
}

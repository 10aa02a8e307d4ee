//! Why a command line is not carried out.

use haul::error::{Error, RuleError};
use std::fmt;

/// Why a command line is not carried out.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It cannot be understood: what is wrong shows from its words, and from the environment, alone.
    Usage(String),
    /// Something that it names cannot be used.
    Error(Error),
}

/// Refuses words that cannot be understood.
pub(crate) fn usage<T>(what: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Usage(what.into()))
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal::Error(error)
    }
}

/// A rule that was typed is part of the command line, one in a file is not.
impl From<RuleError> for Refusal {
    fn from(error: RuleError) -> Self {
        match error.origin.file {
            Some(_) => Refusal::Error(Error::Rule(error)),
            None => Refusal::Usage(error.to_string()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Usage(what) => f.write_str(what),
            Refusal::Error(error) => super::hint::explained(error).fmt(f),
        }
    }
}

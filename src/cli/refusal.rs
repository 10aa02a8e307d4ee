//! Why a command line is refused.

use haul::error::{Error, RuleError};
use std::fmt;

/// Why a command line is refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It cannot be understood: what is wrong follows from its words and the environment alone.
    Usage(String),
    /// Something that it names cannot be used.
    Error(Error),
}

/// Refuses a command line that cannot be understood.
pub(crate) fn usage<T>(what: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Usage(what.into()))
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal::Error(error)
    }
}

/// A typed rule is part of the command line; a rule in a file is not.
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

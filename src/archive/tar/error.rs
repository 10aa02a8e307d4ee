//! What can be wrong with a tar stream.

use crate::tree::PathError;
use crate::tree::path::escape;

/// Why a tar stream cannot be read any further, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    /// Where the header, record block or content in question begins, in bytes of the tar stream.
    pub offset: u64,
    /// The name of the member in question as the archive spells it, escaped for people; empty if there is none.
    pub member: Box<str>,
    /// What is wrong.
    pub fault: TarFault,
}

/// What is wrong with a tar stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TarFault {
    /// It does not begin like a tar.
    #[error("not a tar archive")]
    NotTar,
    /// It breaks the rules of the format.
    #[error("{0}")]
    Malformed(&'static str),
    /// A member's name, or a hard link's target, leads out of the root or is invalid.
    #[error("{}{why}", of_target(target.as_deref()))]
    Refused {
        /// The target of the hard link in question, escaped for people; `None` when it is the member's own name.
        target: Option<Box<str>>,
        /// What is wrong with it.
        why: PathError,
    },
    /// A member is of a kind that haul does not support.
    #[error("unsupported member type '{}'", escape(&[*.0]))]
    Unsupported(u8),
    /// It exceeds one of the decoder's [`super::Limits`].
    #[error("{0}")]
    TooLarge(&'static str),
    /// It ends too early.
    #[error("the archive is cut short")]
    Truncated,
}

fn of_target(target: Option<&str>) -> String {
    target.map_or(String::new(), |target| format!("the link target '{target}' cannot be used: "))
}

impl std::error::Error for DecodeError {}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let DecodeError { offset, member, fault } = self;
        match (fault, &**member) {
            (TarFault::NotTar, _) => write!(f, "{fault}"),
            (_, "") => write!(f, "{fault} (at byte {offset} of the tar stream)"),
            (_, name) => write!(f, "{fault} (member '{name}', at byte {offset} of the tar stream)"),
        }
    }
}

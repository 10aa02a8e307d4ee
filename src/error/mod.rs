//! Errors: the run could not start, or had to stop.
//!
//! An error with a single entry is not an [`Error`] but a [`crate::account::Failure`]; the run continues without the
//! entry.
//!
//! Errors are values with plain messages. They know nothing about a command line and its flags: a front end with a flag
//! that helps adds that itself.

mod act;
mod errno;
mod precaution;
mod rule;
mod unfit;

pub use act::Act;
pub use errno::errno_name;
pub(crate) use errno::{Errno, ends_run, kind};
pub use precaution::Precaution;
pub use rule::{Origin, RuleError, RuleFault};
pub use unfit::{IndexUse, Unfit};

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a run could not start or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A system call on one of the roots or on the archive failed.
    #[error("cannot {act} {}: {}", display_path(path), Errno(source))]
    Io {
        /// What was being done.
        act: Act,
        /// The path it was done to.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The archive is damaged, cut short, or not an archive.
    #[error("{}: {what}", display_path(archive))]
    Malformed {
        /// The archive.
        archive: PathBuf,
        /// What is wrong with it, and where.
        what: String,
    },
    /// The archive asks for something that haul never does, such as writing outside the destination.
    #[error("{}: refused: {what}", display_path(archive))]
    Refused {
        /// The archive.
        archive: PathBuf,
        /// What was asked for, and by which entry.
        what: String,
    },
    /// Another run holds the destination.
    #[error("{} is held by another run{}", display_path(path), Holder(*holder))]
    Held {
        /// The destination.
        path: PathBuf,
        /// The process that holds it, if the system says.
        holder: Option<u32>,
    },
    /// The request is probably a mistake, so nothing is done.
    #[error(transparent)]
    Precaution(#[from] Precaution),
    /// An input cannot be used for what was asked.
    #[error("{}: {why}", display_path(path))]
    Unfit {
        /// The input.
        path: PathBuf,
        /// Why it cannot be used.
        why: Unfit,
    },
    /// A filter rule in the tree, or in a named file, cannot be used.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The file system of the destination cannot do what was asked for.
    #[error("cannot publish {}: {feature}: {}", display_path(path), Errno(source))]
    Unsupported {
        /// The destination.
        path: PathBuf,
        /// What its file system cannot do.
        feature: Feature,
        /// The system's error.
        source: io::Error,
    },
}

/// Something that a file system may not support.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Feature {
    /// Exchanging two directories, `renameat2(2)`.
    Exchange,
    /// Sharing blocks between files, `ioctl_ficlone(2)`.
    Reflink,
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Feature::Exchange => "its file system cannot exchange two directories",
            Feature::Reflink => "its file system cannot share blocks between files",
        })
    }
}

impl Error {
    /// A failed system call on `path`.
    pub fn io(act: Act, path: &Path, source: impl Into<io::Error>) -> Self {
        Error::Io { act, path: path.to_owned(), source: source.into() }
    }

    /// An input at `path` that cannot be used.
    pub fn unfit(path: &Path, why: Unfit) -> Self {
        Error::Unfit { path: path.to_owned(), why }
    }

    /// A word for errors with the same meaning. A promise to scripts: words are added, never renamed.
    pub fn kind(&self) -> &'static str {
        match self {
            Error::Io { source, .. } => kind(source),
            Error::Malformed { .. } => "malformed",
            Error::Refused { .. } => "refused",
            Error::Held { .. } => "held",
            Error::Precaution(precaution) => precaution.kind(),
            Error::Unfit { why, .. } => why.kind(),
            Error::Rule(_) => "rule",
            Error::Unsupported { .. } => "unsupported",
        }
    }
}

/// A process as ` (process 17)`.
struct Holder(Option<u32>);

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |pid| write!(f, " (process {pid})"))
    }
}

/// A path given by the user as text for people.
pub(crate) fn display_path(path: &Path) -> std::borrow::Cow<'_, str> {
    use std::os::unix::ffi::OsStrExt;
    crate::tree::path::escape(path.as_os_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_act_the_path_and_the_errno() {
        let error = Error::io(Act::Create, Path::new("a\nb"), io::Error::from_raw_os_error(13));
        assert_eq!(error.to_string(), "cannot create a\\nb: Permission denied (EACCES)");
    }
}

//! What could not be done to one entry, and why.

use crate::error::{Act, Errno};
use crate::tree::path::escape;
use std::fmt;
use std::io;

/// One thing that could not be done.
#[derive(Debug)]
pub struct Failure {
    /// The entry's path below the root.
    pub path: Box<[u8]>,
    /// What was being done to it.
    pub act: Act,
    /// Why it could not be done.
    pub cause: Cause,
}

/// Why something could not be done to one entry.
#[derive(Debug)]
pub enum Cause {
    /// The system said no.
    Os(io::Error),
    /// The file was changed while it was read.
    Changed,
    /// The file became shorter while it was read; the archive holds zeros in place of what was missing.
    Shrunk,
    /// The entry was gone when its turn came.
    Vanished,
    /// The entry stopped being what the scan saw (a file became a directory, say).
    Replaced,
    /// The archive does not hold it.
    NotFound,
    /// The way to the directory leads through it already: a symlink that is followed points back.
    Loop,
    /// No more entries may be removed.
    Limit,
    /// The entry needs another one that was not written.
    Missing(Box<[u8]>),
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        Cause::Os(error)
    }
}

impl From<rustix::io::Errno> for Cause {
    fn from(errno: rustix::io::Errno) -> Self {
        Cause::Os(errno.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path: &[u8] = if self.path.is_empty() { b"." } else { &self.path };
        write!(f, "cannot {} {}: {}", self.act, escape(path), self.cause)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Os(error) => Errno(error).fmt(f),
            Cause::Changed => f.write_str("it changed while it was read"),
            Cause::Shrunk => f.write_str("it shrank while it was read; the missing end is stored as zeros"),
            Cause::Vanished => f.write_str("it vanished while the tree was read"),
            Cause::Replaced => f.write_str("it was replaced by something else while the tree was read"),
            Cause::Loop => f.write_str("a symbolic link leads back to a directory above it"),
            Cause::Limit => f.write_str("no more may be deleted (--max-delete)"),
            Cause::NotFound => f.write_str("the archive does not hold it"),
            Cause::Missing(path) => write!(f, "{} was not written", escape(path)),
        }
    }
}

//! What could not be done to one entry, and why.

use crate::error::{Act, Errno, kind};
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
#[non_exhaustive]
pub enum Cause {
    /// A system call failed.
    Os(io::Error),
    /// The file changed while it was read.
    Changed,
    /// The file became shorter while it was read. An archive holds zeros for the missing end.
    Shrunk,
    /// The entry was gone when its turn came.
    Vanished,
    /// The entry is no longer what the scan saw (for example, a file became a directory).
    Replaced,
    /// The archive does not contain it.
    NotFound,
    /// A followed symlink leads back to a directory above it.
    Loop,
    /// No more entries may be removed.
    Limit,
    /// The entry depends on another one that was not written.
    Missing(Box<[u8]>),
    /// The destination does not tell these names apart: none of them was written. With a single name, that of the entry
    /// itself, one before it was.
    SameName(Box<[Box<[u8]>]>),
    /// The destination forbids names like this.
    ForbiddenName(Box<str>),
}

impl Cause {
    /// A word for causes with the same meaning, such as `vanished` or `denied`. A promise to scripts: words are added,
    /// never renamed.
    pub fn kind(&self) -> &'static str {
        match self {
            Cause::Os(error) => kind(error),
            Cause::Changed => "changed",
            Cause::Shrunk => "shrunk",
            Cause::Vanished => "vanished",
            Cause::Replaced => "replaced",
            Cause::NotFound => "not-found",
            Cause::Loop => "loop",
            Cause::Limit => "limit",
            Cause::Missing(_) => "missing",
            Cause::SameName(_) => "same-name",
            Cause::ForbiddenName(_) => "forbidden-name",
        }
    }
}

impl<E: Into<io::Error>> From<E> for Cause {
    fn from(error: E) -> Self {
        Cause::Os(error.into())
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
            Cause::Shrunk => f.write_str("it became shorter while it was read"),
            Cause::Vanished => f.write_str("it vanished while the tree was read"),
            Cause::Replaced => f.write_str("it was replaced by something else while the tree was read"),
            Cause::Loop => f.write_str("a symbolic link leads back to a directory above it"),
            Cause::Limit => f.write_str("no more entries may be deleted"),
            Cause::NotFound => f.write_str("it is not in the archive"),
            Cause::Missing(path) => write!(f, "{} was not written", escape(path)),
            Cause::SameName(names) if names.len() < 2 => {
                f.write_str("it differs only in case from a name before it")
            }
            Cause::SameName(names) => {
                let names: Vec<_> = names.iter().map(|name| escape(name)).collect();
                write!(f, "names that differ only in case: {}", names.join(", "))
            }
            Cause::ForbiddenName(what) => write!(f, "the destination forbids {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_the_kind_of_the_table() {
        let os = |code| Cause::Os(io::Error::from_raw_os_error(code));
        for (cause, kind) in [
            (Cause::Changed, "changed"),
            (Cause::Shrunk, "shrunk"),
            (Cause::Vanished, "vanished"),
            (Cause::Replaced, "replaced"),
            (Cause::NotFound, "not-found"),
            (Cause::Loop, "loop"),
            (Cause::Limit, "limit"),
            (Cause::Missing(b"a"[..].into()), "missing"),
            (Cause::SameName([].into()), "same-name"),
            (Cause::ForbiddenName("names with :".into()), "forbidden-name"),
            (os(1), "denied"),
            (os(2), "not-found"),
            (os(5), "io"),
            (os(12), "no-memory"),
            (os(13), "denied"),
            (os(16), "busy"),
            (os(17), "exists"),
            (os(18), "cross-device"),
            (os(19), "gone"),
            (os(20), "not-a-directory"),
            (os(21), "is-a-directory"),
            (os(23), "too-many-open-files"),
            (os(24), "too-many-open-files"),
            (os(26), "busy"),
            (os(27), "too-large"),
            (os(28), "no-space"),
            (os(30), "read-only"),
            (os(31), "too-many-links"),
            (os(36), "name-too-long"),
            (os(38), "unsupported"),
            (os(39), "not-empty"),
            (os(40), "loop"),
            (os(95), "unsupported"),
            (os(107), "gone"),
            (os(116), "gone"),
            (os(122), "no-space"),
            (os(133), "io"),
            (Cause::Os(io::Error::other("no errno")), "io"),
        ] {
            assert_eq!(cause.kind(), kind, "{cause}");
        }
    }
}

//! Errors: the run could not start, or had to stop.
//!
//! What went wrong with a single entry is not an [`Error`] but a [`crate::account::Failure`]; the run goes on without it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a run could not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call on one of the roots or on the archive failed.
    #[error("cannot {act} {}: {}", display_path(path), Errno(source))]
    Io {
        /// What was being done.
        act: Act,
        /// To what.
        path: PathBuf,
        /// What the system said.
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
    /// The archive asks for something that is never done, such as writing outside the destination.
    #[error("{}: refused: {what}", display_path(archive))]
    Refused {
        /// The archive.
        archive: PathBuf,
        /// What was asked for, and by which entry.
        what: String,
    },
    /// Another run is at work on the destination.
    #[error("{} is held by another run{}", display_path(path), Holder(*holder))]
    Held {
        /// The destination.
        path: PathBuf,
        /// The process that holds it, where the system says.
        holder: Option<u32>,
    },
    /// What was asked for would mostly be a mistake.
    #[error("{0}")]
    Precaution(String),
    /// An option's value cannot be used.
    #[error("{0}")]
    Usage(String),
}

impl Error {
    /// A failed system call on `path`.
    pub fn io(act: Act, path: &Path, source: impl Into<io::Error>) -> Self {
        Error::Io { act, path: path.to_owned(), source: source.into() }
    }
}

/// A process as ` (process 17)`.
struct Holder(Option<u32>);

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |pid| write!(f, " (process {pid})"))
    }
}

/// What was being done when something failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // each is the word that it prints
pub enum Act {
    Open,
    List,
    Stat,
    Read,
    ReadLink,
    ReadXattrs,
    Create,
    Write,
    SetOwner,
    SetMode,
    SetXattrs,
    SetTimes,
    Link,
    Replace,
    Remove,
    Sync,
    Publish,
    Lock,
    BackUp,
    Delete,
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Act::Open => "open",
            Act::List => "list",
            Act::Stat => "stat",
            Act::Read => "read",
            Act::ReadLink => "read the link",
            Act::ReadXattrs => "read the extended attributes of",
            Act::Create => "create",
            Act::Write => "write",
            Act::SetOwner => "set the owner of",
            Act::SetMode => "set the mode of",
            Act::SetXattrs => "set the extended attributes of",
            Act::SetTimes => "set the times of",
            Act::Link => "link",
            Act::Replace => "replace",
            Act::Remove => "remove",
            Act::Sync => "sync",
            Act::Publish => "publish",
            Act::Lock => "lock",
            Act::BackUp => "back up",
            Act::Delete => "delete",
        })
    }
}

/// Whether an error of this act concerns the whole run and not just one entry: no space, no quota, a read-only or vanished
/// file system. What follows would only fail in the same way.
///
/// Not EFBIG, which is about one file's length; nor what setxattr(2) says of one attribute that has no room beside its
/// inode, which is ENOSPC, too.
pub(crate) fn ends_run(act: Act, error: &io::Error) -> bool {
    use rustix::io::Errno;
    let is = |errno: &Errno| error.raw_os_error() == Some(errno.raw_os_error());
    let is_lost = [Errno::ROFS, Errno::STALE, Errno::NOTCONN, Errno::NODEV].iter().any(is);
    is_lost || (act != Act::SetXattrs && [Errno::NOSPC, Errno::DQUOT].iter().any(is))
}

/// An I/O error as `Permission denied (EACCES)`.
pub(crate) struct Errno<'a>(pub(crate) &'a io::Error);

impl fmt::Display for Errno<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(code) = self.0.raw_os_error() else { return self.0.fmt(f) };
        let text = self.0.to_string();
        let text = text.split(" (os error").next().unwrap_or(&text);
        match errno_name(code) {
            Some(name) => write!(f, "{text} ({name})"),
            None => write!(f, "{text} (errno {code})"),
        }
    }
}

/// The symbolic name of the error numbers that file operations return, errno(3).
pub fn errno_name(code: i32) -> Option<&'static str> {
    use rustix::io::Errno as E;
    const NAMES: &[(E, &str)] = &[
        (E::PERM, "EPERM"),
        (E::NOENT, "ENOENT"),
        (E::INTR, "EINTR"),
        (E::IO, "EIO"),
        (E::NXIO, "ENXIO"),
        (E::BADF, "EBADF"),
        (E::AGAIN, "EAGAIN"),
        (E::NOMEM, "ENOMEM"),
        (E::ACCESS, "EACCES"),
        (E::BUSY, "EBUSY"),
        (E::EXIST, "EEXIST"),
        (E::XDEV, "EXDEV"),
        (E::NODEV, "ENODEV"),
        (E::NOTDIR, "ENOTDIR"),
        (E::ISDIR, "EISDIR"),
        (E::INVAL, "EINVAL"),
        (E::NFILE, "ENFILE"),
        (E::MFILE, "EMFILE"),
        (E::TXTBSY, "ETXTBSY"),
        (E::FBIG, "EFBIG"),
        (E::NOSPC, "ENOSPC"),
        (E::SPIPE, "ESPIPE"),
        (E::ROFS, "EROFS"),
        (E::MLINK, "EMLINK"),
        (E::PIPE, "EPIPE"),
        (E::RANGE, "ERANGE"),
        (E::NAMETOOLONG, "ENAMETOOLONG"),
        (E::NOSYS, "ENOSYS"),
        (E::NOTEMPTY, "ENOTEMPTY"),
        (E::LOOP, "ELOOP"),
        (E::NODATA, "ENODATA"),
        (E::OVERFLOW, "EOVERFLOW"),
        (E::OPNOTSUPP, "EOPNOTSUPP"),
        (E::NOTCONN, "ENOTCONN"),
        (E::TIMEDOUT, "ETIMEDOUT"),
        (E::STALE, "ESTALE"),
        (E::DQUOT, "EDQUOT"),
    ];
    NAMES.iter().find(|(errno, _)| errno.raw_os_error() == code).map(|&(_, name)| name)
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

    #[test]
    fn a_full_disk_ends_the_run_and_what_concerns_one_file_does_not() {
        let ends = |act, code| ends_run(act, &io::Error::from_raw_os_error(code));
        for (act, code, expected) in [
            (Act::Write, 28, true),
            (Act::Write, 122, true),
            (Act::Remove, 30, true),
            (Act::SetXattrs, 30, true),
            (Act::SetXattrs, 28, false),
            (Act::SetXattrs, 122, false),
            (Act::Write, 27, false),
            (Act::Open, 2, false),
        ] {
            assert_eq!(ends(act, code), expected, "{act} {code}");
        }
        assert!(!ends_run(Act::Write, &io::Error::other("no errno")));
    }
}

//! What an error number means: its name, its kind, and whether it ends a run.

use super::Act;
use std::fmt;
use std::io;

/// Whether an error of this act concerns the whole run and not just one entry: no space, no quota, a read-only or
/// vanished file system. Everything after it would fail in the same way.
///
/// Not EFBIG, which is about one file's length; nor ENOSPC from setxattr(2), which is about one attribute without room
/// in its inode.
pub(crate) fn ends_run(act: Act, error: &io::Error) -> bool {
    use rustix::io::Errno;
    let is = |errno: &Errno| error.raw_os_error() == Some(errno.raw_os_error());
    let is_lost = [Errno::ROFS, Errno::STALE, Errno::NOTCONN, Errno::NODEV].iter().any(is);
    is_lost || (act != Act::SetXattrs && [Errno::NOSPC, Errno::DQUOT].iter().any(is))
}

/// A word for errors with the same meaning. A promise to scripts: words are added, never renamed.
///
/// Errors without their own word are `io`.
pub(crate) fn kind(error: &io::Error) -> &'static str {
    use rustix::io::Errno as E;
    const KINDS: &[(&[E], &str)] = &[
        (&[E::ACCESS, E::PERM], "denied"),
        (&[E::NOSPC, E::DQUOT], "no-space"),
        (&[E::NOENT], "not-found"),
        (&[E::EXIST], "exists"),
        (&[E::NOTEMPTY], "not-empty"),
        (&[E::NOTDIR], "not-a-directory"),
        (&[E::ISDIR], "is-a-directory"),
        (&[E::LOOP], "loop"),
        (&[E::ROFS], "read-only"),
        (&[E::OPNOTSUPP, E::NOSYS], "unsupported"),
        (&[E::FBIG], "too-large"),
        (&[E::NAMETOOLONG], "name-too-long"),
        (&[E::MLINK], "too-many-links"),
        (&[E::MFILE, E::NFILE], "too-many-open-files"),
        (&[E::NOMEM], "no-memory"),
        (&[E::XDEV], "cross-device"),
        (&[E::BUSY, E::TXTBSY], "busy"),
        (&[E::STALE, E::NOTCONN, E::NODEV], "gone"),
    ];
    let code = error.raw_os_error();
    let is = |errno: &E| code == Some(errno.raw_os_error());
    KINDS.iter().find(|(errnos, _)| errnos.iter().any(is)).map_or("io", |&(_, kind)| kind)
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

#[cfg(test)]
mod tests {
    use super::*;

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

//! Names that are one name, and names that cannot be.

use rustix::fd::BorrowedFd;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, statat};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The device names of Windows that have no number, and the stems of those that have one.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul", "clock$"];
const NUMBERED_DEVICES: &[&str] = &["com", "lpt"];

/// Whether an SMB server refuses to create `name`.
pub(super) fn is_forbidden(name: &OsStr) -> bool {
    let name = name.as_bytes();
    let device = String::from_utf8_lossy(name).to_lowercase();
    let numbered =
        |stem: &&str| device.strip_prefix(*stem).is_some_and(|n| matches!(n.as_bytes(), [b'1'..=b'9']));
    name.iter().any(|&byte| byte < 32 || br#""\:|<>*?"#.contains(&byte))
        || matches!(name.last(), Some(b'.' | b' '))
        || DEVICES.contains(&device.as_str())
        || NUMBERED_DEVICES.iter().any(numbered)
}

/// How `name` is spelled in `dir`, where case makes no difference: as it is if there is nothing like it.
pub(super) fn spelling(dir: BorrowedFd<'_>, name: &OsStr) -> OsString {
    if statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        return name.to_owned();
    }
    find_spelling(dir, name).unwrap_or_else(|| name.to_owned())
}

fn find_spelling(dir: BorrowedFd<'_>, name: &OsStr) -> Option<OsString> {
    let listing =
        openat(dir, c".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let entries = Dir::new(listing).ok()?.flatten();
    let mut names = entries.map(|entry| entry.file_name().to_bytes().to_owned());
    names.find(|other| other.eq_ignore_ascii_case(name.as_bytes())).map(OsString::from_vec)
}

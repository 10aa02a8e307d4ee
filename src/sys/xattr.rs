//! Extended attributes, xattr(7).
//!
//! On a file system without them, EOPNOTSUPP on reading means an empty list, for who does not ask for the difference.

use crate::tree::Xattr;
use crate::tree::metadata::is_second_view;
use rustix::fs::{self, XattrFlags};
use rustix::io::{Errno, Result};
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// Room for the names of most files; a longer list takes a second call.
const LIST_BYTES: usize = 1 << 10;
/// More than this on one entry is refused: some file systems have no limit, but archives do.
const MOST_BYTES: usize = 4 << 20;
/// Room for most values.
const VALUE_BYTES: usize = 256;

/// All extended attributes of what `fd` refers to, sorted by name.
pub(crate) fn of(fd: BorrowedFd<'_>) -> Result<Box<[Xattr]>> {
    none_if_unsupported(stored_of(fd))
}

fn none_if_unsupported(stored: Result<Box<[Xattr]>>) -> Result<Box<[Xattr]>> {
    match stored {
        Err(Errno::OPNOTSUPP) => Ok(Box::default()),
        stored => stored,
    }
}

/// The same, but EOPNOTSUPP on a file system without them.
pub(crate) fn stored_of(fd: BorrowedFd<'_>) -> Result<Box<[Xattr]>> {
    let list = grow(LIST_BYTES, |buffer| fs::flistxattr(fd, buffer))?;
    collect(&list, |name| grow(VALUE_BYTES, |buffer| fs::fgetxattr(fd, name, buffer)))
}

/// All extended attributes of a symlink, fifo or device, which is not opened.
pub(crate) fn at(dir: BorrowedFd<'_>, name: &[u8]) -> Result<Box<[Xattr]>> {
    none_if_unsupported(stored_at(dir, name))
}

/// The same, but EOPNOTSUPP on a file system without them.
pub(crate) fn stored_at(dir: BorrowedFd<'_>, name: &[u8]) -> Result<Box<[Xattr]>> {
    // Most entries have none, and one call can tell if the kernel has it.
    match list_at(dir, name) {
        Ok(0) => return Ok(Box::default()),
        Err(Errno::OPNOTSUPP) => return Err(Errno::OPNOTSUPP),
        _ => {}
    }
    // There is no descriptor of the entry, so it is named through the directory's descriptor in /proc. If /proc is not
    // mounted, such entries count as having none.
    let mut path = format!("/proc/self/fd/{}/", dir.as_raw_fd()).into_bytes();
    path.extend_from_slice(name);
    let list = match grow(LIST_BYTES, |buffer| fs::llistxattr(&path[..], buffer)) {
        Err(Errno::NOENT) => return Ok(Box::default()),
        list => list?,
    };
    collect(&list, |name| grow(VALUE_BYTES, |buffer| fs::lgetxattr(&path[..], name, buffer)))
}

/// How many bytes the names of all attributes of an entry take: listxattrat(2) of Linux 6.13. ENOSYS before.
fn list_at(dir: BorrowedFd<'_>, name: &[u8]) -> Result<usize> {
    /// The number is the same on every architecture.
    const LISTXATTRAT: libc::c_long = 465;
    // Set once the call turns out to be missing or forbidden by a seccomp filter.
    static MISSING: AtomicBool = AtomicBool::new(false);
    if MISSING.load(Ordering::Relaxed) {
        return Err(Errno::NOSYS);
    }
    let name = CString::new(name).map_err(|_| Errno::INVAL)?;
    // SAFETY: `name` is a NUL-terminated string that outlives the call, the descriptor is borrowed for it, and with a
    // size of 0 the kernel writes nothing to the null list (listxattr(2)).
    let result = unsafe {
        libc::syscall(
            LISTXATTRAT,
            dir.as_raw_fd(),
            name.as_ptr(),
            libc::AT_SYMLINK_NOFOLLOW,
            std::ptr::null_mut::<libc::c_char>(),
            0_usize,
        )
    };
    if let Ok(bytes) = usize::try_from(result) {
        return Ok(bytes);
    }
    match Errno::from_io_error(&std::io::Error::last_os_error()) {
        Some(errno @ (Errno::NOSYS | Errno::PERM)) => {
            MISSING.store(true, Ordering::Relaxed);
            Err(errno)
        }
        errno => Err(errno.unwrap_or(Errno::IO)),
    }
}

fn collect(list: &[u8], mut value: impl FnMut(&[u8]) -> Result<Vec<u8>>) -> Result<Box<[Xattr]>> {
    let mut xattrs = Vec::new();
    let mut bytes = list.len();
    for name in list.split(|&b| b == 0).filter(|name| !name.is_empty() && is_stored(name)) {
        match value(name) {
            Ok(value) => {
                bytes += value.len();
                if bytes > MOST_BYTES {
                    return Err(Errno::TOOBIG);
                }
                xattrs.push(Xattr { name: name.into(), value: value.into() });
            }
            // Removed since it was listed, or not readable by this user (trusted., some security.).
            Err(Errno::NODATA | Errno::PERM | Errno::ACCESS | Errno::OPNOTSUPP) => {}
            Err(error) => return Err(error),
        }
    }
    xattrs.sort_unstable();
    Ok(xattrs.into())
}

/// What XFS shows a second time is not read. `system.` attributes other than ACLs are a file system's own view of its state (`system.nfs4_acl`,
/// `system.cifs_acl`), which cannot be carried to another one.
fn is_stored(name: &[u8]) -> bool {
    let is_view = name.starts_with(b"system.") && !name.starts_with(b"system.posix_acl_");
    !is_view && !is_second_view(name)
}

/// Calls with a buffer, and with larger ones as long as ERANGE says that it is too small.
fn grow(first: usize, mut call: impl FnMut(&mut [u8]) -> Result<usize>) -> Result<Vec<u8>> {
    let mut buffer = vec![0; first];
    loop {
        match call(&mut buffer) {
            Ok(len) => {
                buffer.truncate(len);
                return Ok(buffer);
            }
            // XATTR_SIZE_MAX and XATTR_LIST_MAX are 64 KiB, limits.h.
            Err(Errno::RANGE) if buffer.len() < 1 << 20 => buffer.resize(buffer.len() * 8, 0),
            Err(error) => return Err(error),
        }
    }
}

/// Sets one attribute of what `fd` refers to.
pub(crate) fn set(fd: impl AsFd, xattr: &Xattr) -> Result<()> {
    fs::fsetxattr(fd, &*xattr.name, &xattr.value, XattrFlags::empty())
}

/// Sets one attribute of an entry that is not opened.
pub(crate) fn set_at(dir: impl AsFd, name: &[u8], xattr: &Xattr) -> Result<()> {
    let mut path = format!("/proc/self/fd/{}/", dir.as_fd().as_raw_fd()).into_bytes();
    path.extend_from_slice(name);
    let path = CString::new(path).map_err(|_| Errno::INVAL)?;
    fs::lsetxattr(&path, &*xattr.name, &xattr.value, XattrFlags::empty())
}

/// Removes an attribute of an entry that is not opened; succeeds if it is not there, or cannot be.
pub(crate) fn remove_at(dir: impl AsFd, entry: &[u8], name: &[u8]) -> Result<()> {
    let mut path = format!("/proc/self/fd/{}/", dir.as_fd().as_raw_fd()).into_bytes();
    path.extend_from_slice(entry);
    match fs::lremovexattr(&path[..], name) {
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
        result => result,
    }
}

/// Removes an attribute; succeeds if it is not there, or cannot be.
pub(crate) fn remove(fd: impl AsFd, name: &[u8]) -> Result<()> {
    match fs::fremovexattr(fd, name) {
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
        result => result,
    }
}

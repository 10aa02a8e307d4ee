//! Making files appear complete: temporary names, and syncing.

use super::dir::Dir;
use rustix::fs;
use rustix::io::{Errno, Result};
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};

/// A name for something that is not complete yet: short (`NAME_MAX` may be as low as 143), independent of the final
/// name, and hard to guess.
pub(crate) fn temp_name() -> Vec<u8> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    // RandomState is seeded by the system for each process and varied for each instance.
    let random = RandomState::new().hash_one(COUNTER.fetch_add(1, Ordering::Relaxed));
    format!(".haul-{random:016x}").into_bytes()
}

/// Whether `name` has the form of a temporary name.
pub(crate) fn is_temp_name(name: &[u8]) -> bool {
    name.strip_prefix(b".haul-")
        .is_some_and(|rest| rest.len() == 16 && rest.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

/// Creates a file under a temporary name, readable only by its owner.
pub(crate) fn create_temp_file(dir: &Dir) -> Result<(Vec<u8>, File)> {
    retry_names(|name| dir.create_file(name, 0o600))
}

/// Creates a directory under a temporary name, accessible only to its owner, and opens it.
pub(crate) fn create_temp_dir(dir: &Dir) -> Result<(Vec<u8>, Dir)> {
    retry_names(|name| {
        dir.create_dir(name, 0o700)?;
        dir.open_dir(name)
    })
}

/// Runs `create` with fresh names until one is not taken.
pub(crate) fn retry_names<T>(mut create: impl FnMut(&[u8]) -> Result<T>) -> Result<(Vec<u8>, T)> {
    loop {
        let name = temp_name();
        match create(&name) {
            Err(Errno::EXIST) => {}
            result => return result.map(|made| (name, made)),
        }
    }
}

/// Writes everything that the file system of `fd` holds in memory, syncfs(2). A failure is final: the kernel reports
/// a write-back error once and then forgets it.
pub(crate) fn sync_fs(fd: impl AsFd) -> Result<()> {
    fs::syncfs(fd)
}

/// fsync(2).
pub(crate) fn sync_file(fd: impl AsFd) -> Result<()> {
    fs::fsync(fd)
}

/// Closes a file that was written and returns the result of close(2), where NFS and quotas report errors. EINTR is not
/// an error: Linux has closed the descriptor by then.
pub(crate) fn close(file: File) -> Result<()> {
    use std::os::fd::IntoRawFd;
    // SAFETY: the descriptor was owned by `file` and is not used again.
    if unsafe { libc::close(file.into_raw_fd()) } == 0 {
        return Ok(());
    }
    match Errno::from_io_error(&std::io::Error::last_os_error()) {
        Some(Errno::INTR) => Ok(()),
        errno => Err(errno.unwrap_or(Errno::IO)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_names_differ_and_fit_small_name_limits() {
        assert_ne!(temp_name(), temp_name());
        assert!(temp_name().len() < 32 && is_temp_name(&temp_name()));
        assert!(!is_temp_name(b".haul-partial") && !is_temp_name(b".haul-0123456789abcdeg"));
    }
}

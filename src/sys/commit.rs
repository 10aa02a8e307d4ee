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

/// Removes `name` and everything below it; that it is gone already is success.
///
/// Iterative, through held descriptors, one for each level: a hostile depth costs memory but no stack, and nothing
/// outside can be reached by swapping a directory for a symlink.
pub(crate) fn remove_tree(dir: &Dir, name: &[u8]) -> Result<()> {
    let top = match dir.open_dir(name) {
        Ok(top) => top,
        Err(Errno::NOENT) => return Ok(()),
        Err(Errno::NOTDIR | Errno::LOOP) => return dir.remove_file(name),
        Err(error) => return Err(error),
    };
    let mut stack: Vec<(Vec<u8>, Dir)> = vec![(name.to_vec(), top)];
    let mut buffer = Vec::new();
    while let Some((_, current)) = stack.last() {
        let left = match remove_leaves(current, &mut buffer) {
            // Its owner may not write into it, and may allow it.
            Err(Errno::ACCESS) => {
                fs::fchmod(current, fs::Mode::RWXU)?;
                remove_leaves(current, &mut buffer)?
            }
            left => left?,
        };
        if let Some(child) = left {
            // What was mode 0000 in the archive may have been set already.
            let opened = current.open_dir(&child).or_else(|_| {
                fs::chmodat(current, &child[..], fs::Mode::RWXU, fs::AtFlags::empty())?;
                current.open_dir(&child)
            })?;
            stack.push((child, opened));
        } else {
            let (done, _) = stack.pop().ok_or(Errno::IO)?;
            stack.last().map_or(dir, |(_, parent)| parent).remove_dir(&done)?;
        }
    }
    Ok(())
}

/// Removes all but the directories of `dir`, and returns the name of one directory, if any.
fn remove_leaves(dir: &Dir, buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>> {
    let mut names = Vec::new();
    let mut directory = None;
    fs::seek(dir, fs::SeekFrom::Start(0))?;
    dir.names(buffer, |name, kind| {
        if kind == Some(super::FileKind::Directory) {
            directory.get_or_insert_with(|| name.to_vec());
        } else {
            names.push(name.to_vec());
        }
    })?;
    for name in names {
        match dir.remove_file(&name) {
            Ok(()) | Err(Errno::NOENT) => {}
            // The file system did not tell the kind, and it is a directory.
            Err(Errno::ISDIR) => directory = Some(name),
            Err(error) => return Err(error),
        }
    }
    Ok(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_removed_with_everything_below_and_nothing_beside() {
        let temp = tempfile::tempdir().unwrap();
        let root = Dir::open(temp.path()).unwrap();
        root.create_dir(b"keep", 0o700).unwrap();
        root.create_dir(b"t", 0o700).unwrap();
        let mut dir = root.open_dir(b"t").unwrap();
        for _ in 0..50 {
            dir.create_file(b"f", 0o600).unwrap();
            dir.create_symlink(b"l", b"../../keep").unwrap();
            dir.create_dir(b"e", 0o700).unwrap();
            dir.create_dir(b"d", 0o700).unwrap();
            dir = dir.open_dir(b"d").unwrap();
        }
        remove_tree(&root, b"t").unwrap();
        assert_eq!(root.stat(b"t").unwrap_err(), Errno::NOENT);
        assert!(root.stat(b"keep").is_ok());
        remove_tree(&root, b"t").unwrap();
    }

    #[test]
    fn temporary_names_differ_and_fit_small_name_limits() {
        assert_ne!(temp_name(), temp_name());
        assert!(temp_name().len() < 32 && is_temp_name(&temp_name()));
        assert!(!is_temp_name(b".haul-partial") && !is_temp_name(b".haul-0123456789abcdeg"));
    }
}

//! A directory for one test, removed afterwards whatever the test has put into it.

use rustix::fs::{Access, AtFlags, Dir, FileType, Mode, OFlags, chmodat, openat};
use std::fs::Permissions;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A directory for one test, below `TMPDIR`. Other users can enter it, because some tests run haul as another user.
pub struct Scratch(TempDir);

impl Scratch {
    pub fn new() -> Self {
        Self::below(&std::env::temp_dir())
    }

    /// In memory where there is room for it: for tests that write a tree many times over and do not care where.
    pub fn in_memory() -> Self {
        let shm = Path::new("/dev/shm");
        let room = rustix::fs::statvfs(shm).map_or(0, |fs| fs.f_bavail * fs.f_frsize);
        let writable = rustix::fs::access(shm, Access::WRITE_OK | Access::EXEC_OK).is_ok();
        if writable && room > 2 << 30 { Self::below(shm) } else { Self::new() }
    }

    fn below(place: &Path) -> Self {
        let dir = TempDir::with_prefix_in("haul-it-", place).unwrap();
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        Self(dir)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Makes the directory `name` and returns its path.
    pub fn mkdir(&self, name: &str) -> PathBuf {
        let path = self.join(name);
        std::fs::create_dir(&path).unwrap();
        path
    }

    /// Writes the file `name` and returns its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Root may remove everything; another user must first be able to enter and change the directories.
        if !rustix::process::geteuid().is_root()
            && let Ok(root) = openat(rustix::fs::CWD, self.path(), OFlags::DIRECTORY, Mode::empty())
        {
            unlock(root.as_fd());
        }
    }
}

/// Makes every directory below `dir` writable. Relative to descriptors, since paths may be longer than `PATH_MAX`.
fn unlock(dir: BorrowedFd<'_>) {
    let Ok(entries) = Dir::read_from(dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name == c"." || name == c".." || entry.file_type() != FileType::Directory {
            continue;
        }
        let _ = chmodat(dir, name, Mode::RWXU, AtFlags::empty());
        if let Ok(child) = openat(dir, name, OFlags::DIRECTORY | OFlags::NOFOLLOW, Mode::empty()) {
            unlock(child.as_fd());
        }
    }
}

//! Opens entries several components below a root.
//!
//! Keeps promise 3 of the design: no path leaves the root, and no symlink below it is followed, whatever happens to
//! the tree meanwhile.

use super::dir::Dir;
use super::meta::{FileKind, Stat};
use crate::tree::RelPath;
use rustix::fs::{self, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, Result};
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// The path in one call must be shorter than `PATH_MAX` (4,096 with its NUL); longer ones are opened in stretches.
const STRETCH_BYTES: usize = 4_000;

/// Opens a file that the user named, for reading.
pub(crate) fn input(path: &Path) -> Result<File> {
    let file = File::from(fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty())?);
    // Opening a directory succeeds and only reading it fails; so fail here.
    if Stat::of(file.as_fd())?.kind == FileKind::Directory { Err(Errno::ISDIR) } else { Ok(file) }
}

/// The whole content of a file that the user named.
pub(crate) fn read_whole(path: &Path) -> Result<Vec<u8>> {
    read_all(input(path)?)
}

/// Creates a directory that the user named, as mkdir(1) would.
pub(crate) fn create_dir(path: &Path) -> Result<()> {
    fs::mkdir(path, Mode::from_raw_mode(0o777))
}

/// Creates a directory that the user named, and its parents.
pub(crate) fn create_dirs(path: &Path) -> Result<()> {
    let mut missing: Vec<&Path> = path.ancestors().take_while(|above| Dir::open(above).is_err()).collect();
    missing.retain(|above| !above.as_os_str().is_empty());
    missing.into_iter().rev().try_for_each(|path| match create_dir(path) {
        // Another process or thread was faster.
        Err(Errno::EXIST) => Ok(()),
        result => result,
    })
}

/// The whole content of the regular file `name` in `dir`.
pub(crate) fn read_small(dir: &Dir, name: &[u8]) -> Result<Vec<u8>> {
    read_all(dir.open_file(name)?)
}

/// The same for a file anywhere below `root`, following no symlink.
pub(crate) fn read_small_beneath(root: &Dir, path: RelPath<'_>) -> Result<Vec<u8>> {
    let (parent, name) = path.split();
    read_small(&root.open_dir_beneath(parent)?, name)
}

/// The same for a file at an absolute path, given without its leading `/`.
pub(crate) fn read_small_outside(path: &[u8]) -> Result<Vec<u8>> {
    use std::os::unix::ffi::OsStrExt;
    read_all(input(&Path::new("/").join(std::ffi::OsStr::from_bytes(path)))?)
}

fn read_all(mut file: File) -> Result<Vec<u8>> {
    use std::io::Read;
    if Stat::of(file.as_fd())?.kind != FileKind::File {
        return Err(Errno::ISDIR);
    }
    let mut content = Vec::new();
    file.read_to_end(&mut content).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    Ok(content)
}

impl Dir {
    /// Opens the directory at `path` below this one, following no symlink. ELOOP or ENOTDIR if a component is not a
    /// directory.
    pub(crate) fn open_dir_beneath(&self, path: RelPath<'_>) -> Result<Dir> {
        let mut rest = path.as_bytes();
        let mut dir: Option<Dir> = None;
        loop {
            let (stretch, after) = split_stretch(rest);
            let opened = open_stretch(dir.as_ref().unwrap_or(self), stretch)?;
            if after.is_empty() {
                return Ok(opened);
            }
            (dir, rest) = (Some(opened), after);
        }
    }
}

/// Splits off as many whole components as one call takes.
fn split_stretch(path: &[u8]) -> (&[u8], &[u8]) {
    if path.len() <= STRETCH_BYTES {
        return (path, b"");
    }
    match path[..STRETCH_BYTES].iter().rposition(|&b| b == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (path, b""),
    }
}

fn open_stretch(dir: &Dir, stretch: &[u8]) -> Result<Dir> {
    // Set once openat2(2) (Linux 5.6) turns out to be missing or forbidden by a seccomp filter.
    static NO_OPENAT2: AtomicBool = AtomicBool::new(false);
    let stretch: &[u8] = if stretch.is_empty() { b"." } else { stretch };
    if !NO_OPENAT2.load(Ordering::Relaxed) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        loop {
            match fs::openat2(dir, stretch, flags, Mode::empty(), resolve) {
                // A rename elsewhere in the tree raced with the lookup; openat2(2) asks to try again.
                Err(Errno::AGAIN) => {}
                Err(Errno::NOSYS | Errno::PERM) => {
                    NO_OPENAT2.store(true, Ordering::Relaxed);
                    break;
                }
                result => return result.map(Dir::from_fd),
            }
        }
    }
    open_by_component(dir, stretch)
}

/// The portable way: one openat(2) with `O_NOFOLLOW` for each component.
fn open_by_component(dir: &Dir, stretch: &[u8]) -> Result<Dir> {
    let mut opened: Option<Dir> = None;
    for component in stretch.split(|&b| b == b'/') {
        let above = opened.as_ref().unwrap_or(dir);
        opened = Some(above.open_dir(component).map_err(|errno| match above.stat(component) {
            // With O_DIRECTORY, open(2) gives the same error for a symlink and a file.
            Ok(stat) if stat.kind == FileKind::Symlink => Errno::LOOP,
            _ => errno,
        })?);
    }
    opened.ok_or(Errno::NOENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_refuse_symlinks_and_open_the_same_directory() {
        let temp = tempfile::tempdir().unwrap();
        let root = Dir::open(temp.path()).unwrap();
        root.create_dir(b"a", 0o700).unwrap();
        root.open_dir(b"a").unwrap().create_dir(b"b", 0o700).unwrap();
        root.create_symlink(b"l", b"a").unwrap();
        let inode = |dir: Dir| Stat::of(dir.as_fd()).unwrap().ino;
        assert_eq!(
            inode(open_stretch(&root, b"a/b").unwrap()),
            inode(open_by_component(&root, b"a/b").unwrap())
        );
        for path in [&b"l"[..], b"l/b"] {
            assert_eq!(open_stretch(&root, path).unwrap_err(), Errno::LOOP);
            assert_eq!(open_by_component(&root, path).unwrap_err(), Errno::LOOP);
        }
    }

    #[test]
    fn a_path_beyond_path_max_opens() {
        let temp = tempfile::tempdir().unwrap();
        let root = Dir::open(temp.path()).unwrap();
        let name = [b'n'; 255];
        let mut dir = Dir::open(temp.path()).unwrap();
        for _ in 0..20 {
            dir.create_dir(&name, 0o700).unwrap();
            dir = dir.open_dir(&name).unwrap();
        }
        let path = [name.as_slice(); 20].join(&b'/');
        assert!(path.len() > 4_096);
        let opened = root.open_dir_beneath(RelPath::new(&path).unwrap()).unwrap();
        assert_eq!(opened.stat_self().unwrap().ino, dir.stat_self().unwrap().ino);
    }
}

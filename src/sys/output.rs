//! A file that appears whole at its name, or not at all.

use super::commit;
use super::dir::Dir;
use super::meta::{self, FileKind, Stat};
use super::process;
use rustix::io::{Errno, Result};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A file being written for a final name.
#[derive(Debug)]
pub(crate) struct Output {
    file: File,
    place: Option<Place>,
}

/// Where the temporary and the final name are.
#[derive(Debug)]
struct Place {
    dir: Dir,
    temp: Vec<u8>,
    name: Vec<u8>,
}

impl Output {
    /// Opens a temporary file beside `path`. A symlink at `path` is the user's own and is followed; a device or fifo,
    /// such as `/dev/null`, is written to directly and never replaced.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let (dir, name) = open_parent(&followed(path))?;
        if let Ok(stat) = dir.stat(&name) {
            match stat.kind {
                FileKind::File => {}
                FileKind::Directory => return Err(Errno::ISDIR),
                _ => {
                    let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CLOEXEC;
                    let file = rustix::fs::openat(&dir, &name[..], flags, rustix::fs::Mode::empty())?;
                    return Ok(Output { file: File::from(file), place: None });
                }
            }
        }
        let (temp, file) = commit::create_temp_file(&dir)?;
        Ok(Output { file, place: Some(Place { dir, temp, name }) })
    }

    /// What stands at the final name now, if anything does.
    pub(crate) fn existing(&self) -> Option<Stat> {
        let place = self.place.as_ref()?;
        place.dir.stat(&place.name).ok()
    }

    /// Gives the file its final name; with `fsync`, after and before waiting for the disk.
    pub(crate) fn publish(self, fsync: bool) -> Result<()> {
        let Output { file, place } = self;
        let Some(Place { dir, temp, name }) = place else { return commit::close(file) };
        let publish = || {
            // As open(2) with 0666 would have given it; the temporary file was its owner's only.
            meta::set_mode(&file, 0o666 & !process::umask().unwrap_or(0o077))?;
            if fsync {
                commit::sync_file(&file)?;
            }
            commit::close(file)?;
            dir.rename(&temp, &name)?;
            if fsync { commit::sync_file(&dir) } else { Ok(()) }
        };
        publish().inspect_err(|_| {
            // Gone already when only the last sync failed.
            let _ = dir.remove_file(&temp);
        })
    }

    /// Leaves nothing behind.
    pub(crate) fn discard(self) {
        if let Some(Place { dir, temp, .. }) = self.place {
            // Nothing can be done about a temporary file that cannot be removed; its name tells what it is.
            let _ = dir.remove_file(&temp);
        }
    }
}

impl Write for &Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&self.file).write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The directory in which `path` names something, and that name.
pub(crate) fn open_parent(path: &Path) -> Result<(Dir, Vec<u8>)> {
    let name = path.file_name().ok_or(Errno::ISDIR)?.as_bytes().to_vec();
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    Ok((Dir::open(parent)?, name))
}

/// `path` itself, or what it points to if it is a symlink.
pub(crate) fn followed(path: &Path) -> PathBuf {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => {
            std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
        }
        _ => path.to_owned(),
    }
}

//! A file that appears complete under its name, or not at all.

use super::commit;
use super::copy;
use super::dir::Dir;
use super::meta::{self, FileKind, Stat};
use super::process;
use rustix::io::{Errno, Result};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where a file is to appear.
#[derive(Debug)]
pub(crate) struct OutputPlace {
    dir: Dir,
    name: Vec<u8>,
    existing: Option<Stat>,
}

/// A file being written for a final name.
#[derive(Debug)]
pub(crate) struct Output {
    file: File,
    /// Its temporary and its final name; `None` if it is written to directly.
    names: Option<OutputNames>,
}

#[derive(Debug)]
struct OutputNames {
    dir: Dir,
    temp: Vec<u8>,
    name: Vec<u8>,
}

impl OutputPlace {
    /// Opens the directory that contains `path`. A symlink at `path` is the user's own and is followed.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let (dir, name) = open_parent(&followed(path))?;
        let existing = dir.stat(&name).ok();
        match &existing {
            Some(stat) if stat.kind == FileKind::Directory => Err(Errno::ISDIR),
            _ => Ok(OutputPlace { dir, name, existing }),
        }
    }

    /// What is there now, if anything.
    pub(crate) fn existing(&self) -> Option<&Stat> {
        self.existing.as_ref()
    }

    /// Creates a temporary file next to the name. A device or fifo, such as `/dev/null`, is written to directly and
    /// never replaced.
    pub(crate) fn create(self) -> Result<Output> {
        let OutputPlace { dir, name, existing } = self;
        if existing.is_some_and(|stat| stat.kind != FileKind::File) {
            let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CLOEXEC;
            let file = rustix::fs::openat(&dir, &name[..], flags, rustix::fs::Mode::empty())?;
            return Ok(Output { file: File::from(file), names: None });
        }
        let (temp, file) = commit::create_temp_file(&dir)?;
        Ok(Output { file, names: Some(OutputNames { dir, temp, name }) })
    }
}

impl Output {
    /// Gives the file its final name; with `fsync`, after and before waiting for the disk. Returns the error if its mode
    /// could not be set, so that it may be accessible only to its owner: that is no reason to lose the content.
    pub(crate) fn publish(self, fsync: bool) -> Result<Option<Errno>> {
        let Output { file, names } = self;
        let Some(OutputNames { dir, temp, name }) = names else { return commit::close(file).map(|()| None) };
        // The mode that open(2) with 0666 would give; the temporary file was accessible only to its owner.
        let mode = 0o666 & !process::umask().unwrap_or(0o077);
        let refused = meta::set_mode(&file, mode)
            .err()
            .filter(|_| !Stat::of(file.as_fd()).is_ok_and(|stat| stat.mode & mode == mode));
        let publish = || {
            if fsync {
                commit::sync_file(&file)?;
            }
            commit::close(file)?;
            dir.rename(&temp, &name)?;
            if fsync { commit::sync_file(&dir) } else { Ok(()) }
        };
        publish().inspect_err(|_| {
            // Already renamed if only the last sync failed.
            let _ = dir.remove_file(&temp);
        })?;
        Ok(refused)
    }

    /// Appends up to `len` bytes of `src`, from byte `from` on, inside the kernel or the server. Returns how many: fewer, or
    /// none, where that cannot be done.
    pub(crate) fn append_from(&self, src: &File, from: u64, len: u64) -> u64 {
        let mut done = 0;
        while done < len {
            match copy::append_range((src, from + done), &self.file, len - done) {
                Ok(now @ 1..) => done += now,
                // If it is a real error, the copy by hand that follows will meet it again.
                Ok(0) | Err(_) => break,
            }
        }
        done
    }

    /// Removes the temporary file.
    pub(crate) fn discard(self) {
        if let Some(OutputNames { dir, temp, .. }) = self.names {
            // Nothing can be done about a temporary file that cannot be removed; its name says what it is.
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

/// Removes the file at `path`, and waits until the removal would survive a power cut.
pub(crate) fn remove_durably(path: &Path) -> Result<()> {
    let (dir, name) = open_parent(&followed(path))?;
    dir.remove_file_if_there(&name)?;
    commit::sync_file(&dir)
}

/// The directory that contains `path`, and the name in it.
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

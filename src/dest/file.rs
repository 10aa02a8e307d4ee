//! Makes regular files.

use super::destination::{Destination, Held, lock, standing};
use super::owner::Owners;
use super::settle::Created;
use super::{Failed, failed};
use crate::account::Cause;
use crate::error::Act;
use crate::sys::{Dir, Stat, commit, xattr};
use crate::tree::metadata::ACL_ACCESS;
use crate::tree::{Entry, Extent, Kind, RelPath, RelPathBuf, Standing, extent};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// How many directories a thread holds.
const MOST_HELD: usize = 3;

/// One thread's hand in a destination.
#[derive(Debug)]
pub(crate) struct Applier<'a> {
    pub(super) destination: &'a Destination,
    /// The directory of what was made last and directories above it, since what comes next is mostly in one of them or
    /// just below. Each lies below the one before. Only the last few: descriptors can be scarce, and trees deep.
    held: Vec<(RelPathBuf, Arc<Held>)>,
    pub(super) owners: Owners,
}

/// A new file that is not complete.
#[derive(Debug)]
struct NewFile {
    file: File,
    held: Arc<Held>,
    /// Its temporary name in a live directory.
    temp: Option<Vec<u8>>,
    mode: u32,
}

/// A large file, written by several threads.
#[derive(Debug)]
pub(crate) struct LargeFile {
    new: NewFile,
}

impl<'a> Applier<'a> {
    pub(crate) fn new(destination: &'a Destination) -> Self {
        Applier { destination, held: Vec::new(), owners: Owners::default() }
    }

    /// Makes the directory of `entry`, or enters the one that exists. Its metadata are set at the end.
    pub(crate) fn directory(&mut self, entry: &Entry) -> Result<(), Failed> {
        let path = entry.path.as_path();
        let made = match path.parent() {
            Some(parent) => {
                let held = self.hold(parent)?;
                self.destination.make_directory(&held, path, self.destination.directory_mode(entry))?
            }
            None => self.destination.root_made(),
        };
        self.destination.note_directory(entry.clone(), made);
        Ok(())
    }

    /// What is at an entry's place. In a staged directory that is what this run made, which counts as nothing.
    pub(crate) fn standing(&mut self, path: RelPath<'_>) -> Result<Standing, Failed> {
        let (parent, name) = path.split();
        let held = self.hold(parent)?;
        if held.staged {
            return Ok(Standing::Nothing);
        }
        standing(&held.dir, name).map_err(failed(Act::Stat))
    }

    /// Makes a file of this content: the bytes of its extents back to back, or all of it.
    pub(crate) fn file(&mut self, entry: &Entry, data: &[u8]) -> Result<(), Failed> {
        let new = self.create(entry)?;
        let written = write(&new.file, entry, 0, data).and_then(|()| end_hole(&new.file, entry));
        self.complete(new, entry, written.map_err(failed(Act::Write)))
    }

    /// Begins a file that is written in pieces.
    pub(crate) fn begin(&mut self, entry: &Entry) -> Result<LargeFile, Failed> {
        Ok(LargeFile { new: self.create(entry)? })
    }

    /// Completes a file of which all pieces were written.
    pub(crate) fn finish(&mut self, large: LargeFile, entry: &Entry) -> Result<(), Failed> {
        let written = end_hole(&large.new.file, entry).map_err(failed(Act::Write));
        self.complete(large.new, entry, written)
    }

    fn create(&mut self, entry: &Entry) -> Result<NewFile, Failed> {
        let (parent, name) = entry.path.as_path().split();
        let held = self.hold(parent)?;
        if held.staged {
            let mode = self.destination.create_mode(entry, true);
            let create = || held.dir.create_file(name, mode);
            let file = match create() {
                // The archive holds the name twice. The last one counts.
                Err(Errno::EXIST) => {
                    clear(&held.dir, name)?;
                    create()
                }
                result => result,
            };
            let file = file.map_err(failed(Act::Create))?;
            return Ok(NewFile { file, held, temp: None, mode });
        }
        self.destination.let_owner_write(&held, parent);
        let (temp, file) = commit::create_temp_file(&held.dir).map_err(failed(Act::Create))?;
        if held.gives_acl {
            xattr::remove(file.as_fd(), ACL_ACCESS).map_err(failed(Act::SetXattrs))?;
        }
        let mode = if held.gives_acl { u32::MAX } else { 0o600 };
        Ok(NewFile { file, held, temp: Some(temp), mode })
    }

    /// Sets what belongs to a written file and lets it appear, or removes it when something went wrong.
    fn complete(&mut self, new: NewFile, entry: &Entry, written: Result<(), Failed>) -> Result<(), Failed> {
        let NewFile { file, held, temp, mode } = new;
        let (_, name) = entry.path.as_path().split();
        let at = temp.as_deref().unwrap_or(name);
        if written.is_err() {
            // The first error is the one to tell.
            let _ = held.dir.remove_file(at);
            return written;
        }
        // A file that lacks a part of its metadata is complete in content, and is kept; the failure is told.
        let created = if held.gives_group { Created::WithGroup(mode) } else { Created::As(mode) };
        let settled = self.destination.settle(&file, entry, created, &mut self.owners);
        if (temp.is_some() || self.destination.linked_later.contains(&entry.path))
            && let Ok(stat) = Stat::of(file.as_fd())
        {
            lock(&self.destination.made).insert(entry.path.clone(), (stat.dev, stat.ino));
        }
        let closed = commit::close(file).map_err(failed(Act::Write));
        if closed.is_err() {
            let _ = held.dir.remove_file(at);
            return closed;
        }
        if let Some(temp) = temp {
            self.publish(&held, temp, entry.path.as_path())?;
        }
        settled
    }

    /// Gives what was made under a temporary name in a live directory its final one, or notes it for later when the
    /// disk, or a directory that is to go, has to be waited for. Whether it has its name.
    pub(super) fn publish(&self, held: &Held, temp: Vec<u8>, path: RelPath<'_>) -> Result<bool, Failed> {
        let settings = &self.destination.settings;
        if !settings.fsync {
            match try_publish(&held.dir, &temp, path.file_name()) {
                Err(Errno::NOTEMPTY | Errno::EXIST) if settings.gives_way => {}
                result => {
                    return result.map(|()| true).map_err(|errno| {
                        // The error of the rename is the one to tell.
                        let _ = held.dir.remove_file(&temp);
                        failed(Act::Publish)(errno)
                    });
                }
            }
        }
        if let Some(older) = lock(&self.destination.unpublished).insert(path.to_buf(), temp) {
            // The archive holds the name twice.
            held.dir.remove_file(&older).map_err(failed(Act::Remove))?;
        }
        Ok(false)
    }

    /// The directory at the final path `path`, made if it is missing.
    pub(super) fn hold(&mut self, path: RelPath<'_>) -> Result<Arc<Held>, Failed> {
        while self.held.last().is_some_and(|(held, _)| !path.is_within(held.as_path())) {
            self.held.pop();
        }
        let above = self.held.last();
        if let Some((held, dir)) = above
            && held.as_path() == path
        {
            return Ok(Arc::clone(dir));
        }
        let above = above.map(|(held, dir)| (held.as_path(), &**dir));
        let held = match self.destination.hold_below(above, path) {
            // The archive has no entry for it.
            Err(Failed::Entry(_, Cause::Os(error))) if is_missing(&error) => {
                self.destination.implied_directory(path)?;
                self.destination.hold_below(above, path)
            }
            held => held,
        }?;
        let held = Arc::new(held);
        if self.held.len() == MOST_HELD {
            self.held.remove(0);
        }
        self.held.push((path.to_buf(), Arc::clone(&held)));
        Ok(held)
    }
}

fn is_missing(error: &std::io::Error) -> bool {
    error.raw_os_error() == Some(Errno::NOENT.raw_os_error())
}

impl LargeFile {
    /// Writes a stretch of the file's data, which begins `stored` bytes into it.
    pub(crate) fn write(&self, entry: &Entry, stored: u64, data: &[u8]) -> Result<(), Failed> {
        write(&self.new.file, entry, stored, data).map_err(failed(Act::Write))
    }

    /// Removes the file.
    pub(crate) fn discard(self, entry: &Entry) {
        let name = entry.path.as_path().file_name();
        // In a staged directory it would go with the directory.
        let _ = self.new.held.dir.remove_file(self.new.temp.as_deref().unwrap_or(name));
    }
}

/// Renames over whatever is at `name`. An empty directory gives way; one that is not must not be lost.
pub(super) fn try_publish(dir: &Dir, temp: &[u8], name: &[u8]) -> rustix::io::Result<()> {
    match dir.rename(temp, name) {
        Err(Errno::ISDIR) => dir.remove_dir(name).and_then(|()| dir.rename(temp, name)),
        result => result,
    }
}

/// The same; what could not be renamed is removed.
pub(super) fn publish(dir: &Dir, temp: &[u8], name: &[u8]) -> rustix::io::Result<()> {
    try_publish(dir, temp, name).inspect_err(|_| {
        // The error of the rename is the one to tell.
        let _ = dir.remove_file(temp);
    })
}

/// Removes what is at `name` in a staged directory, unless it is a directory that is not empty.
pub(super) fn clear(dir: &Dir, name: &[u8]) -> Result<(), Failed> {
    match dir.remove_file(name) {
        Err(Errno::ISDIR) => dir.remove_dir(name),
        result => result,
    }
    .map_err(failed(Act::Replace))
}

fn write(file: &File, entry: &Entry, stored: u64, data: &[u8]) -> rustix::io::Result<()> {
    let Kind::File { size, extents } = &entry.kind else { return Ok(()) };
    let whole = [Extent { offset: 0, len: *size }];
    let mut rest = data;
    let extents = extents.as_deref().unwrap_or(&whole);
    for (offset, len) in extent::stretches(extents, stored, data.len() as u64) {
        let (now, behind) = rest.split_at(rest.len().min(len as usize));
        file.write_all_at(now, offset).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        rest = behind;
    }
    Ok(())
}

/// A file that ends in a hole gets its length by ftruncate(2).
fn end_hole(file: &File, entry: &Entry) -> rustix::io::Result<()> {
    match &entry.kind {
        Kind::File { size, extents: Some(extents) }
            if extents.last().map_or(0, |last| last.end()) < *size =>
        {
            rustix::fs::ftruncate(file, *size)
        }
        _ => Ok(()),
    }
}

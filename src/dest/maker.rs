//! Creates files, nodes, links and directories in a destination whose entries arrive by path; one per thread.

use super::attributes::times_after_close;
use super::by_path::{Destination, standing};
use super::content::{Copier, Flow, Ways};
use super::copy::{CopyHands, ExistingEntry};
use super::dir::Directory;
use super::draft::{Draft, Node};
use super::link::{Linked, link_or_copy};
use super::options::Capability;
use super::owners::Owners;
use super::publish::replace;
use super::spelling::other_spelling;
use super::{Failed, failed};
use crate::account::Cause;
use crate::error::Act;
use crate::sys::{FileKind, Handle, Stat, commit};
use crate::tree::attributes::Attributes;
use crate::tree::{Entry, Extent, Kind, RelPath, RelPathBuf, Standing, extent};
use rustix::io::Errno;
use std::fs::File;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// How many directories a thread keeps open.
const MOST_HELD: usize = 3;

/// One thread's means to create entries in a destination.
#[derive(Debug)]
pub(crate) struct Maker<'a> {
    pub(super) destination: &'a Destination,
    /// The directory of the last entry and directories above it, since the next entry is mostly in one of them or just
    /// below. Each is below the previous one. Only the last few are kept: descriptors can be scarce, and trees deep.
    held: Vec<(RelPathBuf, Arc<Directory>)>,
    pub(super) owners: Owners,
    /// Copies what cannot be linked.
    copier: Copier<'a>,
}

/// A new file that is not complete.
#[derive(Debug)]
struct NewFile {
    draft: Draft<File>,
    directory: Arc<Directory>,
    wanted: Attributes,
}

/// A large file, written by several threads.
#[derive(Debug)]
pub(crate) struct LargeFile {
    new: NewFile,
}

impl<'a> Maker<'a> {
    pub(crate) fn new(destination: &'a Destination) -> Self {
        let ways = Ways { sparse: false, preallocate: false, threads: NonZeroUsize::MIN };
        Maker {
            destination,
            held: Vec::new(),
            owners: Owners::default(),
            copier: Copier::new(ways, &destination.can.copying),
        }
    }

    /// Creates the directory of `entry`, or opens the existing one. Its metadata is set at the end.
    pub(crate) fn directory(&mut self, entry: &Entry) -> Result<(), Failed> {
        let path = entry.path.as_path();
        let made = match path.parent() {
            Some(parent) => {
                let above = self.hold(parent)?;
                self.destination.make_directory(&above, path, self.destination.directory_mode(entry))?
            }
            None => self.destination.root_made(),
        };
        self.destination.note_directory(entry.clone(), made);
        Ok(())
    }

    /// What is in an entry's place. In a staged directory that is something that this run created, which counts as
    /// nothing.
    pub(crate) fn standing(&mut self, path: RelPath<'_>) -> Result<Standing, Failed> {
        let (parent, name) = path.split();
        let directory = self.hold(parent)?;
        if directory.staged {
            return Ok(Standing::Nothing);
        }
        standing(&directory.dir, name).map_err(failed(Act::Stat))
    }

    /// Creates a file with this content: the bytes of its extents back to back, or all of it.
    pub(crate) fn file(&mut self, entry: &Entry, data: &[u8]) -> Result<(), Failed> {
        let new = self.create(entry)?;
        let written = write(&new.draft.made, entry, 0, data).and_then(|()| end_hole(&new.draft.made, entry));
        self.complete(new, entry, written.map_err(failed(Act::Write)))
    }

    /// Begins a file that is written in pieces.
    pub(crate) fn begin(&mut self, entry: &Entry) -> Result<LargeFile, Failed> {
        Ok(LargeFile { new: self.create(entry)? })
    }

    /// Completes a file whose pieces have all been written.
    pub(crate) fn finish(&mut self, large: LargeFile, entry: &Entry) -> Result<(), Failed> {
        let written = end_hole(&large.new.draft.made, entry).map_err(failed(Act::Write));
        self.complete(large.new, entry, written)
    }

    fn create(&mut self, entry: &Entry) -> Result<NewFile, Failed> {
        let (parent, name) = entry.path.as_path().split();
        let directory = self.hold(parent)?;
        self.destination.unlock(&directory, parent);
        let mut wanted = self.destination.wanted(entry, &mut self.owners);
        if !self.destination.settings.modes && !directory.staged {
            let old = directory.dir.stat(name).ok().filter(|old| old.kind == FileKind::File);
            wanted.mode = old.map(|old| old.mode).or(wanted.mode);
        }
        let who = &self.destination.who;
        let draft = directory.replacing(name, || directory.create_file(name, &wanted, who))?;
        Ok(NewFile { draft, directory, wanted })
    }

    /// Sets the metadata of a written file and publishes it, or removes it if something failed.
    fn complete(&mut self, new: NewFile, entry: &Entry, written: Result<(), Failed>) -> Result<(), Failed> {
        let NewFile { draft: Draft { made, temp, have }, directory, wanted } = new;
        let (_, name) = entry.path.as_path().split();
        // Report the first error.
        written.inspect_err(|_| directory.discard(temp.as_deref(), name))?;
        // A file without some of its metadata has complete content, and is kept; the failure is reported.
        let handle = Handle::Open(made.as_fd());
        let mut changes = self.destination.changes_to_new(entry, &wanted, &have, handle);
        let times = times_after_close(&mut changes, &self.destination.can);
        let mut set = self.destination.set(handle, &changes);
        if (temp.is_some() || self.destination.is_linked_later(&entry.path))
            && let Ok(stat) = Stat::of(made.as_fd())
        {
            self.destination.remember(entry.path.as_path(), stat.id());
        }
        let closed = commit::close(made).map_err(failed(Act::Write));
        closed.inspect_err(|_| directory.discard(temp.as_deref(), name))?;
        if let Some(times) = times {
            let handle = Handle::Named(&directory.dir, temp.as_deref().unwrap_or(name));
            set = set.and(self.destination.set(handle, &times));
        }
        if let Some(temp) = temp {
            self.publish(&directory, temp, entry.path.as_path())?;
        }
        set
    }

    /// Creates a symlink, fifo or device.
    pub(crate) fn node(&mut self, entry: &Entry) -> Result<(), Failed> {
        let (parent, name) = entry.path.as_path().split();
        let directory = self.hold(parent)?;
        let node = Node::of_kind(&entry.kind).ok_or_else(|| failed(Act::Create)(Errno::INVAL))?;
        self.destination.unlock(&directory, parent);
        let wanted = self.destination.wanted(entry, &mut self.owners);
        let who = &self.destination.who;
        let can = &self.destination.can;
        let draft = directory.replacing(name, || directory.create_node(name, node, who, can)).inspect_err(
            |failure| {
                if matches!(failure, Failed::LeftOut(_)) {
                    self.destination.leave_out(entry.path.as_path());
                }
            },
        )?;
        let at = draft.temp.as_deref().unwrap_or(name);
        let handle = Handle::Named(&directory.dir, at);
        let changes = self.destination.changes_to_new(entry, &wanted, &draft.have, handle);
        let set = self.destination.set(handle, &changes);
        if draft.temp.is_some() || self.destination.is_linked_later(&entry.path) {
            let stat = directory.dir.stat(at).map_err(failed(Act::Stat))?;
            self.destination.remember(entry.path.as_path(), stat.id());
        }
        if let Some(temp) = draft.temp {
            self.publish(&directory, temp, entry.path.as_path())?;
        }
        set
    }

    /// Creates another name of the file at `target`, which this run must have created; a copy if no link is possible.
    pub(crate) fn hard_link(&mut self, entry: &Entry, target: RelPath<'_>) -> Result<(), Failed> {
        let (parent, name) = entry.path.as_path().split();
        let directory = self.hold(parent)?;
        if self.destination.leaves_out(target) {
            self.destination.leave_out(entry.path.as_path());
            return Err(Failed::LeftOut("what it is another name of is left out"));
        }
        let (target_parent, target_name) = target.split();
        let target_directory = self.destination.hold(target_parent)?;
        // A file that waits for the disk has a temporary name.
        let waiting = self.destination.barrier.waiting(target);
        let from = ExistingEntry {
            dir: &target_directory.dir,
            name: waiting.as_deref().unwrap_or(target_name),
            // A staged directory holds only what this run created. In a live one, a name may lead to something else.
            inode: if target_directory.staged {
                None
            } else {
                Some(self.linkable(&target_directory, target)?)
            },
        };
        self.destination.unlock(&directory, parent);
        let destination = self.destination;
        let mut hands = CopyHands {
            copier: &mut self.copier,
            moved: &mut |_| Flow::Continue(()),
            who: &destination.who,
            can: &destination.can,
            fsync: destination.settings.fsync,
            act: Act::Link,
        };
        let linked = directory.replacing(name, || link_or_copy(&mut hands, from, &directory, name));
        let Linked { temp, is_copy } = linked.map_err(|failure| match failure {
            Failed::Entry(_, Cause::Os(error)) if is(&error, Errno::NOENT) => missing(target),
            Failed::Entry(_, Cause::Replaced) => Failed::Refused(NOT_MADE_HERE),
            failure => failure,
        })?;
        if let Some(temp) = temp
            // If the name already was one of this inode, rename(2) did nothing and left both.
            && self.publish(&directory, temp.clone(), entry.path.as_path())?
        {
            directory.dir.remove_file_if_there(&temp).map_err(failed(Act::Remove))?;
        }
        if is_copy && destination.settings.hard_links && destination.can.insists_on(Capability::HardLinks) {
            return Err(failed(Act::Link)(Errno::OPNOTSUPP));
        }
        Ok(())
    }

    /// The inode that may be linked to in a live directory.
    fn linkable(
        &self,
        directory: &Directory,
        target: RelPath<'_>,
    ) -> Result<(crate::tree::Device, u64), Failed> {
        if let Some(inode) = self.destination.remembers(target) {
            return Ok(inode);
        }
        match standing(&directory.dir, target.file_name()) {
            Ok(Standing::Nothing) => Err(missing(target)),
            _ => Err(Failed::Refused(NOT_MADE_HERE)),
        }
    }

    /// Gives what was created under a temporary name in a live directory its final name, or queues it if it must wait
    /// for the disk or for the removal of a directory. Returns whether it has its name.
    fn publish(&self, directory: &Directory, temp: Vec<u8>, path: RelPath<'_>) -> Result<bool, Failed> {
        let settings = &self.destination.settings;
        if !settings.fsync {
            match replace(&directory.dir, &temp, path.file_name()) {
                Err(Errno::NOTEMPTY | Errno::EXIST) if settings.gives_way => {}
                Err(errno) => {
                    // Report the error of the rename.
                    let _ = directory.dir.remove_file(&temp);
                    return Err(failed(Act::Publish)(errno));
                }
                Ok(()) => return Ok(true),
            }
        }
        if let Some(older) = self.destination.barrier.publish_later(path, temp) {
            directory.dir.remove_file(&older).map_err(failed(Act::Remove))?;
        }
        Ok(false)
    }

    /// The directory at the final path `path`, created if missing.
    pub(super) fn hold(&mut self, path: RelPath<'_>) -> Result<Arc<Directory>, Failed> {
        while self.held.last().is_some_and(|(held, _)| !path.is_within(held.as_path())) {
            self.held.pop();
        }
        let above = self.held.last();
        if let Some((held, directory)) = above
            && held.as_path() == path
        {
            return Ok(Arc::clone(directory));
        }
        let above = above.map(|(held, directory)| (held.as_path(), &**directory));
        let directory = match self.destination.hold_below(above, path) {
            // The archive has no entry for it.
            Err(Failed::Entry(_, Cause::Os(error))) if is(&error, Errno::NOENT) => {
                self.destination.implied_directory(path)?;
                self.destination.hold_below(above, path)
            }
            held => held,
        }?;
        let directory = Arc::new(directory);
        if self.held.len() == MOST_HELD {
            self.held.remove(0);
        }
        self.held.push((path.to_buf(), Arc::clone(&directory)));
        Ok(directory)
    }

    /// Sets what `changes` says.
    pub(crate) fn set(
        &mut self,
        handle: Handle<'_>,
        changes: &crate::tree::attributes::Changes,
    ) -> Result<(), Failed> {
        self.destination.set(handle, changes)
    }
}

const NOT_MADE_HERE: &str = "its hard-link target was not created by this run";

fn missing(target: RelPath<'_>) -> Failed {
    Failed::Entry(Act::Link, Cause::Missing(target.as_bytes().into()))
}

fn is(error: &std::io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

impl LargeFile {
    /// Writes a stretch of the file's data, which begins `stored` bytes into it.
    pub(crate) fn write(&self, entry: &Entry, stored: u64, data: &[u8]) -> Result<(), Failed> {
        write(&self.new.draft.made, entry, stored, data).map_err(failed(Act::Write))
    }

    /// Removes the file.
    pub(crate) fn discard(self, entry: &Entry) {
        // In a staged directory it would be removed with the directory.
        self.new.directory.discard(self.new.draft.temp.as_deref(), entry.path.as_path().file_name());
    }
}

impl Directory {
    /// Runs `create`. In a staged directory, a taken name means that the archive holds it twice, and the last one
    /// counts: the first one is removed, unless it is a non-empty directory.
    fn replacing<T>(&self, name: &[u8], mut create: impl FnMut() -> Result<T, Failed>) -> Result<T, Failed> {
        match create() {
            Err(Failed::Entry(_, Cause::Os(error))) if self.staged && is(&error, Errno::EXIST) => {
                if let Some(cause) = other_spelling(&self.dir, name) {
                    return Err(Failed::Entry(Act::Create, cause));
                }
                match self.dir.remove_file(name) {
                    Err(Errno::ISDIR) => self.dir.remove_dir(name),
                    result => result,
                }
                .map_err(failed(Act::Replace))?;
                create()
            }
            result => result,
        }
    }
}

fn write(file: &File, entry: &Entry, stored: u64, data: &[u8]) -> rustix::io::Result<()> {
    let Kind::File { size, extents } = &entry.kind else { return Ok(()) };
    let whole = [Extent { offset: 0, len: *size }];
    let mut rest = data;
    let extents = extents.as_deref().unwrap_or(&whole);
    for (offset, len) in extent::stretches(extents, stored, data.len() as u64) {
        let (now, later) = rest.split_at(rest.len().min(len as usize));
        file.write_all_at(now, offset).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        rest = later;
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

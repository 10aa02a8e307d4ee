//! One thread's hand in a destination whose entries come by path: makes files, nodes, links and directories.

use super::by_path::{Destination, standing};
use super::capabilities::Lack;
use super::content::{Copier, Flow, Ways};
use super::copy::{CopyHands, Existing};
use super::dir::Directory;
use super::draft::{Draft, Node};
use super::link::{Linked, link_or_copy};
use super::owners::Owners;
use super::publish::replace;
use super::{Failed, failed};
use crate::account::Cause;
use crate::error::Act;
use crate::sys::{Handle, Stat, commit};
use crate::tree::attributes::Attributes;
use crate::tree::{Entry, Extent, Kind, RelPath, RelPathBuf, Standing, extent};
use rustix::io::Errno;
use std::fs::File;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// How many directories a thread holds.
const MOST_HELD: usize = 3;

/// One thread's hand in a destination.
#[derive(Debug)]
pub(crate) struct Maker<'a> {
    pub(super) destination: &'a Destination,
    /// The directory of what was made last and directories above it, since what comes next is mostly in one of them or
    /// just below. Each lies below the one before. Only the last few: descriptors can be scarce, and trees deep.
    held: Vec<(RelPathBuf, Arc<Directory>)>,
    pub(super) owners: Owners,
    /// Copies what cannot be linked.
    copier: Copier<'a>,
    /// What the destination was found to lack since it was asked last.
    lacks: Vec<Lack>,
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
            lacks: Vec::new(),
        }
    }

    /// What the destination was found to lack since this was asked last.
    pub(crate) fn take_lacks(&mut self) -> Vec<Lack> {
        std::mem::take(&mut self.lacks)
    }

    /// Makes the directory of `entry`, or enters the one that exists. Its metadata are set at the end.
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

    /// What is at an entry's place. In a staged directory that is what this run made, which counts as nothing.
    pub(crate) fn standing(&mut self, path: RelPath<'_>) -> Result<Standing, Failed> {
        let (parent, name) = path.split();
        let directory = self.hold(parent)?;
        if directory.staged {
            return Ok(Standing::Nothing);
        }
        standing(&directory.dir, name).map_err(failed(Act::Stat))
    }

    /// Makes a file of this content: the bytes of its extents back to back, or all of it.
    pub(crate) fn file(&mut self, entry: &Entry, data: &[u8]) -> Result<(), Failed> {
        let new = self.create(entry)?;
        let written = write(&new.draft.made, entry, 0, data).and_then(|()| end_hole(&new.draft.made, entry));
        self.complete(new, entry, written.map_err(failed(Act::Write)))
    }

    /// Begins a file that is written in pieces.
    pub(crate) fn begin(&mut self, entry: &Entry) -> Result<LargeFile, Failed> {
        Ok(LargeFile { new: self.create(entry)? })
    }

    /// Completes a file of which all pieces were written.
    pub(crate) fn finish(&mut self, large: LargeFile, entry: &Entry) -> Result<(), Failed> {
        let written = end_hole(&large.new.draft.made, entry).map_err(failed(Act::Write));
        self.complete(large.new, entry, written)
    }

    fn create(&mut self, entry: &Entry) -> Result<NewFile, Failed> {
        let (parent, name) = entry.path.as_path().split();
        let directory = self.hold(parent)?;
        self.destination.unlock(&directory, parent);
        let wanted = self.destination.wanted(entry, &mut self.owners);
        let who = &self.destination.who;
        let draft = directory.replacing(name, || directory.create_file(name, &wanted, who))?;
        Ok(NewFile { draft, directory, wanted })
    }

    /// Sets what belongs to a written file and lets it appear, or removes it when something went wrong.
    fn complete(&mut self, new: NewFile, entry: &Entry, written: Result<(), Failed>) -> Result<(), Failed> {
        let NewFile { draft: Draft { made, temp, have }, directory, wanted } = new;
        let (_, name) = entry.path.as_path().split();
        // The first error is the one to report.
        written.inspect_err(|_| directory.discard(temp.as_deref(), name))?;
        // A file that lacks a part of its metadata is complete in content, and is kept; the failure is reported.
        let handle = Handle::Open(made.as_fd());
        let changes = self.destination.changes_to_new(entry, &wanted, &have, handle);
        let set = self.destination.set(handle, &changes, &mut self.lacks);
        if (temp.is_some() || self.destination.is_linked_later(&entry.path))
            && let Ok(stat) = Stat::of(made.as_fd())
        {
            self.destination.remember(entry.path.as_path(), stat.id());
        }
        let closed = commit::close(made).map_err(failed(Act::Write));
        closed.inspect_err(|_| directory.discard(temp.as_deref(), name))?;
        if let Some(temp) = temp {
            self.publish(&directory, temp, entry.path.as_path())?;
        }
        set
    }

    /// Makes a symlink, fifo or device.
    pub(crate) fn node(&mut self, entry: &Entry) -> Result<(), Failed> {
        let (parent, name) = entry.path.as_path().split();
        let directory = self.hold(parent)?;
        let node = Node::of_kind(&entry.kind).ok_or_else(|| failed(Act::Create)(Errno::INVAL))?;
        self.destination.unlock(&directory, parent);
        let wanted = self.destination.wanted(entry, &mut self.owners);
        let who = &self.destination.who;
        let draft = directory.replacing(name, || directory.create_node(name, node, who))?;
        let at = draft.temp.as_deref().unwrap_or(name);
        let handle = Handle::Named(&directory.dir, at);
        let changes = self.destination.changes_to_new(entry, &wanted, &draft.have, handle);
        let set = self.destination.set(handle, &changes, &mut self.lacks);
        if draft.temp.is_some() || self.destination.is_linked_later(&entry.path) {
            let stat = directory.dir.stat(at).map_err(failed(Act::Stat))?;
            self.destination.remember(entry.path.as_path(), stat.id());
        }
        if let Some(temp) = draft.temp {
            self.publish(&directory, temp, entry.path.as_path())?;
        }
        set
    }

    /// Makes a further name of the file at `target`, which this run must have made; a copy where there can be no link.
    pub(crate) fn hard_link(&mut self, entry: &Entry, target: RelPath<'_>) -> Result<(), Failed> {
        let (parent, name) = entry.path.as_path().split();
        let directory = self.hold(parent)?;
        let (target_parent, target_name) = target.split();
        let target_directory = self.destination.hold(target_parent)?;
        // What waits for the disk has its content under a temporary name.
        let waiting = self.destination.barrier.waiting(target);
        let from = Existing {
            dir: &target_directory.dir,
            name: waiting.as_deref().unwrap_or(target_name),
            // In a staged directory there is only what this run made. In a live one, a name can lead to something else.
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
            lacks: Vec::new(),
        };
        let linked = directory.replacing(name, || link_or_copy(&mut hands, from, &directory, name));
        self.lacks.append(&mut hands.lacks);
        let Linked { temp, .. } = linked.map_err(|failure| match failure {
            Failed::Entry(_, Cause::Os(error)) if is(&error, Errno::NOENT) => missing(target),
            Failed::Entry(_, Cause::Replaced) => Failed::Refused(NOT_MADE_HERE),
            failure => failure,
        })?;
        if let Some(temp) = temp
            // When the name was one of this inode already, rename(2) did nothing and left both.
            && self.publish(&directory, temp.clone(), entry.path.as_path())?
        {
            directory.dir.remove_file_if_there(&temp).map_err(failed(Act::Remove))?;
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

    /// Gives what was made under a temporary name in a live directory its final one, or notes it for later when the
    /// disk, or a directory that is to go, has to be waited for. Whether it has its name.
    fn publish(&self, directory: &Directory, temp: Vec<u8>, path: RelPath<'_>) -> Result<bool, Failed> {
        let settings = &self.destination.settings;
        if !settings.fsync {
            match replace(&directory.dir, &temp, path.file_name()) {
                Err(Errno::NOTEMPTY | Errno::EXIST) if settings.gives_way => {}
                Err(errno) => {
                    // The error of the rename is the one to report.
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

    /// The directory at the final path `path`, made if it is missing.
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
        self.destination.set(handle, changes, &mut self.lacks)
    }
}

const NOT_MADE_HERE: &str = "it links to what this run did not make";

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
        // In a staged directory it would go with the directory.
        self.new.directory.discard(self.new.draft.temp.as_deref(), entry.path.as_path().file_name());
    }
}

impl Directory {
    /// Runs `create`. In a staged directory a name that is taken is one that the archive holds twice, and the last one
    /// counts: what has it is removed, unless it is a directory that is not empty.
    fn replacing<T>(&self, name: &[u8], mut create: impl FnMut() -> Result<T, Failed>) -> Result<T, Failed> {
        match create() {
            Err(Failed::Entry(_, Cause::Os(error))) if self.staged && is(&error, Errno::EXIST) => {
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

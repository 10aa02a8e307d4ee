//! The end of a run: directories get their metadata, and what was staged its names.

use super::destination::{Destination, Made, NEW_DIRECTORY, PendingDirectory, lock, standing};
use super::file::{Applier, try_publish};
use super::owner::Owners;
use super::settle::Created;
use super::{Failed, failed};
use crate::error::{Act, Error};
use crate::sys::{Dir, commit, meta, process};
use crate::tree::{Entry, Kind, Metadata, Owner, RelPath, RelPathBuf, Standing};
use rustix::io::Errno;
use std::sync::Arc;

impl Destination {
    /// Makes a directory that no entry describes, and those above it, as mkdir(1) would.
    pub(super) fn implied_directory(&self, path: RelPath<'_>) -> Result<(), Failed> {
        for above in path.ancestors().chain([path]) {
            let (parent, _) = above.split();
            let made = self.make_directory(&self.hold(parent)?, above, NEW_DIRECTORY)?;
            if matches!(made, Made::New { .. }) {
                self.note_directory(self.implied_entry(above), made);
            }
        }
        Ok(())
    }

    /// The entry of a directory that no archive describes: made now, by the running user, as the umask says.
    fn implied_entry(&self, path: RelPath<'_>) -> Entry {
        let (uid, gid) = self.identity;
        let owner = Arc::new(Owner { uid, gid, ..Owner::default() });
        let mode = 0o777 & !self.umask.unwrap_or(0o022);
        let meta = Metadata { mode, owner, mtime: process::now(), xattrs: Box::default() };
        Entry { path: path.to_buf(), kind: Kind::Directory, meta }
    }

    /// Gives everything that is no directory, and waits for its name, that name. `fail` is told of what could not be
    /// completed.
    ///
    /// With `fsync` there is a barrier before the first name appears, and one after the last ([`Destination::finish`]):
    /// files whose names are known to be on the disk then are there, too. A barrier that failed is not tried again.
    pub(crate) fn publish(&mut self, fail: &mut dyn FnMut(&Entry, Failed)) -> Result<(), Error> {
        self.barrier(&self.root)?;
        self.publish_waiting(fail);
        Ok(())
    }

    /// The directories that this run has made, to be completed ([`Applier::complete_directory`]), the deepest first:
    /// making an entry changes the mtime of the directory above it, and a mode can forbid to come to what is below.
    pub(crate) fn take_new(&mut self) -> Vec<PendingDirectory> {
        let mut directories = std::mem::take(&mut *lock(&self.directories));
        if self.is_new() && !directories.iter().any(|directory| directory.entry.path.as_path().is_root()) {
            directories
                .push(PendingDirectory { entry: self.implied_entry(RelPath::ROOT), made: self.root_made() });
        }
        let is_new = |directory: &PendingDirectory| matches!(directory.made, Made::New { .. });
        let (mut new, found) = directories.into_iter().partition::<Vec<_>, _>(is_new);
        new.sort_by(|a, b| {
            let depth = |directory: &PendingDirectory| directory.entry.path.as_path().depth();
            depth(b).cmp(&depth(a)).then_with(|| a.entry.path.cmp(&b.entry.path))
        });
        *lock(&self.directories) = found;
        new
    }

    /// Publishes what waits, but for what finds a directory at its place that may give way and is not empty.
    fn publish_waiting(&mut self, fail: &mut dyn FnMut(&Entry, Failed)) {
        let waiting = std::mem::take(&mut *lock(&self.unpublished));
        for (path, temp) in waiting {
            let (parent, name) = path.as_path().split();
            let published = match self.hold(parent) {
                Ok(held) => match try_publish(&held.dir, &temp, name) {
                    Err(Errno::NOTEMPTY | Errno::EXIST) if self.settings.gives_way => {
                        lock(&self.unpublished).insert(path, temp);
                        continue;
                    }
                    Err(errno) => {
                        // The error of the rename is the one to tell.
                        let _ = held.dir.remove_file(&temp);
                        Err(failed(Act::Publish)(errno))
                    }
                    Ok(()) => Ok(()),
                },
                Err(failure) => Err(failure),
            };
            if let Err(failure) = published {
                fail(&self.implied_entry(path.as_path()), failure);
            }
        }
    }

    /// Where a directory that is not empty stands in the way.
    pub(crate) fn blocked(&self) -> Vec<RelPathBuf> {
        lock(&self.unpublished).keys().cloned().collect()
    }

    /// Publishes what was blocked, and takes back what still finds a directory in its way.
    pub(crate) fn publish_blocked(&mut self, fail: &mut dyn FnMut(&Entry, Failed)) {
        let gives_way = std::mem::replace(&mut self.settings.gives_way, false);
        self.publish_waiting(fail);
        self.settings.gives_way = gives_way;
    }

    /// The directories that were there before, the deepest first, whose metadata are to be set now.
    pub(crate) fn take_found(&mut self) -> Vec<Entry> {
        self.close_opened();
        let found = std::mem::take(&mut *lock(&self.directories));
        let mut found: Vec<_> = found.into_iter().map(|directory| directory.entry).collect();
        found.retain(|entry| !entry.path.as_path().is_root() || self.settles_root());
        found.sort_by(|a, b| b.path.cmp(&a.path));
        found
    }

    /// Sets the metadata of a directory that was there.
    pub(crate) fn settle_directory(&self, entry: &Entry, owners: &mut Owners) -> Result<(), Failed> {
        let held = self.hold(entry.path.as_path())?;
        self.settle(&held.dir, entry, Created::Before, owners)
    }

    /// Gives the root its name, if it has none, and waits for the disk.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        let parent = self.publish_root().map_err(|errno| Error::io(Act::Publish, self.path(), errno))?;
        self.barrier(parent.as_ref().unwrap_or(&self.root))
    }

    fn barrier(&self, dir: &Dir) -> Result<(), Error> {
        if !self.settings.fsync {
            return Ok(());
        }
        commit::sync_fs(dir).map_err(|errno| Error::io(Act::Sync, self.path(), errno))
    }
}

impl Applier<'_> {
    /// Gives a new directory its metadata and, if it has none yet, its name. Everything in it is complete.
    pub(crate) fn complete_directory(&mut self, directory: &PendingDirectory) -> Result<(), Failed> {
        let PendingDirectory { entry, made: Made::New { mode, temp } } = directory else { return Ok(()) };
        let path = entry.path.as_path();
        let settled = self.settle_new(entry, *mode, temp.is_some());
        let Some(temp) = temp else { return settled };
        let (parent, name) = path.split();
        publish_directory(&self.destination.hold(parent)?.dir, temp, name)?;
        self.destination.is_published(path);
        settled
    }

    fn settle_new(&mut self, entry: &Entry, mode: u32, is_topmost: bool) -> Result<(), Failed> {
        let destination = self.destination;
        let path = entry.path.as_path();
        match path.parent() {
            Some(parent) if !is_topmost && destination.lacks_time_only(entry, mode, &mut self.owners) => {
                let dir = &self.hold(parent)?.dir;
                meta::set_mtime_at(dir, path.file_name(), entry.meta.mtime).map_err(failed(Act::SetTimes))
            }
            _ => {
                let held = destination.hold(path)?;
                destination.settle(&held.dir, entry, Created::As(mode), &mut self.owners)
            }
        }
    }
}

fn publish_directory(dir: &Dir, temp: &[u8], name: &[u8]) -> Result<(), Failed> {
    match dir.rename_new(temp, name) {
        Err(Errno::EXIST) if standing(dir, name) == Ok(Standing::Other) => {
            // The entry replaces a file or a symlink, which rename(2) does not do for a directory.
            dir.remove_file(name).map_err(failed(Act::Replace))?;
            dir.rename_new(temp, name).map_err(failed(Act::Publish))
        }
        result => result.map_err(failed(Act::Publish)),
    }
}

//! The end of a run whose entries arrived by path: directories get their metadata, and staged entries their names.

use super::barrier::{Barrier, Blocked};
use super::by_path::{Destination, Made, PendingDirectory};
use super::dir::PRIVATE_DIRECTORY;
use super::maker::Maker;
use super::owners::Owners;
use super::{Failed, failed};
use crate::error::{Act, Error};
use crate::pool::lock;
use crate::sys::{Dir, Handle, process};
use crate::tree::attributes::{Attributes, Changes};
use crate::tree::{Entry, Kind, Metadata, Owner, RelPath, RelPathBuf};
use std::os::fd::AsFd;
use std::sync::Arc;

impl Destination {
    /// Creates a directory that no entry describes, and those above it, as mkdir(1) would.
    pub(super) fn implied_directory(&self, path: RelPath<'_>) -> Result<(), Failed> {
        for above in path.ancestors().chain([path]) {
            let (parent, _) = above.split();
            let made = self.make_directory(&self.hold(parent)?, above, PRIVATE_DIRECTORY)?;
            if matches!(made, Made::New { .. }) {
                self.note_directory(self.implied_entry(above), made);
            }
        }
        Ok(())
    }

    /// The entry of a directory that no archive describes: created now, by the running user, according to the umask.
    fn implied_entry(&self, path: RelPath<'_>) -> Entry {
        let owner = Arc::new(Owner { uid: self.who.uid, gid: self.who.gid, ..Owner::default() });
        let mode = 0o777 & !self.umask();
        let meta = Metadata { mode, owner, mtime: process::now(), xattrs: Box::default() };
        Entry { path: path.to_buf(), kind: Kind::Directory, meta }
    }

    /// Gives everything that waits for its name, except directories, that name. `fail` is called for everything that
    /// could not be completed.
    ///
    /// With `fsync` there is a barrier before the first name appears, and one after the last ([`Destination::finish`]):
    /// a file whose name is on the disk is then itself on the disk, too.
    pub(crate) fn publish(&self, fail: &mut dyn FnMut(RelPath<'_>, Failed)) -> Result<(), Error> {
        self.sync(&self.root)?;
        let blocked = if self.settings.gives_way { Blocked::Waits } else { Blocked::Fails };
        self.publish_waiting(blocked, fail);
        Ok(())
    }

    /// The paths where a non-empty directory blocks an entry.
    pub(crate) fn blocked(&self) -> Vec<RelPathBuf> {
        self.barrier.paths()
    }

    /// Publishes blocked entries, and removes those that still find a directory in their place.
    pub(crate) fn publish_blocked(&self, fail: &mut dyn FnMut(RelPath<'_>, Failed)) {
        self.publish_waiting(Blocked::Fails, fail);
    }

    fn publish_waiting(&self, blocked: Blocked, fail: &mut dyn FnMut(RelPath<'_>, Failed)) {
        self.barrier.publish(blocked, |path| self.hold(path).map(|directory| directory.dir), fail);
    }

    /// The directories that this run has created, to be completed ([`Maker::complete_directory`]), the deepest first:
    /// creating an entry changes the mtime of the directory above it, and a mode can make everything below
    /// inaccessible.
    pub(crate) fn take_new(&self) -> Vec<PendingDirectory> {
        let mut directories = std::mem::take(&mut *lock(&self.directories));
        if self.is_new() && !directories.iter().any(|directory| directory.entry.path.as_path().is_root()) {
            let entry = self.implied_entry(RelPath::ROOT);
            directories.push(PendingDirectory { entry, made: self.root_made() });
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

    /// The paths of the directories that existed before, and the root's.
    pub(crate) fn found_paths(&self) -> Vec<RelPathBuf> {
        let mut paths: Vec<_> =
            lock(&self.directories).iter().map(|directory| directory.entry.path.clone()).collect();
        paths.push(RelPathBuf::default());
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// The directories that existed before, the deepest first, whose metadata is to be set now.
    pub(crate) fn take_found(&self) -> Vec<Entry> {
        self.lock_again();
        let found = std::mem::take(&mut *lock(&self.directories));
        let mut found: Vec<_> = found.into_iter().map(|directory| directory.entry).collect();
        found.retain(|entry| !entry.path.as_path().is_root() || self.sets_root());
        found.sort_by(|a, b| b.path.cmp(&a.path));
        found
    }

    /// Opens a directory that existed, and returns what must be set on it now that nothing in it changes any more.
    pub(crate) fn found_directory(
        &self,
        entry: &Entry,
        owners: &mut Owners,
    ) -> Result<(Dir, Changes), Failed> {
        let dir = self.hold(entry.path.as_path())?.dir;
        let stat = dir.stat_self().map_err(failed(Act::Stat))?;
        let changes = self.changes_to_old(entry, &stat, Handle::Open(dir.as_fd()), owners);
        Ok((dir, changes.map_err(failed(Act::ReadXattrs))?))
    }

    /// Gives the root its name, if it has none, and waits for the disk.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        let parent = self.publish_root().map_err(|errno| Error::io(Act::Publish, self.path(), errno))?;
        self.sync(parent.as_ref().unwrap_or(&self.root))
    }

    fn sync(&self, dir: &Dir) -> Result<(), Error> {
        if !self.settings.fsync {
            return Ok(());
        }
        Barrier::sync(dir).map_err(|errno| Error::io(Act::Sync, self.path(), errno))
    }
}

impl Maker<'_> {
    /// Gives a new directory its metadata and, if it has none yet, its name. Everything in it is complete.
    pub(crate) fn complete_directory(&mut self, directory: &PendingDirectory) -> Result<(), Failed> {
        let PendingDirectory { entry, made: Made::New { mode, temp } } = directory else { return Ok(()) };
        let path = entry.path.as_path();
        let set = self.set_new_directory(entry, *mode);
        let Some(temp) = temp else { return set };
        let (parent, name) = path.split();
        let published = self
            .destination
            .hold(parent)
            .and_then(|above| above.publish_directory(temp, name, &self.destination.can));
        self.destination.no_longer_staged(path);
        published.and(set)
    }

    fn set_new_directory(&mut self, entry: &Entry, mode: u32) -> Result<(), Failed> {
        let (destination, path) = (self.destination, entry.path.as_path());
        let wanted = destination.wanted(entry, &mut self.owners);
        let who = &destination.who;
        let have =
            Attributes { uid: Some(who.uid), gid: Some(who.gid), mode: Some(mode), ..Attributes::default() };
        // An entry that was created with a known owner has inherited nothing, so its attributes are not read through
        // this handle.
        let parent = self.hold(path.parent().unwrap_or(RelPath::ROOT))?;
        let named = Handle::Named(&parent.dir, path.file_name());
        let changes = destination.changes_to_new(entry, &wanted, &have, named);
        let time_only = Changes {
            attributes: Attributes { mtime: changes.attributes.mtime, ..Attributes::default() },
            ..Changes::default()
        };
        if changes == time_only && parent.staged && !path.is_root() {
            return self.set(named, &changes);
        }
        let held = destination.hold(path)?;
        self.set(Handle::Open(held.dir.as_fd()), &changes)
    }
}

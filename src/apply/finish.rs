//! The end of a run: directories get their metadata, and what was staged its names.

use super::destination::{Destination, Directory, Made, NEW_DIRECTORY, lock, standing};
use super::file::publish;
use super::owner::Owners;
use super::{Failed, failed};
use crate::error::{Act, Error};
use crate::sys::{Dir, commit, process};
use crate::tree::{Entry, Kind, Metadata, Owner, RelPath, Standing};
use rustix::io::Errno;
use std::sync::Arc;

impl Destination {
    /// Makes a directory that no entry describes, and those above it, as mkdir(1) would.
    pub(super) fn implied_directory(&self, path: RelPath<'_>) -> Result<(), Failed> {
        for above in path.ancestors().chain([path]) {
            let (parent, _) = above.split();
            let made = self.make_directory(&self.hold(parent)?, above)?;
            if matches!(made, Made::New(_)) {
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

    /// Publishes everything. `fail` is told of every directory that could not be completed.
    ///
    /// With `fsync` there is a barrier before the first name appears and one after the last: files whose names are
    /// known to be on the disk then are there, too. A barrier that failed is not tried again.
    pub(crate) fn finish(self, mut fail: impl FnMut(&Entry, Failed)) -> Result<(), Error> {
        let root_error = |act| {
            let path = self.path().to_owned();
            move |errno: Errno| Error::io(act, &path, errno)
        };
        let barrier = |dir: &Dir| if self.settings.fsync { commit::sync_fs(dir) } else { Ok(()) };
        if let Err(errno) = barrier(&self.root) {
            let error = root_error(Act::Sync)(errno);
            self.abandon();
            return Err(error);
        }
        for (path, temp) in std::mem::take(&mut *lock(&self.unpublished)) {
            let (parent, name) = path.as_path().split();
            let published = self
                .hold(parent)
                .and_then(|held| publish(&held.dir, &temp, name).map_err(failed(Act::Publish)));
            if let Err(failure) = published {
                fail(&self.implied_entry(path.as_path()), failure);
            }
        }
        let mut owners = Owners::default();
        let mut directories = std::mem::take(&mut *lock(&self.directories));
        if self.is_new() && !directories.iter().any(|directory| directory.entry.path.as_path().is_root()) {
            directories.push(Directory {
                entry: self.implied_entry(RelPath::ROOT),
                is_new: true,
                temp: None,
            });
        }
        // The deepest first: making an entry changes the mtime of the directory above it.
        directories.sort_by(|a, b| b.entry.path.cmp(&a.entry.path));
        for directory in directories {
            if let Err(failure) = self.finish_directory(&directory, &mut owners) {
                fail(&directory.entry, failure);
            }
        }
        if let Err(errno) = self.publish_root() {
            let error = root_error(Act::Publish)(errno);
            self.abandon();
            return Err(error);
        }
        barrier(self.sync_root()).map_err(root_error(Act::Sync))
    }

    fn finish_directory(&self, directory: &Directory, owners: &mut Owners) -> Result<(), Failed> {
        let Directory { entry, is_new, temp } = directory;
        let path = entry.path.as_path();
        let created = is_new.then_some(NEW_DIRECTORY);
        // Who unpacks into an existing root did not ask for other rights on it, unless rights were asked for.
        let settled = if path.is_root() && !self.is_new() && !self.settings.same_permissions {
            Ok(())
        } else {
            self.hold(path).and_then(|held| self.settle(&held.dir, entry, created, owners))
        };
        let Some(temp) = temp else { return settled };
        let (parent, name) = path.split();
        let held = self.hold(parent)?;
        publish_directory(&held.dir, temp, name)?;
        settled
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

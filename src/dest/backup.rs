//! Backups of what is replaced or removed.
//!
//! Owns where a backup is and how an entry gets there: as another name, by a rename, or as a copy if the backups are on
//! another file system. The entry is replaced or removed only after its backup is complete.

use super::attributes::{read_xattrs, set};
use super::copy::{CopyHands, ExistingEntry, copy_entry};
use super::dir::Directory;
use super::{Failed, failed};
use crate::error::{Act, Error};
use crate::sys::{Dir, Handle, open};
use crate::tree::attributes::{Attributes, Changes};
use crate::tree::stat::OWNER_CHANGES;
use crate::tree::{Device, RelPath, RelPathBuf};
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::OnceLock;

/// Where replaced and removed entries go.
#[derive(Debug)]
pub(crate) struct BackupPlace {
    /// `None` if backups are next to their originals.
    dir: Option<BackupDir>,
    suffix: Vec<u8>,
}

/// A directory for backups, created with the first one.
#[derive(Debug)]
struct BackupDir {
    path: PathBuf,
    opened: OnceLock<(Dir, (Device, u64))>,
}

impl BackupDir {
    fn open(&self) -> rustix::io::Result<&Dir> {
        if let Some((dir, _)) = self.opened.get() {
            return Ok(dir);
        }
        open::create_dirs(&self.path)?;
        let dir = Dir::open(&self.path)?;
        let id = dir.stat_self()?.id();
        // Another thread may have been faster: then its directory is used.
        Ok(&self.opened.get_or_init(|| (dir, id)).0)
    }
}

/// How the directories of the backups are created: each has the permissions of its counterpart in the mirror, so that
/// nobody can read here what they could not reach there.
pub(crate) struct Like<'a> {
    /// Opens a directory of the mirror by its path.
    pub(crate) open: &'a dyn Fn(RelPath<'_>) -> rustix::io::Result<Dir>,
    pub(crate) acls: bool,
}

impl BackupPlace {
    /// Backups below `dir`, or next to their entries if it is `None`, under names that end in `suffix`.
    pub(crate) fn open(dir: Option<PathBuf>, suffix: &[u8]) -> Result<Self, Error> {
        let suffix = suffix.to_vec();
        let Some(path) = dir else { return Ok(BackupPlace { dir: None, suffix }) };
        let opened = OnceLock::new();
        match Dir::open(&path).and_then(|dir| Ok((dir.stat_self()?.id(), dir))) {
            Ok((id, dir)) => {
                let _ = opened.set((dir, id));
            }
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(Error::io(Act::Open, &path, errno)),
        }
        Ok(BackupPlace { dir: Some(BackupDir { path, opened }), suffix })
    }

    /// Whether this name is a backup next to its entry, which is not removed although the source does not have it.
    pub(crate) fn made(&self, name: &[u8]) -> bool {
        self.is_beside() && name.len() > self.suffix.len() && name.ends_with(&self.suffix)
    }

    /// Whether backups are next to their originals.
    pub(crate) fn is_beside(&self) -> bool {
        self.dir.is_none()
    }

    /// Whether this is the directory of the backups.
    pub(crate) fn is_at(&self, id: (Device, u64)) -> bool {
        self.dir.as_ref().and_then(|dir| dir.opened.get()).is_some_and(|(_, own)| *own == id)
    }

    /// Moves the entry at `path`, which is in `from`, to its backup.
    pub(crate) fn move_away(
        &self,
        hands: &mut CopyHands<'_, '_>,
        from: &Dir,
        path: RelPath<'_>,
        like: &Like<'_>,
    ) -> Result<(), Failed> {
        let name = path.file_name();
        let (to, backup) = self.place(hands, path, like)?;
        let to = to.as_ref().unwrap_or(from);
        match from.rename_into(name, to, &backup) {
            Err(Errno::XDEV) => {
                copy_away(hands, from, name, to, &backup)?;
                from.remove_file(name).map_err(failed(Act::Delete))
            }
            result => result.map_err(failed(Act::BackUp)),
        }
    }

    /// Makes the backup another name of the entry, so that the entry exists until something replaces it. Without hard
    /// links it is moved, and if the backups are on another file system it is copied.
    pub(crate) fn link_away(
        &self,
        hands: &mut CopyHands<'_, '_>,
        from: &Dir,
        path: RelPath<'_>,
        like: &Like<'_>,
    ) -> Result<(), Failed> {
        let name = path.file_name();
        let (to, backup) = self.place(hands, path, like)?;
        let to = to.as_ref().unwrap_or(from);
        let linked = to.remove_file_if_there(&backup).and_then(|()| match from.link(name, to, &backup) {
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::MLINK) => from.rename_into(name, to, &backup),
            result => result,
        });
        match linked {
            Err(Errno::XDEV) => copy_away(hands, from, name, to, &backup),
            // It has vanished.
            Err(Errno::NOENT) => Ok(()),
            result => result.map_err(failed(Act::BackUp)),
        }
    }

    /// Makes the backup a copy: a file that is updated in place must not be its own backup.
    pub(crate) fn copy_away(
        &self,
        hands: &mut CopyHands<'_, '_>,
        from: &Dir,
        path: RelPath<'_>,
        like: &Like<'_>,
    ) -> Result<(), Failed> {
        let (to, backup) = self.place(hands, path, like)?;
        copy_away(hands, from, path.file_name(), to.as_ref().unwrap_or(from), &backup)
    }

    /// The directory of the backup of `path`, if it is another one, and its name there.
    fn place(
        &self,
        hands: &CopyHands<'_, '_>,
        path: RelPath<'_>,
        like: &Like<'_>,
    ) -> Result<(Option<Dir>, Vec<u8>), Failed> {
        let (parent, name) = path.split();
        let name = [name, &self.suffix].concat();
        let Some(dir) = &self.dir else { return Ok((None, name)) };
        let root = dir.open().map_err(failed(Act::BackUp))?;
        let dir = match root.open_dir_beneath(parent) {
            Err(Errno::NOENT) => make_like(hands, root, parent, like),
            opened => opened,
        };
        Ok((Some(dir.map_err(failed(Act::BackUp))?), name))
    }
}

fn copy_away(
    hands: &mut CopyHands<'_, '_>,
    from: &Dir,
    name: &[u8],
    to: &Dir,
    backup: &[u8],
) -> Result<(), Failed> {
    let dir = to.open_dir(b".").map_err(failed(Act::BackUp))?;
    let stat = dir.stat_self().map_err(failed(Act::BackUp))?;
    let directory = Directory::live(dir, &stat, hands.who).knowing(hands.can);
    match copy_entry(hands, ExistingEntry { dir: from, name, inode: None }, &directory, backup)? {
        Some(temp) => directory.publish(&temp, backup),
        None => Ok(()),
    }
}

/// Creates the directories on the way to `path` below `root`.
fn make_like(
    hands: &CopyHands<'_, '_>,
    root: &Dir,
    path: RelPath<'_>,
    like: &Like<'_>,
) -> rustix::io::Result<Dir> {
    let (mut dir, mut way) = (root.open_dir(b".")?, RelPathBuf::default());
    for name in path.components() {
        way = way.as_path().join(name).map_err(|_| Errno::INVAL)?;
        let made = match dir.create_dir(name, 0o700) {
            Err(Errno::EXIST) => false,
            result => result.map(|()| true)?,
        };
        dir = dir.open_dir(name)?;
        if made {
            let model = (like.open)(way.as_path())?;
            let mut attributes =
                Attributes { atime: None, mtime: None, ..Attributes::of(&model.stat_self()?) };
            // Its contents are still to be created.
            let is_root = hands.who.is_root();
            attributes.mode = attributes.mode.map(|mode| if is_root { mode } else { mode | OWNER_CHANGES });
            let mut acls = read_xattrs(Handle::Open(model.as_fd()), hands.can)?.into_vec();
            acls.retain(|xattr| xattr.is_acl() && like.acls);
            // Best effort: until then it is accessible only to its owner.
            let changes = Changes { attributes, set: acls, ..Changes::default() };
            let _ = set(Handle::Open(dir.as_fd()), &changes, hands.can);
        }
    }
    Ok(dir)
}

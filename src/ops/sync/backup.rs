//! Backups of what is replaced or removed.

use super::fault::{Fault, at_destination};
use super::groups::Inode;
use super::options::Backup;
use super::run::Run;
use super::worker::Worker;
use crate::dest::target::Target;
use crate::error::{Act, Error};
use crate::plan::attributes::takes_part;
use crate::sys::{Dir, FileKind, Handle, open, xattr};
use crate::tree::attributes::{Attributes, Changes};
use crate::tree::stat::OWNER_CHANGES;
use crate::tree::{RelPath, RelPathBuf, Xattr};
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Where what is replaced or removed goes.
#[derive(Debug)]
pub(super) struct BackupPlace {
    /// `None` if backups lie beside what they are backups of.
    dir: Option<BackupDir>,
    suffix: Vec<u8>,
}

/// A directory for backups, made when the first one comes.
#[derive(Debug)]
struct BackupDir {
    path: PathBuf,
    opened: OnceLock<(Dir, Inode)>,
}

impl BackupDir {
    fn open(&self) -> rustix::io::Result<&Dir> {
        if let Some((dir, _)) = self.opened.get() {
            return Ok(dir);
        }
        open::create_dirs(&self.path)?;
        let dir = Dir::open(&self.path)?;
        let id = dir.stat_self()?.id();
        // Another thread may have been faster: then that one's serves.
        Ok(&self.opened.get_or_init(|| (dir, id)).0)
    }
}

impl BackupPlace {
    pub(super) fn open(given: &Backup, dst: &Path) -> Result<Self, Error> {
        let suffix = given.suffix.clone();
        let Some(path) = given.dir.as_ref().map(|dir| dst.join(dir)) else {
            return Ok(BackupPlace { dir: None, suffix });
        };
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

    /// Whether this name is a backup beside its entry, which is not removed for having none in the source.
    pub(super) fn made(&self, name: &[u8]) -> bool {
        self.is_beside() && name.len() > self.suffix.len() && name.ends_with(&self.suffix)
    }

    /// Whether backups lie beside what they are backups of.
    pub(super) fn is_beside(&self) -> bool {
        self.dir.is_none()
    }

    /// Whether this is the directory of the backups.
    pub(super) fn is_at(&self, id: Inode) -> bool {
        self.dir.as_ref().and_then(|dir| dir.opened.get()).is_some_and(|(_, own)| *own == id)
    }

    /// Moves the entry at `path`, which is in `from`, to its backup.
    pub(super) fn move_away(
        &self,
        worker: &mut Worker<'_>,
        from: &Dir,
        path: RelPath<'_>,
    ) -> Result<(), Fault> {
        self.keep(worker.run, (from, path), |to, name| match from.rename_into(path.file_name(), to, name) {
            Err(Errno::XDEV) => {
                worker.carry((from, path), (to, name))?;
                from.remove_file(path.file_name()).map_err(at_destination(Act::Delete))
            }
            result => result.map_err(at_destination(Act::BackUp)),
        })
    }

    /// Makes the backup a further name of the entry, so that the entry is there until something takes its place. Where
    /// there are no links it is moved, and copied where the backups are on another file system.
    fn copy_away(&self, worker: &mut Worker<'_>, from: &Dir, path: RelPath<'_>) -> Result<(), Fault> {
        self.keep(worker.run, (from, path), |to, name| {
            let linked =
                to.remove_file_if_there(name).and_then(|()| match from.link(path.file_name(), to, name) {
                    Err(Errno::PERM | Errno::OPNOTSUPP | Errno::MLINK) => {
                        from.rename_into(path.file_name(), to, name)
                    }
                    result => result,
                });
            match linked {
                Err(Errno::XDEV) => worker.carry((from, path), (to, name)),
                // It is gone.
                Err(Errno::NOENT) => Ok(()),
                result => result.map_err(at_destination(Act::BackUp)),
            }
        })
    }

    /// Makes the backup a copy: what the entry is written into in place must not be the backup.
    fn carry_away(&self, worker: &mut Worker<'_>, from: &Dir, path: RelPath<'_>) -> Result<(), Fault> {
        self.keep(worker.run, (from, path), |to, name| worker.carry((from, path), (to, name)))
    }

    fn keep(
        &self,
        run: &Run<'_>,
        (from, path): (&Dir, RelPath<'_>),
        keep: impl FnOnce(&Dir, &[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let failed = at_destination(Act::BackUp);
        let (parent, name) = path.split();
        let name = [name, &self.suffix].concat();
        let Some(dir) = &self.dir else { return keep(from, &name) };
        let root = dir.open().map_err(&failed)?;
        let dir = match root.open_dir_beneath(parent) {
            Err(Errno::NOENT) => like_in_mirror(run, root, parent),
            opened => opened,
        };
        keep(&dir.map_err(failed)?, &name)
    }
}

/// Makes the directories on the way to `path` below `root`. Each is as open as its like in the mirror: what nobody else
/// can reach there is not to be read here.
fn like_in_mirror(run: &Run<'_>, root: &Dir, path: RelPath<'_>) -> rustix::io::Result<Dir> {
    let (mut dir, mut way) = (root.open_dir(b".")?, RelPathBuf::default());
    for name in path.components() {
        way = way.as_path().join(name).map_err(|_| Errno::INVAL)?;
        let made = match dir.create_dir(name, 0o700) {
            Err(Errno::EXIST) => false,
            result => result.map(|()| true)?,
        };
        dir = dir.open_dir(name)?;
        if made {
            let like = run.made_dir(way.as_path())?;
            let mut attributes =
                Attributes { atime: None, mtime: None, ..Attributes::of(&like.stat_self()?) };
            // What comes into it is still to be made.
            attributes.mode =
                attributes.mode.map(|mode| if run.who.is_root() { mode } else { mode | OWNER_CHANGES });
            let takes_part = |xattr: &Xattr| xattr.is_acl() && takes_part(xattr, run.keep(), &run.who);
            let set = xattr::of(like.as_fd())?.into_iter().filter(takes_part).collect();
            // Best effort: it is open to its owner only until then.
            let _ = crate::dest::attributes::set(
                Handle::Open(dir.as_fd()),
                &Changes { attributes, set, ..Changes::default() },
            );
        }
    }
    Ok(dir)
}

impl Worker<'_> {
    /// Keeps what is about to be replaced, if backups are wanted.
    pub(super) fn back_up(&mut self, target: &Target, path: RelPath<'_>) -> Result<(), Fault> {
        target.unlock();
        match &self.run.backup {
            Some(backup) => backup.copy_away(self, &target.dir, path),
            None => Ok(()),
        }
    }

    /// The same of a file that is about to be written into.
    pub(super) fn back_up_content(&mut self, target: &Target, path: RelPath<'_>) -> Result<(), Fault> {
        let Some(backup) = &self.run.backup else { return Ok(()) };
        target.unlock();
        backup.carry_away(self, &target.dir, path)
    }

    /// The same for what a directory replaces, if it is no directory.
    pub(super) fn back_up_other(&mut self, target: &Target, path: RelPath<'_>) -> Result<(), Fault> {
        let is_other =
            || target.dir.stat(path.file_name()).is_ok_and(|stat| stat.kind != FileKind::Directory);
        if self.run.backup.is_some() && is_other() { self.back_up(target, path) } else { Ok(()) }
    }
}

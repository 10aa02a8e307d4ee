//! Removes what the source does not have.
//!
//! Promise 4 of the design: nothing is removed that was not planned, and nothing at all once something in the source
//! could not be read. What rules protect, what a manifest does not name, and what is beyond `--max-delete` stays, and
//! so does every directory above it.

use super::backup::BackupPlace;
use super::choose::PARTIAL_DIR;
use super::fault::at_destination;
use super::pair::Pair;
use super::worker::Worker;
use crate::dest::target::Target;
use crate::error::Act;
use crate::rules::Scope;
use crate::sys::Names;
use crate::sys::{Dir, FileKind, commit};
use crate::tree::{RelPath, RelPathBuf};
use rustix::io::Errno;
use std::sync::Arc;

/// A directory that is being emptied.
struct Level {
    path: RelPathBuf,
    target: Target,
    names: Names,
    next: u32,
    scope: Option<Scope>,
    /// Something in it stays, and so does the directory.
    stays: bool,
}

impl Worker<'_> {
    pub(super) fn delete_now(&mut self, pair: &Arc<Pair>, path: RelPath<'_>, is_directory: bool) {
        let Some(target) = pair.dst.as_ref().filter(|_| self.run.may_delete()) else { return };
        if self.delete(target, path, is_directory, pair.choice.protected.as_ref()) {
            pair.touch();
        }
    }

    /// Removes the entry at `path`, which is in `target`, and everything below it. Whether it is gone.
    pub(super) fn delete(
        &mut self,
        target: &Target,
        path: RelPath<'_>,
        is_directory: bool,
        scope: Option<&Scope>,
    ) -> bool {
        if !is_directory {
            return self.delete_leaf(target, path, None);
        }
        // Iterative: a tree may be deeper than a stack.
        let Some(top) = self.descend(&target.dir, path, scope) else { return false };
        let mut levels = vec![top];
        loop {
            let Some(level) = levels.last_mut() else { return false };
            if let Some(child) = self.empty_level(level) {
                levels.push(child);
                continue;
            }
            let Some(done) = levels.pop() else { return false };
            let gone = !done.stays && {
                let above = levels.last().map_or(target, |level| &level.target);
                self.delete_directory(above, done.path.as_path())
            };
            if !gone {
                self.lock_again(&done.target, done.path.as_path());
            }
            match levels.last_mut() {
                Some(level) => level.stays |= !gone,
                None => return gone,
            }
        }
    }

    /// Removes what can be removed at once, up to the next directory, which is returned.
    fn empty_level(&mut self, level: &mut Level) -> Option<Level> {
        while (level.next as usize) < level.names.len() && !self.run.is_ending() {
            let number = level.next;
            level.next += 1;
            let name = level.names.name(number);
            let Ok(path) = level.path.as_path().join(name) else { continue };
            let kind =
                level.names.kind(number).or_else(|| level.target.dir.stat(name).ok().map(|stat| stat.kind));
            let is_directory = kind == Some(FileKind::Directory);
            let is_protected =
                level.scope.as_ref().is_some_and(|scope| scope.protects(path.as_path(), is_directory));
            if is_protected || name == PARTIAL_DIR {
                level.stays = true;
            } else if is_directory {
                match self.descend(&level.target.dir, path.as_path(), level.scope.as_ref()) {
                    Some(child) => return Some(child),
                    None => level.stays = true,
                }
            } else {
                let gone = self.delete_leaf(&level.target, path.as_path(), kind);
                // A backup beside it keeps the directory.
                level.stays |= !gone || self.run.backup.as_ref().is_some_and(BackupPlace::is_beside);
            }
        }
        level.stays |= (level.next as usize) < level.names.len();
        None
    }

    /// Opens a directory that is to be removed.
    fn descend(&mut self, dir: &Dir, path: RelPath<'_>, scope: Option<&Scope>) -> Option<Level> {
        let opened = dir.open_dir(path.file_name()).map_err(at_destination(Act::Open)).and_then(|dir| {
            let stat = dir.stat_self().map_err(at_destination(Act::Stat))?;
            let names = Names::of(&dir, &mut self.buffer).map_err(at_destination(Act::List))?;
            Ok((Target::live(dir, &stat, &self.run.who), stat, names))
        });
        let (target, stat, names) = match opened {
            Ok(opened) => opened,
            Err(fault) => {
                self.fail(path, fault);
                return None;
            }
        };
        if let Some(why) = self.spared(&stat) {
            self.skip(path, why);
            return None;
        }
        let scope = match scope {
            Some(scope) => {
                let entered = scope.enter(path, &mut |file| self.read_merge(&target.dir, file));
                Some(self.understood(entered).ok()?.doomed())
            }
            None => None,
        };
        Some(Level { path: path.to_buf(), target, names, next: 0, scope, stays: false })
    }

    fn delete_directory(&mut self, above: &Target, path: RelPath<'_>) -> bool {
        if !self.is_deletable(path) || !self.take_deletion(path) {
            return false;
        }
        let remove = || {
            above.unlock();
            above.dir.remove_dir(path.file_name())
        };
        match if self.run.is_dry() { Ok(()) } else { remove() } {
            Ok(()) => {
                self.deleted(path, FileKind::Directory);
                true
            }
            Err(Errno::NOENT) => true,
            Err(errno) => {
                self.fail(path, at_destination(Act::Delete)(errno));
                false
            }
        }
    }

    fn delete_leaf(&mut self, target: &Target, path: RelPath<'_>, kind: Option<FileKind>) -> bool {
        let (dir, name) = (&target.dir, path.file_name());
        let Some(kind) = kind.or_else(|| dir.stat(name).ok().map(|stat| stat.kind)) else { return true };
        if !self.is_deletable(path) || !self.take_deletion(path) {
            return false;
        }
        if !self.run.is_dry() {
            target.unlock();
        }
        let removed = match &self.run.backup {
            _ if self.run.is_dry() => Ok(()),
            Some(backup) => backup.move_away(self, dir, path),
            None => dir.remove_file_if_there(name).map_err(at_destination(Act::Delete)),
        };
        match removed {
            Ok(()) => {
                self.deleted(path, kind);
                true
            }
            Err(fault) => {
                self.fail(path, fault);
                false
            }
        }
    }

    /// Removes what a run that was killed has left. The lock says that no other run is at work here.
    pub(super) fn remove_stale(&mut self, target: &Target, name: &[u8]) -> bool {
        let is_ours = target.dir.stat(name).is_ok_and(|stat| stat.uid == self.run.who.uid);
        if !is_ours || self.run.is_dry() {
            return false;
        }
        target.unlock();
        commit::remove_tree(&target.dir, name).is_ok()
    }
}

//! Removes what the source does not have.
//!
//! Promise 4 of the design: nothing is removed that was not planned, and nothing at all once something in the source
//! could not be read. What rules protect, what a manifest does not name, and what is beyond `--max-delete` stays, and
//! so does every directory above it.

use super::choose::PARTIAL_DIR;
use super::fault::at_destination;
use super::pair::Pair;
use super::worker::Worker;
use crate::dest::backup::BackupPlace;
use crate::dest::remove::{Level, Place, Removal, remove};
use crate::dest::stale;
use crate::dest::target::Target;
use crate::error::Act;
use crate::rules::{Scope, Side, Verdict};
use crate::sys::{FileKind, Names};
use crate::tree::RelPath;
use rustix::io::Errno;
use std::sync::Arc;

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
        let place = Place { directory: target, path };
        if !is_directory {
            return self.delete_entry(place, None);
        }
        remove(self, place, Some(FileKind::Directory), &scope.cloned())
    }

    fn delete_entry(&mut self, place: Place<'_>, kind: Option<FileKind>) -> bool {
        let (target, path) = (place.directory, place.path);
        let (dir, name) = (&target.dir, place.name());
        let Some(kind) = kind.or_else(|| dir.stat(name).ok().map(|stat| stat.kind)) else { return true };
        if !self.is_deletable(path) || !self.take_deletion(path) {
            return false;
        }
        if !self.run.is_dry() {
            target.unlock();
        }
        let removed = match &self.run.backup {
            _ if self.run.is_dry() => Ok(()),
            Some(backup) => self.move_to_backup(backup, dir, path),
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
        !self.run.is_dry() && stale::remove_stale(target, name, &self.run.who)
    }
}

impl Removal for Worker<'_> {
    /// The rules of the destination that hold in the directory.
    type Scope = Option<Scope>;

    fn is_ending(&self) -> bool {
        self.run.is_ending()
    }

    fn keeps(&self, place: Place<'_>, kind: Option<FileKind>, scope: &Option<Scope>) -> bool {
        let is_directory = kind == Some(FileKind::Directory);
        let is_protected = scope.as_ref().is_some_and(|scope| scope.protects(place.path, is_directory));
        is_protected || place.name() == PARTIAL_DIR
    }

    fn enter(&mut self, place: Place<'_>, scope: &Option<Scope>) -> Option<Level<Option<Scope>>> {
        let path = place.path;
        let opened =
            place.directory.dir.open_dir(place.name()).map_err(at_destination(Act::Open)).and_then(|dir| {
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
                let entered =
                    scope.enter(path, &mut |file| self.read_merge(Side::Receiver, (&target.dir, path), file));
                Some(self.understood(entered).ok()?.deleted())
            }
            None => None,
        };
        Some(Level::new(path, target, names, scope))
    }

    fn entry(&mut self, place: Place<'_>, kind: Option<FileKind>, _: &Option<Scope>) -> bool {
        // A backup beside it keeps the directory.
        self.delete_entry(place, kind) && !self.run.backup.as_ref().is_some_and(BackupPlace::is_beside)
    }

    fn directory(&mut self, place: Place<'_>, scope: &Option<Scope>) -> bool {
        let (above, path) = (place.directory, place.path);
        // A directory that is only on the way to what the rules select stays.
        let is_passed = scope.as_ref().is_some_and(|scope| scope.verdict(path, true) == Verdict::Pass);
        if is_passed || !self.is_deletable(path) || !self.take_deletion(path) {
            return false;
        }
        let remove = || {
            above.unlock();
            above.dir.remove_dir(place.name())
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

    fn stays(&mut self, path: RelPath<'_>, directory: &Target) {
        self.lock_again(directory, path);
    }
}

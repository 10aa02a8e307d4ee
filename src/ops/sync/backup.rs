//! Backups of what is replaced or removed.

use super::fault::Fault;
use super::worker::{Worker, moved};
use crate::dest::backup::{BackupPlace, Like};
use crate::dest::copy::CopyHands;
use crate::dest::target::Target;
use crate::error::Act;
use crate::sys::{Dir, FileKind};
use crate::tree::RelPath;

/// How an entry gets to its backup.
#[derive(Debug, Clone, Copy)]
enum By {
    Moving,
    Linking,
    Copying,
}

impl Worker<'_> {
    /// Keeps what is about to be replaced, if backups are wanted.
    pub(super) fn back_up(&mut self, target: &Target, path: RelPath<'_>) -> Result<(), Fault> {
        target.unlock();
        match &self.run.backup {
            Some(backup) => self.back_up_by(By::Linking, backup, &target.dir, path),
            None => Ok(()),
        }
    }

    /// The same of a file that is about to be written into.
    pub(super) fn back_up_content(&mut self, target: &Target, path: RelPath<'_>) -> Result<(), Fault> {
        let Some(backup) = &self.run.backup else { return Ok(()) };
        target.unlock();
        self.back_up_by(By::Copying, backup, &target.dir, path)
    }

    /// The same for what a directory replaces, if it is no directory.
    pub(super) fn back_up_other(&mut self, target: &Target, path: RelPath<'_>) -> Result<(), Fault> {
        let is_other =
            || target.dir.stat(path.file_name()).is_ok_and(|stat| stat.kind != FileKind::Directory);
        if self.run.backup.is_some() && is_other() { self.back_up(target, path) } else { Ok(()) }
    }

    /// Moves what is removed to its backup.
    pub(super) fn move_to_backup(
        &mut self,
        backup: &BackupPlace,
        dir: &Dir,
        path: RelPath<'_>,
    ) -> Result<(), Fault> {
        self.back_up_by(By::Moving, backup, dir, path)
    }

    fn back_up_by(
        &mut self,
        by: By,
        backup: &BackupPlace,
        dir: &Dir,
        path: RelPath<'_>,
    ) -> Result<(), Fault> {
        let run = self.run;
        let like = Like { open: &|path| run.made_dir(path), acls: run.keep().acls };
        let mut hands = CopyHands {
            copier: &mut self.copier,
            moved: &mut moved(run),
            who: &run.who,
            can: &run.can,
            fsync: run.options.fsync,
            act: Act::BackUp,
            lacks: Vec::new(),
        };
        let done = match by {
            By::Moving => backup.move_away(&mut hands, dir, path, &like),
            By::Linking => backup.link_away(&mut hands, dir, path, &like),
            By::Copying => backup.copy_away(&mut hands, dir, path, &like),
        };
        run.warn_of(&hands.lacks);
        Ok(done?)
    }
}

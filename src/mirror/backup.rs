//! Keeps what is replaced or removed, by the hands of one thread.

use super::error::{StepResult, at_destination};
use super::hands::Hands;
use crate::dest::Directory;
use crate::dest::backup::{BackupPlace, Like};
use crate::dest::copy::CopyHands;
use crate::error::Act;
use crate::sys::FileKind;
use crate::tree::RelPath;

/// How an entry gets to its backup.
#[derive(Debug, Clone, Copy)]
enum BackupBy {
    Moving,
    Linking,
    Copying,
}

/// Backs up what is about to be replaced, if backups are requested.
pub(super) fn back_up(hands: &mut Hands<'_>, directory: &Directory, path: RelPath<'_>) -> StepResult<()> {
    directory.unlock();
    match &hands.state.ground.backup {
        Some(backup) => back_up_by(hands, BackupBy::Linking, backup, directory, path),
        None => Ok(()),
    }
}

/// The same for a file that is about to be written into: the backup must not be the same inode.
pub(super) fn back_up_content(
    hands: &mut Hands<'_>,
    directory: &Directory,
    path: RelPath<'_>,
) -> StepResult<()> {
    let Some(backup) = &hands.state.ground.backup else { return Ok(()) };
    directory.unlock();
    back_up_by(hands, BackupBy::Copying, backup, directory, path)
}

/// The same for what a directory replaces, if it is not a directory itself.
pub(super) fn back_up_other(
    hands: &mut Hands<'_>,
    directory: &Directory,
    path: RelPath<'_>,
) -> StepResult<()> {
    let is_other = || directory.dir.stat(path.file_name()).is_ok_and(|stat| stat.kind != FileKind::Directory);
    let is_wanted = hands.state.ground.backup.is_some() && is_other();
    if is_wanted { back_up(hands, directory, path) } else { Ok(()) }
}

/// Removes an entry that is not a directory; moves it to its backup if backups are wanted.
pub(super) fn move_away(hands: &mut Hands<'_>, directory: &Directory, path: RelPath<'_>) -> StepResult<()> {
    match &hands.state.ground.backup {
        Some(backup) => back_up_by(hands, BackupBy::Moving, backup, directory, path),
        None => directory.dir.remove_file_if_there(path.file_name()).map_err(at_destination(Act::Delete)),
    }
}

fn back_up_by(
    hands: &mut Hands<'_>,
    by: BackupBy,
    backup: &BackupPlace,
    directory: &Directory,
    path: RelPath<'_>,
) -> StepResult<()> {
    let (ground, can) = (&hands.state.ground, &hands.state.can);
    let like = Like { open: &|path| ground.made_dir(path), acls: ground.keep().acls };
    let done = hands.copying.copy(|copier, moved| {
        let (who, fsync) = (&ground.who, ground.options.fsync);
        let mut copy = CopyHands { copier, moved, who, can, fsync, act: Act::BackUp };
        match by {
            BackupBy::Moving => backup.move_away(&mut copy, &directory.dir, path, &like),
            BackupBy::Linking => backup.link_away(&mut copy, &directory.dir, path, &like),
            BackupBy::Copying => backup.copy_away(&mut copy, &directory.dir, path, &like),
        }
    });
    Ok(done?)
}

//! Large files that survive an interruption: `--partial`.
//!
//! The file grows in a special directory next to its place, under its own name, and moves to its place when it is
//! complete. A later run finds it there and continues: its content is compared with the source, block by block, and
//! only differences are written.

use super::copying::SourceContent;
use super::error::{StepError, StepResult, at_destination};
use super::hands::Hands;
use super::metadata::Settling;
use super::naming::make_way;
use super::place::{NewName, PARTIAL_DIR};
use crate::account::Cause;
use crate::dest::Directory;
use crate::dest::remove::remove_tree;
use crate::error::Act;
use crate::sys::{Dir, FileKind, Handle, Stat, commit};
use crate::tree::attributes::{Attributes, Who};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::AsFd;

/// Creates a large file, or continues one that an earlier run began.
pub(super) fn make_in_parts(
    hands: &mut Hands<'_>,
    new: NewName<'_>,
    source: &SourceContent,
) -> StepResult<()> {
    let (target, name, path) = (new.target, new.place.name, new.place.path);
    let dir = partial_dir(target, &hands.state.ground.who)?;
    let begun = begun_file(&dir, name, &hands.state.ground.who)?;
    let is_begun = begun.is_some();
    let file = begun.map_or_else(|| begin_file(&dir, name), Ok)?;
    let filled = hands.copying.copy(|copier, moved| {
        let source = source.as_source();
        if is_begun { copier.inplace(source, &file, moved) } else { copier.fresh(source, &file, moved) }
    });
    // Whatever happens, what was written stays for the next run.
    hands.account.copied(source.judge(filled)?);
    let wanted = hands.metadata.wanted_anew(&source.stat, new);
    let (handle, have, xattrs) = (Handle::Open(file.as_fd()), Attributes::default(), &source.xattrs);
    let settling = Settling { handle, wanted: &wanted, have: &have, xattrs, is_new: true };
    let times = hands.metadata.settle_open(&mut hands.account, path, settling);
    commit::close(file).map_err(at_destination(Act::Write))?;
    if let Some(times) = times {
        hands.metadata.set(&mut hands.account, path, Handle::Named(&dir, name), &times);
    }
    make_way(hands, new)?;
    if hands.state.ground.options.fsync {
        // It gets its name once its content is on the disk; until then it has a temporary name next to it.
        let moved = commit::retry_names(|temp| dir.rename_into(name, &target.dir, temp));
        let (temp, ()) = moved.map_err(at_destination(Act::Publish))?;
        let _ = hands.state.barrier.publish_later(path, temp);
    } else {
        dir.rename_into(name, &target.dir, name).map_err(at_destination(Act::Publish))?;
    }
    // Another thread's file may be in it, or one of an earlier run.
    let _ = target.dir.remove_dir(PARTIAL_DIR);
    Ok(())
}

/// The directory of partial files, accessible only to its owner. Files of other users in it are not trusted.
fn partial_dir(target: &Directory, who: &Who) -> StepResult<Dir> {
    target.unlock();
    match target.dir.create_dir(PARTIAL_DIR, 0o700) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(at_destination(Act::Create)(errno)),
    }
    let dir = target.dir.open_dir(PARTIAL_DIR).map_err(at_destination(Act::Open))?;
    let stat = dir.stat_self().map_err(at_destination(Act::Stat))?;
    let is_private = stat.uid == who.uid && stat.mode & 0o777 == 0o700;
    let refused = || StepError::Destination(Act::Open, Cause::Os(Errno::ACCESS.into()));
    if is_private { Ok(dir) } else { Err(refused()) }
}

/// What an earlier run began, if it belongs to the user.
fn begun_file(dir: &Dir, name: &[u8], who: &Who) -> StepResult<Option<File>> {
    let file = match dir.open_file_for_update(name) {
        Err(Errno::NOENT) => return Ok(None),
        opened => opened.map_err(at_destination(Act::Open))?,
    };
    let stat = Stat::of(file.as_fd()).map_err(at_destination(Act::Stat))?;
    let is_ours = stat.kind == FileKind::File && stat.uid == who.uid && stat.nlink == 1;
    Ok(is_ours.then_some(file))
}

fn begin_file(dir: &Dir, name: &[u8]) -> StepResult<File> {
    remove_tree(dir, name).map_err(at_destination(Act::Remove))?;
    dir.create_file(name, 0o600).map_err(at_destination(Act::Create))
}

/// Removes the partial file of `name`, which is complete. Best effort: the next run may find it, and continues from
/// whatever it holds.
pub(super) fn drop_partial(target: &Directory, name: &[u8]) {
    if let Ok(dir) = target.dir.open_dir(PARTIAL_DIR) {
        let _ = dir.remove_file(name);
        let _ = target.dir.remove_dir(PARTIAL_DIR);
    }
}

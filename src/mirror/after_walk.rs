//! Does what is deferred to the end of the walk: links that waited for their first names, and removals that waited
//! until the whole source was read.

use super::choose::{Look, LookIn, look};
use super::deferred::{DeferredRemoval, RemovalParent};
use super::entry::mirror_entry;
use super::error::{StepError, StepResult, at_destination, at_source};
use super::hands::Hands;
use super::place::{DestEntry, EntryPair, EntryPlace};
use super::recording::{moment, note};
use super::remove::{ToRemove, lock_again, remove};
use super::scopes::Scopes;
use super::state::RunState;
use super::walk::Walk;
use crate::account::Cause;
use crate::dest::{self, Capability};
use crate::error::Act;
use crate::source;
use crate::sys::{Dir, Handle};
use crate::tree::attributes::{Attributes, Changes};
use crate::tree::{RelPath, RelPathBuf, Timestamp};
use std::os::fd::AsFd;

/// Both sides of a walked directory.
struct WalkedDirectory {
    src: source::SourceDirectory,
    dst: Option<dest::Directory>,
    /// The time of the destination's directory.
    mtime: Timestamp,
}

/// Makes the deferred links of one directory.
pub(super) fn link_deferred(walk: &Walk<'_>, hands: &mut Hands<'_>, paths: &[RelPathBuf]) {
    let parent = paths[0].as_path().parent().unwrap_or(RelPath::ROOT);
    let directory = match WalkedDirectory::open(&walk.state, parent) {
        Ok(directory) => directory,
        Err(error) => return hands.account.fail(parent, error),
    };
    let mut any = false;
    for path in paths {
        match link_one(walk, hands, &directory, path.as_path()) {
            Ok(made) => any |= made,
            Err(error) => {
                any |= !matches!(error, StepError::LeftOut(_));
                hands.account.fail(path.as_path(), error);
            }
        }
    }
    if let (true, Some(target)) = (any, &directory.dst) {
        lock_again(hands, target, parent);
        restore_time(hands, &target.dir, parent, directory.mtime);
    }
}

impl WalkedDirectory {
    fn open(state: &RunState<'_>, path: RelPath<'_>) -> StepResult<Self> {
        let src = state.ground.source_dir(path).map_err(at_source(Act::Open))?;
        let dir = match state.ground.made_dir(path) {
            Err(_) if state.ground.is_dry() => {
                return Ok(WalkedDirectory { src, dst: None, mtime: Timestamp::default() });
            }
            dir => dir.map_err(at_destination(Act::Open))?,
        };
        let stat = dir.stat_self().map_err(at_destination(Act::Stat))?;
        let dst = dest::Directory::live(dir, &stat, &state.ground.who).knowing(&state.can);
        Ok(WalkedDirectory { src, dst: Some(dst), mtime: stat.mtime })
    }
}

fn link_one(
    walk: &Walk<'_>,
    hands: &mut Hands<'_>,
    directory: &WalkedDirectory,
    path: RelPath<'_>,
) -> StepResult<bool> {
    let (src, dst, name) = (&directory.src, directory.dst.as_ref(), path.file_name());
    let dir = LookIn { src, scopes: &Scopes::default() };
    let Look::Entry(entry) = look(hands, dir, path, None)? else { return Ok(false) };
    let found = DestEntry::find(dst, name)?;
    let place = EntryPlace { src, dst, path, name, alternates: &[], protected: None };
    let recording = walk.state.recording.as_ref();
    let known = recording.and_then(|recording| recording.known(&recording.children(path.split().0), name));
    let pair = EntryPair { place, src: &entry, found: found.as_ref(), known };
    let moment = moment(&walk.state);
    let outcome = mirror_entry(walk, hands, pair)?;
    note(hands, pair, outcome, moment);
    Ok(outcome.has_touched_directory())
}

/// Makes the deferred removals of one directory.
pub(super) fn remove_deferred(hands: &mut Hands<'_>, removals: &[DeferredRemoval]) {
    let parent = &removals[0].parent;
    if let Err(error) = remove_from(hands, parent, removals) {
        hands.account.fail(parent.path.as_path(), error);
    }
}

fn remove_from(
    hands: &mut Hands<'_>,
    parent: &RemovalParent,
    removals: &[DeferredRemoval],
) -> StepResult<()> {
    let RemovalParent { path, id, scope, folds } = parent;
    let dir = hands.state.ground.made_dir(path.as_path()).map_err(at_destination(Act::Open))?;
    let before = dir.stat_self().map_err(at_destination(Act::Stat))?;
    if before.id() != *id {
        return Err(StepError::Destination(Act::Delete, Cause::Replaced));
    }
    let target = dest::Directory::live(dir, &before, &hands.state.ground.who);
    let mut any = false;
    let own = if *folds { crate::sys::Names::default() } else { names_if_folded(hands, path.as_path())? };
    for DeferredRemoval { name, is_directory, .. } in removals {
        if super::remove::is_respelled(hands.state, &target.dir, name, own.iter()) {
            continue;
        }
        if hands.state.is_ending() || hands.state.may_remove().is_err() {
            break;
        }
        let Ok(path) = path.as_path().join(name) else { continue };
        let (path, scope) = (path.as_path(), scope.as_ref());
        any |= remove(hands, ToRemove { target: &target, path, is_directory: *is_directory, scope });
    }
    lock_again(hands, &target, path.as_path());
    if any {
        restore_time(hands, &target.dir, path.as_path(), before.mtime);
    }
    Ok(())
}

/// The names of the source's directory, if the destination was found not to tell case apart.
fn names_if_folded(hands: &mut Hands<'_>, path: RelPath<'_>) -> StepResult<crate::sys::Names> {
    if hands.state.can.has(Capability::CaseSensitive) {
        return Ok(crate::sys::Names::default());
    }
    let dir = hands.state.ground.source_dir(path).map_err(at_source(Act::Open))?;
    dir.names(&mut hands.buffer).map_err(at_source(Act::List))
}

/// A directory that had the right time keeps it, whatever has happened in it since.
fn restore_time(hands: &mut Hands<'_>, dir: &Dir, path: RelPath<'_>, mtime: Timestamp) {
    let keep = hands.state.ground.keep();
    if !keep.times || keep.omit_dir_times || hands.state.ground.is_dry() {
        return;
    }
    if hands.state.ground.options.fsync {
        // New entries get their names later.
        hands.state.barrier.restore_time(path, mtime);
    }
    let attributes = Attributes { mtime: Some(mtime), ..Attributes::default() };
    let changes = Changes { attributes, ..Changes::default() };
    hands.metadata.set(&mut hands.account, path, Handle::Open(dir.as_fd()), &changes);
}

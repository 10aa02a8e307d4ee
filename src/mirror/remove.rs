//! Removes what the source does not have.
//!
//! What may be removed is decided in [`crate::plan::removal`], and the loop over a tree is
//! [`crate::dest::remove`]'s. What stays keeps every directory above it.

use super::backup::move_away;
use super::error::{StepResult, at_destination};
use super::hands::Hands;
use super::place::PARTIAL_DIR;
use super::scopes::{enter_deleted, valid};
use super::state::RunState;
use crate::dest::backup::BackupPlace;
use crate::dest::remove::{self, Level, Removal, RemovalPlace};
use crate::dest::spelling::is_one_entry;
use crate::dest::{Capability, Directory};
use crate::error::Act;
use crate::plan::names::fold;
use crate::plan::removal::{EntryFacts, MadeBy, Meant, RemovalStep, Role, decide};
use crate::rules::{Scope, Verdict};
use crate::sys::{Dir, FileKind, Handle, Names, Stat};
use crate::tree::RelPath;
use crate::tree::attributes::{Attributes, Changes};
use rustix::io::Errno;
use std::os::fd::AsFd;

/// An entry to remove.
#[derive(Clone, Copy)]
pub(super) struct ToRemove<'a> {
    /// The directory that it is in.
    pub(super) target: &'a Directory,
    pub(super) path: RelPath<'a>,
    pub(super) is_directory: bool,
    /// The rules that protect entries of that directory.
    pub(super) scope: Option<&'a Scope>,
}

/// What is known about an entry by its name alone.
pub(super) fn facts(
    state: &RunState<'_>,
    path: RelPath<'_>,
    is_directory: bool,
    scope: Option<&Scope>,
) -> EntryFacts {
    let made_by = if path.file_name() == PARTIAL_DIR { MadeBy::PartialRun } else { MadeBy::Anyone };
    let own = state.ground.own_path(path);
    let is_protected = scope.is_some_and(|scope| scope.protects(valid(&own), is_directory));
    EntryFacts { is_directory, is_protected, made_by, meant: meant(state, path), role: Role::Plain }
}

/// What the manifest of an earlier run says about an entry, if there is one.
fn meant(state: &RunState<'_>, path: RelPath<'_>) -> Meant {
    let is_named = state.ground.manifest.as_ref().is_none_or(|manifest| manifest.names(path));
    if is_named { Meant::Yes } else { Meant::OnlyBelow }
}

/// Whether the destination's `name` is another spelling of one of these names of the source: for a directory whose names
/// were joined before it was found that the destination does not tell case apart.
pub(super) fn is_respelled<'n>(
    state: &RunState<'_>,
    dir: &Dir,
    name: &[u8],
    mut src: impl Iterator<Item = &'n [u8]>,
) -> bool {
    let may_be = |own: &[u8]| own != name && fold(own) == fold(name) && is_one_entry(dir, own, name);
    !state.can.has(Capability::CaseSensitive) && src.any(may_be)
}

/// Removes an entry and everything below it, as far as allowed. Returns whether it is gone.
pub(super) fn remove(hands: &mut Hands<'_>, entry: ToRemove<'_>) -> bool {
    let ToRemove { target, path, is_directory, scope } = entry;
    let place = RemovalPlace { directory: target, path };
    if !is_directory {
        return is_meant(hands.state, path, false) && remove_entry(hands, place, None);
    }
    remove::remove(hands, place, Some(FileKind::Directory), &scope.cloned())
}

/// Whether no list of what may be removed leaves an entry out.
fn is_meant(state: &RunState<'_>, path: RelPath<'_>, is_directory: bool) -> bool {
    let facts = EntryFacts { is_directory, meant: meant(state, path), ..EntryFacts::default() };
    decide(facts) == RemovalStep::Remove
}

impl Removal for Hands<'_> {
    /// The rules of the destination that hold in the directory.
    type Scope = Option<Scope>;

    fn is_ending(&self) -> bool {
        self.state.is_ending()
    }

    fn keeps(&self, place: RemovalPlace<'_>, kind: Option<FileKind>, scope: &Self::Scope) -> bool {
        let is_directory = kind == Some(FileKind::Directory);
        let facts = facts(self.state, place.path, is_directory, scope.as_ref());
        matches!(decide(facts), RemovalStep::Stay(_))
    }

    fn enter(&mut self, place: RemovalPlace<'_>, scope: &Self::Scope) -> Option<Level<Self::Scope>> {
        open_level(self, place, scope.as_ref()).unwrap_or_else(|error| {
            self.account.fail(place.path, error);
            None
        })
    }

    fn entry(&mut self, place: RemovalPlace<'_>, kind: Option<FileKind>, _: &Self::Scope) -> bool {
        // A backup next to it keeps the directory.
        remove_entry(self, place, kind)
            && !self.state.ground.backup.as_ref().is_some_and(BackupPlace::is_beside)
    }

    fn directory(&mut self, place: RemovalPlace<'_>, scope: &Self::Scope) -> bool {
        // A directory that is only on the way to what the rules select stays.
        let own = self.state.ground.own_path(place.path);
        let is_passed = scope.as_ref().is_some_and(|scope| scope.verdict(valid(&own), true) == Verdict::Pass);
        !is_passed
            && is_meant(self.state, place.path, true)
            && remove_entry(self, place, Some(FileKind::Directory))
    }

    fn stays(&mut self, path: RelPath<'_>, directory: &Directory) {
        lock_again(self, directory, path);
    }
}

/// Opens a directory to remove, if that is allowed.
fn open_level(
    hands: &mut Hands<'_>,
    place: RemovalPlace<'_>,
    scope: Option<&Scope>,
) -> StepResult<Option<Level<Option<Scope>>>> {
    let path = place.path;
    let dir = place.directory.dir.open_dir(place.name()).map_err(at_destination(Act::Open))?;
    let stat = dir.stat_self().map_err(at_destination(Act::Stat))?;
    let names = Names::of(&dir, &mut hands.buffer).map_err(at_destination(Act::List))?;
    let facts = EntryFacts { is_directory: true, role: role(hands.state, &stat), ..EntryFacts::default() };
    if let RemovalStep::Stay(why) = decide(facts) {
        hands.account.skip(path, why.reason().unwrap_or_default());
        return Ok(None);
    }
    let scope = match scope {
        Some(scope) => {
            let root = hands.state.ground.dst.as_ref().map_or(&dir, |root| &root.dir);
            let own = hands.state.ground.own_path(path);
            Some(enter_deleted(&mut hands.account, scope, root, &dir, valid(&own))?)
        }
        None => None,
    };
    let directory = Directory::live(dir, &stat, &hands.state.ground.who);
    Ok(Some(Level::new(path, directory, names, scope)))
}

/// What a directory to remove turned out to be.
pub(super) fn role(state: &RunState<'_>, stat: &Stat) -> Role {
    let ground = &state.ground;
    let crosses = || {
        ground.options.choice.one_file_system
            && ground.dst.as_ref().is_none_or(|dst| stat.is_on_other_file_system(&dst.stat))
    };
    if stat.id() == ground.src.stat.id() {
        Role::Source
    } else if ground.backup.as_ref().is_some_and(|backup| backup.is_at(stat.id())) {
        Role::Backups
    } else if crosses() {
        Role::OtherFileSystem
    } else {
        Role::Plain
    }
}

/// Removes one entry, which is empty if it is a directory. Returns whether it is gone.
fn remove_entry(hands: &mut Hands<'_>, place: RemovalPlace<'_>, kind: Option<FileKind>) -> bool {
    let (path, name, ground) = (place.path, place.name(), &hands.state.ground);
    let dir = &place.directory.dir;
    let Some(kind) = kind.or_else(|| dir.stat(name).ok().map(|stat| stat.kind)) else { return true };
    let most = ground.options.delete.as_ref().and_then(|delete| delete.max).unwrap_or(u64::MAX);
    if !hands.state.flags.take_removal(most) {
        hands.account.fail_limit(path);
        return false;
    }
    let removed = if ground.is_dry() {
        Ok(())
    } else {
        place.directory.unlock();
        match kind {
            FileKind::Directory => match dir.remove_dir(name) {
                Err(Errno::NOENT) => return true,
                result => result.map_err(at_destination(Act::Delete)),
            },
            _ => move_away(hands, place.directory, path),
        }
    };
    match removed {
        Ok(()) => hands.account.deleted(path, kind),
        Err(error) => {
            hands.account.fail(path, error);
            return false;
        }
    }
    true
}

/// Restores a directory that was unlocked for this.
pub(super) fn lock_again(hands: &mut Hands<'_>, directory: &Directory, path: RelPath<'_>) {
    let Some(mode) = directory.mode_before() else { return };
    let attributes = Attributes { mode: Some(mode), ..Attributes::default() };
    let changes = Changes { attributes, ..Changes::default() };
    if hands.state.ground.options.fsync {
        // Names that wait for the barrier are still missing.
        return hands.state.barrier.set_later(path, changes);
    }
    hands.metadata.set(&mut hands.account, path, Handle::Open(directory.dir.as_fd()), &changes);
}

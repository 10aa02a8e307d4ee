//! Renamed files: a file to be removed is used for a new one with the same content.

use super::copying::SourceContent;
use super::error::{StepError, StepResult, at_destination};
use super::hands::Hands;
use super::metadata::Settling;
use super::naming::put;
use super::place::EntryPair;
use super::remove::{ToRemove, facts, role};
use super::scopes::{enter_deleted, valid};
use crate::error::Act;
use crate::plan::removal::{EntryFacts, RemovalStep, decide};
use crate::pool::lock;
use crate::sys::{Dir, FileKind, Handle, Names, Stat};
use crate::tree::attributes::Attributes;
use crate::tree::{RelPath, RelPathBuf};
use std::collections::HashMap;
use std::sync::Mutex;

/// The files to be removed, by their length. Files with several names are not included, since one of the names may
/// stay.
#[derive(Debug, Default)]
pub(super) struct Renames {
    by_size: Mutex<HashMap<u64, Vec<RelPathBuf>>>,
}

impl Renames {
    fn add(&self, path: RelPath<'_>, stat: &Stat) {
        if stat.kind == FileKind::File && stat.size > 0 && stat.nlink == 1 {
            lock(&self.by_size).entry(stat.size).or_default().push(path.to_buf());
        }
    }

    fn of_size(&self, size: u64) -> Vec<RelPathBuf> {
        lock(&self.by_size).get(&size).cloned().unwrap_or_default()
    }

    /// Takes a file for one use; `false` if another thread was faster.
    fn take(&self, size: u64, path: &RelPathBuf) -> bool {
        let mut by_size = lock(&self.by_size);
        let Some(paths) = by_size.get_mut(&size) else { return false };
        let Some(at) = paths.iter().position(|one| one == path) else { return false };
        paths.swap_remove(at);
        true
    }
}

/// Records an entry to be removed, and what is to be removed below it. What cannot be opened or listed is not used.
pub(super) fn survey(hands: &mut Hands<'_>, renames: &Renames, entry: ToRemove<'_>) {
    let ToRemove { target, path, is_directory, scope } = entry;
    if !is_directory {
        if let Ok(stat) = target.dir.stat(path.file_name()) {
            renames.add(path, &stat);
        }
        return;
    }
    let Ok(top) = target.dir.open_dir(path.file_name()) else { return };
    let mut waiting = vec![(path.to_buf(), top, scope.cloned())];
    while let Some((path, dir, scope)) = waiting.pop() {
        let scope = match scope.map(|scope| {
            let root = hands.state.ground.dst.as_ref().map_or(&dir, |root| &root.dir);
            let own = hands.state.ground.own_path(path.as_path());
            enter_deleted(&mut hands.account, &scope, root, &dir, valid(&own))
        }) {
            Some(Err(_)) => return,
            entered => entered.and_then(Result::ok),
        };
        let Ok(names) = Names::of(&dir, &mut hands.buffer) else { continue };
        for name in names.iter() {
            let (Ok(below), Ok(stat)) = (path.as_path().join(name), dir.stat(name)) else { continue };
            let is_directory = stat.kind == FileKind::Directory;
            let facts = facts(hands.state, below.as_path(), is_directory, scope.as_ref());
            if let RemovalStep::Stay(_) = decide(EntryFacts { role: role(hands.state, &stat), ..facts }) {
                continue;
            }
            if !is_directory {
                renames.add(below.as_path(), &stat);
            } else if let Ok(child) = dir.open_dir(name) {
                waiting.push((below, child, scope.clone()));
            }
        }
    }
}

/// Creates the entry from a file with the same content that is to be removed. Returns that file's path.
pub(super) fn make_of_removed(
    hands: &mut Hands<'_>,
    pair: EntryPair<'_>,
    renames: &Renames,
) -> StepResult<Option<RelPathBuf>> {
    let (src, Some(root)) = (&pair.src.stat, &hands.state.ground.dst) else { return Ok(None) };
    if src.kind != FileKind::File || src.size == 0 {
        return Ok(None);
    }
    for path in renames.of_size(src.size) {
        let (parent, name) = path.as_path().split();
        let Ok(dir) = root.dir.open_dir_beneath(parent) else { continue };
        let same = match hands.copying.is_same(pair.place, pair.src, &dir, name) {
            // It may be gone by now, and what cannot be read is not used.
            Err(StepError::Destination(..)) => false,
            same => same?,
        };
        if !same || !renames.take(src.size, &path) {
            continue;
        }
        if hands.state.ground.is_dry() || take_over(hands, pair, &dir, name)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Makes the entry another name of the file `name` in `dir`, with its own metadata. `false` if it cannot be linked.
fn take_over(hands: &mut Hands<'_>, pair: EntryPair<'_>, dir: &Dir, name: &[u8]) -> StepResult<bool> {
    let EntryPair { place, src, .. } = pair;
    let Some(target) = place.dst else { return Ok(false) };
    let stat = dir.stat(name).map_err(at_destination(Act::Stat))?;
    let Ok(temp) = target.create_link(place.name, dir, name) else { return Ok(false) };
    let at = temp.as_deref().unwrap_or(place.name);
    target.check_link(at, stat.id())?;
    let source = SourceContent::open(&hands.metadata, place, src, &src.stat)?;
    let (wanted, have) = (hands.metadata.wanted(&src.stat, None), Attributes::of(&stat));
    let (handle, xattrs) = (Handle::Named(&target.dir, at), &source.xattrs);
    let settling = Settling { handle, wanted: &wanted, have: &have, xattrs, is_new: false };
    hands.metadata.settle(&mut hands.account, place.path, settling);
    put(hands, pair.new_name(target), temp)?;
    Ok(true)
}

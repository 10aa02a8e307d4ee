//! Handles names of the destination that the source does not have, or that do not take part.

use super::hands::Hands;
use super::options::DeleteWhen;
use super::pair::DirectoryPair;
use super::place::PARTIAL_DIR;
use super::remove::{ToRemove, facts, is_respelled, remove};
use super::renames::survey;
use super::task::Purpose;
use super::walk::Walk;
use crate::dest::stale::remove_stale;
use crate::plan::removal::{MadeBy, RemovalStep, decide};
use crate::sys::FileKind;

/// A name of the destination, and its kind from the listing.
#[derive(Clone, Copy)]
pub(super) struct ListedName<'a> {
    pub(super) name: &'a [u8],
    pub(super) kind: Option<FileKind>,
}

/// Handles a name that the source does not have: removes it, defers its removal, or keeps it.
pub(super) fn extraneous(
    walk: &Walk<'_>,
    hands: &mut Hands<'_>,
    purpose: Purpose,
    pair: &DirectoryPair,
    listed: ListedName<'_>,
) {
    let (state, ground, name) = (&walk.state, &walk.state.ground, listed.name);
    let Some(target) = &pair.dst.target else { return };
    let Ok(path) = pair.as_path().join(name) else { return };
    let path = path.as_path();
    // If the selected paths name entries here, other entries take no part.
    if name == PARTIAL_DIR || pair.scopes.names_entries() {
        return;
    }
    if !pair.folds && is_respelled(state, &target.dir, name, pair.src.names.iter()) {
        return;
    }
    if !ground.is_dry() && remove_stale(target, name, &ground.who) {
        return pair.touch();
    }
    if ground.options.delete.is_none() {
        return;
    }
    let kind = listed.kind.or_else(|| target.dir.stat(name).ok().map(|stat| stat.kind));
    let is_directory = kind == Some(FileKind::Directory);
    let scope = pair.scopes.protected.as_ref();
    let mut facts = facts(state, path, is_directory, scope);
    if ground.backup.as_ref().is_some_and(|backup| backup.made(name)) {
        facts.made_by = MadeBy::Backup;
    }
    if let RemovalStep::Stay(_) = decide(facts) {
        return;
    }
    let entry = ToRemove { target, path, is_directory, scope };
    match purpose {
        Purpose::Survey => {
            if let Some(renames) = &walk.renames {
                survey(hands, renames, entry);
            }
        }
        Purpose::Transfer if ground.deletes(DeleteWhen::Delayed) => {
            walk.deferred.remove(pair.removals(), name, is_directory);
        }
        Purpose::Transfer if !ground.deletes(DeleteWhen::During) => {}
        Purpose::Transfer | Purpose::Delete => {
            if state.may_remove().is_ok() && remove(hands, entry) {
                pair.touch();
            }
        }
    }
}

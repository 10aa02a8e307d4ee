//! What a delta holds of a tree: what is new or changed, and what that needs.
//!
//! Directories above held entries are held, too, as in every archive. A hard-link group is held as a whole or not at
//! all: so its links never point to a name that only the base has, and a tar reader that unpacks the delta over the
//! base recreates the group.

use super::options::PackOptions;
use super::run::PackRun;
use super::unchanged::unchanged;
use crate::archive::index::DeltaIndex;
use crate::archive::layers::{self, Layers};
use crate::error::{Error, Precaution, Unfit};
use crate::source::layers::{Files, open};
use crate::sys::Stat;
use crate::sys::output::OutputPlace;
use crate::tree::{Kind, RelPath};
use crate::walk::Found;
use std::collections::HashSet;
use std::os::fd::AsFd;

/// Opens the archives that the new one is a delta of, if it is a delta.
pub(super) fn files(options: &PackOptions) -> Result<Files<'_>, Error> {
    let Some(delta) = &options.delta else { return Ok(Files::new()) };
    let Some((lowest, deltas)) = delta.layers.split_first() else { return Ok(Files::new()) };
    match &options.base {
        _ if options.single_frame => Err(Error::unfit(lowest, Unfit::SingleFrame)),
        Some(base) => Err(Error::unfit(&base.path, Unfit::BaseOfDelta)),
        None => open(lowest, deltas),
    }
}

/// Refuses to write the delta over an archive that it is a delta of: it would be useless without it.
pub(super) fn refuse_loss(files: &Files<'_>, place: &OutputPlace) -> Result<(), Error> {
    let Some(existing) = place.existing() else { return Ok(()) };
    for (path, file) in files {
        if Stat::of(file.as_fd()).is_ok_and(|stat| stat.id() == existing.id()) {
            return Err(Precaution::DeltaOverBase { base: path.to_path_buf() }.into());
        }
    }
    Ok(())
}

/// Takes unchanged entries out of a scanned tree. Nothing counts as removed if the tree could not be read completely.
pub(super) fn changes(
    run: &PackRun<'_>,
    base: &Layers<'_>,
    mut found: Vec<Found>,
    is_complete: bool,
) -> (Vec<Found>, Option<DeltaIndex>) {
    let checksum = run.options.delta.as_ref().is_some_and(|delta| delta.checksum);
    let same = unchanged(run, base.records(), &found, checksum);
    let mut is_held: Vec<bool> = same.iter().map(Option::is_none).collect();
    hold_groups(&found, &mut is_held);
    hold_above(&found, &mut is_held);
    let removed = if is_complete {
        let all = found.iter().map(|one| (one.entry.path.as_path(), one.entry.kind == Kind::Directory));
        layers::removed(base.records().iter().map(|record| record.entry.path.as_path()), all)
    } else {
        Vec::new()
    };
    let mut is_held = is_held.into_iter();
    found.retain(|_| is_held.next() == Some(true));
    (found, base.identity().map(|base| DeltaIndex { base, removed }))
}

/// Holds all names of a group if any of them is held.
fn hold_groups(found: &[Found], is_held: &mut [bool]) {
    let first = |number: usize| match &found[number].entry.kind {
        Kind::HardLink(target) => Some(target.as_path()),
        _ => Some(found[number].entry.path.as_path()).filter(|_| found[number].has_links),
    };
    let held: HashSet<RelPath<'_>> =
        (0..found.len()).filter(|&number| is_held[number]).filter_map(first).collect();
    for (number, is_held) in is_held.iter_mut().enumerate() {
        *is_held |= first(number).is_some_and(|first| held.contains(&first));
    }
}

/// Holds the directories above held entries, and the root.
fn hold_above(found: &[Found], is_held: &mut [bool]) {
    let mut below: Option<RelPath<'_>> = None;
    for (number, one) in found.iter().enumerate().rev() {
        let path = one.entry.path.as_path();
        let is_above = one.entry.kind == Kind::Directory && below.is_some_and(|below| below.is_within(path));
        is_held[number] |= is_above || path.is_root();
        if is_held[number] {
            below = Some(path);
        }
    }
}

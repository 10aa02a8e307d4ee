//! Puts the listings of a scan in path order.

use super::found::{Child, Found, Listing};
use crate::tree::{RelPath, RelPathBuf};
use std::collections::HashMap;
use std::vec;

/// All entries of a scan in path order: a directory, then its contents by name.
///
/// The listings are already sorted, so this is one pass over the tree; sorting all paths was rejected because it
/// compares every path about twenty times.
pub(super) fn assemble(listings: Vec<Listing>) -> Vec<Found> {
    let total = listings.iter().map(|l| l.children.len() + 1).sum();
    let mut by_path = join_stretches(listings);
    let mut found = Vec::with_capacity(total);
    let mut stack: Vec<vec::IntoIter<Child>> = Vec::new();
    descend(&mut by_path, RelPath::ROOT, &mut found, &mut stack);
    while let Some(children) = stack.last_mut() {
        match children.next() {
            Some(Child::Other(leaf)) => found.push(leaf),
            Some(Child::Directory(path)) => descend(&mut by_path, path.as_path(), &mut found, &mut stack),
            None => {
                stack.pop();
            }
        }
    }
    found
}

fn descend(
    by_path: &mut HashMap<RelPathBuf, Listing>,
    path: RelPath<'_>,
    found: &mut Vec<Found>,
    stack: &mut Vec<vec::IntoIter<Child>>,
) {
    // Missing if the scan was interrupted.
    if let Some(listing) = by_path.remove(&path.to_buf()) {
        let leaves_out = listing.leaves_out;
        found.extend(listing.own.map(|own| Found { leaves_out, ..own }));
        stack.push(listing.children.into_iter());
    }
}

fn join_stretches(listings: Vec<Listing>) -> HashMap<RelPathBuf, Listing> {
    let mut by_path: HashMap<RelPathBuf, Listing> = HashMap::with_capacity(listings.len());
    let mut joined: Vec<RelPathBuf> = Vec::new();
    for listing in listings {
        match by_path.entry(listing.path.clone()) {
            std::collections::hash_map::Entry::Vacant(vacant) => {
                vacant.insert(listing);
            }
            std::collections::hash_map::Entry::Occupied(mut occupied) => {
                let into = occupied.get_mut();
                into.own = into.own.take().or(listing.own);
                into.leaves_out |= listing.leaves_out;
                into.children.extend(listing.children);
                joined.push(listing.path);
            }
        }
    }
    joined.dedup();
    for path in joined {
        if let Some(listing) = by_path.get_mut(&path) {
            // Stretches are sorted runs, which the stable sort merges.
            listing.children.sort_by(|a, b| a.name().cmp(b.name()));
        }
    }
    by_path
}

/// Drops directories that were only passed through and have no kept entry below them.
pub(super) fn prune(found: &mut Vec<Found>) {
    if !found.iter().any(|one| one.is_passed) {
        return;
    }
    let mut needed = vec![true; found.len()];
    // From the last entry to the first, so everything below a directory has been judged before it.
    let mut last_kept: Option<usize> = None;
    for (i, one) in found.iter().enumerate().rev() {
        let path = one.entry.path.as_path();
        let holds_kept = || last_kept.is_some_and(|kept| found[kept].entry.path.as_path().is_within(path));
        needed[i] = !one.is_passed || path.is_root() || holds_kept();
        if needed[i] {
            last_kept = Some(i);
        }
    }
    let mut needed = needed.into_iter();
    found.retain(|_| needed.next().unwrap_or(true));
}

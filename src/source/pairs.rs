//! Walks two sides in path order, in lock-step, for every verb that compares.

use crate::tree::{Entry, Kind, RelPath};
use crate::walk::Found;
use std::cmp::Ordering;

/// What has an entry, and so a path.
pub(crate) trait HasEntry {
    fn entry(&self) -> &Entry;

    fn path(&self) -> RelPath<'_> {
        self.entry().path.as_path()
    }
}

impl HasEntry for Found {
    fn entry(&self) -> &Entry {
        &self.entry
    }
}

/// What the sides have of one path.
pub(crate) enum Pair<'a, S, D> {
    Src(&'a S),
    Dst(&'a D),
    Both(&'a S, &'a D),
}

// Derived, they would require the same of both sides.
impl<S, D> Copy for Pair<'_, S, D> {}
impl<S, D> Clone for Pair<'_, S, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<'a, S: HasEntry, D: HasEntry> Pair<'a, S, D> {
    /// The source's entry, or the destination's if there is none.
    pub(crate) fn entry(self) -> &'a Entry {
        match self {
            Pair::Src(src) | Pair::Both(src, _) => src.entry(),
            Pair::Dst(dst) => dst.entry(),
        }
    }
}

/// Both sides in path order, in lock-step.
pub(crate) struct Pairs<'a, S, D> {
    pub(crate) src: &'a [S],
    pub(crate) dst: &'a [D],
}

impl<'a, S: HasEntry, D: HasEntry> Iterator for Pairs<'a, S, D> {
    type Item = Pair<'a, S, D>;

    fn next(&mut self) -> Option<Pair<'a, S, D>> {
        loop {
            let order = match (self.src.first(), self.dst.first()) {
                (None, None) => return None,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(src), Some(dst)) => src.path().cmp(&dst.path()),
            };
            let src = if order.is_le() { self.src.split_off_first() } else { None };
            let dst = if order.is_ge() { self.dst.split_off_first() } else { None };
            match (src, dst) {
                (Some(src), Some(dst)) => return Some(Pair::Both(src, dst)),
                (Some(src), None) if !is_implied(src, self.dst) => return Some(Pair::Src(src)),
                (None, Some(dst)) if !is_implied(dst, self.src) => return Some(Pair::Dst(dst)),
                _ => {}
            }
        }
    }
}

/// Whether an entry that only one side has is a directory that the other side implies. An archive need not have an
/// entry for the root, or for any directory with entries below it.
fn is_implied(one: &impl HasEntry, other: &[impl HasEntry]) -> bool {
    let path = one.path();
    let holds_more = || other.first().is_some_and(|next| next.path().is_within(path));
    one.entry().kind == Kind::Directory && (path.is_root() || holds_more())
}

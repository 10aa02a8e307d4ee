//! What is told of a change, and as what it counts.

use crate::account::{Aspects, Deed};
use crate::tree::RelPath;

/// What is told of a change, beside the entry itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) deed: Deed,
    pub(super) is_new: bool,
    pub(super) differs: Aspects,
    pub(super) target: Option<&'a [u8]>,
    pub(super) name: Name,
}

/// Whether an entry is counted as what it is, or as a hard link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// The only name of an inode in the mirror, or the first that was met.
    First,
    /// A further name of one that is counted.
    Further,
}

impl<'a> Told<'a> {
    /// An entry is made where there was none, or none of its kind. `target` is a symlink's.
    pub(super) fn created(target: Option<&'a [u8]>) -> Self {
        Told { deed: Deed::Create, is_new: true, differs: Aspects::default(), target, name: Name::First }
    }

    /// The entry becomes a name of the inode at `target`, in another tree or of an entry that is to be removed.
    pub(super) fn linked(target: RelPath<'a>) -> Self {
        Told { deed: Deed::Link, ..Told::created(Some(target.as_bytes())) }
    }

    /// The entry becomes a further name of the entry `first`, where there was none, or none of its kind.
    pub(super) fn further_name(first: RelPath<'a>) -> Self {
        Told { name: Name::Further, ..Told::linked(first) }
    }

    /// An entry that is there changes in these aspects.
    pub(super) fn differs(deed: Deed, differs: Aspects, target: Option<&'a [u8]>) -> Self {
        Told { deed, is_new: false, differs, target, name: Name::First }
    }
}

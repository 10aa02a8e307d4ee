//! What there is to do in a walk over both trees.

use super::pair::DirectoryPair;
use crate::tree::Standing;
use std::ops::Range;
use std::sync::Arc;

/// What a walk over both trees is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To find what is to be removed, and could serve for what is to be made.
    Survey,
    /// To remove what the source does not have.
    Delete,
    /// To make the destination what the source is.
    Transfer,
}

/// Something to do.
pub(super) enum WalkTask {
    Root,
    Directory(ChildDirectory),
    Stretch(Stretch),
}

/// Some names of a directory.
pub(super) struct Stretch {
    pub(super) pair: Arc<DirectoryPair>,
    pub(super) range: Range<usize>,
}

/// A directory of the source, in one that is worked on.
pub(super) struct ChildDirectory {
    pub(super) above: Arc<DirectoryPair>,
    pub(super) name: Box<[u8]>,
    /// It is a symlink to a directory, and followed.
    pub(super) follow: bool,
    pub(super) there: Occupant,
}

/// What the destination has in the place of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occupant {
    Nothing,
    Directory,
    /// A symlink to a directory, which counts as one.
    DirectoryLink,
    Other,
}

impl Occupant {
    /// What it counts as.
    pub(super) fn standing(self) -> Standing {
        match self {
            Occupant::Nothing => Standing::Nothing,
            Occupant::Directory | Occupant::DirectoryLink => Standing::Directory,
            Occupant::Other => Standing::Other,
        }
    }
}

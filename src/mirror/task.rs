//! The tasks of a walk over both trees.

use super::pair::DirectoryPair;
use crate::tree::Standing;
use std::ops::Range;
use std::sync::Arc;

/// The purpose of a walk over both trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To find what is to be removed and could be used for new entries.
    Survey,
    /// To remove what the source does not have.
    Delete,
    /// To make the destination like the source.
    Transfer,
}

/// A task.
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

/// A directory of the source, in one that is being handled.
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

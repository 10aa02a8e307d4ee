//! What can be asked of `haul unpack`.

use crate::dest::{Capability, Insist};
use crate::error::IndexUse;
use crate::ops::Threads;
use crate::rules::{Rules, Select};
use crate::tree::RelPathBuf;
use std::path::PathBuf;

/// How to unpack.
#[derive(Debug, Clone)]
pub struct Options {
    /// Worker threads.
    pub threads: Threads,
    /// Which members to unpack.
    pub select: Select,
    /// Give entries the owners that the archive names. Without it they belong to the running user.
    pub same_owner: bool,
    /// Set modes exactly, setuid and setgid included, and privileged xattrs. Without it the umask applies.
    pub same_permissions: bool,
    /// Use the archive's user and group numbers even where it has names.
    pub numeric_owner: bool,
    /// Leave what exists as it is, in place of replacing it.
    pub keep_existing: bool,
    /// Set extended attributes, but for ACLs.
    pub xattrs: bool,
    /// Set POSIX ACLs.
    pub acls: bool,
    /// What the destination is taken to lack, without asking it.
    pub without: Vec<Capability>,
    /// What the destination must keep: without it, each entry is a failure.
    pub insist: Insist,
    /// Return only when the tree would survive a power cut.
    pub fsync: bool,
    /// Leave alone what is in the destination already as the archive says.
    pub update: Option<Update>,
    /// Write these first.
    pub prefetch: Option<Prefetch>,
    /// Return at once when the destination is noted, in this place, to be what this run would make of it. Needs an
    /// archive with an index.
    pub if_changed: Option<StampPlace>,
    /// Deltas over the archive, each of what is before it. Need archives with an index, in files.
    pub deltas: Vec<PathBuf>,
}

/// What is unpacked before everything else, and can be used while the rest is still being unpacked. Needs an archive with
/// an index.
#[derive(Debug, Clone, Default)]
pub struct Prefetch {
    /// These entries and what lies below them.
    pub paths: Vec<RelPathBuf>,
    /// And what these rules keep. Without any, nothing.
    pub rules: Rules,
}

/// Where the note of a tree is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StampPlace {
    /// Beside the directory NAME, as `.NAME.haul-stamp`.
    Beside,
    /// In this file.
    At(PathBuf),
}

/// How a tree is brought to the state of an archive.
#[derive(Debug, Clone, Copy, Default)]
pub struct Update {
    /// Compare content by digests, in place of size and time. Needs an archive with an index.
    pub checksum: bool,
    /// Remove what the archive does not have, of what is selected, unless anything went wrong.
    pub delete: bool,
}

impl Options {
    /// What was asked for that an archive without an index cannot give.
    pub(super) fn wants_index(&self) -> Option<IndexUse> {
        [
            (IndexUse::Stamp, self.if_changed.is_some()),
            (IndexUse::Prefetch, self.prefetch.is_some()),
            (IndexUse::Digests, self.update.is_some_and(|update| update.checksum)),
            (IndexUse::Delta, !self.deltas.is_empty()),
        ]
        .into_iter()
        .find_map(|(use_, is_wanted)| is_wanted.then_some(use_))
    }

    pub(super) fn deletes(&self) -> bool {
        self.update.is_some_and(|update| update.delete)
    }
}

//! The options of `haul unpack`.

use crate::dest::DestinationOptions;
use crate::error::IndexUse;
use crate::ops::{Threads, default_threads};
use crate::rules::{Rules, Select};
use crate::tree::RelPathBuf;
use std::path::PathBuf;

/// How to unpack. Begin with [`UnpackOptions::default`] and set what is to be different.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UnpackOptions {
    /// Worker threads.
    pub threads: Threads,
    /// Which members to unpack.
    pub select: Select,
    /// Give entries the owners in the archive. Otherwise they belong to the running user.
    pub same_owner: bool,
    /// Set modes exactly, including setuid and setgid, and privileged xattrs. Otherwise the umask applies.
    pub same_permissions: bool,
    /// Use the archive's user and group numbers even if it has names.
    pub numeric_owner: bool,
    /// Leave existing entries alone instead of replacing them.
    pub keep_existing: bool,
    /// Set modes. Otherwise new entries get their mode less the umask, and old ones keep theirs.
    pub modes: bool,
    /// With `same_owner`: set owners.
    pub users: bool,
    /// With `same_owner`: set groups.
    pub groups: bool,
    /// Set modification times.
    pub times: bool,
    /// Except those of directories.
    pub omit_dir_times: bool,
    /// Create symbolic links; otherwise they are left out.
    pub symlinks: bool,
    /// Create hard links; otherwise each name is a file of its own.
    pub hard_links: bool,
    /// Set extended attributes, except ACLs.
    pub xattrs: bool,
    /// Set POSIX ACLs.
    pub acls: bool,
    /// How the destination is treated.
    pub destination: DestinationOptions,
    /// Return only when the tree would survive a power cut.
    pub fsync: bool,
    /// Leave entries of the destination alone that already match the archive.
    pub update: Option<Update>,
    /// Unpack these first.
    pub prefetch: Option<Prefetch>,
    /// Return at once if the stamp in this place says that the destination already is the result of this run. Needs an
    /// archive with an index.
    pub if_changed: Option<StampPlace>,
    /// Deltas on top of the archive, each a delta of those before it. They need archives with an index, in files.
    pub deltas: Vec<PathBuf>,
}

impl Default for UnpackOptions {
    /// Everything is unpacked by all threads, as for a user who is not root: what exists is replaced, owners are those
    /// of the running user, and the umask applies.
    fn default() -> Self {
        UnpackOptions {
            threads: default_threads(),
            select: Select::default(),
            same_owner: false,
            same_permissions: false,
            numeric_owner: false,
            keep_existing: false,
            modes: true,
            users: true,
            groups: true,
            times: true,
            omit_dir_times: false,
            symlinks: true,
            hard_links: true,
            xattrs: true,
            acls: true,
            destination: DestinationOptions::default(),
            fsync: false,
            update: None,
            prefetch: None,
            if_changed: None,
            deltas: Vec::new(),
        }
    }
}

/// What to unpack first, so that it can be used while the rest is still being unpacked. Needs an archive with an index.
#[derive(Debug, Clone, Default)]
pub struct Prefetch {
    /// These entries and everything below them.
    pub paths: Vec<RelPathBuf>,
    /// And what these rules keep; nothing without rules.
    pub rules: Rules,
}

/// Where the stamp of a tree is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StampPlace {
    /// Next to the directory NAME, as `.NAME.haul-stamp`.
    Beside,
    /// In this file.
    At(PathBuf),
}

/// How a tree is brought to the state of an archive.
#[derive(Debug, Clone, Copy, Default)]
pub struct Update {
    /// Compare contents by digest instead of by size and time. Needs an archive with an index.
    pub checksum: bool,
    /// Remove selected entries that the archive does not have, unless anything failed.
    pub delete: bool,
}

impl UnpackOptions {
    /// What was requested that an archive without an index cannot provide.
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

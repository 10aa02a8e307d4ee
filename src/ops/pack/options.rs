//! What can be asked of `haul pack`.

use crate::ops::{Threads, default_threads};
use crate::rules::Rules;
use std::path::PathBuf;

/// How to pack. Begin with [`PackOptions::default`] and set what is to be different.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PackOptions {
    /// Worker threads. The archive's bytes do not depend on it.
    pub threads: Threads,
    /// The zstd level: negative levels, and 1 to 19.
    pub level: i32,
    /// What to leave out.
    pub rules: Rules,
    /// Do not descend into directories of another mount.
    pub one_file_system: bool,
    /// Write a single frame, for readers that know only one, at the cost of parallel unpacking.
    pub single_frame: bool,
    /// Limit every mtime to this many seconds since the epoch (`SOURCE_DATE_EPOCH`).
    pub latest_mtime: Option<i64>,
    /// The owners that the archive records.
    pub owner: OwnerOptions,
    /// Return only when the archive would survive a power cut.
    pub fsync: bool,
    /// An earlier archive of the tree: compressed frames of unchanged entries are reused from it.
    pub base: Option<BaseOptions>,
    /// Write a delta: only what is new or changed since earlier archives of the tree, and what was removed.
    pub delta: Option<DeltaOptions>,
}

impl Default for PackOptions {
    /// Everything is packed at level 3, by all threads.
    fn default() -> Self {
        PackOptions {
            threads: default_threads(),
            level: 3,
            rules: Rules::default(),
            one_file_system: false,
            single_frame: false,
            latest_mtime: None,
            owner: OwnerOptions::default(),
            fsync: false,
            base: None,
            delta: None,
        }
    }
}

/// Where unchanged frames are reused from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BaseOptions {
    /// An archive with an index. The new one may take its name.
    pub path: PathBuf,
    /// Compare contents by digest instead of by size and time.
    pub checksum: bool,
    /// Reuse frames without reading them: if the file system can, the kernel or the server copies them. They are not
    /// compared with their hashes, so damage in the base is carried over unnoticed.
    pub trusted: bool,
}

/// What a delta is a delta of.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeltaOptions {
    /// An archive with an index and any deltas on top of it, each a delta of those before it.
    pub layers: Vec<PathBuf>,
    /// Compare contents by digest instead of by size and time.
    pub checksum: bool,
}

/// The owners that the archive records.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct OwnerOptions {
    /// Store numbers only, no names.
    pub numeric: bool,
    /// All entries belong to this user.
    pub user: Option<OwnerId>,
    /// All entries belong to this group.
    pub group: Option<OwnerId>,
}

/// A user or a group: its number and, if it has one, its name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OwnerId {
    /// The number.
    pub id: u32,
    /// The name; empty for none.
    pub name: Box<[u8]>,
}

impl BaseOptions {
    /// The archive at `path`, whose files are known by size and time.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        BaseOptions { path: path.into(), checksum: false, trusted: false }
    }
}

impl DeltaOptions {
    /// The archive at the first path and the deltas on top of it, whose files are known by size and time.
    pub fn new(layers: impl Into<Vec<PathBuf>>) -> Self {
        DeltaOptions { layers: layers.into(), checksum: false }
    }
}

impl OwnerId {
    /// A number, and a name that may be empty.
    pub fn new(id: u32, name: impl Into<Box<[u8]>>) -> Self {
        OwnerId { id, name: name.into() }
    }
}

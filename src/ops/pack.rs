//! `haul pack`: a tree becomes an archive.

use super::Threads;
use crate::cancel::Cancel;
use crate::error::Error;
use crate::event::Observer;
use crate::report::Report;
use crate::walk::Filter;
use std::io::Write;
use std::path::Path;

/// How to pack.
#[derive(Debug, Clone)]
pub struct Options {
    /// Worker threads. The archive's bytes do not depend on it.
    pub threads: Threads,
    /// The zstd level: negative levels, and 1 to 19.
    pub level: i32,
    /// What to leave out.
    pub filter: Filter,
    /// Do not descend into directories of another mount.
    pub one_file_system: bool,
    /// Write one frame for readers that know only one, at the cost of parallel unpacking.
    pub single_frame: bool,
    /// No entry's mtime is later than this many seconds since the epoch (`SOURCE_DATE_EPOCH`).
    pub latest_mtime: Option<i64>,
    /// Whose the entries are, as the archive tells it.
    pub owner: OwnerOptions,
    /// Return only when the archive would survive a power cut.
    pub fsync: bool,
}

/// Whose the entries are, as the archive tells it.
#[derive(Debug, Clone, Default)]
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
pub struct OwnerId {
    /// The number.
    pub id: u32,
    /// The name; empty for none.
    pub name: Box<[u8]>,
}

/// Where the archive goes.
pub enum Target<'a> {
    /// To this path: written under a temporary name beside it and renamed when complete.
    Path(&'a Path),
    /// Into this writer, for example standard output.
    Writer(&'a mut dyn Write),
}

/// Packs everything below the directory `src`.
pub fn pack(
    src: &Path,
    dst: Target<'_>,
    options: &Options,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<Report, Error> {
    let _ = (src, dst, options, cancel, observer);
    todo!()
}

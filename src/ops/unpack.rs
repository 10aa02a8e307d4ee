//! `haul unpack`: an archive becomes a tree.

use super::Threads;
use crate::cancel::Cancel;
use crate::error::Error;
use crate::event::Observer;
use crate::report::Report;
use crate::tree::RelPathBuf;
use crate::walk::Filter;
use std::io::Read;
use std::path::Path;

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
    /// Return only when the tree would survive a power cut.
    pub fsync: bool,
}

/// Which members of an archive are meant.
#[derive(Debug, Clone, Default)]
pub struct Select {
    /// These entries and what lies below them; all when empty.
    pub paths: Vec<RelPathBuf>,
    /// Of those, what the filter keeps.
    pub filter: Filter,
}

/// Where the archive comes from.
pub enum Source<'a> {
    /// From the file at this path.
    Path(&'a Path),
    /// From this reader, front to back, for example standard input.
    Reader(&'a mut (dyn Read + Send)),
}

/// Unpacks `archive` into the directory `dst`, which is made when it does not exist.
pub fn unpack(
    archive: Source<'_>,
    dst: &Path,
    options: &Options,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<Report, Error> {
    let _ = (archive, dst, options, cancel, observer);
    todo!()
}

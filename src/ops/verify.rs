//! `haul verify`: is an archive whole, and does a tree match it?

use super::Threads;
use super::unpack::Source;
use crate::cancel::Cancel;
use crate::error::Error;
use crate::event::Observer;
use crate::report::Report;
use std::path::Path;

/// How to verify.
#[derive(Debug, Clone)]
pub struct Options {
    /// Worker threads.
    pub threads: Threads,
    /// Compare owners by number even where the archive has names.
    pub numeric_owner: bool,
}

/// Decodes all of `archive` and checks every digest; with `dir`, also compares that tree with it. Differences are in
/// the report; damage is an error.
pub fn verify(
    archive: Source<'_>,
    dir: Option<&Path>,
    options: &Options,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<Report, Error> {
    let _ = (archive, dir, options, cancel, observer);
    todo!()
}

//! `haul list`: the entries of an archive.

use super::unpack::{Select, Source};
use crate::cancel::Cancel;
use crate::error::Error;
use crate::report::Report;
use crate::tree::{Digest, Entry};

/// One entry as the archive describes it.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// The entry.
    pub entry: &'a Entry,
    /// The digest of its content; `None` when it has none, or the archive has no index.
    pub digest: Option<Digest>,
}

/// Calls `each` for every selected entry of `archive`, in the archive's order; its error ends the listing. With an
/// index no data is read.
pub fn list(
    archive: Source<'_>,
    select: &Select,
    cancel: &Cancel,
    each: &mut dyn FnMut(Listed<'_>) -> std::io::Result<()>,
) -> Result<Report, Error> {
    let _ = (archive, select, cancel, each);
    todo!()
}

//! Reads a file's content into a stretch of tar.

use crate::account::Cause;
use crate::archive::writer::TarBuffer;
use crate::error::Act;
use crate::tree::{Entry, Extent, Kind, extent};
use crate::walk::Found;
use crate::walk::content::{Content, Reader};

/// Why a file is not in the archive as the scan saw it.
pub(super) type ReadFailure = (Act, Cause);

/// Appends the data of a stretch of a file: exactly as many bytes as its extents hold. Bytes that cannot be read become
/// zeros (all of them if there is no content), and that is a failure.
pub(super) fn append(
    tar: &mut TarBuffer,
    content: Option<&Content>,
    extents: Option<&[Extent]>,
    (from, to): (u64, u64),
) -> Result<(), ReadFailure> {
    let whole = [Extent { offset: 0, len: to }];
    let mut outcome = Ok(());
    for stretch in extent::within(extents.unwrap_or(&whole), from, to) {
        let space = tar.space(stretch.len as usize);
        let filled = match content.map(|content| content.read(space, stretch.offset)) {
            Some(Ok(filled)) => filled,
            Some(Err(error)) => {
                outcome = outcome.and(Err((Act::Read, error.into())));
                0
            }
            None => 0,
        };
        if filled < space.len() {
            space[filled..].fill(0);
            outcome = outcome.and(Err((Act::Read, Cause::Shrunk)));
        }
    }
    outcome
}

/// Whether the file is still what the scan saw.
pub(super) fn check(content: &Content, found: &Found) -> Result<(), ReadFailure> {
    content.check(found).map_err(|cause| (Act::Read, cause))
}

/// Opens a large file, and completes its entry with its xattrs. Its holes are known.
pub(super) fn open_large(reader: &mut Reader<'_>, found: &Found) -> Result<(Content, Entry), ReadFailure> {
    let content = reader.open(found).map_err(|cause| (Act::Open, cause))?;
    let mut entry = found.entry.clone();
    entry.meta.xattrs = content.xattrs().map_err(|error| (Act::ReadXattrs, error.into()))?;
    Ok((content, entry))
}

/// The entry with what only the open file reveals: xattrs and holes; `None` if there are none.
pub(super) fn complete(content: &Content, found: &Found) -> Result<Option<Box<Entry>>, ReadFailure> {
    let xattrs = content.xattrs().map_err(|error| (Act::ReadXattrs, error.into()))?;
    let extents = content.extents(found).map_err(|error| (Act::Read, error.into()))?;
    if xattrs.is_empty() && extents.is_none() {
        return Ok(None);
    }
    let mut entry = Box::new(found.entry.clone());
    entry.meta.xattrs = xattrs;
    entry.kind = Kind::File { size: entry.kind.size(), extents };
    Ok(Some(entry))
}

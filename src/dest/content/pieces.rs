//! Cuts a source into data and holes, found on the way.

use super::{Source, Stop};
use crate::sys::sparse;
use crate::tree::Extent;

/// A stretch of the source; never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SourcePiece {
    Data(Extent),
    /// Reads as zeros.
    Hole(Extent),
}

/// Cuts the source, front to back; without a call if it occupies as much room as its length, so that it cannot have a
/// hole.
#[derive(Debug)]
pub(super) struct Pieces<'f> {
    src: Source<'f>,
    at: u64,
    end: u64,
    /// The data after the hole that was returned last.
    after: Option<Extent>,
}

impl<'f> Pieces<'f> {
    /// The pieces of the bytes from `at` to `end`.
    pub(super) fn new(src: Source<'f>, at: u64, end: u64) -> Self {
        Pieces { src, at, end, after: None }
    }

    /// The next piece; the pieces are contiguous and cover everything. Fails if the source ends before they do.
    pub(super) fn next(&mut self) -> Result<Option<SourcePiece>, Stop> {
        if self.at >= self.end {
            return Ok(None);
        }
        let left = Extent { offset: self.at, len: self.end - self.at };
        let data = match self.after.take() {
            Some(data) => Some(data),
            None if self.src.stat.blocks.saturating_mul(512) >= self.src.stat.size => Some(left),
            None => sparse::next_extent(self.src.file, self.at, self.end).map_err(Stop::Read)?,
        };
        let hole_end = data.map_or(self.end, |data| data.offset);
        if hole_end > self.at {
            // "No data from here on" can also mean the end of the file.
            if data.is_none() && !sparse::reaches(self.src.file, self.end).map_err(Stop::Read)? {
                return Err(Stop::Shrunk);
            }
            self.after = data;
            self.at = hole_end;
            return Ok(Some(SourcePiece::Hole(Extent { offset: left.offset, len: hole_end - left.offset })));
        }
        self.at = data.map_or(self.end, Extent::end);
        Ok(data.map(SourcePiece::Data))
    }
}

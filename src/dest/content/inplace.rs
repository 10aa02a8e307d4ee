//! Compares contents at the same place, to write only where they differ, or only to know.

use super::sink::{FileSink, Zeros, is_zero, runs};
use super::transfer::{BUFFER_BYTES, window};
use super::{At, Copied, Copier, Moved, Pieces, Source, SourcePiece, Stop, go_on};
use crate::sys::{Stat, copy, sparse};
use crate::tree::Extent;
use std::fs::File;
use std::os::fd::AsFd;

impl Copier<'_> {
    /// Makes the existing `dst`, open for reading and writing, equal to the source by writing only the blocks that
    /// differ, and sets its length. Where the source has a hole, a hole is made.
    pub(crate) fn inplace(
        &mut self,
        src: Source<'_>,
        dst: &File,
        moved: &mut Moved<'_>,
    ) -> Result<Copied, Stop> {
        let size = src.stat.size;
        let old_len = Stat::of(dst.as_fd()).map_err(Stop::Write)?.size;
        let common = old_len.min(size);
        let zeros = if self.ways.sparse { Zeros::Punch } else { Zeros::Write };
        let refused = self.refused(src.stat.dev);
        let mut update = InPlaceUpdate {
            src: src.file,
            sink: FileSink::new(dst, zeros, refused),
            buffers: &mut self.buffers,
            matched: 0,
        };
        let mut pieces = Pieces::new(src, 0, common);
        while let Some(piece) = pieces.next()? {
            match piece {
                SourcePiece::Data(data) => update.data(data, moved)?,
                SourcePiece::Hole(hole) => {
                    update.hole(hole, moved)?;
                    go_on(moved, hole.len)?;
                }
            }
        }
        let mut copied = Copied { written: update.sink.written, matched: update.matched };
        if old_len < size {
            copied.written += self.rest(src, dst, At { len: old_len, position: None }, moved)?.written;
        } else if old_len > size {
            copy::set_len(dst, size).map_err(Stop::Write)?;
        }
        Ok(copied)
    }

    /// Whether both files hold the same `size` bytes. A `src` that becomes shorter is an error; a shorter `dst` is a
    /// difference.
    pub(crate) fn same(
        &mut self,
        src: &File,
        dst: &File,
        size: u64,
        moved: &mut Moved<'_>,
    ) -> Result<bool, Stop> {
        let [ours, theirs] = &mut self.buffers;
        let mut at = 0;
        while at < size {
            let new = window(ours, size - at);
            let read = copy::read_at(src, new, at).map_err(Stop::Read)?;
            if read == 0 {
                return Err(Stop::Shrunk);
            }
            let (new, old) = (&new[..read], window(theirs, read as u64));
            if copy::read_at(dst, old, at).map_err(Stop::Write)? < read || *new != *old {
                return Ok(false);
            }
            let mut done = read as u64;
            if read == BUFFER_BYTES && is_zero(new) {
                done = common_hole_end(src, dst, at + done, size)? - at;
            }
            at += done;
            go_on(moved, done)?;
        }
        Ok(true)
    }
}

/// The end of the hole that both files have at byte `at`; `at`, if one of them has none.
fn common_hole_end(src: &File, dst: &File, at: u64, size: u64) -> Result<u64, Stop> {
    // The space after the end of a file is not a hole: the last byte is always compared.
    let last = size.saturating_sub(1).max(at);
    let data = sparse::next_extent(src, at, last).map_err(Stop::Read)?;
    let first = data.map_or(last, |data| data.offset);
    let data = sparse::next_extent(dst, at, first).map_err(Stop::Write)?;
    Ok(data.map_or(first, |data| data.offset))
}

/// An update in place.
struct InPlaceUpdate<'f> {
    src: &'f File,
    sink: FileSink<'f>,
    buffers: &'f mut [Vec<u8>; 2],
    /// How many bytes did not differ.
    matched: u64,
}

impl InPlaceUpdate<'_> {
    /// Writes the differences in a stretch of data.
    fn data(&mut self, data: Extent, moved: &mut Moved<'_>) -> Result<(), Stop> {
        let mut at = data.offset;
        let [ours, theirs] = &mut *self.buffers;
        while at < data.end() {
            let new = window(ours, data.end() - at);
            let read = copy::read_at(self.src, new, at).map_err(Stop::Read)?;
            if read == 0 {
                return Err(Stop::Shrunk);
            }
            let (new, old) = (&new[..read], window(theirs, read as u64));
            // What another process has truncated in the meantime differs.
            let old_len = copy::read_at(self.sink.file, old, at).map_err(Stop::Write)?;
            let old = &old[..old_len];
            for (run, is_same) in runs(read, at, |block| old.get(block.clone()) == Some(&new[block])) {
                if is_same {
                    self.matched += run.len() as u64;
                } else {
                    self.sink.write(&new[run.clone()], at + run.start as u64)?;
                }
            }
            at += read as u64;
            go_on(moved, read as u64)?;
        }
        Ok(())
    }

    /// Makes a hole, without reading zeros of the source.
    fn hole(&mut self, hole: Extent, moved: &mut Moved<'_>) -> Result<(), Stop> {
        let mut at = hole.offset;
        while let Some(data) = sparse::next_extent(self.sink.file, at, hole.end()).map_err(Stop::Write)? {
            if !self.sink.punched(data)? {
                self.erase(data, moved)?;
            }
            at = data.end();
        }
        Ok(())
    }

    /// Writes zeros over everything that is not zeros.
    fn erase(&mut self, data: Extent, moved: &mut Moved<'_>) -> Result<(), Stop> {
        let [zeros, theirs] = &mut *self.buffers;
        let mut at = data.offset;
        while at < data.end() {
            let old = window(theirs, data.end() - at);
            let read = copy::read_at(self.sink.file, old, at).map_err(Stop::Write)?;
            if read == 0 {
                break;
            }
            let (old, zeros) = (&old[..read], window(zeros, read as u64));
            zeros.fill(0);
            for (run, _) in runs(read, at, |block| is_zero(&old[block])).filter(|(_, is_zero)| !is_zero) {
                self.sink.write(&zeros[run.clone()], at + run.start as u64)?;
            }
            at += read as u64;
            go_on(moved, 0)?;
        }
        Ok(())
    }
}

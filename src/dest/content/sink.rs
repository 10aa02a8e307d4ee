//! Writes bytes to their places in the destination, and turns zeros into holes.

use super::Stop;
use super::learned::{Call, Refused, is_refusal};
use crate::sys::copy;
use crate::tree::Extent;
use rustix::io::Errno;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

/// The length of the blocks that become holes and in which contents are compared: that of a page, and of most file
/// systems' blocks.
const BLOCK: usize = 4 << 10;
const ZERO_BLOCK: [u8; BLOCK] = [0; BLOCK];

/// What to do about blocks of zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zeros {
    /// Write them.
    Write,
    /// Skip them: there is nothing at their place.
    Skip,
    /// Punch holes: there is something, or allocated room.
    Punch,
}

/// A destination.
#[derive(Debug)]
pub(super) struct FileSink<'f> {
    pub(super) file: &'f File,
    pub(super) zeros: Zeros,
    refused: Arc<Refused>,
    /// How far something was written.
    reached: u64,
    /// How many bytes were written.
    pub(super) written: u64,
}

impl<'f> FileSink<'f> {
    pub(super) fn new(file: &'f File, zeros: Zeros, refused: Arc<Refused>) -> Self {
        FileSink { file, zeros, refused, reached: 0, written: 0 }
    }

    /// Writes `bytes` at byte `at`; zeros in them become holes.
    pub(super) fn write(&mut self, bytes: &[u8], at: u64) -> Result<(), Stop> {
        if self.zeros == Zeros::Write {
            return self.write_all(bytes, at);
        }
        for (run, is_zero) in runs(bytes.len(), at, |block| is_zero(&bytes[block])) {
            let (bytes, at) = (&bytes[run.clone()], at + run.start as u64);
            let place = Extent { offset: at, len: bytes.len() as u64 };
            let is_hole = is_zero && (self.zeros == Zeros::Skip || self.punched(place)?);
            if !is_hole {
                self.write_all(bytes, at)?;
            }
        }
        Ok(())
    }

    /// Records bytes that were written without this sink.
    pub(super) fn note(&mut self, at: u64, len: u64) {
        self.reached = self.reached.max(at + len);
        self.written += len;
    }

    /// Leaves a hole where nothing has been written.
    pub(super) fn leave(&mut self, hole: Extent) -> Result<(), Stop> {
        if self.zeros == Zeros::Punch {
            // If it cannot be punched, the allocated room reads as zeros, too.
            self.punched(hole)?;
        }
        Ok(())
    }

    /// Makes a hole, if possible.
    pub(super) fn punched(&self, hole: Extent) -> Result<bool, Stop> {
        if self.refused.holds(Call::Punch) {
            return Ok(false);
        }
        match copy::punch(self.file, hole.offset, hole.len) {
            Ok(()) => Ok(true),
            Err(errno) if is_refusal(errno) => {
                self.refused.note(Call::Punch, errno);
                Ok(false)
            }
            Err(errno) => Err(Stop::Write(errno)),
        }
    }

    /// Ends a new file, or a new end of one: sets its length, if nothing was written up to its end.
    pub(super) fn end(&self, size: u64) -> Result<(), Stop> {
        if self.reached >= size {
            return Ok(());
        }
        copy::set_len(self.file, size).map_err(Stop::Write)
    }

    fn write_all(&mut self, bytes: &[u8], at: u64) -> Result<(), Stop> {
        copy::write_at(self.file, bytes, at).map_err(Stop::Write)?;
        self.note(at, bytes.len() as u64);
        Ok(())
    }
}

/// Whether an error of a call on two files is about room, which is the destination's.
pub(super) fn is_about_room(errno: Errno) -> bool {
    matches!(errno, Errno::NOSPC | Errno::DQUOT | Errno::FBIG)
}

/// Whether all bytes are 0.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    // Comparing memory is several times faster than checking every byte.
    bytes.chunks(BLOCK).all(|block| *block == ZERO_BLOCK[..block.len()])
}

/// Cuts `len` bytes at byte `at` of a file into runs of blocks for which the predicate gives the same answer, with that
/// answer. Blocks are those of the file, so the first and the last can be shorter.
pub(super) fn runs(
    len: usize,
    at: u64,
    holds: impl Fn(Range<usize>) -> bool,
) -> impl Iterator<Item = (Range<usize>, bool)> {
    let offset = (at % BLOCK as u64) as usize;
    let block = move |start: usize| start..len.min(start + BLOCK - (offset + start) % BLOCK);
    let mut start = 0;
    let mut next = None;
    std::iter::from_fn(move || {
        if start >= len {
            return None;
        }
        let first = block(start);
        let what = next.take().unwrap_or_else(|| holds(first.clone()));
        let mut end = first.end;
        while end < len {
            let following = block(end);
            let same = holds(following.clone());
            if same != what {
                next = Some(same);
                break;
            }
            end = following.end;
        }
        let run = start..end;
        start = end;
        Some((run, what))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_cut_at_the_blocks_of_the_file() {
        let mut bytes = vec![0; BLOCK * 4];
        bytes[BLOCK * 2 + 5] = 1;
        let found: Vec<_> = runs(bytes.len(), 0, |block| is_zero(&bytes[block])).collect();
        let [b2, b3] = [BLOCK * 2, BLOCK * 3];
        assert_eq!(found, [(0..b2, true), (b2..b3, false), (b3..BLOCK * 4, true)]);
        // 96 bytes of the first block are before what is given.
        let found: Vec<_> = runs(bytes.len(), 96, |block| is_zero(&bytes[block])).collect();
        assert_eq!(found, [(0..b2 - 96, true), (b2 - 96..b3 - 96, false), (b3 - 96..BLOCK * 4, true)]);
        assert_eq!(runs(0, 7, |_| true).count(), 0);
        assert_eq!(
            runs(10, BLOCK as u64 - 1, |block| block.start == 0).collect::<Vec<_>>(),
            [(0..1, true), (1..10, false)]
        );
    }
}

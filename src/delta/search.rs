//! Searches new content for blocks of a signature, at every offset.
//!
//! Owns the window over the new content and the choice among blocks; returns what it finds as [`Op`]s. Invariants: the
//! ops, in order, cover every byte fed exactly once (and none that was skipped); memory is bounded by two blocks or
//! [`LEAST_BUFFER`]; time is linear, whatever the signature and the content.
//!
//! In detail, the work for each byte is: one step of the rolling hash and one look at the table's filter; when that
//! passes, one look into the table; when a block there has the weak hash, a strong hash of the window. A strong hash
//! that finds its block pays for itself, as the block is then skipped. Wasted strong hashes are bounded by
//! [`Search::may_hash`], so blocks made to collide cost little more than others (rsync is quadratic in them).

use super::rolling::{Roller, weak};
use super::signature::{Signature, strong};
use super::table::Table;

/// The least size of the buffer, in bytes: large enough that its rest is rarely moved to the front.
const LEAST_BUFFER: usize = 256 << 10;
/// A copy is sent once it is this long, in bytes, so that the receiver does not wait for the whole file.
const LONG_COPY: u64 = 64 << 20;
/// How many blocks may be hashed without a match before any content has passed.
const FREE_TRIES: u64 = 16;

/// A step in building the new content. Each appends to the result of the previous ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op<'a> {
    /// Append `len` bytes of the basis from byte `from` on; at least one.
    Copy {
        /// Where they begin in the basis, in bytes.
        from: u64,
        /// How many bytes.
        len: u64,
    },
    /// Append these bytes, at least one. Several in a row follow each other in the new content.
    Literal(&'a [u8]),
}

impl Op<'_> {
    /// How many bytes of the new content this produces.
    pub fn produced_bytes(&self) -> u64 {
        match self {
            Op::Copy { len, .. } => *len,
            Op::Literal(bytes) => bytes.len() as u64,
        }
    }
}

/// A search of new content, fed piece by piece.
#[derive(Debug)]
pub struct Search<'t> {
    table: &'t Table,
    roller: Roller,
    /// A stretch of the new content. Never grows beyond its initial capacity.
    buffer: Vec<u8>,
    /// Where the buffer begins in the new content.
    start: u64,
    /// Where in the buffer the content that no op covers yet begins; at most `window`.
    unsent: usize,
    /// Where in the buffer the window begins: the block being looked up.
    window: usize,
    /// The weak hash of the window, once it is known.
    hash: Option<u64>,
    /// Whether the window is known not to be a block.
    is_missed: bool,
    /// The block after the last one found, if the window follows it directly.
    next: Option<usize>,
    /// The copy that is not sent yet, as it may still grow: where from, and how many bytes.
    copy: (u64, u64),
    /// How many bytes were hashed without a match.
    wasted_bytes: u64,
}

impl<'t> Search<'t> {
    /// A search for the blocks of `table`.
    pub fn new(table: &'t Table) -> Self {
        Self::with_buffer(table, LEAST_BUFFER)
    }

    /// A search whose buffer has at least `least` bytes.
    pub(super) fn with_buffer(table: &'t Table, least: usize) -> Self {
        let block_bytes = table.signature().layout().block_bytes();
        Search {
            table,
            roller: Roller::new(block_bytes),
            buffer: Vec::with_capacity(least.max(2 * block_bytes)),
            start: 0,
            unsent: 0,
            window: 0,
            hash: None,
            is_missed: false,
            next: None,
            copy: (0, 0),
            wasted_bytes: 0,
        }
    }

    /// Takes the next piece of the new content, of any length, and passes on the ops that are certain by now. If `emit`
    /// fails, the search ends with its error and cannot continue.
    pub fn feed<E>(
        &mut self,
        content: &[u8],
        mut emit: impl FnMut(Op<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = content;
        while !rest.is_empty() {
            let room = self.buffer.capacity() - self.buffer.len();
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.buffer.extend_from_slice(now);
            self.scan(&mut emit)?;
            if self.buffer.len() == self.buffer.capacity() {
                self.make_room(&mut emit)?;
            }
            rest = later;
        }
        Ok(())
    }

    /// Leaves out the next `bytes` of the new content, which no op will cover: a hole, which need not be searched, or
    /// content that comes from elsewhere. Passes on the ops for everything fed before.
    pub fn skip<E>(&mut self, bytes: u64, mut emit: impl FnMut(Op<'_>) -> Result<(), E>) -> Result<(), E> {
        self.window = self.buffer.len();
        self.send_literal(&mut emit)?;
        self.send_copy(&mut emit)?;
        self.start += self.window as u64 + bytes;
        self.buffer.clear();
        (self.unsent, self.window) = (0, 0);
        (self.hash, self.is_missed, self.next) = (None, false, None);
        Ok(())
    }

    /// Ends the new content, and passes on the last ops.
    pub fn finish<E>(mut self, mut emit: impl FnMut(Op<'_>) -> Result<(), E>) -> Result<(), E> {
        let short = self.signature().layout().short_bytes();
        let end = self.buffer.len();
        // A short block is looked for only at the end: a match earlier would lose the window's alignment for little
        // gain.
        if short > 0 && end - self.window >= short {
            let number = self.signature().layout().full_blocks();
            if self.signature().is_block(number, &self.buffer[end - short..]) {
                self.window = end - short;
                self.take(number, &mut emit)?;
            }
        }
        self.window = end;
        self.send_literal(&mut emit)?;
        self.send_copy(&mut emit)
    }

    fn signature(&self) -> &'t Signature {
        self.table.signature()
    }

    fn block_bytes(&self) -> usize {
        self.signature().layout().block_bytes()
    }

    /// Looks at every whole window of the buffer.
    fn scan<E>(&mut self, emit: &mut impl FnMut(Op<'_>) -> Result<(), E>) -> Result<(), E> {
        if self.table.is_empty() {
            // Nothing can be found except, at the end, a short block.
            self.window = self.window.max(self.buffer.len().saturating_sub(self.block_bytes()));
            return Ok(());
        }
        while self.buffer.len() - self.window >= self.block_bytes() {
            if !self.is_missed {
                if let Some(number) = self.find() {
                    self.take(number, emit)?;
                    continue;
                }
                self.is_missed = true;
            }
            self.roll();
            if self.is_missed {
                break;
            }
        }
        Ok(())
    }

    /// The block that equals the window, if any.
    fn find(&mut self) -> Option<usize> {
        let window = &self.buffer[self.window..][..self.block_bytes()];
        let mut known = None;
        // A block is mostly followed by the next block: then its strong hash is all that is needed.
        if let Some(next) = self.next.take() {
            let strong = strong(window);
            if self.signature().blocks()[next].strong == strong {
                return Some(next);
            }
            known = Some(strong);
        }
        let hash = *self.hash.get_or_insert_with(|| weak(window));
        let mut candidates = self.table.with_weak(hash);
        if candidates.len() == 0 || (known.is_none() && !self.may_hash()) {
            return None;
        }
        let strong = known.unwrap_or_else(|| strong(window));
        let Some((first, _)) = candidates.find(|(_, block)| block.strong == strong) else {
            self.wasted_bytes += self.block_bytes() as u64;
            return None;
        };
        Some(self.same_place(strong).unwrap_or(first))
    }

    /// Whether one more window may be hashed without a match: at most as many bytes as have passed, and some blocks.
    fn may_hash(&self) -> bool {
        let block_bytes = self.block_bytes() as u64;
        self.wasted_bytes + block_bytes <= self.start + self.window as u64 + FREE_TRIES * block_bytes
    }

    /// The block at the window's own place, if it has this strong hash. It is preferred to others with the same
    /// content: an update in place then has nothing to write.
    fn same_place(&self, strong: u128) -> Option<usize> {
        let place = self.start + self.window as u64;
        let block_bytes = self.block_bytes() as u64;
        let number = usize::try_from(place / block_bytes).ok()?;
        let is_same = place.is_multiple_of(block_bytes)
            && number < self.signature().layout().full_blocks()
            && self.signature().blocks()[number].strong == strong;
        is_same.then_some(number)
    }

    /// Moves the window to the next offset that may match or, at the end of the buffer, to the last one.
    fn roll(&mut self) {
        let leaving = &self.buffer[self.window..];
        let entering = &leaving[self.block_bytes()..];
        let mut hash = self.hash.unwrap_or_default();
        let mut steps = 0;
        for (&out, &new) in leaving.iter().zip(entering) {
            hash = self.roller.roll(hash, out, new);
            steps += 1;
            if self.table.holds(hash) {
                self.is_missed = false;
                break;
            }
        }
        self.window += steps;
        self.hash = Some(hash);
    }

    /// Covers the window, and everything before it.
    fn take<E>(&mut self, number: usize, emit: &mut impl FnMut(Op<'_>) -> Result<(), E>) -> Result<(), E> {
        self.send_literal(emit)?;
        let place = self.signature().layout().place(number);
        let len = place.end - place.start;
        if self.copy.0 + self.copy.1 == place.start {
            self.copy.1 += len;
        } else {
            self.send_copy(emit)?;
            self.copy = (place.start, len);
        }
        self.window += len as usize;
        self.unsent = self.window;
        self.hash = None;
        self.is_missed = false;
        self.next = Some(number + 1).filter(|&next| next < self.signature().layout().full_blocks());
        if self.copy.1 >= LONG_COPY { self.send_copy(emit) } else { Ok(()) }
    }

    /// Sends everything before the window.
    fn send_literal<E>(&mut self, emit: &mut impl FnMut(Op<'_>) -> Result<(), E>) -> Result<(), E> {
        if self.unsent < self.window {
            self.send_copy(emit)?;
            emit(Op::Literal(&self.buffer[self.unsent..self.window]))?;
            self.unsent = self.window;
        }
        Ok(())
    }

    fn send_copy<E>(&mut self, emit: &mut impl FnMut(Op<'_>) -> Result<(), E>) -> Result<(), E> {
        let (from, len) = std::mem::take(&mut self.copy);
        if len > 0 { emit(Op::Copy { from, len }) } else { Ok(()) }
    }

    /// Drops all of the buffer except the window: at least half.
    fn make_room<E>(&mut self, emit: &mut impl FnMut(Op<'_>) -> Result<(), E>) -> Result<(), E> {
        self.send_literal(emit)?;
        self.buffer.drain(..self.window);
        self.start += self.window as u64;
        (self.unsent, self.window) = (0, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delta::{Block, BlockLayout};
    use std::convert::Infallible;

    #[test]
    fn blocks_made_to_collide_are_not_hashed_at_every_offset() {
        const BLOCK: u32 = 4096;
        let zeros = vec![0; 1 << 20];
        let lie = Block { weak: weak(&zeros[..BLOCK as usize]), strong: 0 };
        let layout = BlockLayout::new(u64::from(BLOCK) * 10, BLOCK).unwrap();
        let table = Table::new(Signature::join(layout, [lie; 10]).unwrap());
        let mut search = Search::new(&table);
        let Ok(()) = search.feed(&zeros, |_| Ok::<_, Infallible>(()));
        assert!(search.wasted_bytes > 0);
        assert!(search.wasted_bytes <= zeros.len() as u64 + FREE_TRIES * u64::from(BLOCK));
    }

    #[test]
    fn a_copy_is_not_kept_back_without_end() {
        const BLOCK: u32 = 1 << 20;
        let zeros = vec![0; BLOCK as usize];
        let blocks = 2 * LONG_COPY / u64::from(BLOCK) + 1;
        let layout = BlockLayout::new(blocks * u64::from(BLOCK), BLOCK).unwrap();
        let block = Block::of(&zeros);
        let table = Table::new(Signature::join(layout, vec![block; blocks as usize]).unwrap());
        let (mut search, mut ops) = (Search::new(&table), Vec::new());
        for _ in 0..blocks {
            let Ok(()) = search.feed(&zeros, |op| {
                ops.push(format!("{op:?}"));
                Ok::<_, Infallible>(())
            });
        }
        let copy = |from| format!("{:?}", Op::Copy { from, len: LONG_COPY });
        assert_eq!(ops, [copy(0), copy(LONG_COPY)]);
    }

    #[test]
    fn the_buffer_never_grows() {
        let table = Table::new(Signature::of(&[7; 1000], BlockLayout::new(1000, 64).unwrap()).unwrap());
        let mut search = Search::new(&table);
        let before = search.buffer.capacity();
        for byte in [7, 8] {
            let Ok(()) = search.feed(&vec![byte; 1 << 20], |_| Ok::<_, Infallible>(()));
        }
        assert_eq!(search.buffer.capacity(), before);
    }
}

//! Taking bytes off a stream that arrives in pieces.
//!
//! Owns the bytes of a unit (a block, the body of an extended header) that has arrived only in part, and the count of
//! consumed bytes. A unit that lies in one piece of input is borrowed, not copied.

use std::borrow::Cow;

/// The front of a unit that has not fully arrived, and the position in the stream.
#[derive(Debug, Default)]
pub(super) struct Intake {
    partial: Vec<u8>,
    position: u64,
}

impl Intake {
    /// How many bytes have been consumed.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Whether a unit has arrived only in part.
    pub(super) fn is_inside_unit(&self) -> bool {
        !self.partial.is_empty()
    }

    /// The next `len` bytes, or `None` if the input ends earlier; then all of it is kept. The buffer grows with what
    /// arrives, never with `len`.
    pub(super) fn take<'a>(&mut self, input: &mut &'a [u8], len: usize) -> Option<Cow<'a, [u8]>> {
        if self.partial.is_empty() && input.len() >= len {
            return Some(Cow::Borrowed(self.slice(input, len as u64)));
        }
        let missing = len - self.partial.len();
        let piece = self.slice(input, missing as u64);
        self.partial.extend_from_slice(piece);
        (self.partial.len() == len).then(|| Cow::Owned(std::mem::take(&mut self.partial)))
    }

    /// Up to `most` bytes off the front of `input`.
    pub(super) fn slice<'a>(&mut self, input: &mut &'a [u8], most: u64) -> &'a [u8] {
        let len = usize::try_from(most).map_or(input.len(), |most| most.min(input.len()));
        let (front, rest) = input.split_at(len);
        *input = rest;
        self.position += len as u64;
        front
    }
}

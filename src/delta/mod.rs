//! Deltas: what must be sent or written to turn old content into new content.
//!
//! Knows only bytes: no paths, no files, no threads, and no other module of the crate. The side with the old content,
//! the basis, makes a [`Signature`]: two hashes for every block. The side with the new content looks its blocks up in a
//! [`Table`] made from the signature, at every offset ([`Search`]) or only at their own ([`differing`]), and returns
//! [`Op`]s, which [`Patch`] carries out. [`Encoder`] and [`Decoder`] turn ops into bytes and back. After A. Tridgell,
//! "Efficient Algorithms for Sorting and Synchronization" (1999), chapter 3.
//!
//! Two invariants. Whatever a signature or a delta says, nothing here panics, reads outside the basis, or takes more
//! memory or time than its own limits and the length of the input allow. And applying the ops of a search to content
//! with that signature gives the new content.
//!
//! The second relies on xxh3-128, which distinguishes blocks that differ by chance but does not resist someone who
//! builds blocks with equal hashes. A caller that must be sure compares a digest of the result.

mod aligned;
mod patch;
mod rolling;
mod search;
mod signature;
mod table;
#[cfg(test)]
mod tests;
mod wire;

pub use aligned::differing;
pub use patch::{Patch, PatchError};
pub use search::{Op, Search};
pub use signature::{Block, BlockLayout, MAX_BLOCK_BYTES, MAX_BLOCKS, MIN_BLOCK_BYTES, Signature};
pub use table::Table;
pub use wire::{Decoder, Encoder, Event};

use std::fmt;

/// A signature or a delta that is damaged, cut short, beyond the limits, or not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(&'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

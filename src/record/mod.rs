//! The state file of a mirror: what was written last, as bytes.
//!
//! Owns the format (`docs/state.md`): a table of directories, a table of entries, and their names, with a digest over
//! all of it. Reads and writes no files, and decides nothing ([`crate::plan::recorded`]). Whatever the bytes are,
//! nothing is allocated for a declared number, and every access is within them: a table that lies only finds nothing.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

pub(crate) use decode::{Children, StateFault, StateTable};
pub(crate) use encode::{NewRecord, encode};

/// The first bytes of every state file.
pub(crate) const MAGIC: [u8; 8] = *b"haulstat";
/// Of the format and of what the marks and proofs in it mean.
const VERSION: u32 = 1;

/// Lengths of the fixed parts, in bytes.
const HEADER_BYTES: usize = 96;
const DIRECTORY_BYTES: usize = 16;
const ENTRY_BYTES: usize = 96;
const DIGEST_BYTES: usize = 16;

/// In an entry's flags.
const PROVES_CONTENT: u8 = 1;
const PROVES_METADATA: u8 = 2;
const HAS_DIGEST: u8 = 4;

/// For what a state was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct StateIdentity {
    /// The root of the source, as a hash.
    pub(crate) src: u128,
    /// The root of the destination.
    pub(crate) dst: u128,
    /// The options and the user that decide what the destination should be like.
    pub(crate) options: u128,
    /// The boot within which it holds; 0 if it holds after another one.
    pub(crate) boot: u128,
}

//! The signature of the old content: how it is cut into blocks, and two hashes for each.
//!
//! Owns the block size, the blocks and their encoding; reads nothing. Invariant: a signature has exactly the blocks of
//! its layout, whether it was computed or decoded.
//!
//! The encoding, all integers little-endian:
//!
//! ```text
//! 0   4 bytes  "hsig"
//! 4   u8       version, 1
//! 5   u32      block size in bytes
//! 9   u64      size of the content in bytes
//! 17  for each block, in order: u64 weak hash, u128 xxh3-128
//! ```
//!
//! The number of blocks follows from the sizes, and the length must be exactly that.

use super::Malformed;
use super::rolling::weak;
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_128;

/// The least block size, in bytes.
pub const MIN_BLOCK_BYTES: u32 = 64;
/// The greatest block size, in bytes: 16 MiB.
pub const MAX_BLOCK_BYTES: u32 = 16 << 20;
/// The most blocks that a signature can have. It limits a signature to 32 MiB, and a [`super::Table`] to about as much
/// again, even if the other side chose the layout.
pub const MAX_BLOCKS: u64 = 1 << 20;

/// The least block size that is chosen: a page, and the block of most file systems, which write no less.
const LEAST_CHOSEN: u64 = 4 << 10;
const MAGIC: [u8; 5] = *b"hsig\x01";
const HEADER_BYTES: usize = 17;
const BLOCK_BYTES: usize = 24;

/// How content is cut into blocks: all of one size, except for a short last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockLayout {
    /// Invariants: from [`MIN_BLOCK_BYTES`] to [`MAX_BLOCK_BYTES`], and `size` has at most [`MAX_BLOCKS`] of them.
    block_bytes: u32,
    size: u64,
}

impl BlockLayout {
    /// The layout for content of `size` bytes. The block size is the square root of the size, which minimises the sum
    /// of the signature and the literals around a change (as in rsync), as a power of two, so that blocks lie on pages;
    /// at least 4 KiB. From 1 TiB on, where the root is 1 MiB, there are [`MAX_BLOCKS`] blocks.
    ///
    /// Fails if the content is longer than 16 TiB: even blocks of the greatest size are then too many.
    pub fn for_size(size: u64) -> Result<Self, Malformed> {
        let root = size.isqrt().next_power_of_two();
        let fewest = size.div_ceil(MAX_BLOCKS).next_power_of_two();
        let block_bytes = root.max(fewest).max(LEAST_CHOSEN);
        Self::new(size, u32::try_from(block_bytes).unwrap_or(u32::MAX))
    }

    /// A layout with a given block size. Fails if that, or the number of blocks, is out of bounds.
    pub fn new(size: u64, block_bytes: u32) -> Result<Self, Malformed> {
        if !(MIN_BLOCK_BYTES..=MAX_BLOCK_BYTES).contains(&block_bytes) {
            return Err(Malformed("the block size is out of bounds"));
        }
        if size.div_ceil(u64::from(block_bytes)) > MAX_BLOCKS {
            return Err(Malformed("the content has too many blocks"));
        }
        Ok(BlockLayout { block_bytes, size })
    }

    /// The size of all blocks except a short last one, in bytes.
    pub fn block_bytes(self) -> usize {
        self.block_bytes as usize
    }

    /// The size of the content in bytes.
    pub fn size(self) -> u64 {
        self.size
    }

    /// How many blocks there are, a short last one included.
    pub fn blocks(self) -> usize {
        self.size.div_ceil(u64::from(self.block_bytes)) as usize
    }

    /// How many blocks have the full size.
    pub(super) fn full_blocks(self) -> usize {
        (self.size / u64::from(self.block_bytes)) as usize
    }

    /// The length of the short last block; 0 if there is none.
    pub(super) fn short_bytes(self) -> usize {
        (self.size % u64::from(self.block_bytes)) as usize
    }

    /// Where block `number` lies in the content.
    pub(super) fn place(self, number: usize) -> Range<u64> {
        let start = number as u64 * u64::from(self.block_bytes);
        start..self.size.min(start + u64::from(self.block_bytes))
    }

    /// The content in stretches of whole blocks, each of `bytes` or slightly more, which can be hashed independently.
    pub fn stretches(self, bytes: u64) -> impl Iterator<Item = Range<u64>> {
        let block = u64::from(self.block_bytes);
        let step = bytes.clamp(1, self.size.max(1)).next_multiple_of(block);
        (0..self.size.div_ceil(step)).map(move |i| i * step..self.size.min((i + 1) * step))
    }
}

/// The hashes of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// The rolling hash, which finds a block.
    pub weak: u64,
    /// The xxh3-128, which identifies it.
    pub strong: u128,
}

impl Block {
    /// The hashes of one block's content.
    pub fn of(content: &[u8]) -> Self {
        Block { weak: weak(content), strong: strong(content) }
    }
}

pub(super) fn strong(content: &[u8]) -> u128 {
    xxh3_128(content)
}

/// The signature of the old content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    layout: BlockLayout,
    /// Invariant: as many as the layout has.
    blocks: Box<[Block]>,
}

impl Signature {
    /// The signature of content that is all in memory.
    pub fn of(content: &[u8], layout: BlockLayout) -> Result<Self, Malformed> {
        Self::join(layout, Self::of_stretch(layout, content))
    }

    /// The blocks of a stretch of the content that begins where a block does (see [`Layout::stretches`]). Several
    /// threads can each compute some.
    pub fn of_stretch(layout: BlockLayout, content: &[u8]) -> impl Iterator<Item = Block> {
        content.chunks(layout.block_bytes()).map(Block::of)
    }

    /// The signature made of the blocks of all stretches, in order. Fails if their number is not the layout's, for
    /// example because the content has become shorter or longer since its size was taken.
    pub fn join(layout: BlockLayout, blocks: impl IntoIterator<Item = Block>) -> Result<Self, Malformed> {
        let blocks: Box<[Block]> = blocks.into_iter().take(layout.blocks() + 1).collect();
        if blocks.len() != layout.blocks() {
            return Err(Malformed("the signature has more or fewer blocks than its layout"));
        }
        Ok(Signature { layout, blocks })
    }

    /// How the content is cut.
    pub fn layout(&self) -> BlockLayout {
        self.layout
    }

    /// The hashes of all blocks, in order.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Whether `content` equals block `number`.
    pub(super) fn is_block(&self, number: usize, content: &[u8]) -> bool {
        self.blocks.get(number).is_some_and(|block| block.strong == strong(content))
    }

    /// The bytes of the signature, in the format of this module.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES + self.blocks.len() * BLOCK_BYTES);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&self.layout.block_bytes.to_le_bytes());
        out.extend_from_slice(&self.layout.size.to_le_bytes());
        for block in &self.blocks {
            out.extend_from_slice(&block.weak.to_le_bytes());
            out.extend_from_slice(&block.strong.to_le_bytes());
        }
        out
    }

    /// Decodes a signature. Takes memory only for blocks that are there.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        const CUT_SHORT: Malformed = Malformed("the signature is cut short");
        let (magic, rest) = bytes.split_first_chunk::<5>().ok_or(CUT_SHORT)?;
        if *magic != MAGIC {
            return Err(Malformed("not a signature, or a signature of another version"));
        }
        let (block_bytes, rest) = rest.split_first_chunk().ok_or(CUT_SHORT)?;
        let (size, rest) = rest.split_first_chunk().ok_or(CUT_SHORT)?;
        let layout = BlockLayout::new(u64::from_le_bytes(*size), u32::from_le_bytes(*block_bytes))?;
        let (blocks, odd) = rest.as_chunks::<BLOCK_BYTES>();
        if !odd.is_empty() {
            return Err(CUT_SHORT);
        }
        Self::join(layout, blocks.iter().map(decode_block))
    }
}

fn decode_block(bytes: &[u8; BLOCK_BYTES]) -> Block {
    let (mut weak, mut strong) = ([0; 8], [0; 16]);
    weak.copy_from_slice(&bytes[..8]);
    strong.copy_from_slice(&bytes[8..]);
    Block { weak: u64::from_le_bytes(weak), strong: u128::from_le_bytes(strong) }
}

//! Finds the blocks of a signature by their weak hash.
//!
//! Owns the look-up; `search` decides what is looked up. Invariant: building and querying it take no longer, up to a
//! logarithm, if an adversary chose the hashes. So it is a sorted list with an index, not a hash table, whose chains or
//! probes the author of a signature could make long.

use super::signature::{Block, Signature};

/// At most this many blocks with the same weak hash and different content are kept. By chance there is never a second.
const MAX_SAME_WEAK: usize = 8;
/// A block of full size.
#[derive(Debug, Clone, Copy)]
struct Slot {
    weak: u64,
    number: u32,
}

/// A signature, prepared for searching. Several searches can share it.
#[derive(Debug)]
pub struct Table {
    signature: Signature,
    /// Invariants:
    /// 1. Sorted by weak hash. (A hash table was rejected, see above.)
    /// 2. Only the first of several blocks with the same content is kept. So a file of zeros has one slot, where
    ///    rsync's chain would have one for each block.
    slots: Box<[Slot]>,
    /// The slots of hashes that begin with the bits `i` are `slots[starts[i]..starts[i + 1]]`.
    starts: Box<[u32]>,
    /// How far a hash is shifted to index `starts`.
    shift: u32,
    filter: Filter,
}

impl Table {
    /// Prepares a signature for searching.
    pub fn new(signature: Signature) -> Self {
        let slots = slots(&signature.blocks()[..signature.layout().full_blocks()]);
        // At least 2^1, as a shift by all 64 bits would overflow.
        let bits = slots.len().next_power_of_two().trailing_zeros().max(1);
        let shift = u64::BITS - bits;
        let starts = (0..=1_usize << bits)
            .scan(0, |at, prefix| {
                *at += slots[*at..].partition_point(|slot| ((slot.weak >> shift) as usize) < prefix);
                Some(*at as u32)
            })
            .collect();
        let filter = Filter::new(&slots);
        Table { signature, slots: slots.into(), starts, shift, filter }
    }

    /// The signature that the table was built from.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Whether a block has this weak hash.
    #[inline]
    pub(super) fn holds(&self, weak: u64) -> bool {
        self.filter.may_hold(weak) && self.with_weak(weak).len() > 0
    }

    /// The blocks with this weak hash, only the first of those with the same content; at most [`MAX_SAME_WEAK`].
    pub(super) fn with_weak(&self, weak: u64) -> impl ExactSizeIterator<Item = (usize, &Block)> {
        let prefix = (weak >> self.shift) as usize;
        let slots = &self.slots[self.starts[prefix] as usize..self.starts[prefix + 1] as usize];
        let slots = &slots[slots.partition_point(|slot| slot.weak < weak)..];
        let count = slots.iter().take(MAX_SAME_WEAK).take_while(|slot| slot.weak == weak).count();
        slots[..count]
            .iter()
            .map(|slot| (slot.number as usize, &self.signature.blocks()[slot.number as usize]))
    }
}

/// The slots of these blocks, as the invariants say.
fn slots(blocks: &[Block]) -> Vec<Slot> {
    let mut slots: Vec<Slot> =
        (0..).zip(blocks).map(|(number, block)| Slot { weak: block.weak, number }).collect();
    let strong = |slot: &Slot| blocks[slot.number as usize].strong;
    // Strong hashes are scattered over memory, so they are compared only where the weak ones are equal.
    slots.sort_unstable_by(|a, b| {
        a.weak.cmp(&b.weak).then_with(|| (strong(a), a.number).cmp(&(strong(b), b.number)))
    });
    slots.dedup_by(|b, a| a.weak == b.weak && strong(a) == strong(b));
    slots
}

/// Filters out most hashes that no block has, and is small enough to stay in the cache: a Bloom filter whose bits for
/// one hash lie in one word.
#[derive(Debug)]
struct Filter {
    words: Box<[u64]>,
    /// How far a hash is shifted to index `words`.
    shift: u32,
}

impl Filter {
    /// Has at least one word per slot: of its 64 bits at most 2 are set on average, so 1 hash in 500 passes. (Half as
    /// many words, or three bits, were tried: slower up to 2^18 blocks, the 64 GiB of a large disk image.)
    fn new(slots: &[Slot]) -> Self {
        // At least 2^1, as a shift by all 64 bits would overflow.
        let bits = slots.len().next_power_of_two().trailing_zeros().max(1);
        let mut filter = Filter { words: vec![0; 1 << bits].into(), shift: u64::BITS - bits };
        for slot in slots {
            filter.words[(slot.weak >> filter.shift) as usize] |= bits_of(slot.weak);
        }
        filter
    }

    #[inline]
    fn may_hold(&self, weak: u64) -> bool {
        let bits = bits_of(weak);
        self.words.get((weak >> self.shift) as usize).is_some_and(|word| word & bits == bits)
    }
}

/// The bits of a word that stand for a hash: picked by bits below those that pick the word.
#[inline]
fn bits_of(weak: u64) -> u64 {
    1 << (weak >> 38 & 63) | 1 << (weak >> 32 & 63)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delta::BlockLayout;
    use proptest::prelude::*;

    fn table(blocks: Vec<Block>) -> Table {
        let layout = BlockLayout::new(blocks.len() as u64 * 64, 64).unwrap();
        Table::new(Signature::join(layout, blocks).unwrap())
    }

    proptest! {
        #[test]
        fn every_block_is_found_by_its_weak_hash_and_no_other(
            hashes in prop::collection::vec((prop_oneof![any::<u64>(), 0..4_u64], 0..2_u128), 0..300),
            strange: u64,
        ) {
            let blocks: Vec<Block> = hashes.iter().map(|&(weak, strong)| Block { weak, strong }).collect();
            let table = table(blocks.clone());
            for block in &blocks {
                prop_assert!(table.holds(block.weak));
                let first = blocks.iter().position(|other| other == block);
                let found: Vec<_> = table.with_weak(block.weak).filter(|(_, other)| *other == block).collect();
                prop_assert_eq!(found.len(), 1);
                prop_assert_eq!(Some(found[0].0), first);
            }
            prop_assert_eq!(table.holds(strange), blocks.iter().any(|block| block.weak == strange));
        }
    }

    #[test]
    fn blocks_that_share_a_weak_hash_are_bounded() {
        let table = table((0..1000).map(|strong| Block { weak: 7, strong }).collect());
        assert_eq!(table.with_weak(7).len(), MAX_SAME_WEAK);
    }

    #[test]
    fn equal_blocks_take_one_slot() {
        let table = table(vec![Block { weak: 7, strong: 9 }; 1000]);
        assert_eq!(table.slots.len(), 1);
        assert_eq!(table.with_weak(7).map(|(number, _)| number).collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn a_short_last_block_cannot_be_found() {
        let layout = BlockLayout::new(100, 64).unwrap();
        let table = Table::new(Signature::of(&[1; 100], layout).unwrap());
        assert!(table.holds(Block::of(&[1; 64]).weak));
        assert!(!table.holds(Block::of(&[1; 36]).weak));
    }

    #[test]
    fn most_hashes_that_no_block_has_are_filtered_out() {
        let mix = |i: u64| xxhash_rust::xxh3::xxh3_64(&i.to_le_bytes());
        let table = table((0..10_000).map(|i| Block { weak: mix(i), strong: u128::from(i) }).collect());
        let passed = (10_000..110_000).filter(|&i| table.filter.may_hold(mix(i))).count();
        assert!(passed < 100_000 / 250, "{passed}");
    }
}

//! Compares new content with a signature, each block only with the one at its own place.
//!
//! For an update in place, where moved content must be written anyway: no rolling, so as fast as the strong hash.
//! Invariant: outside the returned ranges, the new content equals the signed content.

use super::signature::Signature;
use std::ops::Range;

/// The ranges of the new content, in bytes from its start, that differ from the signature: whole blocks, joined where
/// they touch. `content` is the stretch of the new content that begins with block `first`; several threads can each
/// compare one. A short block at its end is compared as the last block of the new content.
pub fn differing(signature: &Signature, first: usize, content: &[u8]) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    let block_bytes = signature.layout().block_bytes();
    let mut start = first as u64 * block_bytes as u64;
    for (number, block) in (first..).zip(content.chunks(block_bytes)) {
        let end = start + block.len() as u64;
        if !signature.is_block(number, block) {
            match ranges.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => ranges.push(start..end),
            }
        }
        start = end;
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delta::BlockLayout;
    use proptest::prelude::*;

    fn signature(content: &[u8]) -> Signature {
        Signature::of(content, BlockLayout::new(content.len() as u64, 64).unwrap()).unwrap()
    }

    #[test]
    fn touching_blocks_make_one_range() {
        let old = [1; 64 * 5];
        let mut new = old;
        for at in [64, 130, 64 * 4 + 63] {
            new[at] = 2;
        }
        assert_eq!(differing(&signature(&old), 0, &new), [64..192, 256..320]);
    }

    #[test]
    fn a_block_of_another_length_differs() {
        let zeros = [0; 200];
        let old = signature(&zeros[..100]);
        let differing = |len: usize| differing(&old, 0, &zeros[..len]).first().cloned();
        assert_eq!(differing(99), Some(64..99));
        assert_eq!(differing(100), None);
        assert_eq!(differing(101), Some(64..101));
        assert_eq!(differing(200), Some(64..200));
    }

    proptest! {
        /// Writing the ranges over the old content gives the new content, however the stretches are cut.
        #[test]
        fn writing_the_ranges_makes_the_new_content(
            old in prop::collection::vec(0..2_u8, 0..400),
            new in prop::collection::vec(0..2_u8, 0..400),
            keep in 0_usize..400,
            stretch in 1_usize..4,
        ) {
            let mut new = new;
            let keep = keep.min(new.len()).min(old.len());
            new[..keep].copy_from_slice(&old[..keep]);
            let signature = signature(&old);
            let mut made = old.clone();
            made.resize(new.len(), 0xFF);
            for (i, part) in new.chunks(64 * stretch).enumerate() {
                for range in differing(&signature, i * stretch, part) {
                    let range = range.start as usize..range.end as usize;
                    prop_assert!(range.start >= keep / 64 * 64);
                    made[range.clone()].copy_from_slice(&new[range]);
                }
            }
            prop_assert_eq!(made, new);
        }
    }
}

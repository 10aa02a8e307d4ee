//! The weak, rolling hash: the hash of one window gives the hash of the window one byte further on at once.
//!
//! Owns only the arithmetic. Invariant: rolling to a window gives the same hash as computing it from scratch.
//!
//! The hash is a polynomial over the bytes of the window (as in Karp and Rabin's search), modulo 2^64:
//!
//! ```text
//! SPREAD * (b[0] * BASE^(n-1) + b[1] * BASE^(n-2) + ... + b[n-1])
//! ```
//!
//! Why not one of the others:
//!
//! * The two 16-bit sums of rsync (Adler-32 without its modulus) roll no faster here, as the look-up at every offset
//!   costs more than the sums, and they collide: the sums of text fill a small part of their range, and long runs of
//!   different blocks share one value, which can stall rsync (its issue 217, librsync's issues 3, 11).
//! * Cyclic polynomials (buzhash) rotate by one bit per byte, so equal bytes 64 apart cancel out: periodic data, common
//!   in disk images, collides.
//! * Gear hashes see only the last 64 bytes, not a whole block, so every offset within a repetition would need the
//!   strong hash.
//!
//! Why 64 bits: at 32, every offset of a large file meets one of 2^18 blocks by chance once in 2^14, and each such
//! match costs a strong hash of a whole block, as much as all the rolling in between. At 64 it does not happen.
//!
//! The high bits depend on all bits of all bytes, so they select the place in a table; the low bits depend only on low
//! bits. Modulo 2^64 the Thue-Morse sequence and its complement collide whatever the base is, so the hash does not
//! protect against deliberate collisions; `search` bounds their cost.

/// Odd, and 5 modulo 8, so its powers repeat only after 2^62.
const BASE: u64 = 0x9E37_79B9_7F4A_7C15;
/// Spreads the last bytes of a window, which were multiplied only a few times, into the high bits.
const SPREAD: u64 = 0xD6E8_FEB8_6659_FD93;
/// Independent sums, so that one multiplication need not wait for the previous one.
const LANES: usize = 8;

/// The weak hash of a whole block.
pub(super) fn weak(block: &[u8]) -> u64 {
    const STRIDE: u64 = power(LANES);
    let mut lanes = [0_u64; LANES];
    let (strides, rest) = block.as_chunks::<LANES>();
    for stride in strides {
        for (lane, &byte) in lanes.iter_mut().zip(stride) {
            *lane = lane.wrapping_mul(STRIDE).wrapping_add(u64::from(byte));
        }
    }
    let sums = lanes.into_iter().chain(rest.iter().map(|&byte| u64::from(byte)));
    sums.fold(0, |hash: u64, sum| hash.wrapping_mul(BASE).wrapping_add(sum)).wrapping_mul(SPREAD)
}

/// Rolls the hash of windows of one length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Roller {
    /// The factor of the byte that leaves, once the others have moved up.
    leaving: u64,
}

impl Roller {
    pub(super) fn new(window_bytes: usize) -> Self {
        Roller { leaving: SPREAD.wrapping_mul(power(window_bytes)) }
    }

    /// The hash of the window one byte further on: without the byte `out` at the front, with the byte `new` at the end.
    #[inline]
    pub(super) fn roll(self, hash: u64, out: u8, new: u8) -> u64 {
        // In this order only one multiplication and one addition wait for the previous hash.
        let change =
            SPREAD.wrapping_mul(u64::from(new)).wrapping_sub(self.leaving.wrapping_mul(u64::from(out)));
        hash.wrapping_mul(BASE).wrapping_add(change)
    }
}

/// `BASE` to the power of `exponent`.
const fn power(mut exponent: usize) -> u64 {
    let (mut result, mut square) = (1_u64, BASE);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result.wrapping_mul(square);
        }
        square = square.wrapping_mul(square);
        exponent >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    /// The definition, as plainly as possible.
    fn by_definition(block: &[u8]) -> u64 {
        let sum = block.iter().rev().enumerate().fold(0_u64, |sum, (place, &byte)| {
            let factor = (0..place).fold(1_u64, |factor, _| factor.wrapping_mul(BASE));
            sum.wrapping_add(u64::from(byte).wrapping_mul(factor))
        });
        sum.wrapping_mul(SPREAD)
    }

    proptest! {
        #[test]
        fn the_hash_is_the_polynomial(block: Vec<u8>) {
            prop_assert_eq!(weak(&block), by_definition(&block));
        }

        #[test]
        fn rolling_gives_the_hash_of_the_window(content in prop::collection::vec(any::<u8>(), 2..300), len: prop::sample::Index) {
            let len = 1 + len.index(content.len() - 1);
            let roller = Roller::new(len);
            let mut hash = weak(&content[..len]);
            for start in 0..content.len() - len {
                hash = roller.roll(hash, content[start], content[start + len]);
                prop_assert_eq!(hash, weak(&content[start + 1..][..len]));
            }
        }
    }

    /// The high bits pick the place in a table. Of 2^16 places, 2^16 random draws hit about 41,400: all but 1 in e.
    #[test]
    fn windows_of_text_and_of_near_zeros_spread_over_the_high_bits() {
        let text: Vec<u8> = (0..20_000).flat_map(|i: u32| format!("{i},").into_bytes()).collect();
        let mut near_zeros = vec![0; 1 << 17];
        for (i, byte) in near_zeros.iter_mut().enumerate().step_by(97) {
            *byte = xxhash_rust::xxh3::xxh3_64(&i.to_le_bytes()) as u8;
        }
        for content in [text, near_zeros] {
            let hashes: HashSet<u64> = content.windows(700).map(weak).take(1 << 16).collect();
            assert_eq!(hashes.len(), 1 << 16);
            let places: HashSet<u64> = hashes.iter().map(|hash| hash >> 48).collect();
            assert!(places.len() > 41_000, "{}", places.len());
        }
    }
}

//! The digest of a file's content.
//!
//! A file of at most [`PART_BYTES`] has the xxh3-128 of its bytes. A longer one is cut into parts of that length, each
//! part is digested, and the file's digest is the xxh3-128 of the parts' digests, 16 bytes big-endian each. So the
//! parts of one file can be read, packed, written and checked by several threads in any order, and a hole as long as
//! a part costs nothing. A plain hash of the whole was rejected because it can only be computed front to back.
//!
//! xxh3 finds damage, not forgery: who can write an archive can write its digests.

use std::sync::LazyLock;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// The length of a part: 4 MiB.
pub const PART_BYTES: u64 = 4 << 20;

/// The digest of a part or of a whole file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Digest(pub u128);

impl Digest {
    /// The digest of `content`, which must be at most [`PART_BYTES`] long.
    pub fn of_part(content: &[u8]) -> Self {
        debug_assert!(content.len() as u64 <= PART_BYTES);
        Digest(xxh3_128(content))
    }

    /// The digest of a part of `len` zero bytes.
    pub fn of_zeros(len: u64) -> Self {
        static FULL_PART: LazyLock<Digest> = LazyLock::new(|| Digest::of_part(&vec![0; PART_BYTES as usize]));
        if len == PART_BYTES { *FULL_PART } else { Digest::of_part(&vec![0; len as usize]) }
    }

    /// The digest of a file from the digests of its parts, in order.
    pub fn of_file(parts: &[Digest]) -> Self {
        match parts {
            [] => Digest::of_part(&[]),
            [only] => *only,
            _ => {
                let mut hash = Xxh3::new();
                for part in parts {
                    hash.update(&part.0.to_be_bytes());
                }
                Digest(hash.digest128())
            }
        }
    }
}

/// How many parts a file of `size` bytes has; an empty file has one.
pub fn part_count(size: u64) -> u64 {
    size.div_ceil(PART_BYTES).max(1)
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Digest({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_file_has_the_plain_hash() {
        let whole = Digest::of_part(b"abc");
        assert_eq!(Digest::of_file(&[whole]), whole);
        assert_eq!(whole.0, xxh3_128(b"abc"));
        assert_eq!(Digest::of_file(&[]).0, xxh3_128(b""));
    }

    #[test]
    fn the_order_of_parts_matters() {
        let (a, b) = (Digest::of_part(b"a"), Digest::of_part(b"b"));
        assert_ne!(Digest::of_file(&[a, b]), Digest::of_file(&[b, a]));
    }

    #[test]
    fn zeros_have_the_digest_of_zeros() {
        assert_eq!(Digest::of_zeros(100), Digest::of_part(&[0; 100]));
        assert_eq!(Digest::of_zeros(PART_BYTES), Digest::of_part(&vec![0; PART_BYTES as usize]));
        assert_eq!((part_count(0), part_count(PART_BYTES), part_count(PART_BYTES + 1)), (1, 1, 2));
    }
}

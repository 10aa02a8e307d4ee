//! The digest of a file's content.
//!
//! A file of at most [`PART_BYTES`] has the xxh3-128 of its bytes. A longer one is cut into parts of that length, and
//! its digest is the xxh3-128 of its length (8 bytes) and, for every part that is not all zeros, the part's number (8
//! bytes) and the part's xxh3-128 (16 bytes), all big-endian. So several threads can read, pack, write and check the
//! parts of one file in any order, a hole costs nothing however long it is, and a file with holes has the same digest
//! as its dense copy. A plain hash of the whole file was rejected because it can only be computed front to back,
//! through every hole.
//!
//! xxh3 detects damage, not forgery: anyone who can write an archive can write its digests.

use super::extent::{self, Extent};
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
        static FULL_PART: LazyLock<Digest> = LazyLock::new(|| zeros(PART_BYTES));
        if len == PART_BYTES { *FULL_PART } else { zeros(len) }
    }

    /// The digest of a file of `size` bytes from those of its parts, in order; parts that are all zeros may be missing.
    pub fn of_file(size: u64, parts: &[(u64, Digest)]) -> Self {
        if size <= PART_BYTES {
            return parts.first().map_or_else(|| Digest::of_zeros(size), |&(_, digest)| digest);
        }
        let mut hash = Xxh3::new();
        hash.update(&size.to_be_bytes());
        for &(number, digest) in parts {
            if digest != Digest::of_zeros(part_len(size, number)) {
                hash.update(&number.to_be_bytes());
                hash.update(&digest.0.to_be_bytes());
            }
        }
        Digest(hash.digest128())
    }

    /// The digest of a file from all of its data: the bytes of its extents back to back, or of the whole file when
    /// `extents` is `None`.
    pub fn of_content(size: u64, extents: Option<&[Extent]>, data: &[u8]) -> Self {
        match extents {
            None if size <= PART_BYTES => Digest::of_part(data),
            _ => Digest::of_file(size, &part_digests(size, extents, 0, data)),
        }
    }
}

/// The digests of the parts whose data is `data`, which begins `stored` bytes into the file's data and must hold whole
/// parts. Parts without data are left out.
pub fn part_digests(size: u64, extents: Option<&[Extent]>, stored: u64, data: &[u8]) -> Vec<(u64, Digest)> {
    let whole = [Extent { offset: 0, len: size }];
    let extents = extents.unwrap_or(&whole);
    let mut digests = Vec::new();
    let mut rest = data;
    let mut number = extent::locate(extents, stored).map_or(0, |offset| offset / PART_BYTES);
    while !rest.is_empty() {
        let (start, len) = (number * PART_BYTES, part_len(size, number));
        let held: u64 = extent::within(extents, start, start + len).map(|e| e.len).sum();
        if held > 0 {
            let (part, after) = rest.split_at(rest.len().min(held as usize));
            digests.push((number, sparse_part(start, len, extents, part)));
            rest = after;
        }
        number = match extent::next_data(extents, start + len) {
            Some(offset) => offset / PART_BYTES,
            None => break,
        };
    }
    digests
}

fn sparse_part(start: u64, len: u64, extents: &[Extent], data: &[u8]) -> Digest {
    if data.len() as u64 == len {
        return Digest::of_part(data);
    }
    let mut hash = Xxh3::new();
    let (mut at, mut rest) = (start, data);
    for extent in extent::within(extents, start, start + len) {
        update_zeros(&mut hash, extent.offset - at);
        let (bytes, after) = rest.split_at(rest.len().min(extent.len as usize));
        hash.update(bytes);
        (at, rest) = (extent.end(), after);
    }
    update_zeros(&mut hash, start + len - at);
    Digest(hash.digest128())
}

fn zeros(len: u64) -> Digest {
    let mut hash = Xxh3::new();
    update_zeros(&mut hash, len);
    Digest(hash.digest128())
}

fn update_zeros(hash: &mut Xxh3, mut len: u64) {
    const ZEROS: [u8; 4096] = [0; 4096];
    while len > 0 {
        let now = len.min(ZEROS.len() as u64);
        hash.update(&ZEROS[..now as usize]);
        len -= now;
    }
}

/// The length of part `number` of a file of `size` bytes.
fn part_len(size: u64, number: u64) -> u64 {
    size.saturating_sub(number * PART_BYTES).min(PART_BYTES)
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
    use proptest::prelude::*;

    #[test]
    fn a_short_file_has_the_plain_hash() {
        assert_eq!(Digest::of_content(3, None, b"abc").0, xxh3_128(b"abc"));
        assert_eq!(Digest::of_content(0, None, b"").0, xxh3_128(b""));
        assert_eq!(Digest::of_file(0, &[]).0, xxh3_128(b""));
    }

    #[test]
    fn the_order_of_parts_matters() {
        let (a, b) = (Digest::of_part(b"a"), Digest::of_part(b"b"));
        let size = 2 * PART_BYTES;
        assert_ne!(Digest::of_file(size, &[(0, a), (1, b)]), Digest::of_file(size, &[(0, b), (1, a)]));
    }

    #[test]
    fn zeros_have_the_digest_of_zeros() {
        assert_eq!(Digest::of_zeros(100), Digest::of_part(&[0; 100]));
        assert_eq!(Digest::of_zeros(PART_BYTES), Digest::of_part(&vec![0; PART_BYTES as usize]));
    }

    #[test]
    fn a_hole_of_any_length_costs_nothing() {
        let size = 1 << 62;
        let last = Extent { offset: size - 10, len: 10 };
        let digest = Digest::of_content(size, Some(&[last]), &[7; 10]);
        assert_ne!(digest, Digest::of_content(size, Some(&[]), &[]));
    }

    proptest! {
        /// The digest of stored extents, at once or part by part, is that of the dense file.
        #[test]
        fn holes_do_not_change_the_digest(
            runs in prop::collection::vec((0_u64..3_000_000, 1_u64..3_000_000), 0..8),
            tail in 0_u64..5_000_000,
        ) {
            let mut extents: Vec<Extent> = Vec::new();
            let mut at = 0;
            for (gap, len) in runs {
                extents.push(Extent { offset: at + gap, len });
                at += gap + len;
            }
            let size = at + tail;
            let mut dense = vec![0_u8; size as usize];
            let mut data = Vec::new();
            for e in &extents {
                for (i, byte) in dense[e.offset as usize..e.end() as usize].iter_mut().enumerate() {
                    *byte = (i * 31 + e.offset as usize) as u8;
                }
                data.extend_from_slice(&dense[e.offset as usize..e.end() as usize]);
            }
            let expected = Digest::of_content(size, None, &dense);
            prop_assert_eq!(Digest::of_content(size, Some(&extents), &data), expected);
            let mut parts = Vec::new();
            let mut stored = 0;
            for number in 0..size.div_ceil(PART_BYTES) {
                let held: u64 =
                    extent::within(&extents, number * PART_BYTES, (number + 1) * PART_BYTES).map(|e| e.len).sum();
                let bytes = &data[stored as usize..(stored + held) as usize];
                parts.extend(part_digests(size, Some(&extents), stored, bytes));
                stored += held;
            }
            prop_assert_eq!(Digest::of_file(size, &parts), expected);
        }
    }
}

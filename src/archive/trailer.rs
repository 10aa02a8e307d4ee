//! The frames after the data, which let a reader begin anywhere.
//!
//! Owns the bytes of skippable frames (RFC 8878, section 3.1.2), of haul's locator, and of the seek table (zstd
//! seekable format 0.1.0). `docs/format.md` describes the whole file. All integers are little-endian.

use super::{Malformed, malformed};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// The magic number of a zstd frame.
pub(crate) const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
/// The skippable-frame variant that haul's own frames use.
pub(crate) const HAUL_SKIPPABLE: u32 = 0x184D_2A5D;
/// The variant of the seek table.
pub(crate) const SEEK_SKIPPABLE: u32 = 0x184D_2A5E;
/// The length of a skippable frame's own header.
pub(crate) const SKIPPABLE_HEADER: usize = 8;

/// The length of the magic bytes at the start of an index's and a locator's payload.
pub(crate) const MAGIC_BYTES: usize = 8;
/// The length of the locator's frame, its header included.
pub(crate) const LOCATOR_FRAME: usize = SKIPPABLE_HEADER + 56;

const SEEK_MAGIC: u32 = 0x8F92_EAB1;
/// The end of the seek table: number of frames, descriptor, magic.
pub(crate) const SEEK_FOOTER: usize = 9;

/// The version of an index and its locator: what columns it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// An archive that holds a whole tree.
    Tree,
    /// A delta: the same columns, and what it is a delta of.
    DeltaIndex,
}

impl Version {
    const ALL: [Version; 2] = [Version::Tree, Version::DeltaIndex];

    /// The first bytes of the index frame's payload.
    pub(crate) fn index_magic(self) -> [u8; MAGIC_BYTES] {
        match self {
            Version::Tree => *b"haulIDX1",
            Version::DeltaIndex => *b"haulIDX2",
        }
    }

    /// The first bytes of the locator's payload.
    fn locator_magic(self) -> [u8; MAGIC_BYTES] {
        match self {
            Version::Tree => *b"haulLOC1",
            Version::DeltaIndex => *b"haulLOC2",
        }
    }

    /// The version of an index frame with this payload, and the bytes after the magic.
    pub(crate) fn of_index(payload: &[u8]) -> Option<(Self, &[u8])> {
        Self::ALL
            .into_iter()
            .find_map(|version| Some((version, payload.strip_prefix(&version.index_magic())?)))
    }
}

/// Whether a magic number is that of a skippable frame of any variant.
pub(crate) fn is_skippable(magic: u32) -> bool {
    magic & 0xFFFF_FFF0 == 0x184D_2A50
}

/// A skippable frame around `payload`, which must be shorter than 4 GiB.
pub(crate) fn skippable(magic: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(SKIPPABLE_HEADER + payload.len());
    frame.extend_from_slice(&magic.to_le_bytes());
    frame.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Where the index is, and how to check that it is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Locator {
    /// Where the index frame begins in the file.
    pub(crate) offset: u64,
    /// How long it is, its header included.
    pub(crate) len: u64,
    /// The xxh3-128 of its payload.
    pub(crate) digest: u128,
    /// How many bytes the index decodes to.
    pub(crate) decoded_len: u64,
    pub(crate) version: Version,
}

impl Locator {
    /// The locator of an index frame with this payload.
    pub(crate) fn of(offset: u64, payload: &[u8], decoded_len: u64, version: Version) -> Self {
        let len = (SKIPPABLE_HEADER + payload.len()) as u64;
        Locator { offset, len, digest: xxh3_128(payload), decoded_len, version }
    }

    /// The locator's frame.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(LOCATOR_FRAME - SKIPPABLE_HEADER);
        payload.extend_from_slice(&self.version.locator_magic());
        payload.extend_from_slice(&self.offset.to_le_bytes());
        payload.extend_from_slice(&self.len.to_le_bytes());
        payload.extend_from_slice(&self.decoded_len.to_le_bytes());
        payload.extend_from_slice(&self.digest.to_le_bytes());
        payload.extend_from_slice(&xxh3_64(&payload).to_le_bytes());
        skippable(HAUL_SKIPPABLE, &payload)
    }

    /// Reads a locator's frame; `None` if it is another frame, an error if it is a damaged locator.
    pub(crate) fn decode(frame: &[u8]) -> Result<Option<Self>, Malformed> {
        let mut rest = Bytes(frame);
        if frame.len() != LOCATOR_FRAME {
            return Ok(None);
        }
        let magic = |version: &Version| frame[SKIPPABLE_HEADER..].starts_with(&version.locator_magic());
        let Some(version) = Version::ALL.into_iter().find(magic) else { return Ok(None) };
        let header_fits =
            rest.u32() == HAUL_SKIPPABLE && rest.u32() as usize == LOCATOR_FRAME - SKIPPABLE_HEADER;
        let payload = &frame[SKIPPABLE_HEADER..];
        let (hashed, hash) = payload.split_at(payload.len() - 8);
        if !header_fits || xxh3_64(hashed) != Bytes(hash).u64() {
            return Err(malformed("the index locator is damaged"));
        }
        rest.skip(MAGIC_BYTES);
        let (offset, len, decoded_len) = (rest.u64(), rest.u64(), rest.u64());
        Ok(Some(Locator { offset, len, digest: rest.u128(), decoded_len, version }))
    }
}

/// One line of the seek table: a frame's length in the file and the length of what it decodes to, 0 for a skippable
/// frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SeekEntry {
    pub(crate) compressed: u32,
    pub(crate) decoded: u32,
}

/// The seek table's frame, which must be the last of the file and list all frames before it.
pub(crate) fn encode_seek_table(entries: &[SeekEntry]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(entries.len() * 8 + SEEK_FOOTER);
    for entry in entries {
        payload.extend_from_slice(&entry.compressed.to_le_bytes());
        payload.extend_from_slice(&entry.decoded.to_le_bytes());
    }
    payload.extend_from_slice(&(entries.len() as u32).to_le_bytes());
    // The descriptor: no checksums, since every frame has its own.
    payload.push(0);
    payload.extend_from_slice(&SEEK_MAGIC.to_le_bytes());
    skippable(SEEK_SKIPPABLE, &payload)
}

/// The length of the seek table's frame, from the last [`SEEK_FOOTER`] bytes of the file; `None` if there is no seek
/// table.
pub(crate) fn seek_table_len(footer: &[u8]) -> Option<u64> {
    let (count, descriptor, magic) = footer_fields(footer)?;
    let entry_len = if descriptor & 0x80 == 0 { 8 } else { 12 };
    (magic == SEEK_MAGIC).then(|| (SKIPPABLE_HEADER + SEEK_FOOTER) as u64 + u64::from(count) * entry_len)
}

fn footer_fields(footer: &[u8]) -> Option<(u32, u8, u32)> {
    let mut rest = Bytes(footer.last_chunk::<SEEK_FOOTER>()?);
    Some((rest.u32(), rest.u8(), rest.u32()))
}

/// Reads the frame of a seek table as haul writes it; `None` for anything else.
pub(crate) fn decode_seek_table(frame: &[u8]) -> Option<Vec<SeekEntry>> {
    let mut rest = Bytes(frame);
    if frame.len() < SKIPPABLE_HEADER + SEEK_FOOTER
        || rest.u32() != SEEK_SKIPPABLE
        || rest.u32() as usize != frame.len() - SKIPPABLE_HEADER
    {
        return None;
    }
    let (count, descriptor, magic) = footer_fields(frame)?;
    let body = &frame[SKIPPABLE_HEADER..frame.len() - SEEK_FOOTER];
    if magic != SEEK_MAGIC || descriptor != 0 || body.len() as u64 != u64::from(count) * 8 {
        return None;
    }
    let entry = |bytes| {
        let mut rest = Bytes(bytes);
        SeekEntry { compressed: rest.u32(), decoded: rest.u32() }
    };
    Some(body.chunks_exact(8).map(entry).collect())
}

/// Takes integers off the front of bytes whose length was checked; what is missing reads as 0.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk() {
            Some((taken, rest)) => {
                self.0 = rest;
                *taken
            }
            None => [0; N],
        }
    }
    fn skip(&mut self, len: usize) {
        self.0 = self.0.get(len..).unwrap_or_default();
    }
    fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.take())
    }
    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }
    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }
    fn u128(&mut self) -> u128 {
        u128::from_le_bytes(self.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCATOR: Locator =
        Locator { offset: 1 << 40, len: 99, digest: 7 << 100, decoded_len: 5, version: Version::Tree };

    #[test]
    fn any_flipped_bit_of_a_locator_is_found() {
        let frame = LOCATOR.encode();
        assert_eq!(frame.len(), LOCATOR_FRAME);
        assert_eq!(Locator::decode(&frame).unwrap(), Some(LOCATOR));
        let delta = Locator { version: Version::DeltaIndex, ..LOCATOR };
        assert_eq!(Locator::decode(&delta.encode()).unwrap(), Some(delta));
        for bit in 0..frame.len() * 8 {
            let mut flipped = frame.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(Locator::decode(&flipped), Ok(Some(_))), "bit {bit}");
        }
    }

    #[test]
    fn a_seek_table_is_found_from_its_end() {
        let entries = [SeekEntry { compressed: 3, decoded: 4 }, SeekEntry { compressed: 72, decoded: 0 }];
        let frame = encode_seek_table(&entries);
        assert_eq!(seek_table_len(&frame), Some(frame.len() as u64));
        assert_eq!(frame[frame.len() - 4..], [0xB1, 0xEA, 0x92, 0x8F]);
        assert_eq!(decode_seek_table(&frame).unwrap(), entries);
        assert_eq!(decode_seek_table(&frame[..frame.len() - 1]), None);
        assert_eq!(seek_table_len(b"short"), None);
    }
}

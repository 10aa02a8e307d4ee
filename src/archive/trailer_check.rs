//! Checks the frames behind the data when an archive is read front to back.
//!
//! By its index a reader begins at the end of the file and believes nothing that does not fit. Front to back the index
//! is not needed, but it must be whole all the same: a damaged archive is a damaged archive, whichever way it is read.

use super::trailer::{
    HAUL_SKIPPABLE, INDEX_MAGIC, LOCATOR_FRAME, Locator, SEEK_SKIPPABLE, SKIPPABLE_HEADER, SeekEntry,
    decode_seek_table,
};
use super::{Malformed, malformed};
use xxhash_rust::xxh3::Xxh3;

/// A seek table is kept only up to this length; no haul archive has a longer one.
const LARGEST_TABLE: usize = 64 << 20;

/// What was seen of the frames so far.
#[derive(Debug, Default)]
pub(crate) struct TrailerCheck {
    /// All frames, as a seek table lists them.
    frames: Vec<SeekEntry>,
    /// A frame was too large to be measured: then there is no haul trailer to check.
    unmeasured: bool,
    /// The index frame: offset, length, digest of its payload.
    index: Option<(u64, u64, u128)>,
    locator: Option<Locator>,
    /// The seek table, and how many frames are before it.
    table: Option<(Vec<SeekEntry>, usize)>,
}

/// A skippable frame that is being read.
pub(crate) struct Skippable {
    offset: u64,
    len: u64,
    magic: u32,
    hash: Xxh3,
    /// The frame, as far as it is kept.
    kept: Vec<u8>,
}

impl TrailerCheck {
    /// A data frame, of which the content's size is known if it says it.
    pub(crate) fn frame(&mut self, compressed: u64, decoded: Option<u64>) {
        match (u32::try_from(compressed), decoded.map(u32::try_from)) {
            (Ok(compressed), Some(Ok(decoded))) => self.frames.push(SeekEntry { compressed, decoded }),
            _ => self.unmeasured = true,
        }
    }

    /// A data frame of unknown length.
    pub(crate) fn large_frame(&mut self) {
        self.unmeasured = true;
    }

    /// A skippable frame begins with this header.
    pub(crate) fn skippable(&mut self, offset: u64, header: Vec<u8>) -> Skippable {
        let magic = header.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        Skippable { offset, len: header.len() as u64, magic, hash: Xxh3::new(), kept: header }
    }

    /// A skippable frame was read.
    pub(crate) fn end_skippable(&mut self, frame: Skippable) -> Result<(), Malformed> {
        let Skippable { offset, len, magic, hash, kept } = frame;
        let payload = &kept[SKIPPABLE_HEADER.min(kept.len())..];
        if magic == HAUL_SKIPPABLE && payload.starts_with(&INDEX_MAGIC) {
            self.index = Some((offset, len, hash.digest128()));
        } else if kept.len() == LOCATOR_FRAME && len == LOCATOR_FRAME as u64 {
            self.locator = Locator::decode(&kept)?.or(self.locator);
        }
        if magic == SEEK_SKIPPABLE && len == kept.len() as u64 {
            self.table = decode_seek_table(&kept).map(|table| (table, self.frames.len()));
        }
        self.frames.push(SeekEntry { compressed: u32::try_from(len).unwrap_or(u32::MAX), decoded: 0 });
        Ok(())
    }

    /// The stream ends at `len`. An archive that has an index has all that belongs to it.
    pub(crate) fn finish(&self, _len: u64) -> Result<(), Malformed> {
        let damaged = || malformed("the frames behind the data are damaged or cut short");
        match (&self.index, &self.locator, &self.table) {
            (None, None, _) => Ok(()),
            (Some((offset, len, digest)), Some(locator), Some((table, before))) => {
                let located = (locator.offset, locator.len, locator.digest) == (*offset, *len, *digest);
                // The table is the last frame and lists all before it.
                let listed = before + 1 == self.frames.len() && self.frames[..*before] == table[..];
                if self.unmeasured || !located || !listed { Err(damaged()) } else { Ok(()) }
            }
            _ => Err(damaged()),
        }
    }
}

impl Skippable {
    /// The next bytes of the payload.
    pub(crate) fn payload(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        self.hash.update(bytes);
        // Of an index only the first bytes are needed.
        let keep = if self.magic == HAUL_SKIPPABLE { LOCATOR_FRAME } else { LARGEST_TABLE };
        let room = keep.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

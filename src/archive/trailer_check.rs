//! Checks the frames after the data when an archive is read front to back.
//!
//! A reader that uses the index begins at the end of the file and accepts only what fits together. Front to back, the
//! index is not needed, but it must be intact all the same: a damaged archive is damaged, whichever way it is read.

use super::frame::Decompressor;
use super::index::{self, Frame};
use super::trailer::{
    HAUL_SKIPPABLE, LOCATOR_FRAME, Locator, SEEK_SKIPPABLE, SKIPPABLE_HEADER, SeekEntry, Version,
    decode_seek_table,
};
use super::{Fault, Malformed, malformed};
use xxhash_rust::xxh3::Xxh3;
use zstd::zstd_safe;

/// An index or a seek table is kept only up to this length. The frames of an archive with a longer one, of millions of
/// entries, are checked by their content alone.
const LARGEST_KEPT: usize = 256 << 20;

/// The frames that a compressed index lists.
fn listed_frames(compressed: &[u8]) -> Result<Option<Vec<Frame>>, Malformed> {
    let damaged = || malformed("the index is damaged");
    let size = zstd_safe::get_frame_content_size(compressed).ok().flatten().ok_or_else(damaged)?;
    if size > LARGEST_KEPT as u64 {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let decoded = Decompressor::new()
        .map_err(Fault::from)
        .and_then(|mut d| d.decompress(compressed, &mut bytes, size as usize));
    decoded.map_err(|_| damaged())?;
    index::decode_frames(&bytes).map(Some)
}

/// The frames seen so far.
#[derive(Debug, Default)]
pub(crate) struct TrailerCheck {
    /// All frames, as a seek table lists them.
    frames: Vec<SeekEntry>,
    /// The data frames, as an index lists them.
    data: Vec<Frame>,
    /// There was a frame of unknown or huge size, which haul never writes.
    unmeasured: bool,
    /// The index frame: offset, length, digest of its payload.
    index: Option<(u64, u64, u128)>,
    /// The frames that the index lists.
    listed: Option<Vec<Frame>>,
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
    /// A data frame: the hash of its bytes, how many there are, and the content's size if it is known.
    pub(crate) fn frame(&mut self, hash: u64, compressed: u64, decoded: Option<u64>) {
        match (u32::try_from(compressed), decoded.map(u32::try_from)) {
            (Ok(compressed), Some(Ok(decoded))) => {
                self.frames.push(SeekEntry { compressed, decoded });
                self.data.push(Frame { compressed, decoded, hash });
            }
            _ => self.unmeasured = true,
        }
    }

    /// Takes a skippable frame that was read. The index of a delta is refused: a delta alone is not a tree, and read
    /// front to back its removals come too late.
    pub(crate) fn end_skippable(&mut self, frame: Skippable) -> Result<(), Fault> {
        let Skippable { offset, len, magic, hash, kept } = frame;
        let payload = &kept[SKIPPABLE_HEADER.min(kept.len())..];
        let index = Version::of_index(payload).filter(|_| magic == HAUL_SKIPPABLE);
        if let Some((version, compressed)) = index {
            if version == Version::DeltaIndex {
                let what = "it is a delta, which can only be read from a file, after its base";
                return Err(Fault::Refused(what.to_owned()));
            }
            self.index = Some((offset, len, hash.digest128()));
            if len == kept.len() as u64 {
                self.listed = listed_frames(compressed)?;
            }
        } else if kept.len() == LOCATOR_FRAME && len == LOCATOR_FRAME as u64 {
            self.locator = Locator::decode(&kept)?.or(self.locator);
        }
        if magic == SEEK_SKIPPABLE && len == kept.len() as u64 {
            self.table = decode_seek_table(&kept).map(|table| (table, self.frames.len()));
        }
        self.frames.push(SeekEntry { compressed: u32::try_from(len).unwrap_or(u32::MAX), decoded: 0 });
        Ok(())
    }

    /// Checks, at the end of the stream, that an archive with an index has the locator and the seek table as well, and
    /// exactly the frames that they list.
    pub(crate) fn finish(&self) -> Result<(), Malformed> {
        let damaged = || malformed("the frames after the data are damaged or cut short");
        match (&self.index, &self.locator, &self.table) {
            (None, None, _) => Ok(()),
            (Some((offset, len, digest)), Some(locator), Some((table, before))) => {
                let located = (locator.offset, locator.len, locator.digest) == (*offset, *len, *digest);
                // The table is the last frame and lists all before it.
                let listed = before + 1 == self.frames.len() && self.frames[..*before] == table[..];
                let same = self.listed.as_ref().is_none_or(|frames| *frames == self.data);
                if self.unmeasured || !located || !listed || !same { Err(damaged()) } else { Ok(()) }
            }
            _ => Err(damaged()),
        }
    }
}

impl Skippable {
    /// A skippable frame that begins with this header.
    pub(crate) fn new(offset: u64, header: Vec<u8>) -> Self {
        let magic = header.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        Skippable { offset, len: header.len() as u64, magic, hash: Xxh3::new(), kept: header }
    }

    /// The next bytes of the payload.
    pub(crate) fn payload(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        self.hash.update(bytes);
        let keep = matches!(self.magic, HAUL_SKIPPABLE | SEEK_SKIPPABLE);
        let room = if keep { LARGEST_KEPT.saturating_sub(self.kept.len()) } else { 0 };
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

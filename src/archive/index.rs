//! The index: every entry of an archive, its place, and the digest of its content.
//!
//! Owns the bytes inside the index frame and the rules that an index must satisfy. It is columnar: all kinds, then all
//! paths, then all modes and so on, which compresses to about half the size of rows. `docs/format.md` has the exact
//! bytes. Integers are LEB128 unless said otherwise.
//!
//! Invariants of a decoded index, which no reader has to check again:
//! 1. Paths ascend strictly in path order: names are unique.
//! 2. Every directory above an entry is a directory of the same index.
//! 3. A hard link names an entry before it that is neither a directory nor a hard link itself.
//! 4. Members follow each other from the first byte of the tar stream, without gaps; the end-of-archive blocks follow
//!    the last one and end the last frame.

mod columns;
mod decode;
mod encode;

use crate::tree::{Digest, Entry, RelPathBuf};

pub(crate) use decode::decode_frames;
pub use decode::{decode, decode_delta};
pub(crate) use encode::encode;

/// What an archive holds and where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Index {
    /// The data frames, in the order of the file.
    pub frames: Vec<Frame>,
    /// The entries, in path order.
    pub records: Vec<Record>,
    /// What the archive is a delta of; `None` if it holds a whole tree.
    pub delta: Option<DeltaIndex>,
}

/// What an archive is a delta of, and what has been removed since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaIndex {
    /// The archive that this one is a delta of.
    pub base: Identity,
    /// Paths of the base that are removed with everything below them, in path order. None is below another, and none
    /// has an entry at or below it. What an entry that is not a directory replaces is not listed.
    pub removed: Vec<RelPathBuf>,
}

/// Identifies an archive: its index names everything in it and has a hash of every frame. The index of a delta
/// identifies its base, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The xxh3-128 of the index frame's payload.
    pub index: u128,
    /// The length of the file.
    pub len: u64,
}

/// No frame decodes to more than 1 GiB, which is also the limit of the seekable format's reference writer. Most frames
/// decode to about 4 MiB; only entries with huge xattrs make one much larger.
pub const LARGEST_FRAME: u32 = 1 << 30;

/// One data frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Its length in the file.
    pub compressed: u32,
    /// The length of the stretch of tar that it decodes to.
    pub decoded: u32,
    /// The xxh3-64 of its bytes in the file. zstd's own checksum covers the decoded content, and a decoder ignores some
    /// bits of a frame, so that checksum alone would not detect all damage.
    pub hash: u64,
}

/// One entry and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The entry.
    pub entry: Entry,
    /// The digest of a regular file's content.
    pub digest: Option<Digest>,
    /// Where its header begins in the tar stream.
    pub offset: u64,
    /// The length of its header blocks, a multiple of 512.
    pub header_bytes: u32,
}

/// What an index says about one entry. Its place follows from the entries before it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordRef<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) digest: Option<Digest>,
    pub(crate) header_bytes: u32,
}

impl Record {
    /// Where its content begins in the tar stream.
    pub fn content_offset(&self) -> u64 {
        self.offset + u64::from(self.header_bytes)
    }

    /// Where its content ends in the tar stream, without padding.
    pub fn content_end(&self) -> u64 {
        self.content_offset() + self.entry.kind.stored_bytes()
    }

    /// Where the next member begins.
    pub fn end(&self) -> u64 {
        self.content_end().next_multiple_of(512)
    }
}

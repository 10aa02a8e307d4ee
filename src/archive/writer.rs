//! Writes an archive: the data frames as they come, then the frames that let a reader begin anywhere.

use super::frame::Compressor;
use super::index::{self, DeltaIndex, Frame, RecordRef};
use super::tar;
use super::trailer::{self, HAUL_SKIPPABLE, Locator, MAGIC_BYTES, SeekEntry, Version};
use crate::tree::Entry;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use xxhash_rust::xxh3::xxh3_64;

/// The level of the index frame: it is small, and read at every start.
const INDEX_LEVEL: i32 = 3;

/// How much is copied at a time where the kernel does not copy.
const COPY_BYTES: usize = 256 << 10;

/// Where an archive goes.
pub(crate) trait Sink: Write {
    /// Appends `len` bytes of `src`, from byte `from` on.
    fn append(&mut self, src: &File, from: u64, len: u64) -> io::Result<()> {
        let mut buffer = vec![0; COPY_BYTES.min(len as usize)];
        let mut done = 0;
        while done < len {
            let now = buffer.len().min((len - done) as usize);
            src.read_exact_at(&mut buffer[..now], from + done)?;
            self.write_all(&buffer[..now])?;
            done += now as u64;
        }
        Ok(())
    }
}

impl Sink for &mut (dyn Write + '_) {}

/// An archive that is being written.
#[derive(Debug)]
pub(crate) struct Writer<W> {
    sink: W,
    written: u64,
    frames: Vec<Frame>,
}

impl<W: Sink> Writer<W> {
    pub(crate) fn new(sink: W) -> Self {
        Writer { sink, written: 0, frames: Vec::new() }
    }

    /// Appends a data frame that decodes to `decoded` bytes of tar.
    pub(crate) fn frame(&mut self, compressed: &[u8], decoded: usize) -> io::Result<()> {
        if decoded > index::LARGEST_FRAME as usize {
            return Err(io::Error::other(
                "a few entries have more extended attributes than a frame can hold",
            ));
        }
        self.put(compressed)?;
        self.frames.push(described(compressed, decoded));
        Ok(())
    }

    /// Appends a data frame of another archive as it is. Its bytes are not read.
    pub(crate) fn keep(&mut self, (file, offset, frame): (&File, u64, Frame)) -> io::Result<()> {
        self.sink.append(file, offset, frame.compressed.into())?;
        self.written += u64::from(frame.compressed);
        self.frames.push(frame);
        Ok(())
    }

    /// Writes the index of `records`, the end of the tar stream, the locator and the seek table, and returns the
    /// archive's length. With `delta`, the archive is a delta.
    ///
    /// The frame that ends the tar stream comes after the index, so that an archive cut off at any byte is visibly
    /// incomplete: if it came before the index, a cut between the two would leave a complete tar without an index.
    pub(crate) fn finish<'a>(
        mut self,
        records: impl ExactSizeIterator<Item = RecordRef<'a>> + Clone,
        delta: Option<&DeltaIndex>,
    ) -> io::Result<u64> {
        let mut end_frame = Vec::new();
        Compressor::new(INDEX_LEVEL)?.compress(&tar::END_OF_ARCHIVE, &mut end_frame)?;
        let end = described(&end_frame, tar::END_OF_ARCHIVE.len());
        let mut table: Vec<SeekEntry> = self.frames.iter().map(data_entry).collect();
        self.frames.push(end);

        let (index_frame, locator) = self.index_frame(records, delta)?;
        self.put(&index_frame)?;
        self.put(&end_frame)?;
        let locator_frame = locator.encode();
        self.put(&locator_frame)?;

        table.push(skipped_entry(&index_frame));
        table.push(data_entry(&end));
        table.push(skipped_entry(&locator_frame));
        self.put(&trailer::encode_seek_table(&table))?;
        self.sink.flush()?;
        Ok(self.written)
    }

    fn index_frame<'a>(
        &self,
        records: impl ExactSizeIterator<Item = RecordRef<'a>> + Clone,
        delta: Option<&DeltaIndex>,
    ) -> io::Result<(Vec<u8>, Locator)> {
        let version = if delta.is_some() { Version::DeltaIndex } else { Version::Tree };
        let bytes = index::encode(&self.frames, records, delta);
        let mut compressed = Vec::new();
        Compressor::new(INDEX_LEVEL)?.compress(&bytes, &mut compressed)?;
        if compressed.len() > (u32::MAX - 1024) as usize {
            return Err(io::Error::other("the index is too large: a skippable frame holds less than 4 GiB"));
        }
        let mut payload = Vec::with_capacity(MAGIC_BYTES + compressed.len());
        payload.extend_from_slice(&version.index_magic());
        payload.extend_from_slice(&compressed);
        let locator = Locator::of(self.written, &payload, bytes.len() as u64, version);
        Ok((trailer::skippable(HAUL_SKIPPABLE, &payload), locator))
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        self.sink.write_all(bytes)
    }
}

fn described(compressed: &[u8], decoded: usize) -> Frame {
    let hash = xxh3_64(compressed);
    Frame { compressed: compressed.len() as u32, decoded: decoded as u32, hash }
}

fn data_entry(frame: &Frame) -> SeekEntry {
    SeekEntry { compressed: frame.compressed, decoded: frame.decoded }
}

fn skipped_entry(frame: &[u8]) -> SeekEntry {
    SeekEntry { compressed: frame.len() as u32, decoded: 0 }
}

/// A stretch of tar that is being built: one frame's content, in a buffer that is reused for the next.
#[derive(Debug, Default)]
pub(crate) struct TarBuffer {
    /// Longer than what is used, and fully initialised, so that files are read straight into it without clearing it
    /// each time.
    bytes: Vec<u8>,
    len: usize,
    header: Vec<u8>,
}

impl TarBuffer {
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Drops everything from `len` on.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Appends the header blocks of a member and returns their length.
    pub(crate) fn header(&mut self, entry: &Entry) -> u32 {
        let mut header = std::mem::take(&mut self.header);
        header.clear();
        tar::encode(entry, &mut header);
        self.space(header.len()).copy_from_slice(&header);
        self.header = header;
        self.header.len() as u32
    }

    /// Appends `len` bytes of arbitrary content, to be overwritten.
    pub(crate) fn space(&mut self, len: usize) -> &mut [u8] {
        let end = self.len + len;
        if self.bytes.len() < end {
            self.bytes.resize(end.next_multiple_of(1 << 20), 0);
        }
        let space = &mut self.bytes[self.len..end];
        self.len = end;
        space
    }

    /// Ends a member of `stored` bytes of content with zeros up to the next block.
    pub(crate) fn pad(&mut self, stored: u64) {
        self.space(tar::padding(stored)).fill(0);
    }
}

//! Reads an archive by its index.
//!
//! The index is a plan, never a proof. What a frame decodes to is compared with the index before any caller sees it:
//! its length, every header field, and the digest of every file's content.

use super::frame::Decompressor;
use super::index::{self, DeltaIndex, Frame, Identity, Index, Record};
use super::tar::{self, Event};
use super::trailer::{
    self, LOCATOR_FRAME, Locator, MAGIC_BYTES, SEEK_FOOTER, SKIPPABLE_HEADER, SeekEntry, Version,
};
use super::{Fault, Malformed, malformed};
use crate::tree::digest::{Digest, part_digests};
use crate::tree::{Entry, Kind};
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// How much is read first: the seek table, the locator and the index of most archives.
const TAIL_BYTES: u64 = 256 << 10;
/// No index decodes to more: about 30 million entries.
const LARGEST_INDEX: u64 = 4 << 30;

/// An archive with an index.
#[derive(Debug)]
pub(crate) struct Archive<'f> {
    file: OpenFile<'f>,
    identity: Identity,
    index: Index,
    /// For each frame, where it begins in the file and in the tar stream, and the first record that begins in it.
    places: Vec<FramePlace>,
}

#[derive(Debug, Clone, Copy)]
struct FramePlace {
    offset: u64,
    tar_offset: u64,
    first_record: usize,
}

/// The file of an archive: somebody else's, or the archive's own.
#[derive(Debug)]
enum OpenFile<'f> {
    Borrowed(&'f File),
    Owned(File),
}

impl Deref for OpenFile<'_> {
    type Target = File;

    fn deref(&self) -> &File {
        match self {
            OpenFile::Borrowed(file) => file,
            OpenFile::Owned(file) => file,
        }
    }
}

impl Identity {
    /// Reads only the locator of the index; `None` if there is none.
    pub(crate) fn of(file: &File) -> Result<Option<Self>, Fault> {
        let len = file.metadata()?.len();
        Ok(locator(file, len)?.map(|locator| Identity { index: locator.digest, len }))
    }
}

/// Whether an archive is a delta. Reads only its locator.
pub(crate) fn is_delta(file: &File) -> Result<bool, Fault> {
    let locator = locator(file, file.metadata()?.len())?;
    Ok(locator.is_some_and(|locator| locator.version == Version::DeltaIndex))
}

fn locator(file: &File, len: u64) -> Result<Option<Locator>, Fault> {
    let Some(footer) = len.checked_sub(SEEK_FOOTER as u64) else { return Ok(None) };
    let table = trailer::seek_table_len(&read_at(file, footer, SEEK_FOOTER as u64)?);
    let place = table.and_then(|table| len.checked_sub(table + LOCATOR_FRAME as u64));
    let Some(place) = place else { return Ok(None) };
    Ok(Locator::decode(&read_at(file, place, LOCATOR_FRAME as u64)?)?)
}

/// The buffers in which one thread decodes frames.
pub(crate) struct Decoder {
    decompressor: Decompressor,
    compressed: Vec<u8>,
    tar: Vec<u8>,
}

/// What a frame holds of one member, checked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Member<'a> {
    /// All of it: `data` is its content, without holes.
    Whole { record: usize, data: &'a [u8] },
    /// A stretch of a large file's content, `stored` bytes into its data. Its digest is known once all stretches are,
    /// see [`PartDigests`].
    Part { record: usize, stored: u64, data: &'a [u8] },
}

impl<'t> Member<'t> {
    /// The number of its record.
    pub(crate) fn record(self) -> usize {
        match self {
            Member::Whole { record, .. } | Member::Part { record, .. } => record,
        }
    }

    /// The same under another number.
    pub(crate) fn with_record(self, record: usize) -> Member<'t> {
        match self {
            Member::Whole { data, .. } => Member::Whole { record, data },
            Member::Part { stored, data, .. } => Member::Part { record, stored, data },
        }
    }
}

impl<'f> Archive<'f> {
    /// Reads the index of an archive; `None` if it has none, an error if the index is not valid.
    pub(crate) fn open(file: &'f File) -> Result<Option<Self>, Fault> {
        Self::of(OpenFile::Borrowed(file))
    }

    /// The same of a file that nobody else needs.
    pub(crate) fn owning(file: File) -> Result<Option<Self>, Fault> {
        Self::of(OpenFile::Owned(file))
    }

    fn of(opened: OpenFile<'f>) -> Result<Option<Self>, Fault> {
        let file = &*opened;
        let len = file.metadata()?.len();
        let tail_start = len.saturating_sub(TAIL_BYTES);
        let tail = read_at(file, tail_start, len - tail_start)?;
        let Some(table_len) = trailer::seek_table_len(&tail) else { return Ok(None) };
        let end = table_len + LOCATOR_FRAME as u64;
        if end > len {
            return Ok(None);
        }
        let reach = Reach { file, tail: &tail, tail_start };
        let locator = Locator::decode(&reach.bytes(len - end, LOCATOR_FRAME as u64)?)?;
        let Some(locator) = locator else { return Ok(None) };
        let index = read_index(&reach, &locator, len)?;
        let places = places(&index, &locator);
        let table = trailer::decode_seek_table(&reach.bytes(len - table_len, table_len)?);
        check_table(&index, &locator, len - end, table.as_deref())?;
        let identity = Identity { index: locator.digest, len };
        Ok(Some(Archive { file: opened, identity, index, places }))
    }

    /// Identifies this archive.
    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// What it is a delta of, if it is one.
    pub(crate) fn delta(&self) -> Option<&DeltaIndex> {
        self.index.delta.as_ref()
    }

    /// The entries, in path order.
    pub(crate) fn records(&self) -> &[Record] {
        &self.index.records
    }

    /// The entries alone, in path order.
    pub(crate) fn into_records(self) -> Vec<Record> {
        self.index.records
    }

    /// How many data frames there are.
    pub(crate) fn frame_count(&self) -> usize {
        self.places.len()
    }

    /// The records of which the frame holds anything.
    pub(crate) fn records_in(&self, frame: usize) -> std::ops::Range<usize> {
        let place = self.places[frame];
        let continued = self.continued(frame).unwrap_or(place.first_record);
        continued..self.first_record_after(frame)
    }

    /// Whether a record's content lies in more than one frame.
    pub(crate) fn is_split(&self, number: usize) -> bool {
        let record = &self.index.records[number];
        let after = self.places.partition_point(|place| place.tar_offset <= record.offset);
        self.places.get(after).is_some_and(|next| record.content_end() > next.tar_offset)
    }

    /// The frames that hold any of a record's content.
    pub(crate) fn frames_of(&self, number: usize) -> std::ops::Range<usize> {
        let record = &self.index.records[number];
        let behind = |end: u64| self.places.partition_point(|place| place.tar_offset < end);
        // The frame in which the record begins is the last that begins no later.
        behind(record.offset + 1).saturating_sub(1)..behind(record.content_end())
    }

    /// The frame that holds exactly the bytes `from..to` of the tar stream.
    pub(crate) fn frame_of(&self, from: u64, to: u64) -> Option<usize> {
        let frame = self.places.binary_search_by_key(&from, |place| place.tar_offset).ok()?;
        (from + u64::from(self.index.frames[frame].decoded) == to).then_some(frame)
    }

    /// The length of what a frame decodes to.
    pub(crate) fn decoded_bytes(&self, frame: usize) -> usize {
        self.index.frames[frame].decoded as usize
    }

    /// Where a frame is: the file, where it begins there, and what the index says of it.
    pub(crate) fn stored(&self, frame: usize) -> (&File, u64, Frame) {
        (&self.file, self.places[frame].offset, self.index.frames[frame])
    }

    /// Reads a frame as stored in the file, and compares it with its hash.
    pub(crate) fn read(&self, frame: usize, compressed: &mut Vec<u8>) -> Result<(), Fault> {
        let info = self.index.frames[frame];
        compressed.resize(info.compressed as usize, 0);
        self.file.read_exact_at(compressed, self.places[frame].offset).map_err(|error| {
            match error.kind() {
                io::ErrorKind::UnexpectedEof => malformed("the archive is cut short").into(),
                _ => Fault::from(error),
            }
        })?;
        if xxh3_64(compressed) != info.hash {
            return Err(malformed(format!("frame {frame} is damaged")).into());
        }
        Ok(())
    }

    /// Decodes a frame.
    pub(crate) fn decode<'d>(&self, frame: usize, decoder: &'d mut Decoder) -> Result<&'d [u8], Fault> {
        let Decoder { decompressor, compressed, tar } = decoder;
        self.read(frame, compressed)?;
        decompressor.decompress(compressed, tar, self.decoded_bytes(frame))?;
        Ok(tar)
    }

    /// Calls `each` with what the decoded frame holds of every member, in order, each compared with the index first.
    pub(crate) fn members<'t, E: From<Fault>>(
        &self,
        frame: usize,
        tar: &'t [u8],
        mut each: impl FnMut(Member<'t>) -> Result<(), E>,
    ) -> Result<(), E> {
        let place = self.places[frame];
        let slice = |from: u64, to: u64| {
            let local = |at: u64| at.saturating_sub(place.tar_offset).min(tar.len() as u64) as usize;
            &tar[local(from)..local(to)]
        };
        if let Some(number) = self.continued(frame) {
            let record = &self.index.records[number];
            let stored = place.tar_offset.saturating_sub(record.content_offset());
            let data = slice(record.content_offset().max(place.tar_offset), record.content_end());
            each(Member::Part { record: number, stored, data })?;
        }
        let frame_end = place.tar_offset + tar.len() as u64;
        let mut stream = match self.index.records.get(place.first_record) {
            Some(first) => slice(first.offset, frame_end),
            None => &[],
        };
        let mut headers = tar::Decoder::new(tar::Limits::default());
        for number in place.first_record..self.first_record_after(frame) {
            let record = &self.index.records[number];
            check_header(&mut headers, &mut stream, record).map_err(Fault::from)?;
            let data = slice(record.content_offset(), record.content_end());
            if record.content_end() > frame_end {
                each(Member::Part { record: number, stored: 0, data })?;
            } else {
                check_digest(record, data).map_err(Fault::from)?;
                each(Member::Whole { record: number, data })?;
            }
        }
        if self.first_record_after(frame) == self.index.records.len() {
            check_end(slice(self.index.records.last().map_or(0, Record::end), frame_end))?;
        }
        Ok(())
    }

    /// The large file that began in an earlier frame and has content in this one.
    fn continued(&self, frame: usize) -> Option<usize> {
        let place = self.places[frame];
        let before = place.first_record.checked_sub(1)?;
        (self.index.records[before].content_end() > place.tar_offset).then_some(before)
    }

    fn first_record_after(&self, frame: usize) -> usize {
        self.places.get(frame + 1).map_or(self.index.records.len(), |next| next.first_record)
    }
}

impl Decoder {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Decoder {
            decompressor: Decompressor::for_checked_frames()?,
            compressed: Vec::new(),
            tar: Vec::new(),
        })
    }
}

/// The digests of a large file's parts as they come in, from several threads and in any order.
#[derive(Debug)]
pub(crate) struct PartDigests {
    state: Mutex<(Vec<(u64, Digest)>, u64)>,
}

impl PartDigests {
    /// For a file of which no part has been seen.
    pub(crate) fn new(record: &Record) -> Self {
        PartDigests { state: Mutex::new((Vec::new(), record.entry.kind.stored_bytes())) }
    }

    /// Adds a stretch of the file's data. `true` once all of it was seen and has the digest that the index gives.
    pub(crate) fn add(&self, record: &Record, stored: u64, data: &[u8]) -> Result<bool, Malformed> {
        let Kind::File { size, extents } = &record.entry.kind else { return Ok(true) };
        let digests = part_digests(*size, extents.as_deref(), stored, data);
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (parts, left) = &mut *state;
        parts.extend(digests);
        *left = left.checked_sub(data.len() as u64).ok_or_else(|| wrong_content(&record.entry))?;
        if *left > 0 {
            return Ok(false);
        }
        parts.sort_unstable_by_key(|&(number, _)| number);
        if Some(Digest::of_file(*size, parts)) == record.digest {
            Ok(true)
        } else {
            Err(wrong_content(&record.entry))
        }
    }
}

/// Only the end-of-archive marker may follow the last member.
fn check_end(rest: &[u8]) -> Result<(), Fault> {
    if rest.iter().any(|&byte| byte != 0) {
        return Err(malformed("there is data after the last member that the index does not list").into());
    }
    Ok(())
}

fn check_digest(record: &Record, data: &[u8]) -> Result<(), Malformed> {
    match &record.entry.kind {
        Kind::File { size, extents }
            if Some(Digest::of_content(*size, extents.as_deref(), data)) != record.digest =>
        {
            Err(wrong_content(&record.entry))
        }
        _ => Ok(()),
    }
}

fn wrong_content(entry: &Entry) -> Malformed {
    malformed(format!("the content of {} does not match its digest", entry.path.as_path().display()))
}

/// Takes a member off the front of `stream` and compares what its header says with the record.
fn check_header(headers: &mut tar::Decoder, stream: &mut &[u8], record: &Record) -> Result<(), Malformed> {
    match headers.next(stream) {
        Ok(Event::Member(member))
            if member.entry == record.entry && member.header_bytes == u64::from(record.header_bytes) => {}
        _ => {
            let path = record.entry.path.as_path().display();
            return Err(malformed(format!("the index and the header of {path} disagree")));
        }
    }
    // Skip the content: the digest covers it.
    while let Ok(Event::Data { .. }) = headers.next(stream) {}
    Ok(())
}

/// The end of the file, read once, and the rest on demand.
struct Reach<'a> {
    file: &'a File,
    tail: &'a [u8],
    tail_start: u64,
}

impl Reach<'_> {
    fn bytes(&self, offset: u64, len: u64) -> Result<Vec<u8>, Fault> {
        match offset.checked_sub(self.tail_start) {
            Some(start) => Ok(self.tail[start as usize..(start + len) as usize].to_vec()),
            None => read_at(self.file, offset, len),
        }
    }
}

fn read_at(file: &File, offset: u64, len: u64) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len as usize).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    bytes.resize(len as usize, 0);
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

fn read_index(reach: &Reach<'_>, locator: &Locator, file_len: u64) -> Result<Index, Fault> {
    let end = locator.offset.checked_add(locator.len);
    let least = (SKIPPABLE_HEADER + MAGIC_BYTES) as u64;
    if end.is_none_or(|end| end > file_len) || locator.len < least || locator.decoded_len > LARGEST_INDEX {
        return Err(malformed("the index locator points outside the archive").into());
    }
    let frame = reach.bytes(locator.offset, locator.len)?;
    let (header, payload) = frame.split_at(SKIPPABLE_HEADER);
    let expected = trailer::skippable(trailer::HAUL_SKIPPABLE, &[]);
    let (Some((version, compressed)), true) =
        (Version::of_index(payload), xxh3_128(payload) == locator.digest)
    else {
        return Err(malformed("the index is damaged").into());
    };
    if version != locator.version {
        return Err(malformed("the index and its locator are of different versions").into());
    }
    if header[..4] != expected[..4] || header[4..] != (payload.len() as u32).to_le_bytes() {
        return Err(malformed("the index is damaged").into());
    }
    let mut bytes = Vec::new();
    Decompressor::new()?.decompress(compressed, &mut bytes, locator.decoded_len as usize)?;
    Ok(match version {
        Version::Tree => index::decode(&bytes)?,
        Version::DeltaIndex => index::decode_delta(&bytes)?,
    })
}

/// Where each frame is. The last one, which ends the tar stream, comes after the index.
fn places(index: &Index, locator: &Locator) -> Vec<FramePlace> {
    let (mut offset, mut tar_offset) = (0_u64, 0_u64);
    let mut places = Vec::with_capacity(index.frames.len());
    for (number, frame) in index.frames.iter().enumerate() {
        if number + 1 == index.frames.len() {
            offset += locator.len;
        }
        let first_record = index.records.partition_point(|record| record.offset < tar_offset);
        places.push(FramePlace { offset, tar_offset, first_record });
        offset += u64::from(frame.compressed);
        tar_offset += u64::from(frame.decoded);
    }
    places
}

/// Checks that the seek table, the index and the file agree about every frame.
fn check_table(
    index: &Index,
    locator: &Locator,
    locator_offset: u64,
    table: Option<&[SeekEntry]>,
) -> Result<(), Malformed> {
    let damaged = || malformed("the seek table and the index disagree");
    let (Some(table), Some((end, data))) = (table, index.frames.split_last()) else { return Err(damaged()) };
    let line = |compressed, decoded| SeekEntry { compressed, decoded };
    let tail =
        [line(locator.len as u32, 0), line(end.compressed, end.decoded), line(LOCATOR_FRAME as u32, 0)];
    let expected = data.iter().map(|frame| line(frame.compressed, frame.decoded)).chain(tail);
    let data_bytes: u64 = data.iter().map(|frame| u64::from(frame.compressed)).sum();
    let index_end = locator.offset + locator.len;
    let adds_up = data_bytes == locator.offset && index_end + u64::from(end.compressed) == locator_offset;
    if adds_up && expected.eq(table.iter().copied()) { Ok(()) } else { Err(damaged()) }
}

/// Ensures that the footer is always within the first read.
const _: () = assert!(TAIL_BYTES as usize > SEEK_FOOTER + LOCATOR_FRAME);

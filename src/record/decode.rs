//! Reads a state file.

use super::{
    DIGEST_BYTES, DIRECTORY_BYTES, ENTRY_BYTES, HAS_DIGEST, HEADER_BYTES, MAGIC, PROVES_CONTENT,
    PROVES_METADATA, StateIdentity, VERSION,
};
use crate::plan::recorded::{Mark, Proof, Recorded};
use crate::tree::{Digest, FileKind, RelPath, Timestamp};
use std::cmp::Ordering;
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_128;

/// A state file that was read: its bytes, in which entries are looked up.
#[derive(Debug)]
pub(crate) struct StateTable {
    bytes: Vec<u8>,
    identity: StateIdentity,
    directories: usize,
    entries: usize,
}

/// Why bytes are not used as a state file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StateFault {
    /// They are something else.
    Foreign,
    /// Another version of the format.
    Version,
    /// Cut short, or changed.
    Damaged,
}

/// The entries of one directory, by their numbers in the table; empty if the directory is not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Children(Range<usize>);

impl StateTable {
    pub(crate) fn decode(bytes: Vec<u8>) -> Result<Self, StateFault> {
        if !bytes.starts_with(&MAGIC) {
            // A file that was cut within its first bytes is damaged; an empty one, too.
            let is_cut = MAGIC.starts_with(&bytes);
            return Err(if is_cut { StateFault::Damaged } else { StateFault::Foreign });
        }
        let mut header = FieldReader { bytes: &bytes, at: MAGIC.len() };
        if u32::from_le_bytes(header.take().ok_or(StateFault::Damaged)?) != VERSION {
            return Err(StateFault::Version);
        }
        let (identity, [directories, entries]) =
            read_header(&mut header, bytes.len()).ok_or(StateFault::Damaged)?;
        let (content, digest) = bytes.split_last_chunk::<DIGEST_BYTES>().ok_or(StateFault::Damaged)?;
        if xxh3_128(content) != u128::from_le_bytes(*digest) {
            return Err(StateFault::Damaged);
        }
        let table = StateTable { bytes, identity, directories, entries };
        if table.is_whole() { Ok(table) } else { Err(StateFault::Damaged) }
    }

    /// Whether each entry is in one directory.
    fn is_whole(&self) -> bool {
        let mut next = 0;
        let follows = |number| {
            let Some((_, Children(range))) = self.directory(number) else { return false };
            let is_next = range.start == next;
            next = range.end;
            is_next
        };
        (0..self.directories).all(follows) && next == self.entries
    }

    pub(crate) fn identity(&self) -> &StateIdentity {
        &self.identity
    }

    /// How many entries it has.
    pub(crate) fn len(&self) -> usize {
        self.entries
    }

    /// The entries of the directory at `path`. The root itself is among those of the root, without a name.
    pub(crate) fn children(&self, path: RelPath<'_>) -> Children {
        let found =
            search(0..self.directories, |number| Some(self.directory(number)?.0.cmp(path.as_bytes())));
        let children = found.and_then(|number| self.directory(number)).map(|(_, children)| children);
        children.unwrap_or_default()
    }

    /// The entry `name` among these, and its number.
    pub(crate) fn child(&self, children: &Children, name: &[u8]) -> Option<(usize, Recorded)> {
        let number = search(children.0.clone(), |number| Some(self.name(number)?.cmp(name)))?;
        Some((number, self.recorded(number)?))
    }

    /// The path and the entries of every directory, and their names. What is not within the file is left out.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8], usize)> {
        let directories = (0..self.directories).filter_map(|number| self.directory(number));
        directories.flat_map(move |(path, children)| {
            children.0.filter_map(move |number| Some((path, self.name(number)?, number)))
        })
    }

    /// What it says about the entry with this number.
    pub(crate) fn recorded(&self, number: usize) -> Option<Recorded> {
        let mut fields = self.entry(number)?;
        fields.at += 6;
        let [kind, flags] = fields.take()?;
        let has = |flag| flags & flag != 0;
        let size = u64::from_le_bytes(fields.take()?);
        let (src, dst) = (fields.mark()?, fields.mark()?);
        let digest = Digest(u128::from_le_bytes(fields.take()?));
        Some(Recorded {
            kind: kind_of(kind)?,
            size,
            src,
            dst,
            digest: has(HAS_DIGEST).then_some(digest),
            proof: Proof { content: has(PROVES_CONTENT), metadata: has(PROVES_METADATA) },
        })
    }

    /// The path of the directory with this number, and its entries.
    fn directory(&self, number: usize) -> Option<(&[u8], Children)> {
        let mut fields = FieldReader { bytes: &self.bytes, at: HEADER_BYTES + number * DIRECTORY_BYTES };
        let (at, len) = (fields.number()?, fields.number()?);
        let (first, count) = (fields.number()?, fields.number()?);
        let end = first.checked_add(count).filter(|&end| end <= self.entries)?;
        Some((self.text(at, len)?, Children(first..end)))
    }

    fn name(&self, number: usize) -> Option<&[u8]> {
        let mut fields = self.entry(number)?;
        let at = fields.number()?;
        self.text(at, usize::from(u16::from_le_bytes(fields.take()?)))
    }

    fn entry(&self, number: usize) -> Option<FieldReader<'_>> {
        let table = HEADER_BYTES + self.directories * DIRECTORY_BYTES;
        (number < self.entries).then(|| FieldReader { bytes: &self.bytes, at: table + number * ENTRY_BYTES })
    }

    fn text(&self, at: usize, len: usize) -> Option<&[u8]> {
        let start = HEADER_BYTES + self.directories * DIRECTORY_BYTES + self.entries * ENTRY_BYTES;
        let names = &self.bytes[start..self.bytes.len() - DIGEST_BYTES];
        names.get(at..at.checked_add(len)?)
    }
}

/// What follows the version, and how many directories and entries there are, which must be what fills the file.
fn read_header(header: &mut FieldReader<'_>, len: usize) -> Option<(StateIdentity, [usize; 2])> {
    header.take::<4>()?;
    let mut hash = || Some(u128::from_le_bytes(header.take()?));
    let identity = StateIdentity { src: hash()?, dst: hash()?, options: hash()?, boot: hash()? };
    let (directories, entries) = (header.number()?, header.number()?);
    let names = u64::from_le_bytes(header.take()?);
    // Numbers of 32 bits times small lengths: no overflow.
    let tables = directories as u64 * DIRECTORY_BYTES as u64 + entries as u64 * ENTRY_BYTES as u64;
    let expected = names.checked_add(tables + (HEADER_BYTES + DIGEST_BYTES) as u64)?;
    (expected == len as u64).then_some((identity, [directories, entries]))
}

/// The number in `range` for which `order` says that it is equal, if the numbers are in order.
fn search(range: Range<usize>, order: impl Fn(usize) -> Option<Ordering>) -> Option<usize> {
    let Range { mut start, mut end } = range;
    while start < end {
        let middle = start + (end - start) / 2;
        match order(middle)? {
            Ordering::Less => start = middle + 1,
            Ordering::Greater => end = middle,
            Ordering::Equal => return Some(middle),
        }
    }
    None
}

fn kind_of(number: u8) -> Option<FileKind> {
    Some(match number {
        0 => FileKind::File,
        1 => FileKind::Directory,
        2 => FileKind::Symlink,
        3 => FileKind::Fifo,
        4 => FileKind::CharDevice,
        5 => FileKind::BlockDevice,
        6 => FileKind::Socket,
        _ => return None,
    })
}

/// Reads numbers one after the other.
struct FieldReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl FieldReader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let taken = self.bytes.get(self.at..)?.first_chunk::<N>()?;
        self.at += N;
        Some(*taken)
    }

    fn number(&mut self) -> Option<usize> {
        Some(u32::from_le_bytes(self.take()?) as usize)
    }

    fn mark(&mut self) -> Option<Mark> {
        Some(Mark { mtime: self.time()?, ctime: self.time()?, ino: u64::from_le_bytes(self.take()?) })
    }

    fn time(&mut self) -> Option<Timestamp> {
        let seconds = i64::from_le_bytes(self.take()?);
        Some(Timestamp { seconds, nanos: u32::from_le_bytes(self.take()?) })
    }
}

//! An archive that is read entry by entry, by its index.
//!
//! Owns which frames a file's content lies in, and that none of it is taken for right that does not match its digest.
//! Holds one decoded frame at a time, whatever the archive says of lengths.

use crate::archive::Fault;
use crate::archive::index::Record;
use crate::archive::reader::{Archive, Decoder, Member, PartDigests};
use crate::error::{Act, Error, IndexUse, Unfit};
use crate::sys::open;
use crate::tree::extent::stretches;
use crate::tree::{Digest, Entry, Extent, Kind, RelPath};
use rustix::io::Errno;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How many zeros are written at a time.
const ZEROS: [u8; 4096] = [0; 4096];

/// One entry as the archive describes it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Listed<'a> {
    /// The entry.
    pub entry: &'a Entry,
    /// The digest of its content; `None` when it has none, or the archive has no index.
    pub digest: Option<Digest>,
}

impl<'a> Listed<'a> {
    /// An entry and the digest of its content.
    pub fn new(entry: &'a Entry, digest: Option<Digest>) -> Self {
        Listed { entry, digest }
    }
}

/// An archive with an index, open for reading single entries.
///
/// ```no_run
/// use haul::ArchiveReader;
/// use haul::tree::RelPath;
///
/// let archive = ArchiveReader::open("app.tar.zst")?;
/// for listed in archive.entries() {
///     println!("{:>9} {}", listed.entry.kind.size(), listed.entry.path.as_path().display());
/// }
/// let config = archive.read(RelPath::new(b"etc/app.conf").expect("a path below the root"))?;
/// # Ok::<(), haul::Error>(())
/// ```
#[derive(Debug)]
pub struct ArchiveReader {
    path: PathBuf,
    archive: Archive<'static>,
}

impl ArchiveReader {
    /// Opens the archive at `path` and reads its index, nothing else. An archive without an index cannot be opened:
    /// [`crate::list`] and [`crate::unpack`] read those front to back.
    ///
    /// Of a delta, what it holds itself can be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let file = open::input(path).map_err(|errno| Error::io(Act::Open, path, errno))?;
        match Archive::owning(file).map_err(|fault| fault.at(path))? {
            Some(archive) => Ok(ArchiveReader { path: path.to_owned(), archive }),
            None => Err(Error::unfit(path, Unfit::NoIndex(IndexUse::SingleEntries))),
        }
    }

    /// The entries, in path order.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = Listed<'_>> {
        self.archive.records().iter().map(|record| Listed::new(&record.entry, record.digest))
    }

    /// The entry at `path`; `None` where the archive has none.
    pub fn entry(&self, path: RelPath<'_>) -> Option<Listed<'_>> {
        let record = &self.archive.records()[self.find(path)?];
        Some(Listed::new(&record.entry, record.digest))
    }

    /// The content of the file at `path`, holes as zeros; that of a hard link is what it names.
    ///
    /// Reads the frames that hold any of it. They are compared with their hashes, and the content with its digest: damage
    /// is an error. What is no file cannot be read (`EISDIR`, `EINVAL`), and neither can what is not there (`ENOENT`).
    ///
    /// All of the content is held in memory. An archive can hold files of any length, so ask [`Self::entry`] first, or
    /// use [`Self::copy`], where it comes from somebody else.
    pub fn read(&self, path: RelPath<'_>) -> Result<Vec<u8>, Error> {
        let mut content = Vec::new();
        self.copy(path, &mut content)?;
        Ok(content)
    }

    /// Writes the content of the file at `path`, see [`Self::read`], frame by frame; returns how many bytes it has.
    ///
    /// The digest of a file that lies in several frames is known when all of it was read: after an error, what was
    /// written is not to be used.
    pub fn copy(&self, path: RelPath<'_>, to: &mut dyn Write) -> Result<u64, Error> {
        let number = self.file(path).map_err(|errno| self.at(path, errno))?;
        let record = &self.archive.records()[number];
        let mut content = EntryContent { to, written: 0 };
        let outcome = Decoder::new()
            .map_err(|error| Fault::from(error).into())
            .and_then(|mut decoder| self.content(number, &mut decoder, &mut content))
            .and_then(|()| content.fill(record.entry.kind.size()));
        match outcome {
            Ok(()) => Ok(content.written),
            Err(Stopped::Fault(fault)) => Err(fault.at(&self.path)),
            Err(Stopped::Write(error)) => Err(Error::io(Act::Write, &shown(path), error)),
        }
    }

    fn content(
        &self,
        number: usize,
        decoder: &mut Decoder,
        content: &mut EntryContent<'_>,
    ) -> Result<(), Stopped> {
        let record = &self.archive.records()[number];
        let parts = PartDigests::new(record);
        let extents = extents(record);
        let mut is_whole = false;
        for frame in self.archive.frames_of(number) {
            let tar = self.archive.decode(frame, decoder)?;
            self.archive.members(frame, tar, |member| match member {
                Member::Whole { record: found, data } if found == number => {
                    is_whole = true;
                    content.data(extents, 0, data)
                }
                Member::Part { record: found, stored, data } if found == number => {
                    is_whole = parts.add(record, stored, data).map_err(Fault::from)?;
                    content.data(extents, stored, data)
                }
                _ => Ok(()),
            })?;
        }
        if is_whole { Ok(()) } else { Err(Fault::from(io::Error::from(io::ErrorKind::UnexpectedEof)).into()) }
    }

    fn find(&self, path: RelPath<'_>) -> Option<usize> {
        self.archive.records().binary_search_by(|record| record.entry.path.as_path().cmp(&path)).ok()
    }

    /// The number of the file that a path leads to.
    fn file(&self, path: RelPath<'_>) -> Result<usize, Errno> {
        let number = self.find(path).ok_or(Errno::NOENT)?;
        match &self.archive.records()[number].entry.kind {
            Kind::File { .. } => Ok(number),
            Kind::Directory => Err(Errno::ISDIR),
            // A link in an index names a file or a node of its own archive, never a link.
            Kind::HardLink(first) => {
                let first = self.find(first.as_path()).ok_or(Errno::NOENT)?;
                let is_file = matches!(self.archive.records()[first].entry.kind, Kind::File { .. });
                if is_file { Ok(first) } else { Err(Errno::INVAL) }
            }
            _ => Err(Errno::INVAL),
        }
    }

    fn at(&self, path: RelPath<'_>, errno: Errno) -> Error {
        Error::io(Act::Read, &self.path.join(path.as_os_str()), errno)
    }
}

fn shown(path: RelPath<'_>) -> PathBuf {
    path.as_os_str().into()
}

/// The extents of a sparse file.
fn extents(record: &Record) -> Option<&[Extent]> {
    match &record.entry.kind {
        Kind::File { extents, .. } => extents.as_deref(),
        _ => None,
    }
}

/// Why reading stopped.
enum Stopped {
    Fault(Fault),
    /// Whoever takes the content does not take it.
    Write(io::Error),
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        Stopped::Fault(fault)
    }
}

/// Where the content goes.
struct EntryContent<'a> {
    to: &'a mut dyn Write,
    written: u64,
}

impl EntryContent<'_> {
    /// Writes data that begins `stored` bytes into the data of a file with these extents.
    fn data(&mut self, extents: Option<&[Extent]>, stored: u64, mut data: &[u8]) -> Result<(), Stopped> {
        let Some(extents) = extents else { return self.write(data) };
        for (offset, len) in stretches(extents, stored, data.len() as u64) {
            self.fill(offset)?;
            let (now, later) = data.split_at(data.len().min(len as usize));
            self.write(now)?;
            data = later;
        }
        Ok(())
    }

    /// Writes zeros until so much is written.
    fn fill(&mut self, end: u64) -> Result<(), Stopped> {
        while self.written < end {
            let zeros = (end - self.written).min(ZEROS.len() as u64) as usize;
            self.write(&ZEROS[..zeros])?;
        }
        Ok(())
    }

    fn write(&mut self, data: &[u8]) -> Result<(), Stopped> {
        self.to.write_all(data).map_err(Stopped::Write)?;
        self.written += data.len() as u64;
        Ok(())
    }
}

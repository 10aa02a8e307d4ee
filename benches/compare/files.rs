//! Reads and writes the files of batches with as few calls as possible.

use crate::batch::{Listing, Piece};
use crate::measure::Outcome;
use haul::tree::{Entry, RelPath, RelPathBuf, Timestamp};
use rustix::fs::{Mode, OFlags, Timespec, Timestamps};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The directory of the previous file: its descriptor is reused for the next one, so that no path is walked twice.
struct Parent {
    root: OwnedFd,
    path: RelPathBuf,
    dir: OwnedFd,
}

impl Parent {
    fn new(root: &Path) -> Outcome<Self> {
        let open = || rustix::fs::open(root, DIRECTORY, Mode::empty());
        Ok(Parent { root: open()?, path: RelPathBuf::default(), dir: open()? })
    }

    /// The descriptor of the directory that holds `path`.
    fn of(&mut self, path: RelPath<'_>) -> Outcome<&OwnedFd> {
        let (parent, _) = path.split();
        if self.path.as_path() != parent {
            let name = if parent.is_root() { ".".as_ref() } else { parent.as_os_str() };
            self.dir = rustix::fs::openat(&self.root, name, DIRECTORY, Mode::empty())?;
            self.path = parent.to_buf();
        }
        Ok(&self.dir)
    }
}

/// Reads batches; keeps a file open that continues in the next one.
pub struct Reader<'l> {
    parent: Parent,
    listing: &'l Listing,
    open: Option<File>,
}

impl<'l> Reader<'l> {
    pub fn new(root: &Path, listing: &'l Listing) -> Outcome<Self> {
        Ok(Reader { parent: Parent::new(root)?, listing, open: None })
    }

    /// Fills `content` with the bytes of a batch: for a whole file an open, a read and a close.
    pub fn read(&mut self, batch: &[Piece], content: &mut [u8]) -> Outcome<()> {
        for piece in batch {
            let mut file = match self.open.take() {
                Some(file) => file,
                None => self.file(self.listing.files[piece.file].path.as_path())?,
            };
            file.read_exact(&mut content[piece.bytes.clone()])?;
            self.open = (!piece.is_last).then_some(file);
        }
        Ok(())
    }

    fn file(&mut self, path: RelPath<'_>) -> Outcome<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let (dir, name) = (self.parent.of(path)?, OsStr::from_bytes(path.file_name()));
        Ok(rustix::fs::openat(dir, name, flags, Mode::empty())?.into())
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Writes batches; keeps a file open that continues in the next one.
pub struct Writer<'l> {
    parent: Parent,
    listing: &'l Listing,
    open: Option<OwnedFd>,
}

impl<'l> Writer<'l> {
    pub fn new(root: &Path, listing: &'l Listing) -> Outcome<Self> {
        Ok(Writer { parent: Parent::new(root)?, listing, open: None })
    }

    /// Writes the bytes of a batch: for a whole file a create, a write, one call for the times, and a close.
    pub fn write(&mut self, batch: &[Piece], content: &[u8]) -> Outcome<()> {
        for piece in batch {
            let file = match self.open.take() {
                Some(file) => file,
                None => self.create(&self.listing.files[piece.file])?,
            };
            let mut bytes = &content[piece.bytes.clone()];
            while !bytes.is_empty() {
                bytes = &bytes[rustix::io::write(&file, bytes)?..];
            }
            if piece.is_last {
                set_time(&file, self.listing.files[piece.file].meta.mtime)?;
            } else {
                self.open = Some(file);
            }
        }
        Ok(())
    }

    fn create(&mut self, entry: &Entry) -> Outcome<OwnedFd> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let (path, mode) = (entry.path.as_path(), Mode::from_raw_mode(entry.meta.mode));
        Ok(rustix::fs::openat(self.parent.of(path)?, OsStr::from_bytes(path.file_name()), flags, mode)?)
    }
}

fn set_time(file: &OwnedFd, time: Timestamp) -> rustix::io::Result<()> {
    let time = Timespec { tv_sec: time.seconds, tv_nsec: time.nanos.into() };
    rustix::fs::futimens(file, &Timestamps { last_access: time, last_modification: time })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    #[test]
    fn batches_cover_every_file_once() {
        let tree = TempDir::new().unwrap();
        fs::create_dir(tree.path().join("d")).unwrap();
        let files = [("a", 5), ("d/b", 0), ("d/c", 23), ("e", 3)];
        for (name, len) in files {
            fs::write(tree.path().join(name), vec![name.as_bytes()[0]; len]).unwrap();
        }
        let listing = Listing::of(tree.path()).unwrap();
        assert_eq!(listing.directories, [Path::new("d")]);
        for bytes in [1, 4, 8, 31, 100] {
            let mut reader = Reader::new(tree.path(), &listing).unwrap();
            let mut found = vec![Vec::new(); files.len()];
            for batch in listing.batches(bytes) {
                let mut content = vec![0; bytes];
                reader.read(&batch, &mut content).unwrap();
                for piece in batch {
                    assert_eq!(piece.is_first, found[piece.file].is_empty() || piece.bytes.is_empty());
                    found[piece.file].extend_from_slice(&content[piece.bytes]);
                }
            }
            for ((name, _), found) in files.iter().zip(found) {
                assert_eq!(fs::read(tree.path().join(name)).unwrap(), found, "{name} by {bytes}");
            }
        }
    }
}

//! The content of scanned files.
//!
//! A file is opened relative to its directory's descriptor, which is kept for the next file: consecutive files mostly
//! share it. Whether the file is still what the scan saw is checked once, after its last byte was read.

use super::found::Found;
use crate::account::{Cause, Failure};
use crate::error::Act;
use crate::sys::{Dir, FileKind, Stat, sparse, xattr};
use crate::tree::digest::part_digests;
use crate::tree::{Digest, Extent, Kind, PART_BYTES, RelPath, RelPathBuf, Xattr, extent};
use rustix::io::Errno;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

/// GNU tar expects every extent but the last to be whole blocks of this length.
const TAR_BLOCK: u64 = 512;

/// Opens the files of one tree. One for each thread.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    root: &'a Dir,
    /// The directory of the file opened last.
    held: Option<(RelPathBuf, Dir)>,
}

/// An open file of the tree.
#[derive(Debug)]
pub(crate) struct Content {
    file: File,
}

/// In a file with more extents, nearby extents are merged into one; readers refuse endless maps.
const MOST_EXTENTS: usize = 1 << 19;

/// Opens files about which something must be known before packing: whether the first name of a hard-link group can be
/// read, since the other names depend on it, and where a large file has holes, since it is cut by its data. Removes
/// files that cannot be opened, together with their links.
pub(crate) fn examine(root: &Dir, found: &mut Vec<Found>) -> Vec<Failure> {
    let mut reader = Reader::new(root);
    let mut failures = Vec::new();
    let mut lost: HashSet<RelPathBuf> = HashSet::new();
    for one in found.iter_mut() {
        if let Err((act, cause)) = reader.examine(one) {
            let path = one.entry.path.clone();
            failures.push(Failure { path: path.as_path().as_bytes().into(), act, cause });
            lost.insert(path);
        }
    }
    if !lost.is_empty() {
        found.retain(|one| match &one.entry.kind {
            Kind::HardLink(target) => {
                !lost.contains(target) || {
                    let (path, missing) = (one.entry.path.as_path(), target.as_path());
                    let cause = Cause::Missing(missing.as_bytes().into());
                    failures.push(Failure { path: path.as_bytes().into(), act: Act::Link, cause });
                    false
                }
            }
            _ => !lost.contains(&one.entry.path),
        });
    }
    failures
}

impl<'a> Reader<'a> {
    fn examine(&mut self, found: &mut Found) -> Result<(), (Act, Cause)> {
        let stamp = found.stamp;
        let Kind::File { size, .. } = found.entry.kind else { return Ok(()) };
        let large_with_holes = size > PART_BYTES && stamp.blocks.saturating_mul(512) < size;
        if !found.has_links && !large_with_holes {
            return Ok(());
        }
        let content = self.open(found).map_err(|cause| (Act::Open, cause))?;
        let holes = content.extents(found).map_err(|error| (Act::Read, error.into()))?;
        found.entry.kind = Kind::File { size, extents: holes };
        Ok(())
    }

    pub(crate) fn new(root: &'a Dir) -> Self {
        Reader { root, held: None }
    }

    /// Opens the content of a scanned file.
    pub(crate) fn open(&mut self, found: &Found) -> Result<Content, Cause> {
        let (parent, name) = found.entry.path.as_path().split();
        match self.dir(parent).and_then(|dir| dir.open_file(name)) {
            Ok(file) => Ok(Content { file }),
            Err(Errno::NOENT) => Err(Cause::Vanished),
            // A directory above it became something else, or the file became a symlink, directory or socket.
            Err(Errno::NOTDIR | Errno::LOOP | Errno::ISDIR | Errno::NXIO) => Err(Cause::Replaced),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The extended attributes of a scanned file, which is not opened.
    pub(crate) fn xattrs(&mut self, found: &Found) -> rustix::io::Result<Box<[Xattr]>> {
        let (parent, name) = found.entry.path.as_path().split();
        xattr::at(self.dir(parent)?.as_fd(), name)
    }

    fn dir(&mut self, path: RelPath<'_>) -> rustix::io::Result<&Dir> {
        if self.held.as_ref().is_none_or(|(held, _)| held.as_path() != path) {
            self.held = Some((path.to_buf(), self.root.open_dir_beneath(path)?));
        }
        self.held.as_ref().map(|(_, dir)| dir).ok_or(Errno::BADF)
    }
}

impl Content {
    /// The file's extended attributes.
    pub(crate) fn xattrs(&self) -> io::Result<Box<[Xattr]>> {
        Ok(xattr::of(self.file.as_fd())?)
    }

    /// Where the file's data lies, in whole blocks as tar needs them; `None` if it has no holes. The file system is
    /// asked only if the file occupied less room than its length when it was scanned.
    pub(crate) fn extents(&self, found: &Found) -> io::Result<Option<Box<[Extent]>>> {
        let size = found.stamp.size;
        if found.stamp.blocks.saturating_mul(512) >= size {
            return Ok(None);
        }
        let Some(extents) = sparse::extents(&self.file, size)? else { return Ok(None) };
        let mut unit = TAR_BLOCK;
        let mut aligned = extent::aligned(&extents, size, unit);
        while aligned.len() > MOST_EXTENTS {
            unit *= 4;
            aligned = extent::aligned(&extents, size, unit);
        }
        let is_dense = matches!(aligned[..], [Extent { offset: 0, len }] if len == size);
        Ok((!is_dense).then(|| aligned.into()))
    }

    /// Fills `buffer` from `offset` on. Returns how many bytes there were; the rest of `buffer` is unchanged.
    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// The digest of the file's content, read a part at a time into `buffer`.
    pub(crate) fn digest(&self, found: &Found, buffer: &mut Vec<u8>) -> io::Result<Digest> {
        let size = found.stamp.size;
        let extents = self.extents(found)?;
        let whole = [Extent { offset: 0, len: size }];
        let data = extents.as_deref().unwrap_or(&whole);
        let mut parts = Vec::new();
        let (mut stored, mut next) = (0, extent::next_data(data, 0));
        while let Some(offset) = next {
            let start = offset / PART_BYTES * PART_BYTES;
            let mut filled = 0;
            for stretch in extent::within(data, start, start + PART_BYTES) {
                let end = filled + stretch.len as usize;
                buffer.resize(buffer.len().max(end), 0);
                if self.read(&mut buffer[filled..end], stretch.offset)? < end - filled {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                filled = end;
            }
            parts.extend(part_digests(size, extents.as_deref(), stored, &buffer[..filled]));
            stored += filled as u64;
            next = extent::next_data(data, start + PART_BYTES);
        }
        Ok(Digest::of_file(size, &parts))
    }

    /// Whether the file is still what the scan saw.
    ///
    /// Size and mtime reveal changed content; ctime reveals changed content whose mtime was set back. A ctime that
    /// changed together with the number of links means that a link was added or removed, which does not matter here
    /// (package managers link and unlink the files of their caches all the time).
    pub(crate) fn check(&self, found: &Found) -> Result<(), Cause> {
        let now = Stat::of(self.file.as_fd())?;
        let then = found.stamp;
        if now.kind != FileKind::File || (now.dev, now.ino) != (then.dev, then.ino) {
            return Err(Cause::Replaced);
        }
        let same_content = (now.size, now.mtime) == (then.size, then.mtime);
        if same_content && (now.ctime == then.ctime || now.nlink != then.nlink) {
            return Ok(());
        }
        Err(Cause::Changed)
    }
}

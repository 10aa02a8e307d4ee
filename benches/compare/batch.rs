//! The content of a tree, cut into batches, so that floors can be measured on a tree that does not fit in memory.
//!
//! Owns the list of a tree's files in path order, and how they are cut; a file that is larger than a batch comes in
//! several. Symlinks and holes are not included: a hole is read as zeros. [`crate::files`] reads and writes batches.

use crate::interrupt;
use crate::measure::Outcome;
use haul::tree::{Entry, Kind, Metadata, Owner, RelPath, Timestamp};
use std::fs;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A part of one file in a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The number of the file.
    pub file: usize,
    /// Where its bytes are in the batch.
    pub bytes: Range<usize>,
    pub is_first: bool,
    pub is_last: bool,
}

/// A tree's directories and regular files, each in path order.
pub struct Listing {
    pub directories: Vec<PathBuf>,
    pub files: Vec<Entry>,
}

impl Listing {
    /// The entries below `root`. Paths are relative to it.
    pub fn of(root: &Path) -> Outcome<Self> {
        let mut listing = Listing { directories: Vec::new(), files: Vec::new() };
        let mut dirs = vec![PathBuf::new()];
        while let Some(dir) = dirs.pop() {
            interrupt::check()?;
            for entry in fs::read_dir(root.join(&dir))? {
                let entry = entry?;
                let (path, metadata) = (dir.join(entry.file_name()), entry.metadata()?);
                if metadata.is_dir() {
                    listing.directories.push(path.clone());
                    dirs.push(path);
                } else if metadata.is_file() {
                    listing.files.push(file_entry(&path, &metadata)?);
                }
            }
        }
        listing.directories.sort();
        listing.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(listing)
    }

    /// The files cut into batches of at most `bytes` bytes.
    pub fn batches(&self, bytes: usize) -> Vec<Vec<Piece>> {
        let (mut batches, mut batch, mut filled) = (Vec::new(), Vec::new(), 0);
        for (file, entry) in self.files.iter().enumerate() {
            let size = entry.kind.size();
            let mut done = 0;
            loop {
                let len = (size - done).min((bytes - filled) as u64) as usize;
                let is_last = done + len as u64 == size;
                batch.push(Piece { file, bytes: filled..filled + len, is_first: done == 0, is_last });
                (done, filled) = (done + len as u64, filled + len);
                if filled == bytes {
                    batches.push(std::mem::take(&mut batch));
                    filled = 0;
                }
                if is_last {
                    break;
                }
            }
        }
        batches.extend((!batch.is_empty()).then_some(batch));
        batches
    }
}

fn file_entry(path: &Path, metadata: &fs::Metadata) -> Outcome<Entry> {
    let owner = Owner { uid: metadata.uid(), gid: metadata.gid(), ..Owner::default() };
    let mtime = Timestamp { seconds: metadata.mtime(), nanos: u32::try_from(metadata.mtime_nsec())? };
    let mode = metadata.mode() & 0o7777;
    Ok(Entry {
        path: RelPath::new(path.as_os_str().as_bytes())?.to_buf(),
        kind: Kind::file(metadata.len()),
        meta: Metadata { mode, owner: Arc::new(owner), mtime, xattrs: Box::default() },
    })
}

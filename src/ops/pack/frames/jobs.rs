//! The frames to be filled, one after the other.

use crate::archive::cut::{self, Piece, Place};
use crate::error::Act;
use crate::report::Cause;
use crate::sys::Dir;
use crate::tree::{Entry, Kind};
use crate::walk::Found;
use crate::walk::content::{Content, Reader};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

/// One frame.
pub(super) struct Job {
    /// Where it begins.
    pub(super) from: Place,
    /// Where the next one begins.
    pub(super) to: Place,
    /// The large file that it holds a stretch of, if any; there is never more than one.
    pub(super) large: Option<Arc<Large>>,
}

/// A file that is cut into pieces, which several threads read through one descriptor.
pub(super) struct Large {
    pub(super) number: usize,
    pub(super) pieces: Vec<Piece>,
    /// The file with its xattrs, or why it could not be opened.
    pub(super) opened: Result<(Content, Entry), Failed>,
    /// Pieces that nobody has read yet.
    pub(super) left: AtomicUsize,
    /// Whether a failure of the file has been reported.
    pub(super) named: AtomicBool,
}

pub(super) type Failed = std::sync::Mutex<Option<(Act, Cause)>>;

/// Hands out the frames. Opens each large file as its first frame is handed out; it is closed with its last.
pub(super) struct Jobs<'a> {
    found: &'a [Found],
    places: Vec<Place>,
    next: usize,
    reader: Reader<'a>,
    large: Option<Arc<Large>>,
}

impl<'a> Jobs<'a> {
    pub(super) fn new(root: &'a Dir, found: &'a [Found]) -> Self {
        let places = cut::cuts(found.iter().map(|one| &one.entry));
        Jobs { found, places, next: 0, reader: Reader::new(root), large: None }
    }

    fn large(&mut self, number: usize) -> Option<Arc<Large>> {
        let found = self.found.get(number)?;
        let Kind::File { size, extents } = &found.entry.kind else { return None };
        if self.large.as_ref().is_none_or(|large| large.number != number) {
            let pieces = cut::pieces(*size, extents.as_deref());
            let left = AtomicUsize::new(pieces.len());
            let opened = open(&mut self.reader, found).map_err(|failed| Some(failed).into());
            let named = AtomicBool::new(false);
            self.large = Some(Arc::new(Large { number, pieces, opened, left, named }));
        }
        self.large.clone()
    }
}

fn open(reader: &mut Reader<'_>, found: &Found) -> Result<(Content, Entry), (Act, Cause)> {
    let content = reader.open(found).map_err(|cause| (Act::Open, cause))?;
    let mut entry = found.entry.clone();
    entry.meta.xattrs = content.xattrs().map_err(|error| (Act::ReadXattrs, error.into()))?;
    Ok((content, entry))
}

impl Iterator for Jobs<'_> {
    type Item = Job;

    fn next(&mut self) -> Option<Job> {
        let from = *self.places.get(self.next)?;
        self.next += 1;
        let to = self.places.get(self.next).copied();
        let to = to.unwrap_or(Place { entry: self.found.len(), piece: 0 });
        // A large file is cut, so a frame that holds some of it begins or ends inside it.
        let large = match (from.piece, to.piece) {
            (1.., _) => self.large(from.entry),
            (0, 1..) => self.large(to.entry),
            (0, 0) => None,
        };
        Some(Job { from, to, large })
    }
}

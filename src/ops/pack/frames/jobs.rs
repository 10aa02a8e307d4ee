//! The frames to fill, in order.

use super::super::read;
use crate::account::Cause;
use crate::archive::cut::{self, Piece, Place};
use crate::error::Act;
use crate::tree::{Entry, Kind};
use crate::walk::Found;
use crate::walk::content::Content;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// The entries and stretches of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Where it begins.
    pub(super) from: Place,
    /// Where the next one begins.
    pub(super) to: Place,
}

/// A frame of the base to reuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Carried {
    pub(super) frame: usize,
    /// The record of the first entry.
    pub(super) record: usize,
    /// All frames of the large file in it are reused, so its digest is the one in the base.
    pub(super) is_large_whole: bool,
}

/// One frame to write.
pub(super) struct Job {
    pub(super) span: Span,
    /// The large file of which it holds a stretch, if any; there is never more than one.
    pub(super) large: Option<Arc<LargeJob>>,
    /// The same frame of the base, if there is one.
    pub(super) carried: Option<Carried>,
}

/// A file that is cut into pieces, which several threads read through one descriptor.
pub(super) struct LargeJob {
    pub(super) number: usize,
    pub(super) pieces: Vec<Piece>,
    /// The file with its xattrs, or why it could not be opened; the first thread that needs it opens it.
    pub(super) opened: OnceLock<Result<(Content, Entry), FirstFailure>>,
    /// Pieces that are not done yet.
    pub(super) left: AtomicUsize,
    /// Whether a failure of the file has been reported.
    pub(super) named: AtomicBool,
}

pub(super) type FirstFailure = Mutex<Option<(Act, Cause)>>;

/// Hands out the frames. A large file is closed with its last frame.
pub(super) struct Jobs<'a> {
    found: &'a [Found],
    spans: std::vec::IntoIter<(Span, Option<Carried>)>,
    large: Option<Arc<LargeJob>>,
}

/// The frames of an archive of `found`.
pub(super) fn spans(found: &[Found]) -> Vec<Span> {
    let places = cut::cuts(found.iter().map(|one| &one.entry));
    let end = Place { entry: found.len(), piece: 0 };
    let ends = places.iter().copied().skip(1).chain([end]);
    places.iter().copied().zip(ends).map(|(from, to)| Span { from, to }).collect()
}

impl Span {
    /// The numbers of the entries that it holds, or holds part of.
    pub(super) fn entries(self) -> Range<usize> {
        self.from.entry..if self.to.piece > 0 { self.to.entry + 1 } else { self.to.entry }
    }

    /// The number of the large file of which it holds a stretch: such a file is cut, so the frame begins or ends in it.
    pub(super) fn large(self) -> Option<usize> {
        match (self.from.piece, self.to.piece) {
            (1.., _) => Some(self.from.entry),
            (0, 1..) => Some(self.to.entry),
            (0, 0) => None,
        }
    }

    /// The pieces, out of `count`, that it holds of the large file with this number.
    pub(super) fn pieces(self, number: usize, count: usize) -> Range<usize> {
        let first = if number == self.from.entry { self.from.piece } else { 0 };
        first..if number == self.to.entry { self.to.piece } else { count }
    }
}

impl<'a> Jobs<'a> {
    pub(super) fn new(found: &'a [Found], spans: Vec<(Span, Option<Carried>)>) -> Self {
        Jobs { found, spans: spans.into_iter(), large: None }
    }

    fn large(&mut self, number: usize) -> Option<Arc<LargeJob>> {
        let Kind::File { size, extents } = &self.found.get(number)?.entry.kind else { return None };
        if self.large.as_ref().is_none_or(|large| large.number != number) {
            let pieces = cut::pieces(*size, extents.as_deref());
            let left = AtomicUsize::new(pieces.len());
            let named = AtomicBool::new(false);
            self.large = Some(Arc::new(LargeJob { number, pieces, opened: OnceLock::new(), left, named }));
        }
        self.large.clone()
    }
}

impl Iterator for Jobs<'_> {
    type Item = Job;

    fn next(&mut self) -> Option<Job> {
        let (span, carried) = self.spans.next()?;
        let large = span.large().and_then(|number| self.large(number));
        Some(Job { span, large, carried })
    }
}

impl LargeJob {
    /// Marks `pieces` more pieces as done. With the last ones, checks whether the file is still the same, if any of it
    /// was read.
    pub(super) fn done(&self, pieces: usize, found: &Found) -> Result<(), (Act, Cause)> {
        let is_last = self.left.fetch_sub(pieces, Ordering::AcqRel) == pieces;
        match self.opened.get() {
            Some(Ok((content, _))) if is_last => read::check(content, found),
            _ => Ok(()),
        }
    }
}

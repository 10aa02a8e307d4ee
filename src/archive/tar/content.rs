//! The way through a member's content: which bytes of the stream are which bytes of the file.

use crate::tree::{Extent, Kind};

/// What is left of a member's content.
#[derive(Debug)]
pub(super) struct Content {
    /// Where in the file the next byte belongs.
    offset: u64,
    /// How many bytes are left of the current stretch of data.
    left: u64,
    /// The stretches behind it.
    behind: std::vec::IntoIter<Extent>,
    /// Zero bytes behind all of it.
    pub(super) padding: u64,
    /// It is passed over.
    pub(super) is_hidden: bool,
}

impl Content {
    /// The content of a member of this kind that stores `stored` bytes.
    pub(super) fn new(kind: &Kind, stored: u64) -> Self {
        let padding = super::padding(stored) as u64;
        let (left, behind) = match kind {
            Kind::File { extents: Some(extents), .. } => (0, extents.to_vec()),
            _ => (stored, Vec::new()),
        };
        let is_hidden = !matches!(kind, Kind::File { .. });
        Content { offset: 0, left, behind: behind.into_iter(), padding, is_hidden }
    }

    /// How many bytes of the stream are the bytes of the file from some offset on, and that offset; `None` at the end.
    pub(super) fn stretch(&mut self) -> Option<(u64, u64)> {
        while self.left == 0 {
            let Extent { offset, len } = self.behind.next()?;
            (self.offset, self.left) = (offset, len);
        }
        Some((self.left, self.offset))
    }

    /// Notes that `len` bytes of the current stretch were taken.
    pub(super) fn advance(&mut self, len: u64) {
        self.offset += len;
        self.left -= len;
    }
}

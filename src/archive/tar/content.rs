//! Maps a member's content in the stream to places in the file.

use crate::tree::{Extent, Kind};

/// What is left of a member's content.
#[derive(Debug)]
pub(super) struct MemberContent {
    /// Where in the file the next byte belongs.
    offset: u64,
    /// How many bytes are left of the current stretch of data.
    left: u64,
    /// The stretches after it.
    rest: std::vec::IntoIter<Extent>,
    /// Zero bytes after all of it.
    pub(super) padding: u64,
    /// Whether it is skipped.
    pub(super) is_hidden: bool,
}

impl MemberContent {
    /// The content of a member of this kind that stores `stored` bytes.
    pub(super) fn new(kind: &Kind, stored: u64) -> Self {
        let padding = super::padding(stored) as u64;
        let (left, after) = match kind {
            Kind::File { extents: Some(extents), .. } => (0, extents.to_vec()),
            _ => (stored, Vec::new()),
        };
        let is_hidden = !matches!(kind, Kind::File { .. });
        MemberContent { offset: 0, left, rest: after.into_iter(), padding, is_hidden }
    }

    /// The file offset where the next bytes of the stream belong, and how many of them are contiguous; `None` at the
    /// end.
    pub(super) fn stretch(&mut self) -> Option<(u64, u64)> {
        while self.left == 0 {
            let Extent { offset, len } = self.rest.next()?;
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

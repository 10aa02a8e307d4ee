//! Gathers the entries of an archive without an index, front to back.

use crate::archive::cut::{Piece, pieces};
use crate::archive::tar::Event;
use crate::plan::links::{self, GroupName};
use crate::tree::digest::part_digests;
use crate::tree::{Digest, Entry, Kind, RelPathBuf};
use std::collections::BTreeMap;
use std::vec;

/// The entries of a tar stream with the digests of their contents. The last of several with the same name counts.
pub(crate) struct Gathered {
    /// Whether they are needed.
    wanted: bool,
    entries: BTreeMap<RelPathBuf, (Entry, Option<Digest>)>,
    current: Option<Current>,
}

/// The member whose content is coming.
struct Current {
    entry: Entry,
    pieces: vec::IntoIter<Piece>,
    /// The piece that is coming.
    piece: Option<Piece>,
    /// Its data so far, and how much data was before it.
    data: Vec<u8>,
    stored: u64,
    parts: Vec<(u64, Digest)>,
}

impl Gathered {
    pub(crate) fn new(wanted: bool) -> Self {
        Gathered { wanted, entries: BTreeMap::new(), current: None }
    }

    pub(crate) fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Member(member) if self.wanted => self.current = Some(Current::new(member.entry)),
            Event::Data { bytes, .. } => self.current.iter_mut().for_each(|current| current.content(bytes)),
            Event::MemberEnd => {
                if let Some(current) = self.current.take() {
                    let (entry, digest) = current.finish();
                    self.entries.insert(entry.path.clone(), (entry, digest));
                }
            }
            _ => {}
        }
    }

    /// The entries in path order, with hard-link groups as a scan has them: the first name in path order is the file.
    pub(crate) fn finish(self) -> Vec<(Entry, Option<Digest>)> {
        let mut entries: Vec<_> = self.entries.into_values().collect();
        links::regroup(&mut entries, |_| 0);
        entries
    }
}

impl GroupName for (Entry, Option<Digest>) {
    fn entry(&self) -> &Entry {
        &self.0
    }

    fn entry_mut(&mut self) -> &mut Entry {
        &mut self.0
    }

    fn digest_mut(&mut self) -> Option<&mut Option<Digest>> {
        Some(&mut self.1)
    }
}

impl Current {
    fn new(entry: Entry) -> Self {
        let mut pieces = match &entry.kind {
            Kind::File { size, extents } => pieces(*size, extents.as_deref()),
            _ => Vec::new(),
        }
        .into_iter();
        let piece = pieces.next();
        Current { entry, pieces, piece, data: Vec::new(), stored: 0, parts: Vec::new() }
    }

    fn content(&mut self, mut bytes: &[u8]) {
        while let Some(piece) = self.piece
            && !bytes.is_empty()
        {
            let missing = piece.stored as usize - self.data.len();
            let (now, after) = bytes.split_at(bytes.len().min(missing));
            self.data.extend_from_slice(now);
            bytes = after;
            if now.len() == missing {
                self.end_piece();
            }
        }
    }

    fn end_piece(&mut self) {
        if let Kind::File { size, extents } = &self.entry.kind {
            self.parts.extend(part_digests(*size, extents.as_deref(), self.stored, &self.data));
        }
        self.stored += self.data.len() as u64;
        self.data.clear();
        self.piece = self.pieces.next();
    }

    fn finish(self) -> (Entry, Option<Digest>) {
        let digest = match self.entry.kind {
            Kind::File { size, .. } => Some(Digest::of_file(size, &self.parts)),
            _ => None,
        };
        (self.entry, digest)
    }
}

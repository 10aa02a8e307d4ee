//! Gathers the entries of an archive without an index, front to back.

use crate::archive::tar::Event;
use crate::plan::links::{self, GroupName};
use crate::tree::digest::{PART_BYTES, part_digests};
use crate::tree::extent;
use crate::tree::{Digest, Entry, Extent, Kind, RelPathBuf};
use std::collections::BTreeMap;

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
    /// The part whose data is coming.
    part: Option<Part>,
    /// Its data so far, and how much data was before it.
    data: Vec<u8>,
    stored: u64,
    parts: Vec<(u64, Digest)>,
}

/// A part of a file that holds data. Found one after the other: a declared size says nothing about how many will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    /// Where it ends in the file.
    end: u64,
    /// How much data it holds, in bytes.
    held: u64,
}

/// The first part of a file that holds data at or after byte `at`.
fn part_from(size: u64, extents: Option<&[Extent]>, at: u64) -> Option<Part> {
    let whole = [Extent { offset: 0, len: size }];
    let extents = extents.unwrap_or(&whole);
    let start = extent::next_data(extents, at)? / PART_BYTES * PART_BYTES;
    let end = size.min(start + PART_BYTES);
    Some(Part { end, held: extent::within(extents, start, end).map(|extent| extent.len).sum() })
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
        let mut current = Current { entry, part: None, data: Vec::new(), stored: 0, parts: Vec::new() };
        current.part = current.part_from(0);
        current
    }

    fn part_from(&self, at: u64) -> Option<Part> {
        match &self.entry.kind {
            Kind::File { size, extents } => part_from(*size, extents.as_deref(), at),
            _ => None,
        }
    }

    fn content(&mut self, mut bytes: &[u8]) {
        while let Some(part) = self.part
            && !bytes.is_empty()
        {
            let missing = part.held as usize - self.data.len();
            let (now, after) = bytes.split_at(bytes.len().min(missing));
            self.data.extend_from_slice(now);
            bytes = after;
            if now.len() == missing {
                self.end_part(part);
            }
        }
    }

    fn end_part(&mut self, part: Part) {
        if let Kind::File { size, extents } = &self.entry.kind {
            self.parts.extend(part_digests(*size, extents.as_deref(), self.stored, &self.data));
        }
        self.stored += self.data.len() as u64;
        self.data.clear();
        self.part = self.part_from(part.end);
    }

    fn finish(self) -> (Entry, Option<Digest>) {
        let digest = match self.entry.kind {
            Kind::File { size, .. } => Some(Digest::of_file(size, &self.parts)),
            _ => None,
        };
        (self.entry, digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::arbitrary;
    use proptest::prelude::*;

    #[test]
    fn the_parts_of_a_file_are_those_that_hold_data() {
        let huge = u64::MAX >> 1;
        assert_eq!(part_from(huge, None, 0), Some(Part { end: PART_BYTES, held: PART_BYTES }));
        assert_eq!(part_from(huge, None, huge - 1).map(|part| part.end), Some(huge));
        assert_eq!(
            (part_from(0, None, 0), part_from(9, None, 9), part_from(9, Some(&[]), 0)),
            (None, None, None)
        );
        let extents = [Extent { offset: 5, len: 2 }, Extent { offset: 3 * PART_BYTES - 1, len: 2 }];
        let size = 4 * PART_BYTES;
        let found: Vec<_> = std::iter::successors(part_from(size, Some(&extents), 0), |part| {
            part_from(size, Some(&extents), part.end)
        })
        .map(|part| (part.end / PART_BYTES, part.held))
        .collect();
        assert_eq!(found, [(1, 2), (3, 1), (4, 1)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// However the content is cut, the digest is that of the whole.
        #[test]
        fn the_digest_is_that_of_the_content(entry in arbitrary::entry(PART_BYTES + 700_000), cut in 1..5_000_000_usize) {
            let Kind::File { size, extents } = &entry.kind else { return Ok(()) };
            let stored = extents.as_deref().map_or(*size, extent::data_bytes);
            let data: Vec<u8> = (0..stored).map(|n| (n % 251) as u8).collect();
            let expected = Digest::of_content(*size, extents.as_deref(), &data);
            let mut current = Current::new(entry);
            data.chunks(cut).for_each(|bytes| current.content(bytes));
            prop_assert_eq!(current.finish().1, Some(expected));
        }
    }
}

//! Where a tar stream is cut into frames.
//!
//! Pure: computes the cuts from the entries' paths and sizes. Keeps three promises. The cuts depend on nothing else, so
//! not on threads or timing. A cut depends only on the entries around it, so a change, an insertion or a removal
//! affects only its own frame and the neighbours. Frames hold about 4 MiB; frames of small files at least 1 MiB and at
//! most 8.
//!
//! The rule is content-defined chunking by local minima (as in AE, and unlike a rolling hash with a minimum length,
//! where each cut depends on the previous one): every entry has a hash of its path, and a frame begins at an entry
//! whose hash is the smallest within 2 MiB on both sides. Large files are cut at fixed offsets of their own and
//! separate the entries before them from those after them.

use crate::tree::digest::PART_BYTES;
use crate::tree::{Entry, Extent, Kind, extent};
use xxhash_rust::xxh3::xxh3_64;

/// Hashes are compared with those of entries up to this far away; the mean frame is twice as long.
const REACH: u64 = 2 << 20;
/// No frame of small entries is shorter, unless the whole archive is.
const SHORTEST: u64 = 1 << 20;
/// No frame of small entries is longer.
const LONGEST: u64 = 8 << 20;
/// What an entry costs besides its content: a PAX header and its own block. Exact for most entries; cuts must not
/// depend on anything that only reading the file would show.
const HEADER_BYTES: u64 = 1_536;

/// A place in the tar stream where a frame may begin: at the header of an entry when `piece` is 0, else inside its
/// content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The entry's number.
    pub(crate) entry: usize,
    /// The piece of its content, see [`pieces`].
    pub(crate) piece: usize,
}

/// A stretch of a large file's content that is never cut, in bytes of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Where it begins in the file: a multiple of [`PART_BYTES`].
    pub(crate) start: u64,
    /// Where it ends.
    pub(crate) end: u64,
    /// How many bytes of data it holds.
    pub(crate) stored: u64,
}

/// The frames of an archive of `entries`, as the places where they begin; the first is always the first entry.
pub(crate) fn cuts<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<Place> {
    let mut cutter = Cutter::default();
    for entry in entries {
        cutter.add(entry);
    }
    cutter.finish()
}

/// The pieces of a file: one, unless it holds more than [`PART_BYTES`] of data. A piece holds whole parts, as many as
/// hold at most [`PART_BYTES`] of data together; a short last piece is joined to the one before it.
pub(crate) fn pieces(size: u64, extents: Option<&[Extent]>) -> Vec<Piece> {
    let Some(extents) = extents else { return dense_pieces(size) };
    let mut pieces: Vec<Piece> = Vec::new();
    let mut current = Piece { start: 0, end: 0, stored: 0 };
    let mut at = extent::next_data(extents, 0);
    while let Some(offset) = at {
        let start = offset / PART_BYTES * PART_BYTES;
        let end = (start + PART_BYTES).min(size);
        let stored = extent::within(extents, start, end).map(|e| e.len).sum::<u64>();
        if current.stored > 0 && current.stored + stored > PART_BYTES {
            pieces.push(current);
            current = Piece { start, end, stored };
        } else {
            current = Piece { end, stored: current.stored + stored, ..current };
        }
        at = extent::next_data(extents, end);
    }
    current.end = size;
    join_short(&mut pieces, current);
    pieces
}

fn dense_pieces(size: u64) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut start = 0;
    while size - start > PART_BYTES {
        pieces.push(Piece { start, end: start + PART_BYTES, stored: PART_BYTES });
        start += PART_BYTES;
    }
    join_short(&mut pieces, Piece { start, end: size, stored: size - start });
    pieces
}

fn join_short(pieces: &mut Vec<Piece>, last: Piece) {
    match pieces.last_mut() {
        Some(before) if last.stored < SHORTEST => {
            before.end = last.end;
            before.stored += last.stored;
        }
        _ => pieces.push(last),
    }
}

/// One entry of a run of small ones.
#[derive(Debug, Clone, Copy)]
struct Small {
    entry: usize,
    /// Where it begins, in bytes from the start of the run.
    offset: u64,
    hash: u64,
}

#[derive(Debug, Default)]
struct Cutter {
    places: Vec<Place>,
    /// Entries seen.
    count: usize,
    /// The small entries since the last large one.
    run: Vec<Small>,
    run_bytes: u64,
}

impl Cutter {
    fn add(&mut self, entry: &Entry) {
        let number = self.count;
        self.count += 1;
        let pieces = match &entry.kind {
            Kind::File { size, extents } => pieces(*size, extents.as_deref()),
            _ => Vec::new(),
        };
        if pieces.len() > 1 {
            // A short run shares the first frame of what follows it.
            let joined = self.run_bytes < SHORTEST && !self.run.is_empty();
            self.end_run(joined);
            let first = usize::from(joined);
            self.places.extend((first..pieces.len()).map(|piece| Place { entry: number, piece }));
        } else {
            let hash = xxh3_64(entry.path.as_path().as_bytes());
            self.run.push(Small { entry: number, offset: self.run_bytes, hash });
            self.run_bytes += HEADER_BYTES + entry.kind.stored_bytes();
        }
    }

    fn finish(mut self) -> Vec<Place> {
        // A short end shares the last frame of what comes before it, if anything does.
        if self.run_bytes >= SHORTEST || self.places.is_empty() {
            self.end_run(true);
        }
        self.places
    }

    /// Ends the run of small entries and cuts it. A short run begins a frame of its own only if `whole` says so.
    fn end_run(&mut self, whole: bool) {
        let run = std::mem::take(&mut self.run);
        let bytes = std::mem::take(&mut self.run_bytes);
        if let Some(first) = run.first()
            && (whole || bytes >= SHORTEST)
        {
            self.places.push(Place { entry: first.entry, piece: 0 });
            let mut starts = minima(&run, bytes);
            split_long(&run, bytes, &mut starts);
            self.places.extend(starts.into_iter().map(|i| Place { entry: run[i].entry, piece: 0 }));
        }
    }
}

/// The entries, by number in the run, whose hash is the smallest within [`REACH`], except those near the run's ends.
fn minima(run: &[Small], bytes: u64) -> Vec<usize> {
    // For each entry, how far away the nearest entry with a smaller hash is, before it and after it. Each direction
    // uses a monotonic stack of candidates.
    let mut before = vec![u64::MAX; run.len()];
    let mut stack: Vec<usize> = Vec::new();
    let mut minimal = vec![true; run.len()];
    for (i, this) in run.iter().enumerate() {
        while let Some(&top) = stack.last()
            && run[top].hash > this.hash
        {
            minimal[top] &= this.offset - run[top].offset > REACH;
            stack.pop();
        }
        if let Some(&top) = stack.last() {
            before[i] = this.offset - run[top].offset;
        }
        stack.push(i);
    }
    (0..run.len())
        .filter(|&i| minimal[i] && before[i] > REACH)
        .filter(|&i| run[i].offset >= SHORTEST && bytes - run[i].offset >= SHORTEST)
        .collect()
}

/// Splits stretches longer than [`LONGEST`] near their middle, at the entry with the smallest hash there, until all are
/// short enough.
fn split_long(run: &[Small], bytes: u64, starts: &mut Vec<usize>) {
    let offset = |i: usize| run.get(i).map_or(bytes, |small| small.offset);
    let mut todo: Vec<(usize, usize)> = Vec::new();
    let mut from = 0;
    for &start in starts.iter().chain([&run.len()]) {
        todo.push((from, start));
        from = start;
    }
    while let Some((from, to)) = todo.pop() {
        let (low, len) = (offset(from), offset(to) - offset(from));
        if len <= LONGEST {
            continue;
        }
        // The second and third quarter; a small entry is at most half of LONGEST long, so one begins there.
        let inner = run[from + 1..to].iter().enumerate();
        let middle = inner.filter(|(_, s)| s.offset - low >= len / 4 && s.offset - low <= len - len / 4);
        if let Some((i, _)) = middle.min_by_key(|(i, small)| (small.hash, *i)) {
            let at = from + 1 + i;
            starts.push(at);
            todo.extend([(from, at), (at, to)]);
        }
    }
    starts.sort_unstable();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Metadata, RelPathBuf, Timestamp};
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    const MIB: u64 = 1 << 20;

    fn entry(path: &str, size: u64) -> Entry {
        Entry {
            path: RelPathBuf::from_member_name(path.as_bytes()).unwrap(),
            kind: Kind::file(size),
            meta: Metadata {
                mode: 0o644,
                owner: Arc::default(),
                mtime: Timestamp::default(),
                xattrs: Box::default(),
            },
        }
    }

    /// The length of every frame, and the path at which it begins.
    fn frames(entries: &[Entry]) -> Vec<(u64, String)> {
        let places = cuts(entries.iter());
        let mut frames = Vec::new();
        let mut next = places.iter().peekable();
        for (number, e) in entries.iter().enumerate() {
            for (piece, p) in pieces(e.kind.size(), None).iter().enumerate() {
                if next.next_if_eq(&&Place { entry: number, piece }).is_some() {
                    frames.push((0, format!("{} {piece}", e.path.as_path().display())));
                }
                let header = if piece == 0 { HEADER_BYTES } else { 0 };
                frames.last_mut().expect("the first entry begins a frame").0 += header + p.stored;
            }
        }
        assert!(next.next().is_none(), "a cut that is at no piece");
        frames
    }

    #[test]
    fn a_small_archive_is_one_frame_and_an_empty_one_none() {
        assert_eq!(frames(&[entry("a", 10), entry("b", 10)]).len(), 1);
        assert!(cuts([].iter()).is_empty());
    }

    #[test]
    fn a_large_file_owns_frames_at_multiples_of_four_mib() {
        let entries = [entry("a", 10), entry("big", 10 * MIB), entry("c", 10)];
        let starts: Vec<_> = frames(&entries).into_iter().map(|(_, start)| start).collect();
        assert_eq!(starts, ["a 0", "big 1", "big 2"]);
    }

    #[test]
    fn pieces_hold_whole_parts_and_no_short_end() {
        let bounds = |size| pieces(size, None).iter().map(|p| p.end / MIB).collect::<Vec<_>>();
        assert_eq!(bounds(4 * MIB), [4]);
        assert_eq!(bounds(4 * MIB + 1), [4]);
        assert_eq!(bounds(9 * MIB), [4, 8, 9]);
        assert_eq!(bounds(0), [0]);
    }

    #[test]
    fn the_pieces_of_a_sparse_file_follow_its_data() {
        let size = 1 << 50;
        let data = |mib: u64, len: u64| Extent { offset: mib * MIB, len: len * MIB };
        let found = pieces(size, Some(&[data(100, 3), data(1 << 20, 4), data(1 << 22, 4)]));
        assert_eq!(found.iter().map(|p| p.stored / MIB).collect::<Vec<_>>(), [3, 4, 4]);
        assert_eq!((found[0].start, found[2].end), (0, size));
        assert!(found.windows(2).all(|w| w[0].end <= w[1].start && w[1].start % PART_BYTES == 0));
        assert_eq!(pieces(size, Some(&[])), [Piece { start: 0, end: size, stored: 0 }]);
    }

    fn tree() -> impl Strategy<Value = BTreeMap<String, u64>> {
        let size = prop_oneof![9 => 0..200_000_u64, 3 => 0..3 * MIB, 1 => 0..20 * MIB];
        prop::collection::btree_map("[a-z]{1,3}/[a-z]{1,6}", size, 0..600)
    }

    fn entries(tree: &BTreeMap<String, u64>) -> Vec<Entry> {
        tree.iter().map(|(path, &size)| entry(path, size)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn frames_are_neither_short_nor_long(tree in tree()) {
            let frames = frames(&entries(&tree));
            for (i, (len, start)) in frames.iter().enumerate() {
                // A single archive-wide frame may be short; a large file's first or last frame takes a short run in.
                prop_assert!(*len <= LONGEST + SHORTEST, "{start}: {len}");
                prop_assert!(frames.len() == 1 || *len >= SHORTEST, "{i} {start}: {len}");
            }
        }

        #[test]
        fn a_change_disturbs_only_its_neighbourhood(tree in tree(), path in "[a-z]{1,3}/[a-z]{1,6}", size in 0..MIB) {
            let before: Vec<_> = frames(&entries(&tree)).into_iter().map(|(_, start)| start).collect();
            let mut edited = tree.clone();
            edited.insert(path, size);
            let after: Vec<_> = frames(&entries(&edited)).into_iter().map(|(_, start)| start).collect();
            let head = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
            let tail = before.iter().rev().zip(after.iter().rev()).take_while(|(a, b)| a == b).count();
            // The disturbed stretch reaches REACH to both sides, and one long stretch may be split differently.
            prop_assert!(before.len().saturating_sub(head + tail) <= 8, "{before:?} {after:?}");
        }
    }
}

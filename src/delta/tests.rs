//! What holds for all contents: from a signature to a delta to the new content.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use std::convert::Infallible;
use std::io;

/// An op that owns its bytes; adjacent literals are joined.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Copy(u64, u64),
    Literal(Vec<u8>),
}

fn table(basis: &[u8], block_bytes: u32) -> Table {
    let layout = BlockLayout::new(basis.len() as u64, block_bytes).unwrap();
    Table::new(Signature::of(basis, layout).unwrap())
}

/// The delta from `table` to the content, fed in pieces of these lengths in turn.
fn delta(table: &Table, new: &[u8], pieces: &[usize]) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut emit = |op: Op<'_>| {
        match (op, steps.last_mut()) {
            (Op::Literal(bytes), Some(Step::Literal(before))) => before.extend_from_slice(bytes),
            (Op::Literal(bytes), _) => steps.push(Step::Literal(bytes.to_vec())),
            (Op::Copy { from, len }, _) => steps.push(Step::Copy(from, len)),
        }
        Ok::<_, Infallible>(())
    };
    // The least buffer, so that it is moved often.
    let mut search = Search::with_buffer(table, 0);
    let (mut rest, mut lengths) = (new, pieces.iter().cycle());
    while !rest.is_empty() {
        let (now, later) = rest.split_at(rest.len().min(*lengths.next().unwrap()));
        let Ok(()) = search.feed(now, &mut emit);
        rest = later;
    }
    let Ok(()) = search.finish(&mut emit);
    steps
}

fn apply(basis: &[u8], steps: &[Step]) -> Vec<u8> {
    let mut patch = Patch::new(basis.len() as u64, read_at(basis), Vec::new(), u64::MAX);
    for step in steps {
        let op = match step {
            Step::Copy(from, len) => Op::Copy { from: *from, len: *len },
            Step::Literal(bytes) => Op::Literal(bytes),
        };
        assert!(op.produced_bytes() > 0);
        patch.apply(op).unwrap();
    }
    patch.finish().0
}

fn read_at(basis: &[u8]) -> impl Fn(u64, &mut [u8]) -> io::Result<usize> {
    |offset, out| {
        let rest = &basis[offset as usize..];
        let len = rest.len().min(out.len());
        out[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }
}

fn literal_bytes(steps: &[Step]) -> usize {
    steps.iter().map(|step| if let Step::Literal(bytes) = step { bytes.len() } else { 0 }).sum()
}

/// Bytes without a pattern.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        // Marsaglia's xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Content without a pattern, of few different bytes, with a period, of a single byte, or of a few equal blocks.
fn content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..4000),
        vec(0..2_u8, 0..4000),
        (vec(any::<u8>(), 1..200), 0_usize..4000).prop_map(|(period, len)| period
            .into_iter()
            .cycle()
            .take(len)
            .collect()),
        (any::<u8>(), 0_usize..4000).prop_map(|(byte, len)| vec![byte; len]),
        vec(0..3_u64, 0..40)
            .prop_map(|kinds| kinds.into_iter().flat_map(|kind| noise(100, kind + 1)).collect()),
    ]
}

#[derive(Debug, Clone)]
enum Edit {
    Insert(Index, Vec<u8>),
    Delete(Index, Index),
    Replace(Index, Vec<u8>),
    /// Moves a stretch elsewhere.
    Move(Index, Index, Index),
    /// Inserts a copy of a stretch.
    Repeat(Index, Index, Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    prop_oneof![
        (at(), vec(any::<u8>(), 1..300)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        (at(), at()).prop_map(|(from, to)| Edit::Delete(from, to)),
        (at(), vec(any::<u8>(), 1..300)).prop_map(|(at, bytes)| Edit::Replace(at, bytes)),
        (at(), at(), at()).prop_map(|(from, to, at)| Edit::Move(from, to, at)),
        (at(), at(), at()).prop_map(|(from, to, at)| Edit::Repeat(from, to, at)),
    ]
}

fn edited(mut content: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    let at = |content: &[u8], index: &Index| index.index(content.len() + 1);
    let range = |content: &[u8], a: &Index, b: &Index| {
        let (a, b) = (at(content, a), at(content, b));
        a.min(b)..a.max(b)
    };
    let insert = |content: &mut Vec<u8>, index: &Index, bytes: Vec<u8>| {
        let at = at(content, index);
        content.splice(at..at, bytes);
    };
    for edit in edits {
        match edit {
            Edit::Insert(index, bytes) => insert(&mut content, index, bytes.clone()),
            Edit::Delete(a, b) => drop(content.drain(range(&content, a, b))),
            Edit::Replace(index, bytes) => {
                let at = at(&content, index);
                let end = content.len().min(at + bytes.len());
                content.splice(at..end, bytes.iter().copied());
            }
            Edit::Move(a, b, to) => {
                let moved: Vec<u8> = content.drain(range(&content, a, b)).collect();
                insert(&mut content, to, moved);
            }
            Edit::Repeat(a, b, to) => {
                let copied = content[range(&content, a, b)].to_vec();
                insert(&mut content, to, copied);
            }
        }
    }
    content
}

proptest! {
    #[test]
    fn the_delta_of_any_edits_makes_the_new_content(
        basis in content(),
        edits in vec(edit(), 0..6),
        block_bytes in 64_u32..400,
        pieces in vec(1_usize..1500, 1..6),
    ) {
        let new = edited(basis.clone(), &edits);
        let table = table(&basis, block_bytes);
        let steps = delta(&table, &new, &pieces);
        prop_assert_eq!(apply(&basis, &steps), &new[..]);
        // How the content is cut into pieces does not matter.
        prop_assert_eq!(delta(&table, &new, &[usize::MAX]), steps);
    }

    /// No op covers what is skipped; what is around it is built.
    #[test]
    fn content_with_a_gap_is_made_around_it(
        basis in content(), edits in vec(edit(), 0..4), block_bytes in 64_u32..400, cut: (Index, Index), gap in 0_u64..1000,
    ) {
        let new = edited(basis.clone(), &edits);
        let (a, b) = (cut.0.index(new.len() + 1), cut.1.index(new.len() + 1));
        let (before, after) = (&new[..a.min(b)], &new[a.min(b)..]);
        let table = table(&basis, block_bytes);
        let mut patch = Patch::new(basis.len() as u64, read_at(&basis), Vec::new(), u64::MAX);
        let mut search = Search::with_buffer(&table, 0);
        search.feed(before, |op| patch.apply(op)).unwrap();
        search.skip(gap, |op| patch.apply(op)).unwrap();
        let (mut made, _) = patch.finish();
        prop_assert_eq!(&made[..], before);
        let mut patch = Patch::new(basis.len() as u64, read_at(&basis), &mut made, u64::MAX);
        search.feed(after, |op| patch.apply(op)).unwrap();
        search.finish(|op| patch.apply(op)).unwrap();
        prop_assert_eq!(made, new);
    }

    #[test]
    fn the_delta_to_unlike_content_makes_it_too(basis in content(), new in content(), block_bytes in 64_u32..400) {
        let steps = delta(&table(&basis, block_bytes), &new, &[1000]);
        prop_assert_eq!(apply(&basis, &steps), new);
    }

    #[test]
    fn the_delta_of_equal_content_is_one_copy(basis in content(), block_bytes in 64_u32..400, piece in 1_usize..1500) {
        let steps = delta(&table(&basis, block_bytes), &basis, &[piece]);
        let expected = if basis.is_empty() { vec![] } else { vec![Step::Copy(0, basis.len() as u64)] };
        prop_assert_eq!(steps, expected);
    }

    /// An edit costs its own bytes and the blocks that it touches: one at each end.
    #[test]
    fn an_insertion_costs_no_more_than_a_block_around_it(
        seed: u64, len in 1000_usize..50_000, at: Index, inserted in vec(any::<u8>(), 1..20), block_bytes in 64_u32..400,
    ) {
        let basis = noise(len, seed);
        let at = at.index(len);
        let new = [&basis[..at], &inserted, &basis[at..]].concat();
        let steps = delta(&table(&basis, block_bytes), &new, &[4096]);
        prop_assert_eq!(apply(&basis, &steps), new);
        prop_assert!(literal_bytes(&steps) <= block_bytes as usize + inserted.len());
        prop_assert!(steps.len() <= 3);
    }

    #[test]
    fn a_signature_survives_its_encoding_and_its_stretches(
        content in content(), block_bytes in 64_u32..400, stretch in 1_u64..2000,
    ) {
        let layout = BlockLayout::new(content.len() as u64, block_bytes).unwrap();
        let whole = Signature::of(&content, layout).unwrap();
        prop_assert_eq!(Signature::decode(&whole.encode()), Ok(whole.clone()));
        let mut next = 0;
        let mut blocks = Vec::new();
        for range in layout.stretches(stretch) {
            prop_assert_eq!(range.start, next);
            next = range.end;
            blocks.extend(Signature::of_stretch(layout, &content[range.start as usize..range.end as usize]));
        }
        prop_assert_eq!(next, content.len() as u64);
        prop_assert_eq!(Signature::join(layout, blocks), Ok(whole));
    }

    #[test]
    fn a_damaged_signature_is_an_error_or_another_signature(
        content in content(), damage in vec((any::<Index>(), any::<u8>()), 1..4), cut: Index,
    ) {
        let mut bytes = Signature::of(&content, BlockLayout::new(content.len() as u64, 100).unwrap()).unwrap().encode();
        prop_assert!(Signature::decode(&bytes[..cut.index(bytes.len())]).is_err());
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(signature) = Signature::decode(&bytes) {
            prop_assert_eq!(signature.encode(), bytes);
        }
    }

    /// A delta made with a wrong signature is refused or produces something else; it never reads outside.
    #[test]
    fn a_signature_that_lies_does_no_harm(
        basis in content(), new in content(), block_bytes in 64_u32..400, swaps in vec((any::<Index>(), any::<Index>()), 1..5),
    ) {
        let layout = BlockLayout::new(new.len() as u64, block_bytes).unwrap();
        let mut blocks: Vec<Block> = Signature::of_stretch(layout, &new).collect();
        prop_assume!(!blocks.is_empty());
        for (a, b) in swaps {
            let (a, b) = (a.index(blocks.len()), b.index(blocks.len()));
            (blocks[a].weak, blocks[b].strong) = (blocks[b].weak, blocks[a].strong);
        }
        let table = Table::new(Signature::join(layout, blocks).unwrap());
        let mut patch = Patch::new(basis.len() as u64, read_at(&basis), Vec::new(), new.len() as u64);
        for step in delta(&table, &new, &[999]) {
            let end = match step {
                Step::Copy(from, len) => patch.apply(Op::Copy { from, len }),
                Step::Literal(bytes) => patch.apply(Op::Literal(&bytes)),
            };
            prop_assert!(matches!(end, Ok(()) | Err(PatchError::OutsideBasis)));
        }
    }
}

#[test]
fn a_byte_put_into_a_large_file_costs_one_block() {
    let basis = noise(3 << 20, 1);
    let layout = BlockLayout::for_size(basis.len() as u64).unwrap();
    let table = Table::new(Signature::of(&basis, layout).unwrap());
    let new = [&basis[..1_000_000], b"!", &basis[1_000_000..]].concat();
    let steps = delta(&table, &new, &[100_000]);
    assert_eq!(literal_bytes(&steps), layout.block_bytes() + 1);
    assert_eq!(apply(&basis, &steps), new);
}

#[test]
fn zeros_without_end_are_copied_from_one_block() {
    let basis = [noise(640, 3), vec![0; 64], noise(640, 4)].concat();
    let new = vec![0; 6400];
    let steps = delta(&table(&basis, 64), &new, &[1000]);
    assert_eq!(steps, vec![Step::Copy(640, 64); 100]);
}

#[test]
fn a_longer_run_of_zeros_is_copied_from_the_run() {
    let basis = [noise(128, 3), vec![0; 640], noise(128, 4)].concat();
    let new = [&basis[..128], &[0; 1280], &basis[768..]].concat();
    let steps = delta(&table(&basis, 64), &new, &[1000]);
    assert_eq!(apply(&basis, &steps), new);
    assert_eq!(literal_bytes(&steps), 0);
    assert!(steps.len() <= 4, "{steps:?}");
}

#[test]
fn of_equal_blocks_the_one_at_the_same_place_is_copied() {
    let (a, b, c) = (noise(64, 1), noise(64, 2), noise(64, 3));
    let basis = [&a[..], &b, &a, &c].concat();
    let new = [&noise(128, 4)[..], &a, &c].concat();
    let steps = delta(&table(&basis, 64), &new, &[50]);
    assert_eq!(steps, [Step::Literal(noise(128, 4)), Step::Copy(128, 128)]);
}

#[test]
fn the_short_last_block_is_found_behind_other_content() {
    let basis = noise(64 * 3 + 10, 1);
    let new = [b"before".to_vec(), basis[64 * 3..].to_vec()].concat();
    let steps = delta(&table(&basis, 64), &new, &[3]);
    assert_eq!(steps, [Step::Literal(b"before".to_vec()), Step::Copy(192, 10)]);
}

#[test]
fn the_error_of_the_receiver_ends_the_search() {
    let table = table(b"", 64);
    let mut search = Search::with_buffer(&table, 0);
    assert_eq!(search.feed(&[1; 1000], |_| Err("full")), Err("full"));
}

/// The Thue-Morse sequence, whose polynomial hash modulo 2^64 is that of its complement.
fn thue_morse(len: usize, ones: u8) -> Vec<u8> {
    (0..len).map(|i: usize| (i.count_ones() as u8 & 1) ^ ones).collect()
}

#[test]
fn blocks_whose_weak_hashes_collide_are_told_apart() {
    let (basis, new) = (thue_morse(4096, 0), thue_morse(4096, 1));
    assert_eq!(Block::of(&basis).weak, Block::of(&new).weak, "the collision that this test is about");
    let steps = delta(&table(&basis, 4096), &new, &[1000]);
    assert_eq!(steps, [Step::Literal(new)]);
}

#[test]
fn layouts_keep_to_their_bounds() {
    let bytes = |size: u64| BlockLayout::for_size(size).unwrap().block_bytes() as u64;
    assert_eq!([bytes(0), bytes(1), bytes(16 << 20)], [4 << 10; 3]);
    assert_eq!([bytes(1 << 30), bytes(10 << 30), bytes(1 << 40)], [32 << 10, 128 << 10, 1 << 20]);
    assert_eq!([bytes((1 << 40) + 1), bytes(16 << 40)], [2 << 20, 16 << 20]);
    assert!(BlockLayout::for_size((16 << 40) + 1).is_err());
    assert!(BlockLayout::for_size(u64::MAX).is_err());
    assert!(
        BlockLayout::new(1, MIN_BLOCK_BYTES - 1).is_err()
            && BlockLayout::new(1, MAX_BLOCK_BYTES + 1).is_err()
    );
    assert!(BlockLayout::new(u64::from(MIN_BLOCK_BYTES) * MAX_BLOCKS, MIN_BLOCK_BYTES).is_ok());
    assert!(BlockLayout::new(u64::from(MIN_BLOCK_BYTES) * MAX_BLOCKS + 1, MIN_BLOCK_BYTES).is_err());
}

#[test]
fn content_that_became_longer_or_shorter_has_no_signature() {
    let layout = BlockLayout::new(128, 64).unwrap();
    assert!(Signature::of(&[0; 64], layout).is_err());
    assert!(Signature::of(&[0; 129], layout).is_err());
    assert!(Signature::of(&[0; 128], layout).is_ok());
}

//! Times the inner loops, each alone and in memory, to judge changes to one of them.
//!
//!     cargo bench --bench micro [-- FILTER]
//!
//! Owns the synthetic entries, stats and bytes that the loops work on. Everything is the same in every run. Whole
//! programs on real trees are `benches/compare`.

// The times are printed by divan.
#![allow(missing_docs)]

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use haul::internals::bench;
use haul::internals::delta::{BlockLayout, Op, Search, Signature, Table};
use haul::internals::index::{self, Frame, Index, Record};
use haul::internals::tar::{self, Decoder, END_OF_ARCHIVE, Event, Limits};
use haul::plan::policy::Policy;
use haul::rules::{Given, Rules, Scope, Side, Verdict};
use haul::tree::{
    Device, Digest, Entry, FileKind, Kind, Metadata, Owner, RelPath, RelPathBuf, Stat, Timestamp,
};
use std::sync::Arc;

/// How many entries, or pairs of them, there are.
const ENTRIES: usize = 200_000;
/// How many files each directory has.
const FILES_PER_DIRECTORY: usize = 100;
/// The length of each file's content in the tar, in bytes.
const CONTENT_BYTES: usize = 1 << 10;
/// The length of the content that deltas are searched in.
const DELTA_BYTES: usize = 16 << 20;
/// How many rules a filter has.
const RULES: usize = 100;

fn main() {
    divan::main();
}

#[divan::bench]
fn tar_encode(bencher: Bencher<'_, '_>) {
    let entries = entries(ENTRIES);
    bencher.counter(ItemsCount::new(ENTRIES)).with_inputs(Vec::new).bench_local_refs(|tar| {
        for entry in &entries {
            tar.clear();
            tar::encode(black_box(entry), tar);
        }
    });
}

#[divan::bench]
fn tar_decode(bencher: Bencher<'_, '_>) {
    let tar = archive(ENTRIES / 10);
    assert_eq!(members(&tar), ENTRIES / 10);
    bencher
        .counter(ItemsCount::new(ENTRIES / 10))
        .counter(BytesCount::new(tar.len()))
        .bench_local(|| members(black_box(&tar)));
}

#[divan::bench]
fn index_encode(bencher: Bencher<'_, '_>) {
    let index = index(ENTRIES);
    bencher.counter(ItemsCount::new(ENTRIES)).bench_local(|| bench::encode_index(black_box(&index)));
}

#[divan::bench]
fn index_decode(bencher: Bencher<'_, '_>) {
    let index = index(ENTRIES);
    let bytes = bench::encode_index(&index);
    assert!(index::decode(&bytes).is_ok_and(|decoded| decoded == index));
    bencher
        .counter(ItemsCount::new(ENTRIES))
        .counter(BytesCount::new(bytes.len()))
        .bench_local(|| index::decode(black_box(&bytes)));
}

/// One pair in ten is a file that has changed, one has nothing in the destination.
#[divan::bench]
fn decide(bencher: Bencher<'_, '_>) {
    let file = |i: usize, size: u64| stat(i as u64, size);
    let pairs: Vec<_> = (0..ENTRIES)
        .map(|i| match i % 10 {
            3 => (file(i, 1), Some(file(i, 2))),
            7 => (file(i, 1), None),
            _ => (file(i, 1), Some(file(i, 1))),
        })
        .collect();
    let (policy, trusted) = (Policy::default(), Timestamp { seconds: i64::MAX, nanos: 0 });
    let kept = || {
        let is_kept =
            |(src, dst): &&(Stat, Option<Stat>)| bench::is_kept(src, dst.as_ref(), &policy, trusted);
        black_box(&pairs).iter().filter(is_kept).count()
    };
    assert_eq!(kept(), ENTRIES / 10 * 8);
    bencher.counter(ItemsCount::new(ENTRIES)).bench_local(kept);
}

/// Both hashes of every block.
#[divan::bench]
fn delta_signature(bencher: Bencher<'_, '_>) {
    let content = noise(DELTA_BYTES);
    bencher.counter(BytesCount::new(DELTA_BYTES)).bench_local(|| signature(black_box(&content)));
}

/// Nothing matches, so the rolling hash is looked up at every offset.
#[divan::bench]
fn delta_search_nothing_alike(bencher: Bencher<'_, '_>) {
    let content = noise(2 * DELTA_BYTES);
    let (old, new) = content.split_at(DELTA_BYTES);
    let table = Table::new(signature(old));
    assert_eq!(copied(&table, new), 0);
    bencher.counter(BytesCount::new(DELTA_BYTES)).bench_local(|| copied(&table, black_box(new)));
}

/// Everything matches, one byte further on.
#[divan::bench]
fn delta_search_all_moved(bencher: Bencher<'_, '_>) {
    let old = noise(DELTA_BYTES);
    let new: Vec<u8> = [&b"!"[..], &old].concat();
    let table = Table::new(signature(&old));
    assert_eq!(copied(&table, &new), DELTA_BYTES as u64);
    bencher.counter(BytesCount::new(new.len())).bench_local(|| copied(&table, black_box(&new)));
}

#[divan::bench]
fn filter_of_pack(bencher: Bencher<'_, '_>) {
    let (root, entries) = (rules(), entries(ENTRIES));
    let taken = || {
        let is_taken = |entry: &&Entry| {
            let is_directory = entry.kind == Kind::Directory;
            root.verdict_below(entry.path.as_path(), is_directory, &|_| false) == Verdict::Keep
        };
        black_box(&entries).iter().filter(is_taken).count()
    };
    assert!((1..ENTRIES).contains(&taken()));
    bencher.counter(ItemsCount::new(ENTRIES)).bench_local(taken);
}

#[divan::bench]
fn rules_of_sync(bencher: Bencher<'_, '_>) {
    let (root, entries) = (rules(), entries(ENTRIES));
    let taken = || {
        let is_taken = |entry: &&Entry| root.transfers(entry.path.as_path(), entry.kind == Kind::Directory);
        black_box(&entries).iter().filter(is_taken).count()
    };
    assert!((1..ENTRIES).contains(&taken()));
    bencher.counter(ItemsCount::new(ENTRIES)).bench_local(taken);
}

fn rules() -> Scope {
    let given: Vec<_> = (0..RULES).map(|i| Given::Exclude(pattern(i).into_bytes())).collect();
    let scope = Rules::plain(&given).and_then(|rules| rules.in_archive(Side::Sender));
    scope.unwrap_or_else(|error| panic!("{error}"))
}

/// Names, suffixes and anchored paths, of which a few match.
fn pattern(i: usize) -> String {
    match i % 4 {
        0 => format!("*.{i}c"),
        1 => format!("module_{i:05}7.py"),
        2 => format!("/package_{i:04}/module_*1.py"),
        _ => format!("**/tests_{i}/**"),
    }
}

/// Directories with files in them, in path order, as an index has them.
fn entries(count: usize) -> Vec<Entry> {
    let owner = Arc::new(Owner { uid: 1000, gid: 1000, user: (*b"user").into(), group: (*b"group").into() });
    let entry = |i: usize| {
        let (directory, file) = (i / FILES_PER_DIRECTORY, i % FILES_PER_DIRECTORY);
        let package = format!("package_{directory:04}");
        let (name, kind, mode) = if file == 0 {
            (package, Kind::Directory, 0o755)
        } else {
            (format!("{package}/module_{i:06}.py"), Kind::file(CONTENT_BYTES as u64), 0o644)
        };
        let mtime = Timestamp { seconds: 1_700_000_000, nanos: (i * 7_919 % 1_000_000_000) as u32 };
        let meta = Metadata { mode, owner: Arc::clone(&owner), mtime, xattrs: Box::default() };
        Entry { path: rel_path(&name), kind, meta }
    };
    (0..count).map(entry).collect()
}

fn rel_path(name: &str) -> RelPathBuf {
    RelPath::new(name.as_bytes()).map_or_else(|error| panic!("{name}: {error}"), RelPath::to_buf)
}

/// A tar of `count` entries whose files hold noise.
fn archive(count: usize) -> Vec<u8> {
    let content = noise(CONTENT_BYTES);
    let mut tar = Vec::new();
    for entry in entries(count) {
        tar::encode(&entry, &mut tar);
        let stored = entry.kind.stored_bytes();
        tar.extend_from_slice(&content[..stored as usize]);
        tar.resize(tar.len() + tar::padding(stored), 0);
    }
    tar.extend_from_slice(&END_OF_ARCHIVE);
    tar
}

/// How many members a tar has, every byte of it looked at.
fn members(mut tar: &[u8]) -> usize {
    let mut decoder = Decoder::new(Limits::default());
    let mut count = 0;
    loop {
        match decoder.next(&mut tar) {
            Ok(Event::End) => return count,
            Ok(Event::MemberEnd) => count += 1,
            Ok(Event::NeedMore) => panic!("the tar is cut short"),
            Ok(event) => drop(black_box(event)),
            Err(error) => panic!("{error}"),
        }
    }
}

fn index(count: usize) -> Index {
    let mut tar = Vec::new();
    let mut offset = 0;
    let records: Vec<_> = entries(count)
        .into_iter()
        .map(|entry| {
            tar.clear();
            tar::encode(&entry, &mut tar);
            let digest =
                (entry.kind != Kind::Directory).then(|| Digest::of_part(entry.path.as_path().as_bytes()));
            let record = Record { entry, digest, offset, header_bytes: tar.len() as u32 };
            offset = record.end();
            record
        })
        .collect();
    let stretch = |start: u64| Frame {
        compressed: 1 << 20,
        decoded: (offset + END_OF_ARCHIVE.len() as u64 - start).min(4 << 20) as u32,
        hash: start.wrapping_mul(0x9E37_79B9_7F4A_7C15),
    };
    let frames = (0..offset + END_OF_ARCHIVE.len() as u64).step_by(4 << 20).map(stretch).collect();
    Index { frames, records, delta: None }
}

fn stat(ino: u64, size: u64) -> Stat {
    let time = Timestamp { seconds: 1_700_000_000, nanos: 5 };
    let device = Device { major: 8, minor: 1 };
    Stat {
        kind: FileKind::File,
        mode: 0o644,
        uid: 1000,
        gid: 1000,
        size,
        blocks: size.div_ceil(512),
        nlink: 1,
        dev: device,
        ino,
        mount: 1,
        atime: time,
        mtime: time,
        ctime: time,
        rdev: Device::default(),
    }
}

fn signature(content: &[u8]) -> Signature {
    BlockLayout::for_size(content.len() as u64)
        .and_then(|layout| Signature::of(content, layout))
        .unwrap_or_else(|error| panic!("{error}"))
}

/// How many bytes of `new` a search finds in the basis.
fn copied(table: &Table, new: &[u8]) -> u64 {
    let mut copied = 0;
    let mut count = |op: Op<'_>| -> Result<(), std::convert::Infallible> {
        if !matches!(op, Op::Literal(_)) {
            copied += op.produced_bytes();
        }
        Ok(())
    };
    let mut search = Search::new(table);
    let Ok(()) = search.feed(new, &mut count);
    let Ok(()) = search.finish(&mut count);
    copied
}

/// Pseudo-random bytes, the same in every run: xorshift, by G. Marsaglia (2003).
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(bytes).collect()
}

//! Any bytes through the index reader: it must not panic or hold much memory, and what it accepts must keep the
//! invariants that nobody checks again.
#![no_main]

use haul::internals::index::{Index, decode, decode_delta};
use haul::tree::Kind;
use libfuzzer_sys::fuzz_target;
use std::collections::HashSet;

fuzz_target!(|bytes: &[u8]| {
    for index in [decode(bytes), decode_delta(bytes)].into_iter().flatten() {
        check(&index);
    }
});

fn check(index: &Index) {
    let mut end = 0;
    let (mut directories, mut linkable) = (HashSet::new(), HashSet::new());
    for record in &index.records {
        let path = record.entry.path.as_path();
        assert_eq!(record.offset, end, "members follow each other without gaps");
        end = record.end();
        if let Some(parent) = path.parent() {
            assert!(parent.is_root() || directories.contains(&parent), "a parent is a directory");
        }
        match &record.entry.kind {
            Kind::Directory => assert!(directories.insert(path), "names are unique"),
            Kind::HardLink(target) => assert!(linkable.contains(&target.as_path()), "a target comes before"),
            _ => assert!(linkable.insert(path), "names are unique"),
        }
    }
    assert!(index.records.is_sorted_by(|a, b| a.entry.path < b.entry.path));
    let decoded: u64 = index.frames.iter().map(|frame| u64::from(frame.decoded)).sum();
    assert_eq!(end + 1_024, decoded, "the end-of-archive marker ends the last frame");
    let removed = index.delta.as_ref().map_or(&[][..], |delta| &delta.removed);
    for (number, path) in removed.iter().map(|path| path.as_path()).enumerate() {
        let is_apart = |other: &haul::tree::RelPathBuf| !other.as_path().is_within(path);
        assert!(
            index.records.iter().all(|record| is_apart(&record.entry.path)),
            "nothing is removed and held"
        );
        assert!(removed[number + 1..].iter().all(is_apart), "the topmost path alone is removed");
    }
    assert!(removed.is_sorted_by(|a, b| a < b));
}

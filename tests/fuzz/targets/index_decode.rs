//! Any bytes through the index reader: it must not panic or hold much memory, and what it accepts must keep the
//! invariants that nobody checks again.
#![no_main]

use haul::archive::index::decode;
use haul::tree::Kind;
use libfuzzer_sys::fuzz_target;
use std::collections::HashSet;

fuzz_target!(|bytes: &[u8]| {
    let Ok(index) = decode(bytes) else { return };
    let mut end = 0;
    let (mut directories, mut linkable) = (HashSet::new(), HashSet::new());
    for record in &index.records {
        let path = record.entry.path.as_path();
        assert_eq!(record.offset, end, "members lie one behind the other");
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
});

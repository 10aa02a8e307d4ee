//! What is written is read again, and what was changed since is not believed.

use super::*;
use crate::plan::recorded::{Mark, Proof, Recorded};
use crate::tree::{Digest, FileKind, RelPath, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_128;

fn identity() -> StateIdentity {
    StateIdentity { src: 1, dst: u128::MAX, options: 3, boot: 0 }
}

fn sample() -> Recorded {
    let mark = |ino| Mark {
        mtime: Timestamp { seconds: -1, nanos: 999_999_999 },
        ctime: Timestamp { seconds: i64::MAX, nanos: 0 },
        ino,
    };
    let proof = Proof { content: true, metadata: false };
    let digest = Some(Digest(7));
    Recorded { kind: FileKind::File, size: u64::MAX, src: mark(1), dst: mark(u64::MAX), digest, proof }
}

/// A state of a root, a file in it, and an empty and a full directory.
fn small() -> Vec<u8> {
    let directory = Recorded { kind: FileKind::Directory, size: 0, digest: None, ..sample() };
    let entry = |parent, name, recorded| NewRecord { parent, name, recorded };
    let mut entries = vec![
        entry(b"b", b"file", sample()),
        entry(b"", b"b", directory),
        entry(b"", b"", directory),
        entry(b"", b"a", directory),
        entry(b"", b"file", Recorded { size: 5, ..sample() }),
    ];
    encode(&identity(), &mut entries).unwrap()
}

fn path(text: &[u8]) -> RelPath<'_> {
    if text.is_empty() { RelPath::ROOT } else { RelPath::new(text).unwrap() }
}

fn find(table: &StateTable, parent: &[u8], name: &[u8]) -> Option<Recorded> {
    table.child(&table.children(path(parent)), name).map(|(_, recorded)| recorded)
}

#[test]
fn what_was_recorded_is_found_by_its_path() {
    let table = StateTable::decode(small()).unwrap();
    assert_eq!((table.identity(), table.len()), (&identity(), 5));
    assert_eq!(find(&table, b"b", b"file"), Some(sample()));
    assert_eq!(find(&table, b"", b"file").unwrap().size, 5);
    assert_eq!(find(&table, b"", b"").unwrap().kind, FileKind::Directory);
    for (parent, name) in [(&b""[..], &b"c"[..]), (b"b", b"fil"), (b"b", b""), (b"a", b"file"), (b"c", b"x")]
    {
        assert_eq!(find(&table, parent, name), None);
    }
}

#[test]
fn of_two_records_of_one_path_the_last_counts() {
    let record = |size| NewRecord { parent: b"", name: b"x", recorded: Recorded { size, ..sample() } };
    let mut entries = vec![record(1), record(2), record(3)];
    let table = StateTable::decode(encode(&identity(), &mut entries).unwrap()).unwrap();
    assert_eq!((table.len(), find(&table, b"", b"x").unwrap().size), (1, 3));
}

#[test]
fn a_state_of_nothing_is_one() {
    let table = StateTable::decode(encode(&identity(), &mut Vec::new()).unwrap()).unwrap();
    assert_eq!((table.len(), find(&table, b"", b""), table.iter().count()), (0, None, 0));
}

#[test]
fn every_single_damage_is_found() {
    let good = small();
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            let expected = match at {
                0..8 => StateFault::Foreign,
                8..12 => StateFault::Version,
                _ => StateFault::Damaged,
            };
            assert_eq!(StateTable::decode(bad).unwrap_err(), expected, "byte {at}");
        }
        assert_eq!(StateTable::decode(good[..at].to_vec()).unwrap_err(), StateFault::Damaged, "cut at {at}");
    }
    assert_eq!(StateTable::decode([&good[..], b"x"].concat()).unwrap_err(), StateFault::Damaged);
    assert_eq!(StateTable::decode(b"some other file".to_vec()).unwrap_err(), StateFault::Foreign);
}

/// Gives bytes that were changed a digest that fits.
fn sign(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.len() - DIGEST_BYTES;
    let digest = xxh3_128(&bytes[..end]);
    bytes[end..].copy_from_slice(&digest.to_le_bytes());
    bytes
}

/// Asks for everything that a table could be asked for.
fn read_all(table: &StateTable) {
    for parent in [&b""[..], b"a", b"b", b"c"] {
        for name in [&b""[..], b"a", b"b", b"file", b"zzzz"] {
            find(table, parent, name);
        }
    }
    for (_, _, number) in table.iter().take(1_000) {
        table.recorded(number);
    }
}

#[test]
fn a_table_that_lies_under_a_good_digest_is_read_within_its_bytes() {
    let good = small();
    for at in HEADER_BYTES - 16..good.len() - DIGEST_BYTES {
        for value in [0, 1, 0x7F, 0xFF] {
            let mut bad = good.clone();
            bad[at] = value;
            if let Ok(table) = StateTable::decode(sign(bad)) {
                read_all(&table);
            }
        }
    }
    // Numbers that would need more memory than there is.
    let mut bad = good;
    bad[HEADER_BYTES - 16..HEADER_BYTES].fill(0xFF);
    assert_eq!(StateTable::decode(sign(bad)).unwrap_err(), StateFault::Damaged);
}

fn times() -> impl Strategy<Value = Timestamp> {
    (any::<i64>(), 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| Timestamp { seconds, nanos })
}

fn marks() -> impl Strategy<Value = Mark> {
    (times(), times(), any::<u64>()).prop_map(|(mtime, ctime, ino)| Mark { mtime, ctime, ino })
}

fn records() -> impl Strategy<Value = Recorded> {
    const KINDS: [FileKind; 7] = [
        FileKind::File,
        FileKind::Directory,
        FileKind::Symlink,
        FileKind::Fifo,
        FileKind::CharDevice,
        FileKind::BlockDevice,
        FileKind::Socket,
    ];
    let digest = prop::option::of(any::<u128>().prop_map(Digest));
    let proof = any::<(bool, bool)>().prop_map(|(content, metadata)| Proof { content, metadata });
    let kind = prop::sample::select(&KINDS[..]);
    (kind, any::<u64>(), marks(), marks(), digest, proof)
        .prop_map(|(kind, size, src, dst, digest, proof)| Recorded { kind, size, src, dst, digest, proof })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_state_survives(
        entries in prop::collection::btree_map(("([a-c]/){0,2}", "[a-d]{1,3}|\\PC{1,9}"), records(), 0..40),
    ) {
        let entries: BTreeMap<(Vec<u8>, Vec<u8>), Recorded> = entries
            .into_iter()
            .map(|((parent, name), recorded)| ((parent.trim_end_matches('/').into(), name.into()), recorded))
            .collect();
        let mut news: Vec<_> = entries
            .iter()
            .rev()
            .map(|((parent, name), recorded)| NewRecord { parent, name, recorded: *recorded })
            .collect();
        let table = StateTable::decode(encode(&identity(), &mut news).unwrap()).unwrap();
        let read: BTreeMap<_, _> = table
            .iter()
            .map(|(parent, name, number)| ((parent.to_vec(), name.to_vec()), table.recorded(number).unwrap()))
            .collect();
        prop_assert_eq!(&read, &entries);
        for ((parent, name), recorded) in &entries {
            prop_assert_eq!(find(&table, parent, name), Some(*recorded));
        }
    }

    #[test]
    fn no_bytes_are_too_much(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let made = [&MAGIC[..], &VERSION.to_le_bytes(), &bytes].concat();
        for bytes in [bytes, made] {
            if let Ok(table) = StateTable::decode(bytes) {
                read_all(&table);
            }
        }
    }
}

//! `docs/format.md` is enough to read an archive: `tests/data/read_archive.py` was written from it, and agrees with haul
//! and with the tree about everything.
//!
//! The reader checks the frames, the seek table, the index and every member's headers. What it cannot compute, hashes and
//! digests, is computed here, from the page and not by haul's code.

use crate::support::oracle::{Outcome, haul, haul_command, peer, run};
use crate::support::scratch::Scratch;
use crate::support::snapshot::{Kind, Snapshot};
use crate::support::tree::{build, file, sparse};
use crate::support::trees::{beyond_peers, everything, modest, noise};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

const PART: u64 = 4 << 20;

type Entries = BTreeMap<Vec<u8>, Value>;

/// Whether the reader can run.
fn reader_runs() -> bool {
    peer("python3") && peer("zstd")
}

fn read_archive(archive: &Path) -> Outcome {
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/read_archive.py");
    run(Command::new("python3").arg(reader).arg(archive), None)
}

fn parsed(output: &Outcome, path: impl Fn(&Value) -> Vec<u8>) -> Entries {
    let values = output.lines().into_iter().map(|line| serde_json::from_str::<Value>(&line).unwrap());
    values.map(|value| (path(&value), value)).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xF)]).collect()
}

/// The bytes of a name in haul's listing: those of `path`, unless it was not UTF-8.
fn exact(value: &Value, name: &str) -> Option<Vec<u8>> {
    match value[format!("{name}_bytes")].as_str() {
        Some(bytes) => Some(unhex(bytes)),
        None => value[name].as_str().map(|text| text.as_bytes().to_vec()),
    }
}

fn by_haul(archive: &Path) -> Entries {
    parsed(&haul!["list", "--json", archive].expect(0), |value| match exact(value, "path").unwrap() {
        root if root == b"." => Vec::new(),
        path => path,
    })
}

fn by_reader(archive: &Path) -> Entries {
    parsed(&read_archive(archive).expect(0), |value| unhex(value["path_hex"].as_str().unwrap()))
}

/// Both listings say the same about every entry.
#[track_caller]
fn assert_listings_agree(ours: &Entries, theirs: &Entries) {
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (path, our) in ours {
        let their = &theirs[path];
        let at = path.escape_ascii();
        for key in ["kind", "size", "uid", "gid", "device", "extents", "digest"] {
            assert_eq!(our[key], their[key], "{key} of {at}");
        }
        let mode = u64::from_str_radix(our["mode"].as_str().unwrap(), 8).unwrap();
        assert_eq!(their["mode"], mode, "mode of {at}");
        assert_eq!(their["mtime"], serde_json::json!([our["mtime_seconds"], our["mtime_nanos"]]), "{at}");
        let target = exact(our, "target").map(|target| hex(&target));
        assert_eq!(their["target_hex"].as_str(), target.as_deref(), "target of {at}");
    }
}

/// The reader reports every entry as it is in the tree.
#[track_caller]
fn assert_tree_agrees(tree: &Path, entries: &Entries) {
    let snapshot = Snapshot::of(tree);
    assert_eq!(snapshot.0.keys().collect::<Vec<_>>(), entries.keys().collect::<Vec<_>>());
    for (path, node) in &snapshot.0 {
        let (entry, at) = (&entries[path], path.escape_ascii());
        let linked = entry["kind"] == "hardlink";
        let (kind, size) = match &node.kind {
            Kind::File(size, ..) => ("file", *size),
            Kind::Directory => ("directory", 0),
            Kind::Symlink(_) => ("symlink", 0),
            Kind::Fifo => ("fifo", 0),
            Kind::Char(_) => ("char-device", 0),
            Kind::Block(_) => ("block-device", 0),
            Kind::Socket => unreachable!("{at} is a socket"),
        };
        if linked {
            let target = unhex(entry["target_hex"].as_str().unwrap());
            assert!(node.names.contains(&target) && target != *path, "{at} is not a link to its target");
        } else {
            assert_eq!((entry["kind"].as_str(), entry["size"].as_u64()), (Some(kind), Some(size)), "{at}");
            let xattrs: BTreeMap<_, _> =
                node.xattrs.iter().map(|(name, value)| (hex(name), hex(value))).collect();
            let told = entry.get("xattrs").cloned().unwrap_or_else(|| serde_json::json!({}));
            assert_eq!(told, serde_json::json!(xattrs), "xattrs of {at}");
        }
        if let Kind::Symlink(target) = &node.kind
            && !linked
        {
            assert_eq!(entry["target_hex"], hex(target), "{at}");
        }
        let owner = (entry["uid"].as_u64().unwrap(), entry["gid"].as_u64().unwrap());
        assert_eq!(owner, (node.uid.into(), node.gid.into()), "owner of {at}");
        assert_eq!(entry["mode"], node.mode, "mode of {at}");
        assert_eq!(entry["mtime"], serde_json::json!([node.mtime.0, node.mtime.1]), "mtime of {at}");
    }
}

/// The digest that docs/format.md describes, of a file that is read at its data only.
fn digest(file: &File, size: u64, data: &[(u64, u64)]) -> String {
    let part = |number: u64| {
        let mut bytes = vec![0; (size - number * PART).min(PART) as usize];
        file.read_exact_at(&mut bytes, number * PART).unwrap();
        bytes
    };
    if size <= PART {
        return format!("{:032x}", xxh3_128(&part(0)));
    }
    let mut numbers: Vec<_> = data.iter().flat_map(|&(start, end)| start / PART..=(end - 1) / PART).collect();
    numbers.dedup();
    let mut hashed = size.to_be_bytes().to_vec();
    for number in numbers {
        let bytes = part(number);
        if bytes.iter().any(|&byte| byte != 0) {
            hashed.extend(number.to_be_bytes());
            hashed.extend(xxh3_128(&bytes).to_be_bytes());
        }
    }
    format!("{:032x}", xxh3_128(&hashed))
}

/// The digests are those of the tree. Relative to short directories only: a path may be longer than `PATH_MAX`.
#[track_caller]
fn assert_digests_agree(tree: &Path, entries: &Entries) {
    use std::os::unix::ffi::OsStrExt;
    let mut checked = 0;
    for (path, node) in &Snapshot::of(tree).0 {
        if let Kind::File(size, _, data) = &node.kind
            && entries[path]["kind"] == "file"
            && path.len() < 3000
        {
            let opened = File::open(tree.join(std::ffi::OsStr::from_bytes(path))).unwrap();
            assert_eq!(entries[path]["digest"], digest(&opened, *size, data), "{}", path.escape_ascii());
            checked += 1;
        }
    }
    assert!(checked > 0, "there is no file in the tree");
}

/// Packs what `make` builds; an independent reader, haul and the tree agree about every entry.
#[track_caller]
fn assert_all_agree(make: impl FnOnce(&Path)) {
    if !reader_runs() {
        return;
    }
    let scratch = Scratch::new();
    let (tree, archive) = (scratch.join("tree"), scratch.join("a.tar.zst"));
    make(&tree);
    haul!["pack", &tree, &archive].expect(0);
    let entries = by_reader(&archive);
    assert_listings_agree(&by_haul(&archive), &entries);
    assert_tree_agrees(&tree, &entries);
    assert_digests_agree(&tree, &entries);
}

#[test]
fn the_document_is_enough_to_read_every_kind_of_entry() {
    assert_all_agree(everything);
}

#[test]
fn the_document_is_enough_to_read_long_names_and_huge_files() {
    assert_all_agree(beyond_peers);
}

#[test]
fn the_document_is_enough_to_read_files_of_several_frames() {
    assert_all_agree(|tree| {
        let data = noise(1, 6 << 20);
        let nodes = [
            file("a short run before", "x"),
            file("dense", noise(2, 13 << 20)),
            file("zeros in the middle", [&data[..], &vec![0; 9 << 20], &data].concat()),
            sparse("parts with and without data", 64 << 20, &[(5 << 20, &data), (33 << 20, &data[..9])]),
            sparse(
                "islands",
                40 << 20,
                &[(4095, &data[..5]), ((8 << 20) - 1, &data[..2]), (20 << 20, &data)],
            ),
        ];
        build(tree, &nodes);
    });
}

#[test]
fn the_document_is_enough_to_read_a_single_frame() {
    if !reader_runs() {
        return;
    }
    let scratch = Scratch::new();
    let (tree, archive) = (scratch.join("tree"), scratch.join("a.tar.zst"));
    build(&tree, &modest());
    run(haul_command().args(["pack", "--single-frame"]).args([&tree, &archive]), None).expect(0);
    let entries = by_reader(&archive);
    assert_listings_agree(&by_haul(&archive), &entries);
    assert_tree_agrees(&tree, &entries);
}

fn number(bytes: &mut &[u8]) -> u64 {
    let len = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    let (taken, rest) = bytes.split_at(len);
    *bytes = rest;
    taken.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7F))
}

#[test]
fn the_hashes_are_those_that_the_document_says() {
    let scratch = Scratch::new();
    let (tree, archive) = (scratch.join("tree"), scratch.join("a.tar.zst"));
    build(&tree, &modest());
    haul!["pack", &tree, &archive].expect(0);
    let whole = std::fs::read(&archive).unwrap();
    let le64 = |at: usize| u64::from_le_bytes(whole[at..at + 8].try_into().unwrap());

    let frames = u32::from_le_bytes(whole[whole.len() - 9..whole.len() - 5].try_into().unwrap());
    let locator = whole.len() - 17 - 8 * frames as usize - 64;
    assert_eq!(le64(locator + 56), xxh3_64(&whole[locator + 8..locator + 56]));
    let (start, len) = (le64(locator + 16) as usize, le64(locator + 24) as usize);
    let payload = &whole[start + 8..start + len];
    assert_eq!(whole[locator + 40..locator + 56], xxh3_128(payload).to_le_bytes());

    let index = zstd::decode_all(&payload[8..]).unwrap();
    let mut columns = &index[..];
    let (count, mut at) = (number(&mut columns), 0);
    assert_eq!(count, u64::from(frames) - 2);
    for frame in 1..=count {
        if frame == count {
            at += len; // the index is in front of the end frame
        }
        let (compressed, _) = (number(&mut columns) as usize, number(&mut columns));
        let (hash, rest) = columns.split_at(8);
        assert_eq!(hash, xxh3_64(&whole[at..at + compressed]).to_be_bytes(), "frame {frame} of {count}");
        (columns, at) = (rest, at + compressed);
    }
    assert_eq!(at, locator);
}

/// A reader that accepts anything proves nothing.
#[test]
fn the_independent_reader_sees_what_is_wrong() {
    if !reader_runs() {
        return;
    }
    let scratch = Scratch::new();
    let (tree, archive) = (scratch.join("tree"), scratch.join("a.tar.zst"));
    build(&tree, &modest());
    haul!["pack", &tree, &archive].expect(0);
    let whole = std::fs::read(&archive).unwrap();
    let refused = |name: &str, bytes: &[u8]| {
        let outcome = read_archive(&scratch.write(name, bytes)).expect(1);
        assert!(!outcome.stderr.contains("Traceback"), "{name}: {outcome}");
    };
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let end = whole.len();
    let table = end - 17 - 8 * u32::from_le_bytes(whole[end - 9..end - 5].try_into().unwrap()) as usize;
    refused("a data frame", &flipped(1000));
    refused("the seek table", &flipped(table + 8));
    refused("the number of frames", &flipped(end - 9));
    refused("the descriptor", &flipped(end - 5));
    refused("where the index is", &flipped(table - 64 + 16));
    refused("the end frame", &flipped(table - 64 - 1));
    refused("the index", &flipped(table - 64 - 200));
    refused("cut short", &whole[..end - 1]);
    refused("something in front", &[b"x", &whole[..]].concat());
}

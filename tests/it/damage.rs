//! Damaged archives are detected, and no damaged file is left at a final name.

use crate::support::oracle::{Outcome, haul, haul_command, run};
use crate::support::scratch::Scratch;
use crate::support::snapshot::{Fields, Kind, Snapshot};
use crate::support::tar::{Tar, zstd};
use crate::support::tree::{Node, build, file, hard_link, sparse, symlink};
use crate::support::trees::{noise, text};
use std::collections::BTreeSet;
use std::path::Path;

/// An archive to be damaged, and what is in it.
struct Victim {
    scratch: Scratch,
    archive: Vec<u8>,
    original: Snapshot,
}

impl Victim {
    fn of(nodes: &[Node], options: &[&str]) -> Self {
        let scratch = Scratch::new();
        let (tree, path) = (scratch.join("tree"), scratch.join("whole.tar.zst"));
        build(&tree, nodes);
        run(haul_command().arg("pack").args(options).arg(&tree).arg(&path), None).expect(0);
        Self { archive: std::fs::read(&path).unwrap(), original: Snapshot::of(&tree), scratch }
    }

    /// A few files of every kind in one frame.
    fn small() -> Self {
        let nodes = [
            file("a", text(1, 3000)),
            file("b", noise(2, 1500)),
            file("dir/empty", ""),
            hard_link("dir/link", "a"),
            symlink("symlink", "a"),
            sparse("sparse", 200_000, &[(100_000, b"data")]),
        ];
        Self::of(&nodes, &[])
    }

    /// Several frames, one file of which is larger than a frame. Compresses so well that each bit matters.
    fn of_several_frames() -> Self {
        let mut nodes: Vec<_> = (0..6).map(|i| file(format!("{i}"), vec![i; 1 << 20])).collect();
        nodes.push(file("large", vec![b'x'; 9 << 20]));
        nodes.push(file("noise", noise(3, 500)));
        Self::of(&nodes, &[])
    }

    /// Offsets at which frames end.
    fn frame_ends(&self) -> BTreeSet<usize> {
        let mut ends = BTreeSet::new();
        let mut at = 0;
        while at < self.archive.len() {
            at += zstd::zstd_safe::find_frame_compressed_size(&self.archive[at..]).unwrap();
            ends.insert(at);
        }
        ends
    }

    /// Unpacks `archive`, and checks that each file that is there is the original one.
    fn unpack(&self, archive: &[u8], piped: bool) -> (Outcome, Snapshot) {
        let copy = self.scratch.join("copy");
        let _ = std::fs::remove_dir_all(&copy);
        let outcome = if piped {
            run(haul_command().arg("unpack").arg("-").arg(&copy), Some(archive))
        } else {
            haul!["unpack", &self.scratch.write("damaged", archive), &copy]
        };
        if !copy.is_dir() {
            std::fs::create_dir(&copy).unwrap();
        }
        let snapshot = Snapshot::of(&copy);
        for (path, node) in &snapshot.0 {
            let original = self.original.get(path);
            match (&node.kind, &original.kind) {
                (Kind::File(size, hash, _), Kind::File(old_size, old_hash, _)) => {
                    assert!(
                        (size, hash) == (old_size, old_hash),
                        "{} is damaged: {outcome}",
                        path.escape_ascii()
                    );
                }
                (new, old) => assert_eq!(new, old, "{}: {outcome}", path.escape_ascii()),
            }
        }
        (outcome, snapshot)
    }

    /// Whether a copy is the whole tree with all its metadata.
    fn is_whole(&self, copy: &Snapshot) -> bool {
        self.original.diff(copy, Fields::ALL).is_empty()
    }

    /// Whether the archive ends in a seek table, as those with an index do.
    fn has_index(&self) -> bool {
        self.archive.ends_with(&[0xB1, 0xEA, 0x92, 0x8F])
    }

    fn flip(&self, bit: usize) -> Vec<u8> {
        let mut archive = self.archive.clone();
        archive[bit / 8] ^= 1 << (bit % 8);
        archive
    }

    /// `count` bits of the archive: all over it, and each bit position of a byte in turn.
    fn sample(&self, count: usize) -> impl Iterator<Item = usize> {
        let len = self.archive.len();
        (0..count.min(len)).map(move |i| i * len / count.min(len) * 8 + i % 8)
    }

    fn flips_are_found(&self, count: usize, piped: bool) {
        let mut missed = Vec::new();
        for bit in self.sample(count) {
            let (outcome, copy) = self.unpack(&self.flip(bit), piped);
            match outcome.code() {
                Some(5) => assert!(outcome.stderr.contains("haul: "), "no message: {outcome}"),
                // A zstd decoder ignores some bits of a frame. Only an index has a hash of those, too.
                Some(0) if !self.has_index() && self.is_whole(&copy) => {}
                Some(0) if self.is_whole(&copy) => missed.push(format!("{}.{} (harmless)", bit / 8, bit % 8)),
                _ => missed.push(format!("{}.{}: {outcome}", bit / 8, bit % 8)),
            }
        }
        assert!(missed.is_empty(), "flips not reported as damage, of {}: {missed:#?}", self.archive.len());
    }

    fn cuts_are_found(&self, count: usize, piped: bool) {
        for bit in self.sample(count) {
            let cut = bit / 8;
            let (outcome, _) = self.unpack(&self.archive[..cut], piped);
            assert!(outcome.code() == Some(5), "cut at {cut} of {}: {outcome}", self.archive.len());
        }
    }
}

#[test]
fn a_flipped_bit_is_found_by_unpack() {
    Victim::small().flips_are_found(400, false);
    Victim::of_several_frames().flips_are_found(150, false);
}

#[test]
fn a_flipped_bit_is_found_in_a_pipe() {
    Victim::small().flips_are_found(200, true);
    Victim::of_several_frames().flips_are_found(60, true);
}

#[test]
fn a_flipped_bit_is_found_by_verify() {
    for victim in [Victim::small(), Victim::of_several_frames()] {
        let mut missed = Vec::new();
        for bit in victim.sample(300) {
            let outcome = haul!["verify", &victim.scratch.write("damaged", victim.flip(bit))];
            if outcome.code() != Some(5) {
                missed.push(format!("{}.{}: {outcome}", bit / 8, bit % 8));
            }
        }
        assert!(missed.is_empty(), "of {}: {missed:#?}", victim.archive.len());
    }
}

/// Between any two frames, too: what is left must never pass for a complete archive of another tool.
#[test]
fn an_archive_cut_between_two_frames_is_found() {
    let victim = Victim::of_several_frames();
    for cut in victim.frame_ends().into_iter().filter(|&end| end < victim.archive.len()) {
        for piped in [false, true] {
            let (outcome, _) = victim.unpack(&victim.archive[..cut], piped);
            assert_eq!(outcome.code(), Some(5), "cut at {cut} of {}: {outcome}", victim.archive.len());
        }
    }
}

#[test]
fn a_cut_archive_is_found() {
    Victim::small().cuts_are_found(400, false);
    Victim::of_several_frames().cuts_are_found(80, false);
}

#[test]
fn a_cut_archive_is_found_in_a_pipe() {
    Victim::small().cuts_are_found(200, true);
    Victim::of_several_frames().cuts_are_found(40, true);
}

#[test]
fn a_single_frame_that_is_damaged_is_found() {
    let nodes: Vec<_> = (0..40).map(|i| file(format!("{i}"), text(i, 2000))).collect();
    let victim = Victim::of(&nodes, &["--single-frame"]);
    victim.flips_are_found(150, false);
    victim.cuts_are_found(150, false);
}

#[test]
fn frames_in_another_order_are_found() {
    let victim = Victim::of_several_frames();
    let ends: Vec<_> = victim.frame_ends().into_iter().collect();
    let archive = &victim.archive;
    let swapped = [&archive[ends[0]..ends[1]], &archive[..ends[0]], &archive[ends[1]..]].concat();
    let twice = [&archive[..ends[0]], archive].concat();
    let without = archive[ends[0]..].to_vec();
    for damaged in [swapped, twice, without] {
        let (outcome, _) = victim.unpack(&damaged, false);
        outcome.expect(5);
    }
}

/// Damage must not take down what was there before.
#[test]
fn a_damaged_archive_leaves_old_files_old() {
    let victim = Victim::small();
    let old = victim.scratch.join("old");
    build(&old, &[file("a", "old a"), file("b", "old b")]);
    for bit in victim.sample(100) {
        let archive = victim.scratch.write("damaged", victim.flip(bit));
        let outcome = haul!["unpack", &archive, &old];
        for (name, content) in [("a", text(1, 3000)), ("b", noise(2, 1500))] {
            let now = std::fs::read(old.join(name)).unwrap();
            assert!(
                now == content || now == format!("old {name}").as_bytes(),
                "{name}, bit {bit}: {outcome}"
            );
        }
    }
}

#[track_caller]
fn refused(archive: &Path, code: i32) {
    let scratch = Scratch::new();
    let copy = scratch.join("copy");
    for outcome in [haul!["unpack", archive, &copy], haul!["list", archive], haul!["verify", archive]] {
        outcome.expect(code);
    }
    assert!(!copy.is_dir() || Snapshot::of(&copy).paths().is_empty(), "something was unpacked");
}

#[test]
fn what_is_no_archive_is_malformed() {
    let scratch = Scratch::new();
    let inputs = [
        ("empty", Vec::new()),
        ("one byte", vec![0]),
        ("text", text(1, 5000)),
        ("noise", noise(1, 5000)),
        ("a zstd magic alone", vec![0x28, 0xb5, 0x2f, 0xfd]),
        ("text in zstd", zstd(&text(1, 5000))),
        ("nothing in zstd", zstd(b"")),
        ("gzip", [&[0x1f, 0x8b, 8, 0][..], &noise(1, 500)].concat()),
        ("a cut tar", Tar::new().file("a", text(1, 5000)).end()[..2000].to_vec()),
        ("a tar without its end", Tar::new().file("a", text(1, 5000)).bytes()[..512].to_vec()),
        (
            "a skippable frame alone",
            [&0x184d_2a50u32.to_le_bytes()[..], &4u32.to_le_bytes(), b"data"].concat(),
        ),
    ];
    for (name, bytes) in inputs {
        let archive = scratch.write("archive", &bytes);
        refused(&archive, 5);
        let piped = run(haul_command().args(["unpack", "-"]).arg(scratch.join("piped")), Some(&bytes));
        assert_eq!(piped.code(), Some(5), "{name} in a pipe: {piped}");
    }
}

#[test]
fn garbage_behind_an_archive_is_malformed() {
    let victim = Victim::small();
    for garbage in [&b"x"[..], &[0; 3], &noise(1, 600)] {
        let (outcome, _) = victim.unpack(&[&victim.archive, garbage].concat(), false);
        outcome.expect(5);
        let (outcome, _) = victim.unpack(&[&victim.archive, garbage].concat(), true);
        outcome.expect(5);
    }
}

#[test]
fn a_missing_archive_and_a_directory_cannot_be_opened() {
    let scratch = Scratch::new();
    refused(&scratch.join("missing"), 1);
    refused(scratch.path(), 1);
    let outcome = haul!["unpack", &scratch.join("missing"), &scratch.join("copy")];
    assert!(outcome.stderr.contains("missing") && outcome.stderr.contains("ENOENT"), "{outcome}");
    assert!(!scratch.join("copy").is_dir(), "a directory was made for nothing");
}

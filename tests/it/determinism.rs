//! The bytes of an archive depend only on the tree and the options.

use crate::support::oracle::{Outcome, haul, haul_command, is_root, leave_out, run};
use crate::support::scratch::Scratch;
use crate::support::snapshot::Snapshot;
use crate::support::tree::{build, file};
use crate::support::trees::{everything, modest, noise, text};
use std::path::Path;

#[track_caller]
fn packed(tree: &Path, options: &[&str]) -> Vec<u8> {
    run(haul_command().arg("pack").args(options).arg(tree).arg("-"), None).expect(0).stdout
}

#[test]
fn the_number_of_threads_does_not_change_a_byte() {
    let scratch = Scratch::new();
    let tree = scratch.join("tree");
    everything(&tree);
    for more in [&[][..], &["--single-frame"], &["--level", "1"]] {
        let [one, two, eight] = ["1", "2", "8"].map(|n| packed(&tree, &[&["-j", n], more].concat()));
        assert!(one == two && two == eight, "archives with {more:?} differ");
    }
}

#[test]
fn packing_again_gives_the_same_bytes() {
    let scratch = Scratch::new();
    let tree = scratch.join("tree");
    everything(&tree);
    let first = packed(&tree, &[]);
    for _ in 0..5 {
        assert!(packed(&tree, &[]) == first, "two runs differ");
    }
}

#[test]
fn the_order_in_which_a_tree_was_made_does_not_change_a_byte() {
    let scratch = Scratch::new();
    let (a, b) = (scratch.join("a"), scratch.join("b"));
    let mut nodes = modest();
    build(&a, &nodes);
    nodes.reverse();
    build(&b, &nodes);
    assert!(packed(&a, &[]) == packed(&b, &[]), "the archives differ");
}

#[test]
fn the_place_of_a_tree_does_not_change_a_byte() {
    let scratch = Scratch::new();
    let (a, b) = (scratch.join("a"), scratch.join("a much longer name"));
    build(&a, &modest());
    build(&b, &modest());
    let by_slash = run(haul_command().args(["pack", "./", "-"]).current_dir(&b), None).expect(0).stdout;
    assert!(packed(&a, &[]) == packed(&b, &[]) && packed(&a, &[]) == by_slash, "the archives differ");
}

/// Frames are cut by a rule that looks only nearby: an additional file at the front does not change the compressed
/// bytes of any but the first frames.
#[test]
fn a_file_more_changes_only_the_frames_near_it() {
    let scratch = Scratch::new();
    let tree = scratch.join("tree");
    let nodes: Vec<_> =
        (0..1500).map(|i| file(format!("f{i:05}"), noise(i, 20_000 + (i as usize * 7919) % 9000))).collect();
    build(&tree, &nodes);
    let before = packed(&tree, &[]);
    build(&tree, &[file("f00003-more", noise(9999, 50_000))]);
    let after = packed(&tree, &[]);
    let half = &before[before.len() / 2..before.len() / 2 + 4_000_000];
    let probe = &half[..64];
    let found = after.windows(64).position(|w| w == probe).expect("the second half was not carried over");
    assert!(after[found..].starts_with(half), "the second half differs");
}

/// The mtimes of the files in an archive, by unpacking it.
fn unpacked(archive: &[u8]) -> Snapshot {
    let scratch = Scratch::new();
    run(haul_command().arg("unpack").arg("-").arg(scratch.join("out")), Some(archive)).expect(0);
    Snapshot::of(&scratch.join("out"))
}

fn with_epoch(tree: &Path, epoch: &str) -> Outcome {
    run(haul_command().arg("pack").arg(tree).arg("-").env("SOURCE_DATE_EPOCH", epoch), None)
}

#[test]
fn source_date_epoch_clamps_later_times_and_keeps_earlier_ones() {
    let scratch = Scratch::new();
    let tree = scratch.join("tree");
    let limit = 1_500_000_000;
    let times = [
        ("later", (limit + 1, 0)),
        ("barely", (limit, 1)),
        ("equal", (limit, 0)),
        ("earlier", (limit - 1, 9)),
    ];
    build(&tree, &times.map(|(name, (s, ns))| file(name, "x").mtime(s, ns)));
    let copy = unpacked(&with_epoch(&tree, "1500000000").expect(0).stdout);
    let mtime = |name: &str| copy.get(name).mtime;
    assert_eq!([mtime("later"), mtime("barely"), mtime("equal")], [(limit, 0); 3]);
    assert_eq!(mtime("earlier"), (limit - 1, 9));
    assert_eq!(copy.get("").mtime, (limit, 0), "the root is clamped too");
}

#[test]
fn a_source_date_epoch_that_is_no_number_is_a_usage_error() {
    let scratch = Scratch::new();
    for value in ["yesterday", "1.5", "", " 1"] {
        with_epoch(scratch.path(), value).expect(2);
    }
}

#[test]
fn numeric_owner_stores_no_names() {
    let scratch = Scratch::new();
    let tree = scratch.join("tree");
    build(&tree, &[file("a", "x")]);
    let names = |options: &[&str]| {
        let archive = scratch.write("a.tar.zst", packed(&tree, options));
        let line = haul!["list", "--json", &archive, "a"].expect(0).text();
        serde_json::from_str::<serde_json::Value>(line.trim()).unwrap()
    };
    let (with, without) = (names(&[]), names(&["--numeric-owner"]));
    assert_eq!(without["uid"], rustix::process::geteuid().as_raw());
    assert_eq!(with["uid"], without["uid"]);
    let is_empty = |value: &serde_json::Value| value.as_str().is_none_or(str::is_empty);
    assert!(is_empty(&without["user"]) && is_empty(&without["group"]), "{without}");
    if is_root() {
        assert_eq!((with["user"].as_str(), with["group"].as_str()), (Some("root"), Some("root")), "{with}");
    }
}

#[test]
fn owner_and_group_of_all_entries_can_be_given() {
    if !is_root() {
        return leave_out("setting owners needs root");
    }
    let scratch = Scratch::new();
    let tree = scratch.join("tree");
    build(&tree, &[file("a", "x").owner(5, 6), file("dir/b", "x")]);
    let owners = |options: &[&str]| {
        let copy = unpacked(&packed(&tree, options));
        copy.0.values().map(|node| (node.uid, node.gid)).collect::<Vec<_>>()
    };
    assert!(owners(&["--owner", "1234", "--group", "4321"]).iter().all(|o| *o == (1234, 4321)));
    // An unknown name: the number is used.
    assert!(
        owners(&["--owner", "no-such-user:77", "--group=no-such-group:78"]).iter().all(|o| *o == (77, 78))
    );
    assert!(owners(&["--owner", "root"]).iter().all(|o| o.0 == 0));
    assert!(owners(&["--group", "0"]).iter().any(|o| o.0 == 5), "the owner stays");
}

/// Data in a single frame must be a plain zstd frame, first in the file, for readers that know only one.
#[test]
fn a_single_frame_is_one() {
    let scratch = Scratch::new();
    let tree = scratch.join("tree");
    build(&tree, &(0..30).map(|i| file(format!("{i}"), text(i, 1 << 20))).collect::<Vec<_>>());
    let data_frames = |archive: &[u8]| {
        let mut rest = archive;
        let mut data = 0;
        while !rest.is_empty() {
            data += usize::from(rest.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]));
            rest = &rest[zstd::zstd_safe::find_frame_compressed_size(rest).unwrap()..];
        }
        data
    };
    assert_eq!(data_frames(&packed(&tree, &["--single-frame"])), 1);
    assert!(data_frames(&packed(&tree, &[])) > 3);
}

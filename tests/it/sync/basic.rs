//! A mirror equals its source, whatever was there before; and a correct mirror is left alone.

use crate::support::mirror::{Pair, count, mirror, mirror_command};
use crate::support::oracle::{assert_rsync_agrees, is_root, leave_out};
use crate::support::snapshot::{Fields, Kind, Snapshot};
use crate::support::trace::changes;
use crate::support::tree::{
    MTIME, Node, block_device, build, char_device, dir, fifo, file, hard_link, socket, sparse, symlink,
};
use crate::support::trees::{beyond_peers, everything, noise};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

#[test]
fn every_kind_of_entry_is_mirrored() {
    let pair = Pair::new(&[]);
    everything(&pair.src);
    build(&pair.src, &[socket("links/socket").mode(0o711).mtime(1_400_000_000, 3)]);
    pair.mirror(&[]).expect(0);
    pair.assert_same();
    assert_rsync_agrees(&pair.src, &pair.dst);
}

#[test]
fn what_rsync_cannot_carry_is_mirrored() {
    let pair = Pair::new(&[]);
    beyond_peers(&pair.src);
    pair.mirror(&[]).expect(0);
    pair.assert_same();
}

#[test]
fn the_number_of_threads_does_not_matter() {
    for threads in ["1", "2", "8"] {
        let pair = Pair::new(&[]);
        everything(&pair.src);
        build(
            &pair.dst,
            &[file("old", "x"), dir("names/files"), fifo("sizes"), file("modes/file-0400", "m")],
        );
        pair.mirror(&["-j", threads, "--delete"]).expect(0);
        pair.assert_same();
    }
}

#[test]
fn a_second_run_writes_nothing() {
    let pair = Pair::new(&[]);
    everything(&pair.src);
    build(&pair.src, &[socket("links/socket")]);
    pair.mirror(&[]).expect(0);
    let before = Snapshot::of(&pair.dst);
    for args in [&[][..], &["--delete"], &["--checksum", "--delete"], &["-j", "1"], &["--delete-before"]] {
        let Some((outcome, calls)) = changes(&mirror_command(args, &pair.src, &pair.dst), &pair.dst) else {
            return;
        };
        outcome.expect(0);
        assert!(
            calls.is_empty(),
            "with {args:?}, {} calls: {:#?}",
            calls.len(),
            &calls[..calls.len().min(9)]
        );
        before.assert_same(&Snapshot::of(&pair.dst), Fields::ALL);
    }
}

#[test]
fn a_second_run_names_nothing() {
    let pair = Pair::new(&[]);
    everything(&pair.src);
    pair.mirror(&["--delete"]).expect(0);
    for args in [&["-i", "--delete"][..], &["-i", "--delete", "-c"], &["-n", "-i", "--delete"]] {
        assert_eq!(pair.mirror(args).expect(0).lines(), [] as [&str; 0], "with {args:?}");
    }
}

#[test]
fn a_slash_at_the_end_changes_nothing() {
    let pair = Pair::new(&[file("a", "x"), file("dir/b", "y")]);
    for (i, (src, dst)) in
        [("src", "dst/"), ("src/", "dst"), ("src//", "dst//"), ("src/.", "dst")].into_iter().enumerate()
    {
        let (src, dst) = (pair.scratch.join(src), pair.scratch.join(&dst.replace("dst", &format!("dst{i}"))));
        mirror(&[], &src, &dst).expect(0);
        Snapshot::of(&pair.src).assert_same(&Snapshot::of(&dst), Fields::ALL);
    }
}

#[test]
fn roots_may_be_reached_by_symlinks() {
    let pair = Pair::over(&[file("a", "x")], &[file("b", "y")]);
    let [src, dst] = ["to-src", "to-dst"].map(|name| pair.scratch.join(name));
    std::os::unix::fs::symlink("src", &src).unwrap();
    std::os::unix::fs::symlink("dst", &dst).unwrap();
    mirror(&["--delete"], &src, &dst).expect(0);
    pair.assert_same();
    assert!(dst.is_symlink(), "the destination is where the symlink leads");
}

#[test]
fn a_run_without_source_or_place_does_nothing() {
    let pair = Pair::over(&[file("a", "x")], &[file("b", "y")]);
    let before = Snapshot::of(pair.scratch.path());
    let nowhere = pair.scratch.join("nowhere");
    for (src, dst) in [
        (&nowhere, &pair.dst),
        (&pair.src.join("a"), &pair.dst),
        (&pair.src, &nowhere.join("below")),
        (&pair.src, &pair.dst.join("b")),
    ] {
        let outcome = mirror(&["--delete"], src, dst).expect(1);
        assert!(!outcome.stderr.is_empty(), "it says why: {outcome}");
        before.assert_same(&Snapshot::of(pair.scratch.path()), Fields::ALL);
    }
}

#[test]
fn what_only_the_destination_has_is_left_alone() {
    let others =
        [file("mine", "m"), file("dir/mine", "m"), fifo("dir/fifo"), symlink("link", "mine"), dir("empty")];
    let pair = Pair::over(&[file("theirs", "t"), file("dir/theirs", "t"), dir("empty/below")], &others);
    let before = Snapshot::of(&pair.dst);
    pair.mirror(&[]).expect(0);
    let after = Snapshot::of(&pair.dst);
    for name in ["mine", "dir/mine", "dir/fifo", "link"] {
        assert_eq!(before.get(name), after.get(name));
    }
    Snapshot::of(&pair.src).assert_same(
        &after.without(|path, _| {
            ["mine", "dir/mine", "dir/fifo", "link"].contains(&std::str::from_utf8(path).unwrap())
        }),
        Fields::ALL,
    );
}

/// One entry of each kind and of several contents, all with the path `path`.
fn kinds(path: &str) -> Vec<(&'static str, Vec<Node>)> {
    let block = noise(1, 8192);
    let mut kinds = vec![
        ("file", vec![file(path, "content").mode(0o640)]),
        ("same-size", vec![file(path, "c0ntent").mtime(1_600_000_000, 1)]),
        ("same-content", vec![file(path, "content").mode(0o4755).mtime(1_500_000_000, 2)]),
        ("large", vec![file(path, noise(2, 300_000))]),
        ("sparse", vec![sparse(path, 1 << 20, &[(256 << 10, &block)])]),
        ("linked", vec![file(path, "content"), hard_link(format!("{path}-second"), path)]),
        ("empty-dir", vec![dir(path).mode(0o711)]),
        (
            "dir",
            vec![
                dir(path).mode(0o2750),
                file(format!("{path}/file"), "x"),
                dir(format!("{path}/below/more")),
            ],
        ),
        ("symlink", vec![symlink(path, "target")]),
        ("retargeted", vec![symlink(path, "target2").mtime(1, 1)]),
        ("fifo", vec![fifo(path).mode(0o600)]),
        ("socket", vec![socket(path).mode(0o600)]),
    ];
    if is_root() {
        kinds.extend([
            ("char", vec![char_device(path, 1, 3)]),
            ("char2", vec![char_device(path, 1, 5)]),
            ("block", vec![block_device(path, 7, 200).owner(5, 6)]),
        ]);
    } else {
        leave_out("devices need root");
    }
    kinds
}

#[test]
fn every_kind_replaces_every_kind() {
    let (mut src, mut dst) = (Vec::new(), Vec::new());
    let names: Vec<_> = kinds("").into_iter().map(|(name, _)| name).collect();
    for (i, new) in names.iter().enumerate() {
        for (j, old) in names.iter().enumerate() {
            let path = format!("{old}-becomes-{new}");
            src.extend(kinds(&path).swap_remove(i).1);
            dst.extend(kinds(&path).swap_remove(j).1);
        }
    }
    let pair = Pair::over(&src, &dst);
    pair.mirror(&["--delete"]).expect(0);
    pair.assert_same();
    assert_rsync_agrees(&pair.src, &pair.dst);
}

#[test]
fn hard_links_are_joined_and_parted() {
    let joined = |names: &[&str]| {
        let mut nodes = vec![file(names[0], "one inode")];
        nodes.extend(names[1..].iter().map(|name| hard_link(*name, names[0])));
        nodes
    };
    let apart = |names: &[&str]| names.iter().map(|name| file(*name, "one inode")).collect::<Vec<_>>();
    let names = ["a", "dir/b", "dir/below/c", "z"];
    for (src, dst) in [
        (joined(&names), apart(&names)),
        (apart(&names), joined(&names)),
        (
            [joined(&names[..2]), joined(&names[2..])].concat(),
            [joined(&names[1..3]), joined(&["a", "z"])].concat(),
        ),
        (joined(&names), joined(&["z", "other"])),
        (joined(&["new", "z"]), joined(&["z", "old"])),
    ] {
        let pair = Pair::over(&src, &dst);
        pair.mirror(&["--delete"]).expect(0);
        pair.assert_same();
    }
}

/// Whichever name is met first, existing content is not copied again. With `--fsync`, and if other trees may be used,
/// it is.
#[test]
fn a_new_name_of_a_hard_link_group_joins_the_one_that_is_there() {
    let content = noise(1, 100_000);
    let src = [
        file("z/there", content.clone()),
        hard_link("a/new", "z/there"),
        hard_link("b-new/new", "z/there"),
        hard_link("zz/new", "z/there"),
        file("all-new/1", "new"),
        hard_link("a/2", "all-new/1"),
    ];
    let dst = [file("z/there", content), dir("a"), file("zz/old", "x")];
    for threads in ["1", "8"] {
        let pair = Pair::over(&src, &dst);
        let inode = || pair.dst.join("z/there").metadata().unwrap().ino();
        let before = inode();
        let args = ["-j", threads, "--delete", "--json"];
        let dry = pair.mirror(&[&args[..], &["-n"]].concat()).expect(0);
        let outcome = pair.mirror(&args).expect(0);
        pair.assert_same();
        assert_eq!(inode(), before);
        assert_eq!(count(&outcome, "copied_bytes"), 3, "only what nobody has is copied");
        for outcome in [&dry, &outcome] {
            assert_eq!(["created", "linked"].map(|name| count(outcome, name)), [3, 4], "{}", outcome.text());
        }
        for args in [&["--fsync"][..], &["--link-dest=../other"]] {
            let pair = Pair::over(&src, &dst);
            pair.mirror(&[args, &["--delete", "-j", threads]].concat()).expect(0);
            pair.assert_same();
        }
    }
}

/// A snapshot or a second mirror may share the inodes of a destination: they are replaced, not changed.
#[test]
fn names_outside_of_the_destination_keep_their_content_and_metadata() {
    let old = [
        file("content", "old"),
        file("metadata", "same").mode(0o600),
        file("time", "same").mtime(1_600_000_000, 5),
        file("xattrless", "same"),
        file("pair", "same"),
        file("other", "same"),
        file("kept", "same"),
        file("gone", "same"),
        symlink("link", "old"),
        fifo("fifo").mode(0o600),
    ];
    let new = [
        file("content", "new").mtime(1_500_000_000, 5),
        file("metadata", "same").mode(0o755),
        file("time", "same"),
        file("xattrless", "changed"),
        file("pair", "same"),
        hard_link("other", "pair"),
        file("kept", "same"),
        symlink("link", "new"),
        fifo("fifo").mode(0o644),
    ];
    let pair = Pair::over(&new, &old);
    let outside = pair.scratch.mkdir("outside");
    for node in &old {
        let name = std::str::from_utf8(&node.path).unwrap();
        std::fs::hard_link(pair.dst.join(name), outside.join(name)).unwrap();
    }
    let before = Snapshot::of(&outside);
    pair.mirror(&["--delete"]).expect(0);
    before.assert_same(&Snapshot::of(&outside), Fields::ALL);
    pair.assert_same();
}

#[test]
fn with_inplace_a_file_keeps_its_inode() {
    let pair = Pair::over(&[file("a", "new content")], &[file("a", "old")]);
    std::fs::hard_link(pair.dst.join("a"), pair.scratch.join("outside")).unwrap();
    let inode = pair.dst.join("a").metadata().unwrap().ino();
    pair.mirror(&["--inplace"]).expect(0);
    assert_eq!(pair.dst.join("a").metadata().unwrap().ino(), inode);
    assert_eq!(std::fs::read(pair.scratch.join("outside")).unwrap(), b"new content");
}

/// The time of a file proves nothing if the file may still change without its time.
#[test]
fn a_file_that_is_not_older_than_the_run_is_compared_by_content() {
    let pair = Pair::over(&[file("a", "new")], &[file("a", "old")]);
    let future = SystemTime::now() + Duration::from_hours(1);
    for root in [&pair.src, &pair.dst] {
        std::fs::File::options().write(true).open(root.join("a")).unwrap().set_modified(future).unwrap();
    }
    pair.mirror(&[]).expect(0);
    assert_eq!(pair.read("a"), b"new");
    pair.assert_same();
}

#[test]
fn a_file_of_the_same_size_and_time_is_taken_for_the_same() {
    let pair = Pair::over(&[file("a", "new")], &[file("a", "old")]);
    pair.mirror(&[]).expect(0);
    assert_eq!(pair.read("a"), b"old");
    pair.mirror(&["--checksum"]).expect(0);
    assert_eq!(pair.read("a"), b"new");
    pair.assert_same();
}

/// Of what a file system keeps coarsely, `times.rs` has tests, and `plan::same` a table.
#[test]
fn where_nanoseconds_are_kept_no_other_time_is_the_same() {
    let (seconds, nanos) = (MTIME.0 + 1, 987_654_321);
    let cut = |unit: u32| (seconds, nanos / unit * unit);
    let other = [
        cut(100),
        cut(1000),
        cut(1_000_000),
        (seconds, 0),
        (seconds - 1, 0),
        (seconds, nanos + 1),
        (seconds, nanos - 1),
        (seconds, nanos / 100 * 100 + 100),
        (seconds, nanos / 10 * 10),
        (seconds, 500_000_000),
        (seconds + 1, 0),
        (seconds - 2, 0),
        (seconds + 1, nanos),
        (seconds - 1, nanos),
    ];
    for (times, expected) in [(&[(seconds, nanos)][..], "old"), (&other, "new")] {
        for &(s, ns) in times {
            let pair =
                Pair::over(&[file("a", "new").mtime(seconds, nanos)], &[file("a", "old").mtime(s, ns)]);
            pair.mirror(&[]).expect(0);
            assert_eq!(pair.read_text("a"), expected, "a time of {s} s {ns} ns for {seconds} s {nanos} ns");
            pair.mirror(&["--checksum"]).expect(0);
            pair.assert_same();
        }
    }
}

#[test]
fn an_empty_source_makes_an_empty_mirror() {
    let pair = Pair::new(&[dir("").mode(0o750).mtime(1_000_000_000, 9)]);
    pair.mirror(&[]).expect(0);
    pair.assert_same();
    assert_eq!(Snapshot::of(&pair.dst).get("").kind, Kind::Directory);
}

#[test]
fn zeros_that_are_data_stay_data_and_holes_stay_holes() {
    let data = noise(3, 64 << 10);
    let pair = Pair::over(
        &[
            file("zeros", vec![0; 256 << 10]),
            sparse("holes", 1 << 20, &[(512 << 10, &data)]),
            sparse("all", 1 << 20, &[]),
        ],
        &[
            sparse("zeros", 256 << 10, &[]).mtime(1, 1),
            file("holes", noise(4, 1 << 20)).mtime(1, 1),
            file("all", noise(5, 2 << 20)),
        ],
    );
    pair.mirror(&[]).expect(0);
    pair.assert_same();
}

//! How symlinks are handled, in the source and in the destination.

use crate::support::mirror::{Pair, Rivals, assert_like_rsync};
use crate::support::oracle::peer;
use crate::support::snapshot::{Fields, Kind, Snapshot};
use crate::support::tree::{Node, build, dir, fifo, file, hard_link, symlink};

/// Symlinks to every kind of target, inside of the tree and outside.
fn source() -> Vec<Node> {
    vec![
        file("file", "f").mode(0o640).mtime(1_600_000_000, 1),
        file("dir/file", "d"),
        dir("dir/empty"),
        fifo("fifo"),
        file("linked", "l"),
        hard_link("linked2", "linked"),
        symlink("to-file", "file").mtime(1_500_000_000, 7),
        symlink("to-linked", "linked"),
        symlink("to-dir", "dir"),
        symlink("to-fifo", "fifo"),
        symlink("to-link", "to-file"),
        symlink("dir/up", "../file"),
        symlink("dir/outside", "../../other/file"),
        symlink("outside-file", "../other/file"),
        symlink("outside-dir", "../other/dir"),
        symlink("in-and-out", "dir/../../other/file"),
        symlink("out-and-in", "../src/file"),
    ]
}

fn other() -> Vec<Node> {
    vec![
        file("file", "outside"),
        file("dir/file", "outside too"),
        symlink("dir/back", "../file"),
        symlink("dir/in", "file"),
    ]
}

#[track_caller]
fn compare(args: &[&str], src: &[Node], dst: &[Node]) {
    if peer("rsync") {
        let rivals = Rivals::new(src, dst);
        build(&rivals.scratch.join("other"), &other());
        rivals.run(args).assert_alike();
    }
}

#[test]
fn symlinks_are_kept_followed_or_left_out_as_asked() {
    for args in [
        &[][..],
        &["--copy-links"],
        &["-L", "--delete"],
        &["--copy-unsafe-links"],
        &["--safe-links"],
        &["--safe-links", "--delete"],
        &["--copy-dirlinks"],
        &["-k", "--copy-unsafe-links"],
        &["--copy-unsafe-links", "--safe-links"],
        &["--copy-links", "--no-hard-links"],
    ] {
        compare(args, &source(), &[]);
        compare(
            args,
            &source(),
            &[file("to-file", "f"), dir("to-dir"), file("outside-dir/file", "x"), symlink("file", "x")],
        );
    }
}

#[test]
fn a_symlink_that_leads_nowhere_is_kept_or_named() {
    let src = [file("a", "x"), symlink("dangling", "nowhere"), symlink("loop", "loop")];
    compare(&[], &src, &[]);
    for args in [&["--copy-links"][..], &["--copy-links", "--delete"]] {
        let pair = Pair::over(&src, &[file("extra", "e")]);
        let outcome = pair.mirror(args).expect(3);
        assert!(outcome.stderr.contains("dangling"), "{outcome}");
        assert_eq!(
            pair.dst_paths(),
            ["a", "extra"],
            "{args:?}: nothing is removed, for not all could be read"
        );
    }
}

#[test]
fn absolute_targets_are_outside() {
    let src = [file("file", "f"), symlink("absolute", "/etc/hostname")];
    for args in [&["--safe-links"][..], &["--copy-unsafe-links"]] {
        compare(args, &src, &[]);
    }
}

#[test]
fn a_symlink_to_a_directory_in_the_destination_is_replaced() {
    let src = [file("dir/file", "new"), file("file", "f")];
    let pair = Pair::over(&src, &[symlink("dir", "../outside"), symlink("file", "../outside/file")]);
    build(&pair.scratch.join("outside"), &[file("file", "outside")]);
    let before = Snapshot::of(&pair.scratch.join("outside"));
    for args in [&[][..], &["--delete"], &["--inplace"], &["--append"], &["--partial"]] {
        pair.mirror(args).expect(0);
        before.assert_same(&Snapshot::of(&pair.scratch.join("outside")), Fields::ALL);
        pair.assert_same();
        for name in ["dir", "file"] {
            let path = pair.dst.join(name);
            if path.is_dir() {
                std::fs::remove_dir_all(&path).unwrap();
            } else {
                std::fs::remove_file(&path).unwrap();
            }
        }
        build(&pair.dst, &[symlink("dir", "../outside"), symlink("file", "../outside/file")]);
    }
}

#[test]
fn a_symlink_to_a_directory_in_the_destination_stands_for_one_when_asked() {
    let src = [file("dir/file", "new"), file("dir/sub/file", "new"), file("plain/file", "f")];
    let dst = [symlink("dir", "real"), file("real/old", "o"), symlink("plain", "nowhere")];
    // The time is given to the directory; rsync gives it to the symlink.
    for args in [&["--keep-dirlinks", "-OJ"][..], &["-K", "--delete", "--exclude=/real", "-OJ"]] {
        assert_like_rsync(args, &src, &dst);
    }
    let pair = Pair::over(&src, &dst);
    pair.mirror(&["-K"]).expect(0);
    let after = Snapshot::of(&pair.dst);
    assert_eq!(after.get("dir").kind, Kind::Symlink(b"real".into()));
    assert_eq!(pair.read_text("real/sub/file"), "new");
    assert_eq!(pair.read_text("real/old"), "o");
}

#[test]
fn a_new_target_or_time_makes_a_new_symlink() {
    let long = "t".repeat(4000);
    let src =
        [symlink("a", "new").mtime(5, 5), symlink("b", "same").mtime(6, 6), symlink("c", long.as_bytes())];
    let dst = [symlink("a", "old"), symlink("b", "same"), symlink("c", "short")];
    let pair = Pair::over(&src, &dst);
    pair.mirror(&[]).expect(0);
    pair.assert_same();
    assert_like_rsync(&["--omit-link-times"], &src[1..2], &dst);
}

#[test]
fn what_rules_leave_out_need_not_lead_anywhere() {
    let pair = Pair::new(&[file("a", "1"), symlink("gone", "/nowhere/at/all")]);
    pair.mirror(&["--copy-unsafe-links", "--exclude=gone"]).expect(0);
    assert_eq!(pair.dst_paths(), ["a"]);
    pair.mirror(&["--copy-unsafe-links"]).expect(3);
}

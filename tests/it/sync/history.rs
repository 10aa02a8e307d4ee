//! Content and names from elsewhere: other trees, backups, old content, removed files.

use crate::support::mirror::{Pair, Rivals, assert_like_rsync, count};
use crate::support::oracle::{in_private_mounts, is_root, peer};
use crate::support::scratch::Scratch;
use crate::support::snapshot::{Fields, Kind, Snapshot};
use crate::support::tree::{
    Node, build, char_device, dir, fifo, file, hard_link, keeps_xattr, sparse, symlink,
};
use crate::support::trees::noise;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

fn source() -> Vec<Node> {
    vec![
        file("same", "same"),
        file("content", "new content"),
        file("mode", "same").mode(0o600),
        file("time", "same").mtime(1_600_000_000, 5),
        file("new", "n"),
        file("dir/same", "same"),
        dir("dir/empty"),
        symlink("link", "x"),
        fifo("fifo"),
        file("pair", "p"),
        hard_link("dir/pair", "pair"),
    ]
}

fn base() -> Vec<Node> {
    vec![
        file("same", "same"),
        file("content", "old"),
        file("mode", "same"),
        file("time", "same"),
        file("dir/same", "same"),
        symlink("link", "x"),
        file("pair", "p"),
        hard_link("dir/pair", "pair"),
        file("gone", "g"),
    ]
}

#[test]
fn other_trees_serve_for_what_they_have() {
    if !peer("rsync") {
        return;
    }
    let second = [file("content", "new content"), file("new", "n"), file("same", "other")];
    let present = [file("same", "same"), file("content", "older"), file("extra", "e")];
    for dst in [&[][..], &present] {
        for args in [
            &["--link-dest=../base"][..],
            &["--copy-dest=../base"],
            &["--compare-dest=../base"],
            &["--link-dest=../base", "--link-dest=../second"],
            &["--link-dest=../second", "--link-dest=../base", "--delete"],
            &["--copy-dest=../second", "--copy-dest=../base", "-c"],
            &["--compare-dest=../base", "--compare-dest=../second"],
            &["--link-dest=../base", "--no-perms"],
        ] {
            let rivals = Rivals::new(&source(), dst);
            rivals.beside("base", &base());
            rivals.beside("second", &second);
            rivals.run(args).assert_alike();
        }
    }
}

#[test]
fn another_tree_that_does_not_exist_is_named() {
    for flag in ["--link-dest", "--copy-dest", "--compare-dest"] {
        let pair = Pair::new(&source());
        let outcome = pair.mirror(&[&format!("{flag}=../missing"), &format!("{flag}=../base")]).expect(0);
        let outcome = outcome.expect_once("../missing: no file can be taken from it");
        outcome.expect_once("../base: no file can be taken from it");
        pair.assert_same();
    }
}

#[test]
fn a_linked_file_is_the_file_of_the_other_tree_and_leaves_that_as_it_was() {
    let pair = Pair::new(&source());
    let base_dir = pair.scratch.join("base");
    build(&base_dir, &base());
    let before = Snapshot::of(&base_dir);
    let outcome = pair.mirror(&["--link-dest=../base", "--json"]).expect(0);
    let inode = |root: &Path, name: &str| root.join(name).symlink_metadata().unwrap().ino();
    for name in ["same", "dir/same", "pair"] {
        assert_eq!(inode(&pair.dst, name), inode(&base_dir, name), "{name}");
    }
    for name in ["content", "mode", "time"] {
        assert_ne!(inode(&pair.dst, name), inode(&base_dir, name), "{name}");
    }
    assert!(count(&outcome, "linked") >= 3, "{}", outcome.text());
    pair.mirror(&["--link-dest=../base", "--delete"]).expect(0);
    pair.assert_same();
    before.assert_same(&Snapshot::of(&base_dir), Fields::ALL);
}

#[test]
fn what_is_replaced_or_removed_is_backed_up() {
    let dst = [
        file("same", "same"),
        file("content", "old"),
        file("mode", "same").mode(0o755),
        file("extra", "e"),
        file("dir/extra", "e"),
        file("dir/same", "was otherwise"),
        symlink("link", "old"),
        file("gone/all", "g"),
    ];
    // With backups beside their originals rsync forces --omit-dir-times on; haul does not.
    for args in [
        &["--backup", "-O"][..],
        &["-b", "--delete", "-O"],
        &["--backup", "--suffix=.old", "--delete", "-O"],
        &["--backup-dir=../backup", "--backup"],
        &["--backup", "--backup-dir=../backup", "--delete"],
        &["--backup", "--backup-dir=../backup", "--suffix=.old", "--delete", "--delete-after"],
        &["--backup", "--backup-dir=kept", "--delete"],
        &["--backup", "--backup-dir=kept", "--delete", "--inplace"],
        &["--backup", "-O", "--inplace"],
    ] {
        assert_like_rsync(args, &source(), &dst);
    }
}

#[test]
fn inplace_and_append_write_into_the_file_that_is_there() {
    let long = noise(1, 300_000);
    let changed = [&long[..100_000], b"other", &long[100_005..]].concat();
    let src =
        [file("grown", long.clone()), file("changed", long.clone()), file("shrunk", "s"), file("new", "n")];
    let dst = [
        file("grown", long[..70_000].to_vec()).mtime(1, 1),
        file("changed", changed).mtime(1, 1),
        file("shrunk", "shorter").mtime(1, 1),
    ];
    for args in [&["--inplace"][..], &["--append"], &["--inplace", "--delete"]] {
        assert_like_rsync(args, &src, &dst);
        let pair = Pair::over(&src, &dst);
        let inode = || pair.dst.join("grown").metadata().unwrap().ino();
        let before = inode();
        pair.mirror(args).expect(0);
        assert_eq!(inode(), before, "with {args:?}");
        assert!(pair.read("grown") == long);
    }
}

/// Only what differs is written: most blocks count as reused.
#[test]
fn a_delta_takes_over_what_is_there() {
    let old = noise(1, 8 << 20);
    let new = [&old[..3 << 20], b"something inserted", &old[3 << 20..]].concat();
    for args in [&["--delta", "--json"][..], &["--delta", "--inplace", "--json"]] {
        let pair = Pair::over(&[file("a", new.clone())], &[file("a", old.clone()).mtime(1, 1)]);
        pair.mirror(args).expect(0);
        pair.assert_same();
    }
    let pair = Pair::over(&[file("a", new)], &[file("a", old).mtime(1, 1)]);
    let outcome = pair.mirror(&["--delta", "--json"]).expect(0);
    assert!(count(&outcome, "matched_bytes") > 7 << 20, "{}", outcome.text());
}

#[test]
fn a_renamed_file_is_not_copied() {
    let content = noise(2, 1 << 20);
    let src = [file("new/name", content.clone()), file("kept", "k"), file("new/second", content.clone())];
    let dst = [file("old/name", content), file("kept", "k")];
    let pair = Pair::over(&src[..2], &dst);
    let outcome = pair.mirror(&["--delete", "--detect-renames", "--json"]).expect(0);
    assert_eq!(count(&outcome, "copied_bytes"), 0, "{}", outcome.text());
    pair.assert_same();

    let pair = Pair::over(&src, &dst);
    pair.mirror(&["--delete", "--detect-renames"]).expect(0);
    pair.assert_same();
}

/// A file that stays would become another name of what is made: what is written into one would be in both.
#[test]
fn only_what_is_removed_serves_for_a_rename() {
    let content = noise(3, 1 << 16);
    let inode = |path: &Path| std::fs::metadata(path).unwrap().ino();
    let own = [file("own", content.clone()), file("gone/own", content.clone())];
    let pair = Pair::over(&[file("new", content)], &own);
    let manifest = pair.scratch.join("manifest");
    std::fs::write(&manifest, "gone/\n").unwrap();
    let manifest = format!("--delete-manifest={}", manifest.display());
    for keeps in [&["--delete", "--filter=P own"][..], &[manifest.as_str()]] {
        std::fs::remove_file(pair.dst.join("new")).ok();
        pair.mirror(&[keeps, &["--detect-renames"]].concat()).expect(0);
        for kept in ["own", "gone/own"] {
            assert_ne!(inode(&pair.dst.join(kept)), inode(&pair.dst.join("new")), "{keeps:?} {kept}");
        }
    }
}

/// The same size and time, and other content: no rename.
#[test]
fn only_the_same_content_is_a_rename() {
    let pair = Pair::over(&[file("new", noise(1, 1 << 16))], &[file("old", noise(2, 1 << 16))]);
    pair.mirror(&["--delete", "--detect-renames"]).expect(0);
    pair.assert_same();
}

/// A candidate may be gone when it is needed.
#[test]
fn detecting_renames_goes_with_every_time_of_deletion() {
    let content = noise(2, 1 << 20);
    for when in ["--delete-before", "--delete-during", "--delete-delay", "--delete-after"] {
        for threads in ["-j1", "-j8"] {
            let src = [file("a/new", content.clone()), file("z/new", content.clone())];
            let pair = Pair::over(&src, &[file("c", content.clone())]);
            pair.mirror(&[when, "--detect-renames", threads]).expect(0);
            pair.assert_same();
        }
    }
}

/// A backup on another file system is a copy with all metadata.
#[test]
fn backups_may_lie_on_another_file_system() {
    let scratch = Scratch::in_memory();
    let mut old = vec![
        file("replaced", noise(1, 300_000)).mode(0o640),
        file("removed", "r").mode(0o4755).mtime(1_500_000_000, 7),
        file("dir/below/removed", "below").mode(0o444),
        sparse("sparse", 1 << 20, &[(1 << 19, b"data")]),
        symlink("link", "replaced").mtime(1_400_000_000, 1),
        symlink("link-replaced", "old"),
        fifo("fifo").mode(0o600),
    ];
    if keeps_xattr(scratch.path(), "user.probe", b"") {
        old.push(file("xattr", "x").mode(0o444).xattr("user.text", "value"));
    }
    if is_root() {
        old.push(file("foreign", "f").owner(1234, 4321).mode(0o6711));
        old.push(char_device("device", 1, 3));
    }
    let new = [file("replaced", "new"), symlink("link-replaced", "new"), file("kept", "k"), dir("dir/below")];
    build(&scratch.join("src"), &new);
    scratch.mkdir("backup");
    for flags in ["", "--delete-before -j 1", "--fsync", "--inplace", "--suffix=.old"] {
        let _ = std::fs::remove_dir_all(scratch.join("dst"));
        let _ = std::fs::remove_dir_all(scratch.join("kept"));
        build(&scratch.join("dst"), &[&old[..], &[file("kept", "k")]].concat());
        let before = Snapshot::of(&scratch.join("dst")).without(|path, _| path == b"kept");
        let script = format!(
            "mount -t tmpfs none backup || exit 99
            $HAUL sync --delete --backup --backup-dir=../backup {flags} src dst && cp -a backup kept"
        );
        let Some(outcome) = in_private_mounts(scratch.path(), &script) else { return };
        outcome.expect(0);
        Snapshot::of(&scratch.join("src")).assert_same(&Snapshot::of(&scratch.join("dst")), Fields::ALL);
        let mut kept = Snapshot::of(&scratch.join("kept"));
        if flags.contains("suffix") {
            let plain = |path: Vec<u8>| path.strip_suffix(b".old").map_or(path.clone(), <[u8]>::to_vec);
            kept = Snapshot(kept.0.into_iter().map(|(path, node)| (plain(path), node)).collect());
        }
        let leaves = |tree: Snapshot| tree.without(|_, node| node.kind == Kind::Directory);
        leaves(before).assert_same(&leaves(kept), Fields::ALL);
    }
}

/// What cannot be backed up is neither replaced nor removed, and nothing is left of the attempt.
#[test]
fn without_room_for_the_backup_nothing_gives_way() {
    let scratch = Scratch::in_memory();
    build(&scratch.join("src"), &[file("replaced", "new")]);
    build(&scratch.join("dst"), &[file("replaced", noise(1, 3 << 20)), file("removed", noise(2, 3 << 20))]);
    let before = Snapshot::of(&scratch.join("dst"));
    scratch.mkdir("backup");
    let script = "mount -t tmpfs -o size=2m none backup || exit 99
        $HAUL sync --delete --backup --backup-dir=../backup src dst; code=$?; find backup -type f; exit $code";
    let Some(outcome) = in_private_mounts(scratch.path(), script) else { return };
    assert_eq!(outcome.expect(1).expect_once("ENOSPC").text(), "");
    before.without_root().assert_same(&Snapshot::of(&scratch.join("dst")).without_root(), Fields::ALL);
}

//! `haul unpack --update`: a tree is brought to the state of an archive.

use crate::props::{Edit, apply, draft, edit, few, tree};
use crate::support::mirror::report;
use crate::support::oracle::{Outcome, exact, finish, haul, haul_command, is_root, leave_out, run};
use crate::support::process::{is_temporary, send, spawn, wait_until};
use crate::support::scratch::Scratch;
use crate::support::snapshot::{Fields, Kind, Node, Snapshot};
use crate::support::tar::Tar;
use crate::support::trace::changes;
use crate::support::tree::{build, dir, fifo, file, hard_link, keeps_xattr, symlink};
use crate::support::trees::{everything, noise, text};
use proptest::prelude::*;
use proptest::sample::Index;
use rustix::fs::AtFlags;
use rustix::process::Signal;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

fn update_command(args: &[&str], archive: &Path, dst: &Path) -> Command {
    let mut command = haul_command();
    command.args(["unpack", "--update"]).args(exact()).args(args).arg(archive).arg(dst);
    command
}

fn update(args: &[&str], archive: &Path, dst: &Path) -> Outcome {
    run(&mut update_command(args, archive, dst), None)
}

/// The same from stdin.
fn update_piped(args: &[&str], archive: &Path, dst: &Path) -> Outcome {
    let bytes = std::fs::read(archive).unwrap();
    run(&mut update_command(args, Path::new("-"), dst), Some(&bytes))
}

/// How many entries a run changed.
fn changed(outcome: &Outcome) -> u64 {
    let counts = &report(outcome)["counts"];
    let names = ["created", "updated", "linked", "metadata_set", "deleted"];
    names.iter().map(|name| counts[name].as_u64().unwrap()).sum()
}

/// Packs `root` and unpacks it again: what an updated tree is to be like.
pub fn fresh(scratch: &Scratch, root: &Path) -> (PathBuf, Snapshot) {
    let (archive, copy) = (scratch.join("a.tar.zst"), scratch.join("fresh"));
    haul!["pack", root, &archive].expect(0);
    run(haul_command().arg("unpack").args(exact()).arg(&archive).arg(&copy), None).expect(0);
    (archive, Snapshot::of(&copy))
}

/// The data frames of an archive, by its seek table: where each begins, and its length.
pub fn frames(archive: &[u8]) -> Vec<(usize, usize)> {
    let number = |at: usize| u32::from_le_bytes(archive[at..at + 4].try_into().unwrap()) as usize;
    let count = number(archive.len() - 9);
    let table = archive.len() - 9 - 8 * count;
    let lines = (0..count).map(|line| (number(table + 8 * line), number(table + 8 * line + 4)));
    let mut offset = 0;
    let placed = lines.map(|(compressed, decoded)| {
        offset += compressed;
        (offset - compressed, compressed, decoded)
    });
    placed.filter(|&(.., decoded)| decoded > 0).map(|(at, len, _)| (at, len)).collect()
}

/// Flips a bit in the middle of these frames.
pub fn damage(archive: &Path, which: impl Fn(usize) -> bool) {
    let mut bytes = std::fs::read(archive).unwrap();
    for (number, (at, len)) in frames(&bytes).into_iter().enumerate() {
        if which(number) {
            bytes[at + len / 2] ^= 1;
        }
    }
    std::fs::write(archive, bytes).unwrap();
}

proptest! {
    #![proptest_config(few(32))]

    #[test]
    fn any_tree_becomes_what_a_fresh_unpack_is(
        drafts in prop::collection::vec(draft(), 0..30),
        others in prop::collection::vec(draft(), 0..30),
        shared in 0..30usize,
        threads in 1..4u32,
        piped in any::<bool>(),
    ) {
        let scratch = Scratch::new();
        let xattrs = keeps_xattr(scratch.path(), "user.probe", b"");
        let (root, dst) = (scratch.join("tree"), scratch.join("dst"));
        build(&root, &tree(&drafts, xattrs));
        // Some of the same tree, and then something else.
        let some: Vec<_> = drafts.iter().take(shared).chain(&others).cloned().collect();
        build(&dst, &tree(&some, xattrs));
        let (archive, expected) = fresh(&scratch, &root);
        prop_assume!(expected.0.len() > 1);
        let threads = threads.to_string();
        let args = ["--delete", "--json", "-j", &threads];
        let update = if piped { update_piped } else { update };
        update(&args, &archive, &dst).expect(0);
        let diff = expected.diff(&Snapshot::of(&dst), Fields::ALL);
        prop_assert!(diff.is_empty(), "{}", diff.join("\n"));
        let again = run(&mut update_command(&args, &archive, &dst), None).expect(0);
        prop_assert_eq!(changed(&again), 0, "{}", again);
    }

    #[test]
    fn an_edit_is_undone(
        drafts in prop::collection::vec(draft(), 1..20),
        which in any::<Index>(),
        edit in edit(),
        checksum in any::<bool>(),
    ) {
        // Content of the same length and time differs only by digest.
        let checksum = checksum || matches!(edit, Edit::FlipByte);
        let scratch = Scratch::new();
        let (root, dst) = (scratch.join("tree"), scratch.join("fresh"));
        build(&root, &tree(&drafts, keeps_xattr(scratch.path(), "user.probe", b"")));
        let (archive, expected) = fresh(&scratch, &root);
        let paths: Vec<PathBuf> = expected.0.keys().filter(|path| !path.is_empty())
            .map(|path| PathBuf::from(OsStr::from_bytes(path))).collect();
        prop_assume!(!paths.is_empty());
        prop_assume!(apply(&dst, which.get(&paths).as_path(), edit));
        let mut args = vec!["--delete", "--json"];
        args.extend(checksum.then_some("--checksum"));
        let outcome = update(&args, &archive, &dst).expect(0);
        let diff = expected.diff(&Snapshot::of(&dst), Fields::ALL);
        prop_assert!(diff.is_empty(), "{:?}: {}", edit, diff.join("\n"));
        prop_assert!(changed(&outcome) > 0 || matches!(edit, Edit::Mtime), "{}", outcome);
    }
}

#[test]
fn a_tree_of_everything_is_kept_as_it_is_and_nothing_is_written() {
    let scratch = Scratch::new();
    let root = scratch.join("tree");
    everything(&root);
    let (archive, expected) = fresh(&scratch, &root);
    let dst = scratch.join("fresh");
    for args in [&["--delete"][..], &["--delete", "--checksum"]] {
        let Some((outcome, calls)) = changes(&update_command(args, &archive, &dst), &dst) else { return };
        outcome.expect(0);
        assert!(calls.is_empty(), "{calls:#?}");
    }
    expected.assert_same(&Snapshot::of(&dst), Fields::ALL);
    let outcome = update_piped(&["--delete", "--json"], &archive, &dst).expect(0);
    // A time in the future proves nothing about the content, and without an index nothing else does.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let is_young = |node: &&Node| matches!(node.kind, Kind::File(..)) && node.mtime.0 > now.cast_signed();
    assert_eq!(changed(&outcome), expected.0.values().filter(is_young).count() as u64, "{outcome}");
}

#[test]
fn a_tree_of_everything_comes_back_over_ruins() {
    let scratch = Scratch::new();
    let root = scratch.join("tree");
    everything(&root);
    let (archive, expected) = fresh(&scratch, &root);
    let dst = scratch.join("dst");
    // No entry has the kind, the group or the metadata that it should have.
    build(
        &dst,
        &[
            file("names", "a file where a directory belongs"),
            symlink("links", "/"),
            dir("sizes/1/full"),
            file("sizes/1/full/file", "in the way"),
            hard_link("modes/file-0444", "sizes/00000511"),
            file("sizes/00000511", "not this"),
            dir("modes").mode(0o2770),
            file("extra/below", "x"),
        ],
    );
    update(&["--delete"], &archive, &dst).expect(0);
    expected.assert_same(&Snapshot::of(&dst), Fields::ALL);
}

/// Four files of noise, each in frames of its own.
fn four(scratch: &Scratch) -> (PathBuf, PathBuf) {
    let root = scratch.join("tree");
    let nodes: Vec<_> = (0..4).map(|i| file(format!("file-{i}"), noise(i, 5 << 20))).collect();
    build(&root, &nodes);
    let (archive, _) = fresh(scratch, &root);
    (archive, scratch.join("fresh"))
}

#[test]
fn only_the_frames_of_what_differs_are_read() {
    let scratch = Scratch::new();
    let (archive, dst) = four(&scratch);
    let expected = Snapshot::of(&dst);
    let count = frames(&std::fs::read(&archive).unwrap()).len();
    assert!(count > 5, "{count} frames");
    // Of the last file, all other frames are damaged; then all of them.
    let whole = std::fs::read(&archive).unwrap();
    std::fs::remove_file(dst.join("file-3")).unwrap();
    damage(&archive, |frame| frame < count / 2);
    update(&["--delete"], &archive, &dst).expect(0);
    expected.assert_same(&Snapshot::of(&dst), Fields::ALL);
    std::fs::write(&archive, whole).unwrap();
    damage(&archive, |_| true);
    update(&["--delete"], &archive, &dst).expect(0);
    update(&["--delete", "--checksum"], &archive, &dst).expect(0);
    std::fs::set_permissions(dst.join("file-1"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    update(&["--delete"], &archive, &dst).expect(0);
    expected.assert_same(&Snapshot::of(&dst), Fields::ALL);
}

#[test]
fn damage_in_a_needed_frame_stops_the_run_and_nothing_is_deleted() {
    let scratch = Scratch::new();
    let (archive, dst) = four(&scratch);
    std::fs::write(dst.join("extra"), "x").unwrap();
    std::fs::write(dst.join("file-0"), "older").unwrap();
    std::fs::remove_file(dst.join("file-1")).unwrap();
    std::fs::create_dir_all(dst.join("file-1/full/of")).unwrap();
    damage(&archive, |_| true);
    update(&["--delete"], &archive, &dst).expect(5);
    assert_eq!(std::fs::read(dst.join("file-0")).unwrap(), b"older");
    assert!(dst.join("extra").exists() && dst.join("file-1/full/of").exists());
    let left: Vec<_> = Snapshot::of(&dst).paths();
    assert!(!left.iter().any(|path| path.contains(".haul-")), "{left:?}");
}

#[test]
fn nothing_is_deleted_after_a_failure() {
    let scratch = Scratch::new();
    let (archive, dst) = four(&scratch);
    std::fs::write(dst.join("extra"), "x").unwrap();
    let outcome =
        run(update_command(&["--delete"], &archive, &dst).args(["file-0", "extra", "nowhere"]), None);
    outcome.expect(3);
    assert!(dst.join("extra").exists());
}

#[test]
fn an_archive_of_nothing_does_not_empty_a_tree() {
    let scratch = Scratch::new();
    let (empty, archive) = (scratch.mkdir("empty"), scratch.join("a.tar.zst"));
    haul!["pack", &empty, &archive].expect(0);
    let dst = scratch.mkdir("dst");
    std::fs::write(dst.join("file"), "x").unwrap();
    for update in [update, update_piped] {
        let outcome = update(&["--delete"], &archive, &dst).expect(1);
        assert!(outcome.stderr.contains("would be deleted"), "{outcome}");
    }
    assert!(dst.join("file").exists());
    update(&[], &archive, &dst).expect(0);
}

#[test]
fn what_the_selection_leaves_out_stays() {
    let scratch = Scratch::new();
    let root = scratch.join("tree");
    build(&root, &[file("in/a", "a"), file("in/b.keep", "b"), file("out/c", "c")]);
    let (archive, _) = fresh(&scratch, &root);
    let dst = scratch.join("dst");
    let extras = ["in/x", "in/y.keep", "in/d/z.keep", "in/d/w", "in/e/f", "out/v"];
    let bytes = std::fs::read(&archive).unwrap();
    for stdin in [None, Some(&bytes[..])] {
        let _ = std::fs::remove_dir_all(&dst);
        build(&dst, &extras.map(|path| file(path, "extra")));
        let from = if stdin.is_some() { Path::new("-") } else { &archive };
        let mut command = update_command(&["--delete", "--exclude", "*.keep"], from, &dst);
        run(command.arg("in"), stdin).expect(0);
        let paths = Snapshot::of(&dst).paths();
        assert_eq!(paths, ["in", "in/a", "in/d", "in/d/z.keep", "in/y.keep", "out", "out/v"]);
    }
}

#[test]
fn without_delete_a_full_directory_does_not_give_way() {
    let scratch = Scratch::new();
    let root = scratch.join("tree");
    build(&root, &[file("a", "a"), file("b", "b")]);
    let (archive, _) = fresh(&scratch, &root);
    let dst = scratch.mkdir("dst");
    std::fs::create_dir_all(dst.join("a/full")).unwrap();
    update(&[], &archive, &dst).expect(3);
    assert_eq!(Snapshot::of(&dst).paths(), ["a", "a/full", "b"]);
    update(&["--delete"], &archive, &dst).expect(0);
    assert_eq!(Snapshot::of(&dst).paths(), ["a", "b"]);
}

#[test]
fn nothing_is_reached_through_a_symlink() {
    let scratch = Scratch::new();
    let root = scratch.join("tree");
    build(&root, &[file("d/a", "a"), dir("e")]);
    let (archive, expected) = fresh(&scratch, &root);
    let (dst, outside) = (scratch.mkdir("dst"), scratch.mkdir("outside"));
    std::fs::write(outside.join("a"), "not ours").unwrap();
    std::fs::write(outside.join("extra"), "not ours").unwrap();
    for name in ["d", "e", "f"] {
        std::os::unix::fs::symlink(&outside, dst.join(name)).unwrap();
    }
    let before = Snapshot::of(&outside);
    update(&["--delete"], &archive, &dst).expect(0);
    expected.assert_same(&Snapshot::of(&dst), Fields::ALL);
    before.assert_same(&Snapshot::of(&outside), Fields::ALL);
}

#[test]
fn an_inode_with_a_name_elsewhere_is_not_changed_in_place() {
    let scratch = Scratch::new();
    let root = scratch.join("tree");
    build(&root, &[file("a", "a").mode(0o600), file("b", "b").mode(0o644)]);
    let (archive, expected) = fresh(&scratch, &root);
    let (dst, elsewhere) = (scratch.join("fresh"), scratch.join("elsewhere"));
    std::fs::hard_link(dst.join("a"), &elsewhere).unwrap();
    std::fs::set_permissions(&elsewhere, std::os::unix::fs::PermissionsExt::from_mode(0o444)).unwrap();
    for update in [update, update_piped] {
        update(&["--delete"], &archive, &dst).expect(0);
        expected.assert_same(&Snapshot::of(&dst), Fields::ALL);
        assert_eq!(std::fs::metadata(&elsewhere).unwrap().mode() & 0o7777, 0o444);
    }
}

#[test]
fn a_directory_may_come_after_what_lies_in_it() {
    // Into a directory that exists, where a new one has a temporary name until the end.
    let scratch = Scratch::new();
    let tar = Tar::new().file("d/f", noise(1, 2 << 20)).dir("d").file("d/g", b"more").end();
    let dst = scratch.mkdir("dst");
    run(haul_command().args(["unpack", "-"]).arg(&dst), Some(&tar)).expect(0);
    assert_eq!(Snapshot::of(&dst).paths(), ["d", "d/f", "d/g"]);
}

#[test]
fn a_group_of_symlinks_is_linked_in_a_directory_that_exists() {
    let scratch = Scratch::new();
    let root = scratch.join("tree");
    build(&root, &[symlink("a", "x"), file("c", "c")]);
    rustix::fs::linkat(rustix::fs::CWD, root.join("a"), rustix::fs::CWD, root.join("b"), AtFlags::empty())
        .unwrap();
    let (archive, expected) = fresh(&scratch, &root);
    let dst = scratch.mkdir("dst");
    run(haul_command().arg("unpack").args(exact()).arg(&archive).arg(&dst), None).expect(0);
    expected.assert_same(&Snapshot::of(&dst), Fields { owner: false, ..Fields::ALL });
}

#[test]
fn the_group_of_a_directory_is_not_given_to_what_has_another() {
    if !is_root() {
        return leave_out("other groups need root");
    }
    let scratch = Scratch::new();
    let root = scratch.join("tree");
    build(&root, &[file("a", "a"), fifo("b"), symlink("c", "x")]);
    let (archive, expected) = fresh(&scratch, &root);
    let dst = scratch.mkdir("dst");
    std::os::unix::fs::chown(&dst, None, Some(4242)).unwrap();
    std::fs::set_permissions(&dst, std::os::unix::fs::PermissionsExt::from_mode(0o2755)).unwrap();
    run(haul_command().arg("unpack").arg(&archive).arg(&dst), None).expect(0);
    expected.assert_same(&Snapshot::of(&dst), Fields::ALL);
}

#[test]
fn checksum_without_an_index_is_refused() {
    let scratch = Scratch::new();
    let (archive, dst) = four(&scratch);
    update_piped(&["--checksum"], &archive, &dst).expect(2);
}

#[test]
fn a_killed_update_leaves_no_partial_file_and_the_next_one_completes() {
    let scratch = Scratch::in_memory();
    let (old, new) = (scratch.join("old"), scratch.join("new"));
    let nodes = |seed: u64| -> Vec<_> {
        let small = (0..200).map(|i| file(format!("d{}/f{i}", i % 7), text(seed + i, 9000)));
        let large = (0..3).map(|i| file(format!("large-{i}"), noise(seed + i, 3 << 20)));
        small.chain(large).map(|node| node.mtime(1_600_000_000 + seed.cast_signed(), 5)).collect()
    };
    build(&old, &nodes(0));
    build(&new, &nodes(10_000));
    let (archive, expected) = fresh(&scratch, &new);
    let before = Snapshot::of(&old);
    for round in 0..12 {
        let dst = scratch.join("dst");
        let _ = std::fs::remove_dir_all(&dst);
        build(&dst, &nodes(0));
        let mut child = spawn(&mut update_command(&["--delete"], &archive, &dst));
        // At another moment each time: when so many files have their new time.
        let is_new = |i: u64| {
            let meta = std::fs::metadata(dst.join(format!("d{}/f{i}", i % 7)));
            meta.is_ok_and(|meta| meta.mtime() != 1_600_000_000)
        };
        wait_until(&mut child, || (0..200).filter(|&i| is_new(i)).count() >= round * 15);
        send(&child, Signal::KILL);
        finish(child, "haul unpack --update");
        for (path, node) in Snapshot::of(&dst).0 {
            let is_one_of = || [&before, &expected].iter().any(|tree| tree.get(&path).kind == node.kind);
            assert!(is_temporary(&path) || is_one_of(), "{}", path.escape_ascii());
        }
        update(&["--delete"], &archive, &dst).expect(0);
        expected.assert_same(&Snapshot::of(&dst), Fields::ALL);
    }
}

/// Runs with `--if-changed` and returns whether the stamp was trusted: then nothing is counted.
fn is_believed(args: &[&str], archive: &Path, dst: &Path) -> bool {
    let outcome = update(&[&["--delete", "--if-changed", "--json"], args].concat(), archive, dst).expect(0);
    report(&outcome)["counts"]["directories"] == 0
}

#[test]
fn a_stamp_is_believed_until_archive_options_or_directory_are_others() {
    let scratch = Scratch::new();
    let root = scratch.join("tree");
    build(&root, &[file("a", "a"), file("d/b", "b")]);
    let (archive, _) = fresh(&scratch, &root);
    let dst = scratch.join("dst");
    let stamp = scratch.join(".dst.haul-stamp");
    assert!(!is_believed(&[], &archive, &dst) && stamp.exists());
    assert!(is_believed(&[], &archive, &dst));
    assert_eq!(Snapshot::of(&dst).paths(), ["a", "d", "d/b"]);
    // Options that count, and one that does not.
    assert!(is_believed(&["-j", "3"], &archive, &dst));
    assert!(!is_believed(&["--exclude", "b"], &archive, &dst));
    assert!(!is_believed(&[], &archive, &dst) && is_believed(&[], &archive, &dst));
    // What is below is not looked at, by design; an emptied directory is seen, and so is another one of the name.
    std::fs::write(dst.join("d/c"), "c").unwrap();
    assert!(is_believed(&[], &archive, &dst));
    std::fs::remove_file(dst.join("a")).unwrap();
    assert!(!is_believed(&[], &archive, &dst));
    std::fs::rename(&dst, scratch.join("moved")).unwrap();
    assert!(!is_believed(&[], &archive, &dst) && is_believed(&[], &archive, &dst));
    // Another archive.
    std::fs::write(root.join("new"), "new").unwrap();
    haul!["pack", &root, &archive].expect(0);
    assert!(!is_believed(&[], &archive, &dst) && is_believed(&[], &archive, &dst));
    assert!(dst.join("new").exists());
}

#[test]
fn where_the_stamp_holds_not_even_the_index_is_read() {
    let scratch = Scratch::new();
    let (archive, dst) = four(&scratch);
    assert!(!is_believed(&[], &archive, &dst));
    damage(&archive, |_| true);
    let mut bytes = std::fs::read(&archive).unwrap();
    let (at, len) = *frames(&bytes).last().unwrap();
    // The index lies in front of the last frame, which ends the tar stream.
    bytes[at - 20] ^= 1;
    assert!(len < at);
    std::fs::write(&archive, bytes).unwrap();
    assert!(is_believed(&[], &archive, &dst));
    update(&[], &archive, &dst).expect(5);
}

#[test]
fn a_run_that_does_not_complete_leaves_no_stamp() {
    let scratch = Scratch::new();
    let (archive, dst) = four(&scratch);
    let stamp = scratch.join(".fresh.haul-stamp");
    assert!(!is_believed(&[], &archive, &dst) && stamp.exists());
    std::fs::remove_file(dst.join("file-2")).unwrap();
    damage(&archive, |_| true);
    update(&["--if-changed"], &archive, &dst).expect(5);
    assert!(!stamp.exists());
    run(update_command(&["--if-changed"], &archive, &dst).args(["file-0", "nowhere"]), None).expect(3);
    assert!(!stamp.exists());
    // Where none can be written, nothing is begun.
    let before = Snapshot::of(&dst);
    let place = format!("--if-changed={}", scratch.join("nowhere/stamp").display());
    update(&["--delete", &place], &archive, &dst).expect(1);
    before.assert_same(&Snapshot::of(&dst), Fields::ALL);
}

#[test]
fn a_stamp_needs_an_index() {
    let scratch = Scratch::new();
    let (archive, dst) = four(&scratch);
    update_piped(&["--if-changed"], &archive, &dst).expect(2);
    haul!["pack", "--single-frame", &scratch.join("tree"), &archive].expect(0);
    update(&["--if-changed"], &archive, &dst).expect(1).expect_once("it has no index");
    // Known from the command line alone, whatever the archive is.
    for dst in ["/", ".."] {
        let refused =
            run(haul_command().args(["unpack", "--update", "--if-changed"]).arg(&archive).arg(dst), None);
        refused.expect(2).expect_once("--if-changed needs =FILE");
    }
}

#[test]
fn after_a_kill_a_stamp_is_there_only_if_the_tree_is_complete() {
    let scratch = Scratch::in_memory();
    let nodes = |seed: u64| -> Vec<_> {
        let node = |i| file(format!("d{}/f{i}", i % 5), text(seed + i, 20_000)).mtime(seed.cast_signed(), 0);
        (0..150).map(node).collect()
    };
    let (one, other) = (scratch.join("one"), scratch.join("other"));
    build(&one, &nodes(1_500_000_000));
    build(&other, &nodes(1_600_000_000));
    let (archive, dst) = (scratch.join("one.tar.zst"), scratch.join("dst"));
    haul!["pack", &one, &archive].expect(0);
    let (newer, expected) = fresh(&scratch, &other);
    let stamp = scratch.join(".dst.haul-stamp");
    for round in 0..10 {
        update(&["--delete", "--if-changed"], &archive, &dst).expect(0);
        assert!(stamp.exists());
        let before = Snapshot::of(&dst);
        let mut child = spawn(&mut update_command(&["--delete", "--if-changed"], &newer, &dst));
        let done = || {
            (0..150).filter(|i| {
                let meta = std::fs::metadata(dst.join(format!("d{}/f{i}", i % 5)));
                meta.is_ok_and(|meta| meta.mtime() == 1_600_000_000)
            })
        };
        wait_until(&mut child, || done().count() > round * 15);
        send(&child, Signal::KILL);
        finish(child, "haul unpack --if-changed");
        if stamp.exists() {
            let after = Snapshot::of(&dst);
            assert!(after == expected || after == before, "{:?}", expected.diff(&after, Fields::ALL));
        }
    }
}

#[test]
fn a_tree_that_another_run_works_on_is_left_alone() {
    let scratch = Scratch::new();
    let (archive, dst) = four(&scratch);
    std::fs::remove_file(dst.join("file-1")).unwrap();
    let held = std::fs::File::open(&dst).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    update(&[], &archive, &dst).expect(6);
    assert!(!dst.join("file-1").exists());
    drop(held);
    update(&[], &archive, &dst).expect(0);
    assert!(dst.join("file-1").exists());
}

#[test]
fn what_is_changed_and_what_is_deleted_is_named() {
    let scratch = Scratch::new();
    let root = scratch.join("tree");
    build(&root, &[file("a", "a"), file("b", "b"), file("c", "c")]);
    let (archive, _) = fresh(&scratch, &root);
    let dst = scratch.join("fresh");
    std::fs::write(dst.join("b"), "changed").unwrap();
    std::fs::set_permissions(dst.join("c"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::write(dst.join("x"), "extra").unwrap();
    let outcome = update(&["-v", "--delete", "-j", "1"], &archive, &dst).expect(0);
    assert_eq!(outcome.text(), "c\nb\ndeleting x\n");
}

#[test]
fn the_owner_of_read_only_directories_can_update_them() {
    let scratch = Scratch::new();
    let root = scratch.join("tree");
    let closed = |path| dir(path).mode(0o555);
    build(
        &root,
        &[
            closed("d"),
            file("d/a", "a"),
            symlink("d/l", "a"),
            hard_link("d/b", "d/a"),
            closed("d/e"),
            file("d/e/f", "f"),
        ],
    );
    let (archive, expected) = fresh(&scratch, &root);
    for update in [update, update_piped] {
        let dst = scratch.join("dst");
        if dst.exists() {
            run(Command::new("chmod").args(["-R", "u+w"]).arg(&dst), None).expect(0);
            std::fs::remove_dir_all(&dst).unwrap();
        }
        build(
            &dst,
            &[
                closed("d"),
                file("d/a", "older"),
                closed("d/x"),
                file("d/x/y", "y"),
                closed("d/keep"),
                file("d/keep/k", "k"),
                file("d/keep/m", "m"),
            ],
        );
        update(&["--delete", "--exclude", "k"], &archive, &dst).expect(0);
        let now = Snapshot::of(&dst);
        assert_eq!(now.get("d/keep").mode, 0o555);
        assert!(!now.paths().contains(&"d/keep/m".to_owned()));
        let kept = |path: &[u8], _: &_| path.starts_with(b"d/keep");
        expected.assert_same(&now.without(kept), Fields::ALL);
    }
}

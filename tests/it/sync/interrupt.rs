//! Runs that are killed or stopped, and concurrent runs.

use crate::support::mirror::{Pair, mirror_command};
use crate::support::oracle::{Outcome, finish, haul_command};
use crate::support::process::{is_temporary, names_in, send, spawn, wait_until};
use crate::support::snapshot::{Fields, Kind, Snapshot};
use crate::support::tree::{Node, build, dir, file, hard_link, symlink};
use crate::support::trees::{noise, text};
use rustix::process::Signal;
use std::path::Path;
use std::process::Child;
use std::time::Instant;

fn source() -> Vec<Node> {
    let mut nodes: Vec<_> =
        (0..600).map(|i| file(format!("{}/{i}", i % 30), text(i, 2000 + i as usize % 5000))).collect();
    nodes.extend((0..30).map(|i| hard_link(format!("links/{i}"), format!("{i}/{i}"))));
    nodes.extend((0..30).map(|i| symlink(format!("{i}/link"), format!("{i}"))));
    nodes.push(file("large", noise(1, 24 << 20)));
    nodes.push(file("was-dir", "file"));
    nodes.push(file("was-file/below", "x"));
    nodes
}

fn destination() -> Vec<Node> {
    let mut nodes: Vec<_> = (0..300).map(|i| file(format!("{}/{i}", i % 30), format!("old {i}"))).collect();
    nodes.extend((0..100).map(|i| file(format!("extra/{i}"), "e")));
    nodes.extend([file("large", "old"), file("was-dir/below/file", "x"), file("was-file", "old")]);
    nodes
}

pub(super) fn temporaries(root: &Path) -> Vec<String> {
    Snapshot::of(root)
        .0
        .keys()
        .filter(|path| is_temporary(path))
        .map(|path| path.escape_ascii().to_string())
        .collect()
}

/// Asserts that every file is the old one or the new one.
#[track_caller]
pub(super) fn assert_old_or_new(now: &Snapshot, old: &Snapshot, new: &Snapshot, outcome: &Outcome) {
    for (path, node) in now.0.iter().filter(|(path, _)| !is_temporary(path)) {
        let same = |side: &Snapshot| match (&node.kind, side.0.get(path).map(|node| &node.kind)) {
            (Kind::File(size, hash, _), Some(Kind::File(s, h, _))) => (size, hash) == (s, h),
            (kind, other) => Some(kind) == other,
        };
        assert!(same(old) || same(new), "{} is neither old nor new: {outcome}", path.escape_ascii());
    }
}

#[test]
fn a_killed_run_leaves_old_or_new_files_and_a_second_run_completes_it() {
    let pair = Pair::over(&source(), &destination());
    let (old, new) = (Snapshot::of(&pair.dst), Snapshot::of(&pair.src));
    for threads in ["1", "2", "8"] {
        let start = || {
            let _ = std::fs::remove_dir_all(&pair.dst);
            build(&pair.dst, &destination());
            spawn(&mut mirror_command(&["-j", threads, "--delete"], &pair.src, &pair.dst))
        };
        let child = start();
        let begun = Instant::now();
        finish(child, "undisturbed").expect(0);
        let whole = begun.elapsed();
        for i in 0..10 {
            let child = start();
            std::thread::sleep(whole * i / 10);
            send(&child, Signal::KILL);
            let outcome = finish(child, "killed");
            assert_old_or_new(&Snapshot::of(&pair.dst), &old, &new, &outcome);
            pair.mirror(&["-j", threads, "--delete"]).expect(0);
            pair.assert_same();
        }
    }
}

/// Without `--delete`, what a killed run left is removed all the same: it is haul's own.
#[test]
fn what_a_killed_run_left_is_removed_and_nothing_that_looks_like_it() {
    let kept = [
        ".haul-0123456789abcde",
        ".haul-0123456789abcdef0",
        ".haul-0123456789abcdeX",
        ".haul-0123456789ABCDEF",
        "haul-0123456789abcdef",
        ".haul-",
    ];
    let left = [".haul-0123456789abcdef", "dir/.haul-fedcba9876543210"];
    let of_source = ".haul-00000000000000aa";
    let mut dst: Vec<_> = kept.iter().chain(&left).map(|name| file(*name, "x")).collect();
    dst.push(file(of_source, "old"));
    let pair = Pair::over(&[file("dir/a", "x"), file(of_source, "of the source")], &dst);
    pair.mirror(&[]).expect(0);
    let mut expected: Vec<_> =
        kept.iter().copied().chain([of_source, "dir", "dir/a"]).map(str::to_owned).collect();
    expected.sort();
    assert_eq!(pair.dst_paths(), expected);
    assert_eq!(pair.read_text(of_source), "of the source");
}

#[test]
fn a_stopped_run_leaves_no_temporary_files() {
    let pair = Pair::over(&source(), &destination());
    let (old, new) = (Snapshot::of(&pair.dst), Snapshot::of(&pair.src));
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        // A run may be over before the signal comes: that says nothing, so it is tried again.
        let stopped = (0..20).any(|_| {
            let _ = std::fs::remove_dir_all(&pair.dst);
            build(&pair.dst, &destination());
            let mut child = spawn(&mut mirror_command(&["-j", "1", "--delete"], &pair.src, &pair.dst));
            wait_until(&mut child, || {
                names_in(&pair.dst.join("0")).len() > 10 || !pair.dst.join("was-file").is_file()
            });
            send(&child, signal);
            let outcome = finish(child, "haul sync");
            assert!(outcome.code() == Some(0) || outcome.code() == Some(code), "{outcome}");
            assert_eq!(temporaries(&pair.dst), [] as [&str; 0], "{outcome}");
            assert_old_or_new(&Snapshot::of(&pair.dst), &old, &new, &outcome);
            outcome.code() == Some(code)
        });
        assert!(stopped, "no run was slow enough to be stopped");
        pair.mirror(&["--delete"]).expect(0);
        pair.assert_same();
    }
}

#[test]
fn a_partial_file_is_kept_and_used_by_the_next_run() {
    let pair = Pair::new(&[file("dir/large", noise(7, 32 << 20)), file("a", "x")]);
    // Slow enough to be stopped on the way.
    let mut child = spawn(&mut mirror_command(&["--partial", "--bwlimit=4m"], &pair.src, &pair.dst));
    wait_until(&mut child, || temporaries_or_none(&pair.dst));
    send(&child, Signal::INT);
    finish(child, "haul sync --partial").expect(130);
    assert!(!pair.dst.join("dir/large").exists(), "the name stays free");
    let kept = pair.dst.join("dir/.haul-partial");
    if kept.exists() {
        let mode = std::os::unix::fs::PermissionsExt::mode(&kept.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o700);
    }
    pair.mirror(&["--partial", "--delete"]).expect(0);
    assert!(pair.read("dir/large") == noise(7, 32 << 20));
}

fn temporaries_or_none(root: &Path) -> bool {
    names_in(&root.join("dir")).iter().any(|name| name.starts_with(".haul-"))
}

/// A run that cannot continue: it waits, with the lock held, at a fifo in place of the list of paths, or of rules.
fn holder(pair: &Pair) -> Child {
    let mut child = spawn(&mut mirror_command(&["--bwlimit=2m"], &pair.src, &pair.dst));
    wait_until(&mut child, || names_in(&pair.dst).iter().any(|name| name.starts_with(".haul-")));
    child
}

#[test]
fn a_second_run_on_one_target_stops_and_names_the_first() {
    let pair = Pair::over(&[file("large", noise(3, 64 << 20))], &[dir("")]);
    let first = holder(&pair);
    let outcome = pair.mirror(&[]).expect(6);
    assert!(outcome.stderr.contains(&first.id().to_string()), "{outcome}");
    // Reading is allowed, and so is another target.
    let mut other = haul_command();
    other.args(["sync"]).arg(&pair.src).arg(pair.scratch.join("other"));
    crate::support::oracle::run(&mut other, None).expect(0);
    // The lock goes with its holder, however that ends.
    send(&first, Signal::KILL);
    finish(first, "the first run");
    pair.mirror(&[]).expect(0);
    pair.assert_same();
}

#[test]
fn a_second_run_that_waits_does_its_work_afterwards() {
    let pair = Pair::over(&[file("large", noise(3, 16 << 20))], &[dir("")]);
    let first = holder(&pair);
    let second = spawn(&mut mirror_command(&["--wait"], &pair.src, &pair.dst));
    send(&first, Signal::TERM);
    finish(first, "the first run");
    finish(second, "the run that waits").expect(0);
    pair.assert_same();
}

#[test]
fn a_run_that_waits_can_be_stopped() {
    let pair = Pair::over(&[file("large", noise(3, 64 << 20))], &[dir("")]);
    let first = holder(&pair);
    let mut second = spawn(&mut mirror_command(&["--wait"], &pair.src, &pair.dst));
    wait_until(&mut second, || false);
    send(&second, Signal::INT);
    finish(second, "the run that waits").expect(130);
    send(&first, Signal::KILL);
    finish(first, "the first run");
    Snapshot::of(&pair.src).assert_same(&Snapshot::of(&pair.src), Fields::ALL);
}

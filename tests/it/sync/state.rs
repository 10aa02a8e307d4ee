//! Runs that keep a state: they end as runs without one do, read less, and believe nothing that may be wrong.

use crate::props::{Draft, Edit, apply, draft, edit, few, set_mtime, tree};
use crate::support::mirror::{Pair, count, mirror, mirror_command};
use crate::support::oracle::Outcome;
use crate::support::snapshot::{Fields, Snapshot};
use crate::support::trace::{assert_cost, cost_of_each, opened};
use crate::support::tree::{Node, build, dir, file, hard_link, keeps_xattr, symlink};
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is compared where times are not kept.
const UNDATED: Fields = Fields { mtime_slack: None, ..Fields::ALL };
/// A destination that cannot keep times is simulated: it gets none.
const NO_TIMES: &str = "--no-times";

/// A pair, and the state that is kept of it.
struct Kept {
    pair: Pair,
    state: PathBuf,
}

impl Kept {
    /// A source that is old enough to be recorded.
    fn new(src: &[Node]) -> Self {
        let pair = Pair::new(src);
        let state = pair.scratch.join("state");
        settle();
        Kept { pair, state }
    }

    /// The same, mirrored with these flags.
    #[track_caller]
    fn mirrored(src: &[Node], args: &[&str]) -> Self {
        let kept = Kept::new(src);
        kept.mirror(args).expect(0);
        kept
    }

    fn args<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        [&["--json", "--state", self.state.to_str().unwrap()], args].concat()
    }

    #[track_caller]
    fn mirror(&self, args: &[&str]) -> Outcome {
        self.pair.mirror(&self.args(args))
    }

    /// How often a run with these flags opens what is not a directory of one of both trees.
    #[track_caller]
    fn files_opened(&self, args: &[&str]) -> Option<usize> {
        let command = mirror_command(&self.args(args), &self.pair.src, &self.pair.dst);
        let (outcome, opened) = opened(&command, &[&self.pair.src, &self.pair.dst])?;
        outcome.expect(0);
        Some(opened.iter().filter(|line| !line.contains("O_DIRECTORY")).count())
    }
}

/// Writes a file that is old enough to be recorded.
fn write(side: &Path, name: &str, content: &str) {
    std::fs::write(side.join(name), content).unwrap();
    settle();
}

/// Waits until the clock that dates files has moved on: what is younger is not recorded as known.
fn settle() {
    std::thread::sleep(Duration::from_millis(30));
}

fn some_files() -> Vec<Node> {
    vec![file("a", "one"), file("d/b", "two"), symlink("d/l", "b"), dir("e"), file("d/c", "three")]
}

#[test]
fn a_recorded_file_costs_one_call_on_each_side() {
    for args in [&["-j", "1"][..], &["-j", "2", "--delete"], &["-j", "1", NO_TIMES], &["-j", "1", "-c"]] {
        let cost = cost_of_each(|count| {
            let nodes: Vec<_> = (0..count).map(|i| file(format!("{i:04}"), "content")).collect();
            let kept = Kept::mirrored(&nodes, args);
            (mirror_command(&kept.args(args), &kept.pair.src, &kept.pair.dst), kept)
        });
        let Some(cost) = cost else { return };
        if args.contains(&"-c") {
            // Contents are compared because that was asked for.
            assert_eq!((cost["openat"], cost.get("syscall_0x1d1")), (2, None));
        } else {
            assert_cost(cost, &[("statx", 2)]);
        }
    }
}

#[test]
fn a_recorded_directory_is_listed_and_nothing_else() {
    let cost = cost_of_each(|count| {
        let nodes: Vec<_> = (0..count).map(|i| dir(format!("{i:04}"))).collect();
        let kept = Kept::mirrored(&nodes, &["-j", "1"]);
        (mirror_command(&kept.args(&["-j", "1"]), &kept.pair.src, &kept.pair.dst), kept)
    });
    let Some(cost) = cost else { return };
    assert_cost(cost, &[("openat", 2), ("statx", 2), ("getdents64", 4), ("close", 2)]);
}

#[test]
fn where_times_are_not_kept_a_second_run_copies_nothing_and_reads_no_file() {
    let kept = Kept::mirrored(&some_files(), &[NO_TIMES]);
    let before = Snapshot::of(&kept.pair.dst);
    let Some(opened) = kept.files_opened(&[NO_TIMES]) else { return };
    assert_eq!(opened, 0);
    let second = kept.mirror(&[NO_TIMES]).expect(0);
    assert_eq!((count(&second, "copied_bytes"), count(&second, "updated")), (0, 0));
    before.assert_same(&Snapshot::of(&kept.pair.dst), Fields::ALL);
}

#[test]
fn a_run_with_nothing_to_do_leaves_the_state_alone() {
    use std::os::unix::fs::MetadataExt;
    for args in [&[][..], &[NO_TIMES], &["-c"]] {
        let kept = Kept::mirrored(&some_files(), args);
        let inode = || std::fs::metadata(&kept.state).unwrap().ino();
        let first = inode();
        kept.mirror(args).expect(0);
        assert_eq!(inode(), first, "{args:?}");
    }
}

#[test]
fn what_changes_on_either_side_is_made_right() {
    let kept = Kept::mirrored(&some_files(), &[NO_TIMES]);
    let (src, dst) = (kept.pair.src.clone(), kept.pair.dst.clone());
    write(&src, "a", "ONE");
    let run = kept.mirror(&[NO_TIMES]).expect(0);
    assert_eq!((count(&run, "copied_bytes"), count(&run, "updated")), (3, 1));
    // Other content of the same length in the destination is found by its time and compared.
    write(&dst, "d/b", "TWO");
    let run = kept.mirror(&[NO_TIMES]).expect(0);
    assert_eq!((count(&run, "copied_bytes"), kept.pair.read_text("d/b")), (3, "two".to_owned()));
    // The same content under another time is compared once, and then recorded.
    write(&dst, "d/c", "three");
    let Some(opened) = kept.files_opened(&[NO_TIMES]) else { return };
    assert_eq!((opened, kept.files_opened(&[NO_TIMES])), (2, Some(0)));
    assert_eq!(count(&kept.mirror(&[NO_TIMES]).expect(0), "copied_bytes"), 0);
    Snapshot::of(&src).assert_same(&Snapshot::of(&dst), UNDATED);
}

#[test]
fn paranoia_reads_everything_and_records_it_again() {
    let kept = Kept::mirrored(&some_files(), &[NO_TIMES]);
    // A change that leaves the length and the time: only reading shows it.
    let path = kept.pair.dst.join("a");
    let time = std::fs::metadata(&path).unwrap().modified().unwrap();
    std::fs::write(&path, "eno").unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    let run = kept.mirror(&[NO_TIMES, "--paranoid"]).expect(0);
    assert_eq!((count(&run, "updated"), kept.pair.read_text("a")), (1, "one".to_owned()));
    let Some(opened) = kept.files_opened(&[NO_TIMES, "--paranoid"]) else { return };
    assert_eq!(opened, 6, "three files on both sides");
    assert_eq!(kept.files_opened(&[NO_TIMES]), Some(0));
}

#[test]
fn what_was_only_judged_by_size_is_not_recorded_as_the_same() {
    let kept = Kept::new(&[file("f", "right")]);
    build(&kept.pair.dst, &[file("f", "wrong").mtime(1_600_000_000, 5)]);
    settle();
    kept.mirror(&["--size-only", NO_TIMES]).expect(0);
    assert_eq!(kept.pair.read_text("f"), "wrong");
    kept.mirror(&[NO_TIMES]).expect(0);
    assert_eq!(kept.pair.read_text("f"), "right");
}

#[test]
fn a_wider_window_does_not_outlive_its_run() {
    let kept = Kept::new(&[file("f", "right")]);
    build(&kept.pair.dst, &[file("f", "wrong").mtime(1_700_000_001, 5)]);
    settle();
    kept.mirror(&["--modify-window=10"]).expect(0);
    assert_eq!(kept.pair.read_text("f"), "wrong");
    kept.mirror(&[]).expect(0);
    kept.pair.assert_same();
}

#[test]
fn other_options_are_not_hidden() {
    let kept = Kept::new(&[file("f", "x").mode(0o640), dir("d").mode(0o750)]);
    if !keeps_xattr(&kept.pair.src, "user.probe", b"") {
        return crate::support::oracle::leave_out("this file system keeps no user xattrs");
    }
    for name in ["f", "d"] {
        let path = kept.pair.src.join(name);
        rustix::fs::setxattr(&path, "user.note", b"1", rustix::fs::XattrFlags::empty()).unwrap();
    }
    settle();
    kept.mirror(&["--no-xattrs"]).expect(0);
    kept.mirror(&["--no-xattrs"]).expect(0);
    kept.mirror(&[]).expect(0);
    kept.pair.assert_same();
    kept.mirror(&["--chmod=g+w"]).expect(0);
    assert_eq!(Snapshot::of(&kept.pair.dst).get("f").mode, 0o660);
    kept.mirror(&[]).expect(0);
    kept.pair.assert_same();
}

#[test]
fn an_attribute_that_changes_on_either_side_is_set_again() {
    let kept = Kept::new(&[file("f", "x"), dir("d")]);
    if !keeps_xattr(&kept.pair.src, "user.probe", b"") {
        return crate::support::oracle::leave_out("this file system keeps no user xattrs");
    }
    settle();
    kept.mirror(&[]).expect(0);
    for side in [&kept.pair.src, &kept.pair.dst] {
        for name in ["f", "d"] {
            rustix::fs::setxattr(side.join(name), "user.note", b"1", rustix::fs::XattrFlags::empty())
                .unwrap();
        }
        settle();
        kept.mirror(&[]).expect(0);
        kept.pair.assert_same();
    }
}

#[test]
fn newer_files_of_the_destination_are_left_alone_but_not_its_own_copies() {
    let kept = Kept::mirrored(&[file("f", "one").mtime(1_500_000_000, 1)], &[NO_TIMES, "--update"]);
    // It is older than the copy was made, and newer than what was copied.
    write(&kept.pair.src, "f", "two");
    set_mtime(&kept.pair.src.join("f"), (1_500_000_001, 1));
    settle();
    kept.mirror(&[NO_TIMES, "--update"]).expect(0);
    assert_eq!(kept.pair.read_text("f"), "two");
    write(&kept.pair.dst, "f", "mine");
    kept.mirror(&[NO_TIMES, "--update"]).expect(0);
    assert_eq!(kept.pair.read_text("f"), "mine");
}

#[test]
fn names_of_one_inode_are_recorded_together() {
    let nodes = [file("a", "one"), hard_link("b", "a"), hard_link("d/c", "a"), file("alone", "two")];
    for args in [&[NO_TIMES][..], &[NO_TIMES, "--fsync"], &[]] {
        let kept = Kept::mirrored(&nodes, args);
        let Some(opened) = kept.files_opened(args) else { return };
        assert_eq!(opened, 0, "{args:?}");
        let fields = if args.is_empty() { Fields::ALL } else { UNDATED };
        Snapshot::of(&kept.pair.src).assert_same(&Snapshot::of(&kept.pair.dst), fields);
        std::fs::remove_file(kept.pair.dst.join("b")).unwrap();
        write(&kept.pair.dst, "b", "one");
        kept.mirror(args).expect(0);
        Snapshot::of(&kept.pair.src).assert_same(&Snapshot::of(&kept.pair.dst), fields);
    }
}

#[test]
fn every_way_of_writing_is_recorded() {
    let nodes = [file("small", "x"), file("large", vec![7; 2 << 20]), file("d/e/f", "y"), symlink("l", "x")];
    for args in
        [&["--inplace"][..], &["--partial"], &["--fsync"], &["--delta"], &["--append"], &["-b"], &["-I"]]
    {
        let kept = Kept::new(&nodes);
        build(&kept.pair.dst, &[file("large", vec![7; 1 << 20]), file("small", "")]);
        settle();
        let args = [&[NO_TIMES][..], args].concat();
        kept.mirror(&args).expect(0);
        if args.contains(&"-I") {
            assert_eq!(count(&kept.mirror(&args).expect(0), "updated"), 3);
        }
        let Some(opened) = kept.files_opened(&[NO_TIMES]) else { return };
        assert_eq!(opened, 0, "{args:?}");
        assert_eq!(kept.pair.read_text("small"), "x");
    }
}

#[test]
fn an_entry_that_failed_is_not_recorded() {
    // A directory with something in it stays where no flag lets a file take its place.
    let kept = Kept::new(&[file("a", "one"), file("b", "two")]);
    build(&kept.pair.dst, &[file("a/in-the-way", "")]);
    settle();
    kept.mirror(&[NO_TIMES]).expect(3);
    kept.mirror(&[NO_TIMES]).expect(3);
    std::fs::remove_dir_all(kept.pair.dst.join("a")).unwrap();
    let run = kept.mirror(&[NO_TIMES]).expect(0);
    assert_eq!((count(&run, "created"), kept.pair.read_text("a")), (1, "one".to_owned()));
}

#[test]
fn a_dry_run_decides_by_the_state_and_writes_none() {
    let kept = Kept::mirrored(&some_files(), &[NO_TIMES]);
    let state = std::fs::read(&kept.state).unwrap();
    let run = kept.mirror(&[NO_TIMES, "-n"]).expect(0);
    assert_eq!(count(&run, "updated"), 0);
    write(&kept.pair.src, "a", "ONE");
    assert_eq!(count(&kept.mirror(&[NO_TIMES, "-n"]).expect(0), "updated"), 1);
    assert_eq!(std::fs::read(&kept.state).unwrap(), state);
    let fresh = Kept::new(&some_files());
    fresh.mirror(&["-n"]).expect(0);
    assert!(!fresh.state.exists());
}

#[test]
fn a_state_removes_nothing_and_protects_nothing() {
    let kept = Kept::mirrored(&some_files(), &[NO_TIMES]);
    std::fs::remove_file(kept.pair.src.join("d/b")).unwrap();
    write(&kept.pair.dst, "foreign", "");
    kept.mirror(&[NO_TIMES]).expect(0);
    assert!(kept.pair.dst.join("d/b").exists() && kept.pair.dst.join("foreign").exists());
    kept.mirror(&[NO_TIMES, "--delete"]).expect(0);
    Snapshot::of(&kept.pair.src).assert_same(&Snapshot::of(&kept.pair.dst), UNDATED);
}

#[test]
fn what_takes_no_part_in_one_run_is_compared_in_the_next() {
    let kept = Kept::mirrored(&some_files(), &[NO_TIMES]);
    kept.mirror(&[NO_TIMES, "--exclude=b"]).expect(0);
    write(&kept.pair.dst, "d/b", "TWO");
    assert_eq!(count(&kept.mirror(&[NO_TIMES]).expect(0), "updated"), 1);
    // A run on selected paths keeps what is known of the others.
    let list = kept.pair.scratch.write("list", "a\n");
    let list = format!("--files-from={}", list.display());
    kept.mirror(&[NO_TIMES, &list]).expect(0);
    assert_eq!(kept.files_opened(&[NO_TIMES]).unwrap_or(0), 0);
}

#[test]
fn a_state_that_cannot_be_used_is_named_once_and_everything_is_compared() {
    let other = Kept::mirrored(&some_files(), &[NO_TIMES]);
    let kept = Kept::mirrored(&some_files(), &[NO_TIMES]);
    let good = std::fs::read(&kept.state).unwrap();
    let versioned = |mut state: Vec<u8>| {
        state[8] ^= 3;
        state
    };
    for (state, warning) in [
        (Some(good[..good.len() / 2].to_vec()), "the recorded state is damaged"),
        (Some(Vec::new()), "the recorded state is damaged"),
        (Some(versioned(good.clone())), "another version of haul"),
        (Some(b"#!/bin/sh\n".to_vec()), "is something else"),
        (Some(std::fs::read(&other.state).unwrap()), "that of other directories"),
        (None, "there is no recorded state"),
    ] {
        match state {
            Some(state) => std::fs::write(&kept.state, state).unwrap(),
            None => std::fs::remove_file(&kept.state).unwrap(),
        }
        std::fs::write(kept.pair.dst.join("a"), "eno").unwrap();
        settle();
        let run = kept.mirror(&[NO_TIMES]).expect(0).expect_once(warning);
        assert_eq!((count(&run, "updated"), count(&run, "copied_bytes")), (1, 3), "{warning}");
        assert_eq!(kept.files_opened(&[NO_TIMES]).unwrap_or(0), 0, "{warning}");
        let again = kept.mirror(&[NO_TIMES]).expect(0);
        assert_eq!(again.stderr, "", "{warning}");
    }
    // A new directory under the old name is another one.
    std::fs::rename(&kept.pair.dst, kept.pair.scratch.join("away")).unwrap();
    build(&kept.pair.dst, &some_files());
    kept.mirror(&[NO_TIMES]).expect(0).expect_once("that of other directories");
}

#[test]
fn a_state_is_not_kept_where_it_would_take_part() {
    let kept = Kept::mirrored(&some_files(), &[]);
    let before = Snapshot::of(&kept.pair.dst);
    let link = kept.pair.scratch.join("link");
    std::os::unix::fs::symlink(kept.pair.dst.join("d"), &link).unwrap();
    for place in [kept.pair.dst.join("state"), kept.pair.src.join("d/state"), link.join("state")] {
        kept.pair.mirror(&["--state", place.to_str().unwrap()]).expect(1).expect_once("inside the mirrored");
    }
    kept.pair.mirror(&["--state", "/nowhere/state"]).expect(1);
    before.assert_same(&Snapshot::of(&kept.pair.dst), Fields::ALL);
}

#[test]
fn a_state_with_any_byte_damaged_never_misleads() {
    let kept = Kept::mirrored(&some_files(), &[NO_TIMES]);
    let good = std::fs::read(&kept.state).unwrap();
    for at in (0..good.len()).step_by(good.len() / 23) {
        let mut bad = good.clone();
        bad[at] ^= 0x5A;
        std::fs::write(&kept.state, bad).unwrap();
        // Left out of the state that was damaged: it must be found all the same.
        std::fs::write(kept.pair.dst.join("a"), "eno").unwrap();
        kept.mirror(&[NO_TIMES]).expect(0);
        Snapshot::of(&kept.pair.src).assert_same(&Snapshot::of(&kept.pair.dst), UNDATED);
    }
}

/// An edit of an entry on one side, and the time that it gets.
#[derive(Debug, Clone)]
struct Change {
    which: Index,
    edit: Edit,
    in_source: bool,
    is_dated: bool,
}

fn change() -> impl Strategy<Value = Change> {
    (any::<Index>(), edit(), any::<bool>(), any::<bool>())
        .prop_map(|(which, edit, in_source, is_dated)| Change { which, edit, in_source, is_dated })
}

/// Makes the same change on every side that has the entry.
fn make(change: &Change, sides: &[&Path]) {
    let snapshot = Snapshot::of(sides[0]);
    let paths: Vec<&Vec<u8>> = snapshot.0.keys().filter(|path| !path.is_empty()).collect();
    if paths.is_empty() {
        return;
    }
    let path: &[u8] = change.which.get::<&Vec<u8>>(&paths);
    let path = Path::new(OsStr::from_bytes(path));
    for side in sides.iter().filter(|side| side.join(path).symlink_metadata().is_ok()) {
        let edited = apply(side, path, change.edit);
        // It is dated by the clock, which goes on between the sides.
        if let (true, Edit::Add) = (edited, change.edit) {
            set_mtime(&side.join(path).with_file_name("added"), (1_690_000_000, 1));
        }
        if edited && change.is_dated && side.join(path).symlink_metadata().is_ok() {
            set_mtime(&side.join(path), (1_650_000_000, 3));
        }
    }
}

/// Runs with a state and without one from the same beginnings, with the same changes in between.
fn same_with_and_without(
    drafts: &[Draft],
    rounds: &[Vec<Change>],
    args: &[&str],
) -> Result<(), TestCaseError> {
    let scratch = crate::support::scratch::Scratch::in_memory();
    let [src, with, without] = ["src", "with", "without"].map(|name| scratch.join(name));
    build(&src, &tree(drafts, keeps_xattr(scratch.path(), "user.probe", b"")));
    let state = scratch.join("state");
    let kept = [&["--state", state.to_str().unwrap()], args].concat();
    let fields = if args.contains(&NO_TIMES) { UNDATED } else { Fields::ALL };
    for changes in std::iter::once(&Vec::new()).chain(rounds) {
        for change in changes {
            if change.in_source {
                make(change, &[&src]);
            } else {
                make(change, &[&with, &without]);
            }
        }
        let ends: BTreeMap<_, _> = [(&with, &kept[..]), (&without, args)]
            .map(|(dst, args)| (dst, mirror(args, &src, dst).code()))
            .into();
        prop_assert_eq!(ends[&with], ends[&without]);
        let diff = Snapshot::of(&without).diff(&Snapshot::of(&with), fields);
        prop_assert!(diff.is_empty(), "without a state, and with one:\n{}", diff.join("\n"));
    }
    Ok(())
}

proptest! {
    #![proptest_config(few(24))]

    #[test]
    fn a_run_with_a_state_ends_like_one_without(
        drafts in prop::collection::vec(draft(), 0..16),
        rounds in prop::collection::vec(prop::collection::vec(change(), 0..5), 1..4),
        flags in prop::sample::subsequence(vec![NO_TIMES, "--delete", "--inplace", "--no-hard-links", "--force"], 0..4),
    ) {
        same_with_and_without(&drafts, &rounds, &flags)?;
    }
}

//! `haul unpack --prefetch`: some of an archive is there before the rest.

use crate::props::{draft, few, tree};
use crate::support::oracle::{Outcome, exact, finish, haul, haul_command, run};
use crate::support::process::{spawn, wait_until};
use crate::support::scratch::Scratch;
use crate::support::snapshot::{Fields, Snapshot};
use crate::support::tree::{build, dir, file, hard_link, keeps_xattr, symlink};
use crate::support::trees::{noise, text};
use crate::update::{damage, frames, fresh};
use proptest::prelude::*;
use proptest::sample::Index;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pipe::pipe;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;

fn command(args: &[&str], archive: &Path, dst: &Path, list: &Path) -> Command {
    let mut command = haul_command();
    command.arg("unpack").args(exact()).args(args).arg("--prefetch").arg(list).arg(archive).arg(dst);
    command
}

/// A pipe whose write end a child inherits, and so full that a writer waits until it is read.
fn full_pipe() -> (File, OwnedFd, usize) {
    let (reader, writer) = pipe().unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    let mut filled = 0;
    while let Ok(written) = rustix::io::write(&writer, &[b'.'; 4096]) {
        filled += written;
    }
    fcntl_setfl(&writer, flags).unwrap();
    fcntl_setfd(&writer, FdFlags::empty()).unwrap();
    (File::from(reader), writer, filled)
}

/// A tree in which every kind of entry is wanted first or comes later.
fn case(scratch: &Scratch) -> (PathBuf, Snapshot, PathBuf) {
    let root = scratch.join("tree");
    let mut nodes = vec![
        file("bin/run", text(1, 5000)).mode(0o755),
        symlink("bin/python", "run"),
        hard_link("bin/same", "aa/content"),
        file("aa/content", "one inode").mode(0o640),
        hard_link("zz/later", "aa/content"),
        dir("lib/closed").mode(0o555),
        file("lib/closed/early.so", "early"),
        file("lib/closed/late.py", "late"),
        file("lib/large", noise(1, 9 << 20)),
    ];
    nodes.extend((0..50).map(|i| file(format!("lib/many/{i}.py"), text(i, 3000))));
    build(&root, &nodes);
    let (archive, expected) = fresh(scratch, &root);
    (archive, expected, scratch.write("list", "bin\n*.so\n"))
}

/// What the list names, with what that needs.
const FIRST: [&str; 10] = [
    "",
    "aa",
    "aa/content",
    "bin",
    "bin/python",
    "bin/run",
    "bin/same",
    "lib",
    "lib/closed",
    "lib/closed/early.so",
];

/// The number of write(2), as `proc_pid_syscall(5)` shows it.
fn write_call() -> u32 {
    if cfg!(target_arch = "x86_64") { 1 } else { 64 }
}

/// Runs while a reader that does not read the signal yet holds the rest back, and looks at what is there by then.
fn while_the_rest_waits(args: &[&str], scratch: &Scratch, dst: &Path, check: impl Fn(&Snapshot)) -> Outcome {
    let (archive, list) = (scratch.join("a.tar.zst"), scratch.join("list"));
    let (mut reader, writer, filled) = full_pipe();
    let mut command = command(args, &archive, dst, &list);
    let number = writer.as_raw_fd();
    let mut child = spawn(command.arg("--ready-fd").arg(number.to_string()));
    drop(writer);
    // The sign does not fit into the pipe, so from here on nothing changes until it is read.
    let waits = format!("/proc/{}/syscall", child.id());
    let write = format!("{} {number:#x} ", write_call());
    let is_held = || std::fs::read_to_string(&waits).is_ok_and(|call| call.starts_with(&write));
    for _ in 0..20 {
        wait_until(&mut child, is_held);
    }
    check(&Snapshot::of(dst));
    let mut said = Vec::new();
    reader.read_to_end(&mut said).unwrap();
    assert_eq!(&said[filled..], b"ready\n");
    finish(child, "haul unpack --prefetch")
}

#[test]
fn what_was_asked_for_is_complete_while_the_rest_is_not_there() {
    let scratch = Scratch::new();
    let (_, expected, _) = case(&scratch);
    let is_first = |path: &[u8]| FIRST.iter().any(|first| first.as_bytes() == path);
    let first = expected.clone().without(|path, _| !is_first(path));
    for (number, args) in [&[][..], &["--update", "--delete"], &["--fsync"]].into_iter().enumerate() {
        let dst = scratch.join(&format!("dst{number}"));
        let outcome = while_the_rest_waits(args, &scratch, &dst, |there| {
            // One name of a group is still missing.
            first.assert_same(there, Fields { names: false, ..Fields::ALL });
        });
        outcome.expect(0);
        expected.assert_same(&Snapshot::of(&dst), Fields::ALL);
    }
}

#[test]
fn an_update_brings_up_to_date_first_what_was_asked_for() {
    let scratch = Scratch::new();
    let (_, expected, _) = case(&scratch);
    let dst = scratch.join("dst");
    build(
        &dst,
        &[
            file("bin/run/full", "in the way"),
            file("lib/many/3.py", "older"),
            file("extra", "x"),
            symlink("zz", "/"),
        ],
    );
    let outcome = while_the_rest_waits(&["--update", "--delete"], &scratch, &dst, |there| {
        for path in ["bin/run", "bin/same", "aa/content", "lib/closed/early.so"] {
            assert_eq!(there.get(path).kind, expected.get(path).kind, "{path}");
        }
        assert!(there.paths().contains(&"extra".to_owned()), "nothing is deleted before the end");
    });
    outcome.expect(0);
    expected.assert_same(&Snapshot::of(&dst), Fields::ALL);
}

proptest! {
    #![proptest_config(few(24))]

    #[test]
    fn in_two_parts_a_tree_is_the_same(
        drafts in prop::collection::vec(draft(), 1..30),
        others in prop::collection::vec(draft(), 0..10),
        wanted in prop::collection::vec(any::<Index>(), 0..6),
        updates in any::<bool>(),
    ) {
        let scratch = Scratch::new();
        let xattrs = keeps_xattr(scratch.path(), "user.probe", b"");
        let (root, dst) = (scratch.join("tree"), scratch.join("dst"));
        build(&root, &tree(&drafts, xattrs));
        let (archive, expected) = fresh(&scratch, &root);
        prop_assume!(expected.0.len() > 1);
        let paths: Vec<_> = expected.0.keys().filter(|path| !path.is_empty()).collect();
        let is_plain = |path: &&&Vec<u8>| !path.iter().any(|b| b"*?[\\\n".contains(b));
        let list: Vec<_> = wanted.iter().map(|index| *index.get(&paths)).collect();
        let list: Vec<u8> = list.iter().filter(is_plain).flat_map(|path| [path, &b"\n"[..]].concat()).collect();
        let list = scratch.write("list", list);
        let args = if updates { &["--update", "--delete"][..] } else { &[] };
        if updates {
            build(&dst, &tree(&others, xattrs));
        }
        let outcome = run(&mut command(args, &archive, &dst, &list), None).expect(0);
        prop_assert_eq!(outcome.text(), "ready\n");
        let diff = expected.diff(&Snapshot::of(&dst), Fields::ALL);
        prop_assert!(diff.is_empty(), "{}", diff.join("\n"));
    }
}

#[test]
fn no_sign_is_given_where_something_is_missing() {
    let scratch = Scratch::new();
    let (archive, expected, _) = case(&scratch);
    let (list, dst) = (scratch.write("list", "bin\nlib/nowhere\n"), scratch.join("dst"));
    let outcome = run(&mut command(&[], &archive, &dst, &list), None).expect(3);
    assert_eq!(outcome.text(), "");
    expected.assert_same(&Snapshot::of(&dst), Fields::ALL);
}

#[test]
fn damage_in_the_first_part_is_no_tree_and_in_the_rest_no_whole_one() {
    let scratch = Scratch::new();
    let root = scratch.join("tree");
    build(&root, &[file("a", noise(1, 5 << 20)), file("z", noise(2, 5 << 20))]);
    let (archive, expected) = fresh(&scratch, &root);
    let (list, dst) = (scratch.write("list", "a\n"), scratch.join("dst"));
    let whole = std::fs::read(&archive).unwrap();
    damage(&archive, |frame| frame == 0);
    let outcome = run(&mut command(&[], &archive, &dst, &list), None).expect(5);
    assert!(outcome.text().is_empty() && !dst.exists());
    std::fs::write(&archive, &whole).unwrap();
    let final_part = frames(&whole).len() - 2;
    damage(&archive, |frame| frame == final_part);
    let outcome = run(&mut command(&[], &archive, &dst, &list), None).expect(5);
    assert_eq!(outcome.text(), "ready\n");
    assert_eq!(Snapshot::of(&dst).paths(), ["a"]);
    assert_eq!(Snapshot::of(&dst).get("a").kind, expected.get("a").kind);
}

#[test]
fn what_cannot_be_done_is_refused() {
    let scratch = Scratch::new();
    let (archive, _, list) = case(&scratch);
    let dst = scratch.join("dst");
    for number in ["0", "2", "900"] {
        run(command(&[], &archive, &dst, &list).args(["--ready-fd", number]), None).expect(2);
    }
    let bytes = std::fs::read(&archive).unwrap();
    run(&mut command(&[], Path::new("-"), &dst, &list), Some(&bytes)).expect(2);
    let bad = scratch.write("bad", "../up\n");
    run(&mut command(&[], &archive, &dst, &bad), None).expect(1).expect_once("line 1: '../up'");
    assert!(!dst.exists());
    // A reader that went away does not stop the work.
    let (reader, writer, _) = full_pipe();
    drop(reader);
    let outcome =
        run(command(&[], &archive, &dst, &list).arg("--ready-fd").arg(writer.as_raw_fd().to_string()), None);
    outcome.expect(0);
    haul!["verify", &archive, &dst].expect(0);
}

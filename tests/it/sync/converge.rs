//! Runs that are killed at any moment, with every way of writing: what they leave is consistent, and a second run
//! completes the mirror.

use super::interrupt::{assert_old_or_new, temporaries};
use crate::support::mirror::{Pair, mirror_command};
use crate::support::oracle::{Outcome, finish, is_root, leave_out};
use crate::support::process::{is_temporary, send, spawn};
use crate::support::snapshot::{Fields, Kind, Snapshot};
use crate::support::tree::{
    Node, block_device, build, char_device, dir, fifo, file, hard_link, keeps_xattr, socket, sparse, symlink,
};
use crate::support::trees::{noise, text};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Moments at which a run is killed, for each number of threads.
const MOMENTS: u64 = 5;
const LARGE: usize = 6 << 20;

/// A source of every kind of entry, a destination that differs from it in every way, and two more trees beside them.
struct Case {
    pair: Pair,
    old: Vec<Node>,
}

impl Case {
    fn new() -> Self {
        let pair = Pair::new(&[]);
        let has_xattrs = keeps_xattr(&pair.src, "user.probe", b"");
        if !has_xattrs {
            leave_out("this file system keeps no user xattrs");
        }
        if !is_root() {
            leave_out("devices and foreign owners need root");
        }
        build(&pair.src, &new(has_xattrs));
        build(&pair.scratch.join("base"), &base());
        let case = Self { pair, old: old() };
        case.reset();
        case
    }

    /// Restores everything that a run changes.
    fn reset(&self) {
        for place in [&self.pair.dst, &self.backup()] {
            if place.exists() {
                // Not even a directory's owner removes what is in it when it is read-only. Files are left as they are:
                // they may be those of another tree.
                let args = ["-type", "d", "-exec", "chmod", "u+rwx", "{}", "+"];
                let unlocked = Command::new("find").arg(place).args(args).status();
                assert!(unlocked.unwrap().success());
                std::fs::remove_dir_all(place).unwrap();
            }
        }
        build(&self.pair.dst, &self.old);
    }

    fn backup(&self) -> PathBuf {
        self.pair.scratch.join("backup")
    }

    /// Kills runs with these flags, calls `check` on what each leaves, and lets a second run complete it.
    fn kill_and_complete(&self, args: &[&str], check: impl Fn(&Outcome)) {
        let base = Snapshot::of(&self.pair.scratch.join("base"));
        let mut random = random_numbers();
        for threads in ["1", "2", "8"] {
            let args = [args, &["-j", threads]].concat();
            let start = || {
                self.reset();
                spawn(&mut mirror_command(&args, &self.pair.src, &self.pair.dst))
            };
            let child = start();
            let begun = Instant::now();
            finish(child, "undisturbed").expect(0);
            let whole = u64::try_from(begun.elapsed().as_micros()).unwrap();
            for _ in 0..MOMENTS {
                let child = start();
                std::thread::sleep(Duration::from_micros(random() % whole.max(1)));
                send(&child, Signal::KILL);
                check(&finish(child, &format!("killed, with {args:?}")));
                self.pair.mirror(&args).expect(0);
                self.pair.assert_same();
                assert_eq!(temporaries(self.pair.scratch.path()), [] as [&str; 0], "with {args:?}");
                base.assert_same(&Snapshot::of(&self.pair.scratch.join("base")), Fields::ALL);
            }
        }
    }

    /// The same, and every name is the old one or the new one, and there all the time if both trees have it.
    fn kill_and_find_old_or_new(&self, args: &[&str]) {
        let (old, new) = (Snapshot::of(&self.pair.dst), Snapshot::of(&self.pair.src));
        self.kill_and_complete(args, |outcome| {
            let now = Snapshot::of(&self.pair.dst);
            assert_old_or_new(&now, &old, &new, outcome);
            for (path, node) in &old.0 {
                let is_leaf = |node: &Kind| !matches!(node, Kind::Directory);
                let stays = is_leaf(&node.kind) && new.0.get(path).is_some_and(|new| is_leaf(&new.kind));
                assert!(!stays || now.0.contains_key(path), "{} is gone: {outcome}", path.escape_ascii());
            }
        });
    }
}

/// Random numbers, other ones in each run of the tests.
fn random_numbers() -> impl FnMut() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    let mut count = 0_u64;
    move || {
        count += 1;
        RandomState::new().hash_one(count)
    }
}

fn large() -> Vec<u8> {
    noise(1, LARGE)
}

fn new(has_xattrs: bool) -> Vec<Node> {
    let mut nodes: Vec<_> =
        (0..150).map(|i| file(format!("{}/{i}", i % 15), text(i, 1000 + i as usize * 20))).collect();
    nodes.extend((0..15).map(|i| hard_link(format!("links/{i}"), format!("{i}/{i}"))));
    nodes.extend((0..15).map(|i| symlink(format!("{i}/link"), format!("{i}"))));
    nodes.extend([
        file("large", large()),
        file("new-large", noise(2, 2 << 20)),
        sparse("sparse", 8 << 20, &[(1 << 20, &noise(3, 100_000)), (7 << 20, b"end")]),
        file("was-dir", "file"),
        file("was-file/below", "x"),
        symlink("was-file-too", "1/1"),
        fifo("fifo").mode(0o640),
        socket("socket"),
        dir("read-only").mode(0o555),
        file("read-only/new", "n").mode(0o444),
        dir("read-only/new-dir").mode(0o500),
        file("new-dir/below/and/below", "b"),
    ]);
    if is_root() {
        nodes.extend([
            char_device("char", 1, 3),
            block_device("block", 7, 200),
            file("foreign", "f").owner(1234, 4321).mode(0o4711),
        ]);
    }
    if has_xattrs {
        nodes.push(file("xattr", "x").xattr("user.text", "value").mode(0o444));
        nodes.push(dir("xattr-dir").xattr("user.text", "value"));
    }
    nodes
}

fn old() -> Vec<Node> {
    let changed = [&large()[..LARGE / 2], b"other", &large()[LARGE / 2 + 5..]].concat();
    let mut nodes: Vec<_> =
        (0..75).map(|i| file(format!("{}/{i}", i % 15), format!("old {i}")).mtime(1, 1)).collect();
    nodes.extend((0..50).map(|i| file(format!("extra/{}/{i}", i % 5), format!("extra {i}"))));
    nodes.extend([
        file("large", changed).mtime(1, 1),
        file("was-dir/below/file", "x"),
        file("was-file", "old"),
        file("was-file-too", "old"),
        file("xattr", "x").mode(0o444),
        fifo("fifo").mode(0o600),
        dir("read-only").mode(0o555),
        file("read-only/gone", "g"),
    ]);
    nodes
}

/// A tree that has some of the files.
fn base() -> Vec<Node> {
    let mut nodes: Vec<_> = (0..150)
        .step_by(3)
        .map(|i| file(format!("{}/{i}", i % 15), text(i, 1000 + i as usize * 20)))
        .collect();
    nodes.push(file("large", large()));
    nodes
}

#[test]
fn killed_with_delete_it_converges() {
    Case::new().kill_and_find_old_or_new(&["--delete"]);
}

#[test]
fn killed_with_deletion_on_the_way_it_converges() {
    Case::new().kill_and_find_old_or_new(&["--delete-during"]);
}

#[test]
fn killed_with_delta_it_converges() {
    Case::new().kill_and_find_old_or_new(&["--delete", "--delta"]);
}

#[test]
fn killed_with_partial_files_it_converges() {
    Case::new().kill_and_find_old_or_new(&["--delete", "--partial"]);
}

#[test]
fn killed_with_fsync_it_converges() {
    Case::new().kill_and_find_old_or_new(&["--delete", "--fsync"]);
}

#[test]
fn killed_while_it_links_to_another_tree_it_converges() {
    Case::new().kill_and_find_old_or_new(&["--delete", "--link-dest=../base"]);
}

/// A file may be a mixture then; only the second run makes it whole.
#[test]
fn killed_while_it_writes_in_place_it_converges() {
    let case = Case::new();
    let new = Snapshot::of(&case.pair.src);
    let old = Snapshot::of(&case.pair.dst);
    case.kill_and_complete(&["--delete", "--inplace"], |outcome| {
        // But no name appears that neither tree has.
        let now = Snapshot::of(&case.pair.dst);
        for path in now.0.keys().filter(|path| !is_temporary(path)) {
            let is_known = old.0.contains_key(path) || new.0.contains_key(path);
            assert!(is_known, "{}: {outcome}", path.escape_ascii());
        }
    });
}

/// At every moment, what is replaced or removed is in its place or among the backups.
#[test]
fn killed_with_backups_it_converges_and_loses_nothing() {
    let case = Case::new();
    let (old, new) = (Snapshot::of(&case.pair.dst), Snapshot::of(&case.pair.src));
    let hash_at = |tree: &Snapshot, path: &[u8]| match tree.0.get(path).map(|node| &node.kind) {
        Some(Kind::File(size, hash, _)) => Some((*size, *hash)),
        _ => None,
    };
    let of = |place: &Path| if place.exists() { Snapshot::of(place) } else { Snapshot(BTreeMap::new()) };
    case.kill_and_complete(&["--delete", "--backup", "--backup-dir=../backup"], |outcome| {
        let (now, backup) = (Snapshot::of(&case.pair.dst), of(&case.backup()));
        assert_old_or_new(&now, &old, &new, outcome);
        for path in old.0.keys() {
            let Some(kept) = hash_at(&old, path) else { continue };
            let is_somewhere = [&now, &backup].iter().any(|tree| hash_at(tree, path) == Some(kept));
            assert!(is_somewhere, "{} is lost: {outcome}", path.escape_ascii());
        }
    });
}

//! `--atomic` and `haul rollback` from outside: what readers see, what a killed run leaves, what is kept.

use crate::props::{draft, few, tree};
use crate::support::mirror::{Pair, count, mirror, mirror_command};
use crate::support::oracle::{Outcome, finish, haul, haul_command, in_private_mounts, is_root, peer, run};
use crate::support::process::{names_in, send, spawn, wait_until};
use crate::support::scratch::Scratch;
use crate::support::snapshot::{Fields, Snapshot};
use crate::support::tree::{Node, build, dir, file, hard_link, keeps_xattr, symlink};
use crate::support::trees::{modest, noise};
use proptest::prelude::*;
use proptest::sample::select;
use rustix::fs::{Mode, OFlags, openat};
use rustix::process::Signal;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

const FILES: usize = 20;

/// A tree in which every file says of which generation it is.
fn generation(number: u8, files: usize) -> Vec<Node> {
    (0..files)
        .map(|i| {
            file(format!("{}/{i}", i % 3), [b'0' + number; 10]).mtime(1_600_000_000 + i64::from(number), 0)
        })
        .chain([file(format!("only-{number}"), [b'0' + number; 10])])
        .collect()
}

/// Two sources, and a place for what is made of them.
struct Generations {
    pair: Pair,
    trees: [Snapshot; 2],
}

impl Generations {
    fn new() -> Self {
        Self::of(FILES)
    }

    fn of(files: usize) -> Self {
        let pair = Pair::new(&generation(0, files));
        build(&pair.scratch.join("src1"), &generation(1, files));
        let trees = [Snapshot::of(&pair.src), Snapshot::of(&pair.scratch.join("src1"))];
        Self { pair, trees }
    }

    fn command(&self, number: usize, args: &[&str]) -> Command {
        let name = ["src", "src1"][number % 2];
        mirror_command(&[args, &["--delete", "-j2"]].concat(), &self.pair.scratch.join(name), &self.pair.dst)
    }

    #[track_caller]
    fn publish(&self, number: usize, args: &[&str]) -> Outcome {
        run(&mut self.command(number, args), None).expect(0)
    }

    fn store(&self) -> Vec<String> {
        let mut names = names_in(&self.pair.scratch.join(".dst.haul"));
        names.sort();
        names
    }

    /// Asserts that the tree is one of the two, and says which.
    #[track_caller]
    fn which(&self, path: &Path, outcome: &Outcome) -> usize {
        let now = Snapshot::of(path);
        let found = self.trees.iter().position(|tree| tree.diff(&now, Fields::ALL).is_empty());
        found.unwrap_or_else(|| panic!("{} is neither tree: {outcome}", path.display()))
    }
}

/// Reads through one descriptor, and then by path; returns the generation that the descriptor showed.
fn read_once(dst: &Path) -> u8 {
    let root = openat(rustix::fs::CWD, dst, OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty()).unwrap();
    let mut seen = Vec::new();
    for i in 0..FILES {
        let name = format!("{}/{i}", i % 3);
        let opened = openat(&root, &*name, OFlags::RDONLY, Mode::empty());
        let mut content = Vec::new();
        let mut opened: std::fs::File = opened.unwrap_or_else(|e| panic!("{name}: {e}")).into();
        opened.read_to_end(&mut content).unwrap();
        assert_eq!(content.len(), 10, "{name} is not whole");
        seen.extend(content);
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "a mix of generations: {seen:?}");
    let only = |number: u8| openat(&root, format!("only-{number}"), OFlags::RDONLY, Mode::empty()).is_ok();
    assert_eq!([only(0), only(1)], [seen[0] == b'0', seen[0] == b'1']);
    for i in 0..FILES {
        let name = dst.join(format!("{}/{i}", i % 3));
        assert_eq!(std::fs::read(&name).unwrap_or_else(|e| panic!("{}: {e}", name.display())).len(), 10);
    }
    seen[0]
}

/// Old versions are kept longer than any reader takes, as `--keep` is for.
#[track_caller]
fn readers_see_whole_trees(how: &str, publishes: usize) {
    let generations = Generations::new();
    generations.publish(0, &[how]);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = [0usize; 2];
            while !done.load(Ordering::Relaxed) {
                seen[usize::from(read_once(&generations.pair.dst) - b'0')] += 1;
            }
            seen
        });
        for number in 1..=publishes {
            if reader.is_finished() {
                break;
            }
            generations.publish(number, &[how, "--keep=30"]);
        }
        done.store(true, Ordering::Relaxed);
        let seen = reader.join().unwrap();
        assert!(seen.iter().all(|&rounds| rounds > 0), "the reader saw {seen:?}");
    });
}

#[test]
fn a_reader_never_sees_a_mix_while_trees_are_exchanged() {
    readers_see_whole_trees("--atomic", 200);
}

#[test]
fn a_reader_never_sees_a_mix_while_symlinks_are_replaced() {
    readers_see_whole_trees("--atomic=symlink", 200);
}

/// Kills a run at `moments` moments spread over its length.
fn kill_at_many_moments(how: &str, moments: u32) {
    let generations = Generations::new();
    let begun = Instant::now();
    generations.publish(0, &[how, "--keep=0"]);
    let whole = begun.elapsed();
    let mut now = 0;
    for i in 0..moments {
        let child = spawn(&mut generations.command(now + 1, &[how, "--keep=1"]));
        std::thread::sleep(whole * (i % 50) / 40);
        send(&child, Signal::KILL);
        let outcome = finish(child, "killed");
        now = generations.which(&generations.pair.dst, &outcome);
        // Every few times, the following run must leave nothing.
        let keep = if i % 3 == 0 { "--keep=0" } else { "--keep=1" };
        let outcome = generations.publish(now + 1, &[how, keep]);
        now = (now + 1) % 2;
        assert_eq!(generations.which(&generations.pair.dst, &outcome), now);
        for name in generations.store() {
            assert!(name.parse::<u64>().is_ok(), "{name} is left over: {outcome}");
            generations.which(&generations.pair.scratch.join(".dst.haul").join(name), &outcome);
        }
        let versions = usize::from(keep == "--keep=1") + usize::from(how == "--atomic=symlink");
        assert_eq!(generations.store().len(), versions, "{outcome}");
    }
}

#[test]
fn a_killed_exchange_leaves_the_old_or_the_new_tree_and_the_next_run_clears_up() {
    kill_at_many_moments("--atomic", 150);
}

#[test]
fn a_killed_symlink_swap_leaves_the_old_or_the_new_tree_and_the_next_run_clears_up() {
    kill_at_many_moments("--atomic=symlink", 150);
}

/// Between any two calls that change names, the old tree is not lost: it is in its place, or it is kept.
#[test]
fn a_death_before_any_change_of_names_loses_no_tree() {
    if !peer("strace") {
        return;
    }
    let generations = Generations::of(2);
    for how in ["--atomic", "--atomic=symlink"] {
        let _ = std::fs::remove_dir_all(&generations.pair.dst);
        let _ = std::fs::remove_file(&generations.pair.dst);
        let _ = std::fs::remove_dir_all(generations.pair.scratch.join(".dst.haul"));
        let mut deaths = 0;
        for call in ["mkdirat", "renameat", "renameat2", "symlinkat", "unlinkat"] {
            for when in 1..200 {
                generations.publish(0, &[how, "--keep=0"]);
                let command = generations.command(1, &[how, "-j1"]);
                let mut traced = Command::new("strace");
                traced.args(["-f", "-qq", "-o", "/dev/null", "-e"]);
                traced.arg(format!("inject={call}:signal=SIGKILL:when={when}"));
                traced.arg(command.get_program()).args(command.get_args());
                let outcome = run(&mut traced, None);
                let now = generations.which(&generations.pair.dst, &outcome);
                if outcome.code() == Some(0) {
                    break;
                }
                deaths += 1;
                let outcome = haul!["rollback", &generations.pair.dst];
                if now == 1 {
                    // The new tree has been published, so the old one can be brought back.
                    outcome.expect(0);
                } else {
                    outcome.expect(1).expect_once("no older version");
                }
                let after = Snapshot::of(&generations.pair.dst);
                generations.trees[0].assert_same(&after, Fields::ALL);
            }
        }
        assert!(deaths > 5, "{how}: a run was killed {deaths} times only");
    }
}

/// The tree built next to the old one is what would have been made in place, and the old tree is unchanged, even if
/// both share inodes.
#[test]
fn what_is_published_is_what_a_plain_run_makes() {
    let mut edited: Vec<Node> = modest().into_iter().filter(|node| node.path != b"empty").collect();
    edited.retain(|node| !node.path.starts_with(b"many/1"));
    for node in &mut edited {
        match &node.path[..] {
            b"noise" => *node = file("noise", noise(7, 300_001)),
            b"dir/script" => *node = file("dir/script", "#!/bin/sh\n").mode(0o700).mtime(1_600_000_000, 5),
            b"hello.txt" => *node = file("hello.txt", "other\n").mtime(1_600_000_000, 1),
            b"many/20" => *node = symlink("many/20", "21"),
            _ => {}
        }
    }
    edited.push(file("empty/now/a/directory", "x"));
    edited.push(hard_link("many/another", "many/30"));
    let old =
        [&modest()[..], &[file("own/data", "of the application"), symlink("own/link", "data")]].concat();
    for flags in [
        &[][..],
        &["--delete"],
        &["--delete", "-c", "--reuse=hardlink"],
        &["--delete-before", "--fsync", "--reuse=copy"],
        &["--backup", "--reuse=hardlink"],
        &["--delete", "--no-perms", "--exclude=many/", "--reuse=hardlink"],
        &["--delete", "--link-dest=../src", "--detect-renames"],
    ] {
        for how in ["--atomic", "--atomic=symlink"] {
            let pair = Pair::over(&edited, &old);
            build(&pair.scratch.join("plain"), &old);
            let before = Snapshot::of(&pair.dst);
            if how == "--atomic=symlink" {
                std::fs::rename(&pair.dst, pair.scratch.join("first")).unwrap();
                std::os::unix::fs::symlink("first", &pair.dst).unwrap();
            }
            let plain: Vec<_> = flags.iter().copied().filter(|flag| !flag.starts_with("--reuse")).collect();
            let expected =
                mirror(&[&plain[..], &["--json"]].concat(), &pair.src, &pair.scratch.join("plain"));
            let outcome = pair.mirror(&[flags, &[how, "--json"]].concat()).expect(0);
            let (plain, now) = (Snapshot::of(&pair.scratch.join("plain")), Snapshot::of(&pair.dst));
            let diff = plain.diff(&now, Fields::ALL);
            assert!(diff.is_empty(), "{flags:?} {how}: {outcome}{}", diff.join("\n"));
            for name in ["created", "updated", "deleted"] {
                assert_eq!(
                    count(&outcome, name),
                    count(&expected, name),
                    "{flags:?} {how} {name}: {outcome}"
                );
            }
            let kept = if how == "--atomic" { ".dst.haul/1" } else { "first" };
            before.assert_same(&Snapshot::of(&pair.scratch.join(kept)), Fields::ALL);
        }
    }
}

proptest! {
    #![proptest_config(few(60))]

    #[test]
    fn any_tree_is_published_over_any_tree_and_both_are_whole(
        old in prop::collection::vec(draft(), 0..25),
        new in prop::collection::vec(draft(), 1..25),
        // A part of the old tree is in the new one, too.
        shared in 0..25usize,
        reuse in select(vec!["--reuse=hardlink", "--reuse=copy"]),
    ) {
        let scratch = Scratch::in_memory();
        let [src, dst] = ["src", "dst"].map(|name| scratch.join(name));
        let xattrs = keeps_xattr(scratch.path(), "user.probe", b"");
        let shared = &old[..shared.min(old.len())];
        build(&src, &tree(&[shared, &new].concat(), xattrs));
        build(&dst, &tree(&old, xattrs));
        let [wanted, before] = [&src, &dst].map(|path| Snapshot::of(path));
        let args = ["--atomic", "--delete", "-c", reuse];
        mirror(&args, &src, &dst).expect(0);
        let diff = wanted.diff(&Snapshot::of(&dst), Fields::ALL);
        prop_assert!(diff.is_empty(), "{}", diff.join("\n"));
        let kept = scratch.join(".dst.haul/1");
        let kept = if kept.is_dir() { kept } else { dst.clone() };
        let diff = before.diff(&Snapshot::of(&kept), Fields::ALL);
        prop_assert!(diff.is_empty(), "the old tree: {}", diff.join("\n"));
        if kept != dst {
            haul!["rollback", &dst].expect(0);
            let diff = before.diff(&Snapshot::of(&dst), Fields::ALL);
            prop_assert!(diff.is_empty(), "brought back: {}", diff.join("\n"));
        }
    }
}

#[test]
fn unchanged_files_are_linked_or_copied_as_asked() {
    let inode = |path: &Path| path.metadata().unwrap().ino();
    for (reuse, shared) in [("--reuse=hardlink", true), ("--reuse=copy", false)] {
        let pair =
            Pair::over(&[file("a", "same"), file("b", "newer")], &[file("a", "same"), file("b", "old")]);
        pair.mirror(&["--atomic", reuse]).expect(0);
        let old = pair.scratch.join(".dst.haul/1");
        assert_eq!(inode(&pair.dst.join("a")) == inode(&old.join("a")), shared, "{reuse}");
        assert_ne!(inode(&pair.dst.join("b")), inode(&old.join("b")));
        assert_eq!(std::fs::read(old.join("b")).unwrap(), b"old");
        pair.assert_same();
    }
}

#[test]
fn so_many_old_trees_are_kept_as_asked_and_come_back_newest_first() {
    for how in ["--atomic", "--atomic=symlink"] {
        let generations = Generations::new();
        let dst = &generations.pair.dst;
        let link = usize::from(how == "--atomic=symlink");
        haul!["rollback", dst].expect(1).expect_once("no older version");
        let first = generations.publish(0, &[how]);
        assert_eq!(generations.store().len(), link, "nothing was there that could be kept");
        haul!["rollback", dst].expect(1).expect_once("no older version");
        for number in 1..6 {
            generations.publish(number, &[how, "--keep=3"]);
        }
        assert_eq!(generations.store().len(), 3 + link);
        assert_eq!(generations.which(dst, &first), 1);
        // A run with nothing to change leaves all as it is, or the newest old tree would be the same one.
        let before = dst.metadata().unwrap().ino();
        generations.publish(5, &[how, "--keep=3"]);
        assert_eq!((dst.metadata().unwrap().ino(), generations.store().len()), (before, 3 + link));
        let outcome = haul!["rollback", dst].expect(0);
        assert_eq!(generations.which(dst, &outcome), 0);
        let outcome = haul!["rollback", dst].expect(0);
        assert_eq!(generations.which(dst, &outcome), 1, "a second call takes the first one back");
        assert_eq!(generations.store().len(), 3 + link);
        generations.publish(0, &[how, "--keep=0"]);
        assert_eq!(generations.store().len(), link);
    }
}

#[test]
fn a_tree_that_is_not_whole_is_not_published() {
    let pair = Pair::over(&[file("a", "newer")], &[file("a", "old"), file("extra", "x")]);
    let before = Snapshot::of(&pair.dst);
    // One entry that could not be done is enough.
    let outcome = pair.mirror(&["--atomic", "--delete", "--max-delete=0"]).expect(1);
    let outcome = outcome.expect_once("cannot delete extra").expect_once("1 entry failed");
    assert!(outcome.stderr.contains("cannot publish"), "{outcome}");
    // A run that could not even begin.
    mirror(&["--atomic"], &pair.scratch.join("missing"), &pair.dst).expect(1).expect_once("ENOENT");
    build(&pair.scratch.join("void"), &[]);
    mirror(&["--atomic", "--delete"], &pair.scratch.join("void"), &pair.dst).expect(1);
    before.assert_same(&Snapshot::of(&pair.dst), Fields::ALL);
    assert!(!pair.scratch.join(".dst.haul").exists());
    pair.mirror(&["--atomic", "--delete", "-n"]).expect(0);
    before.assert_same(&Snapshot::of(&pair.dst), Fields::ALL);
    assert!(!pair.scratch.join(".dst.haul").exists(), "a dry run makes nothing");
}

#[test]
fn a_stopped_run_publishes_nothing_and_leaves_nothing() {
    let pair = Pair::over(&[file("large", noise(3, 64 << 20))], &[file("a", "old")]);
    let before = Snapshot::of(&pair.dst);
    let mut child = spawn(&mut mirror_command(&["--atomic", "--bwlimit=2m"], &pair.src, &pair.dst));
    wait_until(&mut child, || pair.scratch.join(".dst.haul/new/a").exists());
    // While it runs, no other run can, plain or not.
    for flags in [&["--atomic"][..], &[]] {
        let outcome = pair.mirror(flags).expect(6);
        assert!(outcome.stderr.contains(&child.id().to_string()), "{outcome}");
        assert!(outcome.stderr.contains("/dst is held"), "{outcome}");
    }
    let waits = spawn(&mut mirror_command(&["--atomic", "--wait"], &pair.src, &pair.dst));
    let plain = spawn(&mut mirror_command(&["--wait"], &pair.src, &pair.dst));
    send(&child, Signal::INT);
    finish(child, "stopped").expect(130);
    let (waits, plain) = (finish(waits, "the run that waits"), finish(plain, "the plain one"));
    waits.expect(0);
    plain.expect(0);
    let kept = pair.scratch.join(".dst.haul/1");
    if kept.exists() && !kept.join("large").exists() {
        before.assert_same(&Snapshot::of(&kept), Fields::ALL);
    }
    assert_eq!(pair.dst_paths(), ["a", "large"]);
    assert!(pair.read("large") == noise(3, 64 << 20));
}

#[test]
fn what_cannot_change_places_is_refused_before_the_work() {
    let pair = Pair::over(&[file("a", "newer")], &[file("a", "old")]);
    let link = pair.scratch.join("link");
    std::os::unix::fs::symlink("dst", &link).unwrap();
    mirror(&["--atomic"], &pair.src, &link).expect(1).expect_once("--atomic=symlink");
    pair.mirror(&["--atomic=symlink"]).expect(1).expect_once("is a directory");
    let plain = pair.scratch.write("plain", "x");
    mirror(&["--atomic"], &pair.src, &plain).expect(1).expect_once("ENOTDIR");
    mirror(&["--atomic"], &pair.src, Path::new("/")).expect(1).expect_once("no name");
    for flags in [
        &["--atomic", "--inplace"][..],
        &["--atomic", "--append"],
        &["--atomic", "--partial"],
        &["--atomic", "--backup-dir=b"],
        &["--atomic", "--write-manifest=m"],
        &["--keep=1"],
        &["--reuse=copy"],
    ] {
        pair.mirror(flags).expect(2);
    }
    assert_eq!((pair.read_text("a").as_str(), pair.scratch.join(".dst.haul").exists()), ("old", false));
    if is_root() {
        let foreign = pair.scratch.mkdir(".dst.haul");
        std::os::unix::fs::chown(&foreign, Some(65_534), None).unwrap();
        pair.mirror(&["--atomic"]).expect(1).expect_once("belongs to another user");
    }
}

#[test]
fn mounts_are_left_where_they_are() {
    let scratch = Scratch::new();
    for name in ["src", "dst", "dst/data", "point"] {
        scratch.mkdir(name);
    }
    scratch.write("src/a", "newer");
    let script = "mount -t tmpfs none dst/data && echo x >dst/data/x && mount -t tmpfs none point || exit 99
        $HAUL sync --atomic --delete src point; echo $?
        $HAUL sync --atomic --delete src dst; echo $?; cat dst/data/x; ls -A . dst | grep haul; exit 0";
    let Some(outcome) = in_private_mounts(scratch.path(), script) else { return };
    assert_eq!(outcome.lines(), ["1", "1", "x"], "{outcome}");
    outcome.expect_once("is a mount point").expect_once("mounted below");
}

#[test]
fn a_full_file_system_publishes_nothing() {
    let scratch = Scratch::new();
    for name in ["src", "full"] {
        scratch.mkdir(name);
    }
    scratch.write("src/large", noise(1, 6 << 20));
    let script = "mount -t tmpfs -o size=4m none full && mkdir full/dst && echo old >full/dst/a || exit 99
        $HAUL sync --atomic --delete src full/dst; code=$?; ls -A full full/dst; exit $code";
    let Some(outcome) = in_private_mounts(scratch.path(), script) else { return };
    let outcome = outcome.expect(1).expect_once("ENOSPC");
    assert_eq!(outcome.lines(), ["full:", "dst", "", "full/dst:", "a"]);
}

/// Runs haul as the owner of everything in `scratch`, another user than root.
fn as_owner(scratch: &Scratch, args: &[&Path]) -> Outcome {
    if !is_root() {
        return run(haul_command().args(args), None);
    }
    let binary = scratch.join("haul");
    if !binary.is_file() {
        std::fs::copy(env!("CARGO_BIN_EXE_haul"), &binary).unwrap();
        let status = Command::new("chown").args(["-hR", "65534:65534"]).arg(scratch.path()).status();
        assert!(status.unwrap().success());
    }
    run(Command::new(binary).args(args).uid(65_534).gid(65_534), None)
}

#[test]
fn a_user_publishes_trees_with_read_only_directories() {
    let pair = Pair::over(
        &[file("locked/a", "newer").mode(0o444), dir("locked").mode(0o555), file("b", "x")],
        &[file("locked/a", "old").mode(0o444), file("locked/c", "c"), dir("locked").mode(0o555)],
    );
    let publish = |keep: &str| {
        let args = ["sync".as_ref(), "--atomic".as_ref(), "--delete".as_ref(), Path::new(keep)];
        as_owner(&pair.scratch, &[&args[..], &[&pair.src, &pair.dst]].concat())
    };
    publish("--keep=1").expect(0);
    pair.assert_same();
    assert_eq!(std::fs::read(pair.scratch.join(".dst.haul/1/locked/a")).unwrap(), b"old");
    as_owner(&pair.scratch, &["rollback".as_ref(), &pair.dst]).expect(0);
    assert_eq!(pair.read_text("locked/a"), "old");
    publish("--keep=0").expect(0);
    pair.assert_same();
    assert!(!pair.scratch.join(".dst.haul").exists(), "old trees can be removed, too");
}

#[test]
fn an_archive_is_unpacked_in_one_step() {
    let pair = Pair::new(&modest());
    let (archive, dst) = (pair.scratch.join("a.tar.zst"), &pair.dst);
    haul!["pack", &pair.src, &archive].expect(0);
    haul!["unpack", "--atomic", &archive, dst].expect(0);
    Snapshot::of(&pair.src).without_root().assert_same(&Snapshot::of(dst).without_root(), Fields::ALL);
    std::fs::write(dst.join("own"), "x").unwrap();
    std::fs::write(dst.join("hello.txt"), "changed").unwrap();
    let before = Snapshot::of(dst);
    haul!["unpack", "--atomic", "--reuse=hardlink", &archive, dst].expect(0);
    assert_eq!(pair.read_text("own"), "x", "what the archive does not name is left alone");
    assert_eq!(pair.read_text("hello.txt"), "hello\n");
    before.assert_same(&Snapshot::of(&pair.scratch.join(".dst.haul/1")), Fields::ALL);
    haul!["unpack", "--atomic", "--update", "--delete", &archive, dst].expect(0);
    pair.assert_same();
    // The metadata of shared entries is changed only in the new tree.
    std::fs::set_permissions(dst.join("hello.txt"), PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::set_permissions(dst.join("dir/below"), PermissionsExt::from_mode(0o700)).unwrap();
    let before = Snapshot::of(dst);
    haul!["unpack", "--atomic", "--reuse=hardlink", "--keep=9", "--update", &archive, dst].expect(0);
    pair.assert_same();
    let mut kept = names_in(&pair.scratch.join(".dst.haul"));
    kept.sort();
    let newest = pair.scratch.join(".dst.haul").join(kept.last().unwrap());
    before.assert_same(&Snapshot::of(&newest), Fields::ALL);
    // Damage is found on the way, and then nothing is published.
    let now = Snapshot::of(dst);
    let mut bytes = std::fs::read(&archive).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    std::fs::write(&archive, bytes).unwrap();
    assert_ne!(haul!["unpack", "--atomic", &archive, dst].code(), Some(0));
    now.assert_same(&Snapshot::of(dst), Fields::ALL);
    for flags in ["--if-changed", "--prefetch=list"] {
        haul!["unpack", "--atomic", "--update", flags, &archive, dst].expect(2);
    }
    assert!(names_in(&pair.scratch.join(".dst.haul")).iter().all(|name| name.parse::<u64>().is_ok()));
}

/// With --fsync, the tree is on the disk before it has its name, and its name before the run ends.
#[test]
fn the_barrier_is_before_the_exchange_and_the_directory_is_synced_after_it() {
    if !peer("strace") {
        return;
    }
    let pair = Pair::over(&[file("a", "newer")], &[file("a", "old")]);
    let log = pair.scratch.join("log");
    let command = mirror_command(&["--atomic", "--fsync", "-j1"], &pair.src, &pair.dst);
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-e", "trace=syncfs,fsync,renameat2", "-o"]).arg(&log);
    run(traced.arg(command.get_program()).args(command.get_args()), None).expect(0);
    let text = std::fs::read_to_string(&log).unwrap();
    let exchange =
        text.lines().position(|line| line.contains("EXCHANGE") && line.contains("\"dst\"")).unwrap();
    let calls =
        |lines: &mut dyn Iterator<Item = &str>, name: &str| lines.filter(|l| l.contains(name)).count();
    assert!(calls(&mut text.lines().take(exchange), "syncfs(") > 0, "{text}");
    assert_eq!(calls(&mut text.lines().skip(exchange), "fsync("), 2, "{text}");
    assert_eq!(calls(&mut text.lines().skip(exchange), "syncfs("), 0, "{text}");
}

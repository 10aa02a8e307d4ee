//! Trees and destinations at the limits: long names, wide and deep directories, few descriptors, huge files, no room, no
//! permission to write.

use crate::support::mirror::{Pair, count, mirror, mirror_command};
use crate::support::oracle::{Outcome, in_private_mounts, is_root, leave_out, run};
use crate::support::process::is_temporary;
use crate::support::scratch::Scratch;
use crate::support::snapshot::{Fields, Snapshot};
use crate::support::trace::counts;
use crate::support::tree::{Node, build, dir, fifo, file, hard_link, keeps_xattr, sparse, symlink};
use crate::support::trees::noise;
use rustix::fs::{FileType, Mode, OFlags, mkdirat, mknodat, openat};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Every kind of entry has a name of 255 bytes, the most that there is, and so have its backup's directory and itself;
/// temporary names have a length of their own.
#[test]
fn names_may_be_as_long_as_there_are() {
    let name = |first: &str| format!("{first}{}", "n".repeat(255 - first.len()));
    let (d, f, l) = (name("d"), name("f"), name("l"));
    let src = [
        file(&f, "new"),
        file(format!("{d}/{f}"), noise(1, 2 << 20)),
        hard_link(format!("{d}/{l}"), &f),
        symlink(name("s"), &f),
        fifo(name("p")),
        dir(format!("{d}/{d}/{d}")),
    ];
    let dst = [
        file(&f, "older"),
        file(format!("{d}/{f}"), noise(2, 2 << 20)).mtime(1, 1),
        file(name("extra"), "e"),
    ];
    for args in [
        &[][..],
        &["--inplace"],
        &["--partial"],
        &["--delta"],
        &["--fsync"],
        &["--backup", "--backup-dir=../backup"],
        &["--detect-renames"],
    ] {
        let pair = Pair::over(&src, &dst);
        pair.mirror(&[args, &["--delete"]].concat()).expect(0);
        pair.assert_same();
    }
}

/// A backup beside a name that leaves no room for the suffix cannot be made, so the old file stays.
#[test]
fn a_file_whose_backup_would_have_too_long_a_name_is_not_replaced() {
    let name = "n".repeat(255);
    let pair = Pair::over(&[file(&name, "new")], &[file(&name, "old one")]);
    let outcome = pair.mirror(&["--backup"]).expect(3);
    assert!(outcome.stderr.contains("ENAMETOOLONG"), "{outcome}");
    assert_eq!(pair.read_text(&name), "old one");
    assert_eq!(pair.dst_paths().len(), 1, "nothing is left");
}

/// Makes `count` empty files in `root`.
fn many(root: &Path, count: u32) {
    std::fs::create_dir(root).unwrap();
    let root = openat(rustix::fs::CWD, root, OFlags::DIRECTORY, Mode::empty()).unwrap();
    for i in 0..count {
        mknodat(&root, format!("{i:06}"), FileType::RegularFile, Mode::RUSR | Mode::WUSR, 0).unwrap();
    }
}

/// All threads work on it, and memory holds its names once.
#[test]
fn a_flat_directory_of_200_000_names_is_mirrored_and_emptied() {
    const COUNT: u32 = 200_000;
    let scratch = Scratch::in_memory();
    let (src, dst) = (scratch.join("src"), scratch.join("dst"));
    many(&src, COUNT);
    let outcome = mirror(&["-j", "8", "--json"], &src, &dst).expect(0);
    assert_eq!(count(&outcome, "created"), u64::from(COUNT));
    assert_eq!(std::fs::read_dir(&dst).unwrap().count(), COUNT as usize);
    let outcome = mirror(&["-j", "8", "--json", "--delete"], &src, &dst).expect(0);
    let changed = ["created", "updated", "metadata_set", "deleted"].map(|what| count(&outcome, what));
    assert_eq!(changed, [0; 4]);
    let few = scratch.join("few");
    many(&few, 1);
    let outcome = mirror(&["-j", "8", "--json", "--delete"], &few, &dst).expect(0);
    assert_eq!(count(&outcome, "deleted"), u64::from(COUNT) - 1);
}

/// Makes directories below each other, `levels` of them, each with a file and, if `comb`, a second directory that is
/// met after the one that leads on.
fn deep(root: &Path, levels: usize, comb: bool) {
    let mut here = openat(rustix::fs::CWD, root, OFlags::DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..levels {
        mkdirat(&here, "d", Mode::RWXU).unwrap();
        mknodat(&here, "f", FileType::RegularFile, Mode::RUSR | Mode::WUSR, 0).unwrap();
        if comb {
            mkdirat(&here, "z", Mode::RWXU).unwrap();
        }
        here = openat(&here, "d", OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
}

#[test]
fn a_tree_of_2_000_levels_is_mirrored_and_removed() {
    // A snapshot goes down level by level; haul has the stacks that it makes itself.
    let roomy = std::thread::Builder::new().stack_size(256 << 20);
    roomy.spawn(mirror_2_000_levels).unwrap().join().unwrap();
}

fn mirror_2_000_levels() {
    let pair = Pair::new(&[]);
    deep(&pair.src, 2_000, false);
    for threads in ["1", "8"] {
        let outcome = pair.mirror(&["-j", threads, "--json", "--delete"]).expect(0);
        assert_eq!(count(&outcome, "created"), 4_000);
        pair.assert_same();
        let outcome = pair.mirror(&["-j", threads, "--json", "--delete"]).expect(0);
        assert_eq!(count(&outcome, "created") + count(&outcome, "metadata_set"), 0);
        let almost_empty = pair.scratch.join(&format!("almost-empty-{threads}"));
        build(&almost_empty, &[file("x", "")]);
        let args = ["-j", threads, "--json", "--delete"];
        let outcome = mirror(&args, &almost_empty, &pair.dst).expect(0);
        assert_eq!(count(&outcome, "deleted"), 4_000);
    }
}

/// Runs haul with at most so many descriptors, in all.
fn with_descriptors(most: u32, command: &Command) -> Outcome {
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit -n {most}; exec \"$@\""), "sh"]);
    limited.arg(command.get_program()).args(command.get_args());
    run(&mut limited, None)
}

/// Directories three by three, five levels deep, with a file in each.
fn branching() -> Vec<Node> {
    let mut paths = vec![String::new()];
    let mut nodes = Vec::new();
    for _ in 0..5 {
        paths = paths.iter().flat_map(|path| (0..3).map(move |i| format!("{path}{i}/"))).collect();
        nodes.extend(paths.iter().map(|path| file(format!("{path}file"), path.as_str())));
    }
    nodes
}

#[test]
fn a_branching_tree_needs_few_descriptors() {
    let pair = Pair::new(&branching());
    for threads in ["1", "8"] {
        let _ = std::fs::remove_dir_all(&pair.dst);
        let command = mirror_command(&["-j", threads, "--delete"], &pair.src, &pair.dst);
        with_descriptors(128, &command).expect(0);
        pair.assert_same();
        with_descriptors(128, &command).expect(0);
    }
}

/// What cannot be opened or created is named; nothing hangs, and with more descriptors the mirror is completed.
#[test]
fn too_few_descriptors_are_named() {
    let pair = Pair::over(&branching(), &[file("extra", "e")]);
    deep(&pair.src, 100, true);
    let mut any = false;
    for threads in ["1", "8"] {
        let command = mirror_command(&["-j", threads, "--delete"], &pair.src, &pair.dst);
        for most in [8, 12, 20, 32] {
            let outcome = with_descriptors(most, &command);
            if outcome.code() != Some(0) {
                assert!(matches!(outcome.code(), Some(1 | 3)), "{outcome}");
                assert!(outcome.stderr.contains("EMFILE"), "{outcome}");
                any = true;
            }
        }
    }
    assert!(any, "at no time there were too few");
    pair.mirror(&["--delete"]).expect(0);
    pair.assert_same();
}

/// Neither side is read or written where there are holes.
#[test]
fn a_file_of_a_terabyte_of_holes_costs_what_its_data_cost() {
    const SIZE: u64 = 1 << 40;
    let block = noise(1, 4096);
    let far = [(0, &block[..]), (SIZE / 2 + 4096, &block), (SIZE - 4096, &block)];
    let pair = Pair::new(&[sparse("huge", SIZE, &far)]);
    // Bytes could be counted, but calls cannot lie: none moves more than 2 GiB.
    let at_most = |args: &[&str]| {
        let Some((outcome, counts)) = counts(&mirror_command(args, &pair.src, &pair.dst)) else { return };
        outcome.expect(0);
        let data = ["read", "pread64", "write", "pwrite64", "copy_file_range", "sendfile", "lseek", "ioctl"];
        let calls: i64 = data.iter().filter_map(|call| counts.get(*call)).sum();
        assert!(calls < 200, "{calls} calls with {args:?}: {counts:?}");
    };
    at_most(&["-j", "1"]);
    pair.mirror(&[]).expect(0);
    pair.assert_same();
    at_most(&["-j", "1"]);
    at_most(&["-j", "1", "--checksum"]);
    // Both get other data, and the destination some that the source has not.
    let write = |root: &Path, at: u64| {
        let huge = std::fs::File::options().write(true).open(root.join("huge")).unwrap();
        huge.write_all_at(b"changed", at).unwrap();
    };
    write(&pair.src, SIZE / 2 + 5000);
    write(&pair.dst, SIZE / 8);
    write(&pair.src, SIZE / 4);
    let huge = std::fs::File::options().write(true).open(pair.src.join("huge")).unwrap();
    huge.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_600_000_000)).unwrap();
    at_most(&["-j", "1", "--inplace"]);
    pair.mirror(&[]).expect(0);
    // A hole is left where the destination had data: what is not zero is compared, and that it takes no room.
    Snapshot::of(&pair.src).assert_same(&Snapshot::of(&pair.dst), Fields { holes: false, ..Fields::ALL });
    write(&pair.src, SIZE / 4 + 100);
    at_most(&["-j", "1"]);
    pair.mirror(&["--checksum"]).expect(0);
    pair.assert_same();
}

#[test]
fn a_read_only_destination_stops_the_run_and_is_named() {
    let scratch = Scratch::new();
    build(&scratch.join("src"), &[file("a", "new"), file("dir/b", "b"), file("new", "n"), file("z", "z")]);
    build(&scratch.join("dst"), &[file("a", "older"), file("extra", "e"), dir("dir")]);
    scratch.mkdir("mounted");
    let before = Snapshot::of(&scratch.join("dst"));
    for flags in
        ["", "--delete", "--inplace", "--delete-before", "--partial --delete", "--backup", "-j 8 --fsync"]
    {
        let script = format!(
            "mount --bind dst mounted && mount -o remount,ro,bind mounted || exit 99
            $HAUL sync {flags} src mounted"
        );
        let Some(outcome) = in_private_mounts(scratch.path(), &script) else { return };
        outcome.expect(1).expect_once("EROFS");
        before.assert_same(&Snapshot::of(&scratch.join("dst")), Fields::ALL);
    }
    // A run that only looks needs no permission to write, and neither does one over a correct mirror.
    let script = "mount --bind dst mounted && mount -o remount,ro,bind mounted || exit 99
        $HAUL sync -n --delete src mounted && $HAUL sync mounted copy && $HAUL sync --delete mounted copy
        mount --bind copy copy && mount -o remount,ro,bind copy && $HAUL sync --delete dst copy";
    if let Some(outcome) = in_private_mounts(scratch.path(), script) {
        outcome.expect(0);
        before.assert_same(&Snapshot::of(&scratch.join("dst")), Fields::ALL);
    }
}

#[test]
fn a_full_file_system_stops_the_run_and_leaves_old_files_whole() {
    let scratch = Scratch::new();
    let mut src: Vec<_> = (0..60).map(|i| file(format!("{}/{i}", i % 6), noise(i, 100_000))).collect();
    src.extend([
        file("large", noise(99, 6 << 20)),
        file("0/zero", ""),
        file("new-dir/x", noise(98, 3 << 20)),
    ]);
    build(&scratch.join("src"), &src);
    let dst: Vec<_> =
        (0..30).map(|i| file(format!("{}/{i}", i % 6), format!("old {i}")).mtime(1, 1)).collect();
    build(
        &scratch.join("old"),
        &[&dst[..], &[file("extra", "e"), file("large", noise(97, 1 << 20))]].concat(),
    );
    scratch.mkdir("full");
    for flags in ["-j 1", "-j 8 --delete", "--delta --delete", "--fsync", "--preallocate", "--backup"] {
        // `find` names what is temporary, and the loop what is neither old nor new.
        let script = format!(
            "mount -t tmpfs -o size=7m none full && cp -a old full/dst || exit 99
            $HAUL sync {flags} src full/dst; code=$?
            find full -name '.haul-*'
            cd full/dst && find . -type f ! -name '*~' | while read -r name; do
                cmp -s \"$name\" \"../../src/$name\" || cmp -s \"$name\" \"../../old/$name\" || echo \"$name\"
            done
            cd ../../old && find . -type f | while read -r name; do
                test -e \"../full/dst/$name\" || echo \"missing: $name\"
            done
            exit $code"
        );
        let Some(outcome) = in_private_mounts(scratch.path(), &script) else { return };
        let outcome = outcome.expect(1).expect_once("ENOSPC");
        assert_eq!(outcome.text(), "", "with {flags}: {outcome}");
    }
    let left: Vec<_> =
        Snapshot::of(&scratch.join("src")).0.into_keys().filter(|path| is_temporary(path)).collect();
    assert!(left.is_empty(), "nothing is written into the source");
}

/// Makes everything another user's if root runs the tests, and runs haul as that user.
fn mirror_as_owner(pair: &Pair, args: &[&str]) -> Outcome {
    let mut command = mirror_command(args, &pair.src, &pair.dst);
    if is_root() && pair.src.metadata().unwrap().uid() == 0 {
        let status = Command::new("chown").args(["-hR", "65534:65534"]).arg(pair.scratch.path()).status();
        assert!(status.unwrap().success());
    }
    if is_root() {
        command.uid(65534).gid(65534);
    }
    run(&mut command, None)
}

/// Their owner may make them writable for as long as it takes: filled, emptied, linked into on the way and at the end.
#[test]
fn read_only_directories_are_changed_by_their_owner() {
    let locked = |path: &str| dir(path).mode(0o555);
    let src = [
        file("a", "one inode").mode(0o444),
        hard_link("d/link", "a"),
        hard_link("d/e/link", "a"),
        hard_link("untouched/link", "a"),
        locked("d"),
        locked("d/e"),
        file("d/e/new", "n").mode(0o400),
        file("d/e/changed", noise(1, 2 << 20)),
        symlink("d/e/symlink", "new"),
        fifo("d/e/fifo"),
        locked("d/new-dir"),
        file("d/new-dir/below/file", "x"),
        locked("untouched"),
        file("untouched/same", "s"),
        file("d/was-dir", "file"),
        locked("d/was-file"),
        file("d/was-file/below", "x"),
    ];
    let dst = [
        locked(""),
        locked("d"),
        locked("d/e"),
        file("d/e/gone", "g"),
        file("d/e/changed", noise(2, 2 << 20)).mtime(1, 1),
        locked("d/gone"),
        locked("d/gone/below"),
        file("d/gone/below/file", "x"),
        locked("untouched"),
        file("untouched/same", "s"),
        locked("d/was-dir"),
        file("d/was-dir/below", "x"),
        file("d/was-file", "x"),
    ];
    for args in [
        &["--delete"][..],
        &["--delete-before"],
        &["--delete-during", "--inplace"],
        &["--delete-after", "-j", "1"],
        &["--delete", "--fsync"],
        &["--delete", "--partial"],
        &["--delete", "--backup", "--backup-dir=../backup"],
        &["--delete", "--detect-renames"],
    ] {
        let pair = Pair::over(&src, &dst);
        mirror_as_owner(&pair, args).expect(0);
        let made = |root: &Path| Snapshot::of(root);
        made(&pair.src).assert_same(&made(&pair.dst), Fields::ALL);
        mirror_as_owner(&pair, args).expect(0);
    }
}

/// A directory with something protected in it stays, and is read-only again.
#[test]
fn a_read_only_directory_that_stays_is_read_only_again() {
    let src = [file("a", "x"), dir("kept").mode(0o555)];
    let dst = [
        file("a", "x"),
        dir("kept").mode(0o555),
        file("kept/gone", "g"),
        dir("gone").mode(0o555),
        file("gone/held", "h"),
        file("gone/other", "o"),
    ];
    let pair = Pair::over(&src, &dst);
    mirror_as_owner(&pair, &["--delete", "--filter=P held", "--no-perms"]).expect(0);
    assert_eq!(pair.dst_paths(), ["a", "gone", "gone/held", "kept"]);
    let after = Snapshot::of(&pair.dst);
    assert_eq!((after.get("gone").mode & 0o777, after.get("kept").mode & 0o777), (0o555, 0o555));
}

/// A correct one is not touched, and a run that only looks touches nothing.
#[test]
fn a_read_only_directory_in_which_nothing_changes_is_left_alone() {
    let src = [dir("d").mode(0o555), file("d/a", "x"), file("d/new", "n")];
    let dst = [dir("d").mode(0o555), file("d/a", "x"), file("d/extra", "e")];
    let pair = Pair::over(&src, &dst);
    let before = Snapshot::of(&pair.dst);
    mirror_as_owner(&pair, &["--delete", "-n"]).expect(0);
    let fields = Fields { owner: false, ..Fields::ALL };
    before.assert_same(&Snapshot::of(&pair.dst), fields);
    mirror_as_owner(&pair, &["--delete"]).expect(0);
    let changed = || std::fs::metadata(pair.dst.join("d")).unwrap().ctime_nsec();
    let before = changed();
    mirror_as_owner(&pair, &["--delete"]).expect(0);
    assert_eq!(changed(), before);
}

/// A `user.` attribute needs permission to write (xattr(7)), which the owner of a read-only file can give and take.
#[test]
fn read_only_files_get_extended_attributes_from_their_owner() {
    let scratch = Scratch::in_memory();
    if !keeps_xattr(scratch.path(), "user.probe", b"") {
        return leave_out("this file system keeps no user xattrs");
    }
    let src = [
        file("added", "x").mode(0o444).xattr("user.a", "1").xattr("user.b", "2"),
        file("changed", "x").mode(0o400).xattr("user.a", "1"),
        file("removed", "x").mode(0o444),
        file("now-writable", "x").mode(0o644).xattr("user.a", "1"),
        file("new", "n").mode(0o444).xattr("user.a", "1"),
        file("new-dir/new", "n").mode(0o444).xattr("user.a", "1"),
        dir("dir").mode(0o555).xattr("user.a", "1"),
    ];
    let dst = [
        file("added", "x").mode(0o444),
        file("changed", "x").mode(0o400).xattr("user.a", "0").xattr("user.c", "3"),
        file("removed", "x").mode(0o444).xattr("user.a", "1").xattr("user.b", "2"),
        file("now-writable", "x").mode(0o444),
        dir("dir").mode(0o555).xattr("user.z", "1"),
    ];
    let pair = Pair::over(&src, &dst);
    mirror_as_owner(&pair, &[]).expect(0);
    pair.assert_same();
}

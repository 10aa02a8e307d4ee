//! Destinations that cannot keep or do everything: what they lack is left out alone and reported once, and a re-run has
//! nothing to do. The calls that such a destination refuses are refused by strace(1), or it is a file system that has
//! none of it.

use crate::support::oracle::{
    Outcome, exact, haul, haul_command, in_private_mounts, is_root, leave_out, peer, run,
};
use crate::support::scratch::Scratch;
use crate::support::tree::{build, dir, fifo, file, hard_link, keeps_xattr, symlink};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

/// haul with these arguments, in which `call` is refused with `errno` each time, in all threads. `None`, said aloud, without
/// strace.
fn refusing(call: &str, errno: &str, args: &[&dyn AsRef<std::ffi::OsStr>]) -> Option<Outcome> {
    refusing_some(call, errno, "", args)
}

/// The same, where `when` says which of them, strace(1).
fn refusing_some(
    call: &str,
    errno: &str,
    when: &str,
    args: &[&dyn AsRef<std::ffi::OsStr>],
) -> Option<Outcome> {
    if !peer("strace") {
        return None;
    }
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e"]).arg(format!("trace={call}"));
    command.arg("-e").arg(format!("inject={call}:error={errno}{when}")).arg(haul_command().get_program());
    command.args(args.iter().map(AsRef::as_ref));
    Some(run(&mut command, None))
}

fn content(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Links in three directories, and to a file of the archive that lies in a new one.
fn linked(scratch: &Scratch) -> std::path::PathBuf {
    let nodes =
        [file("a", "one"), hard_link("b", "a"), dir("d"), hard_link("d/c", "a"), hard_link("d/e", "a")];
    build(&scratch.join("src"), &nodes);
    let archive = scratch.join("a.tar.zst");
    haul!["pack", &scratch.join("src"), &archive].expect(0);
    archive
}

#[test]
fn where_there_are_no_hard_links_every_verb_copies_and_says_so_once() {
    for errno in ["EPERM", "EOPNOTSUPP", "EMLINK"] {
        let scratch = Scratch::new();
        let archive = linked(&scratch);
        let (new, old) = (scratch.join("new"), scratch.mkdir("old"));
        let (src, mirror) = (scratch.join("src"), scratch.join("mirror"));
        for args in [
            &[&"unpack" as &dyn AsRef<_>, &archive, &new][..],
            &[&"unpack", &archive, &old],
            &[&"unpack", &"--update", &archive, &old],
            &[&"unpack", &"--fsync", &archive, &scratch.join("synced")],
        ] {
            let Some(outcome) = refusing("linkat", errno, args) else { return };
            outcome.expect(0).expect_once("hard links");
        }
        refusing("linkat", errno, &[&"sync", &src, &mirror]).unwrap().expect(0).expect_once("hard links");
        for dst in [&new, &old, &mirror, &scratch.join("synced")] {
            for name in ["a", "b", "d/c", "d/e"] {
                assert_eq!(content(&dst.join(name)), "one", "{errno} {}", dst.display());
                assert_eq!(fs::metadata(dst.join(name)).unwrap().nlink(), 1);
                let [then, now] = [&src, dst].map(|root| fs::metadata(root.join(name)).unwrap().mtime_nsec());
                assert_eq!(then, now);
            }
        }
    }
}

/// What root can set everywhere, and what every local file system has, is refused to all alike.
#[test]
fn what_the_destination_refuses_is_left_out_with_one_warning_and_a_rerun_changes_nothing() {
    if !is_root() {
        return leave_out("only root gives files away, and the kernel refuses others anyway");
    }
    let scratch = Scratch::new();
    let (src, archive) = (scratch.join("src"), scratch.join("a.tar.zst"));
    let nodes = [
        file("a", "a").mode(0o4640).owner(5, 6),
        dir("d").mode(0o751),
        file("d/b", "b").mode(0o600).owner(7, 8),
        symlink("d/l", "b"),
        fifo("f"),
    ];
    build(&src, &nodes);
    haul!["pack", &src, &archive].expect(0);
    for (number, (calls, errno, sentence, flag)) in [
        ("fchmod,?fchmodat2", "EPERM", "does not keep modes", "--perms"),
        ("fchmod,?fchmodat2", "EOPNOTSUPP", "does not keep modes", "--perms"),
        ("fchown,fchownat", "EPERM", "does not keep owners", "--owner"),
        ("utimensat", "EPERM", "does not keep modification times", "--times"),
        ("symlinkat", "EPERM", "no symbolic links", "--links"),
        ("symlinkat", "ENOSYS", "no symbolic links", "--links"),
        ("mknodat", "EPERM", "no fifos and sockets", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let [new, old, mirror, asked] =
            ["new", "old", "mirror", "asked"].map(|name| scratch.join(&format!("{name}{number}")));
        fs::create_dir(&old).unwrap();
        for args in [
            &[&"unpack" as &dyn AsRef<_>, &archive, &new][..],
            &[&"unpack", &archive, &old],
            &[&"unpack", &"--update", &archive, &old],
            &[&"sync", &src, &mirror],
            &[&"sync", &src, &mirror],
        ] {
            let Some(outcome) = refusing(calls, errno, args) else { return };
            outcome.expect(0).expect_once(sentence);
        }
        for dst in [&new, &old, &mirror] {
            assert_eq!(content(&dst.join("a")) + &content(&dst.join("d/b")), "ab", "{calls} {errno}");
            let mode = fs::metadata(dst.join("a")).unwrap().mode();
            assert!(mode & 0o4000 == 0 || fs::metadata(dst.join("a")).unwrap().uid() == 5, "{mode:o}");
            let left = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(".haul-");
            assert!(!fs::read_dir(dst).unwrap().any(|entry| left(&entry.unwrap().file_name())));
        }
        if !flag.is_empty() {
            for args in
                [&[&"sync" as &dyn AsRef<_>, &flag, &src, &asked][..], &[&"unpack", &flag, &archive, &asked]]
            {
                refusing(calls, errno, args).unwrap().expect(3);
            }
        }
    }
}

/// A second run finds that each name is the copy that it left, although nothing told it that there are no links.
#[test]
fn copies_in_the_place_of_hard_links_are_not_made_again() {
    let scratch = Scratch::new();
    linked(&scratch);
    let (src, dst) = (scratch.join("src"), scratch.join("dst"));
    let Some(outcome) = refusing("linkat", "EPERM", &[&"sync", &src, &dst]) else { return };
    outcome.expect(0);
    refusing("linkat", "EPERM", &[&"sync", &src, &dst]).unwrap().expect(0).expect_once("nothing to change");
    refusing("linkat", "EPERM", &[&"sync", &"--hard-links", &src, &dst]).unwrap().expect(3);
    let archive = scratch.join("a.tar.zst");
    for _ in 0..2 {
        let outcome = haul!["unpack", "--update", "--without", "hard-links", &archive, &dst].expect(0);
        outcome.expect_once("nothing to change");
    }
}

/// One entry that refuses is a failure: the destination takes the others.
#[test]
fn an_immutable_file_is_not_a_lack_of_the_destination() {
    let scratch = Scratch::new();
    let (src, dst) = (scratch.join("src"), scratch.join("dst"));
    build(&src, &[file("a", "a").mode(0o600), file("b", "b").mode(0o600)]);
    haul!["sync", &src, &dst].expect(0);
    if !is_root() || !peer("chattr") || !chattr("+i", &dst.join("a")) {
        return leave_out("files cannot be made immutable here");
    }
    for name in ["a", "b"] {
        fs::set_permissions(src.join(name), fs::Permissions::from_mode(0o640)).unwrap();
    }
    let outcome = haul!["sync", &src, &dst];
    assert!(chattr("-i", &dst.join("a")));
    let outcome = outcome.expect(3);
    assert!(!outcome.stderr.contains("warning") && outcome.stderr.contains("the mode of a"), "{outcome}");
    assert_eq!(fs::metadata(dst.join("b")).unwrap().mode() & 0o777, 0o640);
}

fn chattr(flag: &str, path: &Path) -> bool {
    Command::new("chattr").arg(flag).arg(path).status().is_ok_and(|status| status.success())
}

/// On a local file system, too: who wants no attributes pays for none.
#[test]
fn without_extended_attributes_none_of_the_destinations_are_read() {
    let scratch = Scratch::new();
    let (src, dst, log) = (scratch.join("src"), scratch.join("dst"), scratch.join("log"));
    build(&src, &[file("a", "a"), dir("d"), file("d/b", "b")]);
    if !peer("strace") {
        return;
    }
    for flags in [&["--no-xattrs", "--no-acls"][..], &["--without", "xattrs,acls"]] {
        for _ in 0..2 {
            let mut command = Command::new("strace");
            command.args(["-f", "-qq", "-y", "-e", "trace=/listxattr|getxattr", "-o"]).arg(&log);
            command.arg(haul_command().get_program()).arg("sync").args(flags).args([&src, &dst]);
            run(&mut command, None).expect(0);
            let of_dst: Vec<String> = content(&log)
                .lines()
                .filter(|line| line.contains(&*dst.to_string_lossy()))
                .map(str::to_owned)
                .collect();
            let expected = usize::from(flags[0] == "--no-xattrs");
            assert!(of_dst.len() <= expected, "{flags:?}: {of_dst:#?}");
        }
        fs::remove_dir_all(&dst).unwrap();
    }
}

/// ramfs keeps neither extended attributes nor ACLs.
#[test]
fn a_file_system_without_xattrs_is_one_warning_in_every_verb() {
    let scratch = Scratch::new();
    let src = scratch.join("src");
    build(&src, &[file("a", "a").xattr("user.x", "1"), file("d/b", "b").xattr("user.x", "2"), dir("d")]);
    if !keeps_xattr(scratch.path(), "user.x", b"1") {
        return leave_out("the file system keeps no user.* attributes");
    }
    haul!["pack", &src, &scratch.join("a.tar.zst")].expect(0);
    scratch.mkdir("m");
    let script = |command: &str| format!("mount -t ramfs none m || exit 99\nmkdir m/old\n{command}");
    for command in [
        "haul unpack a.tar.zst m/u",
        "haul unpack a.tar.zst m/old",
        "haul unpack --atomic a.tar.zst m/u",
        "haul unpack --update a.tar.zst m/old",
        "haul sync src m/u",
    ] {
        let command = command.replace("haul", env!("CARGO_BIN_EXE_haul"));
        let Some(outcome) = in_private_mounts(scratch.path(), &script(&command)) else { return };
        outcome.expect(0).expect_once("user.*");
    }
    let haul = env!("CARGO_BIN_EXE_haul");
    for (command, code) in [
        ("unpack --xattrs a.tar.zst m/u", 3),
        ("sync --xattrs src m/u", 3),
        ("unpack --no-xattrs a.tar.zst m/u", 0),
        ("sync --no-xattrs src m/u", 0),
    ] {
        let outcome = in_private_mounts(scratch.path(), &script(&format!("{haul} {command}"))).unwrap();
        let outcome = outcome.expect(code);
        assert!(!outcome.stderr.contains("warning"), "{outcome}");
    }
}

#[test]
fn unpack_leaves_out_attributes_and_acls_when_asked_to() {
    let scratch = Scratch::new();
    let src = scratch.join("src");
    build(&src, &[file("a", "a").xattr("user.x", "1")]);
    if !keeps_xattr(scratch.path(), "user.x", b"1") {
        return leave_out("the file system keeps no user.* attributes");
    }
    haul!["pack", &src, &scratch.join("a.tar.zst")].expect(0);
    haul!["unpack", "--no-xattrs", &scratch.join("a.tar.zst"), &scratch.join("u")].expect(0);
    assert_eq!(xattrs(&scratch.join("u/a")), [""; 0]);
    haul!["unpack", &scratch.join("a.tar.zst"), &scratch.join("v")].expect(0);
    assert_eq!(xattrs(&scratch.join("v/a")), ["user.x"]);
}

fn xattrs(path: &Path) -> Vec<String> {
    let mut buffer = vec![0; 4096];
    let len = rustix::fs::llistxattr(path, &mut buffer[..]).unwrap();
    let names = buffer[..len].split(|&b| b == 0).filter(|name| !name.is_empty());
    names
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .filter(|name| name.starts_with("user."))
        .collect()
}

/// A namespace that is refused takes no other with it, and a run after it repairs nothing since nothing is broken.
#[test]
fn one_foreign_attribute_is_left_out_alone() {
    let scratch = Scratch::new();
    let [src, dst] = ["src", "dst"].map(|name| scratch.join(name));
    let names = ["a", "b", "c", "d"];
    build(&src, &[file("a", "a")]);
    if !keeps_xattr(scratch.path(), "user.x", b"1") {
        return leave_out("the file system keeps no user.* attributes");
    }
    // The archive has one more, which no Linux file system but btrfs keeps.
    let tar = "import tarfile, sys\n\
        t = tarfile.open(sys.argv[1], 'w', format=tarfile.PAX_FORMAT)\n\
        for n in 'abcd':\n\
        \x20   i = tarfile.TarInfo(n)\n\
        \x20   i.pax_headers = {'SCHILY.xattr.nowhere.x': '1', 'SCHILY.xattr.user.x': n}\n\
        \x20   t.addfile(i)\n\
        t.close()\n";
    if !peer("python3") {
        return;
    }
    run(Command::new("python3").args(["-c", tar]).arg(scratch.join("a.tar")), None).expect(0);
    let mut command = haul_command();
    command.arg("unpack").args(exact()).arg(scratch.join("a.tar")).arg(&dst);
    let outcome = run(&mut command, None).expect(0);
    if is_root() {
        outcome.expect_once("nowhere.*");
    }
    for name in names {
        assert_eq!(xattrs(&dst.join(name)), ["user.x"], "{name}");
    }
}

/// The content is complete by then: its mode is no reason to lose it.
#[test]
fn outputs_whose_mode_cannot_be_set_are_written_all_the_same() {
    let scratch = Scratch::new();
    let archive = linked(&scratch);
    let (src, list, dst) = (scratch.join("src"), scratch.join("list"), scratch.join("dst"));
    haul!["sync", &src, &dst].expect(0);
    let stamp = scratch.join("stamp");
    let if_changed = format!("--if-changed={}", stamp.display());
    for errno in ["EPERM", "EIO"] {
        let Some(outcome) = refusing("fchmod", errno, &[&"pack", &src, &archive]) else { return };
        outcome.expect(0).expect_once("the mode of the archive");
        haul!["verify", &archive].expect(0);
        let args: [&dyn AsRef<_>; 5] = [&"sync", &"--write-manifest", &list, &src, &dst];
        refusing("fchmod", errno, &args).unwrap().expect(0);
        assert!(content(&list).contains("d/c"));
        let args: [&dyn AsRef<_>; 5] = [&"unpack", &"--update", &if_changed, &archive, &dst];
        refusing("fchmod", errno, &args).unwrap().expect(0);
        for file in [&list, &stamp] {
            fs::remove_file(file).unwrap();
        }
    }
}

/// Killed between two calls, a name is never without something: the file gives way to the directory at one moment.
#[test]
fn a_file_gives_way_to_a_directory_at_one_moment() {
    let scratch = Scratch::new();
    build(&scratch.join("src"), &[dir("x"), file("x/f", "new")]);
    haul!["pack", &scratch.join("src"), &scratch.join("a.tar.zst")].expect(0);
    for when in 1..=3 {
        let dst = scratch.join(&format!("dst{when}"));
        build(&dst, &[file("x", "old")]);
        let Some(_) = refusing_some(
            "renameat2",
            "EIO",
            &format!(":signal=SIGKILL:when={when}"),
            &[&"unpack", &scratch.join("a.tar.zst"), &dst],
        ) else {
            return;
        };
        assert!(dst.join("x").symlink_metadata().is_ok(), "killed at call {when}");
    }
}

#[test]
fn an_update_removes_what_a_killed_run_has_left() {
    let scratch = Scratch::new();
    let archive = linked(&scratch);
    let dst = scratch.join("dst");
    haul!["unpack", &archive, &dst].expect(0);
    fs::write(dst.join(".haul-0123456789abcdef"), "x").unwrap();
    fs::create_dir_all(dst.join("d/.haul-0123456789abcdee/below")).unwrap();
    fs::write(dst.join("d/.haul-kept"), "x").unwrap();
    haul!["unpack", "--update", &archive, &dst].expect(0);
    assert!(!dst.join(".haul-0123456789abcdef").exists());
    assert!(!dst.join("d/.haul-0123456789abcdee").exists());
    assert!(dst.join("d/.haul-kept").exists());
}

#[test]
fn a_read_only_destination_ends_every_deletion_at_once() {
    let scratch = Scratch::new();
    let [src, dst] = ["src", "dst"].map(|name| scratch.join(name));
    build(&src, &[file("a", "a")]);
    haul!["pack", &src, &scratch.join("a.tar.zst")].expect(0);
    haul!["sync", &src, &dst].expect(0);
    for name in ["x", "y", "z"] {
        fs::write(dst.join(name), "x").unwrap();
    }
    for args in [
        &[&"unpack" as &dyn AsRef<_>, &"--update", &"--delete", &"-j1", &scratch.join("a.tar.zst"), &dst][..],
        &[&"sync", &"--delete", &"-j1", &src, &dst],
    ] {
        let Some(outcome) = refusing("unlinkat", "EROFS", args) else { return };
        outcome.expect(1).expect_once("EROFS");
    }
}

/// EFBIG is about one file: the others are there.
#[test]
fn one_file_that_is_too_large_does_not_end_a_mirror() {
    let scratch = Scratch::new();
    let [src, dst] = ["src", "dst"].map(|name| scratch.join(name));
    build(&src, &[file("a", vec![b'x'; 300_000]), file("b", "b"), file("c", "c")]);
    let haul = env!("CARGO_BIN_EXE_haul");
    let script = format!("trap '' XFSZ; ulimit -f 100; exec {haul} sync \"$1\" \"$2\"");
    let outcome = run(Command::new("sh").args(["-c", &script, "sh"]).args([&src, &dst]), None).expect(3);
    outcome.expect_once("EFBIG");
    assert_eq!((content(&dst.join("b")), content(&dst.join("c"))), ("b".to_owned(), "c".to_owned()));
    assert!(!dst.join("a").exists());
}

/// A directory of the destination that becomes a symlink while a tar streams in: what cannot have its name any more is
/// reported, and nothing outside is touched.
#[test]
fn a_directory_replaced_by_a_symlink_while_an_archive_streams_in_is_reported() {
    use std::io::Write;
    let scratch = Scratch::new();
    let [dst, out] = ["dst", "out"].map(|name| scratch.mkdir(name));
    fs::create_dir(dst.join("d")).unwrap();
    build(&scratch.join("src"), &[dir("d"), dir("d/new")]);
    for n in 0..3 {
        fs::write(scratch.join(&format!("src/d/new/f{n}")), vec![n; 2 << 20]).unwrap();
    }
    fs::write(scratch.join("src/z"), vec![9; 3 << 20]).unwrap();
    if !peer("tar") {
        return;
    }
    let tar =
        run(Command::new("tar").arg("-C").arg(scratch.join("src")).args(["-cf", "-", "d/new", "z"]), None)
            .expect(0)
            .stdout;
    let mut child = haul_command();
    child
        .args(["unpack", "-"])
        .arg(&dst)
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = child.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let cut = tar.len() - (2 << 20);
    pipe.write_all(&tar[..cut]).unwrap();
    pipe.flush().unwrap();
    // The last of the files is complete once its data were taken: all of it is behind them in the pipe.
    crate::support::process::wait_until(&mut child, || {
        fs::read_dir(dst.join("d")).unwrap().flatten().any(|entry| entry.path().join("f2").exists())
    });
    fs::rename(dst.join("d"), dst.join("d.moved")).unwrap();
    std::os::unix::fs::symlink(&out, dst.join("d")).unwrap();
    pipe.write_all(&tar[cut..]).unwrap();
    drop(pipe);
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(matches!(ended.status.code(), Some(3 | 5)), "{:?} {said}", ended.status);
    assert!(said.contains("d/new"), "{said}");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
}

/// For root, XFS shows each ACL a second time, as `trusted.SGI_ACL_*`. That is neither read nor removed, so a second run has
/// nothing to do, and the ACLs are there after every run.
#[test]
fn acls_on_xfs_outlive_a_second_run() {
    if !is_root() {
        return leave_out("loop devices need root");
    }
    if !peer("mkfs.xfs") || !peer("setfacl") {
        return;
    }
    let scratch = Scratch::new();
    scratch.mkdir("xfs");
    build(&scratch.join("src"), &[file("f", "f"), dir("d"), file("d/g", "g")]);
    let script = "\
        truncate -s 320M image && mkfs.xfs -q image >&2 && mount -o loop image xfs || exit 99
        setfacl -m u:12345:rw src/f && setfacl -d -m u:12345:rw src/d || exit 99
        $HAUL pack src a.tar.zst || exit
        for run in 1 2 3; do
            $HAUL sync src xfs/mirror && $HAUL diff -q src xfs/mirror || exit
            $HAUL unpack --update a.tar.zst xfs/unpacked && $HAUL diff -q src xfs/unpacked || exit
            for dst in mirror unpacked; do
                getfacl -c xfs/$dst/f | grep -q user:12345:rw- || exit 97
                getfacl -dc xfs/$dst/d | grep -q user:12345:rw- || exit 97
            done
        done
        $HAUL pack xfs/mirror b.tar.zst && $HAUL verify b.tar.zst src || exit
        $HAUL list -l b.tar.zst | grep -q SGI_ACL && exit 97
        exit 0";
    let Some(outcome) = in_private_mounts(scratch.path(), script) else { return };
    if outcome.code() == Some(99) {
        return leave_out("there is no XFS that can be mounted");
    }
    outcome.expect(0);
}

//! Metadata: set where it differs, without content being copied, left alone where asked, and changed on the way.

use crate::support::mirror::{Pair, Rivals, assert_like_rsync, count, mirror};
use crate::support::oracle::{is_root, leave_out, peer};
use crate::support::scratch::Scratch;
use crate::support::snapshot::{Fields, Snapshot};
use crate::support::tree::{
    Node, build, char_device, dir, fifo, file, hard_link, keeps_xattr, socket, symlink,
};
use std::os::unix::fs::MetadataExt;

const OTHER_ACCESS: [(u16, u16, u32); 5] = [(1, 7, !0), (2, 4, 77), (4, 0, !0), (16, 7, !0), (32, 1, !0)];
const ACCESS: [(u16, u16, u32); 5] = [(1, 6, !0), (2, 5, 1000), (4, 4, !0), (16, 7, !0), (32, 0, !0)];

/// Two trees of the same contents and of metadata that differ in everything.
fn trees(place: &std::path::Path) -> (Vec<Node>, Vec<Node>) {
    let mut src = vec![
        dir("").mode(0o750),
        file("mode", "m").mode(0o755),
        file("special", "m").mode(0o4711),
        file("read-only", "m").mode(0o444),
        file("time", "t"),
        file("new/file", "n").mode(0o640),
        file("new/script", "n").mode(0o755),
        dir("new/dir").mode(0o2770),
        dir("dir").mode(0o700).mtime(1_600_000_000, 9),
        file("dir/file", "d"),
        symlink("link", "x"),
        file("pair", "p"),
        hard_link("pair2", "pair"),
        fifo("fifo").mode(0o600),
        fifo("new/fifo").mode(0o640),
        socket("new/socket"),
        file("content", "new and longer").mode(0o755),
    ];
    let mut dst = vec![
        file("mode", "m").mode(0o600),
        file("special", "m").mode(0o755),
        file("read-only", "m").mode(0o666),
        file("time", "t").mtime(1_500_000_000, 1),
        dir("dir").mode(0o755).mtime(1_500_000_000, 2),
        file("dir/file", "d"),
        symlink("link", "x").mtime(1_500_000_000, 3),
        file("pair", "p"),
        hard_link("pair2", "pair"),
        fifo("fifo").mode(0o666),
        file("content", "old").mode(0o640),
    ];
    add_xattrs(place, &mut src, &mut dst);
    add_owners(&mut src, &mut dst);
    (src, dst)
}

fn add_xattrs(place: &std::path::Path, src: &mut Vec<Node>, dst: &mut Vec<Node>) {
    if keeps_xattr(place, "user.probe", b"")
        && keeps_xattr(place, "system.posix_acl_access", &crate::support::tree::acl(&ACCESS))
    {
        src.extend([
            file("xattr", "x").xattr("user.a", "new").xattr("user.b", "b"),
            file("xattr-gone", "x"),
            dir("xattr-dir").xattr("user.d", "d"),
            file("acl", "x").mode(0o670).acl("system.posix_acl_access", &ACCESS),
            file("acl-gone", "x").mode(0o640),
            dir("acl-dir").acl("system.posix_acl_default", &ACCESS),
            file("new/both", "x").mode(0o670).acl("system.posix_acl_access", &ACCESS).xattr("user.a", "b"),
        ]);
        dst.extend([
            file("xattr", "x").xattr("user.a", "old").xattr("user.c", "c"),
            file("xattr-gone", "x").xattr("user.a", "old"),
            dir("xattr-dir"),
            file("acl", "x").mode(0o670),
            file("acl-gone", "x").mode(0o670).acl("system.posix_acl_access", &ACCESS),
            dir("acl-dir").acl("system.posix_acl_default", &OTHER_ACCESS),
        ]);
    } else {
        leave_out("this file system keeps no xattrs or no ACLs");
    }
}

fn add_owners(src: &mut Vec<Node>, dst: &mut Vec<Node>) {
    if is_root() {
        src.extend([
            file("owner", "o").owner(1000, 1001),
            file("new/owner", "o").owner(1002, 1003).mode(0o6755),
            symlink("owner-link", "x").owner(5, 6),
            char_device("new/null", 1, 3),
        ]);
        dst.extend([file("owner", "o").owner(7, 8), symlink("owner-link", "x")]);
    } else {
        leave_out("owners and devices need root");
    }
}

#[track_caller]
fn compare(args: &[&str]) {
    let scratch = Scratch::in_memory();
    let (src, dst) = trees(scratch.path());
    assert_like_rsync(args, &src, &dst);
}

#[test]
fn metadata_is_set_without_content_being_copied() {
    let scratch = Scratch::in_memory();
    let (src, dst) = trees(scratch.path());
    let known =
        |node: &Node| !node.path.starts_with(b"new") && node.path != b"content" && node.path != b"time";
    let [src, dst] = [src, dst].map(|nodes| nodes.into_iter().filter(known).collect::<Vec<_>>());
    let pair = Pair::over(&src, &dst);
    let before = pair.dst.join("mode").metadata().unwrap().ino();
    let outcome = pair.mirror(&["--json"]).expect(0);
    pair.assert_same();
    assert_eq!(pair.dst.join("mode").metadata().unwrap().ino(), before, "the file is still the same");
    assert_eq!(
        (count(&outcome, "copied_bytes"), count(&outcome, "updated"), count(&outcome, "created")),
        (0, 0, 0)
    );
    assert!(count(&outcome, "metadata_set") > 5, "{}", outcome.text());
}

#[test]
fn each_kind_of_metadata_can_be_left_out() {
    for args in [
        &["--no-perms"][..],
        &["--no-owner"],
        &["--no-group"],
        &["--no-owner", "--no-group", "--no-perms"],
        &["--omit-dir-times"],
        &["--omit-link-times"],
        &["-O", "-J"],
        &["--no-devices"],
        &["--no-specials"],
        &["--no-devices", "--no-specials"],
        &["--numeric-ids"],
    ] {
        compare(args);
    }
    for (ours, theirs) in [
        (&["--no-xattrs"][..], &["--no-xattrs"][..]),
        (&["--no-acls"], &["--no-acls"]),
        (&["--no-acls", "--no-xattrs"], &["--no-acls", "--no-xattrs"]),
        (&["--no-acls", "--no-perms"], &["--no-acls", "--no-perms"]),
        (&["--no-hard-links"], &["--no-hard-links"]),
        // Without times, a file that looks changed is copied each time, unless something other than its time is
        // compared.
        (&["--no-times", "--checksum"], &["--no-times", "--checksum"]),
        (&["--no-times", "--size-only"], &["--no-times", "--size-only"]),
    ] {
        if !peer("rsync") {
            return;
        }
        let scratch = Scratch::in_memory();
        let (src, dst) = trees(scratch.path());
        let fields = Fields { names: !ours.contains(&"--no-hard-links"), ..crate::support::mirror::SHARED };
        Rivals::new(&src, &dst).run_with(ours, theirs).assert_alike_in(fields);
    }
}

#[test]
fn where_groups_are_not_kept_a_directory_gives_its_own() {
    if !is_root() {
        eprintln!("SKIPPED: only root can give directories to any group");
        return;
    }
    let source = |mode| {
        let files = [file("d/f", "f"), symlink("d/l", "f"), fifo("d/p"), dir("d/sub"), file("d/sub/f", "f")];
        [vec![dir("d").mode(mode).owner(0, 1000)], files.to_vec()].concat()
    };
    for src in [0o755, 0o2755] {
        for dst in [None, Some(0o755), Some(0o2755)] {
            let dst = dst.map(|mode| dir("d").mode(mode).owner(0, 2));
            for args in [&["--no-group"][..], &["--no-group", "--no-perms"], &["--no-group", "--chmod=Dg+s"]]
            {
                assert_like_rsync(args, &source(src), dst.as_slice());
            }
        }
    }
}

#[test]
fn without_hard_links_each_name_is_a_file_of_its_own() {
    let pair = Pair::new(&[file("a", "x"), hard_link("b", "a"), hard_link("dir/c", "a")]);
    pair.mirror(&["--no-hard-links"]).expect(0);
    Snapshot::of(&pair.src).assert_same(&Snapshot::of(&pair.dst), Fields { names: false, ..Fields::ALL });
    assert!(Snapshot::of(&pair.dst).0.values().all(|node| node.names.is_empty()));
}

#[test]
fn modes_are_changed_on_the_way() {
    for chmod in [
        "D755,F644",
        "u=rwX,go=rX",
        "go-w",
        "Du+s,Fa-x",
        "a+X",
        "F=r",
        "Dg+s",
        "ug=rwx,o=",
        "D2775,F0600",
        "o+t",
        "u+s,g+s",
        "g=u",
        "+x",
    ] {
        compare(&[&format!("--chmod={chmod}")]);
    }
    compare(&["--chmod=D700", "--chmod=F600"]);
    // Where xattrs differ, rsync changes the modes of files that are there, too.
    compare(&["--chmod=F600", "--no-perms", "--no-xattrs"]);
}

#[test]
fn a_change_of_modes_or_owners_that_is_none_is_refused() {
    let pair = Pair::new(&[file("a", "x")]);
    for flag in ["--chmod=nonsense", "--chmod=F999", "--usermap=no-arrow"] {
        let outcome = pair.mirror(&[flag]);
        assert!(matches!(outcome.code(), Some(1 | 2)), "{flag}: {outcome}");
        assert!(!pair.dst.exists(), "{flag}");
    }
}

#[test]
fn executability_alone_can_be_kept() {
    compare(&["--no-perms", "--executability"]);
    compare(&["--no-perms", "-E"]);
}

#[test]
fn owners_are_mapped_on_the_way() {
    if !is_root() {
        leave_out("only root can give files away");
        return;
    }
    for args in [
        &["--chown=1234:4321"][..],
        &["--chown=1234"],
        &["--chown=:4321"],
        &["--chown=daemon:daemon"],
        &["--usermap=1000:77,0-99:88,*:99"],
        &["--usermap=root:5", "--groupmap=*:6"],
        &["--groupmap=0:1001,1001:0"],
        &["--usermap=1000-1002:daemon"],
        &["--numeric-ids", "--usermap=0:3"],
        &["--numeric-ids", "--usermap=root:5"],
        // rsync then maps no ids in ACLs; haul does.
        &["--numeric-ids", "--usermap=:5", "--groupmap=:6", "--no-acls"],
    ] {
        compare(args);
    }
}

#[test]
fn access_times_are_kept_when_asked() {
    let pair = Pair::new(&[file("a", "x"), dir("dir"), file("dir/b", "y")]);
    let set = |path: &std::path::Path, seconds| {
        let time = |tv_sec| rustix::fs::Timespec { tv_sec, tv_nsec: 77 };
        let times =
            rustix::fs::Timestamps { last_access: time(seconds), last_modification: time(1_600_000_000) };
        rustix::fs::utimensat(rustix::fs::CWD, path, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
    };
    for (name, seconds) in [("a", 1_650_000_000), ("dir/b", 1_660_000_000)] {
        set(&pair.src.join(name), seconds);
    }
    pair.mirror(&["--atimes"]).expect(0);
    for (name, seconds) in [("a", 1_650_000_000), ("dir/b", 1_660_000_000)] {
        let meta = pair.dst.join(name).metadata().unwrap();
        assert_eq!((meta.atime(), meta.atime_nsec()), (seconds, 77), "{name}");
    }
}

#[test]
fn a_setuid_bit_and_a_capability_survive_a_change_of_content_and_owner() {
    if !is_root() {
        leave_out("owners and capabilities need root");
        return;
    }
    let capability = [&0x0200_0001u32.to_le_bytes()[..], &(1u32 << 10).to_le_bytes(), &[0; 12]].concat();
    let src = [
        file("a", "new").owner(1000, 1000).mode(0o6755),
        file("b", "same").owner(1000, 1000).mode(0o6755),
        file("c", "same").owner(1000, 1000).mode(0o755).xattr("security.capability", &capability),
    ];
    let pair = Pair::over(&src, &[file("a", "old one"), file("b", "same"), file("c", "same")]);
    pair.mirror(&[]).expect(0);
    pair.assert_same();
    build(&pair.src, &[]);
    pair.mirror(&["--inplace", "--ignore-times"]).expect(0);
    pair.assert_same();
}

#[test]
fn read_only_directories_are_filled_and_stay_read_only() {
    let src = [
        dir("a").mode(0o555),
        dir("a/b").mode(0o500),
        file("a/b/new", "n"),
        file("a/changed", "new").mode(0o400),
    ];
    let dst =
        [dir("a").mode(0o555), dir("a/b").mode(0o555), file("a/b/gone", "g"), file("a/changed", "old one")];
    let pair = Pair::over(&src, &dst);
    pair.mirror(&["--delete"]).expect(0);
    pair.assert_same();
}

/// A group counts as one entry and so many hard links, whether they were there, are made, or only would be.
#[test]
fn hard_links_are_counted_as_such() {
    let group = ["a", "b", "dir/c", "dir/d"];
    let mut src = vec![file("a", "12345"), symlink("s", "a"), hard_link("s2", "s"), file("single", "1")];
    src.extend(group[1..].iter().map(|name| hard_link(*name, "a")));
    let pair = Pair::new(&src);
    let dry = pair.mirror(&["--json", "-n"]).expect(0);
    let first = pair.mirror(&["--json"]).expect(0);
    let second = pair.mirror(&["--json"]).expect(0);
    for outcome in [&dry, &first, &second] {
        let counts = ["files", "symlinks", "hard_links", "directories", "content_bytes"];
        assert_eq!(counts.map(|name| count(outcome, name)), [2, 1, 4, 2, 6], "{}", outcome.text());
    }
    assert_eq!([&dry, &first, &second].map(|outcome| count(outcome, "linked")), [4, 4, 0]);
    let stats = pair.mirror(&["--stats"]).expect(0);
    assert!(stats.text().contains("Hard links: 4\n"), "{}", stats.text());
    // What is joined to another tree's file is a file all the same.
    build(&pair.scratch.join("other"), &[file("single", "1")]);
    let linked = pair.scratch.join("linked");
    let outcome = mirror(&["--json", "--link-dest=../other"], &pair.src, &linked).expect(0);
    assert_eq!(["files", "hard_links", "linked"].map(|name| count(&outcome, name)), [2, 4, 5]);
}

/// As with rsync: a single such rule makes the rules decide everything, on either side, except ACLs.
#[test]
fn rules_choose_extended_attributes_by_name() {
    let scratch = Scratch::in_memory();
    if !keeps_xattr(scratch.path(), "user.probe", b"") {
        return leave_out("this file system keeps no user xattrs");
    }
    let xattrs = |node: Node, names: &[(&str, &str)]| {
        names.iter().fold(node, |node, (name, value)| node.xattr(format!("user.{name}"), value))
    };
    let theirs = [("a", "1"), ("b", "2"), ("new", "3"), ("app.one", "4")];
    let ours = [("a", "1"), ("b", "other"), ("old", "5"), ("app.two", "6")];
    let src = [
        xattrs(file("same", "x"), &theirs),
        xattrs(file("changed", "new"), &theirs),
        xattrs(file("new", "n"), &theirs),
        xattrs(dir("dir"), &theirs),
    ];
    let dst = [
        xattrs(file("same", "x"), &ours),
        xattrs(file("changed", "older"), &ours),
        xattrs(dir("dir"), &ours),
    ];
    for rules in [
        &["-f", "-x user.b"][..],
        &["-f", "-x user.app.*"],
        &["-f", "-xr *"],
        &["-f", "-xs user.new"],
        &["-f", "-xr user.old"],
        &["-f", "-xr! user.*"],
        &["-f", "+x user.a", "-f", "-x *"],
        &["-f", "-x user.a", "-f", "!", "-f", "-x user.b"],
        &["-f", "- user.b", "-f", "-x user.new"],
    ] {
        assert_like_rsync(rules, &src, &dst);
    }
}

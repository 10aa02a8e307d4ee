//! `haul diff`: every kind of difference, on sides of every form.

use crate::props::{Edit, apply, draft, edit, few, tree};
use crate::support::mirror::mirror;
use crate::support::oracle::{Outcome, haul, haul_command, is_root, leave_out, run};
use crate::support::scratch::Scratch;
use crate::support::snapshot::{Fields, Snapshot};
use crate::support::steps;
use crate::support::tar::Tar;
use crate::support::tree::{
    Node, block_device, build, char_device, dir, fifo, file, hard_link, keeps_xattr, sparse, symlink,
};
use crate::support::trees::{noise, text};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Two trees, and an archive of each.
struct Sides {
    scratch: Scratch,
}

const SRC: [&str; 2] = ["a", "a.tar.zst"];
const DST: [&str; 2] = ["b", "b.tar.zst"];

impl Sides {
    fn of(src: &[Node], dst: &[Node]) -> Self {
        let sides = Sides { scratch: Scratch::new() };
        build(&sides.path("a"), src);
        build(&sides.path("b"), dst);
        sides.pack();
        sides
    }

    fn pack(&self) {
        for [tree, archive] in [SRC, DST] {
            haul!["pack", "-q", &self.path(tree), &self.path(archive)].expect(0);
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    fn diff(&self, args: &[&str], src: &str, dst: &str) -> Outcome {
        run(haul_command().arg("diff").args(args).arg(self.path(src)).arg(self.path(dst)), None)
    }

    /// The lines, which must be the same whatever form the sides have.
    #[track_caller]
    fn lines(&self, args: &[&str]) -> Vec<String> {
        let lines = self.diff(args, SRC[0], DST[0]).lines();
        let code = if lines.is_empty() { 0 } else { 4 };
        for src in SRC {
            for dst in DST {
                let outcome = self.diff(args, src, dst).expect(code);
                assert_eq!(outcome.lines(), lines, "{src} {dst}");
            }
        }
        lines
    }
}

/// What differs between two trees of one entry or a few.
#[track_caller]
fn assert_lines(src: &[Node], dst: &[Node], expected: &[&str]) {
    assert_eq!(Sides::of(src, dst).lines(&[]), expected);
}

#[test]
fn every_kind_of_difference_has_its_line() {
    let node = || file("n", "content");
    assert_lines(&[node()], &[node()], &[]);
    for (src, dst, line) in [
        (node(), file("n", "c0ntent"), ">fc........ n"),
        (node(), file("n", "longer content"), ">f.s....... n"),
        (node(), file("n", "c0ntent").mode(0o600).mtime(5, 6), ">fc.tp..... n"),
        (node(), node().mtime(1_700_000_000, 123_456_788), ".f..t...... n"),
        (node(), node().mode(0o4644), ".f...p..... n"),
        (dir("n"), dir("n").mode(0o700), ".d...p..... n/"),
        (dir("n"), dir("n").mtime(5, 6), ".d..t...... n/"),
        (dir("").mode(0o700), dir("").mode(0o755), ".d...p..... ./"),
        (symlink("n", "x"), symlink("n", "y"), "cLc........ n -> x"),
        (symlink("n", "x"), symlink("n", "x").mtime(5, 6), ".L..t...... n -> x"),
        (fifo("n"), fifo("n").mode(0o600), ".S...p..... n"),
        (node(), dir("n"), ">f+++++++++ n"),
        (dir("n"), node(), "cd+++++++++ n/"),
        (symlink("n", "x"), node(), "cL+++++++++ n -> x"),
        (fifo("n"), symlink("n", "x"), "cS+++++++++ n"),
    ] {
        assert_lines(&[src], &[dst], &[line]);
    }
    assert_lines(&[node()], &[dir("")], &[">f+++++++++ n"]);
    assert_lines(&[dir("")], &[dir("d"), file("d/n", "")], &["*deleting   d/", "*deleting   d/n"]);
    assert_lines(&[file("d", "")], &[file("d/n", "")], &[">f+++++++++ d", "*deleting   d/n"]);
    // Files with other holes have the same content.
    let data = noise(1, 8192);
    let full = [data.clone(), vec![0; 1 << 20]].concat();
    let holes = sparse("n", (1 << 20) + 8192, &[(0, &data)]);
    assert_lines(&[holes], &[file("n", full)], &[]);
}

#[test]
fn xattrs_and_acls_have_columns_of_their_own() {
    let scratch = Scratch::new();
    let node = || file("n", "content");
    if keeps_xattr(scratch.path(), "user.probe", b"") {
        assert_lines(&[node().xattr("user.a", "1")], &[node().xattr("user.a", "2")], &[".f........x n"]);
        assert_lines(&[dir("n")], &[dir("n").xattr("user.a", "2")], &[".d........x n/"]);
        let sides = Sides::of(&[node()], &[node().xattr("user.a", "2")]);
        assert_eq!(sides.lines(&["--no-xattrs"]), [] as [&str; 0]);
    } else {
        leave_out("this file system keeps no user xattrs");
    }
    let acl = [(1, 6, !0), (2, 4, 1000), (4, 4, !0), (16, 4, !0), (32, 4, !0)];
    if keeps_xattr(scratch.path(), "system.posix_acl_access", &crate::support::tree::acl(&acl)) {
        let with = node().acl("system.posix_acl_access", &acl);
        assert_lines(std::slice::from_ref(&with), &[node()], &[".f.......a. n"]);
        assert_eq!(Sides::of(&[with], &[node()]).lines(&["--no-acls"]), [] as [&str; 0]);
    } else {
        leave_out("this file system keeps no ACLs");
    }
}

#[test]
fn owners_and_devices_are_compared() {
    if !is_root() {
        return leave_out("foreign owners and devices need root");
    }
    let node = || file("n", "");
    assert_lines(&[node().owner(12_345, 0)], &[node().owner(12_346, 0)], &[".f....o.... n"]);
    assert_lines(&[node().owner(0, 12_345)], &[node().owner(0, 12_346)], &[".f.....g... n"]);
    assert_lines(&[char_device("n", 1, 3)], &[char_device("n", 1, 5)], &["cDc........ n"]);
    assert_lines(&[char_device("n", 1, 3)], &[block_device("n", 1, 3)], &["cD+++++++++ n"]);
    let sides = Sides::of(&[node().owner(12_345, 7)], &[node().owner(12_346, 8)]);
    assert_eq!(sides.lines(&["--no-owner", "--no-group"]), [] as [&str; 0]);
}

#[test]
fn hard_link_groups_are_sets_of_names() {
    let group = |first: &str, others: &[&str]| -> Vec<Node> {
        let links = others.iter().map(|name| hard_link(name, first));
        std::iter::once(file(first, "one")).chain(links).collect()
    };
    assert_lines(&group("a", &["b", "c"]), &group("c", &["a", "b"]), &[]);
    // A name joins, and a name leaves.
    let apart = [file("a", "one"), file("b", "one"), file("c", "one")];
    assert_lines(&group("a", &["b", "c"]), &apart, &["hf          b => a", "hf          c => a"]);
    assert_lines(&apart, &group("a", &["b", "c"]), &[">f+++++++++ b", ">f+++++++++ c"]);
    // A group that loses or gains its first name is listed with that name only.
    assert_lines(&group("b", &["c"]), &group("a", &["b", "c"]), &["*deleting   a"]);
    assert_lines(&group("a", &["b", "c"]), &group("b", &["c"]), &["hf+++++++++ a => b"]);
    // The content of a group is listed once.
    let mut other = group("a", &["b"]);
    other[0] = file("a", "two");
    assert_lines(&group("a", &["b"]), &other, &[">fc........ a"]);
}

#[test]
fn a_filter_that_takes_the_first_name_leaves_the_content() {
    let sides = Sides::of(
        &[file("a", "one"), hard_link("d/b", "a"), hard_link("d/c", "a")],
        &[file("a", "two"), hard_link("d/b", "a"), hard_link("d/c", "a")],
    );
    assert_eq!(sides.lines(&["--exclude=/a"]), [">fc........ d/b"]);
    assert_eq!(sides.lines(&["--only=c"]), [">fc........ d/c"]);
    assert_eq!(sides.lines(&["--exclude=d", "--exclude=a"]), [] as [&str; 0]);
}

#[test]
fn flags_leave_out_what_is_not_to_be_compared() {
    let old = file("content", "old").mtime(5, 5);
    let sides = Sides::of(
        &[file("content", "new").mtime(5, 5), file("mode", ""), file("time", ""), file("size", "")],
        &[old, file("mode", "").mode(0o600), file("time", "").mtime(6, 6), file("size", "x")],
    );
    let (content, mode) = (">fc........ content", ".f...p..... mode");
    let (size, time) = (">f.s....... size", ".f..t...... time");
    assert_eq!(sides.lines(&[]), [content, mode, size, time]);
    assert_eq!(sides.lines(&["--quick"]), [mode, size, time]);
    assert_eq!(sides.lines(&["--size-only", "--no-times"]), [mode, size]);
    assert_eq!(sides.lines(&["--no-perms"]), [content, size, time]);
    assert_eq!(sides.lines(&["--no-perms", "--no-times", "--exclude=size"]), [content]);
    // Where the time differs, a quick comparison looks at the content, too.
    let sides = Sides::of(&[file("n", "new").mtime(7, 0)], &[file("n", "old").mtime(5, 5)]);
    assert_eq!(sides.lines(&["--quick", "--no-times"]), [">fc........ n"]);
}

/// Nodes that show each form of line, without what a mirror does in another way.
fn two_versions() -> [Vec<Node>; 2] {
    let old = vec![
        file("bin/tool", text(1, 9000)),
        file("lib/a.py", "a = 1\n"),
        file("lib/b.py", "b = 1\n").mode(0o600),
        file("lib/gone.py", ""),
        symlink("lib/link", "a.py"),
        file("gone/below/file", "x"),
        file("large", noise(1, 9 << 20)),
    ];
    let mut large = noise(1, 9 << 20);
    large[5 << 20] ^= 1;
    let new = vec![
        file("bin/tool", text(1, 9000)).mtime(1_700_000_001, 0),
        file("lib/a.py", "a = 2\n").mtime(1_700_000_001, 0),
        file("lib/b.py", "b = 1\n"),
        file("lib/new.py", "new\n"),
        symlink("lib/link", "b.py"),
        dir("new/empty"),
        file("large", large),
    ];
    [new, old]
}

#[test]
fn the_lines_are_those_of_a_dry_run_of_sync() {
    let [new, old] = two_versions();
    let sides = Sides::of(&new, &old);
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    let told = mirror(&["-n", "-i", "--delete", "--checksum"], &sides.path("a"), &sides.path("b")).expect(0);
    assert_eq!(sorted(sides.lines(&[])), sorted(told.lines()));
    assert_eq!(sides.lines(&[]).len(), 12);
}

#[test]
fn output_has_the_form_that_was_asked_for() {
    let [new, old] = two_versions();
    let sides = Sides::of(&new, &old);
    let lines = sides.lines(&[]);
    for quiet in [&["-q"][..], &["-q", "--stat"], &["-q", "-i"]] {
        let outcome = sides.diff(quiet, "a", "b.tar.zst").expect(4);
        assert_eq!((outcome.text().as_str(), outcome.stderr.as_str()), ("", ""));
    }
    let report: Value = serde_json::from_slice(&sides.diff(&["--json"], "a", "b").expect(4).stdout).unwrap();
    assert_eq!(report["differences"].as_array().unwrap().len(), lines.len());
    assert_eq!((&report["command"], &report["exit_code"]), (&"diff".into(), &4.into()));
    let objects = sides.diff(&["--json", "-v"], "a", "b").expect(4);
    let (steps, end) = steps_of(&objects);
    assert_eq!(end["differences"], report["differences"]);
    let columns: Vec<_> = steps.iter().map(|step| step["itemize"].as_str().unwrap()).collect();
    assert!(lines.iter().zip(&columns).all(|(line, columns)| line.starts_with(columns)), "{columns:?}");
    assert_eq!(columns.len(), lines.len());

    let table = sides.lines(&["--stat"]);
    let row = |name: &str| {
        let row = table.iter().rfind(|row| row.split_whitespace().next() == Some(name)).unwrap();
        row.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(row("lib/"), ["1", "1", "3", "10", "6"]);
    assert_eq!(row("./"), ["0", "0", "1", "9,437,184", "9,437,184"]);
    assert_eq!(row("gone/"), ["0", "3", "0", "0", "1"]);
    assert_eq!(row(".py"), ["1", "1", "2", "10", "6"]);
    assert_eq!(row("directory"), ["2", "2", "0", "0", "0"]);
    sides.diff(&["--json", "--stat"], "a", "b").expect(2);
}

#[test]
fn two_archives_are_compared_without_their_data() {
    let [new, old] = two_versions();
    let sides = Sides::of(&new, &old);
    let lines = sides.lines(&[]);
    for name in ["a.tar.zst", "b.tar.zst"] {
        let mut bytes = std::fs::read(sides.path(name)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes[20] ^= 1;
        std::fs::write(sides.path(name), bytes).unwrap();
        haul!["verify", "-q", &sides.path(name)].expect(5);
    }
    assert_eq!(sides.diff(&[], "a.tar.zst", "b.tar.zst").expect(4).lines(), lines);
    assert_eq!(sides.diff(&[], "a.tar.zst", "a").expect(0).lines(), [] as [&str; 0]);
}

#[test]
fn damage_that_is_met_is_told() {
    let [new, old] = two_versions();
    let sides = Sides::of(&new, &old);
    let archive = std::fs::read(sides.path("a.tar.zst")).unwrap();
    // Half of it has no index and no end; one byte of the index is not what its checksum says.
    let mut index = archive.clone();
    let at = index.len() - 300;
    index[at] ^= 1;
    for bytes in [&archive[..archive.len() / 2], &index, b"no archive at all"] {
        sides.scratch.write("damaged", bytes);
        for (src, dst) in [("damaged", "b"), ("b", "damaged"), ("damaged", "b.tar.zst")] {
            let outcome = sides.diff(&[], src, dst).expect(5);
            assert_eq!(outcome.text(), "");
        }
    }
    sides.diff(&[], "a", "nowhere").expect(1).expect_once("nowhere");
    sides.diff(&[], "nowhere", "a.tar.zst").expect(1).expect_once("nowhere");
}

#[test]
fn an_archive_without_an_index_is_read_from_front_to_back() {
    let [new, old] = two_versions();
    let sides = Sides::of(&new, &old);
    let lines = sides.lines(&[]);
    let plain = |name: &str| {
        let archive = std::fs::read(sides.path(name)).unwrap();
        zstd::decode_all(&archive[..]).unwrap()
    };
    let [src, dst] = ["a.tar.zst", "b.tar.zst"].map(plain);
    sides.scratch.write("a.tar", &src);
    sides.scratch.write("b.tar", &dst);
    assert_eq!(sides.diff(&[], "a.tar", "b.tar").expect(4).lines(), lines);
    assert_eq!(sides.diff(&[], "a.tar", "a").expect(0).lines(), [] as [&str; 0]);
    let piped = |args: [&Path; 2], stdin: &[u8]| run(haul_command().arg("diff").args(args), Some(stdin));
    assert_eq!(piped([Path::new("-"), &sides.path("b")], &src).expect(4).lines(), lines);
    assert_eq!(piped([&sides.path("a.tar.zst"), Path::new("-")], &dst).expect(4).lines(), lines);
    piped([Path::new("-"), Path::new("-")], &src).expect(2);
}

#[test]
fn an_archive_need_not_name_its_directories() {
    let scratch = Scratch::new();
    let archive = scratch.write("plain.tar", Tar::new().file("d/e/f", "x").file("d/gone", "").end());
    let nodes = [file("d/e/f", "x"), dir("d/empty")];
    build(&scratch.join("tree"), &nodes);
    let flags = ["--no-times", "--no-perms", "--no-owner", "--no-group"];
    let diff = |src: &Path, dst: &Path| {
        run(haul_command().arg("diff").args(flags).args([src, dst]), None).expect(4).lines()
    };
    let tree = scratch.join("tree");
    assert_eq!(diff(&archive, &tree), ["*deleting   d/empty/", ">f+++++++++ d/gone"]);
    assert_eq!(diff(&tree, &archive), ["cd+++++++++ d/empty/", "*deleting   d/gone"]);
    // To verify, d and d/e are not too much either.
    let verified = haul!["verify", &archive, &tree].expect(4).lines();
    let paths = verified.iter().map(|line| line.split(':').next().unwrap());
    // The owner of d/e/f depends on who runs this.
    assert_eq!(paths.filter(|path| *path != "d/e/f").collect::<Vec<_>>(), ["d/empty", "d/gone"]);
}

#[test]
fn what_cannot_be_read_is_named_and_not_called_different() {
    if is_root() {
        return leave_out("root reads everything");
    }
    let nodes = [file("d/below", "x"), file("secret", "x"), file("z", "1")];
    let sides = Sides::of(&nodes, &[file("d/below", "x"), file("secret", "y"), file("z", "2")]);
    for (name, mode) in [("b/d", 0), ("b/secret", 0)] {
        std::fs::set_permissions(sides.path(name), std::os::unix::fs::PermissionsExt::from_mode(mode))
            .unwrap();
    }
    for src in SRC {
        let outcome = sides.diff(&["--no-perms"], src, "b").expect(3);
        assert_eq!(outcome.lines(), [">fc........ z"]);
        outcome.expect_once("cannot open secret").expect_once("cannot open d:");
    }
    std::fs::set_permissions(sides.path("b/d"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

/// The steps, and the report after them.
fn steps_of(outcome: &Outcome) -> (Vec<Value>, Value) {
    let mut steps: Vec<Value> =
        outcome.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let report = steps.pop().unwrap();
    (steps, report)
}

/// What happens to a draft of the first tree in the second.
fn fate() -> impl Strategy<Value = (bool, bool)> {
    (prop::bool::weighted(0.8), prop::bool::weighted(0.8))
}

proptest! {
    #![proptest_config(few(24))]

    #[test]
    fn the_list_is_empty_when_trees_are_equal_and_turns_one_into_the_other(
        drafts in prop::collection::vec((draft(), fate()), 0..30),
        edits in prop::collection::vec((any::<Index>(), edit()), 0..4),
        threads in select(vec!["1", "3"]),
    ) {
        let of = |is_in: fn(&(bool, bool)) -> bool| -> Vec<_> {
            drafts.iter().filter(|(_, fate)| is_in(fate)).map(|(draft, _)| draft.clone()).collect()
        };
        let scratch = Scratch::new();
        let xattrs = keeps_xattr(scratch.path(), "user.probe", b"");
        let sides = Sides { scratch };
        build(&sides.path("a"), &tree(&of(|fate| fate.0), xattrs));
        build(&sides.path("b"), &tree(&of(|fate| fate.1), xattrs));
        for (which, edit) in edits {
            edit_one(&sides.path("b"), which, edit);
        }
        sides.pack();

        let (src, dst) = (sides.path("a"), sides.path("b"));
        let fields = Fields { holes: false, ..Fields::ALL };
        let expected = Snapshot::of(&src).diff(&Snapshot::of(&dst), fields);
        let lines = sides.lines(&["-j", threads]);
        prop_assert_eq!(lines.is_empty(), expected.is_empty(), "{:?} {:?}", lines, expected);

        let (list, _) = steps_of(&sides.diff(&["--json", "-v"], "a.tar.zst", "b.tar.zst"));
        let paths: BTreeSet<_> = list.iter().map(steps::path_of).collect();
        prop_assert_eq!(paths.len(), list.len(), "a path is listed twice");
        steps::carry_out(&list, &src, &dst);
        let left = Snapshot::of(&src).diff(&Snapshot::of(&dst), fields);
        prop_assert!(left.is_empty(), "{:?}\n{}", lines, left.join("\n"));
        prop_assert_eq!(sides.diff(&[], "a.tar.zst", "b").expect(0).text(), "");
    }
}

/// Edits one entry of the tree, if it can be edited in this way.
fn edit_one(root: &Path, which: Index, edit: Edit) {
    let paths: Vec<Vec<u8>> = Snapshot::of(root).0.into_keys().filter(|path| !path.is_empty()).collect();
    if !paths.is_empty() {
        apply(root, Path::new(OsStr::from_bytes(which.get(&paths).as_slice())), edit);
    }
}

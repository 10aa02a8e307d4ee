//! Parts of trees and parts of archives.

use crate::support::oracle::{Outcome, haul, haul_command, in_private_mounts, run};
use crate::support::scratch::Scratch;
use crate::support::snapshot::{Fields, Snapshot};
use crate::support::tree::{build, dir, file, hard_link, symlink};
use crate::support::trees::{modest, noise};
use std::path::{Path, PathBuf};

/// A small application with the kinds of files that people leave out.
fn app(root: &Path) {
    build(
        root,
        &[
            file("main.py", "x"),
            file("main.pyc", "x"),
            file("build/out.o", "x"),
            file("lib/a.py", "x"),
            file("lib/a.pyc", "x"),
            file("lib/build/b.py", "x"),
            file("lib/deep/er/c.py", "x"),
            file("build.txt", "x"),
            file(".git/config", "x"),
            file("lib/.svn/entries", "x"),
            file(".gitignore", "x"),
            dir("empty"),
            symlink("link", "main.py"),
        ],
    );
}

struct App {
    scratch: Scratch,
    tree: PathBuf,
    archive: PathBuf,
}

impl App {
    fn new() -> Self {
        let scratch = Scratch::new();
        let (tree, archive) = (scratch.join("tree"), scratch.join("a.tar.zst"));
        app(&tree);
        Self { scratch, tree, archive }
    }

    /// The files in an archive that is packed with these options.
    fn packed(&self, options: &[&str]) -> Vec<String> {
        run(haul_command().arg("pack").args(options).arg(&self.tree).arg(&self.archive), None).expect(0);
        names(&haul!["list", &self.archive].expect(0))
    }

    /// The files that these options and paths unpack from an archive of all.
    fn unpacked(&self, options: &[&str], paths: &[&str]) -> Vec<String> {
        haul!["pack", &self.tree, &self.archive].expect(0);
        let copy = self.scratch.join("copy");
        let _ = std::fs::remove_dir_all(&copy);
        let mut command = haul_command();
        run(command.arg("unpack").args(options).arg(&self.archive).arg(&copy).args(paths), None).expect(0);
        let listed =
            run(haul_command().arg("list").args(options).arg(&self.archive).args(paths), None).expect(0);
        let found = Snapshot::of(&copy).paths();
        // Directories that are only on the way to something need not be listed.
        for name in names(&listed) {
            assert!(found.contains(&name), "list names {name}, but unpack did not make it: {found:?}");
        }
        found
    }
}

/// The names that `haul list` wrote, without the root and without slashes at directories.
fn names(listed: &Outcome) -> Vec<String> {
    let mut names: Vec<_> = listed.lines().iter().map(|name| name.trim_end_matches('/').to_owned()).collect();
    names.retain(|name| !name.is_empty() && name != ".");
    names.sort();
    names
}

#[track_caller]
fn has(names: &[String], present: &[&str], absent: &[&str]) {
    for name in present {
        assert!(names.iter().any(|n| n == name), "{name} is missing in {names:?}");
    }
    for name in absent {
        assert!(!names.iter().any(|n| n == name), "{name} should not be in {names:?}");
    }
}

/// What each set of options keeps and drops; the same for packing, unpacking and listing.
const CASES: &[(&[&str], &[&str], &[&str])] = &[
    (&["--exclude", "*.pyc"], &["main.py", "lib/a.py", "empty", "link"], &["main.pyc", "lib/a.pyc"]),
    (&["--exclude", "/build"], &["lib/build/b.py", "build.txt"], &["build", "build/out.o"]),
    (&["--exclude", "build/"], &["build.txt"], &["build", "build/out.o", "lib/build", "lib/build/b.py"]),
    (&["--exclude", "lib/*.py"], &["main.py", "lib/a.pyc", "lib/deep/er/c.py"], &["lib/a.py"]),
    (
        &["--only", "*.py"],
        &["main.py", "lib/a.py", "lib/deep/er/c.py"],
        &["main.pyc", "empty", "build/out.o"],
    ),
    (&["--only", "/lib"], &["lib", "lib/a.py", "lib/a.pyc", "lib/deep/er/c.py"], &["main.py", "build"]),
    (
        &["--include", "a.py", "--exclude", "*.py"],
        &["lib/a.py", "main.pyc"],
        &["main.py", "lib/deep/er/c.py"],
    ),
    (&["--exclude-vcs"], &["main.py", "lib/a.py"], &[".git", ".git/config", "lib/.svn", ".gitignore"]),
    (&["--exclude", "lib/**/c.py"], &["lib/deep/er", "lib/a.py"], &["lib/deep/er/c.py"]),
    // What no rule matches is kept, also where all rules are includes.
    (&["--include", "*.py"], &["main.py", "main.pyc", "empty", "build/out.o"], &[]),
    (
        &["--only", "*.py", "--only", "/empty"],
        &["main.py", "empty", "lib/deep/er/c.py"],
        &["main.pyc", "build"],
    ),
    (&["--only", "/lib", "--exclude", "*.pyc"], &["lib/a.py", "lib/build/b.py"], &["lib/a.pyc", "main.py"]),
    (&["--filter", "+ /lib/", "--filter", "- /*"], &["lib/a.py", "lib/.svn/entries"], &["main.py", "empty"]),
    (&["--filter", "P main.py"], &["main.py", "lib/a.py"], &[]),
    (&["--filter", "H *.py"], &["main.pyc"], &["main.py", "lib/a.py"]),
    (&["--exclude", "lib/***"], &["main.py"], &["lib", "lib/a.py"]),
];

#[test]
fn rules_select_what_is_packed() {
    let app = App::new();
    for (options, present, absent) in CASES {
        has(&app.packed(options), present, absent);
    }
}

#[test]
fn rules_select_what_is_unpacked_and_listed() {
    let app = App::new();
    for (options, present, absent) in CASES {
        has(&app.unpacked(options, &[]), present, absent);
    }
}

#[test]
fn paths_select_what_is_unpacked_and_listed() {
    let app = App::new();
    assert_eq!(app.unpacked(&[], &["main.py"]), ["main.py"]);
    assert_eq!(app.unpacked(&[], &["./main.py", "link"]), ["link", "main.py"]);
    has(&app.unpacked(&[], &["lib"]), &["lib/a.py", "lib/deep/er/c.py"], &["main.py", "build"]);
    has(&app.unpacked(&[], &["lib/deep/"]), &["lib/deep/er/c.py"], &["lib/a.py"]);
    has(&app.unpacked(&["--exclude", "*.pyc"], &["lib"]), &["lib/a.py"], &["lib/a.pyc", "main.py"]);
}

#[test]
fn directories_on_the_way_to_a_selected_file_get_their_metadata() {
    let scratch = Scratch::new();
    let (tree, archive, copy) = (scratch.join("tree"), scratch.join("a"), scratch.join("copy"));
    build(&tree, &[dir("a").mode(0o711).mtime(1_000_000_000, 5), dir("a/b").mode(0o750), file("a/b/c", "x")]);
    haul!["pack", &tree, &archive].expect(0);
    haul!["unpack", &archive, &copy, "a/b/c"].expect(0);
    let expected = Snapshot::of(&tree).without_root();
    expected.assert_same(&Snapshot::of(&copy).without_root(), Fields::ALL);
}

#[test]
fn a_path_that_is_not_in_the_archive_is_named() {
    let app = App::new();
    haul!["pack", &app.tree, &app.archive].expect(0);
    for verb in ["unpack", "list"] {
        let copy = app.scratch.join("copy");
        let place = (verb == "unpack").then_some(&copy);
        let mut command = haul_command();
        let outcome = run(command.arg(verb).arg(&app.archive).args(place).args(["main.py", "no/such"]), None);
        assert!(matches!(outcome.code(), Some(1 | 3)), "{outcome}");
        assert!(outcome.stderr.contains("no/such"), "{outcome}");
    }
    assert!(app.scratch.join("copy/main.py").is_file(), "what is there was asked for too");
}

#[test]
fn a_path_that_leads_outside_is_a_usage_error() {
    let app = App::new();
    haul!["pack", &app.tree, &app.archive].expect(0);
    for path in ["../x", "/etc/passwd", "a/../b"] {
        haul!["list", &app.archive, path].expect(2);
        haul!["unpack", &app.archive, &app.scratch.join("copy"), path].expect(2);
    }
}

#[test]
fn rules_are_read_from_a_file() {
    let app = App::new();
    let rules = app.scratch.write("rules", "*.pyc\n/build\n");
    has(
        &app.packed(&["--exclude-from", rules.to_str().unwrap()]),
        &["main.py", "lib/build/b.py"],
        &["main.pyc", "build"],
    );
    let missing = app.scratch.join("missing");
    let outcome = haul!["pack", "--exclude-from", &missing, &app.tree, &app.archive];
    assert!(matches!(outcome.code(), Some(1 | 2)), "{outcome}");
}

#[test]
fn packing_obeys_the_rules_in_the_tree() {
    let app = App::new();
    app.scratch.write("tree/.rsync-filter", "- *.pyc\n");
    app.scratch.write("tree/lib/.rsync-filter", "+ a.pyc\n- /build\n");
    app.scratch.write("tree/lib/.cvsignore", "deep\n");
    let rules = app.packed(&["-F"]);
    has(&rules, &["lib/a.pyc", "build/out.o", ".rsync-filter"], &["main.pyc", "lib/build"]);
    has(&app.packed(&["-FF"]), &["lib/a.pyc"], &["main.pyc", ".rsync-filter", "lib/.rsync-filter"]);
    has(&app.packed(&["-C"]), &["lib/a.py"], &["build/out.o", "lib/deep", ".git", "lib/.svn"]);
    app.scratch.write("tree/.gitignore", "*.pyc\n/build/\n");
    has(&app.packed(&["--gitignore"]), &["build.txt", "lib/build/b.py"], &["main.pyc", "build", "lib/a.pyc"]);
}

#[test]
fn an_archive_inside_the_tree_does_not_pack_itself() {
    let app = App::new();
    for name in ["a.tar.zst", "lib/a.tar.zst"] {
        let archive = app.tree.join(name);
        // The second run meets the archive of the first.
        for _ in 0..2 {
            haul!["pack", &app.tree, &archive].expect(0);
            has(&names(&haul!["list", &archive].expect(0)), &["main.py", "lib/a.py"], &[name]);
        }
        assert!(names(&haul!["list", &archive].expect(0)).iter().all(|name| !name.contains(".haul-")));
        std::fs::remove_file(&archive).unwrap();
    }
}

#[test]
fn a_hard_link_whose_first_name_is_not_unpacked_becomes_a_file() {
    let scratch = Scratch::new();
    let (tree, archive) = (scratch.join("tree"), scratch.join("a.tar.zst"));
    let large = noise(1, 9 << 20);
    build(
        &tree,
        &[
            file("a", "content").mode(0o640),
            hard_link("dir/b", "a"),
            hard_link("dir/c", "a"),
            file("large", &large[..]),
            hard_link("large-too", "large"),
        ],
    );
    haul!["pack", &tree, &archive].expect(0);
    let packed = std::fs::read(&archive).unwrap();
    for piped in [false, true] {
        let copy = scratch.join(if piped { "piped" } else { "by path" });
        let mut command = haul_command();
        command.arg("unpack").arg(if piped { Path::new("-") } else { &archive }).arg(&copy);
        let stdin = piped.then_some(&packed[..]);
        let outcome = run(command.args(["dir", "large-too"]), stdin);
        if piped && outcome.code() != Some(0) {
            // A pipe has gone by when the link is met: it must be said, not passed over.
            assert!(outcome.code() == Some(3) && outcome.stderr.contains("dir/b"), "{outcome}");
            continue;
        }
        let outcome = outcome.expect(0);
        let snapshot = Snapshot::of(&copy);
        assert_eq!(snapshot.paths(), ["dir", "dir/b", "dir/c", "large-too"], "{outcome}");
        assert_eq!(std::fs::read(copy.join("dir/b")).unwrap(), b"content");
        assert!(std::fs::read(copy.join("large-too")).unwrap() == large);
        assert_eq!(snapshot.get("dir/b").names.len(), 2, "dir/b and dir/c stay one file");
        assert_eq!(snapshot.get("dir/b").mode, 0o640);
    }
}

#[test]
fn a_hard_link_whose_first_name_is_not_packed_is_packed_as_a_file() {
    let scratch = Scratch::new();
    let (tree, archive, copy) = (scratch.join("tree"), scratch.join("a.tar.zst"), scratch.join("copy"));
    build(&tree, &[file("a", "content"), hard_link("b", "a"), hard_link("c", "a")]);
    haul!["pack", "--exclude", "/a", &tree, &archive].expect(0);
    haul!["unpack", &archive, &copy].expect(0);
    let snapshot = Snapshot::of(&copy);
    assert_eq!(snapshot.paths(), ["b", "c"]);
    assert_eq!(std::fs::read(copy.join("b")).unwrap(), b"content");
    assert_eq!(snapshot.get("b").names.len(), 2);
}

/// With the index, frames that hold nothing of what is asked for are not even read.
#[test]
fn unpacking_one_file_does_not_read_the_frames_of_others() {
    let scratch = Scratch::new();
    let (tree, archive) = (scratch.join("tree"), scratch.join("a.tar.zst"));
    build(&tree, &[file("a", noise(1, 12 << 20)), file("b", noise(2, 12 << 20)), file("c", "small")]);
    haul!["pack", &tree, &archive].expect(0);
    let mut bytes = std::fs::read(&archive).unwrap();
    bytes[6 << 20] ^= 1; // inside a
    let damaged = scratch.write("damaged", bytes);
    haul!["unpack", &damaged, &scratch.join("b"), "b", "c"].expect(0);
    assert!(std::fs::read(scratch.join("b/b")).unwrap() == noise(2, 12 << 20));
    haul!["list", &damaged].expect(0);
    haul!["unpack", &damaged, &scratch.join("a"), "a"].expect(5);
    assert!(!scratch.join("a/a").is_file());
}

#[test]
fn one_file_system_leaves_out_what_is_mounted_below() {
    let scratch = Scratch::new();
    build(&scratch.join("tree"), &[file("file", "x"), dir("mnt"), file("z", "x")]);
    let script = "mount -t tmpfs none tree/mnt && echo x >tree/mnt/inside || exit 99\n\
        $HAUL pack -x tree one.tar.zst && $HAUL pack tree all.tar.zst";
    let Some(outcome) = in_private_mounts(scratch.path(), script) else { return };
    outcome.expect(0);
    let list = |name: &str| names(&haul!["list", &scratch.join(name)].expect(0));
    assert_eq!(list("one.tar.zst"), ["file", "mnt", "z"]);
    assert_eq!(list("all.tar.zst"), ["file", "mnt", "mnt/inside", "z"]);
}

#[test]
fn a_tree_packed_in_parts_unpacks_to_the_whole() {
    let scratch = Scratch::new();
    let (tree, copy) = (scratch.join("tree"), scratch.join("copy"));
    build(&tree, &modest());
    for (name, rule) in [("1", "--exclude=/dir"), ("2", "--only=/dir")] {
        haul!["pack", rule, &tree, &scratch.join(name)].expect(0);
        haul!["unpack", &scratch.join(name), &copy].expect(0);
    }
    let fields = Fields { names: false, directory_mtime: false, ..Fields::ALL };
    Snapshot::of(&tree).assert_same(&Snapshot::of(&copy), fields);
}

//! What the source does not have is removed: on request, all of it, nothing else, and nothing in case of doubt.

use crate::support::mirror::{Pair, assert_like_rsync, list_file, mirror, mirror_command, report};
use crate::support::oracle::{Outcome, is_root, run};
use crate::support::process::is_temporary;
use crate::support::snapshot::{Fields, Snapshot};
use crate::support::tree::{Node, build, dir, fifo, file, hard_link, socket, symlink};
use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// When entries are removed.
const WHEN: [&str; 5] =
    ["--delete", "--delete-before", "--delete-during", "--delete-delay", "--delete-after"];

fn source() -> Vec<Node> {
    vec![file("kept", "k"), file("dir/kept", "k"), file("changed", "new"), dir("empty"), file("was-dir", "f")]
}

fn destination() -> Vec<Node> {
    vec![
        file("kept", "k"),
        file("changed", "old content"),
        file("extra", "e"),
        file("dir/kept", "k"),
        file("dir/extra", "e"),
        file("gone/with/all", "x"),
        dir("gone/empty").mode(0o500),
        file("empty/not-yet", "x"),
        symlink("link-to-dir", "dir"),
        symlink("dangling", "nowhere"),
        fifo("fifo"),
        socket("socket"),
        file("linked", "l"),
        hard_link("dir/linked", "linked"),
        file("was-dir/below/file", "x"),
    ]
}

#[test]
fn at_every_moment_of_the_run_the_same_is_removed() {
    for when in WHEN {
        assert_like_rsync(&[when], &source(), &destination());
        let pair = Pair::over(&source(), &destination());
        pair.mirror(&[when]).expect(0);
        pair.assert_same();
    }
}

#[test]
fn a_symlink_is_removed_and_not_what_it_points_to() {
    let pair = Pair::over(
        &[file("a", "x")],
        &[file("a", "x"), symlink("out", "../outside"), symlink("d/out", "../../outside")],
    );
    build(&pair.scratch.join("outside"), &[file("dir/precious", "p")]);
    let before = Snapshot::of(&pair.scratch.join("outside"));
    pair.mirror(&["--delete"]).expect(0);
    pair.assert_same();
    before.assert_same(&Snapshot::of(&pair.scratch.join("outside")), Fields::ALL);
}

#[test]
fn a_full_directory_gives_way_to_a_file_only_when_asked() {
    let src = [file("a", "file"), symlink("b", "x"), file("c", "c"), fifo("e")];
    let dst = [file("a/below", "x"), file("b/below/x", "x"), file("d", "d"), dir("e")];
    for args in [&[][..], &["--force"], &["--delete"]] {
        assert_like_rsync(args, &src, &dst);
    }
    let pair = Pair::over(&src, &dst);
    let outcome = pair.mirror(&["--json"]).expect(3);
    let failed: BTreeSet<_> = report(&outcome)["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["path"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(failed.iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(pair.read_text("a/below"), "x");
    assert_eq!(pair.read_text("c"), "c", "the rest is done");
    pair.mirror(&["--force"]).expect(0);
    assert_eq!(pair.read_text("d"), "d", "--force removes only what is in the way");
    assert_eq!(pair.read_text("a"), "file");
}

/// A source and a destination that belong to a user who is not root, so that a mode of 0 keeps that user out.
fn unprivileged(src: &[Node], dst: &[Node]) -> Pair {
    let pair = Pair::over(src, dst);
    if is_root() {
        let status = Command::new("chown").args(["-hR", "65534:65534"]).args([&pair.src, &pair.dst]).status();
        assert!(status.unwrap().success());
    }
    pair
}

fn mirror_unprivileged(pair: &Pair, args: &[&str]) -> Outcome {
    let mut command = mirror_command(args, &pair.src, &pair.dst);
    if is_root() {
        command.uid(65534).gid(65534);
    }
    run(&mut command, None)
}

/// Each with something in it that cannot be read.
fn unreadable_sources() -> [Vec<Node>; 3] {
    let rest = [file("new", "n"), file("kept", "k"), file("dir/new", "n")];
    [
        [&rest[..], &[file("locked/inside", "i"), dir("locked").mode(0)]].concat(),
        [&rest[..], &[file("dir/locked", "l").mode(0)]].concat(),
        // It can be listed, but nothing in it can be looked at.
        [&rest[..], &[file("locked/inside", "i"), dir("locked").mode(0o444)]].concat(),
    ]
}

#[test]
fn nothing_is_removed_when_something_in_the_source_cannot_be_read() {
    for src in unreadable_sources() {
        let dst = [file("kept", "k"), file("extra", "e"), file("dir/extra", "e"), file("gone/all", "x")];
        let pair = unprivileged(&src, &dst);
        let outcome = mirror_unprivileged(&pair, &["--delete"]).expect(3);
        assert!(outcome.stderr.contains("locked") && outcome.stderr.contains("EACCES"), "{outcome}");
        for extra in ["extra", "dir/extra"] {
            assert_eq!(pair.read_text(extra), "e");
        }
        assert_eq!(pair.read_text("gone/all"), "x");
        for new in ["new", "dir/new"] {
            assert_eq!(pair.read_text(new), "n", "what can be read is copied");
        }

        mirror_unprivileged(&pair, &["--delete", "--ignore-errors"]).expect(3);
        for extra in ["extra", "dir/extra", "gone"] {
            assert!(!pair.dst.join(extra).exists(), "{extra} is removed with --ignore-errors");
        }
    }
}

/// It is not known what such a file of rules would have kept.
#[test]
fn a_file_of_rules_that_cannot_be_read_is_a_failure() {
    let pair = Pair::over(&[socket(".rules"), file("a", "a")], &[file("extra", "e")]);
    let outcome = pair.mirror(&["--delete", "--filter=dir-merge .rules"]).expect(3);
    assert_eq!(outcome.stderr.matches(".rules: ").count(), 1, "{outcome}");
    assert_eq!(pair.read_text("a"), "a");
    assert_eq!(pair.read_text("extra"), "e");
}

/// What cannot be read may still exist: it does not count as removed.
#[test]
fn what_lies_below_an_unreadable_directory_stays() {
    let [src, ..] = unreadable_sources();
    let pair = unprivileged(&src, &[file("locked/inside", "of an earlier run"), file("locked/other", "o")]);
    mirror_unprivileged(&pair, &["--delete"]).expect(3);
    // The mirror may have got the mode of the source, so that it is locked, too.
    let locked = pair.dst.join("locked");
    std::fs::set_permissions(&locked, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(pair.read_text("locked/inside"), "of an earlier run");
    assert_eq!(pair.read_text("locked/other"), "o");
}

#[test]
fn an_empty_source_empties_nothing_unless_allowed() {
    for when in WHEN {
        let pair = Pair::over(&[], &[file("precious", "p"), file("dir/precious", "p")]);
        let before = Snapshot::of(&pair.dst);
        let outcome = pair.mirror(&[when]).expect(1);
        assert!(!outcome.stderr.is_empty(), "it says why");
        before.assert_same(&Snapshot::of(&pair.dst), Fields::ALL);
        pair.mirror(&[when, "--dry-run"]).expect(1);

        pair.mirror(&[when, "--allow-empty-source"]).expect(0);
        assert_eq!(pair.dst_paths(), [] as [&str; 0]);
    }
}

#[test]
fn an_empty_source_is_no_matter_where_nothing_is_removed() {
    Pair::new(&[]).mirror(&["--delete"]).expect(0);
    Pair::over(&[], &[]).mirror(&["--delete"]).expect(0);
    let pair = Pair::over(&[], &[file("a", "x")]);
    pair.mirror(&[]).expect(0);
    assert_eq!(pair.dst_paths(), ["a"]);
}

#[test]
fn at_most_so_many_entries_are_removed() {
    let names: Vec<_> = (0..10).map(|i| format!("extra{i}")).collect();
    let dst: Vec<_> = names.iter().map(|name| file(name, "x")).collect();
    for when in WHEN {
        for (max, left, code) in [(0, 10, 3), (3, 7, 3), (9, 1, 3), (10, 0, 0), (11, 0, 0)] {
            let pair = Pair::over(&[file("new", "n")], &dst);
            pair.mirror(&[when, &format!("--max-delete={max}")]).expect(code);
            assert_eq!(pair.read_text("new"), "n");
            assert_eq!(pair.dst_paths().len(), 1 + left, "with {when} and {max}: {:?}", pair.dst_paths());
        }
    }
}

#[test]
fn a_directory_that_holds_what_is_kept_is_kept() {
    let src = [file("a", "x")];
    let dst = [file("dir/kept.o", "o"), file("dir/gone", "g"), file("other/gone", "g")];
    for when in WHEN {
        assert_like_rsync(&[when, "--exclude=*.o"], &src, &dst);
        assert_like_rsync(&[when, "--exclude=*.o", "--delete-excluded"], &src, &dst);
        assert_like_rsync(&[when, "--filter=P *.o"], &src, &dst);
    }
}

#[test]
fn partial_files_are_no_part_of_the_mirror() {
    let pair = Pair::over(&[file("a", "x"), file(".haul-partial/b", "of the source")], &[file("extra", "e")]);
    let partial = pair.dst.join(".haul-partial");
    build(&partial, &[dir("").mode(0o700), file("b", "half")]);
    pair.mirror(&["--delete"]).expect(0);
    assert_eq!(pair.read_text(".haul-partial/b"), "half");
    assert_eq!(pair.dst_paths().len(), 3, "{:?}", pair.dst_paths());
    assert!(
        !Snapshot::of(&pair.dst)
            .0
            .keys()
            .any(|path| is_temporary(path) && !path.starts_with(b".haul-partial"))
    );
}

#[test]
fn a_manifest_names_everything_in_path_order() {
    let names = ["a", "a.b", "a-b", "dir/a", "dir/b/c", "dir.x", "new\nline", "back\\slash", "gr\u{fc}n"];
    let mut src: Vec<_> = names.map(|name| file(name, name)).into();
    src.extend([
        dir("empty"),
        symlink("link", "a"),
        fifo("fifo"),
        hard_link("z", "a"),
        file(b"not utf-8 \xff", "x"),
    ]);
    let pair = Pair::new(&src);
    let manifest = pair.scratch.join("manifest");
    let flag = format!("--write-manifest={}", manifest.display());
    pair.mirror(&[&flag]).expect(0);
    let text = std::fs::read_to_string(&manifest).unwrap();
    let snapshot = Snapshot::of(&pair.src).without_root();
    // A directory's contents come right after it, as if the slash were the lowest byte.
    let key = |path: &[u8]| path.iter().map(|&b| if b == b'/' { 0 } else { b }).collect::<Vec<_>>();
    let mut paths: Vec<_> = snapshot.0.iter().collect();
    paths.sort_by_key(|(path, _)| key(path));
    let mut expected = String::new();
    for (path, node) in paths {
        expected += &haul::tree::path::escape(path);
        expected += if node.kind == crate::support::snapshot::Kind::Directory { "/\n" } else { "\n" };
    }
    assert_eq!(text, expected);
    pair.mirror(&[&flag]).expect(0);
    assert_eq!(std::fs::read_to_string(&manifest).unwrap(), expected, "and again when nothing is to be done");
}

/// `KuduSync`'s rule: what the deployed application made itself survives a deployment.
#[test]
fn with_a_manifest_only_what_an_earlier_run_made_is_removed() {
    let pair = Pair::new(&[
        file("a", "1"),
        file("b", "1"),
        file("dir/a", "1"),
        file("dir/b", "1"),
        file("gone/x\ny", "1"),
        file("both/x", "1"),
    ]);
    let flag = |what: &str, name: &str| format!("--{what}-manifest={}", pair.scratch.join(name).display());
    pair.mirror(&[&flag("write", "1")]).expect(0);
    for own in ["own", "dir/own", "both/own"] {
        std::fs::write(pair.dst.join(own), "made here").unwrap();
    }
    std::fs::remove_dir_all(&pair.src).unwrap();
    build(&pair.src, &[file("a", "22"), file("dir/a", "22"), file("new", "22")]);
    pair.mirror(&[&flag("delete", "1"), &flag("write", "2")]).expect(0);
    assert_eq!(pair.dst_paths(), ["a", "both", "both/own", "dir", "dir/a", "dir/own", "new", "own"]);
    assert_eq!(std::fs::read_to_string(pair.scratch.join("2")).unwrap(), "a\ndir/\ndir/a\nnew\n");
}

#[test]
fn a_manifest_leads_nowhere_outside() {
    let pair =
        Pair::over(&[file("a", "x")], &[file("a", "x"), file("extra", "e"), symlink("out", "../outside")]);
    build(&pair.scratch.join("outside"), &[file("precious", "p")]);
    let before = Snapshot::of(&pair.scratch.join("outside"));
    for line in [
        "../outside/precious",
        "out/precious",
        "/",
        "..",
        ".",
        "",
        "a/../../outside/precious",
        "\\x2e\\x2e/outside/precious",
    ] {
        let list = list_file(&pair.scratch, "list", &[line]);
        // A list that no run has written may be refused, or hold nothing to be removed.
        let outcome = mirror(&[&format!("--delete-manifest={list}")], &pair.src, &pair.dst);
        assert!(outcome.code().is_some_and(|code| code <= 3), "{outcome}");
        before.assert_same(&Snapshot::of(&pair.scratch.join("outside")), Fields::ALL);
        assert_eq!(pair.dst_paths(), ["a", "extra", "out"], "with {line:?}: {outcome}");
    }
}

#[test]
fn a_manifest_that_cannot_be_read_stops_the_run_before_it_begins() {
    let pair = Pair::over(&[file("a", "new one")], &[file("a", "old")]);
    pair.mirror(&["--delete-manifest=/nowhere/list"]).expect(1);
    assert_eq!(pair.read_text("a"), "old");
}

/// What a file replaces with `--force` is subject to the rules, too.
#[test]
fn force_spares_what_rules_protect() {
    let pair = Pair::over(&[file("place", "new")], &[file("place/kept", "k"), file("place/other", "o")]);
    pair.mirror(&["--force", "--filter=P kept"]).expect(3);
    assert_eq!(pair.dst_paths(), ["place", "place/kept"]);
    pair.mirror(&["--force"]).expect(0);
    pair.assert_same();
}

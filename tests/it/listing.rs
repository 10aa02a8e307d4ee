//! The output of `list` and `verify`.

use crate::support::oracle::{haul, is_root, leave_out, peer, peer_run};
use crate::support::scratch::Scratch;
use crate::support::tree::{MTIME, Node, build, dir, fifo, file, hard_link, keeps_xattr, symlink};
use crate::support::trees::{everything, modest, odd_names, wide};
use rustix::fs::{AtFlags, Timespec, Timestamps, utimensat};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

fn packed(make: impl FnOnce(&Path)) -> (Scratch, PathBuf, PathBuf) {
    let scratch = Scratch::new();
    let (tree, archive) = (scratch.join("tree"), scratch.join("a.tar.zst"));
    make(&tree);
    haul!["pack", &tree, &archive].expect(0);
    (scratch, tree, archive)
}

#[test]
fn names_are_listed_in_path_order() {
    let (_scratch, _, archive) = packed(|root| {
        build(root, &[file("a-b", "x"), file("a/z", "x"), file("a.b", "x"), dir("a/c"), file("B", "x")]);
    });
    let lines = haul!["list", &archive].expect(0).lines();
    let names: Vec<_> =
        lines.iter().map(|l| l.trim_end_matches('/')).filter(|l| *l != "." && !l.is_empty()).collect();
    assert_eq!(names, ["B", "a", "a/c", "a/z", "a-b", "a.b"]);
}

#[test]
fn odd_names_are_one_escaped_line_each() {
    let (_scratch, tree, archive) = packed(everything);
    let listed = haul!["list", &archive].expect(0);
    assert!(!listed.text().chars().any(|c| c.is_control() && c != '\n'), "a control character is listed");
    let entries = crate::support::snapshot::Snapshot::of(&tree).0.len();
    assert_eq!(listed.lines().iter().filter(|l| *l != "." && *l != "./").count() + 1, entries);
    assert!(listed.text().contains("new\\nline") && listed.text().contains("esc\\x1b[2J\\x07"));
}

/// The long form has the columns of `tar -tv`: mode, owner, size, date and time, name.
#[test]
fn the_long_form_has_the_fields_of_tar() {
    if !(peer("tar") && peer("zstd")) {
        return;
    }
    let (_scratch, _, archive) = packed(|root| {
        let mut nodes = modest();
        nodes.extend([file("setuid", "x").mode(0o4755), dir("sticky").mode(0o1777), fifo("fifo")]);
        nodes.extend([file("odd-mode", "x").mode(0o7444), file("old", "x").mtime(1, 0)]);
        nodes.retain(|node| node.path.is_ascii());
        build(root, &nodes);
    });
    let args = ["-I", "zstd", "-tvf"].map(OsStr::new);
    let theirs =
        String::from_utf8(peer_run("tar", &[&args[..], &[archive.as_os_str()]].concat(), None)).unwrap();
    let ours = haul!["list", "-l", &archive].expect(0).text();
    let fields = |text: &str| -> Vec<Vec<String>> {
        let line = |line: &str| {
            let mut fields: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            // tar shows seconds when they are not zero only with --full-time; haul may show them.
            fields[4].truncate(5);
            let name = fields[5].trim_start_matches("./").trim_end_matches('/').to_owned();
            fields[5] = name;
            fields
        };
        text.lines().map(line).filter(|fields| !matches!(fields[5].as_str(), "" | ".")).collect()
    };
    assert_eq!(fields(&ours), fields(&theirs));
}

#[test]
fn json_is_one_object_a_line_with_the_exact_metadata() {
    let (_scratch, _, archive) = packed(|root| {
        build(
            root,
            &[
                file("file", "12345").mode(0o640).mtime(-2, 500_000_000),
                hard_link("same", "file"),
                symlink("symlink", "to \x1b where"),
                dir("dir"),
                fifo("fifo"),
            ],
        );
    });
    let lines = haul!["list", "--json", &archive].expect(0).lines();
    let entries: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let entry = |path: &str| {
        entries.iter().find(|e| e["path"] == path).unwrap_or_else(|| panic!("{path}: {lines:?}"))
    };
    assert_eq!(entry("file")["size"], 5);
    let kinds = ["file", "same", "symlink", "dir", "fifo"].map(|path| entry(path)["kind"].as_str().unwrap());
    assert_eq!(kinds, ["file", "hardlink", "symlink", "directory", "fifo"]);
    assert_eq!(entry("symlink")["target"], "to \x1b where");
    assert_eq!(entry("same")["target"], "file");
}

#[test]
fn every_name_is_valid_json() {
    let (_scratch, _, archive) = packed(|root| {
        build(root, &odd_names().iter().map(|name| file(name, "x")).collect::<Vec<_>>());
    });
    let lines = haul!["list", "--json", &archive].expect(0).lines();
    let paths: std::collections::BTreeSet<String> = lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["path"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(paths.len(), odd_names().len() + 1, "each entry has a path of its own, the root too");
}

#[test]
fn a_wide_directory_is_listed_in_full() {
    let (_scratch, _, archive) = packed(|root| build(root, &wide(5000)));
    let listed = haul!["list", &archive, "wide"].expect(0);
    assert_eq!(listed.lines().iter().filter(|line| line.starts_with("wide/0")).count(), 5000);
}

#[test]
fn an_archive_matches_its_tree() {
    let (_scratch, tree, archive) = packed(everything);
    haul!["verify", &archive].expect(0);
    haul!["verify", &archive, &tree].expect(0);
}

/// Sets a path's mtime back, so that an edit is noticed by its kind and not by its time.
fn set_mtime(path: &Path, (seconds, nanos): (i64, u32)) {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanos.into() };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(rustix::fs::CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// Packs a tree, edits it, and asserts that `verify` names exactly the path that was edited, with exactly `what`.
#[track_caller]
fn verify_names(what: &[&str], edit: impl FnOnce(&Path)) {
    let nodes: [Node; 6] = [
        file("edited", "content"),
        file("file", "content"),
        symlink("symlink", "target"),
        dir("dir"),
        file("group", "x"),
        hard_link("linked", "group"),
    ];
    let (_scratch, tree, archive) = packed(|root| build(root, &nodes));
    edit(&tree);
    set_mtime(&tree, MTIME);
    let json = haul!["verify", "--json", &archive, &tree].expect(4);
    let report: Value = serde_json::from_slice(&json.stdout).unwrap();
    let differences: Vec<_> = report["differences"].as_array().unwrap().iter().collect();
    let paths: Vec<_> = differences.iter().map(|d| d["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["edited"], "{report}");
    let found: Vec<_> =
        differences[0]["what"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
    assert!(what.iter().all(|w| found.contains(w)), "{what:?} expected: {report}");
    assert!(what == found || what.contains(&"kind"), "only {what:?} expected: {report}");
    let text = haul!["verify", &archive, &tree].expect(4);
    assert_eq!(text.text().matches("edited").count(), 1, "{text}\n{}", text.text());
}

#[test]
fn verify_names_what_differs() {
    let edited = |tree: &Path| tree.join("edited");
    let rewrite = |tree: &Path, content: &str| {
        std::fs::write(edited(tree), content).unwrap();
        set_mtime(&edited(tree), MTIME);
    };
    verify_names(&["content"], |tree| rewrite(tree, "CONTENT"));
    verify_names(&["mtime"], |tree| set_mtime(&edited(tree), (MTIME.0, MTIME.1 + 1)));
    verify_names(&["missing"], |tree| std::fs::remove_file(edited(tree)).unwrap());
    verify_names(&["mode"], |tree| {
        std::fs::set_permissions(edited(tree), std::os::unix::fs::PermissionsExt::from_mode(0o645)).unwrap();
    });
    verify_names(&["kind"], |tree| {
        std::fs::remove_file(edited(tree)).unwrap();
        std::fs::create_dir(edited(tree)).unwrap();
    });
    verify_names(&["size"], |tree| rewrite(tree, "content and more"));
}

#[test]
fn verify_names_what_differs_in_attributes_and_owners() {
    let scratch = Scratch::new();
    if keeps_xattr(scratch.path(), "user.probe", b"") {
        verify_names(&["xattrs"], |tree| {
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::setxattr(tree.join("edited"), "user.new", b"value", flags).unwrap();
        });
    }
    if !is_root() {
        return leave_out("changing an owner needs root");
    }
    verify_names(&["owner"], |tree| std::os::unix::fs::chown(tree.join("edited"), Some(1234), None).unwrap());
}

#[test]
fn verify_names_what_is_too_much() {
    let (_scratch, tree, archive) = packed(|root| build(root, &[file("a", "x")]));
    build(&tree.join("dir"), &[file("b", "x")]);
    set_mtime(&tree, MTIME);
    let report = haul!["verify", "--json", &archive, &tree].expect(4);
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let extra = |d: &Value| d["what"].as_array().unwrap().iter().any(|w| w == "extra");
    assert!(report["differences"].as_array().unwrap().iter().all(extra), "{report}");
    assert_eq!(report["differences"][0]["path"], "dir");
}

#[test]
fn verify_sees_hard_links_that_were_broken() {
    let (_scratch, tree, archive) = packed(|root| build(root, &[file("a", "x"), hard_link("b", "a")]));
    std::fs::remove_file(tree.join("b")).unwrap();
    std::fs::write(tree.join("b"), "x").unwrap();
    set_mtime(&tree.join("b"), MTIME);
    set_mtime(&tree, MTIME);
    let outcome = haul!["verify", &archive, &tree].expect(4);
    assert!(outcome.text().contains("hard-link"), "{}", outcome.text());
}

#[test]
fn verify_sees_a_symlink_that_points_elsewhere() {
    let (_scratch, tree, archive) = packed(|root| build(root, &[symlink("a", "x")]));
    std::fs::remove_file(tree.join("a")).unwrap();
    std::os::unix::fs::symlink("y", tree.join("a")).unwrap();
    set_mtime(&tree.join("a"), MTIME);
    set_mtime(&tree, MTIME);
    let outcome = haul!["verify", &archive, &tree].expect(4);
    assert!(outcome.text().contains("a: target"), "{}", outcome.text());
}

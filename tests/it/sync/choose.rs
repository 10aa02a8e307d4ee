//! Which entries take part: rules, lists, sizes, mounts.
//!
//! What the rules of the filter language decide is tested in `filters.rs`; here is whether the mirror follows them.

use crate::support::mirror::{Pair, Rivals, assert_like_rsync, list_file, mirror_command};
use crate::support::oracle::{Outcome, in_private_mounts, peer, run};
use crate::support::snapshot::Snapshot;
use crate::support::tree::{MTIME, Node, build, dir, fifo, file, hard_link, symlink};

fn source() -> Vec<Node> {
    vec![
        file("a.o", "o"),
        file("a.c", "c"),
        file("keep.o", "o"),
        file("dir/a.o", "o"),
        file("dir/b.c", "c"),
        file("dir/deep/a.o", "o"),
        file("dir/deep/.rules", "- *.c\n"),
        file("dir/deep/b.c", "c"),
        file("only-objects/x/a.o", "o"),
        dir("empty"),
        file("build/x", "x"),
        file("dir/build/x", "x"),
        file(".rsync-filter", "- /build/\n"),
        file("dir/.rsync-filter", "- b.c\nP here\n"),
        file(".git/config", "g"),
        file("core", "c"),
        file("old~", "c"),
        file("linked", "l"),
        hard_link("dir/linked.o", "linked"),
        symlink("link.o", "a.o"),
        fifo("fifo.o"),
    ]
}

fn destination() -> Vec<Node> {
    vec![
        file("a.o", "older").mtime(1, 1),
        file("extra.o", "e"),
        file("extra.c", "e"),
        file("dir/extra.o", "e"),
        file("dir/here", "e"),
        file("build/old", "e"),
        file("dir/deep/extra.c", "e"),
        file("gone/a.o", "e"),
        file("gone/b.c", "e"),
        file("only-objects/x/b.o", "e"),
    ]
}

#[test]
fn what_is_in_the_place_of_a_pruned_directory_is_superfluous() {
    let src = [file("a", "a"), dir("empty"), dir("more/empty"), dir("excluded/x")];
    for dst in [file("empty", "e"), file("more", "m"), symlink("empty", "a"), fifo("excluded")] {
        for delete in ["--delete", "--delete-before", "--delete-during", "--delete-after"] {
            for option in ["--prune-empty-dirs", "--ignore-existing", "--existing"] {
                assert_like_rsync(&["-m", delete, option, "--exclude=x"], &src, std::slice::from_ref(&dst));
            }
        }
    }
}

#[test]
fn a_directory_of_what_is_left_out_is_not_empty() {
    let src = [
        symlink("unsafe/link", "/etc/hostname"),
        fifo("special/fifo"),
        file("small/file", "f"),
        dir("empty"),
    ];
    assert_like_rsync(&["-m", "--safe-links", "--no-specials", "--min-size=2"], &src, &[]);
}

#[test]
fn rules_choose_what_is_sent_and_what_is_removed() {
    for rules in [
        &["--exclude=*.o"][..],
        &["--include=keep.o", "--exclude=*.o"],
        &["--include=*/", "--include=*.c", "--exclude=*"],
        &["--include=*/", "--include=*.c", "--exclude=*", "--prune-empty-dirs"],
        &["--exclude=/build/", "--exclude=deep/"],
        &["--filter=- *.o", "--filter=P extra.c"],
        &["--filter=hide *.o"],
        &["--filter=H *.c", "--filter=show *.o"],
        &["--filter=protect extra.*", "--filter=risk extra.o"],
        &["--filter=R extra.o", "--filter=P *.o"],
        &["--filter=: .rules"],
        &["--filter=:n .rules"],
        &["-F"],
        &["-F", "-F"],
        &["--cvs-exclude"],
        &["--filter=dir-merge,- .rules", "--filter=!"],
        &["--prune-empty-dirs"],
        &["-m", "--exclude=x"],
    ] {
        for delete in [
            &[][..],
            &["--delete"],
            &["--delete-excluded"],
            &["--delete-after"],
            &["--delete-before", "--delete-excluded"],
        ] {
            assert_like_rsync(&[rules, delete].concat(), &source(), &destination());
        }
    }
}

#[test]
fn rules_are_read_from_files_in_the_order_in_which_they_are_typed() {
    if !peer("rsync") {
        return;
    }
    let rivals = Rivals::new(&source(), &destination());
    let objects = list_file(&rivals.scratch, "objects", &["# comment", "", "keep.o", "- a.o", "+ *.c"]);
    let all = list_file(&rivals.scratch, "all", &["*.o"]);
    let rules = list_file(&rivals.scratch, "rules", &["+ dir/", "- /dir/deep", "P extra.*"]);
    let zeros = rivals.scratch.write("zeros", "*.o\0;x\0# y\0").to_str().unwrap().to_owned();
    for args in [
        &[format!("--include-from={objects}"), format!("--exclude-from={all}")][..],
        &[format!("--exclude-from={all}"), format!("--include-from={objects}")],
        &[format!("--filter=merge {rules}"), "--exclude=*.c".to_owned()],
        &["--from0".to_owned(), format!("--exclude-from={zeros}")],
        &["-0".to_owned(), "--exclude=*.c".to_owned(), format!("--include-from={zeros}")],
    ] {
        let args: Vec<_> = args.iter().map(String::as_str).chain(["--delete"]).collect();
        let rivals = Rivals::new(&source(), &destination());
        rivals.run(&args).assert_alike();
    }
}

#[test]
fn a_rule_that_cannot_be_understood_stops_the_run_before_it_begins() {
    let pair = Pair::over(&[file("a", "x")], &[file("extra", "e")]);
    for rule in ["--filter=nonsense x", "--filter=merge /nowhere/rules", "--exclude-from=/nowhere/rules"] {
        let outcome = pair.mirror(&[rule, "--delete"]);
        assert!(matches!(outcome.code(), Some(1 | 2)), "{outcome}");
        assert_eq!(pair.dst_paths(), ["extra"]);
    }
}

#[test]
fn gitignore_files_are_heeded_as_git_does() {
    let pair = Pair::new(&[
        file(".gitignore", "*.o\n/build\n!keep.o\nlogs/\n"),
        file("a.o", "o"),
        file("keep.o", "o"),
        file("build/x", "x"),
        file("dir/build/x", "x"),
        file("dir/logs/x", "x"),
        file("dir/.gitignore", "*.c\n!/main.c\n"),
        file("dir/main.c", "c"),
        file("dir/b.c", "c"),
        file("b.c", "c"),
    ]);
    pair.mirror(&["--gitignore"]).expect(0);
    let expected =
        [".gitignore", "b.c", "dir", "dir/.gitignore", "dir/build", "dir/build/x", "dir/main.c", "keep.o"];
    assert_eq!(pair.dst_paths(), expected);
}

#[test]
fn sizes_and_ages_choose_files() {
    let sized = |name: &str, len: usize| file(name, vec![b'x'; len]);
    let src = [
        sized("0", 0),
        sized("999", 999),
        sized("1000", 1000),
        sized("1023", 1023),
        sized("1024", 1024),
        sized("1025", 1025),
        sized("dir/2048", 2048),
        symlink("link", "x".repeat(2000)),
        file("newer-here", "s").mtime(1_600_000_000, 0),
        file("newer-there", "ss").mtime(1_800_000_000, 0),
        file("same-size", "abc").mtime(1_600_000_000, 3),
        file("same-all", "abc"),
        file("was-dir", "x"),
        dir("was-file").mode(0o700),
        file("metadata", "m").mode(0o600),
        dir("both").mode(0o700),
        file("new-dir/new", "n"),
    ];
    let dst = [
        sized("1025", 3),
        file("newer-here", "dd").mtime(1_700_000_000, 0),
        file("newer-there", "d").mtime(1_700_000_000, 0),
        file("same-size", "abd"),
        file("same-all", "abd"),
        file("metadata", "m").mode(0o644),
        dir("both"),
        sized("extra", 5000),
        dir("was-dir"),
        file("was-file", "f").mtime(MTIME.0 + 9, 0),
    ];
    for args in [
        &["--max-size=1k"][..],
        &["--max-size=1000"],
        &["--max-size=1KB"],
        &["--max-size=1.5K"],
        &["--max-size=1k-1"],
        &["--min-size=1k"],
        &["--min-size=1", "--max-size=1m"],
        &["--max-size=0"],
        &["--update"],
        &["-u", "--size-only"],
        &["--existing"],
        // rsync sets the time of an entry that is left in the place of a directory.
        &["--ignore-existing", "-O"],
        &["--existing", "--ignore-existing", "-O"],
        &["--size-only"],
        &["--ignore-times"],
        &["--checksum"],
        &["--modify-window=3"],
    ] {
        assert_like_rsync(args, &src, &dst);
        // An entry that is left in the place of a directory makes rsync fail when it looks for what to delete.
        let is_listed = |node: &&Node| !args.contains(&"--ignore-existing") || node.path != b"was-file";
        let [src, dst] =
            [&src[..], &dst].map(|nodes| nodes.iter().filter(is_listed).cloned().collect::<Vec<_>>());
        assert_like_rsync(&[args, &["--delete"]].concat(), &src, &dst);
    }
}

#[test]
fn only_listed_paths_are_sent() {
    let list = [
        "dir/deep/b.c",
        "a.o",
        "/only-objects/x/a.o",
        "./dir/../core",
        "linked",
        "dir/linked.o",
        "fifo.o",
        "link.o",
        "empty",
    ];
    for (name, end) in [("lines", "\n"), ("zeros", "\0"), ("crlf", "\r\n")] {
        if !peer("rsync") {
            return;
        }
        let rivals = Rivals::new(&source(), &destination());
        let text: String = list.iter().flat_map(|path| [path, end]).collect();
        let path = rivals.scratch.write(name, text);
        let flag = format!("--files-from={}", path.display());
        let args = if end == "\0" { vec!["--from0", &flag] } else { vec![flag.as_str()] };
        rivals.run(&args).assert_alike();
    }
}

#[test]
fn comments_and_empty_lines_in_a_list_name_nothing() {
    if !peer("rsync") {
        return;
    }
    let rivals = Rivals::new(&[file("#a", "x"), file(";b", "x"), file("c", "x"), file("d", "x")], &[]);
    let list = list_file(&rivals.scratch, "list", &["", "# a comment", "#a", "; another", "c"]);
    rivals.run(&[&format!("--files-from={list}")]).assert_alike();
}

#[test]
fn a_listed_path_that_does_not_exist_is_named_and_the_rest_is_sent() {
    let pair = Pair::new(&[file("a", "x"), file("b", "x")]);
    let list = list_file(&pair.scratch, "list", &["nowhere/at-all", "b"]);
    let outcome = pair.mirror(&[&format!("--files-from={list}")]).expect(3);
    assert!(outcome.stderr.contains("nowhere"), "{outcome}");
    assert_eq!(pair.dst_paths(), ["b"]);
}

#[test]
fn a_list_leads_nowhere_outside() {
    let pair = Pair::new(&[file("a", "x"), symlink("out", "../outside")]);
    build(&pair.scratch.join("outside"), &[file("secret", "s")]);
    let list =
        list_file(&pair.scratch, "list", &["../outside/secret", "a/../../outside/secret", "out/secret", "a"]);
    let outcome = pair.mirror(&[&format!("--files-from={list}")]);
    assert!(matches!(outcome.code(), Some(0 | 3)), "{outcome}");
    let paths = pair.dst_paths();
    assert!(!paths.iter().any(|path| path.contains("secret")), "{paths:?}");
    assert!(!pair.scratch.path().parent().unwrap().join("outside").exists());
    assert_eq!(pair.read_text("a"), "x");
}

/// Runs haul, and rsync, in the scratch directory, with a relative source; returns both results.
#[track_caller]
fn compare_relative(src: &str) {
    if !peer("rsync") {
        return;
    }
    let rivals = Rivals::new(&[file("sub/dir/a", "a"), file("sub/b", "b"), dir("sub").mode(0o711)], &[]);
    let place = rivals.scratch.path();
    let mut ours = mirror_command(&["-R"], src.as_ref(), "ours".as_ref());
    let mut theirs = std::process::Command::new("rsync");
    theirs.args(["-aHAX", "-R", &format!("{src}/"), "theirs/"]);
    let run =
        |command: &mut std::process::Command| -> Outcome { run(command.current_dir(place), None).expect(0) };
    run(&mut theirs);
    let haul = run(&mut ours);
    let of = |name: &str| Snapshot::of(&place.join(name)).without_root();
    let diff = of("theirs").diff(&of("ours"), crate::support::mirror::SHARED);
    assert!(diff.is_empty(), "{haul}{src}: rsync's result, and haul's:\n{}", diff.join("\n"));
}

#[test]
fn a_relative_source_keeps_its_path() {
    for src in ["src/sub", "src/sub/dir", "src/./sub/dir", "./src", "src"] {
        compare_relative(src);
    }
}

#[test]
fn one_file_system_stops_at_mounts() {
    let scratch = crate::support::scratch::Scratch::new();
    build(&scratch.join("src"), &[file("a", "x"), dir("mnt"), dir("dir/mnt"), file("dir/b", "x")]);
    build(&scratch.join("dst"), &[file("a", "x"), dir("held"), file("extra", "e")]);
    // `held` is a mount in the destination, which the source does not have.
    let script = "set -e
        for dir in src/mnt src/dir/mnt dst/held; do mount -t tmpfs none $dir; echo inside > $dir/inside; done
        $HAUL sync -x --delete src dst || code=$?
        $HAUL sync src all
        find dst all | sort
        exit ${code:-0}";
    let Some(outcome) = in_private_mounts(scratch.path(), script) else { return };
    assert!(matches!(outcome.code(), Some(0 | 3)), "{outcome}");
    let expected = [
        "all",
        "all/a",
        "all/dir",
        "all/dir/b",
        "all/dir/mnt",
        "all/dir/mnt/inside",
        "all/mnt",
        "all/mnt/inside",
        "dst",
        "dst/a",
        "dst/dir",
        "dst/dir/b",
        "dst/dir/mnt",
        "dst/held",
        "dst/held/inside",
        "dst/mnt",
    ];
    assert_eq!(outcome.lines(), expected, "{outcome}");
}

/// A bind mount has the device number of what it shows: only the mount's id tells.
#[test]
fn a_bind_mount_is_another_mount() {
    let scratch = crate::support::scratch::Scratch::new();
    build(&scratch.join("src"), &[file("a", "x"), dir("bound")]);
    build(&scratch.join("elsewhere"), &[file("inside", "x")]);
    let script = "mount --bind elsewhere src/bound || exit 99
        $HAUL sync -x src dst && find dst | sort";
    let Some(outcome) = in_private_mounts(scratch.path(), script) else { return };
    assert_eq!(outcome.expect(0).lines(), ["dst", "dst/a", "dst/bound"]);
}

#[test]
fn a_merge_file_that_a_merge_file_names_is_in_the_root() {
    let src = [
        file("inner", "- *.o\n"),
        file("dir/.rules", ". inner\n"),
        file("dir/inner", "- *.c\n"),
        file("dir/a.o", "o"),
        file("dir/a.c", "c"),
        file("a.o", "o"),
    ];
    let dst = [
        file("dir/b.o", "o"),
        file("dir/b.c", "c"),
        file("dir/.rules", ". inner\n"),
        file("inner", "- *.c\n"),
    ];
    assert_like_rsync(&["-f", ": .rules", "--delete"], &src, &dst);
}

#[test]
fn nothing_but_what_is_asked_for_is_sent_or_deleted() {
    let pair = Pair::over(&source(), &destination());
    pair.mirror(&["--only=*.o", "--delete"]).expect(0);
    let paths = Snapshot::of(&pair.dst).paths();
    let of = |part: &str| paths.iter().filter(|path| path.ends_with(part)).cloned().collect::<Vec<_>>();
    let objects = [
        "a.o",
        "dir/a.o",
        "dir/deep/a.o",
        "dir/linked.o",
        "fifo.o",
        "keep.o",
        "link.o",
        "only-objects/x/a.o",
    ];
    assert_eq!(of(".o"), objects, "what SRC has, and nothing else");
    assert_eq!(of(".c"), ["dir/deep/extra.c", "extra.c", "gone/b.c"], "what does not match stays");
    assert!(!paths.iter().any(|path| path == "empty" || path == "build/x"), "{paths:?}");
    assert!(paths.iter().any(|path| path == "gone"), "a directory that is only on the way is not deleted");
    let pair = Pair::new(&[dir("lib/empty"), dir("other"), file("a", "")]);
    pair.mirror(&["--only=/lib"]).expect(0);
    assert_eq!(Snapshot::of(&pair.dst).paths(), ["lib", "lib/empty"]);
}

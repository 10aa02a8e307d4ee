//! Destinations that lack something: it is left out with one warning for each kind, and the next run has nothing to do.

use crate::support::mirror::{count, mirror};
use crate::support::oracle::{Outcome, haul, is_root, leave_out};
use crate::support::scratch::Scratch;
use crate::support::slowfs::{Errno, Fault, Op, Options, SlowFs, TimeStep};
use crate::support::snapshot::{Fields, Snapshot};
use crate::support::tree::{build, dir, fifo, file, hard_link, keeps_xattr, symlink};
use std::fs;
use std::path::{Path, PathBuf};

/// A tree of everything, with a time that each coarser clock changes, and its archives, with and without an index.
struct Trees {
    scratch: Scratch,
    src: PathBuf,
    archives: [PathBuf; 2],
}

impl Trees {
    fn new() -> Self {
        let scratch = Scratch::in_memory();
        let src = scratch.join("src");
        let at = |node: crate::support::tree::Node| node.mtime(1_577_836_801, 987_654_321);
        let mut one = at(file("a", "one")).mode(0o640);
        if keeps_xattr(scratch.path(), "user.x", b"1") {
            one = one.xattr("user.x", "1");
        }
        if is_root() {
            one = one.owner(5, 6);
        }
        build(
            &src,
            &[
                one,
                hard_link("d/b", "a"),
                at(file("d/e/f", "two")),
                at(symlink("l", "a")),
                at(fifo("p")),
                at(dir("d/e")),
                at(dir("d")).mode(0o751),
                at(dir("")),
            ],
        );
        let archives = ["a.tar.zst", "plain.tar.zst"].map(|name| scratch.join(name));
        haul!["pack", &src, &archives[0]].expect(0);
        // The same members without what follows them: no index.
        let tar = std::process::Command::new("tar")
            .args(["--zstd", "--xattrs", "-cf"])
            .arg(&archives[1])
            .arg("-C")
            .arg(&src)
            .arg(".")
            .status();
        assert!(tar.is_ok_and(|status| status.success()), "tar is installed everywhere");
        Trees { scratch, src, archives }
    }
}

/// How much a run has changed.
fn changes(outcome: &Outcome) -> u64 {
    ["created", "updated", "linked", "metadata_set", "deleted"].map(|name| count(outcome, name)).iter().sum()
}

#[track_caller]
fn assert_nothing_left(dir: &Path) {
    let mut waiting = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(&dir).unwrap().map(Result::unwrap) {
            let name = entry.file_name();
            assert!(!name.to_string_lossy().starts_with(".haul-"), "{} is left", entry.path().display());
            if entry.file_type().unwrap().is_dir() {
                waiting.push(entry.path());
            }
        }
    }
}

#[track_caller]
fn assert_content(dst: &Path) {
    for (name, content) in [("a", "one"), ("d/b", "one"), ("d/e/f", "two")] {
        assert_eq!(fs::read_to_string(dst.join(name)).unwrap(), content, "{}", dst.join(name).display());
    }
}

/// Everything that writes a tree, twice: each names every lack once, and the second time there is nothing to do.
#[track_caller]
fn converges(fs: &SlowFs, trees: &Trees, sentences: &[&str]) {
    let Trees { src, archives: [archive, plain], .. } = trees;
    let at = |name: &str| fs.path().join(name);
    let warned = |outcome: &Outcome| {
        for sentence in sentences {
            assert_eq!(outcome.stderr.matches(sentence).count(), 1, "{sentence:?}: {outcome}");
        }
        assert_eq!(outcome.stderr.matches("warning").count(), sentences.len(), "{outcome}");
    };
    for (dst, flags) in [("mirror", &[][..]), ("fsync", &["--fsync"]), ("inplace", &["--inplace"])] {
        warned(&mirror(flags, src, &at(dst)).expect(0));
        let again = mirror(&[&["--json"], flags].concat(), src, &at(dst)).expect(0);
        assert_eq!(changes(&again), 0, "{again}");
        assert_content(&at(dst));
    }
    fs::create_dir(at("old")).unwrap();
    for (dst, archive) in [("new", archive), ("streamed", plain), ("old", archive), ("old", archive)] {
        warned(&haul!["unpack", archive, &at(dst)].expect(0));
        assert_content(&at(dst));
    }
    for archive in [archive, plain] {
        let again = haul!["unpack", "--json", "--update", archive, &at("old")].expect(0);
        assert_eq!(changes(&again), 0, "{again}");
    }
    let again = mirror(&["--json"], src, &at("new")).expect(0);
    assert_eq!(count(&again, "created") + count(&again, "updated") + count(&again, "linked"), 0, "{again}");
    assert_nothing_left(fs.backing());
}

/// With the flag that asks for it by name, each run fails for what lacks it, and does the rest.
#[track_caller]
fn insists(fs: &SlowFs, trees: &Trees, flag: &str) {
    for (number, args) in [["sync", flag], ["unpack", flag]].iter().enumerate() {
        let from = if number == 0 { &trees.src } else { &trees.archives[0] };
        for _ in 0..2 {
            let dst = fs.path().join(format!("asked{number}"));
            let outcome = haul![args[0], args[1], from, &dst].expect(3);
            assert!(!outcome.stderr.contains("warning"), "{outcome}");
            assert_eq!(fs::read_to_string(dst.join("d/e/f")).unwrap(), "two");
        }
    }
}

const MODES: &str = "does not keep modes";
const OWNERS: &str = "does not keep owners and groups";
const XATTRS: &str = "does not keep extended attributes";
const SYMLINKS: &str = "has no symbolic links";
const SPECIALS: &str = "has no fifos and sockets";
const LINKS: &str = "cannot make some hard links";
const TIMES: &str = "does not keep modification times";

#[test]
fn each_lack_is_one_warning_and_no_change_of_the_next_run() {
    if !is_root() {
        return leave_out("what only root can set is among it");
    }
    let trees = Trees::new();
    let (eperm, enotsup) = (Some(Errno::EPERM), Some(Errno::EOPNOTSUPP));
    for (options, sentence, flag) in [
        (Options { chmod: eperm, ..Options::default() }, MODES, "--perms"),
        (Options { chmod: enotsup, ..Options::default() }, MODES, "--perms"),
        (Options { chown: eperm, ..Options::default() }, OWNERS, "--owner"),
        (Options { chown_ignored: true, ..Options::default() }, OWNERS, "--group"),
        (Options { symlink: Some(Errno::ENOSYS), ..Options::default() }, SYMLINKS, "--links"),
        (Options { symlink: enotsup, ..Options::default() }, SYMLINKS, "--links"),
        (Options { symlink: eperm, ..Options::default() }, SYMLINKS, "--links"),
        (Options { link: eperm, ..Options::default() }, LINKS, "--hard-links"),
        (Options { link: enotsup, ..Options::default() }, LINKS, "--hard-links"),
        (Options { mknod: eperm, ..Options::default() }, SPECIALS, ""),
        (Options { xattr: enotsup, ..Options::default() }, XATTRS, "--xattrs"),
    ] {
        let Some(fs) = SlowFs::mount(options.clone()) else { return };
        if sentence == XATTRS && !keeps_xattr(trees.scratch.path(), "user.x", b"1") {
            continue;
        }
        converges(&fs, &trees, &[sentence]);
        if !flag.is_empty() {
            insists(&fs, &trees, flag);
        }
    }
}

/// Modes are ignored and shown as 0777 whatever is set, and owners as root's.
#[test]
fn what_is_ignored_without_an_error_is_found_out_all_the_same() {
    if !is_root() {
        return leave_out("what only root can set is among it");
    }
    let options = Options { chmod_ignored: true, fixed_mode: Some(0o777), ..Options::default() };
    let Some(fs) = SlowFs::mount(options) else { return };
    converges(&fs, &Trees::new(), &[MODES, OWNERS]);
}

/// All that Azure Files has, where times can be set (as in the SMB client of the kernel).
#[test]
fn all_lacks_of_azure_files_together_converge() {
    if !is_root() {
        return leave_out("what only root can set is among it");
    }
    let Some(fs) = SlowFs::mount(Options { utimes: None, ..Options::azure() }) else { return };
    let trees = Trees::new();
    let mut sentences = vec![MODES, OWNERS, SYMLINKS, SPECIALS, LINKS];
    if keeps_xattr(trees.scratch.path(), "user.x", b"1") {
        sentences.push(XATTRS);
    }
    converges(&fs, &trees, &sentences);
}

/// Without times, files of the same size are copied again, which is what the warning is about: all else stays.
#[test]
fn times_that_cannot_be_set_are_one_warning() {
    for errno in [Errno::EPERM, Errno::EOPNOTSUPP] {
        let Some(fs) = SlowFs::mount(Options { utimes: Some(errno), ..Options::default() }) else { return };
        let trees = Trees::new();
        let dst = fs.path().join("dst");
        for _ in 0..2 {
            mirror(&[], &trees.src, &dst).expect(0).expect_once(TIMES);
            assert_content(&dst);
        }
        let again = mirror(&["--json", "-c"], &trees.src, &dst).expect(0);
        assert_eq!(changes(&again), 0, "{again}");
        for dst in ["new", "new", "new"] {
            haul!["unpack", "--update", &trees.archives[0], &fs.path().join(dst)]
                .expect(0)
                .expect_once(TIMES);
        }
        let again =
            haul!["unpack", "--update", "--checksum", "--json", &trees.archives[0], &fs.path().join("new")];
        assert_eq!(changes(&again.expect(0)), 0);
        insists(&fs, &trees, "--times");
        mirror(&["--no-times", "-c"], &trees.src, &fs.path().join("x")).expect(0);
        let quiet = haul!["unpack", "--no-times", &trees.archives[0], &fs.path().join("y")].expect(0);
        assert!(!quiet.stderr.contains("warning"), "{quiet}");
    }
}

/// The client of an SMB server stamps a file that was written when it is closed.
#[test]
fn times_that_are_lost_on_close_are_set_after_it() {
    let Some(fs) = SlowFs::mount(Options { times_lost_on_close: true, ..Options::default() }) else { return };
    let trees = Trees::new();
    let at = |name: &str| fs.path().join(name);
    converges(&fs, &trees, &[]);
    mirror(&["--partial", "--inplace", "--link-dest=../mirror"], &trees.src, &at("third")).expect(0);
    for dst in ["mirror", "fsync", "inplace", "new", "old", "third"] {
        Snapshot::of(&trees.src).assert_same(&Snapshot::of(&at(dst)), Fields::ALL);
    }
    // Copies in the place of links have the times of what they are copies of.
    fs.change(|options| options.link = Some(Errno::EPERM));
    mirror(&[], &trees.src, &at("copies")).expect(0);
    haul!["unpack", &trees.archives[0], &at("copied")].expect(0);
    for dst in ["copies", "copied"] {
        let again = mirror(&["--json"], &trees.src, &at(dst)).expect(0);
        assert_eq!(changes(&again), 0, "{again}");
    }
}

#[test]
fn times_in_units_of_two_seconds_are_what_they_are() {
    let Some(fs) = SlowFs::mount(Options { times: TimeStep::TwoSeconds, ..Options::default() }) else {
        return;
    };
    let trees = Trees::new();
    converges(&fs, &trees, &[]);
    // A change that the clock can show is one.
    fs::remove_file(trees.src.join("d/e/f")).unwrap();
    build(&trees.src, &[file("d/e/f", "TWO").mtime(1_577_836_803, 0)]);
    let changed = mirror(&["--json"], &trees.src, &fs.path().join("mirror")).expect(0);
    assert_eq!(count(&changed, "updated"), 1, "{changed}");
    assert_eq!(fs::read_to_string(fs.path().join("mirror/d/e/f")).unwrap(), "TWO");
}

/// Some clients hang when they are asked.
#[test]
fn extended_attributes_that_nobody_wants_are_not_asked_for() {
    let trees = Trees::new();
    let flags = ["--no-xattrs", "--no-acls"];
    let Some(fs) = SlowFs::mount(Options::default()) else { return };
    let dst = fs.path().join("dst");
    for _ in 0..2 {
        mirror(&flags, &trees.src, &dst).expect(0);
        haul!["unpack", "--no-xattrs", "--no-acls", &trees.archives[0], &dst].expect(0);
        haul!["unpack", "--update", "--no-xattrs", "--no-acls", &trees.archives[0], &dst].expect(0);
    }
    haul!["unpack", "--no-xattrs", "--no-acls", &trees.archives[1], &fs.path().join("new")].expect(0);
    let counts = fs.counts();
    let asked = [Op::ListXattr, Op::SetXattr, Op::RemoveXattr].map(|op| counts[op]);
    assert_eq!(asked, [0, 0, 0], "{counts}");
    // What has none is asked by the probe alone.
    fs.change(|options| options.xattr = Some(Errno::EOPNOTSUPP));
    mirror(&[], &trees.src, &dst).expect(0);
    fs.reset();
    mirror(&[], &trees.src, &dst).expect(0);
    haul!["unpack", "--update", &trees.archives[0], &dst].expect(0);
    assert_eq!(fs.counts()[Op::ListXattr], 0, "{}", fs.counts());
}

/// Where nothing can be tried out, a refusal is a failure of the entry, as it is on a disk.
#[test]
fn a_probe_that_fails_leaves_all_as_it_was() {
    let Some(fs) = SlowFs::mount(Options { chmod: Some(Errno::EPERM), ..Options::default() }) else { return };
    let trees = Trees::new();
    let dst = fs.path().join("dst");
    fs::create_dir(&dst).unwrap();
    fs.arm([Fault::first(Op::Mkdir, 1, Errno::EACCES)]);
    let outcome = mirror(&[], &trees.src, &dst).expect(3);
    assert!(outcome.stderr.contains("cannot set the mode"), "{outcome}");
    assert_content(&dst);
    assert_nothing_left(fs.backing());
}

/// What the probe costs, and when there is none.
#[test]
fn a_probe_is_some_tens_of_requests_at_the_same_time_and_only_where_it_is_needed() {
    let Some(fs) = SlowFs::mount(Options::delayed(5)) else { return };
    let scratch = Scratch::in_memory();
    let src = scratch.join("src");
    build(&src, &[dir("")]);
    let dst = fs.path().join("dst");
    fs::create_dir(&dst).unwrap();
    fs.reset();
    mirror(&["--profile=local"], &src, &dst).expect(0);
    let without = fs.counts().total();
    fs.reset();
    mirror(&[], &src, &dst).expect(0);
    let counts = fs.counts();
    assert!(counts[Op::Symlink] == 1 && counts[Op::Link] == 1 && fs.most_in_flight() > 2, "{counts}");
    assert!(counts.total() < without + 160, "{without}, then {counts}");
    assert_nothing_left(fs.backing());
    for flags in [&["--profile=smb"][..], &["--profile=nfs"], &["--profile=local"], &["-n"]] {
        fs.reset();
        mirror(flags, &src, &dst).expect(0);
        let counts = fs.counts();
        assert_eq!(
            (counts[Op::Mkdir], counts[Op::Symlink], counts[Op::Create]),
            (0, 0, 0),
            "{flags:?} {counts}"
        );
    }
}

#[test]
fn a_caller_knows_better_than_the_probe() {
    let Some(fs) = SlowFs::mount(Options { symlink: Some(Errno::EPERM), ..Options::default() }) else {
        return;
    };
    let trees = Trees::new();
    let at = |name: &str| fs.path().join(name);
    let outcome = mirror(&["--with=symlinks"], &trees.src, &at("a")).expect(3);
    assert!(outcome.stderr.contains("cannot create l"), "{outcome}");
    mirror(&["--without=hard-links,times"], &trees.src, &at("b"))
        .expect(0)
        .expect_once(LINKS)
        .expect_once(TIMES);
    mirror(&["--no-links"], &trees.src, &at("c")).expect(0);
    haul!["unpack", "--no-links", "--no-hard-links", &trees.archives[0], &at("d")].expect(0);
    for dst in ["c", "d"] {
        assert!(at(dst).join("l").symlink_metadata().is_err());
    }
    let again =
        haul!["unpack", "--json", "--update", "--no-links", "--no-hard-links", &trees.archives[0], &at("d")];
    assert_eq!(changes(&again.expect(0)), 0);
}

#[test]
fn probe_shows_what_was_found_out() {
    let options = Options { times: TimeStep::TwoSeconds, link: Some(Errno::EPERM), ..Options::azure() };
    let Some(fs) = SlowFs::mount(Options { utimes: None, ..options }) else { return };
    let shown = haul!["probe", fs.path()].expect(0).text();
    for line in [
        "modes               no",
        "times               yes (in units of 2 s)",
        "times-before-close  no",
        "hard-links          no",
        "symlinks            no",
        "case-sensitive      no",
        "any-name            no (characters: no, final-dot: no, final-space: no)",
        "xattrs              no (user: no",
        "exchange            no",
        "replace-open        no",
    ] {
        assert!(shown.lines().any(|shown| shown.starts_with(line)), "{line:?} in:\n{shown}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&haul!["probe", "--json", fs.path()].expect(0).text()).unwrap();
    assert_eq!(json["capabilities"]["modes"], false);
    assert_eq!(json["capabilities"]["times"], true);
    assert_eq!(
        (&json["time_step_nanoseconds"], &json["is_local"]),
        (&2_000_000_000_u64.into(), &false.into())
    );
    assert_nothing_left(fs.backing());
    let local: serde_json::Value =
        serde_json::from_str(&haul!["probe", "--json", Scratch::in_memory().path()].expect(0).text())
            .unwrap();
    assert_eq!((&local["is_local"], &local["capabilities"]["symlinks"]), (&true.into(), &true.into()));
    haul!["probe", &fs.path().join("none")].expect(1);
}

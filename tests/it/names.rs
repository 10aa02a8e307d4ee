//! Names that a destination does not take: those that differ only in case, and those that Windows forbids.

use crate::support::mirror::{count, mirror};
use crate::support::oracle::{Outcome, haul, haul_command, run};
use crate::support::scratch::Scratch;
use crate::support::slowfs::{Errno, Fault, Op, Options, SlowFs};
use crate::support::snapshot::Snapshot;
use crate::support::tree::{Node, build, dir, file, hard_link, symlink};
use haul::account::{End, Observer, Report};
use haul::options::{Capability, OddNames};
use haul::{Cancel, Source, SyncOptions, UnpackOptions};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

struct Nobody;

impl Observer for Nobody {
    fn event(&self, _: haul::account::Event<'_>) {}
}

/// What such a destination is assumed to lack, wherever it is.
const LACKS: [Capability; 2] = [Capability::CaseSensitive, Capability::AnyName];

/// A verb, from one place to another.
type Run = fn(&Path, &Path, OddNames, bool) -> Report;

fn sync(src: &Path, dst: &Path, names: OddNames, delete: bool) -> Report {
    let mut options = SyncOptions::default();
    options.destination.without = LACKS.to_vec();
    options.destination.names = names;
    options.delete = delete.then(Default::default);
    haul::sync(src, dst, &options, &Cancel::default(), &Nobody).unwrap()
}

fn unpack(archive: &Path, dst: &Path, names: OddNames, delete: bool) -> Report {
    let mut options = UnpackOptions::default();
    options.destination.without = LACKS.to_vec();
    options.destination.names = names;
    options.update = delete.then_some(haul::options::Update { checksum: false, delete });
    haul::unpack(Source::Path(archive), dst, &options, &Cancel::default(), &Nobody).unwrap()
}

/// `path: kind` of each failure.
fn failures(report: &Report) -> Vec<String> {
    assert!(matches!(report.end, End::Complete));
    let line = |failure: &haul::account::Failure| {
        format!("{}: {}", String::from_utf8_lossy(&failure.path), failure.cause.kind())
    };
    report.failures.iter().map(line).collect()
}

fn names_in(root: &Path) -> Vec<String> {
    Snapshot::of(root).without_root().paths()
}

fn odd_tree() -> Vec<Node> {
    vec![
        file("a/README", "one"),
        file("a/Readme", "two"),
        file("a/readme", "three"),
        file("a/kept", "kept"),
        dir("a"),
        file("Lib/x", "1"),
        file("lib/y", "2"),
        file("c:d/f", "below"),
        file("end.", "cut"),
        file("nul.txt", "device"),
        hard_link("hard", "nul.txt"),
        symlink("to", "c:d"),
    ]
}

const REFUSED: [&str; 8] = [
    "Lib: same-name",
    "a/README: same-name",
    "a/Readme: same-name",
    "a/readme: same-name",
    "c:d: forbidden-name",
    "end.: forbidden-name",
    "lib: same-name",
    "nul.txt: forbidden-name",
];

const WRITTEN: [&str; 4] = ["a", "a/kept", "hard", "to"];

#[test]
fn what_the_destination_does_not_take_is_refused_in_every_run_and_the_rest_is_done() {
    let scratch = Scratch::new();
    let (src, archive) = (scratch.join("src"), scratch.join("a.tar.zst"));
    build(&src, &odd_tree());
    haul!["pack", &src, &archive].expect(0);
    let (mirror, unpacked) = (scratch.join("m"), scratch.join("u"));
    for delete in [false, false, true] {
        assert_eq!(failures(&sync(&src, &mirror, OddNames::Refuse, delete)), REFUSED);
        assert_eq!(failures(&unpack(&archive, &unpacked, OddNames::Refuse, delete)), REFUSED);
        assert_eq!(
            (names_in(&mirror), names_in(&unpacked)),
            (WRITTEN.map(str::to_owned).to_vec(), WRITTEN.map(str::to_owned).to_vec())
        );
    }
    assert_eq!(fs::read_to_string(unpacked.join("hard")).unwrap(), "device");
}

#[test]
fn what_is_skipped_is_no_failure_and_what_stands_in_its_place_stays() {
    let scratch = Scratch::new();
    let (src, archive) = (scratch.join("src"), scratch.join("a.tar.zst"));
    build(&src, &odd_tree());
    haul!["pack", &src, &archive].expect(0);
    let runs: [(Run, _); 2] = [(sync, &src), (unpack, &archive)];
    for (run, from) in runs {
        let dst = scratch.join("dst");
        build(
            &dst,
            &[file("a/ReadMe", "old"), file("a/gone", "old"), file("LIB/old", "old"), dir("a"), dir("LIB")],
        );
        let report = run(from, &dst, OddNames::Skip, true);
        assert!(report.failures.is_empty());
        assert_eq!((report.counts.skipped, report.counts.deleted), (8, 1));
        assert_eq!(names_in(&dst), ["LIB", "LIB/old", "a", "a/ReadMe", "a/kept", "hard", "to"]);
        fs::remove_dir_all(&dst).unwrap();
    }
}

#[test]
fn rules_choose_before_names_are_judged() {
    let scratch = Scratch::new();
    let (src, dst) = (scratch.join("src"), scratch.join("dst"));
    build(&src, &[file("README", "1"), file("readme", "2"), file("a:b", "3")]);
    let mut options = SyncOptions::default();
    options.destination.without = LACKS.to_vec();
    let given = ["README", "a:*"].map(|pattern| haul::rules::Given::Exclude(pattern.into()));
    options.choice.rules = haul::rules::Rules::plain(&given).unwrap();
    let report = haul::sync(&src, &dst, &options, &Cancel::default(), &Nobody).unwrap();
    assert!(report.failures.is_empty());
    assert_eq!(names_in(&dst), ["readme"]);
}

/// The first name of a stream is written: that there are others is not known yet.
#[test]
fn of_the_names_of_a_stream_the_first_is_written() {
    let scratch = Scratch::new();
    let (src, archive) = (scratch.join("src"), scratch.join("a.tar"));
    build(&src, &[file("A/x", "1"), file("a/x", "2"), file("a/y", "3"), file("b:/c", "4"), file("d", "5")]);
    let mut tar = std::process::Command::new("tar");
    tar.arg("-cf").arg(&archive).arg("-C").arg(&src).args(["A/x", "a", "b:", "d"]);
    assert!(tar.status().unwrap().success());
    for delete in [false, true] {
        let report = unpack(&archive, &scratch.join("dst"), OddNames::Refuse, delete);
        assert_eq!(failures(&report), ["a: same-name", "b:: forbidden-name"]);
        assert_eq!(names_in(&scratch.join("dst")), ["A", "A/x", "d"]);
        assert_eq!(fs::read_to_string(scratch.join("dst/A/x")).unwrap(), "1");
    }
}

/// On a destination that tells case apart although it is said not to, other spellings are other entries.
#[test]
fn a_spelling_is_only_changed_where_it_is_the_same_entry() {
    let scratch = Scratch::new();
    let (src, dst) = (scratch.join("src"), scratch.join("dst"));
    build(&src, &[file("name", "new")]);
    build(&dst, &[file("Name", "old")]);
    let report = sync(&src, &dst, OddNames::Refuse, false);
    assert_eq!((report.counts.renamed, report.counts.created), (0, 1));
    assert_eq!(names_in(&dst), ["Name", "name"]);
}

/// A mount that takes names that differ only in case for one, and no names that Windows forbids.
fn odd_mount() -> Option<SlowFs> {
    let none = std::time::Duration::ZERO;
    SlowFs::mount(Options {
        case_insensitive: true,
        forbidden_names: true,
        entry_timeout: none,
        attr_timeout: none,
        ..Options::default()
    })
}

/// The content of each file below `root`, by its path.
fn contents(root: &Path) -> BTreeMap<String, String> {
    let files = names_in(root).into_iter().filter(|path| root.join(path).is_file());
    files.map(|path| (path.clone(), fs::read_to_string(root.join(path)).unwrap())).collect()
}

/// What a spelling with escapes stands for, by the rule of the manual.
fn decoded(spelling: &str) -> String {
    let (mut name, mut at) = (Vec::new(), 0);
    while at < spelling.len() {
        let digits = spelling.get(at + 1..at + 3).filter(|_| spelling.as_bytes()[at] == b'%');
        if let Some(escaped) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            name.push(escaped);
            at += 3;
        } else {
            name.push(spelling.as_bytes()[at]);
            at += 1;
        }
    }
    String::from_utf8(name).unwrap()
}

#[test]
fn a_mount_that_does_not_take_a_name_is_found_out_and_nothing_is_written_over() {
    let Some(mount) = odd_mount() else { return };
    let scratch = Scratch::new();
    let (src, archive) = (scratch.join("src"), scratch.join("a.tar.zst"));
    build(&src, &odd_tree());
    haul!["pack", &src, &archive].expect(0);
    for (name, args) in [
        ("m", vec!["sync", "--delete"]),
        ("u", vec!["unpack"]),
        ("u", vec!["unpack", "--update", "--delete"]),
    ] {
        for _ in 0..2 {
            let from = if name == "m" { &src } else { &archive };
            let mut command = haul_command();
            command.args(&args).arg(from).arg(mount.path().join(name));
            let outcome = run(&mut command, None).expect(3);
            let outcome = outcome.expect_once(
                "cannot create a/README: names that differ only in case: README, Readme, readme",
            );
            outcome.expect_once("cannot create c:d: the destination forbids names with :");
            assert_eq!(names_in(&mount.backing().join(name)), WRITTEN, "{args:?}");
        }
    }
    assert_eq!(names_in(mount.backing()).len(), 2 * (WRITTEN.len() + 1), "something is left behind");
}

#[test]
fn a_change_of_case_is_a_rename_in_every_mode() {
    let Some(mount) = odd_mount() else { return };
    let scratch = Scratch::new();
    let (old, new) = (scratch.join("old"), scratch.join("new"));
    build(
        &old,
        &[
            file("Name", "same"),
            file("d/F", "f"),
            file("d/e/Z", "z"),
            file("gone", "gone"),
            dir("d/e"),
            dir("d"),
        ],
    );
    build(&new, &[file("name", "same"), file("D/f", "f"), file("D/e/z", "z"), dir("D/e"), dir("D")]);
    for delete in ["--no-links", "--delete", "--delete-before", "--delete-during", "--delete-after"] {
        let deletes = delete.starts_with("--delete");
        let delete: &[&str] = if deletes { &[delete] } else { &[] };
        let (dst, backing) = (mount.path().join("m"), mount.backing().join("m"));
        mirror(&["-q"], &old, &dst).expect(0);
        let inodes = |names: [&str; 3]| names.map(|name| fs::metadata(backing.join(name)).unwrap().ino());
        let before = inodes(["Name", "d/F", "d/e/Z"]);
        let planned = mirror(&[delete, &["-n"]].concat(), &new, &dst).expect(0);
        assert!(backing.join("Name").exists(), "a dry run changes nothing");
        let done = mirror(&[delete, &["-i"]].concat(), &new, &dst).expect(0);
        let renamed = |outcome: &Outcome| -> Vec<String> {
            // Entries are handled in parallel, so the lines come in any order.
            let mut lines: Vec<String> = outcome
                .lines()
                .into_iter()
                .filter(|line| line.contains(" <= ") || line.starts_with('*'))
                .collect();
            lines.sort_unstable();
            lines
        };
        assert_eq!(renamed(&planned), renamed(&done));
        assert_eq!(renamed(&done).iter().filter(|line| line.contains(" <= ")).count(), 4, "{done}");
        let mut expected = contents(&new);
        if !deletes {
            expected.insert("gone".to_owned(), "gone".to_owned());
        }
        assert_eq!(contents(&backing), expected, "{delete:?}");
        assert_eq!(inodes(["name", "D/f", "D/e/z"]), before, "content was copied: {done}");
        assert!(mirror(&[delete, &["-i"]].concat(), &new, &dst).expect(0).lines().is_empty());
        fs::remove_dir_all(&backing).unwrap();
    }
}

#[test]
fn unpacking_over_another_spelling_renames_it() {
    let Some(mount) = odd_mount() else { return };
    let scratch = Scratch::new();
    let (old, new) = (scratch.join("old"), scratch.join("new"));
    build(&old, &[file("Name", "same"), file("d/F", "f"), file("gone", "gone"), dir("d")]);
    build(&new, &[file("name", "same"), file("D/f", "other"), dir("D")]);
    let archives = [("old", &old), ("new", &new)].map(|(name, tree)| {
        let archive = scratch.join(&format!("{name}.tar.zst"));
        haul!["pack", tree, &archive].expect(0);
        let plain = scratch.join(&format!("{name}.tar"));
        let mut tar = std::process::Command::new("tar");
        assert!(tar.arg("-cf").arg(&plain).arg("-C").arg(tree).arg(".").status().unwrap().success());
        [archive, plain]
    });
    for form in 0..2 {
        for flags in [&[][..], &["--update"], &["--update", "--delete"]] {
            let dst = mount.path().join("u");
            haul!["unpack", &archives[0][form], &dst].expect(0);
            let mut command = haul_command();
            command.arg("unpack").args(flags).arg(&archives[1][form]).arg(&dst);
            run(&mut command, None).expect(0);
            let mut expected = contents(&new);
            if !flags.contains(&"--delete") {
                expected.insert("gone".to_owned(), "gone".to_owned());
            }
            assert_eq!(contents(&mount.backing().join("u")), expected, "{flags:?}");
            haul!["verify", &archives[1][0], &dst].expect(if flags.contains(&"--delete") { 0 } else { 4 });
            fs::remove_dir_all(mount.backing().join("u")).unwrap();
        }
    }
}

#[test]
fn escaped_names_are_written_once_and_found_again() {
    let Some(mount) = odd_mount() else { return };
    let scratch = Scratch::new();
    let (src, archive, plain) = (scratch.join("src"), scratch.join("a.tar.zst"), scratch.join("a.tar"));
    let mut nodes = odd_tree();
    nodes.extend([file("%41", "literal"), file("c:d/x*", "deep"), hard_link("c:d/hard", "a/Readme")]);
    build(&src, &nodes);
    haul!["pack", &src, &archive].expect(0);
    let mut tar = std::process::Command::new("tar");
    tar.args(["--sort=name", "-cf"]).arg(&plain).arg("-C").arg(&src).arg(".");
    assert!(tar.status().unwrap().success());
    for (args, from) in [
        (&["sync", "--delete"][..], &src),
        (&["unpack", "--update", "--delete"], &archive),
        (&["unpack", "--update", "--delete"], &plain),
    ] {
        let (dst, backing) = (mount.path().join("m"), mount.backing().join("m"));
        let mut command = haul_command();
        command.args(args).args(["--names=escape", "--json"]).arg(from).arg(&dst);
        run(&mut command, None).expect(0);
        let written = contents(&backing);
        let read: BTreeMap<_, _> =
            written.iter().map(|(name, content)| (decoded(name), content.clone())).collect();
        assert_eq!(read, contents(&src), "{args:?}");
        for name in
            ["a/README", "a/%52eadme", "a/%72eadme", "c%3Ad/x%2A", "%2541", "%6Eul.txt", "end%2E", "Lib/x"]
        {
            assert!(written.contains_key(name), "{name}: {written:?}");
        }
        assert_eq!(fs::read_link(backing.join("to")).unwrap().to_str(), Some("c:d"));
        let inode = |name: &str| fs::metadata(backing.join(name)).unwrap().ino();
        assert_eq!(inode("c%3Ad/hard"), inode("a/%52eadme"));
        let again = run(&mut command, None).expect(0);
        let changed = ["created", "updated", "linked", "metadata_set", "renamed", "deleted"]
            .map(|name| count(&again, name));
        assert_eq!(changed, [0; 6], "{args:?}: {again}");
        fs::remove_dir_all(&backing).unwrap();
    }
}

/// What a rule leaves out is left out under the source's own name.
#[test]
fn rules_are_about_the_names_of_the_source() {
    let Some(mount) = odd_mount() else { return };
    let scratch = Scratch::new();
    let src = scratch.join("src");
    build(&src, &[file("a:b", "1"), file("c:d/e", "2"), file("c:d/f", "3"), file("g", "4")]);
    let dst = mount.path().join("m");
    mirror(&["--names=escape", "--exclude=a:b", "--exclude=/c:d/f"], &src, &dst).expect(0);
    assert_eq!(contents(&mount.backing().join("m")).into_keys().collect::<Vec<_>>(), ["c%3Ad/e", "g"]);
    // And so is what it protects.
    build(&mount.backing().join("m"), &[file("a%3Ab", "kept"), file("x", "gone")]);
    mirror(&["--names=escape", "--delete", "--exclude=a:b", "--exclude=/c:d/f"], &src, &dst).expect(0);
    assert_eq!(
        contents(&mount.backing().join("m")).into_keys().collect::<Vec<_>>(),
        ["a%3Ab", "c%3Ad/e", "g"]
    );
}

/// A directory of names in few spellings, mirrored over another one: what is written, and that nothing else is lost.
#[test]
fn random_names_end_up_as_the_model_says() {
    let Some(mount) = odd_mount() else { return };
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let names = || prop::collection::btree_set("[aAbB]{1,2}:?", 0..8);
    let trees = (names(), names(), any::<bool>());
    let result = runner.run(&trees, |(src_names, dst_names, escapes)| {
        let scratch = Scratch::in_memory();
        let (src, dst) = (scratch.mkdir("src"), mount.path().join("m"));
        fs::create_dir(&dst).unwrap();
        for name in &src_names {
            fs::write(src.join(name), name).unwrap();
        }
        let mut before = BTreeMap::new();
        for name in dst_names.iter().filter(|name| !name.ends_with(':')) {
            before.entry(name.to_lowercase()).or_insert(name.clone());
        }
        for name in before.values() {
            fs::write(mount.backing().join("m").join(name), "old").unwrap();
        }
        let names = if escapes { "--names=escape" } else { "--names=refuse" };
        let mirrored =
            |code| mirror(&["--delete", "-i", "--allow-empty-source", names], &src, &dst).expect(code);
        let twins = |name: &String| {
            src_names.iter().filter(|other| other.to_lowercase() == name.to_lowercase()).count()
        };
        let is_taken = |name: &&String| !name.ends_with(':') && twins(name) == 1;
        let all_taken = src_names.iter().all(|name| is_taken(&name));
        let code = if all_taken || escapes { 0 } else { 3 };
        mirrored(code);
        let found = contents(&mount.backing().join("m"));
        if escapes {
            let read: BTreeMap<_, _> =
                found.iter().map(|(name, content)| (decoded(name), content.clone())).collect();
            prop_assert_eq!(read, src_names.iter().map(|name| (name.clone(), name.clone())).collect());
        } else {
            let written = src_names.iter().filter(is_taken).map(|name| (name.clone(), name.clone()));
            let kept = before.iter().filter(|(folded, _)| {
                src_names.iter().any(|name| name.to_lowercase() == **folded && !is_taken(&name))
            });
            let kept = kept.map(|(_, name)| (name.clone(), "old".to_owned()));
            prop_assert_eq!(&found, &written.chain(kept).collect());
        }
        prop_assert!(mirrored(code).lines().is_empty());
        prop_assert_eq!(contents(&mount.backing().join("m")), found);
        fs::remove_dir_all(mount.backing().join("m")).unwrap();
        Ok(())
    });
    result.unwrap();
}

/// Where nothing could be tried, and so case counts as told apart, a new name is published without replacing.
#[test]
fn what_was_not_found_out_beforehand_still_loses_nothing() {
    let Some(mount) = odd_mount() else { return };
    let scratch = Scratch::new();
    let (src, dst, backing) = (scratch.join("src"), mount.path().join("m"), mount.backing().join("m"));
    build(&src, &[file("README", "one"), file("Readme", "two"), file("readme", "three")]);
    let blind = |flags: &[&str]| {
        mount.arm([Fault::every(Op::Mkdir, Errno::EACCES)]);
        mirror(flags, &src, &dst)
    };
    fs::create_dir(&backing).unwrap();
    for _ in 0..2 {
        // With several threads, any of the three may be the first.
        blind(&["--in-flight=1"])
            .expect(3)
            .expect_once("cannot publish Readme: names that differ only in case: README, Readme");
        assert_eq!(contents(&backing), BTreeMap::from([("README".to_owned(), "one".to_owned())]));
    }
    // The new spelling sorts before the old one, and after it.
    for (old, new) in [("name", "Name"), ("Name", "name")] {
        for delete in ["--delete", "--delete-during", "--delete-before", "--delete-after"] {
            fs::remove_dir_all(&src).unwrap();
            build(&src, &[file(new, "same"), file("x", "x")]);
            fs::remove_dir_all(&backing).unwrap();
            build(&backing, &[file(old, "same"), file("gone", "gone")]);
            let outcome = blind(&[delete]);
            let found = contents(&backing);
            assert!(
                found.contains_key(old) || found.contains_key(new),
                "{delete} {old}: {found:?}: {outcome}"
            );
            assert!(
                outcome.code() == Some(0) || !found.contains_key(new),
                "{delete} {old}: {found:?}: {outcome}"
            );
            mount.arm([]);
            mirror(&[delete], &src, &dst).expect(0);
            assert_eq!(contents(&backing), contents(&src));
        }
    }
}

//! Names that a destination does not take: those that differ only in case, and those that Windows forbids.

use crate::support::oracle::haul;
use crate::support::scratch::Scratch;
use crate::support::snapshot::Snapshot;
use crate::support::tree::{Node, build, dir, file, hard_link, symlink};
use haul::account::{End, Observer, Report};
use haul::options::{Capability, OddNames};
use haul::{Cancel, Source, SyncOptions, UnpackOptions};
use std::fs;
use std::path::Path;

struct Nobody;

impl Observer for Nobody {
    fn event(&self, _: haul::account::Event<'_>) {}
}

/// What such a destination is assumed to lack, wherever it is.
const LACKS: [Capability; 2] = [Capability::CaseSensitive, Capability::AnyName];

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
    let runs: [(fn(&Path, &Path, OddNames, bool) -> Report, _); 2] = [(sync, &src), (unpack, &archive)];
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

//! Trees that change while they are mirrored, on either side.
//!
//! No sleeps: `--bwlimit` delays haul in the middle of a directory's first file, `a-large`, while its temporary file
//! can be seen. The only thread has then listed the directory, and reached nothing after that file.

use crate::support::mirror::{Pair, mirror_command};
use crate::support::oracle::{Outcome, finish};
use crate::support::process::{is_temporary, names_in, spawn, wait_until};
use crate::support::snapshot::{Fields, Snapshot};
use crate::support::tree::{Node, build, dir, file, hard_link, symlink};
use crate::support::trees::noise;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

const LARGE: usize = 2 << 20;

fn source() -> Vec<Node> {
    let mut nodes = vec![file("a-large", noise(1, LARGE)), hard_link("zdir/link", "z00")];
    for i in 0..5 {
        nodes.push(file(format!("z{i:02}"), format!("content {i}")));
        nodes.push(file(format!("zdir/{i:02}"), format!("content {i}")));
        nodes.push(file(format!("zdir/below/{i:02}"), format!("content {i}")));
    }
    nodes
}

fn destination() -> Vec<Node> {
    vec![
        file("a-large", "old"),
        file("z01", "old"),
        file("zdir/01", "old"),
        file("zdir/extra", "e"),
        file("zdir/extra-dir/file", "e"),
    ]
}

/// A tree beside both, of which nothing may be read or changed.
fn outside() -> Vec<Node> {
    vec![
        file("00", "secret"),
        file("01", "secret"),
        file("secret", "secret"),
        file("extra", "secret"),
        file("extra-dir/file", "secret"),
        file("below/00", "secret"),
    ]
}

fn pair() -> Pair {
    let pair = Pair::over(&source(), &destination());
    build(&pair.scratch.join("outside"), &outside());
    pair
}

/// Mirrors, and runs `change` while haul is inside the first file.
fn mirror_while(pair: &Pair, args: &[&str], change: impl FnOnce()) -> Outcome {
    let args = [&["-j", "1", "--bwlimit=4m"], args].concat();
    let mut child = spawn(&mut mirror_command(&args, &pair.src, &pair.dst));
    wait_until(&mut child, || names_in(&pair.dst).iter().any(|name| is_temporary(name.as_bytes())));
    assert!(child.try_wait().unwrap().is_none(), "haul was too fast");
    change();
    finish(child, &format!("haul sync {args:?}"))
}

/// Asserts that nothing outside was changed, nothing of it came in, and nothing temporary is left.
#[track_caller]
fn assert_sound(pair: &Pair, outcome: &Outcome) {
    let outside = Snapshot::of(&pair.scratch.join("outside"));
    build(&pair.scratch.join("untouched"), &self::outside());
    let untouched = Snapshot::of(&pair.scratch.join("untouched"));
    assert!(outside == untouched, "something outside was changed: {outcome}");
    for path in Snapshot::of(&pair.dst).0.keys() {
        let shown = path.escape_ascii();
        assert!(!is_temporary(path), "{shown} is left: {outcome}");
        let place = pair.dst.join(std::str::from_utf8(path).unwrap());
        if place.is_file() && !place.is_symlink() {
            assert!(std::fs::read(&place).unwrap() != b"secret", "{shown} is from outside: {outcome}");
        }
    }
    std::fs::remove_dir_all(pair.scratch.join("untouched")).unwrap();
}

fn write(path: &Path, at: u64, bytes: &[u8]) {
    File::options().write(true).open(path).unwrap().write_all_at(bytes, at).unwrap();
}

type Change = fn(&Path);

#[test]
fn a_file_that_changes_once_while_it_is_copied_is_copied_again() {
    let large = |pair: &Pair| pair.src.join("a-large");
    let changes: [(&str, Change); 5] = [
        ("grows", |large| write(large, LARGE as u64, &noise(2, 100_000))),
        ("shrinks", |large| {
            File::options().write(true).open(large).unwrap().set_len(LARGE as u64 / 2).unwrap();
        }),
        ("is emptied", |large| File::options().write(true).open(large).unwrap().set_len(0).unwrap()),
        ("changes at its start", |large| write(large, 0, b"other")),
        ("changes at its end", |large| write(large, LARGE as u64 - 5, b"other")),
    ];
    for (what, change) in changes {
        for args in [&[][..], &["--inplace"], &["--delta"], &["--partial"]] {
            let pair = pair();
            // Old enough for --inplace and --delta, and different in every block.
            build(&pair.scratch.join("large"), &[file("a", noise(9, LARGE)).mtime(1, 1)]);
            std::fs::rename(pair.scratch.join("large/a"), pair.dst.join("a-large")).unwrap();
            let seen = pair.dst.join("a-large");
            let before = std::fs::read(&seen).unwrap();
            let mut child = spawn(&mut mirror_command(
                &[&["-j", "1", "--bwlimit=8m", "--delete"], args].concat(),
                &pair.src,
                &pair.dst,
            ));
            wait_until(&mut child, || {
                names_in(&pair.dst).iter().any(|name| is_temporary(name.as_bytes()))
                    || std::fs::read(&seen).is_ok_and(|now| now[..1000] != before[..1000])
            });
            change(&large(&pair));
            let outcome = finish(child, &format!("haul sync {args:?} of a file that {what}"));
            assert!(matches!(outcome.code(), Some(0 | 3)), "{outcome}");
            if outcome.code() == Some(0) {
                // The kernel gives a file its new length before its new time. A run that looks in between finds a file
                // that does not change and has the old time; the next run finds the new one.
                let fields = Fields { mtime_slack: None, ..Fields::ALL };
                let diff = Snapshot::of(&pair.src).diff(&Snapshot::of(&pair.dst), fields);
                assert!(diff.is_empty(), "{diff:#?}: {outcome}");
            } else {
                assert!(outcome.stderr.contains("a-large"), "{outcome}");
            }
            assert_sound(&pair, &outcome);
            pair.mirror(&[args, &["--delete"]].concat()).expect(0);
            pair.assert_same();
        }
    }
}

/// It is named, its old content stays, and everything else is done.
#[test]
fn a_file_that_never_stops_changing_is_named_and_left_as_it_was() {
    let pair = pair();
    let done = AtomicBool::new(false);
    let outcome = std::thread::scope(|scope| {
        let outcome = mirror_while(&pair, &["--delete"], || {
            scope.spawn(|| {
                let large = File::options().write(true).open(pair.src.join("a-large")).unwrap();
                for i in 0.. {
                    large.write_all_at(format!("{i:010}").as_bytes(), 0).unwrap();
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    std::thread::yield_now();
                }
            });
        });
        done.store(true, Ordering::Relaxed);
        outcome
    });
    let outcome = outcome.expect(3).expect_once("a-large");
    assert_eq!(pair.read_text("a-large"), "old");
    assert_eq!(pair.read_text("z03"), "content 3");
    assert_eq!(pair.read_text("zdir/extra"), "e", "nothing is removed");
    assert_sound(&pair, &outcome);
    pair.mirror(&["--delete"]).expect(0);
    pair.assert_same();
}

#[test]
fn what_vanishes_is_named_once_and_not_removed_from_the_mirror() {
    let pair = pair();
    let outcome = mirror_while(&pair, &["--delete"], || {
        std::fs::remove_file(pair.src.join("z01")).unwrap();
        std::fs::remove_file(pair.src.join("z03")).unwrap();
        std::fs::remove_dir_all(pair.src.join("zdir")).unwrap();
    });
    let outcome = outcome.expect(3).expect_once("z01").expect_once("z03").expect_once("zdir");
    assert_eq!(pair.read_text("z01"), "old");
    assert_eq!(pair.read_text("zdir/extra"), "e");
    assert_sound(&pair, &outcome);
    pair.mirror(&["--delete"]).expect(0);
    pair.assert_same();
}

#[test]
fn what_becomes_another_kind_is_named_or_mirrored_as_what_it_is() {
    let pair = pair();
    let outcome = mirror_while(&pair, &["--delete"], || {
        for (name, new) in [
            ("z00", vec![file("z00/inside", "i")]),
            ("z01", vec![symlink("z01", "../outside/secret")]),
            ("zdir", vec![file("zdir", "file")]),
        ] {
            std::fs::rename(pair.src.join(name), pair.scratch.join(name)).unwrap();
            build(&pair.src, &new);
        }
    });
    assert!(matches!(outcome.code(), Some(0 | 3)), "{outcome}");
    assert_sound(&pair, &outcome);
    pair.mirror(&["--delete"]).expect(0);
    pair.assert_same();
}

/// On the source's side, so that nothing of what lies outside is read.
#[test]
fn a_directory_of_the_source_that_becomes_a_symlink_is_not_followed() {
    for threads in ["1", "2"] {
        let pair = pair();
        let outcome = mirror_while(&pair, &["--delete", "-j", threads], || {
            std::fs::rename(pair.src.join("zdir"), pair.scratch.join("away")).unwrap();
            std::os::unix::fs::symlink("../outside", pair.src.join("zdir")).unwrap();
        });
        assert!(matches!(outcome.code(), Some(0 | 3)), "{outcome}");
        assert_sound(&pair, &outcome);
        pair.mirror(&["--delete"]).expect(0);
        pair.assert_same();
    }
}

/// On the destination's side, so that nothing outside is written or removed: by what is copied, linked late, and
/// removed at the end.
#[test]
fn a_directory_of_the_destination_that_becomes_a_symlink_is_not_followed() {
    for args in
        [&["--delete"][..], &["--delete-after"], &["--delete-during", "--fsync"], &["--delete", "--backup"]]
    {
        let pair = pair();
        let outcome = mirror_while(&pair, args, || {
            std::fs::rename(pair.dst.join("zdir"), pair.scratch.join("away")).unwrap();
            std::os::unix::fs::symlink("../outside", pair.dst.join("zdir")).unwrap();
        });
        assert!(matches!(outcome.code(), Some(0 | 3)), "{outcome}");
        assert_sound(&pair, &outcome);
        pair.mirror(&["--delete"]).expect(0);
        pair.assert_same();
    }
}

/// The same while haul is inside of it: what was opened stays what it is, wherever it is moved.
#[test]
fn a_directory_that_is_replaced_while_it_is_worked_on_leads_nowhere_else() {
    let mut src = source();
    src.retain(|node| node.path != b"a-large");
    src.push(file("zdir/-large", noise(1, LARGE)));
    let pair = Pair::over(&src, &destination());
    build(&pair.scratch.join("outside"), &outside());
    let mut child =
        spawn(&mut mirror_command(&["-j", "1", "--bwlimit=4m", "--delete"], &pair.src, &pair.dst));
    let inside = pair.dst.join("zdir");
    wait_until(&mut child, || names_in(&inside).iter().any(|name| is_temporary(name.as_bytes())));
    for root in [&pair.src, &pair.dst] {
        let away = pair.scratch.join(&format!("away-{}", root.file_name().unwrap().display()));
        std::fs::rename(root.join("zdir"), away).unwrap();
        std::os::unix::fs::symlink("../outside", root.join("zdir")).unwrap();
    }
    let outcome = finish(child, "haul sync");
    assert!(matches!(outcome.code(), Some(0 | 3)), "{outcome}");
    assert_sound(&pair, &outcome);
    pair.mirror(&["--delete"]).expect(0);
    pair.assert_same();
}

/// Two names change places all the time: a directory and a symlink to outside, a file and a directory. Whatever haul
/// sees, it ends, stays inside, and completes the mirror when the tree is at rest.
#[test]
fn a_tree_that_never_rests_leads_nowhere_outside() {
    let pair = pair();
    for root in [&pair.src, &pair.dst] {
        build(
            root,
            &[symlink("zlink", "../outside"), file("zfile", "x"), dir("zfull"), file("zfull/in", "y")],
        );
    }
    let done = AtomicBool::new(false);
    let swap = |root: &Path, one: &str, other: &str| {
        while !done.load(Ordering::Relaxed) {
            // Either may be missing in the destination, where haul is at work.
            let _ = renameat_with(CWD, root.join(one), CWD, root.join(other), RenameFlags::EXCHANGE);
        }
    };
    std::thread::scope(|scope| {
        for root in [&pair.src, &pair.dst] {
            scope.spawn(move || swap(root, "zdir", "zlink"));
            scope.spawn(move || swap(root, "zfile", "zfull"));
        }
        for i in 0..30 {
            let flags: &[&str] = match i % 3 {
                0 => &["--delete", "-j", "1"],
                1 => &["--delete-during", "-j", "4"],
                _ => &["--delete", "--inplace", "-j", "2"],
            };
            let outcome = pair.mirror(flags);
            // Only one that fails ends the threads too early, and the test with it.
            if !matches!(outcome.code(), Some(0 | 3)) {
                done.store(true, Ordering::Relaxed);
                panic!("{outcome}");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    let outcome = pair.mirror(&["--delete"]).expect(0);
    assert_sound(&pair, &outcome);
    pair.assert_same();
}

//! Requests in flight: as many as help on a slow mount, and the result is the same for any number.

use crate::support::mirror::{count, mirror};
use crate::support::scratch::Scratch;
use crate::support::slowfs::{Op, Options, SlowFs};
use crate::support::snapshot::{Fields, Snapshot};
use crate::support::tree::{build, file};
use crate::support::trees::everything;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A mount on which a request takes much longer than the processor, also on a busy machine.
fn slow() -> Option<SlowFs> {
    SlowFs::mount(Options { delay: Duration::from_millis(20), ..Options::default() })
}

/// A tree of this many directories with this many files in each.
fn tree(scratch: &Scratch, directories: usize, files: usize) -> PathBuf {
    let src = scratch.join("tree");
    let files =
        (0..directories).flat_map(|d| (0..files).map(move |f| file(format!("d{d}/f{f}"), vec![b'x'; 2000])));
    build(&src, &files.collect::<Vec<_>>());
    src
}

#[test]
fn a_first_copy_keeps_many_requests_in_flight_without_being_asked() {
    let Some(fs) = slow() else { return };
    let scratch = Scratch::in_memory();
    let (src, dst) = (tree(&scratch, 20, 15), fs.path().join("mirror"));
    mirror(&["-j1", "--profile=local"], &src, &dst).expect(0);
    assert!(fs.most_in_flight() >= 16, "{} in flight", fs.most_in_flight());
    let (counts, files) = (fs.counts(), 300);
    assert_eq!([Op::Create, Op::Write, Op::Flush].map(|op| counts[op]), [files; 3], "{counts}");
    // FUSE adds LOOKUP and GETATTR, the time is a SETATTR, and a directory of 15 files takes about ten.
    assert!(counts.total() < files * 15 / 2, "{counts}");
    Snapshot::of(&src).assert_same(&Snapshot::of(&dst), Fields::ALL);
    fs.reset();
    mirror(&["-c", "--profile=local"], &src, &dst).expect(0);
    assert!(fs.most_in_flight() >= 16, "{} in flight when comparing", fs.most_in_flight());
}

/// The kernel creates one name after the other in a directory.
#[test]
fn a_flat_directory_is_shared_by_entry() {
    let Some(fs) = slow() else { return };
    let scratch = Scratch::in_memory();
    let (src, dst) = (tree(&scratch, 1, 40), fs.path().join("mirror"));
    mirror(&["-j1", "--profile=local"], &src, &dst).expect(0);
    assert!(fs.most_in_flight() >= 2, "{} in flight", fs.most_in_flight());
    assert_eq!(fs.most_in_flight_of(Op::Create), 1);
}

/// To look at what is there waits for nothing.
#[test]
fn a_second_run_over_a_flat_directory_looks_at_many_entries_at_once() {
    let Some(fs) = slow() else { return };
    let scratch = Scratch::in_memory();
    let src = tree(&scratch, 1, 500);
    mirror(&[], &src, &fs.backing().join("mirror")).expect(0);
    mirror(&["-j1", "--profile=local"], &src, &fs.path().join("mirror")).expect(0);
    assert!(fs.most_in_flight() >= 16, "{} in flight", fs.most_in_flight());
    assert_eq!(fs.counts()[Op::Create], 0);
}

#[test]
fn a_slow_source_counts_as_well_as_a_slow_destination() {
    let Some(fs) = slow() else { return };
    let scratch = Scratch::in_memory();
    let (src, dst) = (tree(&scratch, 1, 300), scratch.join("mirror"));
    mirror(&[], &src, &fs.backing().join("src")).expect(0);
    mirror(&["-j1", "--profile=local"], &fs.path().join("src"), &dst).expect(0);
    assert!(fs.most_in_flight() >= 16, "{} in flight", fs.most_in_flight());
}

#[test]
fn a_number_that_was_asked_for_is_kept() {
    let Some(fs) = slow() else { return };
    let scratch = Scratch::in_memory();
    let (src, dst) = (tree(&scratch, 3, 5), fs.path().join("mirror"));
    mirror(&["-j8", "--in-flight=1", "--profile=local"], &src, &dst).expect(0);
    assert_eq!(fs.most_in_flight(), 1);
}

#[test]
fn any_number_of_requests_in_flight_makes_the_same_mirror() {
    let scratch = Scratch::new();
    let src = scratch.join("src");
    everything(&src);
    let expected = Snapshot::of(&src);
    for in_flight in ["1", "3", "64"] {
        let (dst, flag) = (scratch.join(in_flight), format!("--in-flight={in_flight}"));
        mirror(&[&flag], &src, &dst).expect(0);
        assert_eq!(Snapshot::of(&dst), expected, "{flag}");
        let again = mirror(&[&flag, "--json"], &src, &dst).expect(0);
        assert_eq!((count(&again, "created"), count(&again, "updated")), (0, 0), "{flag}");
        build(&dst, &[file("extra/a/b", "x"), file("extra/c", "y"), file("z", "z")]);
        mirror(&[&flag, "--delete"], &src, &dst).expect(0);
        assert_eq!(Snapshot::of(&dst), expected, "{flag}");
    }
}

#[test]
fn a_number_of_requests_that_no_run_could_have_is_refused() {
    for number in ["0", "1025", "-1", "many"] {
        mirror(&[&format!("--in-flight={number}")], Path::new("a"), Path::new("b")).expect(2);
    }
}

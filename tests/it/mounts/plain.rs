//! A mount without oddness, and oddness that changes nothing.

use crate::support::mirror::{count, mirror};
use crate::support::oracle::haul;
use crate::support::scratch::Scratch;
use crate::support::slowfs::{Errno, Fault, Op, Options, SlowFs, TimeStep};
use crate::support::snapshot::{Fields, Snapshot};
use crate::support::tree::{build, dir, file, symlink};
use std::path::PathBuf;

fn source(scratch: &Scratch) -> PathBuf {
    let src = scratch.join("src");
    build(
        &src,
        &[dir("d"), file("d/a", "a"), file("d/b", vec![b'b'; 3 << 20]), symlink("s", "d/a"), dir("empty")],
    );
    src
}

/// Everything is kept, and a second run has nothing to do.
#[test]
fn a_mount_that_keeps_everything_is_like_any_other_directory() {
    for times in [TimeStep::Nanosecond, TimeStep::HundredNanoseconds] {
        let Some(fs) = SlowFs::mount(Options { times, ..Options::default() }) else { return };
        let scratch = Scratch::in_memory();
        let src = source(&scratch);
        let fields = match times {
            TimeStep::Nanosecond => Fields::ALL,
            _ => Fields { mtime_slack: Some(100), ..Fields::ALL },
        };
        let dst = fs.path().join("mirror");
        mirror(&[], &src, &dst).expect(0);
        Snapshot::of(&src).assert_same(&Snapshot::of(&dst), fields);
        fs.reset();
        // Without a probe, which creates something and removes it again.
        let again = mirror(&["--json", "--profile=local"], &src, &dst).expect(0);
        assert_eq!((count(&again, "created"), count(&again, "updated")), (0, 0), "{again}");
        let counts = fs.counts();
        assert_eq!((counts[Op::Create], counts[Op::Write], counts[Op::SetAttr]), (0, 0, 0), "{counts}");
        let archive = fs.path().join("a.tar.zst");
        haul!["pack", &src, &archive].expect(0);
        haul!["unpack", &archive, &fs.path().join("unpacked")].expect(0);
        Snapshot::of(&src).assert_same(&Snapshot::of(&fs.path().join("unpacked")), fields);
        haul!["verify", &archive, &src].expect(0);
    }
}

/// Content that cannot be written whole is not published, and what was there stays.
#[test]
fn an_archive_that_cannot_be_written_leaves_the_old_one() {
    let Some(fs) = SlowFs::mount(Options::default()) else { return };
    let scratch = Scratch::in_memory();
    let src = source(&scratch);
    let archive = fs.path().join("a.tar.zst");
    haul!["pack", &src, &archive].expect(0);
    let before = std::fs::read(fs.backing().join("a.tar.zst")).unwrap();
    build(&src, &[file("new", "new")]);
    fs.arm([Fault::every(Op::Write, Errno::ENOSPC)]);
    haul!["pack", &src, &archive].expect(1).expect_once("ENOSPC");
    assert_eq!(std::fs::read(fs.backing().join("a.tar.zst")).unwrap(), before);
    let left: Vec<_> = std::fs::read_dir(fs.backing()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["a.tar.zst"]);
}

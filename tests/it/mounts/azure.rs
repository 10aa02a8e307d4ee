//! On a mount that is odd in all of Azure Files' ways at once.

use crate::support::mirror::{count, mirror};
use crate::support::oracle::haul;
use crate::support::scratch::Scratch;
use crate::support::slowfs::{Op, Options, SlowFs};
use crate::support::snapshot::{Fields, Snapshot};
use crate::support::tree::{Node, build, dir, file};

/// What docs/mounts.md gives for a share that keeps content alone.
const CONTENT_ALONE: &[&str] = &[
    "--no-perms",
    "--no-owner",
    "--no-group",
    "--no-times",
    "--no-xattrs",
    "--no-acls",
    "--no-hard-links",
    "--no-D",
    "-c",
];

const KEPT: Fields = Fields { mode: false, owner: false, mtime_slack: None, xattrs: false, ..Fields::ALL };

fn nodes() -> Vec<Node> {
    let mut nodes = vec![dir("d"), dir("d/e"), dir("empty"), file("d/large", vec![7; 3 << 20])];
    nodes.extend((0..20).map(|n| file(format!("d/e/{n}"), n.to_string().repeat(n))));
    nodes
}

#[test]
fn content_alone_is_mirrored_and_a_second_run_changes_nothing() {
    let Some(fs) = SlowFs::mount(Options::azure()) else { return };
    let scratch = Scratch::in_memory();
    let (src, dst) = (scratch.join("src"), fs.path().join("dst"));
    build(&src, &nodes());
    mirror(CONTENT_ALONE, &src, &dst).expect(0);
    Snapshot::of(&src).assert_same(&Snapshot::of(&fs.backing().join("dst")), KEPT);
    fs.reset();
    // What else would be counted is for finding out what the mount does.
    let again = mirror(&[CONTENT_ALONE, &["--json", "--profile=smb"]].concat(), &src, &dst).expect(0);
    assert_eq!((count(&again, "created"), count(&again, "updated")), (0, 0), "{again}");
    let counts = fs.counts();
    assert_eq!((counts[Op::Write], counts[Op::Rename]), (0, 0), "{counts}");
    std::fs::write(src.join("d/e/3"), "changed").unwrap();
    std::fs::write(src.join("new"), "new").unwrap();
    std::fs::remove_file(src.join("d/e/4")).unwrap();
    mirror(&[CONTENT_ALONE, &["--delete"]].concat(), &src, &dst).expect(0);
    Snapshot::of(&src).assert_same(&Snapshot::of(&fs.backing().join("dst")), KEPT);
}

#[test]
fn an_archive_is_packed_over_another_and_keeps_everything() {
    let Some(fs) = SlowFs::mount(Options::azure()) else { return };
    let scratch = Scratch::in_memory();
    let (src, archive) = (scratch.join("src"), fs.path().join("a.tar.zst"));
    build(&src, &nodes());
    for run in ["first", "again"] {
        haul!["pack", &src, &archive].expect(0);
        haul!["verify", &archive, &src].expect(0);
        haul!["unpack", &archive, &scratch.join(run)].expect(0);
        Snapshot::of(&src).assert_same(&Snapshot::of(&scratch.join(run)), Fields::ALL);
        build(&src, &[file(run, "more")]);
    }
    let left: Vec<_> = std::fs::read_dir(fs.backing()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["a.tar.zst"]);
}

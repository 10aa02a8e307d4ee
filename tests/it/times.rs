//! Times on file systems that keep them coarsely, and on those that do not: every verb goes by one rule.

use crate::support::mirror::{Pair, mirror};
use crate::support::oracle::{Outcome, haul_command, in_private_mounts, leave_out, run};
use crate::support::snapshot::{Fields, Snapshot};
use crate::support::tree::{dir, file, hard_link, symlink};
use std::path::Path;

const NANOS: u32 = 123_456_789;
const SECONDS: i64 = 1_700_000_001;

/// What the script prints where no such file system can be mounted.
const NO_MOUNT: &str = "no coarse file system";

/// Makes a file system that keeps whole seconds, below the path `$coarse`: ext2 with inodes that have no room for more.
const MOUNT: &str = r#"
    set -e
    mount_coarse() {
        truncate -s 8M "$1.img" && mkfs.ext2 -q -I 128 "$1.img" 2> /dev/null && mkdir -p "$1" &&
            mount -o loop "$1.img" "$1" || { echo 'no coarse file system'; exit 0; }
    }
    rm_lost() { rmdir "$1/lost+found"; }
"#;

/// A tree of a kind of each entry, all with nanoseconds in their times.
fn tree() -> Pair {
    let all = [
        dir("").mtime(SECONDS, NANOS),
        dir("sub").mtime(SECONDS, NANOS),
        file("sub/file", "content").mtime(SECONDS, NANOS),
        hard_link("sub/again", "sub/file"),
        file("top", "more").mtime(SECONDS, NANOS),
        symlink("link", "top").mtime(SECONDS, NANOS),
    ];
    Pair::new(&all)
}

fn haul(args: &[&str], paths: &[&Path]) -> Outcome {
    run(haul_command().args(args).args(paths), None)
}

/// Runs the script beside the tree. `false` where it had to be left out.
fn on_a_coarse_file_system(pair: &Pair, script: &str) -> bool {
    let script = format!("{MOUNT}{script}");
    let Some(outcome) = in_private_mounts(pair.scratch.path(), &script) else { return false };
    let outcome = outcome.expect(0);
    if outcome.text().contains(NO_MOUNT) {
        leave_out("a file system in a file cannot be mounted here");
        return false;
    }
    true
}

#[test]
fn a_file_system_that_cuts_times_is_as_the_source_for_every_verb() {
    let pair = tree();
    on_a_coarse_file_system(
        &pair,
        r#"
        mount_coarse dst; rm_lost dst
        $HAUL sync --delete src dst
        [ -z "$($HAUL sync -i --delete src dst)" ]
        [ -z "$($HAUL sync -i --delete --checksum src dst)" ]
        $HAUL diff --quick src dst
        $HAUL diff src dst
        $HAUL pack -q src a.tar.zst
        $HAUL verify -q a.tar.zst dst
        $HAUL diff a.tar.zst dst
        # Nothing would be written again.
        $HAUL unpack --json --update a.tar.zst dst | grep -q '"metadata_set": *0'
        $HAUL unpack --json --update --checksum a.tar.zst dst | grep -q '"updated": *0'
        # A change within the second that moves the time back to a whole one cannot be seen; any other can.
        touch -d '2023-11-14T22:13:22Z' dst/top
        [ "$($HAUL sync -i src dst)" = '>f..t...... top' ]
        "#,
    );
}

#[test]
fn a_mount_below_the_destination_may_be_coarser_than_the_destination() {
    let pair = tree();
    on_a_coarse_file_system(
        &pair,
        r#"
        mkdir dst; mount_coarse dst/sub; rm_lost dst/sub; mv dst/sub.img sub.img
        $HAUL sync --delete src dst
        [ -z "$($HAUL sync -i --delete src dst)" ]
        $HAUL diff src dst
        $HAUL pack -q src a.tar.zst
        $HAUL verify -q a.tar.zst dst
        "#,
    );
}

/// Where nanoseconds are kept, a time without them is another one, for every verb.
#[test]
fn a_whole_second_is_not_taken_for_a_time_that_was_cut() {
    let pair = tree();
    let archive = pair.scratch.join("a.tar.zst");
    haul(&["pack", "-q"], &[&pair.src, &archive]).expect(0);
    let whole = |path: &Path| {
        let time = rustix::fs::Timespec { tv_sec: SECONDS, tv_nsec: 0 };
        let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
        rustix::fs::utimensat(rustix::fs::CWD, path, &times, rustix::fs::AtFlags::empty()).unwrap();
    };
    let spoilt = || {
        let _ = std::fs::remove_dir_all(&pair.dst);
        mirror(&[], &pair.src, &pair.dst).expect(0);
        for name in ["sub", "top"] {
            whole(&pair.dst.join(name));
        }
    };
    let is_repaired = || Snapshot::of(&pair.src).assert_same(&Snapshot::of(&pair.dst), Fields::ALL);
    for flags in [&[][..], &["--checksum"], &["--update"], &["--size-only"]] {
        spoilt();
        mirror(flags, &pair.src, &pair.dst).expect(0);
        is_repaired();
    }
    for flags in [&["--update"][..], &["--update", "--checksum"]] {
        spoilt();
        haul(&[&["unpack", "-q"], flags].concat(), &[&archive, &pair.dst]).expect(0);
        is_repaired();
    }
    spoilt();
    haul(&["diff"], &[&pair.src, &pair.dst]).expect(4);
    haul(&["diff"], &[&archive, &pair.dst]).expect(4);
    haul(&["verify", "-q"], &[&archive, &pair.dst]).expect(4);
}

//! File systems that can let two files share their content.

use crate::support::oracle::{in_private_mounts, is_root, leave_out, peer};
use crate::support::scratch::Scratch;

const BTRFS: &str = "mkfs.btrfs -q";
const XFS: &str = "mkfs.xfs -q -m reflink=1";

/// Two files of 32 MiB, one of them unaligned, in `src`; `free` tells how many bytes are free.
const PREPARATION: &str = "\
    mkdir mounted/src
    head -c 33554432 /dev/urandom > mounted/src/large
    head -c 33554432 /dev/urandom > mounted/src/unaligned
    printf x >> mounted/src/unaligned
    cp --reflink=always mounted/src/large mounted/probe || exit 98
    free() { sync -f mounted; echo $(($(stat -f -c '%f * %S' mounted))); }
    same() { cmp \"mounted/src/$1\" \"$2\" || exit 97; }
    ";

/// Runs steps on a new file system, and returns how many bytes less were free at the end of them than at their first
/// `free`. `None`, said aloud, where there is no such file system.
#[track_caller]
fn room_taken(mkfs: &str, steps: &str) -> Option<u64> {
    if !is_root() {
        leave_out("loop devices need root");
        return None;
    }
    if !peer(mkfs.split(' ').next().unwrap()) {
        return None;
    }
    let scratch = Scratch::new();
    scratch.mkdir("mounted");
    // What cp cannot share there, haul need not.
    let script = format!(
        "truncate -s 400M image && {mkfs} image >&2 && mount -o loop image mounted || exit 99
        {PREPARATION}
        {steps}
        free"
    );
    let outcome = in_private_mounts(scratch.path(), &script)?;
    if matches!(outcome.code(), Some(98 | 99)) {
        leave_out(&format!("{mkfs} makes nothing here that can be mounted and shares content"));
        return None;
    }
    let lines = outcome.expect(0).lines();
    let free: Vec<u64> = lines.iter().filter_map(|line| line.parse().ok()).collect();
    Some(free[0].saturating_sub(free[free.len() - 1]))
}

const COPY: &str = "\
    free
    $HAUL sync mounted/src mounted/dst || exit
    same large mounted/dst/large && same unaligned mounted/dst/unaligned
    printf changed | dd of=mounted/src/large bs=1 seek=1000000 conv=notrunc status=none
    $HAUL sync mounted/src mounted/dst && same large mounted/dst/large";

/// A subvolume is a file system of its own, although nothing is mounted there: snapshots are kept in such.
#[test]
fn one_file_system_stops_at_subvolumes() {
    let steps = "\
        free
        mkdir mounted/tree && echo 1 > mounted/tree/a && btrfs subvolume create mounted/tree/sub >&2 || exit 99
        echo 2 > mounted/tree/sub/old
        $HAUL sync -x mounted/tree mounted/mirror && [ -d mounted/mirror/sub ] && [ ! -e mounted/mirror/sub/old ] || exit 97
        $HAUL pack -x mounted/tree packed.tar.zst && [ \"$($HAUL list packed.tar.zst | grep -c old)\" = 0 ] || exit 97
        echo 3 > mounted/mirror/extra && btrfs subvolume create mounted/mirror/kept >&2 && echo 4 > mounted/mirror/kept/f
        $HAUL sync -x --delete mounted/tree mounted/mirror
        [ -e mounted/mirror/kept/f ] && [ ! -e mounted/mirror/extra ] || exit 97
        $HAUL sync mounted/tree mounted/all && cmp mounted/tree/sub/old mounted/all/sub/old || exit 97";
    room_taken(BTRFS, steps);
}

#[test]
fn on_btrfs_a_copy_shares_its_content() {
    let Some(taken) = room_taken(BTRFS, COPY) else { return };
    assert!(taken < 8 << 20, "{taken} bytes were taken by copies of 64 MiB");
}

#[test]
fn on_xfs_a_copy_shares_its_content() {
    let Some(taken) = room_taken(XFS, COPY) else { return };
    assert!(taken < 8 << 20, "{taken} bytes were taken by copies of 64 MiB");
}

/// An unchanged file in a published tree shares its content with the old tree, but is not the same file: writing to one
/// does not change the other.
const PUBLISH: &str = "\
    cp -a --reflink=never mounted/src mounted/dst
    $HAUL pack mounted/src a.tar.zst || exit
    free
    for version in one two; do
        printf $version > mounted/src/changed
        $HAUL sync --atomic --reuse=reflink --keep=9 mounted/src mounted/dst || exit
        same changed mounted/dst/changed
    done
    $HAUL unpack --atomic --reuse=reflink --keep=9 --update --delete a.tar.zst mounted/dst || exit
    [ ! -e mounted/dst/changed ] || exit 97
    for old in mounted/.dst.haul/[0-9]*; do
        for name in large unaligned; do
            same $name $old/$name && same $name mounted/dst/$name
            [ $(stat -c %i $old/$name) != $(stat -c %i mounted/dst/$name) ] || exit 97
        done
    done
    [ $(ls mounted/.dst.haul | grep -c '^[0-9]') = 3 ] || exit 97";

#[test]
fn on_btrfs_what_is_published_shares_content_with_the_old_tree() {
    let Some(taken) = room_taken(BTRFS, PUBLISH) else { return };
    assert!(taken < 8 << 20, "{taken} bytes were taken by three publications of 64 MiB");
}

#[test]
fn on_xfs_what_is_published_shares_content_with_the_old_tree() {
    let Some(taken) = room_taken(XFS, PUBLISH) else { return };
    assert!(taken < 8 << 20, "{taken} bytes were taken by three publications of 64 MiB");
}

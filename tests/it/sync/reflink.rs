//! File systems that can let two files share their content.

use crate::support::oracle::{in_private_mounts, is_root, leave_out, peer};
use crate::support::scratch::Scratch;

/// A file of 32 MiB is mirrored within a file system; returns by how many bytes less was free afterwards.
fn room_taken(mkfs: &str) -> Option<u64> {
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
        mkdir mounted/src
        head -c 33554432 /dev/urandom > mounted/src/large
        head -c 33554432 /dev/urandom > mounted/src/unaligned
        printf x >> mounted/src/unaligned
        cp --reflink=always mounted/src/large mounted/probe || exit 98
        free() {{ sync -f mounted; echo $(($(stat -f -c '%f * %S' mounted))); }}
        free
        $HAUL sync mounted/src mounted/dst || exit
        free
        cmp mounted/src/large mounted/dst/large && cmp mounted/src/unaligned mounted/dst/unaligned || exit 97
        printf changed | dd of=mounted/src/large bs=1 seek=1000000 conv=notrunc status=none
        $HAUL sync mounted/src mounted/dst && cmp mounted/src/large mounted/dst/large || exit 97
        free"
    );
    let outcome = in_private_mounts(scratch.path(), &script)?;
    if matches!(outcome.code(), Some(98 | 99)) {
        leave_out(&format!("{mkfs} makes nothing here that can be mounted and shares content"));
        return None;
    }
    let free: Vec<u64> = outcome.expect(0).lines().iter().map(|line| line.parse().unwrap()).collect();
    Some(free[0].saturating_sub(free[2]))
}

#[test]
fn on_btrfs_a_copy_shares_its_content() {
    let Some(taken) = room_taken("mkfs.btrfs -q") else { return };
    assert!(taken < 8 << 20, "{taken} bytes were taken by copies of 64 MiB");
}

#[test]
fn on_xfs_a_copy_shares_its_content() {
    let Some(taken) = room_taken("mkfs.xfs -q -m reflink=1") else { return };
    assert!(taken < 8 << 20, "{taken} bytes were taken by copies of 64 MiB");
}

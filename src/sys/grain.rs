//! How precisely a file system keeps times, judged by its type.

use super::Dir;
use super::meta::birth;
use crate::tree::grain::{Grain, Grains};
use rustix::fs;
use std::os::fd::AsFd;

/// tmpfs, ramfs, XFS, btrfs, F2FS, ZFS: they always keep nanoseconds.
const EXACT: [i64; 6] = [0x0102_1994, 0x8584_58F6, 0x5846_5342, 0x9123_683E, 0xF2F5_2010, 0x2FC1_2FC1];

/// ext2, ext3 and ext4 share a type, and an overlay keeps what the file system below it keeps.
///
/// ext4's driver keeps the nanoseconds of times together with the inode's birth time in the part of an inode beyond 128
/// bytes: if it reports a birth time, it has room for both. ext2's driver, and inodes of 128 bytes, have neither.
const EXACT_WITH_BIRTH: [i64; 2] = [0xEF53, 0x794C_7630];

/// How precisely the tree below `root` keeps times: fstatfs(2), statx(2).
pub(crate) fn grains(root: &Dir) -> Grains {
    let (Ok(stat), Ok(stat_fs)) = (root.stat_self(), fs::fstatfs(root.as_fd())) else {
        return Grains::UNKNOWN;
    };
    let has_birth = || birth(root.as_fd()).is_ok_and(|born| born.is_some());
    Grains::below(&stat, grain(stat_fs.f_type & 0xFFFF_FFFF, has_birth))
}

/// The grain of a file system of this type (`f_type` of statfs(2)), which may report the birth time of its root.
fn grain(file_system: i64, has_birth: impl FnOnce() -> bool) -> Grain {
    if EXACT.contains(&file_system) || (EXACT_WITH_BIRTH.contains(&file_system) && has_birth()) {
        Grain::Exact
    } else {
        Grain::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_local_file_systems_are_exact_and_all_others_may_be_coarse() {
        for (name, file_system, without, with) in [
            ("tmpfs", 0x0102_1994, Grain::Exact, Grain::Exact),
            ("xfs", 0x5846_5342, Grain::Exact, Grain::Exact),
            ("btrfs", 0x9123_683E, Grain::Exact, Grain::Exact),
            ("zfs", 0x2FC1_2FC1, Grain::Exact, Grain::Exact),
            ("f2fs", 0xF2F5_2010, Grain::Exact, Grain::Exact),
            ("ext", 0xEF53, Grain::Unknown, Grain::Exact),
            ("overlay", 0x794C_7630, Grain::Unknown, Grain::Exact),
            ("fat", 0x4D44, Grain::Unknown, Grain::Unknown),
            ("fuse", 0x6573_5546, Grain::Unknown, Grain::Unknown),
            ("smb2", 0xFE53_4D42, Grain::Unknown, Grain::Unknown),
            ("nfs", 0x6969, Grain::Unknown, Grain::Unknown),
        ] {
            assert_eq!(grain(file_system, || false), without, "{name}");
            assert_eq!(grain(file_system, || true), with, "{name}");
        }
    }
}

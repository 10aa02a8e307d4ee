//! Reading and setting metadata.

use crate::tree::{Device, Locality, Timestamp};
pub(crate) use crate::tree::{FileKind, Stat};
use rustix::fs::{
    self, AtFlags, FileType, Mode, StatxFlags, StatxTimestamp, Timespec, Timestamps, UTIME_OMIT,
};
use rustix::io::{Errno, Result};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

impl FileKind {
    pub(crate) fn from_file_type(file_type: FileType) -> Option<Self> {
        Some(match file_type {
            FileType::RegularFile => FileKind::File,
            FileType::Directory => FileKind::Directory,
            FileType::Symlink => FileKind::Symlink,
            FileType::Fifo => FileKind::Fifo,
            FileType::CharacterDevice => FileKind::CharDevice,
            FileType::BlockDevice => FileKind::BlockDevice,
            FileType::Socket => FileKind::Socket,
            FileType::Unknown => return None,
        })
    }
}

impl Stat {
    /// Metadata of the entry `name` in `dir`; of a symlink itself.
    pub(crate) fn at(dir: BorrowedFd<'_>, name: &[u8]) -> Result<Self> {
        Self::statx(dir, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT)
    }

    /// Metadata of what `name` in `dir` leads to, also through symlinks.
    pub(crate) fn followed(dir: BorrowedFd<'_>, name: &[u8]) -> Result<Self> {
        Self::statx(dir, name, AtFlags::empty())
    }

    /// Metadata of what `fd` refers to.
    pub(crate) fn of(fd: BorrowedFd<'_>) -> Result<Self> {
        Self::statx(fd, b"", AtFlags::EMPTY_PATH)
    }

    fn statx(dir: BorrowedFd<'_>, name: &[u8], flags: AtFlags) -> Result<Self> {
        let x = fs::statx(dir, name, flags, StatxFlags::BASIC_STATS | StatxFlags::MNT_ID)?;
        let mode = u32::from(x.stx_mode);
        Ok(Stat {
            kind: FileKind::from_file_type(FileType::from_raw_mode(mode)).ok_or(Errno::IO)?,
            mode: mode & 0o7777,
            uid: x.stx_uid,
            gid: x.stx_gid,
            size: x.stx_size,
            blocks: x.stx_blocks,
            nlink: x.stx_nlink,
            dev: Device { major: x.stx_dev_major, minor: x.stx_dev_minor },
            ino: x.stx_ino,
            mount: x.stx_mnt_id,
            atime: timestamp(x.stx_atime),
            mtime: timestamp(x.stx_mtime),
            ctime: timestamp(x.stx_ctime),
            rdev: Device { major: x.stx_rdev_major, minor: x.stx_rdev_minor },
        })
    }
}

/// When the inode that `fd` refers to was created, if the file system says.
pub(crate) fn birth(fd: BorrowedFd<'_>) -> Result<Option<Timestamp>> {
    let x = fs::statx(fd, c"", AtFlags::EMPTY_PATH, StatxFlags::BTIME)?;
    Ok((x.stx_mask & StatxFlags::BTIME.bits() != 0).then(|| timestamp(x.stx_btime)))
}

fn timestamp(t: StatxTimestamp) -> Timestamp {
    Timestamp { seconds: t.tv_sec, nanos: t.tv_nsec }
}

/// The times to set, utimensat(2); what is `None` stays as it is.
pub(super) fn times(atime: Option<Timestamp>, mtime: Option<Timestamp>) -> Timestamps {
    let spec = |time: Option<Timestamp>| match time {
        Some(time) => Timespec { tv_sec: time.seconds, tv_nsec: time.nanos.into() },
        None => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
    };
    Timestamps { last_access: spec(atime), last_modification: spec(mtime) }
}

/// fchmod(2).
pub(crate) fn set_mode(fd: impl AsFd, mode: u32) -> Result<()> {
    fs::fchmod(fd, Mode::from_raw_mode(mode))
}

/// Sets the mode of a fifo or device, which is not opened: fchmodat2(2) (Linux 6.6), or chmod(2) on the `/proc` name of
/// an `O_PATH` descriptor. EOPNOTSUPP if neither is available.
pub(crate) fn set_mode_at(dir: impl AsFd, name: &[u8], mode: u32) -> Result<()> {
    let c_name = std::ffi::CString::new(name).map_err(|_| Errno::INVAL)?;
    // SAFETY: `c_name` is a NUL-terminated string that outlives the call, and the descriptor is borrowed for it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_fchmodat2,
            dir.as_fd().as_raw_fd(),
            c_name.as_ptr(),
            mode,
            libc::AT_SYMLINK_NOFOLLOW,
        )
    };
    if result == 0 {
        return Ok(());
    }
    let error = std::io::Error::last_os_error();
    if error.raw_os_error() != Some(libc::ENOSYS) {
        return Err(Errno::from_io_error(&error).unwrap_or(Errno::IO));
    }
    let flags = fs::OFlags::PATH | fs::OFlags::NOFOLLOW | fs::OFlags::CLOEXEC;
    let fd = fs::openat(dir, name, flags, Mode::empty())?;
    fs::chmod(format!("/proc/self/fd/{}", fd.as_raw_fd()), Mode::from_raw_mode(mode))
        .map_err(|errno| if errno == Errno::NOENT { Errno::OPNOTSUPP } else { errno })
}

/// NFS, SMB 1, SMB 2 and later, the old SMB client, Ceph, AFS (both clients), 9P, Lustre, Coda.
const NETWORK: [i64; 10] = [
    0x6969,
    0xFF53_4D42,
    0xFE53_4D42,
    0x517B,
    0x00C3_6400,
    0x5346_414F,
    0x6B41_4653,
    0x0102_1997,
    0x0BD0_0BD0,
    0x7375_7245,
];

/// tmpfs, ramfs, ext2 to ext4, XFS, btrfs, F2FS, ZFS, bcachefs, overlay.
const LOCAL: [i64; 9] = [
    0x0102_1994,
    0x8584_58F6,
    0xEF53,
    0x5846_5342,
    0x9123_683E,
    0xF2F5_2010,
    0x2FC1_2FC1,
    0xCA45_1A4E,
    0x794C_7630,
];

/// Whether a directory of a local file system folds case, chattr(1)'s `F`.
pub(crate) fn folds_case(dir: impl AsFd) -> bool {
    const CASE_FOLD: u32 = 0x4000_0000;
    fs::ioctl_getflags(dir).is_ok_and(|flags| flags.bits() & CASE_FOLD != 0)
}

/// Whether `fd` is on a file system of this machine, judged by the file system's type (statfs(2)).
pub(crate) fn locality(fd: impl AsFd) -> Locality {
    match fs::fstatfs(fd).map(|stat| stat.f_type & 0xFFFF_FFFF) {
        Ok(file_system) if NETWORK.contains(&file_system) => Locality::Network,
        Ok(file_system) if LOCAL.contains(&file_system) => Locality::Local,
        _ => Locality::Unknown,
    }
}

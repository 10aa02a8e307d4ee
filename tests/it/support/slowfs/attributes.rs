//! Attributes as they are shown, and times as they are kept.

use super::options::{Options, TimeStep};
use fuser::{FileAttr, FileType, INodeNo, TimeOrNow};
use rustix::fs::{Stat, Timespec, UTIME_NOW, UTIME_OMIT};
use std::time::{Duration, SystemTime};

const WRITE_BITS: u32 = 0o222;

/// Whether a file has the read-only mark.
pub(super) fn is_marked(stat: &Stat) -> bool {
    kind(stat.st_mode) == FileType::RegularFile && stat.st_mode & WRITE_BITS == 0
}

/// The mode after setting `wanted` where only the read-only mark is kept of a mode.
pub(super) fn with_mark(mode: u32, wanted: u32) -> u32 {
    match (wanted & WRITE_BITS == 0, mode & WRITE_BITS == 0) {
        (true, _) => mode & !WRITE_BITS,
        (false, true) => mode | 0o200,
        (false, false) => mode,
    }
}

/// The kind that is in a mode.
pub(super) fn kind(mode: u32) -> FileType {
    match rustix::fs::FileType::from_raw_mode(mode) {
        rustix::fs::FileType::Directory => FileType::Directory,
        rustix::fs::FileType::Symlink => FileType::Symlink,
        rustix::fs::FileType::Fifo => FileType::NamedPipe,
        rustix::fs::FileType::Socket => FileType::Socket,
        rustix::fs::FileType::CharacterDevice => FileType::CharDevice,
        rustix::fs::FileType::BlockDevice => FileType::BlockDevice,
        _ => FileType::RegularFile,
    }
}

/// What is shown of `stat`.
pub(super) fn shown(stat: &Stat, id: u64, options: &Options) -> FileAttr {
    let kind = kind(stat.st_mode);
    let (mut perm, mut uid, mut gid) = (stat.st_mode & 0o7777, stat.st_uid, stat.st_gid);
    if let Some(mode) = options.fixed_mode {
        let marked = options.read_only_mark && is_marked(stat);
        perm = if marked { mode & !WRITE_BITS } else { mode };
        (uid, gid) = (0, 0);
    }
    let alone = if kind == FileType::Directory { 2 } else { 1 };
    let mtime = Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec.cast_signed() };
    FileAttr {
        ino: INodeNo(id),
        size: stat.st_size.cast_unsigned(),
        blocks: stat.st_blocks.cast_unsigned(),
        atime: system_time(stat.st_atime, stat.st_atime_nsec),
        mtime: {
            let cut = cut(mtime, options.times);
            system_time(cut.tv_sec, cut.tv_nsec.cast_unsigned())
        },
        ctime: system_time(stat.st_ctime, stat.st_ctime_nsec),
        crtime: SystemTime::UNIX_EPOCH,
        kind,
        perm: perm as u16,
        nlink: if options.link.is_some() { alone } else { stat.st_nlink as u32 },
        uid,
        gid,
        rdev: stat.st_rdev as u32,
        blksize: 4096,
        flags: 0,
    }
}

/// A time to set, or none.
pub(super) fn to_set(time: Option<TimeOrNow>, step: TimeStep) -> Timespec {
    match time {
        None => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        Some(TimeOrNow::Now) => Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
        Some(TimeOrNow::SpecificTime(time)) => cut(timespec(time), step),
    }
}

/// The last time that can be kept before `time`.
fn cut(time: Timespec, step: TimeStep) -> Timespec {
    match step {
        TimeStep::Nanosecond => time,
        TimeStep::HundredNanoseconds => Timespec { tv_nsec: time.tv_nsec / 100 * 100, ..time },
        TimeStep::TwoSeconds => Timespec { tv_sec: time.tv_sec & !1, tv_nsec: 0 },
    }
}

fn system_time(seconds: i64, nanoseconds: u64) -> SystemTime {
    let nanoseconds = Duration::from_nanos(nanoseconds);
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    (if seconds < 0 { epoch - whole } else { epoch + whole }) + nanoseconds
}

/// The time that the kernel has sent. fuser subtracts the nanoseconds of a time before 1970 instead of adding them.
fn timespec(time: SystemTime) -> Timespec {
    let (seconds, nanoseconds) = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => (after.as_secs().cast_signed(), after.subsec_nanos()),
        Err(before) => (-before.duration().as_secs().cast_signed(), before.duration().subsec_nanos()),
    };
    Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() }
}

/// Attributes that nobody looks at.
pub(super) fn nothing() -> FileAttr {
    let epoch = SystemTime::UNIX_EPOCH;
    FileAttr {
        ino: INodeNo(0),
        size: 0,
        blocks: 0,
        atime: epoch,
        mtime: epoch,
        ctime: epoch,
        crtime: epoch,
        kind: FileType::Directory,
        perm: 0,
        nlink: 0,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

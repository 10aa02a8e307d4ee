//! What the process may do, and what it starts with.

use super::meta::{FileKind, Stat};
use crate::tree::{Device, Timestamp};
use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{self, Resource, Rlimit};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The user and group that own new files.
pub(crate) fn identity() -> (u32, u32) {
    (process::geteuid().as_raw(), process::getegid().as_raw())
}

/// The groups that the user is a member of.
pub(crate) fn groups() -> Vec<u32> {
    let own = process::getegid().as_raw();
    process::getgroups().unwrap_or_default().into_iter().map(process::Gid::as_raw).chain([own]).collect()
}

/// The file mode creation mask, umask(2); `None` if it cannot be read.
///
/// Read from `/proc/self/status` (Linux 4.7): asking umask(2) would set it for all threads for a moment.
pub fn umask() -> Option<u32> {
    let file = fs::open("/proc/self/status", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut text = String::new();
    File::from(file).read_to_string(&mut text).ok()?;
    umask_in(&text)
}

/// Identifies this boot of the system, random(4); `None` if it cannot be read.
pub(crate) fn boot_id() -> Option<String> {
    let path = "/proc/sys/kernel/random/boot_id";
    let file = fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut text = String::new();
    File::from(file).read_to_string(&mut text).ok()?;
    Some(text.trim().to_owned())
}

fn umask_in(status: &str) -> Option<u32> {
    let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(mask.trim(), 8).ok()
}

/// The time by the system's clock; 1970 if the clock is set to an earlier time.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp { seconds: since.as_secs().cast_signed(), nanos: since.subsec_nanos() }
}

/// How much processor time this process has used.
pub(crate) fn cpu_time() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(used.tv_sec.unsigned_abs(), used.tv_nsec.unsigned_abs() as u32)
}

/// The regular file that standard output goes to, if any: it may lie inside the tree that is packed into it.
pub(crate) fn stdout_file() -> Option<(Device, u64)> {
    let stat = Stat::of(std::io::stdout().as_fd()).ok()?;
    (stat.kind == FileKind::File).then_some((stat.dev, stat.ino))
}

/// Takes over a descriptor that the parent process opened for this one; EBADF if there is none with that number.
///
/// Call it before the process opens anything itself, since that could get the same number, and only once for each
/// number. Standard streams, 0 to 2, are refused with EINVAL: other parts of the program write there, too.
pub fn inherited_descriptor(number: i32) -> std::io::Result<OwnedFd> {
    if number < 3 {
        return Err(Errno::INVAL.into());
    }
    // SAFETY: fcntl(2) with F_SETFD changes only a flag of the descriptor, and fails if there is none.
    if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the descriptor is open, and by this function's contract nobody else in the process owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// `path` made absolute, without looking anything up; unchanged if there is no working directory.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Raises the soft limit of open files to the hard one: a deep tree holds a descriptor for each level.
pub(crate) fn raise_open_files() {
    let limit = process::getrlimit(Resource::Nofile);
    if limit.current < limit.maximum {
        // Refused only if a sandbox forbids it; then the walk has fewer descriptors.
        let _ =
            process::setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_umask_is_read_from_proc() {
        let status = "Name:\thaul\nUmask:\t0027\nSigBlk:\t0000000000000000\n";
        assert_eq!(umask_in(status), Some(0o027));
        assert_eq!(umask_in("Name:\thaul\n"), None);
        assert!(umask().unwrap_or(0o077) <= 0o777);
    }
}

//! Processor time and memory of a process: wait4(2) and getrusage(2), which neither the standard library nor rustix
//! has.

#![allow(unsafe_code)]

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::time::Duration;

/// What a process and the children that it waited for used: a tar's compressor counts as tar.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    pub user: Duration,
    pub system: Duration,
    /// The largest resident set of any of the processes, in bytes, not their sum (getrusage(2)). At least this
    /// program's own size, since a child begins as its copy.
    pub peak_bytes: u64,
}

/// Waits for `child` to end.
// By value: after this the process is gone, and its number may be another's.
#[allow(clippy::needless_pass_by_value)]
pub fn wait(child: Child) -> io::Result<(ExitStatus, Usage)> {
    let pid = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
    let mut status = 0;
    let mut usage = no_usage();
    loop {
        // SAFETY: both pointers are to live values of the right types.
        if unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) } == pid {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok((ExitStatus::from_raw(status), Usage::of(&usage)))
}

/// What this program itself has used so far.
pub fn own_usage() -> io::Result<Usage> {
    let mut usage = no_usage();
    // SAFETY: the pointer is to a live value of the right type.
    if unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) } == 0 {
        Ok(Usage::of(&usage))
    } else {
        Err(io::Error::last_os_error())
    }
}

impl Usage {
    fn of(usage: &libc::rusage) -> Self {
        Usage {
            user: duration(usage.ru_utime),
            system: duration(usage.ru_stime),
            // In KiB on Linux.
            peak_bytes: usage.ru_maxrss.cast_unsigned() * 1024,
        }
    }
}

fn no_usage() -> libc::rusage {
    // SAFETY: rusage is integers only, for which all zeros are a value.
    unsafe { std::mem::zeroed() }
}

fn duration(time: libc::timeval) -> Duration {
    Duration::from_secs(time.tv_sec.cast_unsigned()) + Duration::from_micros(time.tv_usec.cast_unsigned())
}

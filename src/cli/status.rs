//! What `proc_pid_status(5)` tells of this process, where no call without side effects or unsafe code would.

use super::stdio;
use std::path::Path;

/// The signals that are ignored, bit n-1 for signal n. (sigaction(2) has no safe binding.) Where /proc is not mounted,
/// none are.
pub(crate) fn ignored_signals() -> u64 {
    number_in(&status(), "SigIgn:", 16).unwrap_or(0)
}

/// The file mode creation mask. (umask(2) sets it for a moment, to ask it.) Where it is unknown, before Linux 4.7, it is
/// taken to be one that grants nothing to others.
pub(crate) fn umask() -> u32 {
    number_in(&status(), "Umask:", 8).and_then(|mask| u32::try_from(mask).ok()).unwrap_or(0o077)
}

fn status() -> String {
    let status = stdio::read_named(Path::new("/proc/self/status")).unwrap_or_default();
    String::from_utf8_lossy(&status).into_owned()
}

fn number_in(status: &str, key: &str, radix: u32) -> Option<u64> {
    let number = status.lines().find_map(|line| line.strip_prefix(key))?;
    u64::from_str_radix(number.trim(), radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_read_from_proc() {
        let status =
            "Name:\thaul\nUmask:\t0027\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t0\n";
        assert_eq!(number_in(status, "SigIgn:", 16), Some(0x1001));
        assert_eq!(number_in(status, "Umask:", 8), Some(0o027));
        assert_eq!(number_in("Name:\thaul\n", "SigIgn:", 16), None);
        // The runtime ignores SIGPIPE (13) in every Rust program.
        assert_eq!(ignored_signals() & (1 << 12), 1 << 12);
        assert!(umask() <= 0o777);
    }
}

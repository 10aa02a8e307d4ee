//! What the process may do and with what it starts.

use rustix::process::{self, Resource, Rlimit};

/// The user and group to whom new files belong.
pub(crate) fn identity() -> (u32, u32) {
    (process::geteuid().as_raw(), process::getegid().as_raw())
}

/// The file mode creation mask, umask(2); every bit where it is not known, which costs a call for each file but never
/// a wrong mode.
///
/// Read from `/proc/self/status` (Linux 4.7), since asking umask(2) sets it, for all threads, for a moment.
pub(crate) fn umask() -> u32 {
    let Ok(file) = rustix::fs::open("/proc/self/status", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty())
    else {
        return 0o777;
    };
    let mut text = String::new();
    if std::io::Read::read_to_string(&mut std::fs::File::from(file), &mut text).is_err() {
        return 0o777;
    }
    text.lines()
        .find_map(|line| line.strip_prefix("Umask:"))
        .and_then(|mask| u32::from_str_radix(mask.trim(), 8).ok())
        .unwrap_or(0o777)
}

/// Raises the soft limit of open files to the hard one: a deep tree holds a descriptor for each level.
pub(crate) fn raise_open_files() {
    let limit = process::getrlimit(Resource::Nofile);
    if limit.current < limit.maximum {
        // Refused only where a sandbox forbids it; then the walk simply has fewer descriptors.
        let _ = process::setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
}

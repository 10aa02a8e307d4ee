//! A target with latency: a directory that the slow file system of the tests shows.
//!
//! Requests take their time only while something is timed, so that preparing and removing trees does not.

use crate::measure::Outcome;
use crate::slowfs::{Errno, Options, SlowFs};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// Each name that the kernel knows costs this process a descriptor.
const DESCRIPTORS: u64 = 1 << 19;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slowness {
    pub latency: Duration,
    /// Setting times fails.
    pub refuses_times: bool,
}

impl fmt::Display for Slowness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = if self.refuses_times { ", whose times cannot be set" } else { "" };
        write!(f, "a mount with {} ms for each request{times}", self.latency.as_millis())
    }
}

/// The requests of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Traffic {
    pub requests: u32,
    pub most_in_flight: usize,
}

pub struct Slow {
    fs: SlowFs,
    latency: Duration,
}

impl Slow {
    /// Mounts a new directory below `parent`.
    pub fn mount(parent: &Path, slowness: Slowness) -> Outcome<Self> {
        raise_descriptor_limit();
        let place = TempDir::with_prefix_in("haul-compare-slow-", parent)?;
        let [backing, mount] = ["backing", "mount"].map(|name| place.path().join(name));
        fs::create_dir(&backing)?;
        fs::create_dir(&mount)?;
        let options =
            Options { utimes: slowness.refuses_times.then_some(Errno::EPERM), ..Options::default() };
        let mut fs =
            SlowFs::at(&backing, &mount, options).map_err(|error| format!("mounting FUSE: {error}"))?;
        fs.keep(place);
        Ok(Slow { fs, latency: slowness.latency })
    }

    pub fn at(&self) -> PathBuf {
        self.fs.path().to_owned()
    }

    /// Does the work with latency, after the kernel has forgotten what it knew of the mount. Also returns its requests.
    pub fn timed<T>(&self, work: impl FnOnce() -> T) -> (T, Traffic) {
        let Options { entry_timeout, attr_timeout, .. } = Options::default();
        thread::sleep(entry_timeout.max(attr_timeout) + Duration::from_millis(100));
        self.fs.change(|options| options.delay = self.latency);
        self.fs.reset();
        let result = work();
        let requests = u32::try_from(self.fs.counts().total()).unwrap_or(u32::MAX);
        let traffic = Traffic { requests, most_in_flight: self.fs.most_in_flight() };
        self.fs.change(|options| options.delay = Duration::ZERO);
        (result, traffic)
    }
}

/// Also the hard limit, where that is permitted; else as far as it goes.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(DESCRIPTORS).max(DESCRIPTORS);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: Some(most) });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn only_what_is_timed_is_slow_and_counted() {
        let (parent, latency) = (TempDir::new().unwrap(), Duration::from_millis(200));
        let Ok(slow) = Slow::mount(parent.path(), Slowness { latency, refuses_times: true }) else {
            return eprintln!("SKIPPED: FUSE cannot be mounted");
        };
        fs::create_dir(slow.at().join("quick")).unwrap();
        let start = Instant::now();
        let (made, traffic) = slow.timed(|| {
            let start = Instant::now();
            fs::create_dir(slow.at().join("slow")).unwrap();
            start.elapsed()
        });
        assert!(made >= latency && start.elapsed() > made);
        assert!(traffic.requests >= 1 && traffic.most_in_flight >= 1, "{traffic:?}");
        let times =
            fs::File::open(slow.at().join("slow")).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH);
        assert_eq!(times.unwrap_err().raw_os_error(), Some(libc::EPERM));
        let at = slow.at();
        drop(slow);
        assert!(!at.exists() && fs::read_dir(parent.path()).unwrap().next().is_none());
    }
}

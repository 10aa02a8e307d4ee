//! A slow and odd file system for tests: a directory shown through FUSE, with latency and with what network mounts lack.
//!
//! It runs in the process that mounts it and answers each request from a thread of its own, so that as many requests are in
//! flight as the program under test makes. `/dev/fuse` is the only thing it needs; nothing is linked.
//!
//! ```ignore
//! let Some(fs) = SlowFs::mount(Options { chmod: Some(Errno::EPERM), ..Options::default() }) else { return };
//! build(&scratch.join("src"), &[file("a", "a")]);
//! haul!["sync", &scratch.join("src"), fs.path().join("dst")];
//! assert_eq!(fs.counts()[Op::Create], 1);
//! ```
//!
//! * [`SlowFs::mount`] (in `support::mount`) mounts an empty directory, or says why it cannot and returns `None`.
//!   [`SlowFs::at`] mounts a given directory at a given place.
//! * [`SlowFs::path`] is the mount, [`SlowFs::backing`] what it shows, without any oddness: build trees and look at results
//!   there. The kernel keeps names and attributes for a second ([`Options::entry_timeout`], [`Options::attr_timeout`]), so
//!   change nothing in the backing directory that has just been seen through the mount, or set the timeouts to zero.
//! * [`Options`]: each field is one oddness; [`Options::azure`] has all that Azure Files has. [`SlowFs::change`] changes them
//!   while mounted, for "first it works, then it does not".
//! * [`Fault`]: one operation that fails (or is performed and then reported as failed, or hangs), the n-th, the first n or
//!   each, of all names or of those that contain a text. [`SlowFs::arm`] replaces the faults and starts counting anew;
//!   [`SlowFs::let_go`] ends what hangs.
//! * [`SlowFs::counts`]: requests by [`Op`] since [`SlowFs::reset`], [`Counts::total`] for all that a caller waits for.
//!   They are exact: each request is counted before it is answered. Three come when the kernel likes and are in no total:
//!   `Release`, `ReleaseDir`, `Forget`. [`SlowFs::most_in_flight`] is the most requests that were unanswered at once.
//! * A program cannot avoid a lookup and a getattr for each file that it creates (FUSE sends them), and the kernel splits
//!   writes at 1 MiB.
//! * Dropping it unmounts, also while something still uses the mount.

mod acts;
mod attributes;
mod counts;
mod faults;
mod names;
mod nodes;
mod options;
mod outcome;
mod pool;
mod requests;
mod store;

pub use counts::{Counts, Op};
pub use faults::Fault;
pub use fuser::Errno;
pub use options::{Options, TimeStep};

use fuser::{BackgroundSession, Config, MountOption, SessionACL};
use requests::Requests;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use store::Store;

/// A mounted slow file system.
pub struct SlowFs {
    /// `None` once it is unmounted.
    session: Option<BackgroundSession>,
    store: Arc<Store>,
    mount_point: PathBuf,
    backing: PathBuf,
    /// What is to be removed after unmounting.
    place: Option<Box<dyn Send + Sync>>,
}

impl SlowFs {
    /// Shows `backing`, a directory on one file system, at the directory `mount_point`.
    pub fn at(backing: &Path, mount_point: &Path, options: Options) -> io::Result<Self> {
        raise_descriptor_limit()?;
        let store = Arc::new(Store::open(backing, options)?);
        let mut config = Config::default();
        config.mount_options = vec![
            MountOption::FSName("slowfs".to_owned()),
            MountOption::Subtype("slowfs".to_owned()),
            MountOption::DefaultPermissions,
        ];
        // Only root may let others in without a line in /etc/fuse.conf.
        config.acl = if is_root() { SessionACL::All } else { SessionACL::Owner };
        let session = fuser::spawn_mount(Requests::new(Arc::clone(&store)), mount_point, &config)?;
        let (mount_point, backing) = (mount_point.canonicalize()?, backing.to_owned());
        Ok(Self { session: Some(session), store, mount_point, backing, place: None })
    }

    /// Removes `place` after unmounting, by dropping it.
    pub fn keep(&mut self, place: impl Send + Sync + 'static) {
        self.place = Some(Box::new(place));
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.mount_point
    }

    /// What it shows: the same tree without latency and oddness.
    pub fn backing(&self) -> &Path {
        &self.backing
    }

    /// The requests since the last reset.
    pub fn counts(&self) -> Counts {
        self.store.meter.counts()
    }

    /// The most requests in flight at once since the last reset.
    pub fn most_in_flight(&self) -> usize {
        self.store.meter.most_in_flight()
    }

    /// The most requests of one kind in flight at once since the last reset.
    pub fn most_in_flight_of(&self, op: Op) -> usize {
        self.store.meter.most_in_flight_of(op)
    }

    /// Counts from zero again.
    pub fn reset(&self) {
        self.store.meter.reset();
    }

    /// Changes the options while mounted, all but `readdirplus` and what the kernel is told of the times' step.
    pub fn change(&self, change: impl FnOnce(&mut Options)) {
        self.store.change(change);
    }

    /// Replaces the faults; each counts its operations from zero.
    pub fn arm(&self, faults: impl IntoIterator<Item = Fault>) {
        self.store.faults.arm(faults);
    }

    /// Ends every operation that hangs, and lets no further one hang.
    pub fn let_go(&self) {
        self.store.faults.let_go();
    }
}

impl Drop for SlowFs {
    fn drop(&mut self) {
        self.let_go();
        drop(self.session.take());
        if is_mounted(&self.mount_point) {
            // Something still has a file open or stands in it.
            detach(&self.mount_point);
        }
        drop(self.place.take());
    }
}

/// Whether this process may do what it likes with files.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Each name that the kernel knows costs a descriptor.
fn raise_descriptor_limit() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}

/// Whether something is mounted at `place`, which is asked of the kernel and not of what is mounted there.
fn is_mounted(place: &Path) -> bool {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    table.lines().any(|line| line.split(' ').nth(4).is_some_and(|point| Path::new(point) == place))
}

/// Unmounts now for new callers, and wholly once the last one is done.
pub fn detach(place: &Path) {
    use rustix::mount::{UnmountFlags, unmount};
    if unmount(place, UnmountFlags::DETACH).is_err() {
        let mut command = Command::new("fusermount3");
        let _ = command.arg("-uqz").arg("--").arg(place).stderr(Stdio::null()).status();
    }
}

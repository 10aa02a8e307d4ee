//! Counts requests, and how many of them are unanswered at once.

use std::ops::Index;
use std::sync::Mutex;

macro_rules! ops {
    ($($op:ident),* $(,)?) => {
        /// A kind of request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Op { $($op),* }

        impl Op {
            pub const ALL: &[Self] = &[$(Self::$op),*];
        }
    };
}

ops! {
    Lookup, GetAttr, SetAttr, ReadLink, Mknod, Mkdir, Symlink, Link, Unlink, Rmdir, Rename, Open, Create, Read, Write, Flush,
    Release, Fsync, OpenDir, ReadDir, ReleaseDir, StatFs, GetXattr, SetXattr, ListXattr, RemoveXattr, Fallocate, Lseek,
    CopyRange, Forget,
}

impl Op {
    /// Whether a caller waits for the answer. What nobody waits for comes when the kernel likes, and takes no time.
    pub fn is_awaited(self) -> bool {
        !matches!(self, Self::Release | Self::ReleaseDir | Self::Forget)
    }
}

const KINDS: usize = Op::ALL.len();

/// The requests since the last reset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    by_op: [u64; KINDS],
    /// Bytes that were read.
    pub read_bytes: u64,
    /// Bytes that were written.
    pub written_bytes: u64,
    /// Requests that set a mode.
    pub set_modes: u64,
    /// Requests that set an owner or a group.
    pub set_owners: u64,
    /// Requests that set times.
    pub set_times: u64,
}

impl Index<Op> for Counts {
    type Output = u64;

    fn index(&self, op: Op) -> &u64 {
        &self.by_op[op as usize]
    }
}

impl Counts {
    /// All requests that a caller waits for.
    pub fn total(&self) -> u64 {
        Op::ALL.iter().filter(|op| op.is_awaited()).map(|&op| self[op]).sum()
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for &op in Op::ALL.iter().filter(|&&op| self[op] > 0) {
            write!(f, "{op:?} {} ", self[op])?;
        }
        write!(f, "(read {} B, wrote {} B)", self.read_bytes, self.written_bytes)
    }
}

/// How many of something are at once, and the most that were.
#[derive(Clone, Copy, Default)]
struct Level {
    now: usize,
    most: usize,
}

impl Level {
    fn rise(&mut self) {
        self.now += 1;
        self.most = self.most.max(self.now);
    }
}

#[derive(Default)]
struct State {
    counts: Counts,
    all: Level,
    by_op: [Level; KINDS],
}

/// Counts as requests come and go.
#[derive(Default)]
pub(super) struct Meter(Mutex<State>);

impl Meter {
    /// A request has come.
    pub(super) fn begin(&self, op: Op) {
        self.with(|state| {
            state.counts.by_op[op as usize] += 1;
            if op.is_awaited() {
                state.all.rise();
                state.by_op[op as usize].rise();
            }
        });
    }

    /// A request is answered now.
    pub(super) fn end(&self, op: Op) {
        self.with(|state| {
            if op.is_awaited() {
                state.all.now -= 1;
                state.by_op[op as usize].now -= 1;
            }
        });
    }

    /// Adds to the other counts.
    pub(super) fn add(&self, add: impl FnOnce(&mut Counts)) {
        self.with(|state| add(&mut state.counts));
    }

    pub(super) fn counts(&self) -> Counts {
        self.with(|state| state.counts.clone())
    }

    pub(super) fn most_in_flight(&self) -> usize {
        self.with(|state| state.all.most)
    }

    pub(super) fn most_in_flight_of(&self, op: Op) -> usize {
        self.with(|state| state.by_op[op as usize].most)
    }

    pub(super) fn reset(&self) {
        self.with(|state| {
            state.counts = Counts::default();
            state.all.most = state.all.now;
            for level in &mut state.by_op {
                level.most = level.now;
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }
}

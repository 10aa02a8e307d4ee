//! The verbs. Each is a function over its own small `Options` that wires walk, plan, apply and archive together.

pub mod diff;
mod hold;
pub mod list;
pub mod pack;
pub mod publish;
pub mod sync;
pub mod unpack;
pub mod verify;

// For `unpack`.
use crate::source::{events, frames, layers};
use std::num::NonZeroUsize;

pub use crate::source::{Source, is_delta};

/// How many worker threads a run uses.
pub type Threads = NonZeroUsize;

/// The number of processors that the process may use: by its CPU affinity and its cgroup's CPU quota, rounded down, at
/// least 1.
pub fn default_threads() -> Threads {
    // The standard library reads sched_getaffinity(2) and the cpu.max files of cgroup v1 and v2.
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

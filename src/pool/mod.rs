//! Bounded worker threads.
//!
//! Owns the threads of a run and how work reaches them; knows nothing about the work. Every function here returns only
//! after all its threads have ended, and all its queues are bounded.

mod crawl;
mod crew;
mod flight;
mod latency;
mod ordered;
mod scatter;

pub(crate) use crawl::{FoundTasks, crawl};
pub(crate) use crew::Crew;
pub(crate) use flight::{Flight, time};
pub(crate) use latency::Request;
pub(crate) use ordered::ordered;
pub(crate) use scatter::scatter;

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// The number of processors that the process may use: by its CPU affinity and its cgroup's CPU quota, rounded down, at
/// least 1.
pub fn default_threads() -> NonZeroUsize {
    // The standard library reads sched_getaffinity(2) and the cpu.max files of cgroup v1 and v2.
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Locks what threads share. A panic in one of them ends the run; wherever one could occur, the guarded data must be
/// consistent.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Jobs in batches of up to `size`. This makes taking a job cheap where each takes only microseconds, and gives
/// neighbours, usually of one directory, to the same thread.
pub(crate) fn batches<J>(jobs: impl Iterator<Item = J>, size: usize) -> impl Iterator<Item = Vec<J>> {
    let mut jobs = jobs;
    std::iter::from_fn(move || {
        let batch: Vec<_> = jobs.by_ref().take(size).collect();
        (!batch.is_empty()).then_some(batch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_in_one_batch() {
        assert_eq!(batches(0..7, 3).collect::<Vec<_>>(), [vec![0, 1, 2], vec![3, 4, 5], vec![6]]);
        assert_eq!(batches(0..0, 3).count(), 0);
    }
}

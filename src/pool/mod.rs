//! Bounded worker threads.
//!
//! Owns the threads of a run and how work reaches them; knows nothing about the work. Every function here returns only
//! after all its threads have ended, and all its queues are bounded.

mod crawl;
mod ordered;

pub(crate) use crawl::{FoundTasks, crawl};
pub(crate) use ordered::ordered;

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

/// Runs `work` on every job, in any order, on `threads` threads, each with its own state from `start`. Returns the
/// states.
pub(crate) fn scatter<J: Send, S: Send>(
    threads: NonZeroUsize,
    jobs: impl Iterator<Item = J> + Send,
    start: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, J) + Sync,
) -> Vec<S> {
    let jobs = Mutex::new(jobs);
    run(threads, || {
        let mut state = start();
        // The lock is held only for the step of the iterator, not while the job runs.
        while let Some(job) = next(&jobs) {
            work(&mut state, job);
        }
        state
    })
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

/// Runs `body` on `threads` threads and returns their results. A panic in one of them is passed on to the caller.
pub(crate) fn run<T: Send>(threads: NonZeroUsize, body: impl Fn() -> T + Sync) -> Vec<T> {
    if threads.get() == 1 {
        return vec![body()];
    }
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.get()).map(|_| scope.spawn(&body)).collect();
        workers.into_iter().map(join).collect()
    })
}

fn join<T>(worker: thread::ScopedJoinHandle<'_, T>) -> T {
    worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The next job. A poisoned lock means that another worker panicked in the iterator: then there is no more work.
fn next<J>(jobs: &Mutex<impl Iterator<Item = J>>) -> Option<J> {
    jobs.lock().ok()?.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_in_one_batch() {
        assert_eq!(batches(0..7, 3).collect::<Vec<_>>(), [vec![0, 1, 2], vec![3, 4, 5], vec![6]]);
        assert_eq!(batches(0..0, 3).count(), 0);
    }

    #[test]
    fn every_job_is_done_once() {
        for threads in [1, 2, 8] {
            let threads = NonZeroUsize::new(threads).unwrap();
            let mut seen: Vec<u32> =
                scatter(threads, 0..1_000, Vec::new, Vec::push).into_iter().flatten().collect();
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..1_000));
        }
    }
}

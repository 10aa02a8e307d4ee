//! Parallel work with results in the order of the jobs.

use super::scatter::next;
use crossbeam_channel::{bounded, unbounded};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::thread;

/// Runs `work` on every job on `threads` threads, each with its own state from `start`, and hands the results to
/// `take` on the calling thread, in the order of the jobs. `take` returns the slot that came with a result, or `None`
/// to end early.
///
/// A job needs one of `slots` to begin, and passes it on with its result: slots are both the limit on work in flight
/// and its buffers. There must be at least one for each thread.
///
/// Invariants:
/// 1. A slot is taken before the job, so the lowest-numbered job in flight always has one, and its result is taken
///    next: the run cannot deadlock.
/// 2. Results waiting for an earlier one hold slots, so there are never more than `slots.len()`.
pub(crate) fn ordered<J: Send, S: Send, T: Send, W>(
    threads: NonZeroUsize,
    slots: Vec<S>,
    jobs: impl Iterator<Item = J> + Send,
    (start, work): (impl Fn() -> W + Sync, impl Fn(&mut W, J, S) -> T + Sync),
    mut take: impl FnMut(T) -> Option<S>,
) {
    debug_assert!(slots.len() >= threads.get());
    let jobs = Mutex::new(jobs.enumerate());
    let (free, slots_free) = bounded(slots.len());
    for slot in slots {
        // The channel holds them all.
        let _ = free.send(slot);
    }
    thread::scope(|scope| {
        let (done, results) = unbounded();
        for _ in 0..threads.get() {
            let (done, slots_free, jobs) = (done.clone(), slots_free.clone(), &jobs);
            let (start, work) = (&start, &work);
            scope.spawn(move || {
                let mut state = start();
                // Either channel closes when the taking side ends.
                while let Ok(slot) = slots_free.recv() {
                    let Some((number, job)) = next(jobs) else { return };
                    if done.send((number, work(&mut state, job, slot))).is_err() {
                        return;
                    }
                }
            });
        }
        drop((done, slots_free));
        let mut waiting = BTreeMap::new();
        let mut turn = 0;
        for (number, result) in results {
            waiting.insert(number, result);
            while let Some(result) = waiting.remove(&turn) {
                turn += 1;
                let Some(slot) = take(result) else { return drop(free) };
                // Nothing waits for it once all workers have run out of jobs.
                let _ = free.send(slot);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn threads(n: usize) -> NonZeroUsize {
        NonZeroUsize::new(n).unwrap()
    }

    #[test]
    fn results_come_in_order_and_work_in_flight_is_bounded() {
        let in_flight = AtomicUsize::new(0);
        let mut taken = Vec::new();
        let work = |(): &mut (), job: u64, slot| {
            assert!(in_flight.fetch_add(1, Ordering::SeqCst) < 5);
            // Odd jobs are slow, so that results arrive out of order.
            for _ in 0..(job % 2) * 100 {
                thread::yield_now();
            }
            (job, slot)
        };
        ordered(threads(3), vec![(); 5], 0..500, (|| (), work), |(job, slot)| {
            in_flight.fetch_sub(1, Ordering::SeqCst);
            taken.push(job);
            Some(slot)
        });
        assert!(taken.into_iter().eq(0..500));
    }

    #[test]
    fn ending_early_ends_the_workers() {
        let mut taken = 0;
        ordered(threads(2), vec![(); 2], 0.., (|| (), |(): &mut (), job: u64, ()| job), |job| {
            taken += 1;
            (job < 10).then_some(())
        });
        assert_eq!(taken, 11);
    }

    #[test]
    fn fewer_jobs_than_threads_end_too() {
        let mut taken = 0;
        ordered(threads(8), vec![(); 8], 0..1, (|| (), |(): &mut (), job: u64, ()| job), |_| {
            taken += 1;
            Some(())
        });
        assert_eq!(taken, 1);
    }
}

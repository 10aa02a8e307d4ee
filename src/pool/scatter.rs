//! Work that is known before: jobs from an iterator, for any thread.

use super::crew::{self, Crew};
use std::sync::Mutex;

/// Runs `work` on every job, in any order, on the threads of a crew, each with its own state from `start`. Returns the
/// states.
pub(crate) fn scatter<'c, J: Send, S: Send>(
    crew: impl Into<Crew<'c>>,
    jobs: impl Iterator<Item = J> + Send,
    start: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, J) + Sync,
) -> Vec<S> {
    let jobs = Mutex::new(jobs);
    crew::run(crew.into(), |post| {
        let mut state = start();
        // The lock is held only for the step of the iterator, not while the job runs.
        while let Some(job) = next(&jobs) {
            work(&mut state, job);
            if post.is_surplus() {
                break;
            }
            post.hire();
        }
        state
    })
}

/// The next job. A poisoned lock means that another worker panicked in the iterator: then there is no more work.
pub(super) fn next<J>(jobs: &Mutex<impl Iterator<Item = J>>) -> Option<J> {
    jobs.lock().ok()?.next()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::pool::{Flight, Request};
    use std::num::NonZeroUsize;
    use std::time::Duration;

    /// Crews of one, of some, and of a number that changes while they work.
    pub(crate) fn with_crews(test: impl Fn(Crew<'_>)) {
        for threads in [1, 2, 8] {
            test(NonZeroUsize::new(threads).unwrap().into());
        }
        let threads = NonZeroUsize::new(2).unwrap();
        test(Crew::new(threads, Some(&Flight::fixed(threads))));
        test(Crew::new(threads, Some(&Flight::measured(threads, || Duration::ZERO))));
    }

    #[test]
    fn every_job_is_done_once() {
        with_crews(|crew| {
            let mut seen: Vec<u32> =
                scatter(crew, 0..1_000, Vec::new, Vec::push).into_iter().flatten().collect();
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..1_000));
        });
    }

    #[test]
    fn a_crew_grows_and_shrinks_with_its_limit_while_it_works() {
        let flight = Flight::measured(NonZeroUsize::MIN, || Duration::ZERO);
        let crew = Crew::new(NonZeroUsize::MIN, Some(&flight));
        let mut limits = Vec::new();
        for (length, jobs) in [(1, 200), (60, 100)] {
            let work = |count: &mut i32, _| {
                *count += 1;
                flight.learn(Request::Look, Duration::from_millis(length));
            };
            let states = scatter(crew, 0..jobs, || 0, work);
            assert_eq!(states.iter().sum::<i32>(), jobs);
            limits.push((flight.limit(), states.len()));
        }
        let [(grown, threads), (shrunk, _)] = limits[..] else { unreachable!() };
        assert!(grown == 64 && threads > 32 && shrunk < 64, "{limits:?}");
    }

    #[test]
    #[should_panic(expected = "in a job")]
    fn a_panic_in_a_crew_reaches_the_caller() {
        let flight = Flight::fixed(NonZeroUsize::new(4).unwrap());
        scatter(Crew::new(NonZeroUsize::MIN, Some(&flight)), 0..9, || (), |(), _| panic!("in a job"));
    }
}

//! Decides how many requests should be in flight, from what they took. Values only: no clock, no thread.
//!
//! The rule is that of a sender that knows no queue but its own (Vegas, and the gradient limits of Netflix's
//! concurrency-limits): while requests take about as long as they do at best, more of them in flight are free; when they
//! take longer, they queue somewhere, and fewer do as much. "At best" is the 10th percentile of each kind of request,
//! since the fastest ones are chance, and the average contains the queue that is to be found.

use std::time::Duration;

/// The most requests that are in flight, if nothing is said about it.
pub(super) const MOST: usize = 64;
/// What is answered faster comes from a cache of this machine: it says nothing about the way to the other one.
pub(super) const CACHED: Duration = Duration::from_micros(100);
/// Requests may take this many times as long as at best before fewer are sent. Half of that would read a busy
/// processor, on which threads wait for their turn, as a queue.
const TOLERANCE: f64 = 2.5;
/// More threads are of no use where this share of the processors is busy with this process.
const BUSY: f64 = 0.9;
/// A slower "at best" is believed only while no more than these are in flight: otherwise it may be the queue that this
/// process makes, and the limit would follow its own queue without end.
const FEW: usize = 4;
/// And only this much of it at a time.
const DRIFT: f64 = 1.0 / 16.0;

/// A kind of request, which is compared only with its own kind. Listing a directory is none: what comes with it fills
/// caches, and its length is that of the directory. Nor is creating a name, for which requests of one directory wait
/// for each other in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// Looks something up: metadata, extended attributes.
    Look,
    /// Opens a file.
    Open,
    /// Closes a file that was written, which waits for what is not sent yet.
    Close,
    /// Removes a name.
    Remove,
}

const KINDS: usize = Request::Remove as usize + 1;

/// What a request took.
pub(super) type Sample = (Request, Duration);

/// The limit, and what it is judged by.
#[derive(Debug)]
pub(super) struct Controller {
    limit: usize,
    most: usize,
    /// What each kind takes at best, in seconds.
    best: [Option<f64>; KINDS],
    /// No queue was met so far: the limit is doubled each time.
    is_first_climb: bool,
}

impl Controller {
    /// Begins with `start`, which is not 0.
    pub(super) fn new(start: usize) -> Self {
        Controller { limit: start, most: MOST.max(start), best: [None; KINDS], is_first_climb: true }
    }

    /// How many samples the next decision needs: each thread had about one.
    pub(super) fn window(&self) -> usize {
        self.limit.max(8)
    }

    /// Decides from a window of samples, and the share of the processors that this process kept busy meanwhile. Returns
    /// the new limit.
    pub(super) fn decide(&mut self, samples: &[Sample], busy: f64) -> usize {
        self.learn(samples);
        let ratio = |&(request, took): &Sample| {
            self.best[request as usize].map_or(1.0, |best| took.as_secs_f64() / best.max(1e-6))
        };
        let slower = percentile(samples.iter().map(ratio).collect(), 50).unwrap_or(1.0);
        let step = self.limit.isqrt().max(1);
        if slower > TOLERANCE {
            self.is_first_climb = false;
            // In percent, since a number of threads has no fraction.
            let kept =
                (50_u32..100).rev().find(|&kept| f64::from(kept) <= 100.0 * TOLERANCE / slower).unwrap_or(50);
            let fewer = self.limit * kept as usize / 100 + step;
            self.limit = fewer.min(self.limit.saturating_sub(1)).max(1);
        } else if busy >= BUSY {
            self.is_first_climb = false;
        } else {
            let more = if self.is_first_climb { self.limit } else { step };
            self.limit = (self.limit + more).min(self.most);
        }
        self.limit
    }

    /// Learns what each kind takes at best: less at once, more only slowly and while few are in flight.
    fn learn(&mut self, samples: &[Sample]) {
        let drift = if self.limit <= FEW { DRIFT } else { 0.0 };
        for (kind, best) in self.best.iter_mut().enumerate() {
            let of_kind = samples.iter().filter(|(request, _)| *request as usize == kind);
            let now = percentile(of_kind.map(|(_, took)| took.as_secs_f64()).collect(), 10);
            *best = match (*best, now) {
                (Some(best), Some(now)) if now > best => Some(best + (now - best) * drift),
                (best, now) => now.or(best),
            };
        }
    }
}

fn percentile(mut values: Vec<f64>, percent: usize) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) * percent / 100).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(request: Request, millis: f64, count: usize) -> Vec<Sample> {
        vec![(request, Duration::from_secs_f64(millis / 1e3)); count]
    }

    /// A server that answers in `millis`, `width` requests at once; more of them wait for their turn.
    fn run(controller: &mut Controller, (millis, width): (f64, u32), windows: usize) -> Vec<usize> {
        let mut limits = Vec::new();
        for _ in 0..windows {
            let queued = (f64::from(controller.limit as u32) / f64::from(width)).max(1.0);
            let count = controller.window();
            limits.push(controller.decide(&samples(Request::Close, millis * queued, count), 0.1));
        }
        limits
    }

    #[test]
    fn a_server_that_takes_them_all_gets_the_most_within_a_few_windows() {
        let mut controller = Controller::new(2);
        assert_eq!(run(&mut controller, (2.0, 1000), 6), [4, 8, 16, 32, 64, 64]);
        // What was asked for by the number of threads is a lower bound of the most, never an upper one.
        assert_eq!(run(&mut Controller::new(100), (2.0, 1000), 2), [100, 100]);
    }

    #[test]
    fn a_queue_is_met_and_left_and_the_limit_stays_near_what_the_server_takes() {
        for width in [1, 2, 4, 8, 16] {
            let mut controller = Controller::new(1);
            run(&mut controller, (2.0, width), 40);
            let last = run(&mut controller, (2.0, width), 40);
            let (low, high) = (*last.iter().min().unwrap(), *last.iter().max().unwrap());
            let width = width as usize;
            assert!(low >= width && high <= (5 * width).max(12), "{width}: {low} to {high}");
        }
    }

    #[test]
    fn a_server_that_becomes_slow_gets_fewer_and_one_that_recovers_gets_more_again() {
        let mut controller = Controller::new(64);
        run(&mut controller, (2.0, 1000), 4);
        let throttled = run(&mut controller, (40.0, 1000), 6);
        assert!(throttled[5] < 16, "{throttled:?}");
        let recovered = run(&mut controller, (2.0, 1000), 20);
        assert_eq!(recovered[19], 64);
        // One that stays slow is one that is far away.
        assert_eq!(run(&mut controller, (40.0, 1000), 200)[199], 64);
    }

    #[test]
    fn busy_processors_get_no_more_threads() {
        let mut controller = Controller::new(2);
        let decide = |controller: &mut Controller, busy| {
            let count = controller.window();
            controller.decide(&samples(Request::Look, 1.0, count), busy)
        };
        assert_eq!([0.95, 1.0, 0.5, 0.5].map(|busy| decide(&mut controller, busy)), [2, 2, 3, 4]);
    }

    #[test]
    fn kinds_are_compared_with_their_own_kind() {
        let mut controller = Controller::new(4);
        let mixed = [samples(Request::Look, 1.0, 8), samples(Request::Open, 30.0, 8)].concat();
        assert_eq!([(); 5].map(|()| controller.decide(&mixed, 0.0)), [8, 16, 32, 64, 64]);
    }

    #[test]
    fn one_fast_answer_is_not_what_is_possible() {
        let mut controller = Controller::new(20);
        let window = [samples(Request::Look, 0.2, 1), samples(Request::Look, 4.0, 19)].concat();
        assert_eq!(controller.decide(&window, 0.0), 40);
    }
}

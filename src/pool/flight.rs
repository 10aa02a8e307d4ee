//! How many requests are in flight to file systems that answer slowly, measured while they are made.
//!
//! On a file system of this machine a thread for each processor is right, and nothing is measured. On any other a request
//! mostly waits: threads then stand for requests, and there are as many of them as help ([`super::latency`]).

use super::latency::{CACHED, Controller, MOST, Request, Sample};
use super::lock;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// After so many answers from caches without one from afar, a run is not slow.
const ENOUGH_CACHED: usize = 256;

/// How many requests may be in flight now.
#[derive(Debug)]
pub(crate) struct Flight {
    limit: AtomicUsize,
    most: usize,
    /// `None` if the limit is fixed.
    measuring: Option<Measuring>,
}

#[derive(Debug)]
struct Measuring {
    window: Mutex<Window>,
    /// The processor time of this process so far.
    cpu: fn() -> Duration,
    processors: u32,
    /// Answers that came from a cache, and those that did not.
    cached: AtomicUsize,
    waited: AtomicUsize,
}

#[derive(Debug)]
struct Window {
    controller: Controller,
    samples: Vec<Sample>,
    began: Instant,
    /// The processor time when it began.
    used: Duration,
}

impl Flight {
    /// Always as many.
    pub(crate) fn fixed(limit: NonZeroUsize) -> Self {
        Flight { limit: limit.get().into(), most: limit.get(), measuring: None }
    }

    /// As many as help, beginning with one for each of `threads`. `cpu` tells the processor time of this process.
    pub(crate) fn measured(threads: NonZeroUsize, cpu: fn() -> Duration) -> Self {
        let (start, processors) = (threads.get(), super::default_threads().get() as u32);
        let window = Window {
            controller: Controller::new(start),
            samples: Vec::new(),
            began: Instant::now(),
            used: cpu(),
        };
        let (cached, waited) = Default::default();
        let measuring = Measuring { window: window.into(), cpu, processors, cached, waited };
        Flight { limit: start.into(), most: MOST.max(start), measuring: Some(measuring) }
    }

    /// How many may be in flight now.
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// How many there will be at most.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// Whether requests wait, as far as is known: then each entry is worth a task of its own.
    pub(super) fn is_slow(&self) -> bool {
        self.measuring.as_ref().is_none_or(|measuring| {
            let cached = measuring.cached.load(Ordering::Relaxed);
            cached < ENOUGH_CACHED || cached < 64 * measuring.waited.load(Ordering::Relaxed)
        })
    }

    /// Makes a request, and learns from what it takes.
    pub(crate) fn time<T>(&self, request: Request, make: impl FnOnce() -> T) -> T {
        if self.measuring.is_none() {
            return make();
        }
        let began = Instant::now();
        let result = make();
        self.learn(request, began.elapsed());
        result
    }

    /// Learns what a request took.
    pub(super) fn learn(&self, request: Request, took: Duration) {
        let Some(measuring) = &self.measuring else { return };
        if took < CACHED {
            measuring.cached.fetch_add(1, Ordering::Relaxed);
        } else {
            measuring.waited.fetch_add(1, Ordering::Relaxed);
            if let Some(limit) = measuring.add((request, took)) {
                self.limit.store(limit, Ordering::Relaxed);
            }
        }
    }
}

impl Measuring {
    /// Adds a sample. Returns the new limit if it was the last one of a window.
    fn add(&self, sample: Sample) -> Option<usize> {
        let mut window = lock(&self.window);
        window.samples.push(sample);
        if window.samples.len() < window.controller.window() {
            return None;
        }
        let (samples, now, used) = (std::mem::take(&mut window.samples), Instant::now(), (self.cpu)());
        let wall = now.duration_since(window.began).as_secs_f64() * f64::from(self.processors);
        let busy = used.saturating_sub(window.used).as_secs_f64() / wall.max(1e-9);
        (window.began, window.used) = (now, used);
        Some(window.controller.decide(&samples, busy))
    }
}

/// Makes a request, and learns from what it takes if anything is learned.
pub(crate) fn time<T>(flight: Option<&Flight>, request: Request, make: impl FnOnce() -> T) -> T {
    match flight {
        Some(flight) => flight.time(request, make),
        None => make(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::sleep;

    #[test]
    fn slow_answers_raise_the_limit_and_answers_from_a_cache_do_not() {
        let flight = Flight::measured(NonZeroUsize::MIN, || Duration::ZERO);
        (0..1000).for_each(|_| flight.learn(Request::Look, CACHED / 2));
        assert!(flight.limit() == 1 && !flight.is_slow());
        (0..17).for_each(|_| flight.learn(Request::Look, 2 * CACHED));
        assert!(flight.limit() == 4 && flight.is_slow());
    }

    #[test]
    fn a_fixed_limit_stays() {
        let flight = Flight::fixed(NonZeroUsize::new(3).unwrap());
        (0..20).for_each(|_| flight.time(Request::Close, || sleep(CACHED)));
        assert_eq!((flight.limit(), flight.most()), (3, 3));
    }
}

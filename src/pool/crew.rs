//! Who shares the work: a fixed number of threads, or as many as requests may be in flight.

use super::flight::Flight;
use super::lock;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Builder, Scope};

/// Who shares the work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crew<'a> {
    threads: NonZeroUsize,
    flight: Option<&'a Flight>,
}

impl From<NonZeroUsize> for Crew<'_> {
    /// This many threads.
    fn from(threads: NonZeroUsize) -> Self {
        Crew { threads, flight: None }
    }
}

impl<'a> Crew<'a> {
    /// As many threads as requests may be in flight; without such a limit, `threads`.
    pub(crate) fn new(threads: NonZeroUsize, flight: Option<&'a Flight>) -> Self {
        Crew { threads, flight }
    }

    /// How many of `count` things a thread should take at a time. `whole` where taking one costs more than it may wait;
    /// few, so that all threads get some, where each of them waits.
    pub(crate) fn share(self, count: usize, whole: usize) -> usize {
        match self.flight {
            Some(flight) if flight.is_slow() => (count / (4 * flight.most())).clamp(1, whole.max(1)),
            _ => whole.max(1),
        }
    }

    /// Whether threads stand for requests, of which each waits.
    pub(crate) fn is_waiting(self) -> bool {
        self.flight.is_some_and(Flight::is_slow)
    }
}

/// What a thread of a crew asks between two tasks.
pub(super) struct Post<'p> {
    /// How many threads there are, if that changes.
    changing: Option<(&'p Flight, &'p AtomicUsize)>,
    hire: &'p dyn Fn(),
}

impl Post<'_> {
    /// Whether this thread is one too many, and must end after it has passed on what it has.
    pub(super) fn is_surplus(&self) -> bool {
        let Some((flight, alive)) = self.changing else { return false };
        let fewer = |alive: usize| (alive > flight.limit().max(1)).then(|| alive - 1);
        alive.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer).is_ok()
    }

    /// Starts as many threads as there may be.
    pub(super) fn hire(&self) {
        let Some((flight, alive)) = self.changing else { return };
        let more = |alive: usize| (alive < flight.limit()).then(|| alive + 1);
        while alive.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok() {
            (self.hire)();
        }
    }

    /// How many tasks should be ready for threads that end theirs: one for each, where a task mostly waits.
    pub(super) fn stock(&self) -> usize {
        self.changing.map_or(0, |(_, alive)| alive.load(Ordering::Relaxed))
    }
}

/// Runs `body` on the threads of a crew and returns their results. A panic in one of them is passed on to the caller.
pub(super) fn run<T: Send>(crew: Crew<'_>, body: impl Fn(&Post<'_>) -> T + Sync) -> Vec<T> {
    let Some(flight) = crew.flight else {
        return fixed(crew.threads, || body(&Post { changing: None, hire: &|| () }));
    };
    let changing = Changing { flight, alive: 1.into(), body, results: Mutex::default() };
    thread::scope(|scope| {
        // The first thread is this one: it is needed even where no other can be started.
        let hire = || changing.hire(scope);
        let post = Post { changing: Some((flight, &changing.alive)), hire: &hire };
        post.hire();
        changing.work(scope);
    });
    let results = changing.results.into_inner().unwrap_or_default();
    results.into_iter().map(|result| result.unwrap_or_else(|panic| resume_unwind(panic))).collect()
}

/// Runs `body` on `threads` threads.
fn fixed<T: Send>(threads: NonZeroUsize, body: impl Fn() -> T + Sync) -> Vec<T> {
    if threads.get() == 1 {
        return vec![body()];
    }
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.get()).map(|_| scope.spawn(&body)).collect();
        workers.into_iter().map(join).collect()
    })
}

fn join<T>(worker: thread::ScopedJoinHandle<'_, T>) -> T {
    worker.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// A crew whose number changes.
struct Changing<'f, T, B> {
    flight: &'f Flight,
    /// How many threads there are.
    alive: AtomicUsize,
    body: B,
    results: Mutex<Vec<thread::Result<T>>>,
}

impl<T: Send, B: Fn(&Post<'_>) -> T + Sync> Changing<'_, T, B> {
    fn hire<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        // Without it the others do its work, too. It counts all the same: the next one could not be started, either.
        let _ = Builder::new().spawn_scoped(scope, move || self.work(scope));
    }

    fn work<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let hire = || self.hire(scope);
        let post = Post { changing: Some((self.flight, &self.alive)), hire: &hire };
        let result = catch_unwind(AssertUnwindSafe(|| (self.body)(&post)));
        lock(&self.results).push(result);
    }
}

//! `--bwlimit`: limits the average rate of a run.
//!
//! An observer that wraps another one. It delays a worker that has just reported bytes, and does none of the work: the
//! library does not sleep. All workers share one allowance.

use haul::account::{Event, Observer};
use haul::cancel::Cancel;
use std::num::NonZeroU64;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// After a pause, the amount for this much time may be moved at once,
const BURST: Duration = Duration::from_millis(100);
/// but at least this many bytes, so that a block that is read at once need not wait for itself.
const SMALLEST_BURST: u64 = 64 << 10;
/// How long a signal may go unnoticed.
const NAP: Duration = Duration::from_millis(50);

/// Passes every event on, and then delays the worker that moved bytes until the limit allows more.
pub(crate) struct Pace<'a, O> {
    inner: &'a O,
    cancel: &'a Cancel,
    bucket: Option<Mutex<Bucket>>,
}

impl<'a, O: Observer> Pace<'a, O> {
    /// Limits to `rate` bytes per second; `None` is no limit.
    pub(crate) fn new(inner: &'a O, rate: Option<NonZeroU64>, cancel: &'a Cancel) -> Self {
        let bucket = rate.map(|rate| Mutex::new(Bucket::new(rate, Instant::now())));
        Self { inner, cancel, bucket }
    }

    fn delay(&self, bucket: &Mutex<Bucket>, bytes: u64) {
        // The lock is not held while waiting: other workers move bytes, and wait for their own.
        let due = bucket.lock().unwrap_or_else(PoisonError::into_inner).take(bytes, Instant::now());
        while let Some(left) = due.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if self.cancel.is_set() {
                return;
            }
            thread::sleep(left.min(NAP));
        }
    }
}

impl<O: Observer> Observer for Pace<'_, O> {
    fn event(&self, event: Event<'_>) {
        self.inner.event(event);
        if let (Event::Moved(bytes), Some(bucket)) = (event, &self.bucket) {
            self.delay(bucket, bytes);
        }
    }
}

/// An allowance that fills at a constant rate up to a bound, kept as the time at which it was, or will be, empty.
#[derive(Debug)]
struct Bucket {
    rate: NonZeroU64,
    /// How long it takes to fill.
    depth: Duration,
    /// When everything taken is paid for. At most `depth` in the past.
    paid: Instant,
}

impl Bucket {
    /// Full at `now`.
    fn new(rate: NonZeroU64, now: Instant) -> Self {
        let depth = BURST.max(time_for(SMALLEST_BURST, rate));
        Self { rate, depth, paid: now.checked_sub(depth).unwrap_or(now) }
    }

    /// Takes `bytes`, more than there is if necessary. Returns when the taker may continue.
    fn take(&mut self, bytes: u64, now: Instant) -> Instant {
        let full = now.checked_sub(self.depth).unwrap_or(now);
        let begin = self.paid.max(full);
        // The run will not last until a time that is too far away to be represented.
        self.paid = begin.checked_add(time_for(bytes, self.rate)).unwrap_or(begin);
        self.paid
    }
}

/// How long `bytes` take at `rate`.
fn time_for(bytes: u64, rate: NonZeroU64) -> Duration {
    let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate.get());
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use haul::account::Recorder;

    fn rate(bytes: u64) -> NonZeroU64 {
        NonZeroU64::new(bytes).unwrap()
    }

    const SECOND: Duration = Duration::from_secs(1);
    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn what_is_due_in_a_tenth_of_a_second_passes_at_once() {
        let now = Instant::now();
        let mut bucket = Bucket::new(rate(10_000_000), now);
        assert!(bucket.take(1_000_000, now) <= now);
        assert_eq!(bucket.take(1_000_000, now), now + 100 * MILLISECOND);
    }

    #[test]
    fn a_small_limit_lets_one_block_pass() {
        let now = Instant::now();
        let mut bucket = Bucket::new(rate(1024), now);
        assert!(bucket.take(64 << 10, now) <= now);
        assert_eq!(bucket.take(1024, now), now + SECOND);
    }

    #[test]
    fn the_average_keeps_to_the_limit_whatever_the_blocks() {
        for block in [1, 4096, 1 << 20, 100 << 20] {
            let start = Instant::now();
            let mut bucket = Bucket::new(rate(1 << 20), start);
            let (mut now, mut moved) = (start, 0);
            while moved < 200 << 20 && moved < 20_000 * block {
                moved += block;
                now = now.max(bucket.take(block, now));
            }
            // Only what passed at once may exceed the rate.
            let exact = time_for(moved - moved.min((1 << 20) / 10), rate(1 << 20));
            let spent = now - start;
            let off = spent.abs_diff(exact);
            assert!(off < 20 * MILLISECOND, "{block}: {spent:?} and not {exact:?}");
        }
    }

    #[test]
    fn idle_time_is_not_saved_up() {
        let start = Instant::now();
        let mut bucket = Bucket::new(rate(10_000_000), start);
        let later = start + 3600 * SECOND;
        assert_eq!(bucket.take(11_000_000, later), later + SECOND);
    }

    #[test]
    fn workers_share_the_limit() {
        let now = Instant::now();
        let mut bucket = Bucket::new(rate(10_000_000), now);
        let due: Vec<_> = (0..4).map(|_| bucket.take(1_000_000, now)).collect();
        assert_eq!(due[3] - due[0], 300 * MILLISECOND);
    }

    #[test]
    fn every_event_is_passed_on_and_a_cancelled_run_does_not_wait() {
        let (recorder, cancel) = (Recorder::default(), Cancel::default());
        let pace = Pace::new(&recorder, Some(rate(512)), &cancel);
        cancel.set();
        // At this rate it would take a lifetime.
        pace.event(Event::Moved(u64::from(u32::MAX)));
        pace.event(Event::Warning("w"));
        assert_eq!(recorder.lines().len(), 2);
    }
}

//! Waits until the clock that dates files has moved on.
//!
//! Older kernels date a change by the tick of a clock that moves every 1 to 10 milliseconds (`CONFIG_HZ`). A file that
//! is written again within the same tick keeps its time. If it were read in between, the archive would hold content
//! under a time that later stands for other content, and a comparison by time (`--base`, `unpack --update`) would take
//! the two for the same. Once the tick is over, any change also changes the time.

use crate::sys::process;
use crate::tree::Timestamp;
use crate::walk::Found;
use std::time::Duration;

/// Longer than any tick.
const TICK: Duration = Duration::from_millis(12);

/// Returns once no scanned file can change without its time changing. That is at once, unless one was changed just now.
pub(super) fn settle(found: &[Found]) {
    let now = process::now();
    let newest = found.iter().map(|one| one.stamp.mtime).filter(|&mtime| mtime <= now).max();
    if let Some(wait) = newest.and_then(|newest| TICK.checked_sub(since(newest, now))) {
        std::thread::sleep(wait);
    }
}

fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::from_nanos(
        u64::try_from(now.nanos_since_epoch() - then.nanos_since_epoch()).unwrap_or(u64::MAX),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_passed_is_counted_across_seconds() {
        let at = |seconds, nanos| Timestamp { seconds, nanos };
        for (then, now, millis) in [
            (at(5, 0), at(5, 0), 0),
            (at(5, 1_000_000), at(5, 3_000_000), 2),
            (at(5, 999_000_000), at(6, 1_000_000), 2),
            (at(-1, 500_000_000), at(1, 0), 1_500),
        ] {
            assert_eq!(since(then, now), Duration::from_millis(millis), "{then:?} {now:?}");
        }
    }
}

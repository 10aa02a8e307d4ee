//! Whether two times are the same, for file systems that keep them more or less exactly.

use crate::tree::Timestamp;

/// Units in which file systems count time, in nanoseconds: NTFS and SMB, microseconds, milliseconds, ext3 and HFS+.
///
/// Not FAT's two seconds: sources whose times are whole seconds are common (archives, checkouts, reproducible builds),
/// and a change within one such unit must not go unseen. `--modify-window` is for it.
const UNITS: [i128; 4] = [100, 1_000, 1_000_000, 1_000_000_000];

/// Whether a destination's time is the source's: within `window` nanoseconds, or what a coarser clock made of it.
///
/// rsync compares whole seconds unless told otherwise; the rule here sees every change that the destination's file
/// system can hold, and copies nothing again that it cannot.
pub(crate) fn is_same_time(src: Timestamp, dst: Timestamp, window: u64) -> bool {
    if src == dst {
        return true;
    }
    let (src, dst) = (src.nanos_since_epoch(), dst.nanos_since_epoch());
    (src - dst).unsigned_abs() <= u128::from(window)
        || UNITS.iter().any(|unit| src.div_euclid(*unit) * unit == dst)
}

/// Whether a destination's time is later than the source's by more than `window` nanoseconds.
pub(crate) fn is_newer(dst: Timestamp, src: Timestamp, window: u64) -> bool {
    dst.nanos_since_epoch() - src.nanos_since_epoch() > i128::from(window)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64, nanos: u32) -> Timestamp {
        Timestamp { seconds, nanos }
    }

    #[test]
    fn a_time_equals_itself_and_what_a_coarse_clock_made_of_it() {
        let src = at(1_700_000_001, 123_456_789);
        for (dst, same) in [
            (src, true),
            (at(1_700_000_001, 123_456_700), true),
            (at(1_700_000_001, 123_456_000), true),
            (at(1_700_000_001, 123_000_000), true),
            (at(1_700_000_001, 0), true),
            (at(1_700_000_000, 0), false),
            (at(1_700_000_001, 123_456_788), false),
            (at(1_700_000_001, 123_456_800), false),
            (at(1_700_000_002, 0), false),
            (at(1_699_999_998, 0), false),
        ] {
            assert_eq!(is_same_time(src, dst, 0), same, "{dst:?}");
        }
        assert!(!is_same_time(at(5, 0), at(5, 1), 0), "the destination cannot be finer than the source");
        assert!(is_same_time(at(-1, 999_999_999), at(-1, 0), 0) && !is_same_time(at(-1, 0), at(-2, 0), 0));
    }

    #[test]
    fn a_window_works_both_ways() {
        for (dst, same) in
            [(at(7, 0), true), (at(3, 0), true), (at(7, 1), false), (at(2, 999_999_999), false)]
        {
            assert_eq!(is_same_time(at(5, 0), dst, 2_000_000_000), same, "{dst:?}");
        }
        assert!(is_newer(at(5, 1), at(5, 0), 0) && !is_newer(at(5, 1), at(5, 0), 1));
        assert!(!is_newer(at(i64::MIN, 0), at(i64::MAX, 0), u64::MAX));
    }
}

//! The arithmetic of `benches/compare`, which has no test harness of its own.

#[path = "../../benches/compare/stats.rs"]
mod stats;

use stats::Spread;

#[test]
fn a_spread_is_the_median_and_the_ends() {
    let spread = |median, min, max| Spread { median, min, max };
    assert_eq!(Spread::of([3.0, 1.0, 2.0]), spread(2.0, 1.0, 3.0));
    assert_eq!(Spread::of([4.0, 1.0, 2.0, 8.0]), spread(3.0, 1.0, 8.0));
    assert_eq!(Spread::of([5.0]), spread(5.0, 5.0, 5.0));
    assert!(Spread::of([]).median.is_nan());
}

#[test]
fn ratios_are_taken_within_each_pair() {
    // A machine that was half as fast for the second pair changes no ratio.
    let ratios = Spread::of_ratios([(3.0, 1.0), (6.0, 2.0), (3.0, 1.0)]);
    assert_eq!(ratios, Spread { median: 3.0, min: 3.0, max: 3.0 });
}

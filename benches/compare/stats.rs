//! Medians and spreads of a few figures.

use serde::Serialize;

/// The median of some figures, and their range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    /// Without figures, everything is NaN.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let at = |i: usize| sorted.get(i).copied().unwrap_or(f64::NAN);
        let (low, high) = (sorted.len().saturating_sub(1) / 2, sorted.len() / 2);
        let max = sorted.last().copied().unwrap_or(f64::NAN);
        Spread { median: f64::midpoint(at(low), at(high)), min: at(0), max }
    }

    /// From the ratios within each pair: a disturbance of the machine affects both runs of a pair.
    pub fn of_ratios(pairs: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Spread::of(pairs.into_iter().map(|(over, under)| over / under))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Spread { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]), Spread { median: 2.5, min: 1.0, max: 4.0 });
        assert!(Spread::of([]).median.is_nan());
    }

    #[test]
    fn ratios_are_those_within_a_pair() {
        // The medians of both sides alone would give 1.5.
        let ratios = Spread::of_ratios([(3.0, 1.0), (4.0, 4.0), (2.0, 2.0)]);
        assert_eq!(ratios, Spread { median: 1.0, min: 1.0, max: 3.0 });
    }
}

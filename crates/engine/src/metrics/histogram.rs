//! Values in log-spaced buckets.

use std::collections::BTreeMap;

/// How much larger the values of a bucket are than those of the one before: half of it is the largest error.
const RATIO: f64 = 1.12;
/// The numbers of the buckets: from 0.07 to 1.4 million, and 150 in all, as many as `PutMetricData` takes.
const FIRST: i32 = -24;
const LAST: i32 = 124;

/// How many values lie in each bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    buckets: BTreeMap<i32, u64>,
}

impl Histogram {
    /// Counts a value; what is below the smallest bucket counts as 0, what is above the largest as that.
    pub fn observe(&mut self, value: f64) {
        let number = (value.ln() / RATIO.ln()).round();
        let number =
            if value > 0.0 && number >= f64::from(FIRST) { number.min(f64::from(LAST)) as i32 } else { FIRST - 1 };
        *self.buckets.entry(number).or_default() += 1;
    }

    /// Adds another one.
    pub fn merge(&mut self, other: &Self) {
        for (number, count) in &other.buckets {
            *self.buckets.entry(*number).or_default() += count;
        }
    }

    /// The buckets' values and how many lie in each, the smallest first; 150 at most.
    #[must_use]
    pub fn values(&self) -> Vec<(f64, u64)> {
        let value = |number: i32| if number < FIRST { 0.0 } else { (RATIO.powi(number) * 1e4).round() / 1e4 };
        self.buckets.iter().map(|(number, count)| (value(*number), *count)).collect()
    }

    /// How many values there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::Histogram;

    #[test]
    fn there_are_never_more_than_150_buckets() {
        let mut histogram = Histogram::default();
        let mut value = 1e-9;
        while value < 1e12 {
            histogram.observe(value);
            value *= 1.01;
        }
        [0.0, -1.0, f64::NAN, f64::INFINITY].into_iter().for_each(|value| histogram.observe(value));
        assert!(histogram.values().len() <= 150, "{}", histogram.values().len());
        assert!(histogram.values().iter().all(|(value, _)| value.is_finite()));
    }

    proptest! {
        #[test]
        fn a_value_is_off_by_six_percent_at_most(value in 0.1_f64..1e6) {
            let mut histogram = Histogram::default();
            histogram.observe(value);
            let [(seen, 1)] = histogram.values()[..] else { panic!("one value") };
            prop_assert!((seen / value - 1.0).abs() < 0.061, "{seen} for {value}");
        }
    }
}

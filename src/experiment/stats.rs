//! Means over replications and paired differences, with 95% intervals.
//!
//! A replication is one independent draw of the whole experiment, so replications (not users, not ticks) are the
//! sample. Policies of one replication have the same users, arrivals and random numbers, so they are compared by their
//! difference within each replication.
//!
//! An interval does not cover how well the simulated users mirror real ones.

mod family;
mod multiple;
mod power;
mod rank;
mod resample;
mod sequence;
#[cfg(test)]
mod simulated;
mod unpaired;

pub use self::family::{Family, Judged};
pub use self::multiple::{benjamini_hochberg, holm};
pub use self::power::{replications_needed, replications_needed_at};
pub use self::rank::kendall_tau;
pub use self::resample::{bootstrap, sign_flip};
pub(super) use self::sequence::fewest_looks;
pub use self::sequence::{confidence_sequence, confidence_sequence_at};
pub use self::unpaired::{Unpaired, unpaired};

use statrs::distribution::{ContinuousCDF, StudentsT};
use std::sync::OnceLock;

/// Share of the intervals that contain the true mean.
const CONFIDENCE: f64 = 0.95;

/// Two ends of an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Returns true if a value lies in it, ends included.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// Half of its width.
    pub fn half_width(&self) -> f64 {
        (self.high - self.low) / 2.0
    }
}

/// A mean over replications.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Its two-sided 95% Student-t interval; `None` with fewer than two replications.
    pub interval: Option<Interval>,
    /// Replications in the mean.
    pub used: usize,
    /// Replications left out because the value is undefined there.
    pub left_out: usize,
}

/// The difference of one policy from another over the replications that both have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// Mean of the differences within a replication. It has no interval if all differences are the same number other
    /// than 0: replications that do not vary are no evidence about the next one.
    pub difference: Estimate,
    /// Two-sided p value of "the mean difference is 0" (t test); `None` with fewer than two replications, and if all
    /// differences are the same number other than 0.
    pub p_value: Option<f64>,
    /// The difference in percent of the other's mean; `None` when that is 0.
    pub relative_percent: Option<f64>,
    /// Pearson correlation of the two across replications; `None` when one of them does not vary.
    pub correlation: Option<f64>,
    /// Variance of the difference if the two were independent, divided by its paired variance: an unpaired comparison
    /// needs this many times the replications. `None` if the paired difference does not vary.
    pub variance_ratio: Option<f64>,
}

/// The mean of the defined values with its interval; `None` when none is defined.
///
/// ```
/// use recmirror::experiment::estimate;
/// let found = estimate([Some(1.0), Some(2.0), None, Some(3.0)]).unwrap();
/// assert_eq!((found.mean, found.used, found.left_out), (2.0, 3, 1));
/// // t(0.975, 2) * sqrt(1 / 3) = 4.302653 * 0.577350
/// assert!((found.interval.unwrap().half_width() - 2.484138).abs() < 1e-6);
/// ```
pub fn estimate(values: impl IntoIterator<Item = Option<f64>>) -> Option<Estimate> {
    let (mut sample, mut left_out) = (Vec::new(), 0);
    for value in values {
        match value.filter(|value| value.is_finite()) {
            Some(value) => sample.push(value),
            None => left_out += 1,
        }
    }
    let mean = mean(&sample)?;
    let interval = standard_error(&sample).and_then(|error| {
        let reach = student_t(sample.len() - 1)? * error;
        Some(Interval { low: mean - reach, high: mean + reach })
    });
    Some(Estimate { mean, interval, used: sample.len(), left_out })
}

/// Compares two policies replication by replication; `None` when no replication has both values.
///
/// ```
/// use recmirror::experiment::paired;
/// let same = [Some(0.25), Some(0.5)];
/// let a_a = paired(&same, &same).unwrap();
/// assert_eq!((a_a.difference.mean, a_a.p_value), (0.0, Some(1.0)));
/// ```
pub fn paired(policy: &[Option<f64>], other: &[Option<f64>]) -> Option<Paired> {
    let defined = |(&a, &b): (&Option<f64>, &Option<f64>)| Some((a.filter(finite)?, b.filter(finite)?));
    let pairs: Vec<Option<(f64, f64)>> = policy.iter().zip(other).map(defined).collect();
    let mut difference = estimate(pairs.iter().map(|pair| pair.map(|(a, b)| a - b)))?;
    let (a, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().flatten().unzip();
    let differences: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
    let other_mean = mean(&b)?;
    if is_constant(&differences) && difference.mean != 0.0 {
        difference.interval = None;
    }
    Some(Paired {
        difference,
        p_value: p_value(&differences),
        relative_percent: (other_mean != 0.0).then(|| 100.0 * difference.mean / other_mean.abs()),
        correlation: correlation(&a, &b),
        variance_ratio: ratio(variance(&a)? + variance(&b)?, variance(&differences)?),
    })
}

/// Policy minus other in the replications that define both.
pub(super) fn differences(policy: &[Option<f64>], other: &[Option<f64>]) -> Vec<f64> {
    let difference = |(a, b): (&Option<f64>, &Option<f64>)| Some(a.filter(finite)? - b.filter(finite)?);
    policy.iter().zip(other).filter_map(difference).collect()
}

/// Standard deviation (unbiased variance); `None` with fewer than two values.
pub(super) fn deviation(sample: &[f64]) -> Option<f64> {
    if sample.len() < 2 { None } else { variance(sample).map(f64::sqrt) }
}

/// The factor of a two-sided 95% interval: the 0.975 quantile of Student's t distribution.
/// `None` without a degree of freedom.
pub fn student_t(freedom: usize) -> Option<f64> {
    // The quantile is found by search, and every tick of every metric needs it for the same few degrees of freedom.
    static KNOWN: [OnceLock<Option<f64>>; 128] = [const { OnceLock::new() }; 128];
    match KNOWN.get(freedom) {
        Some(known) => *known.get_or_init(|| quantile(freedom)),
        None => quantile(freedom),
    }
}

fn quantile(freedom: usize) -> Option<f64> {
    t_quantile(freedom as f64, 1.0 - CONFIDENCE)
}

/// The value that the absolute value of Student's t exceeds with this chance; `None` without a degree of freedom.
fn t_quantile(freedom: f64, chance: f64) -> Option<f64> {
    Some(StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(1.0 - chance / 2.0))
}

fn finite(value: &f64) -> bool {
    value.is_finite()
}

/// Sums differences from the first value, so that the mean of equal values is exactly that value.
fn mean(sample: &[f64]) -> Option<f64> {
    let first = *sample.first()?;
    Some(first + sample.iter().map(|value| value - first).sum::<f64>() / sample.len() as f64)
}

/// Unbiased variance; 0 for a single value.
fn variance(sample: &[f64]) -> Option<f64> {
    let mean = mean(sample)?;
    let squares: f64 = sample.iter().map(|value| (value - mean) * (value - mean)).sum();
    Some(squares / (sample.len() - 1).max(1) as f64)
}

/// Standard error of the mean; `None` with fewer than two values.
fn standard_error(sample: &[f64]) -> Option<f64> {
    if sample.len() < 2 { None } else { variance(sample).map(|variance| (variance / sample.len() as f64).sqrt()) }
}

fn p_value(differences: &[f64]) -> Option<f64> {
    let mean = mean(differences)?;
    let error = standard_error(differences)?;
    if is_constant(differences) {
        return (mean == 0.0).then_some(1.0);
    }
    let distribution = StudentsT::new(0.0, 1.0, (differences.len() - 1) as f64).ok()?;
    Some((2.0 * distribution.sf((mean / error).abs())).min(1.0))
}

/// True if the values differ by rounding alone.
pub(super) fn is_constant(sample: &[f64]) -> bool {
    mean(sample).zip(deviation(sample)).is_some_and(|(mean, deviation)| deviation <= 1e-12 * mean.abs())
}

fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let (a_mean, b_mean) = (mean(a)?, mean(b)?);
    let products: f64 = a.iter().zip(b).map(|(a, b)| (a - a_mean) * (b - b_mean)).sum();
    let covariance = products / (a.len() - 1).max(1) as f64;
    ratio(covariance, (variance(a)? * variance(b)?).sqrt())
}

fn ratio(above: f64, below: f64) -> Option<f64> {
    (below > 0.0).then(|| above / below).filter(|ratio| ratio.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(values: &[f64]) -> Vec<Option<f64>> {
        values.iter().copied().map(Some).collect()
    }

    #[track_caller]
    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9 * expected.abs().max(1.0), "{found} is not {expected}");
    }

    #[test]
    fn quantiles_of_the_t_table() {
        let table = [
            (1, 12.706_204_736_2),
            (2, 4.302_652_729_9),
            (4, 2.776_445_105_2),
            (9, 2.262_157_162_8),
            (29, 2.045_229_642_1),
            (99, 1.984_216_951_6),
        ];
        for (freedom, quantile) in table {
            close(student_t(freedom).unwrap(), quantile);
        }
        assert_eq!(student_t(0), None);
    }

    #[test]
    fn mean_and_interval_by_hand() {
        // Mean 3, variance 10/4 = 2.5, standard error sqrt(0.5), t(0.975, 4).
        let found = estimate(some(&[1.0, 2.0, 3.0, 4.0, 5.0])).unwrap();
        assert_eq!(found.mean, 3.0);
        let reach = 2.776_445_105_2 * 0.5_f64.sqrt();
        let interval = found.interval.unwrap();
        close(interval.low, 3.0 - reach);
        close(interval.high, 3.0 + reach);
        close(interval.half_width(), reach);
        assert!(interval.contains(3.0) && !interval.contains(0.0));
    }

    #[test]
    fn undefined_values_are_left_out_and_counted() {
        let found = estimate([None, Some(2.0), Some(f64::NAN), Some(4.0)]).unwrap();
        assert_eq!((found.mean, found.used, found.left_out), (3.0, 2, 2));
        assert_eq!(estimate([None, None]), None);
        assert_eq!(estimate([]), None);
    }

    #[test]
    fn one_replication_has_no_interval() {
        let found = estimate([Some(0.3)]).unwrap();
        assert_eq!((found.mean, found.interval, found.used), (0.3, None, 1));
        let pair = paired(&[Some(0.3)], &[Some(0.2)]).unwrap();
        assert_eq!((pair.difference.interval, pair.p_value, pair.correlation), (None, None, None));
        close(pair.relative_percent.unwrap(), 50.0);
    }

    #[test]
    fn equal_values_have_an_interval_without_width() {
        let found = estimate(some(&[0.1, 0.1, 0.1])).unwrap();
        assert_eq!((found.mean, found.interval), (0.1, Some(Interval { low: 0.1, high: 0.1 })));
    }

    #[test]
    fn a_policy_against_itself_differs_by_exactly_zero() {
        let values = some(&[0.1, 0.7, 0.3]);
        let found = paired(&values, &values).unwrap();
        assert_eq!(found.difference.mean, 0.0);
        assert_eq!(found.difference.interval, Some(Interval { low: 0.0, high: 0.0 }));
        assert_eq!((found.p_value, found.relative_percent), (Some(1.0), Some(0.0)));
        assert_eq!(found.variance_ratio, None);
        close(found.correlation.unwrap(), 1.0);
    }

    #[test]
    fn paired_difference_by_hand() {
        // Differences 1, 2, 3: mean 2, standard error 1/sqrt(3), t = 2 sqrt(3) = 3.4641 with 2 degrees of freedom.
        // P(|T| > t) = 1 - t / sqrt(2 + t^2) for 2 degrees of freedom.
        let found = paired(&some(&[11.0, 14.0, 17.0]), &some(&[10.0, 12.0, 14.0])).unwrap();
        assert_eq!((found.difference.mean, found.difference.used), (2.0, 3));
        close(found.difference.interval.unwrap().half_width(), 4.302_652_729_9 / 3.0_f64.sqrt());
        let t = 2.0 * 3.0_f64.sqrt();
        close(found.p_value.unwrap(), 1.0 - t / (2.0 + t * t).sqrt());
        close(found.relative_percent.unwrap(), 100.0 * 2.0 / 12.0);
        close(found.correlation.unwrap(), 1.0);
        // Variances 9 and 4 apart, 1 together.
        close(found.variance_ratio.unwrap(), 13.0);
    }

    #[test]
    fn a_constant_difference_proves_nothing() {
        for (a, b) in [([2.0, 3.0], [1.0, 2.0]), ([0.3, 0.4], [0.1, 0.2])] {
            let found = paired(&some(&a), &some(&b)).unwrap();
            assert_eq!((found.difference.interval, found.p_value), (None, None), "the second pair differs by rounding");
        }
    }

    #[test]
    fn pairs_with_an_undefined_side_are_left_out() {
        let found = paired(&[Some(1.0), None, Some(4.0)], &[Some(0.0), Some(9.0), None]).unwrap();
        assert_eq!((found.difference.mean, found.difference.used, found.difference.left_out), (1.0, 1, 2));
        assert_eq!(found.relative_percent, None);
        assert_eq!(paired(&[None], &[Some(1.0)]), None);
    }
}

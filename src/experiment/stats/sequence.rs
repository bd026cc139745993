//! Intervals that stay valid when inspected after every replication.
//!
//! A 95% interval holds for a number of replications that was fixed before. An experimenter who looks after each one
//! and stops when the result pleases is wrong far more often than in 5%. A confidence sequence is a sequence of
//! intervals that all hold at once with a chance of 95%, so that a run may stop at any of them, for any reason.
//!
//! This is the t-test confidence sequence of Wang and Ramdas ("Anytime-valid t-tests and confidence sequences for
//! Gaussian means with unknown variance", arXiv 2310.03722) with a Gaussian mixture over the effect size, in the
//! reduced filtration of the scale-invariant statistics. It is exact for normal differences of any unknown variance.
//! Differences of a replication are means over all users of a population, so they are close to normal;
//! `benches/statistics.rs` measures other shapes: for very skewed ones (a single exponential user) the coverage is less
//! than nominal, as for t intervals. Sequences that need only bounds (Waudby-Smith and Ramdas 2024) would hold for
//! shares of any shape, but without the normal shape an interval of half a percentage point takes of the order of a
//! thousand replications, because nothing excludes a rare replication with a difference of 1.

use super::{Interval, deviation, is_constant, mean, standard_error};

/// Variance of the mixture over effect sizes (mean over standard deviation). Any value is valid; this one gives about the
/// narrowest intervals at 5 to 30 replications.
const MIXTURE: f64 = 4.0;

/// One minus the chance that all intervals hold.
const ALPHA: f64 = 0.05;

/// The interval of the 95% confidence sequence of the mean at this many differences; `None` with fewer than four, which
/// exclude no value.
///
/// With `n` differences of mean `m` and standard deviation `s`, and `k = 1 + n g` for a mixture of variance `g = 4`,
/// the mixture likelihood ratio of the mean `x` is `k^(-1/2) ((1 + u) / (1 + u / k))^(n/2)`, `u = n (m - x)^2 / ((n -
/// 1) s^2)`. It is a martingale at the true mean, so by Ville's inequality it ever reaches 20 with a chance of at most
/// 5%. Solved for `x`: `m +- s sqrt((n - 1) / n * (q - 1) / (1 - q / k))`, where `q = (20 sqrt(k))^(2/n)`, as long as
/// `q < k`.
///
/// ```
/// use recmirror::experiment::confidence_sequence;
/// let sample: Vec<f64> = (1..=9).map(f64::from).collect();
/// // Mean 5 and variance 60 / 8; k = 37, q = (20 sqrt(37))^(2/9) = 2.906447.
/// let found = confidence_sequence(&sample).unwrap();
/// assert!((found.half_width() - 3.713911).abs() < 1e-5);
/// assert_eq!(confidence_sequence(&sample[..3]), None);
/// ```
pub fn confidence_sequence(differences: &[f64]) -> Option<Interval> {
    confidence_sequence_at(differences, ALPHA)
}

/// Like [`confidence_sequence`], with a chance of `level` that some interval misses the mean.
pub fn confidence_sequence_at(differences: &[f64], level: f64) -> Option<Interval> {
    let (mean, deviation) = (mean(differences)?, deviation(differences)?);
    if is_constant(differences) && mean != 0.0 {
        return None;
    }
    let count = differences.len() as f64;
    let (inflation, bound) = bounds(count, level)?;
    let reach = deviation * ((count - 1.0) / count * (bound - 1.0) / (1.0 - bound / inflation)).sqrt();
    Some(Interval { low: mean - reach, high: mean + reach })
}

/// `k` and `q` of the formula; `None` if no value is excluded.
fn bounds(count: f64, level: f64) -> Option<(f64, f64)> {
    let inflation = 1.0 + count * MIXTURE;
    let bound = libm::pow(inflation.sqrt() / level, 2.0 / count);
    (bound < inflation).then_some((inflation, bound))
}

/// The fewest differences whose sequence at `level` excludes anything.
pub(in crate::experiment) fn fewest_looks(level: f64) -> u32 {
    (2..).find(|&count| bounds(f64::from(count), level).is_some()).unwrap_or(u32::MAX)
}

/// The mixture likelihood ratio of the mean 0; its inverse is a p value that stays valid under looks. `None` if the
/// sequence is undefined.
pub(super) fn evidence(differences: &[f64]) -> Option<f64> {
    let (mean, error) = (mean(differences)?, standard_error(differences)?);
    if is_constant(differences) {
        return (mean == 0.0).then_some(1.0);
    }
    let count = differences.len() as f64;
    let (k, u) = (1.0 + count * MIXTURE, mean * mean / (error * error) / (count - 1.0));
    Some(libm::pow((1.0 + u) / (1.0 + u / k), count / 2.0) / k.sqrt())
}

#[cfg(test)]
mod tests {
    use super::super::student_t;
    use super::*;

    /// The mixture likelihood ratio of the mean `x`, as in the doc of [`confidence_sequence`].
    fn ratio(sample: &[f64], x: f64) -> f64 {
        let (count, k) = (sample.len() as f64, 1.0 + 4.0 * sample.len() as f64);
        let t = (mean(sample).unwrap() - x) / (deviation(sample).unwrap() / count.sqrt());
        let u = t * t / (count - 1.0);
        libm::pow((1.0 + u) / (1.0 + u / k), count / 2.0) / k.sqrt()
    }

    #[test]
    fn its_ends_are_where_the_ratio_is_twenty() {
        let sample = [0.3, -0.2, 0.5, 0.1, 0.9, 0.4];
        let found = confidence_sequence(&sample).unwrap();
        for end in [found.low, found.high] {
            assert!((ratio(&sample, end) - 20.0).abs() < 1e-9);
        }
        assert!((evidence(&sample).unwrap() - ratio(&sample, 0.0)).abs() < 1e-9);
        let narrower = confidence_sequence_at(&sample, 0.01).unwrap();
        assert!((ratio(&sample, narrower.low) - 100.0).abs() < 1e-7);
        assert_eq!((fewest_looks(0.05), fewest_looks(0.005)), (4, 5));
        assert!(ratio(&sample, 1.0 / 3.0) < 1.0);
    }

    #[test]
    fn the_ratio_is_the_one_of_two_t_distributions() {
        // Under an effect size from N(0, g), t / sqrt(k) has the distribution that t has without an effect: with two
        // degrees of freedom, density (2 + t^2)^(-3/2).
        let sample = [1.0, 2.0, 6.0];
        let (k, t) = (13.0_f64, 3.0 / (7.0_f64 / 3.0).sqrt());
        let density = |t: f64| 1.0 / ((2.0 + t * t) * (2.0 + t * t).sqrt());
        let by_hand = density(t / k.sqrt()) / k.sqrt() / density(t);
        assert!((ratio(&sample, 0.0) - by_hand).abs() < 1e-12);
    }

    #[test]
    fn wider_than_a_t_interval_and_narrowing() {
        let sample: Vec<f64> = (0..200).map(|place| f64::from(place % 2)).collect();
        let mut last = f64::INFINITY;
        for count in [4, 6, 10, 20, 50, 200] {
            let found = confidence_sequence(&sample[..count]).unwrap().half_width();
            let fixed = student_t(count - 1).unwrap() * deviation(&sample[..count]).unwrap() / (count as f64).sqrt();
            assert!(found > fixed && found < last, "{count}: {found} {fixed}");
            last = found;
        }
    }

    #[test]
    fn what_does_not_vary_or_is_too_little() {
        assert_eq!(confidence_sequence(&[0.25; 4]), None, "a rule of `--until` is not met by it");
        assert_eq!(confidence_sequence(&[0.0; 4]), Some(Interval { low: 0.0, high: 0.0 }));
        assert_eq!((confidence_sequence(&[0.25; 3]), confidence_sequence(&[])), (None, None));
    }
}

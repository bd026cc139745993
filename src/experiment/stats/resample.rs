//! Distribution-free inference on a mean difference: resampled intervals and sign flips.
//!
//! Both work on the differences within replications. Small samples are enumerated, larger ones are drawn from a
//! generator that the caller derives. With `n` replications no p value is below `2 / 2^n`, and no interval reaches
//! beyond the smallest and the largest difference.

use super::{Interval, mean, student_t};
use crate::random::below;
use rand_chacha::rand_core::Rng;
use statrs::distribution::{ContinuousCDF, Normal};

/// Resamples of a bootstrap, and the most that are enumerated: up to five replications have no more.
const RESAMPLES: usize = 10_000;

/// The longest sample whose sign flips are enumerated: 2^12 = 4,096.
const LONGEST_EXACT: usize = 12;

/// Sign flips drawn for longer samples; with the observed one they are 10,000.
const FLIPS: usize = 9_999;

/// The 95% bootstrap interval of the mean; `None` with fewer than two values.
///
/// Its ends are quantiles of the means of resamples. The usual 2.5% and 97.5% give intervals that are too narrow for
/// few values, so they are moved outwards to `Phi(-t(0.975, n - 1) sqrt(n / (n - 1)))` and its counterpart: the
/// expanded percentile interval (Hesterberg 2015, "What Teachers Should Know About the Bootstrap", The American
/// Statistician 69(4)), which agrees with the t interval for a symmetric sample. Up to five values all `n^n` resamples
/// are enumerated, above that 10,000 are drawn. With five values even the interval from the smallest to the largest
/// contains the middle of a symmetric distribution with a chance of only 1 - 2/32 = 93.75%; use the t interval for
/// fewer than seven values.
///
/// ```
/// use recmirror::experiment::bootstrap;
/// use recmirror::random::{Purpose, Streams};
/// let found = bootstrap(&[1.0, 3.0], &mut Streams::new(1, 0).derive(Purpose::Bootstrap, 0, 0)).unwrap();
/// // The four resamples have the means 1, 2, 2 and 3.
/// assert_eq!((found.low, found.high), (1.0, 3.0));
/// ```
pub fn bootstrap<R: Rng>(differences: &[f64], rng: &mut R) -> Option<Interval> {
    let count = differences.len();
    let tail = tail(count)?;
    let mut means = match u32::try_from(count).ok().and_then(|exponent| count.checked_pow(exponent)) {
        Some(all) if all <= RESAMPLES => (0..all).map(|number| enumerated(differences, number)).collect(),
        _ => drawn(differences, rng),
    };
    means.sort_by(f64::total_cmp);
    // At most this share of the resamples lies outside on either side.
    let outside = (tail * means.len() as f64) as usize;
    Some(Interval { low: *means.get(outside)?, high: *means.get(means.len() - 1 - outside)? })
}

/// The share of resamples that lies beyond either end.
fn tail(count: usize) -> Option<f64> {
    let freedom = count.checked_sub(1)?;
    let reach = student_t(freedom)? * (count as f64 / freedom as f64).sqrt();
    Some(Normal::standard().cdf(-reach))
}

/// The mean of resample number `number`, whose digits to the base of the sample's length are the drawn indices.
fn enumerated(sample: &[f64], number: usize) -> f64 {
    let mut rest = number;
    let places = std::iter::repeat_with(|| {
        let place = rest % sample.len();
        rest /= sample.len();
        place
    });
    resampled_mean(sample, places)
}

fn drawn<R: Rng>(sample: &[f64], rng: &mut R) -> Vec<f64> {
    let count = sample.len() as u32;
    let mean = |_| resampled_mean(sample, std::iter::repeat_with(|| below(rng, count) as usize));
    (0..RESAMPLES).map(mean).collect()
}

/// Sums differences from the first value, so that equal values resample to exactly that value.
fn resampled_mean(sample: &[f64], places: impl Iterator<Item = usize>) -> f64 {
    let first = sample[0];
    let total: f64 = places.take(sample.len()).map(|place| sample[place] - first).sum();
    first + total / sample.len() as f64
}

/// Two-sided p value of "the differences are symmetric around 0": the share of sign flips whose mean is at least as far
/// from 0 as the observed one (Fisher 1935, The Design of Experiments, section 21). `None` with fewer than two values.
///
/// Up to 12 values all `2^n` flips are enumerated. Above that, 9,999 are drawn and the observed one counts as the
/// 10,000th, so that the p value is valid and never 0 (Phipson and Smyth 2010, Statistical Applications in Genetics and
/// Molecular Biology 9(1)).
///
/// ```
/// use recmirror::experiment::sign_flip;
/// use recmirror::random::{Purpose, Streams};
/// let mut rng = Streams::new(1, 0).derive(Purpose::SignFlips, 0, 0);
/// // Only the observed signs and their mirror image are as extreme: 2 of 2^5.
/// assert_eq!(sign_flip(&[1.0, 2.0, 3.0, 4.0, 5.0], &mut rng), Some(2.0 / 32.0));
/// ```
pub fn sign_flip<R: Rng>(differences: &[f64], rng: &mut R) -> Option<f64> {
    if differences.len() < 2 {
        return None;
    }
    let observed = mean(differences)?.abs() * differences.len() as f64;
    // Flips that are equal in exact arithmetic must count, whatever the order of their sum.
    let slack = 1e-12 * differences.iter().map(|difference| difference.abs()).sum::<f64>();
    let extreme = |sum: f64| sum.abs() >= observed - slack;
    if differences.len() <= LONGEST_EXACT {
        let all = 1_u64 << differences.len();
        let count = (0..all).filter(|&signs| extreme(flipped(differences, || signs))).count();
        return Some(count as f64 / all as f64);
    }
    let count = (0..FLIPS).filter(|_| extreme(flipped(differences, || rng.next_u64()))).count();
    Some((count + 1) as f64 / (FLIPS + 1) as f64)
}

/// The sum with signs from `word`, which is called once for each 64 values.
fn flipped(differences: &[f64], mut word: impl FnMut() -> u64) -> f64 {
    let mut sum = 0.0;
    for some in differences.chunks(64) {
        let signs = word();
        for (place, difference) in some.iter().enumerate() {
            sum += if signs >> place & 1 == 1 { -difference } else { *difference };
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Streams};

    fn interval(sample: &[f64]) -> Option<Interval> {
        bootstrap(sample, &mut Streams::new(3, 0).derive(Purpose::Bootstrap, 0, 0))
    }

    fn p_value(sample: &[f64]) -> Option<f64> {
        sign_flip(sample, &mut Streams::new(3, 0).derive(Purpose::SignFlips, 0, 0))
    }

    #[test]
    fn five_values_are_enumerated() {
        // The tail is Phi(-2.776445 sqrt(5 / 4)) = Phi(-3.104160) = 0.000954, 2.98 of the 3,125 resamples. One of
        // them has the mean 0, the five with one 10 have the mean 2: two are left outside, the third is such a one.
        assert!((tail(5).unwrap() - 0.000_954).abs() < 1e-6);
        assert_eq!(interval(&[0.0, 10.0, 20.0, 30.0, 40.0]), Some(Interval { low: 2.0, high: 38.0 }));
    }

    #[test]
    fn tails_approach_the_usual_ones() {
        // Two values: Phi(-12.7062 sqrt(2)) is 0 for all purposes.
        assert!(tail(2).unwrap() < 1e-70);
        // Ten: Phi(-2.262157 sqrt(10 / 9)); a hundred: Phi(-1.984217 sqrt(100 / 99)).
        assert!((tail(10).unwrap() - 0.008_551).abs() < 1e-6);
        assert!((tail(100).unwrap() - 0.023_064).abs() < 1e-6);
        assert_eq!((tail(0), tail(1)), (None, None));
    }

    #[test]
    fn many_values_are_drawn_and_agree_with_t() {
        // 1 .. 40: mean 20.5, standard deviation sqrt(40 * 41 / 12), t(0.975, 39) = 2.022691.
        let sample: Vec<f64> = (1..=40).map(f64::from).collect();
        let found = interval(&sample).unwrap();
        let reach = 2.022_691 * (41.0_f64 / 12.0).sqrt();
        assert!((found.low - (20.5 - reach)).abs() < 0.15, "{found:?}");
        assert!((found.high - (20.5 + reach)).abs() < 0.15, "{found:?}");
        assert_eq!(interval(&sample), Some(found), "the same generator, the same interval");
    }

    #[test]
    fn what_does_not_vary_or_is_too_little() {
        assert_eq!(interval(&[0.1; 4]), Some(Interval { low: 0.1, high: 0.1 }));
        assert_eq!(interval(&[0.1; 9]), Some(Interval { low: 0.1, high: 0.1 }));
        assert_eq!((interval(&[0.1]), interval(&[]), p_value(&[0.1]), p_value(&[])), (None, None, None, None));
    }

    #[test]
    fn all_flips_by_hand() {
        // Sums of (1, 2, -4) over all signs: 7, 5, 3, 1 and their mirror images; observed -1.
        assert_eq!(p_value(&[1.0, 2.0, -4.0]), Some(1.0));
        // Observed 5: 7 and 5 of the four, on either side.
        assert_eq!(p_value(&[-1.0, 2.0, 4.0]), Some(4.0 / 8.0));
        assert_eq!(p_value(&[3.0, 3.0, 3.0, 3.0]), Some(2.0 / 16.0));
        // Flipping a 0 changes nothing.
        assert_eq!(p_value(&[3.0, 3.0, 3.0, 0.0]), Some(4.0 / 16.0));
        assert_eq!(p_value(&[0.0; 5]), Some(1.0));
        // 0.1 + 0.2 - 0.3 is not exactly 0 in binary; all eight flips count nevertheless.
        assert_eq!(p_value(&[0.1, 0.2, -0.3]), Some(1.0));
    }

    #[test]
    fn drawn_flips_agree_with_all_of_them() {
        let sample: Vec<f64> = (0..12).map(|place| f64::from(place) - 3.0).collect();
        let exact = p_value(&sample).unwrap();
        let mut with_zero = sample.clone();
        // A 13th difference of 0 leaves the distribution of the sum alone, and the flips are drawn.
        with_zero.push(0.0);
        let drawn = p_value(&with_zero).unwrap();
        assert!((exact - drawn).abs() < 0.01, "{exact} {drawn}");
        assert_eq!(p_value(&[1.0; 100]), Some(1.0 / 10_000.0), "never 0");
    }
}

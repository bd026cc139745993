//! Replications needed to show a difference.

use super::t_quantile;
use statrs::distribution::{ContinuousCDF, Normal};

/// The chance of showing the difference.
const POWER: f64 = 0.8;

/// The level of the test.
const LEVEL: f64 = 0.05;

/// Above this number the t distribution equals the normal one up to the second term of its expansion.
const LARGE: f64 = 10_000.0;

/// Parts of the interval over which the power is integrated; even.
const PARTS: u32 = 2_000;

/// Half the width of that interval, in deviations of `s` (about `1 / sqrt(2 freedom)`).
const REACH: f64 = 11.0;

/// Above this number the answer is `None`: nobody would run so many replications.
const MOST: f64 = 1e9;

/// The fewest replications with which a two-sided paired t test at 0.05 shows a true mean difference of `difference`
/// with power 0.8, if the differences within replications have the standard deviation `deviation`. `None` for a
/// difference of 0, for answers above 10^9, and for values that are not finite.
///
/// It is the smallest `n >= 2` whose power by the noncentral t distribution with `n - 1` degrees of freedom is 0.8 or
/// more, both tails counted. Above 10,000 it is the number from normal quantiles plus `z(0.975)^2 / 2` (Guenther 1981,
/// The American Statistician 35(4)), which equals it there. The deviation is itself an estimate: from five
/// replications, expect the number to be off by a factor of two and more.
///
/// ```
/// use recmirror::experiment::replications_needed;
/// // Half a standard deviation: 34, as tables of the noncentral t distribution say.
/// assert_eq!(replications_needed(1.0, 0.5), Some(34));
/// ```
pub fn replications_needed(deviation: f64, difference: f64) -> Option<u64> {
    replications_needed_at(deviation, difference, LEVEL)
}

/// Like [`replications_needed`], for a test at another level: `0.05 / m` for one of `m` pairs that are judged together.
pub fn replications_needed_at(deviation: f64, difference: f64, at: f64) -> Option<u64> {
    let ratio = (deviation / difference) * (deviation / difference);
    if difference == 0.0 || !ratio.is_finite() {
        return None;
    }
    // Quantiles of the normal distribution are smaller than those of t, so this is a lower bound.
    let (level, chance) = (Normal::standard().inverse_cdf(1.0 - at / 2.0), 0.841_621_233_572_914_3);
    let start = ratio * (level + chance) * (level + chance);
    if start > LARGE {
        let count = (start + level * level / 2.0).ceil();
        return (count <= MOST).then_some(count as u64);
    }
    let effect = (difference / deviation).abs();
    (start as u64..).map(|count| count.max(2)).find(|&count| power(count, effect, at) >= POWER)
}

/// The chance that `count` replications show a mean difference of `effect` standard deviations: the noncentral t
/// distribution as a mixture of normal ones over `s = sqrt(chi2 / freedom)`, by Simpson's rule.
fn power(count: u64, effect: f64, level: f64) -> f64 {
    let freedom = (count - 1) as f64;
    let Some(critical) = t_quantile(freedom, level) else { return 0.0 };
    let shift = effect * (count as f64).sqrt();
    let norm = std::f64::consts::LN_2 + freedom / 2.0 * libm::log(freedom / 2.0) - libm::lgamma(freedom / 2.0);
    let density = |s: f64| {
        let power = if freedom == 1.0 { 0.0 } else { (freedom - 1.0) * libm::log(s) };
        libm::exp(norm + power - freedom * s * s / 2.0)
    };
    let shown = |s: f64| normal(shift - critical * s) + normal(-critical * s - shift);
    let spread = REACH / (2.0 * freedom).sqrt();
    let (low, high) = ((1.0 - spread).max(0.0), 1.0 + spread);
    let step = (high - low) / PARTS as f64;
    let sum: f64 = (0..=PARTS)
        .map(|place| {
            let s = low + step * place as f64;
            let weight = if place == 0 || place == PARTS { 1.0 } else { 2.0 + 2.0 * (place % 2) as f64 };
            weight * density(s) * shown(s)
        })
        .sum();
    sum * step / 3.0
}

/// The distribution function of the standard normal distribution.
fn normal(x: f64) -> f64 {
    libm::erfc(-x / std::f64::consts::SQRT_2) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_the_one_sample_t_test() {
        // Exact sizes for power 0.8 at 0.05 two-sided: effects 0.2, 0.5, 0.8 and 1.
        for (effect, count) in [(0.2, 199), (0.5, 34), (0.8, 15), (1.0, 10)] {
            assert_eq!(replications_needed(1.0, effect), Some(count));
            assert_eq!(replications_needed(0.01, -0.01 * effect), Some(count), "units and sign do not matter");
        }
    }

    #[test]
    fn power_of_the_noncentral_t_distribution() {
        // Values of scipy.stats.nct, both tails.
        for (count, effect, expected) in [
            (3, 2.0, 0.470_749_431),
            (4, 1.5, 0.532_792_607),
            (5, 1.2, 0.530_221_251),
            (10, 0.9, 0.717_181_217),
            (30, 0.5, 0.753_964_716),
        ] {
            assert!(
                (power(count, effect, LEVEL) - expected).abs() < 1e-7,
                "{count} {effect}: {}",
                power(count, effect, LEVEL)
            );
        }
        assert!((power(2, 0.0, LEVEL) - 0.05).abs() < 1e-6, "without a difference the test rejects at its level");
        // Central quantiles give 302.
        assert_eq!(replications_needed(1.0, 0.162), Some(301));
        // One of ten pairs: t(0.9975, 4) = 5.597568 in place of 2.776445.
        assert!((power(5, 0.0, 0.005) - 0.005).abs() < 1e-6);
        assert!(replications_needed_at(1.0, 1.2, 0.005) > replications_needed(1.0, 1.2));
        let sizes = [(0.4758, 37), (1.1982, 8), (1.9014, 5), (2.2178, 4)];
        for (effect, count) in sizes {
            assert_eq!(replications_needed(1.0, effect), Some(count));
        }
    }

    #[test]
    fn the_large_form_continues_the_iteration() {
        // (1.959964 + 0.841621)^2 = 7.848880, plus 1.920729 for the form of large numbers.
        let effect = |count: f64| (7.848_880_f64 / count).sqrt();
        assert_eq!(replications_needed(1.0, effect(9_999.5)), Some(10_002));
        assert_eq!(replications_needed(1.0, effect(10_000.5)), Some(10_003));
    }

    #[test]
    fn ends() {
        assert_eq!(replications_needed(0.0, 0.3), Some(2));
        assert_eq!((replications_needed(1.0, 0.0), replications_needed(0.0, 0.0)), (None, None));
        assert_eq!((replications_needed(1.0, 1e-9), replications_needed(f64::NAN, 1.0)), (None, None));
    }
}

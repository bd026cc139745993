//! How many replications would show a difference.

use super::student_t;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// The chance with which the difference is to be shown.
const POWER: f64 = 0.8;

/// From here on the t distribution is the normal one but for the second term of its expansion.
const LARGE: f64 = 10_000.0;

/// Above this, the answer is "no number of replications that anybody would run".
const MOST: f64 = 1e9;

/// The fewest replications with which a true mean difference of `difference` is shown with power 0.8 by a two-sided
/// paired t test at 0.05, when the differences within replications have the standard deviation `deviation`.
/// `None` for a difference of 0 (nothing would show it), for numbers above 10^9, and for values that are not finite.
///
/// It is the smallest `n >= 2` with `n >= (deviation / difference)^2 (t(0.975, n - 1) + t(0.8, n - 1))^2`, the usual
/// iteration with central t quantiles for one sample (Zar, Biostatistical Analysis, on the size of the sample of a t
/// test). It is the exact answer of the noncentral t distribution or one beside it. Above 10,000 it is the normal quantiles'
/// number plus `z(0.975)^2 / 2` (Guenther 1981, The American Statistician 35(4)), which then is the same. The deviation is an estimate itself:
/// from five replications, expect the number to be off by a factor of two and more.
///
/// ```
/// use recmirror::experiment::replications_needed;
/// // Half a standard deviation: 34, as tables of the noncentral t distribution say.
/// assert_eq!(replications_needed(1.0, 0.5), Some(34));
/// ```
pub fn replications_needed(deviation: f64, difference: f64) -> Option<u64> {
    let ratio = (deviation / difference) * (deviation / difference);
    if difference == 0.0 || !ratio.is_finite() {
        return None;
    }
    // Quantiles of the normal distribution are smaller than those of t, so the answer is not below this.
    let (level, power) = (1.959_963_984_540_054, 0.841_621_233_572_914_3);
    let start = ratio * (level + power) * (level + power);
    if start > LARGE {
        let count = (start + level * level / 2.0).ceil();
        return (count <= MOST).then_some(count as u64);
    }
    (start as u64..).map(|count| count.max(2)).find(|&count| is_enough(count, ratio))
}

fn is_enough(count: u64, ratio: f64) -> bool {
    let freedom = count - 1;
    let shown = StudentsT::new(0.0, 1.0, freedom as f64).ok().map(|t| t.inverse_cdf(POWER));
    let factor = student_t(freedom as usize).zip(shown).map_or(0.0, |(level, power)| level + power);
    count as f64 >= ratio * factor * factor
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
    fn the_condition_by_hand() {
        // n = 2: (12.706205 + 1.376382)^2 = 198.319, so a ratio of 2 / 198.319 is the last that two replications bear.
        let last = (2.0_f64 / 198.319).sqrt();
        assert_eq!(
            (replications_needed(last * 0.999, 1.0), replications_needed(last * 1.001, 1.0)),
            (Some(2), Some(3))
        );
    }

    #[test]
    fn the_large_form_goes_on_where_the_iteration_ends() {
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

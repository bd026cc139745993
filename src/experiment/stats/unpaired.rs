//! Welch's difference of two independent means.

use super::{CONFIDENCE, Interval, mean, t_quantile, variance};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// The difference of two independent means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unpaired {
    /// The first minus the other.
    pub difference: f64,
    /// Its two-sided 95% interval; `None` with fewer than two values on a side, and if neither side varies and they
    /// differ.
    pub interval: Option<Interval>,
    /// Two-sided p value of "no difference"; `None` without an interval.
    pub p_value: Option<f64>,
}

/// Compares two samples by the t test of Welch 1947, "The Generalization of Student's Problem When Several Different
/// Population Variances Are Involved", with the degrees of freedom of Welch and Satterthwaite; `None` when one is empty.
///
/// ```
/// use recmirror::experiment::unpaired;
/// let found = unpaired(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0]).unwrap();
/// assert_eq!((found.difference, found.p_value), (0.0, Some(1.0)));
/// ```
pub fn unpaired(sample: &[f64], other: &[f64]) -> Option<Unpaired> {
    unpaired_at(sample, other, 1.0 - CONFIDENCE)
}

/// Like [`unpaired`], with an interval that misses the difference with the chance `level`.
pub(super) fn unpaired_at(sample: &[f64], other: &[f64], level: f64) -> Option<Unpaired> {
    let difference = mean(sample)? - mean(other)?;
    let Some((error, freedom)) = error_and_freedom(sample, other) else {
        return Some(Unpaired { difference, interval: None, p_value: None });
    };
    if error == 0.0 {
        // Values that do not vary are no evidence about the next one, unless all are the same.
        let same = (Some(Interval { low: 0.0, high: 0.0 }), Some(1.0));
        let (interval, p_value) = if difference == 0.0 { same } else { (None, None) };
        return Some(Unpaired { difference, interval, p_value });
    }
    let distribution = StudentsT::new(0.0, 1.0, freedom).ok()?;
    let reach = t_quantile(freedom, level)? * error;
    Some(Unpaired {
        difference,
        interval: Some(Interval { low: difference - reach, high: difference + reach }),
        p_value: Some((2.0 * distribution.sf((difference / error).abs())).min(1.0)),
    })
}

/// Standard error of the difference, and its degrees of freedom.
fn error_and_freedom(sample: &[f64], other: &[f64]) -> Option<(f64, f64)> {
    if sample.len() < 2 || other.len() < 2 {
        return None;
    }
    let share = |values: &[f64]| Some(variance(values)? / values.len() as f64);
    let (a, b) = (share(sample)?, share(other)?);
    let spread = a * a / (sample.len() - 1) as f64 + b * b / (other.len() - 1) as f64;
    let freedom = if spread > 0.0 { (a + b) * (a + b) / spread } else { 1.0 };
    Some(((a + b).sqrt(), freedom))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // Means 3 and 6, variances 2.5 and 10: error sqrt(0.5 + 2), freedom 2.5^2 / (0.5^2 / 4 + 2^2 / 4) = 100/17.
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 4.0, 6.0, 8.0, 10.0]);
        let (error, freedom) = error_and_freedom(&a, &b).unwrap();
        assert!((error * error - 2.5).abs() < 1e-12 && (freedom - 100.0 / 17.0).abs() < 1e-12);
        let found = unpaired(&a, &b).unwrap();
        assert_eq!(found.difference, -3.0);
        // From the incomplete beta function in 30 digits: t = 3 / sqrt(2.5), its 0.975 quantile 2.458823709697...
        assert!((found.p_value.unwrap() - 0.107_531_194_930_627).abs() < 1e-7, "{found:?}");
        let interval = found.interval.unwrap();
        assert!(
            (interval.low + 6.887_741_643_736_976).abs() < 1e-7 && (interval.high - 0.887_741_643_736_976).abs() < 1e-7,
            "{found:?}"
        );
    }

    #[test]
    fn too_few_or_without_spread() {
        assert_eq!(unpaired(&[], &[1.0]), None);
        let one = unpaired(&[1.0], &[2.0, 3.0]).unwrap();
        assert_eq!((one.difference, one.interval, one.p_value), (-1.5, None, None));
        let constant = unpaired(&[1.0, 1.0], &[2.0, 2.0]).unwrap();
        assert_eq!((constant.interval, constant.p_value), (None, None), "no spread proves nothing");
        assert_eq!(unpaired(&[2.0, 2.0], &[2.0, 2.0]).unwrap().p_value, Some(1.0));
    }
}

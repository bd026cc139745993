//! Overlap of a log with a target policy.

use super::slates::column;
use super::valuation::mean;

/// Fewer effective rounds than this carry no estimate.
const FEWEST_EFFECTIVE: f64 = 100.0;

/// A single round must not carry more than this share of the weight.
const LARGEST_SHARE: f64 = 0.05;

/// The largest distance of the mean weight from 1 without a warning that the log's policy leaves slates out: in
/// standard errors, and absolute.
const MEAN_ERRORS: f64 = 4.0;
const MEAN_SLACK: f64 = 0.1;

/// Figures over the weights of rounds; for slates those of the slot with the fewest effective rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overlap {
    /// The number of equally weighted rounds with the same variance: `(sum w)^2 / sum(w^2)` (Kish 1965).
    pub effective: f64,
    /// The largest weight.
    pub largest: f64,
    /// Its share of all weight; 0 without weight.
    pub largest_share: f64,
    /// The mean weight: 1 up to noise if the logging policy can show every slate of the target.
    pub mean: f64,
    /// Standard error of the mean weight, rounds taken as independent.
    pub mean_error: f64,
}

impl Overlap {
    /// The figures of single rounds; `None` without a round.
    pub fn of(weights: &[f64]) -> Option<Overlap> {
        let (mean, count) = (mean(weights)?, weights.len() as f64);
        let (sum, squares) = (mean * count, weights.iter().map(|weight| weight * weight).sum::<f64>());
        let largest = weights.iter().copied().fold(0.0, f64::max);
        Some(Overlap {
            effective: if squares > 0.0 { sum * sum / squares } else { 0.0 },
            largest,
            largest_share: if sum > 0.0 { largest / sum } else { 0.0 },
            mean,
            mean_error: ((squares / count - mean * mean).max(0.0) / count).sqrt(),
        })
    }

    /// The figures of slates, `[n, slots]`; `None` without a slate.
    pub fn of_slates(slots: usize, weights: &[f64]) -> Option<Overlap> {
        let found = (0..slots).filter_map(|slot| Overlap::of(&column(slots, weights, slot)));
        found.min_by(|a, b| a.effective.total_cmp(&b.effective))
    }

    /// The problem in a few words; `None` if the overlap suffices.
    pub fn problem(&self) -> Option<String> {
        if self.effective == 0.0 {
            return Some("none: the log shows nothing of the target".to_owned());
        }
        if self.effective < FEWEST_EFFECTIVE {
            return Some(format!("too small: {:.1} effective rounds", self.effective));
        }
        let gap = (self.mean - 1.0).abs();
        if gap > MEAN_SLACK && gap > MEAN_ERRORS * self.mean_error {
            return Some(format!("biased: the weights have mean {:.2}, not 1", self.mean));
        }
        let share = 100.0 * self.largest_share;
        (self.largest_share > LARGEST_SHARE).then(|| format!("too small: one round has {share:.0}% of the weight"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_by_hand() {
        // (1 + 1 + 4)^2 / (1 + 1 + 16) = 2; the variance is 18/3 - 4 = 2.
        let found = Overlap::of(&[1.0, 1.0, 4.0]).unwrap();
        assert_eq!((found.effective, found.largest, found.mean), (2.0, 4.0, 2.0));
        assert!((found.largest_share - 2.0 / 3.0).abs() < 1e-12);
        assert!((found.mean_error - (2.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(Overlap::of(&[]), None);
        // The second slot has one round of two.
        assert_eq!(Overlap::of_slates(2, &[1.0, 2.0, 1.0, 0.0]).unwrap().effective, 1.0);
    }

    #[test]
    fn problems_have_a_name() {
        let problem = |weights: &[f64]| Overlap::of(weights).unwrap().problem();
        assert_eq!(problem(&[1.0; 100]), None);
        assert!(problem(&[1.0; 99]).unwrap().contains("99.0 effective rounds"));
        assert!(problem(&[0.0; 500]).unwrap().starts_with("none"));
        assert!(problem(&[0.5; 500]).unwrap().contains("mean 0.50"));
        let mut weights = vec![1.0; 2_000];
        weights[0] = 150.0;
        assert!(problem(&weights).unwrap().contains("one round has 7%"), "{:?}", problem(&weights));
    }
}

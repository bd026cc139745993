//! Uncertainty of the decisions of one model in one scene, in bits.
//!
//! With `p_1 .. p_n` the behaviour distributions of `n` decisions and `H` the entropy: the mean of `H(p_i)` is the
//! uncertainty that remains when the decision is known, `H(mean of p_i)` is the total, and their difference is the
//! disagreement of the decisions (the mutual information of decision and behaviour). Source: arXiv 2508.18142, section
//! on uncertainty decomposition.

/// Smaller probabilities are raised to this before logarithms are taken, as in the paper's reference code.
pub const LEAST: f64 = 1e-10;

/// Raises every probability to at least [`LEAST`] and normalises them to sum to 1.
///
/// # Panics
/// Never; an empty slice stays empty.
pub fn clean(probabilities: &mut [f64]) {
    let mut total = 0.0;
    for probability in probabilities.iter_mut() {
        *probability = probability.max(LEAST);
        total += *probability;
    }
    for probability in probabilities {
        *probability /= total;
    }
}

/// The entropy of a cleaned distribution, in bits.
pub fn entropy(probabilities: &[f64]) -> f64 {
    -probabilities.iter().map(|&probability| probability * libm::log2(probability)).sum::<f64>()
}

/// The information of one model's decisions about one scene, in bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Uncertainty {
    /// Mean of the entropies of the decisions' distributions: "model uncertainty" in the paper's reference code.
    pub mean_entropy: f64,
    /// Entropy of the mean distribution: the total uncertainty.
    pub total: f64,
    /// Mean over the decisions of `-log2` of the real behaviour's probability.
    pub log_loss: f64,
}

impl Uncertainty {
    /// Computed from the cleaned distributions of at least one decision; `answer` is the index of the real behaviour.
    pub fn of(distributions: &[Vec<f64>], answer: usize) -> Uncertainty {
        let count = distributions.len() as f64;
        let options = distributions.first().map_or(0, Vec::len);
        let mean: Vec<f64> =
            (0..options).map(|place| distributions.iter().map(|of| of[place]).sum::<f64>() / count).collect();
        let mean_entropy = distributions.iter().map(|of| entropy(of)).sum::<f64>() / count;
        let log_loss = distributions.iter().map(|of| -libm::log2(of[answer])).sum::<f64>() / count;
        Uncertainty { mean_entropy, total: entropy(&mean), log_loss }
    }

    /// The total minus the mean entropy: "data uncertainty" in the paper's reference code.
    pub fn disagreement(&self) -> f64 {
        self.total - self.mean_entropy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn entropies_of_known_distributions() {
        assert_eq!(entropy(&[0.5, 0.5]), 1.0);
        assert_eq!(entropy(&[0.25; 4]), 2.0);
        let certain = {
            let mut values = [1.0, 0.0];
            clean(&mut values);
            entropy(&values)
        };
        // 1e-10 bits of probability on the other option: 1e-10 * (log2(1e10) + log2(e)).
        assert!((certain - 1e-10 * (33.219_280_948_873_624 + std::f64::consts::LOG2_E)).abs() < 1e-15, "{certain}");
    }

    #[test]
    fn disagreeing_decisions_are_certain_alone_and_uncertain_together() {
        let mut first = vec![1.0, 0.0];
        let mut second = vec![0.0, 1.0];
        clean(&mut first);
        clean(&mut second);
        let found = Uncertainty::of(&[first, second], 0);
        assert!(found.mean_entropy < 1e-8);
        assert!((found.total - 1.0).abs() < 1e-12);
        assert!((found.disagreement() - 1.0).abs() < 1e-8);
        assert!((found.log_loss - 33.219_280_948_873_624 / 2.0).abs() < 1e-8);
    }

    proptest! {
        #[test]
        fn disagreement_is_never_negative_and_the_total_never_above_the_uniform(
            rows in prop::collection::vec(prop::collection::vec(0.0f64..1.0, 5), 1..8)
        ) {
            let mut rows = rows;
            rows.iter_mut().for_each(|row| clean(row));
            let found = Uncertainty::of(&rows, 2);
            prop_assert!(found.disagreement() > -1e-12);
            prop_assert!(found.total <= libm::log2(5.0) + 1e-12);
        }
    }
}

//! Estimators over rounds with one action each.
//!
//! Arrays have one entry for each round: `rewards`; `weights`, the target's probability of the action divided by that
//! of the logging policy; `predictions`, a model's prediction of the reward of the logged action; `expectations`, its
//! mean prediction for the target's actions. All have the same length; the excess of longer ones is ignored. The result
//! is `None` without a round, and if weights are divided by their mean and all are 0.
//!
//! ```
//! use recmirror::off_policy::rounds;
//! // Two rounds; the target takes the first action twice as often as the log's policy, the second half as often.
//! let (rewards, weights) = ([1.0, 0.0], [2.0, 0.5]);
//! assert_eq!(rounds::ips(&rewards, &weights).unwrap().value, 1.0);
//! assert_eq!(rounds::snips(&rewards, &weights).unwrap().value, 0.8);
//! ```

use super::valuation::{Valuation, mean, mean_weight};

/// Inverse propensity scoring: `mean(w r)` (Horvitz and Thompson 1952). Unbiased if the logging policy can take every
/// action of the target; its variance grows with the weights.
pub fn ips(rewards: &[f64], weights: &[f64]) -> Option<Valuation> {
    Valuation::plain(rewards.iter().zip(weights).map(|(reward, weight)| weight * reward).collect())
}

/// Self-normalised: `sum(w r) / sum(w)` (Swaminathan and Joachims 2015). A mean of rewards, so it never leaves their
/// range; biased by an order of `1 / n`.
pub fn snips(rewards: &[f64], weights: &[f64]) -> Option<Valuation> {
    let scale = mean_weight(weights)?;
    let contributions: Vec<f64> = rewards.iter().zip(weights).map(|(reward, weight)| weight * reward / scale).collect();
    let value = mean(&contributions)?;
    let deviations = rewards.iter().zip(weights).map(|(reward, weight)| weight / scale * (reward - value)).collect();
    Valuation::new(contributions, deviations)
}

/// The direct method: the model's prediction for the target's actions. As biased as the model.
pub fn dm(expectations: &[f64]) -> Option<Valuation> {
    Valuation::plain(expectations.to_vec())
}

/// Doubly robust: the direct method, corrected by the weighted errors of the model (Dudik, Langford and Li 2011).
/// Unbiased where [`ips`] is, with less variance the better the model.
pub fn dr(rewards: &[f64], weights: &[f64], predictions: &[f64], expectations: &[f64]) -> Option<Valuation> {
    let errors = errors(rewards, predictions);
    let corrections = errors.iter().zip(weights).map(|(error, weight)| weight * error);
    Valuation::plain(expectations.iter().zip(corrections).map(|(expected, correction)| expected + correction).collect())
}

/// Doubly robust with weights that are divided by their mean (Thomas and Brunskill 2016, Kallus and Uehara 2019).
pub fn sndr(rewards: &[f64], weights: &[f64], predictions: &[f64], expectations: &[f64]) -> Option<Valuation> {
    let correction = snips(&errors(rewards, predictions), weights)?;
    let expected = dm(expectations)?;
    let add = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect();
    Valuation::new(
        add(&expected.contributions, &correction.contributions),
        add(&expected.deviations, &correction.deviations),
    )
}

fn errors(rewards: &[f64], predictions: &[f64]) -> Vec<f64> {
    rewards.iter().zip(predictions).map(|(reward, predicted)| reward - predicted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REWARDS: [f64; 4] = [1.0, 0.0, 1.0, 0.0];
    /// Target over log: (3/4) / (1/2), (1/4) / (1/2), (1/4) / (1/4), (3/4) / (3/4).
    const WEIGHTS: [f64; 4] = [1.5, 0.5, 1.0, 1.0];
    const PREDICTIONS: [f64; 4] = [0.5, 0.25, 0.5, 0.25];
    const EXPECTATIONS: [f64; 4] = [0.5, 0.25, 0.75, 0.5];

    #[track_caller]
    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }

    #[track_caller]
    fn check(found: Option<Valuation>, value: f64) -> Valuation {
        let found = found.unwrap();
        close(found.value, value);
        close(mean(&found.contributions).unwrap(), value);
        close(mean(&found.deviations).unwrap(), 0.0);
        found
    }

    #[test]
    fn values_by_hand() {
        // (3/2 + 1) / 4; the weights have mean 1, so dividing by it changes nothing.
        check(ips(&REWARDS, &WEIGHTS), 5.0 / 8.0);
        check(snips(&REWARDS, &WEIGHTS), 5.0 / 8.0);
        check(dm(&EXPECTATIONS), 0.5);
        // 1/2 + (3/2 1/2 - 1/2 1/4 + 1/2 - 1/4) / 4 = 1/2 + 7/32.
        check(dr(&REWARDS, &WEIGHTS, &PREDICTIONS, &EXPECTATIONS), 23.0 / 32.0);
        check(sndr(&REWARDS, &WEIGHTS, &PREDICTIONS, &EXPECTATIONS), 23.0 / 32.0);
    }

    #[test]
    fn weights_whose_mean_is_not_one() {
        let doubled = WEIGHTS.map(|weight| 2.0 * weight);
        check(ips(&REWARDS, &doubled), 5.0 / 4.0);
        let found = check(snips(&REWARDS, &doubled), 5.0 / 8.0);
        assert_eq!(found, check(snips(&REWARDS, &WEIGHTS), 5.0 / 8.0));
        // w / mean(w) (r - 5/8): 3/2 3/8, -1/2 5/8, 3/8, -5/8.
        assert_eq!(found.deviations, [9.0 / 16.0, -5.0 / 16.0, 3.0 / 8.0, -5.0 / 8.0]);
        check(sndr(&REWARDS, &doubled, &PREDICTIONS, &EXPECTATIONS), 23.0 / 32.0);
    }

    #[test]
    fn a_perfect_model_leaves_nothing_to_correct() {
        for estimate in [dr, sndr] {
            check(estimate(&REWARDS, &WEIGHTS, &REWARDS, &EXPECTATIONS), 0.5);
        }
    }

    #[test]
    fn nothing_to_say() {
        assert_eq!((ips(&[], &[]), snips(&[], &[]), dm(&[])), (None, None, None));
        assert_eq!((dr(&[], &[], &[], &[]), sndr(&[], &[], &[], &[])), (None, None));
        assert_eq!(snips(&[1.0], &[0.0]), None, "no weight at all");
        assert_eq!(ips(&[1.0], &[0.0]).unwrap().value, 0.0);
    }
}

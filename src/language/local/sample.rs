//! Choosing the next token from logits.
//!
//! Sums run in a fixed order and exponentials come from `libm`, so the choice is a function of the logits and of one uniform
//! number.

use crate::language::Sampling;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A token and its share, ordered by probability; equally likely tokens are ordered by id, lower first.
#[derive(Clone, Copy, PartialEq)]
struct Candidate {
    share: f64,
    token: u32,
}

impl Eq for Candidate {}

impl Ord for Candidate {
    fn cmp(&self, other: &Candidate) -> Ordering {
        self.share.total_cmp(&other.share).then(other.token.cmp(&self.token))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Candidate) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The next token. `uniform`, in [0, 1), picks from the smallest set of most likely tokens whose probability reaches
/// `top_p`, ordered by probability, then by id. Temperature 0 takes the most likely token. `None` if no logit is
/// finite.
pub(super) fn next_token(logits: &[f32], sampling: &Sampling, uniform: f64) -> Option<u32> {
    let most = greatest(logits)?;
    if sampling.temperature <= 0.0 {
        return logits.iter().position(|&logit| logit == most).map(|place| place as u32);
    }
    let share = |logit: f32| libm::exp((f64::from(logit) - f64::from(most)) / sampling.temperature);
    let shares = logits.iter().zip(0..).map(|(&logit, token)| Candidate { share: share(logit), token });
    let mut heap: BinaryHeap<Candidate> = shares.filter(|candidate| candidate.share > 0.0).collect::<Vec<_>>().into();
    let total: f64 = logits.iter().map(|&logit| share(logit)).filter(|share| *share > 0.0).sum();
    let (mut nucleus, mut reached) = (Vec::new(), 0.0);
    while let Some(candidate) = heap.pop() {
        reached += candidate.share;
        nucleus.push(candidate);
        if reached >= sampling.top_p * total {
            break;
        }
    }
    let mut left = uniform * reached;
    for candidate in &nucleus {
        left -= candidate.share;
        if left < 0.0 {
            return Some(candidate.token);
        }
    }
    nucleus.last().map(|candidate| candidate.token)
}

/// The probabilities of some logits relative to each other.
pub(super) fn shares(logarithms: &[f64]) -> Vec<f64> {
    let most = logarithms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let shares: Vec<f64> = logarithms.iter().map(|value| libm::exp(value - most)).collect();
    let total: f64 = shares.iter().sum();
    shares.into_iter().map(|share| share / total).collect()
}

/// The natural logarithm of a token's probability.
pub(super) fn log_probability(logits: &[f32], token: u32) -> Option<f64> {
    let most = f64::from(greatest(logits)?);
    let total: f64 = logits.iter().map(|&logit| libm::exp(f64::from(logit) - most)).sum();
    Some(f64::from(*logits.get(token as usize)?) - most - libm::log(total))
}

/// The greatest logit; `None` if there is none or one is not a number.
fn greatest(logits: &[f32]) -> Option<f32> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    (most.is_finite() && !logits.iter().any(|logit| logit.is_nan())).then_some(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling(temperature: f64, top_p: f64) -> Sampling {
        Sampling { temperature, top_p, max_tokens: 1 }
    }

    /// Logits of the probabilities 1/8, 1/2, 1/8, 1/4.
    fn logits() -> Vec<f32> {
        [1.0_f64, 4.0, 1.0, 2.0].iter().map(|&share| libm::log(share) as f32).collect()
    }

    #[test]
    fn the_nucleus_is_the_smallest_that_reaches_top_p() {
        let picked = |top_p, uniform| next_token(&logits(), &sampling(1.0, top_p), uniform);
        // Of 1/2 + 1/4 the first takes two thirds.
        assert_eq!(
            [picked(0.7, 0.0), picked(0.7, 0.66), picked(0.7, 0.67), picked(0.7, 0.999)],
            [1, 1, 3, 3].map(Some)
        );
        assert_eq!([picked(0.4, 0.0), picked(0.4, 0.999)], [1, 1].map(Some));
        // Equal ones come by id: 0 before 2.
        assert_eq!([picked(1.0, 0.76), picked(1.0, 0.87), picked(1.0, 0.88)], [0, 0, 2].map(Some));
        assert_eq!(picked(0.0, 0.5), Some(1));
    }

    #[test]
    fn temperature_flattens_and_zero_takes_the_first_of_the_best() {
        assert_eq!(next_token(&[1.0, 3.0, 3.0], &sampling(0.0, 0.9), 0.99), Some(1));
        // At temperature 2 the shares are roots: 1, 2, 1, sqrt 2 of 5.41.
        let picked = |uniform| next_token(&logits(), &sampling(2.0, 1.0), uniform);
        assert_eq!([picked(0.36), picked(0.38), picked(0.62), picked(0.64)], [1, 3, 3, 0].map(Some));
    }

    #[test]
    fn nothing_is_drawn_from_logits_that_are_no_numbers() {
        for wrong in [&[f32::NAN, 1.0][..], &[f32::INFINITY, 1.0], &[f32::NEG_INFINITY], &[]] {
            assert_eq!(next_token(wrong, &sampling(1.0, 0.9), 0.5), None);
            assert_eq!(log_probability(wrong, 0), None);
        }
        assert_eq!(next_token(&[f32::NEG_INFINITY, 1.0], &sampling(1.0, 1.0), 0.99), Some(1));
    }

    #[test]
    fn probabilities_are_those_of_the_softmax() {
        let log = log_probability(&logits(), 3).expect("finite");
        assert!((log - libm::log(0.25)).abs() < 1e-7);
        assert_eq!(log_probability(&logits(), 4), None);
        let shares = shares(&[libm::log(1.0), libm::log(3.0)]);
        assert!((shares[1] - 0.75).abs() < 1e-12 && (shares[0] + shares[1] - 1.0).abs() < 1e-12);
    }
}

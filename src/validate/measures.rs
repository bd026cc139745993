//! AUC, logarithmic loss, and their intervals by a bootstrap over users.

use super::cells::Cells;
use crate::random::{Purpose, Streams, below};
use rayon::prelude::*;
use serde::Serialize;

/// A figure with its 95% interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// The figure.
    pub estimate: f64,
    /// Lower end; NaN with fewer than two users.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A probability is held within this distance from 0 and 1: a loss is finite.
const LEAST: f64 = 1e-6;

/// The logarithmic loss of each cell.
pub(super) fn losses(chances: &[f64], accepted: &[bool]) -> Vec<f64> {
    let of = |(chance, &accepted): (&f64, &bool)| {
        let chance = chance.clamp(LEAST, 1.0 - LEAST);
        -libm::log(if accepted { chance } else { 1.0 - chance })
    };
    chances.iter().zip(accepted).map(of).collect()
}

/// The mean log loss of the constant prediction `share` if it is the true share.
pub(super) fn entropy(share: f64) -> f64 {
    -(share * libm::log(share) + (1.0 - share) * libm::log(1.0 - share))
}

/// The number of times that each user is drawn in each resample.
pub struct Resamples {
    counts: Vec<Vec<f64>>,
    users: usize,
}

impl Resamples {
    /// `count` resamples of `users`.
    pub fn new(users: usize, count: usize, seed: u64) -> Resamples {
        let streams = Streams::new(seed, 0);
        let resample = |number: usize| {
            let mut rng = streams.derive(Purpose::Bootstrap, number as u64, 2);
            let mut counts = vec![0.0; users];
            (0..users).for_each(|_| counts[below(&mut rng, users as u32) as usize] += 1.0);
            counts
        };
        let count = if users < 2 { 0 } else { count };
        Resamples { counts: (0..count).into_par_iter().map(resample).collect(), users }
    }

    /// A statistic of weights of users, with its interval.
    pub fn figure(&self, of: impl Fn(&[f64]) -> f64 + Sync) -> Figure {
        let estimate = of(&vec![1.0; self.users]);
        let mut found: Vec<f64> = self.counts.par_iter().map(|counts| of(counts)).collect();
        found.retain(|value| value.is_finite());
        found.sort_by(f64::total_cmp);
        if found.len() * 2 < self.counts.len() || found.is_empty() {
            return Figure { estimate, low: f64::NAN, high: f64::NAN };
        }
        let outside = found.len() / 40;
        Figure { estimate, low: found[outside], high: found[found.len() - 1 - outside] }
    }

    /// The mean of a value of each user.
    pub(crate) fn mean_of_users(&self, values: &[f64]) -> Figure {
        self.mean(&values.iter().map(|&value| (value, 1.0)).collect::<Vec<_>>())
    }

    /// The mean over cells, from sums and numbers by user.
    pub(super) fn mean(&self, of_users: &[(f64, f64)]) -> Figure {
        self.figure(|weights| {
            let all = of_users.iter().zip(weights);
            let (sum, count) =
                all.fold((0.0, 0.0), |all, (one, weight)| (all.0 + weight * one.0, all.1 + weight * one.1));
            sum / count
        })
    }

    /// The probability that an accepted cell has a higher score than one that was not, ties half.
    pub(super) fn auc(&self, scores: &[f64], cells: &Cells) -> Figure {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(a.cmp(&b)));
        let (users, accepted) = (cells.user_numbers(), cells.accepted());
        self.figure(|weights| {
            let (mut below, mut pairs, mut positive) = (0.0, 0.0, 0.0);
            let mut at = 0;
            while at < order.len() {
                let score = scores[order[at]];
                let (mut yes, mut no) = (0.0, 0.0);
                while at < order.len() && scores[order[at]] == score {
                    let weight = weights[users[order[at]] as usize];
                    if accepted[order[at]] {
                        yes += weight
                    } else {
                        no += weight
                    }
                    at += 1;
                }
                pairs += yes * (below + no / 2.0);
                below += no;
                positive += yes;
            }
            pairs / (positive * below)
        })
    }
}

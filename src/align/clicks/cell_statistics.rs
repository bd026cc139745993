//! Statistics of shown items.
//!
//! A cell is an item that was shown. Log loss, AUC and calibration take weights by user, for a bootstrap.

use crate::random::{Purpose, Streams, below};
use rayon::prelude::*;

/// Resamples of an interval.
const RESAMPLES: usize = 500;
/// Bins of the calibration error.
const BINS: usize = 10;

/// Minus the logarithm of the probability of the response.
pub(super) fn log_loss(chance: f64, taken: bool) -> f64 {
    let chance = chance.clamp(1e-9, 1.0 - 1e-9);
    -libm::log(if taken { chance } else { 1.0 - chance })
}

/// `ln(p / (1 - p))`.
pub(super) fn logit(chance: f64) -> f64 {
    let chance = chance.clamp(1e-9, 1.0 - 1e-9);
    libm::log(chance / (1.0 - chance))
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

/// Scores as probabilities `sigmoid(a + b score)`, with `a` and `b` fitted on the other half: the value of a contender
/// without its level. `half` is the half of each cell.
pub(super) fn recalibrated(scores: &[f64], taken: &[bool], half: &[bool]) -> Vec<f64> {
    let of = |wanted: bool| line(scores, taken, |cell| half[cell] == wanted);
    let lines = [of(true), of(false)];
    let one = |(cell, &score): (usize, &f64)| {
        let [a, b] = lines[usize::from(half[cell])];
        sigmoid(a + b * score)
    };
    scores.iter().enumerate().map(one).collect()
}

/// Logistic regression on one score by Newton's method, with a ridge that keeps it stable if the score is
/// uninformative.
fn line(scores: &[f64], taken: &[bool], keep: impl Fn(usize) -> bool) -> [f64; 2] {
    let cells: Vec<usize> = (0..scores.len()).filter(|&cell| keep(cell)).collect();
    let count = cells.len().max(1) as f64;
    let mean = cells.iter().map(|&cell| scores[cell]).sum::<f64>() / count;
    let share = cells.iter().filter(|&&cell| taken[cell]).count() as f64 / count;
    let (mut a, mut b) = (logit(share.clamp(0.5 / count, 1.0 - 0.5 / count)), 0.0);
    for _ in 0..30 {
        let (mut slope, mut bend) = ([0.0, -1e-3 * b], [1e-9, 0.0, 1e-3]);
        for &cell in &cells {
            let score = scores[cell] - mean;
            let chance = sigmoid(a + b * score);
            let (error, weight) = (f64::from(u8::from(taken[cell])) - chance, chance * (1.0 - chance));
            slope = [slope[0] + error, slope[1] + error * score];
            bend = [bend[0] + weight, bend[1] + weight * score, bend[2] + weight * score * score];
        }
        let determinant = bend[0] * bend[2] - bend[1] * bend[1];
        if determinant.abs() < 1e-12 {
            break;
        }
        let step = [
            (slope[0] * bend[2] - slope[1] * bend[1]) / determinant,
            (slope[1] * bend[0] - slope[0] * bend[1]) / determinant,
        ];
        // A long step would leave the region of the quadratic approximation.
        let shorten = 2.0 / (step[0].abs() + step[1].abs()).max(2.0);
        (a, b) = (a + shorten * step[0], b + shorten * step[1]);
        if step[0].abs() + step[1].abs() < 1e-9 {
            break;
        }
    }
    [a - b * mean, b]
}

/// Cells in the order of their score, for [`auc`] under any weights.
pub(super) fn by_score(scores: &[f64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..scores.len() as u32).collect();
    order.sort_by(|&a, &b| scores[a as usize].total_cmp(&scores[b as usize]).then(a.cmp(&b)));
    order
}

/// The probability that a taken cell scores above one that was passed over; ties count half. `weight` is that of a
/// cell.
pub(super) fn auc(order: &[u32], scores: &[f64], taken: &[bool], weight: impl Fn(usize) -> f64) -> f64 {
    let (mut below, mut pairs, mut all) = (0.0, 0.0, 0.0);
    for equal in order.chunk_by(|&a, &b| scores[a as usize] == scores[b as usize]) {
        let of = |wanted: bool| -> f64 {
            equal.iter().map(|&cell| cell as usize).filter(|&cell| taken[cell] == wanted).map(&weight).sum()
        };
        let (hit, missed) = (of(true), of(false));
        pairs += hit * (below + 0.5 * missed);
        below += missed;
        all += hit;
    }
    pairs / (all * below)
}

/// The AUC within one list; `None` if all or nothing was taken.
pub(super) fn auc_of_list(scores: &[f64], taken: &[bool]) -> Option<f64> {
    Some(auc(&by_score(scores), scores, taken, |_| 1.0)).filter(|auc| auc.is_finite())
}

/// The mean distance between the mean probability and the share taken over bins of equal size by probability (Guo et
/// al. 2017, with equal counts instead of equal widths, because most probabilities are small).
pub(super) fn calibration_error(order: &[u32], chances: &[f64], taken: &[bool], weight: impl Fn(usize) -> f64) -> f64 {
    let mut sums = [0.0; 2];
    let size = order.len().div_ceil(BINS).max(1);
    for bin in order.chunks(size) {
        let gap: f64 = bin
            .iter()
            .map(|&cell| cell as usize)
            .map(|cell| weight(cell) * (chances[cell] - f64::from(u8::from(taken[cell]))))
            .sum();
        sums[0] += gap.abs();
        sums[1] += bin.iter().map(|&cell| weight(cell as usize)).sum::<f64>();
    }
    sums[0] / sums[1]
}

/// Resamples of users: the number of times that each is drawn.
pub(super) struct Resamples {
    users: usize,
    seed: u64,
}

impl Resamples {
    pub(super) fn new(users: usize, seed: u64) -> Resamples {
        Resamples { users, seed }
    }

    /// An estimate with its 95% percentile interval; `statistic` receives the weight of each user.
    pub(super) fn interval(&self, statistic: impl Fn(&[f64]) -> f64 + Sync) -> [f64; 3] {
        let estimate = statistic(&vec![1.0; self.users]);
        if self.users < 2 {
            return [estimate, f64::NAN, f64::NAN];
        }
        let one = |resample: usize| {
            let mut rng = Streams::new(self.seed, 0).derive(Purpose::Bootstrap, resample as u64, 1);
            let mut weights = vec![0.0; self.users];
            (0..self.users).for_each(|_| weights[below(&mut rng, self.users as u32) as usize] += 1.0);
            statistic(&weights)
        };
        let mut found: Vec<f64> = (0..RESAMPLES).into_par_iter().map(one).collect();
        found.retain(|value| value.is_finite());
        if found.is_empty() {
            return [estimate, f64::NAN, f64::NAN];
        }
        found.sort_by(f64::total_cmp);
        [estimate, found[found.len() / 40], found[found.len() - 1 - found.len() / 40]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auc_by_hand() {
        let (scores, taken) = ([0.1, 0.4, 0.4, 0.9], [false, true, false, true]);
        // Of four pairs three are right, and one is a tie.
        assert_eq!(auc_of_list(&scores, &taken), Some(3.5 / 4.0));
        // The last cell twice: of six pairs five are right, and one is a tie.
        let weighted = auc(&by_score(&scores), &scores, &taken, |cell| if cell == 3 { 2.0 } else { 1.0 });
        assert!((weighted - 5.5 / 6.0).abs() < 1e-12);
        assert_eq!(auc_of_list(&scores, &[true; 4]), None);
    }

    #[test]
    fn a_score_without_meaning_gets_the_level_and_a_line_is_found() {
        let half: Vec<bool> = (0..4000).map(|cell| cell % 2 == 0).collect();
        let taken: Vec<bool> = (0..4000).map(|cell| cell % 8 < 2).collect();
        let chances = recalibrated(&vec![7.0; 4000], &taken, &half);
        assert!(chances.iter().all(|chance| (chance - 0.25).abs() < 1e-6), "{}", chances[0]);
        // Odds 1 to 3 where the score is 5, and 3 to 1 where it is 6.
        let scores: Vec<f64> = (0..4000).map(|cell| if cell < 2000 { 5.0 } else { 6.0 }).collect();
        let taken: Vec<bool> = (0..4000).map(|cell| (cell / 2 % 4 < 1) == (cell < 2000)).collect();
        let chances = recalibrated(&scores, &taken, &half);
        assert!((chances[0] - 0.25).abs() < 1e-3 && (chances[3999] - 0.75).abs() < 1e-3, "{chances:?}");
    }

    #[test]
    fn calibration_by_hand() {
        let chances: Vec<f64> = (0..20).map(|cell| if cell < 10 { 0.2 } else { 0.7 }).collect();
        let taken: Vec<bool> = (0..20).map(|cell| cell % 2 == 0).collect();
        // Bins of two cells, one of them taken: 0.3 off below, 0.2 off above.
        let error = calibration_error(&by_score(&chances), &chances, &taken, |_| 1.0);
        assert!((error - 0.25).abs() < 1e-12, "{error}");
    }
}

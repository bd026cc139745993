//! 95% intervals of estimates over rounds or groups.
//!
//! Rounds of one user depend on each other: tastes persist, and acceptances change later rounds. A group is all rounds
//! of one user; groups are drawn or summed as units. With one round in each group both intervals are the usual ones.

use super::valuation::Valuation;
use crate::experiment::Interval;

/// The 0.975 quantile of the normal distribution.
const NORMAL: f64 = 1.959_963_984_540_054;

/// Share of resamples outside on either side.
const TAIL: f64 = 0.025;

/// Sums over groups.
#[derive(Clone, Debug, PartialEq)]
pub struct Groups {
    /// `[groups]`: rounds of each.
    counts: Vec<f64>,
    /// `[n]`: the group of each round.
    of: Vec<u32>,
}

impl Groups {
    /// `of[round]` is the number of its group; numbers without rounds are no groups and must not occur below others.
    pub fn new(of: Vec<u32>) -> Groups {
        let mut counts = vec![0.0; of.iter().max().map_or(0, |&last| last as usize + 1)];
        of.iter().for_each(|&group| counts[group as usize] += 1.0);
        Groups { counts, of }
    }

    /// Each of `count` rounds is a group of its own.
    pub fn single(count: usize) -> Groups {
        Groups::new((0..count as u32).collect())
    }

    /// Number of groups.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// True without any group.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    fn sums(&self, values: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.len()];
        self.of.iter().zip(values).for_each(|(&group, value)| sums[group as usize] += value);
        sums
    }
}

/// The interval of a normal distribution: `value +- 1.96 s`, with
/// `s^2 = G / (G - 1) sum_g (sum of deviations in g)^2 / n^2` for `G` groups and `n` rounds (Liang and Zeger 1986). `None`
/// with fewer than two groups.
///
/// ```
/// use recmirror::off_policy::{interval, rounds};
/// let found = rounds::dm(&[1.0, 3.0, 1.0, 3.0]).unwrap();
/// let interval = interval::normal(&found, &interval::Groups::single(4)).unwrap();
/// // Deviations of 1 around 2: the variance of the mean is 4/3 * 4 / 16 = 1/3.
/// assert!((interval.high - (2.0 + 1.959964 * (1.0_f64 / 3.0).sqrt())).abs() < 1e-6);
/// ```
pub fn normal(valuation: &Valuation, groups: &Groups) -> Option<Interval> {
    let (count, rounds) = (groups.len() as f64, groups.of.len() as f64);
    if count < 2.0 {
        return None;
    }
    let squares: f64 = groups.sums(&valuation.deviations).iter().map(|sum| sum * sum).sum();
    let reach = NORMAL * (count / (count - 1.0) * squares).sqrt() / rounds;
    Some(Interval { low: valuation.value - reach, high: valuation.value + reach })
}

/// The percentile interval of the mean of `values` over resampled groups; `None` without a group or a resample. `draw`
/// returns a number below its argument. With [`Groups::single`] and the contributions of an estimator it is obp's
/// interval, which treats the mean weight of self-normalised estimators as fixed; with `value + deviations` it does
/// not.
pub fn bootstrap(
    values: &[f64],
    groups: &Groups,
    resamples: usize,
    mut draw: impl FnMut(u32) -> u32,
) -> Option<Interval> {
    let (sums, count) = (groups.sums(values), groups.len());
    if count == 0 || resamples == 0 {
        return None;
    }
    let resample = |_| {
        let (mut sum, mut rounds) = (0.0, 0.0);
        for _ in 0..count {
            let group = draw(count as u32) as usize;
            sum += sums[group];
            rounds += groups.counts[group];
        }
        sum / rounds
    };
    let mut means: Vec<f64> = (0..resamples).map(resample).collect();
    means.sort_by(f64::total_cmp);
    Some(Interval { low: percentile(&means, TAIL), high: percentile(&means, 1.0 - TAIL) })
}

/// Between neighbours on a straight line, as NumPy has it; `sorted` must not be empty.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = place as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::off_policy::rounds;
    use crate::random::{Purpose, Streams, below};

    #[test]
    fn percentiles_by_hand() {
        let sorted = [1.0, 2.0, 4.0, 8.0, 16.0];
        assert_eq!(percentile(&sorted, 0.0), 1.0);
        assert_eq!(percentile(&sorted, 0.5), 4.0);
        assert_eq!(percentile(&sorted, 0.625), 6.0);
        assert_eq!(percentile(&sorted, 1.0), 16.0);
        assert_eq!(percentile(&[3.0], 0.975), 3.0);
    }

    #[test]
    fn rounds_of_a_group_move_together() {
        // Two groups of two equal rounds: as sure as two rounds, not as four.
        let found = rounds::dm(&[1.0, 1.0, 3.0, 3.0]).unwrap();
        let grouped = normal(&found, &Groups::new(vec![0, 0, 1, 1])).unwrap();
        let pair = normal(&rounds::dm(&[1.0, 3.0]).unwrap(), &Groups::single(2)).unwrap();
        assert!((grouped.half_width() - pair.half_width()).abs() < 1e-12);
        assert!(grouped.half_width() > normal(&found, &Groups::single(4)).unwrap().half_width());
        assert_eq!(normal(&found, &Groups::new(vec![0; 4])), None);
        assert_eq!(bootstrap(&[], &Groups::single(0), 10, |_| 0), None);
    }

    #[test]
    fn a_bootstrap_agrees_with_the_normal_interval() {
        let values: Vec<f64> = (0..400).map(|round| f64::from(round * 7919 % 400)).collect();
        let groups = Groups::new((0..400).map(|round| round / 4).collect());
        let found = rounds::dm(&values).unwrap();
        let wanted = normal(&found, &groups).unwrap();
        let mut rng = Streams::new(4, 0).derive(Purpose::OffPolicy, 0, 0);
        let resampled = bootstrap(&values, &groups, 4_000, |bound| below(&mut rng, bound)).unwrap();
        let slack = 0.1 * wanted.half_width();
        assert!((resampled.low - wanted.low).abs() < slack && (resampled.high - wanted.high).abs() < slack);
    }
}

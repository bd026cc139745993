//! The second source of uncertainty: other users.
//!
//! Estimates how a comparison would change with other users like these.
//!
//! Replications differ in seed; all of them use the users of the log, or draw from them. The interval over replications
//! therefore covers *another seed*, but not *other users*. This module adds the second source: the log's users are a
//! sample, and a policy's acceptance rate is a ratio of sums over them. The variance of a difference of two such ratios
//! over users is that of the linearised ratios (Taylor series; Woodruff 1971, Journal of the American Statistical
//! Association 66(334)), which a bootstrap of users approaches. Half of the two-level interval is the root of the
//! summed squares of both halves (Zou and Donner 2008, Statistics in Medicine 27(10)), both simultaneous over all pairs
//! of policies.
//!
//! It holds for users like those of the log who respond as the user model does. Resampling cannot measure how far that
//! is from real users: `recmirror align` and `recmirror validate` do.

use super::Results;
use crate::experiment::stats::{Family, Interval};
use crate::experiment::user_totals::UserTotals;

/// The metric with counts by user.
const METRIC: &str = "acceptance_rate";

impl Results {
    /// The 95% interval of a difference for another seed and other users, simultaneous over all pairs. `None` for
    /// metrics other than the acceptance rate, for fewer than two replications or users, and if there is no interval
    /// over seeds.
    pub fn other_users(&self, policy: &str, other: &str, metric: usize) -> Option<Interval> {
        if self.metrics.get(metric)?.name != METRIC {
            return None;
        }
        let difference = self.paired(policy, other, metric)?.difference;
        let seeds = difference.interval?.half_width();
        let own = influences(&self.totals(policy))?;
        let others = influences(&self.totals(other))?;
        let between = linearised(&own, &others);
        let users = Family::fixed(&vec![vec![Some(0.0); between.len().min(MANY)]; self.policies.len()]);
        let reach = users.reach(&between)?;
        let half = (seeds * seeds + reach * reach).sqrt();
        Some(Interval { low: difference.mean - half, high: difference.mean + half })
    }

    /// Shown and accepted slates of each user of the log under a policy, over all replications.
    fn totals(&self, policy: &str) -> Vec<(f64, f64)> {
        let all: Vec<&UserTotals> = self.trials_of(policy).map(|trial| &trial.users).collect();
        let users = all.iter().map(|totals| totals.shown.len()).max().unwrap_or(0);
        let of = |user: usize| {
            all.iter().map(|totals| totals.of(user)).fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
        };
        (0..users).map(of).collect()
    }
}

/// Above this number of users, quantiles of t do not change visibly.
const MANY: usize = 120;

/// The influence of each user who saw a slate on the ratio of sums, times the number of users: `(accepted - rate shown)
/// / mean shown`.
fn influences(totals: &[(f64, f64)]) -> Option<Vec<Option<f64>>> {
    let count = totals.iter().filter(|(shown, _)| *shown > 0.0).count() as f64;
    let (shown, accepted) = totals.iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    if shown == 0.0 {
        return None;
    }
    let (rate, mean) = (accepted / shown, shown / count);
    let of = |&(shown, accepted): &(f64, f64)| (shown > 0.0).then_some((accepted - rate * shown) / mean);
    Some(totals.iter().map(of).collect())
}

/// The influences of users on a difference; a user whom one policy never served counts with the influence on the other
/// alone.
fn linearised(own: &[Option<f64>], others: &[Option<f64>]) -> Vec<f64> {
    let at = |values: &[Option<f64>], user: usize| values.get(user).copied().flatten();
    let of = |user| match (at(own, user), at(others, user)) {
        (None, None) => None,
        (a, b) => Some(a.unwrap_or(0.0) - b.unwrap_or(0.0)),
    };
    (0..own.len().max(others.len())).filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::results;
    use super::*;
    use crate::random::{Purpose, Streams, below, unit};

    /// Users with a taste for each policy: slates shown and accepted, by policy, replication and user.
    fn run(users: usize) -> Results {
        let mut rng = Streams::new(5, 0).derive(Purpose::Scenes, 0, 0);
        let tastes: Vec<f64> = (0..users).map(|_| unit(&mut rng)).collect();
        let mut finals: Vec<Vec<[Option<f64>; 1]>> = vec![Vec::new(); 2];
        let mut totals = Vec::new();
        for policy in 0..2 {
            for _ in 0..4 {
                let shown: Vec<u32> = (0..users).map(|_| 5 + below(&mut rng, 10)).collect();
                let accepts = |user: usize, rng: &mut _| unit(rng) < 0.2 + 0.3 * tastes[user] * f64::from(policy);
                let accepted: Vec<u32> = (0..users)
                    .map(|user| (0..shown[user]).filter(|_| accepts(user, &mut rng)).count() as u32)
                    .collect();
                let rate = f64::from(accepted.iter().sum::<u32>()) / f64::from(shown.iter().sum::<u32>());
                finals[policy as usize].push([Some(rate)]);
                totals.push(UserTotals { shown, accepted, ..UserTotals::default() });
            }
        }
        let finals: Vec<Vec<&[Option<f64>]>> =
            finals.iter().map(|run| run.iter().map(|one| one.as_slice()).collect()).collect();
        let mut results = results(&["acceptance_rate"], "a", &[("a", &finals[0]), ("b", &finals[1])], 1);
        results.trials.values_mut().zip(totals).for_each(|(trial, totals)| trial.users = totals);
        results
    }

    #[test]
    fn the_error_over_users_is_that_of_a_bootstrap_of_users() {
        let results = run(200);
        let (a, b) = (results.totals("a"), results.totals("b"));
        let between = linearised(&influences(&b).unwrap(), &influences(&a).unwrap());
        let mean = between.iter().sum::<f64>() / 200.0;
        let error = (between.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / 199.0 / 200.0).sqrt();
        let ratio = |totals: &[(f64, f64)], users: &[usize]| {
            let sum = users.iter().fold((0.0, 0.0), |sum, &user| (sum.0 + totals[user].0, sum.1 + totals[user].1));
            sum.1 / sum.0
        };
        let mut rng = Streams::new(6, 0).derive(Purpose::Bootstrap, 0, 0);
        let drawn: Vec<f64> = (0..2_000)
            .map(|_| {
                let users: Vec<usize> = (0..200).map(|_| below(&mut rng, 200) as usize).collect();
                ratio(&b, &users) - ratio(&a, &users)
            })
            .collect();
        let centre = drawn.iter().sum::<f64>() / 2_000.0;
        let spread = (drawn.iter().map(|value| (value - centre) * (value - centre)).sum::<f64>() / 1_999.0).sqrt();
        assert!((spread / error - 1.0).abs() < 0.1, "{spread} {error}");
    }

    #[test]
    fn other_users_widen_the_interval() {
        let results = run(200);
        let seeds = results.paired("b", "a", 0).unwrap().difference.interval.unwrap();
        let both = results.other_users("b", "a", 0).unwrap();
        assert!(both.half_width() > seeds.half_width());
        assert!((both.low + both.high - seeds.low - seeds.high).abs() < 1e-12, "around the same difference");
    }

    #[test]
    fn metrics_without_counts_by_user_have_none() {
        let one: &[&[Option<f64>]] = &[&[Some(0.5)], &[Some(0.7)]];
        let run = results(&["gini", "acceptance_rate"], "a", &[("a", &[&[Some(0.5), Some(0.1)]])], 1);
        assert_eq!((run.other_users("a", "a", 0), run.other_users("a", "a", 1)), (None, None));
        let run = results(&["acceptance_rate"], "a", &[("a", one), ("b", one)], 1);
        assert_eq!(run.other_users("b", "a", 0), None, "no totals by user");
    }
}

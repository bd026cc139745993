//! Every policy against every other: `pairs.csv` and sentences about it.

use super::Results;
use crate::experiment::stats::{
    Family, bootstrap, deviation, differences, estimate, replications_needed_at, sign_flip,
};
use crate::random::{Purpose, Streams};
use serde::Serialize;

/// One row of `pairs.csv`: two policies in one metric, compared within each replication.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairRow {
    /// Name of the metric.
    pub metric: &'static str,
    /// Name of a policy.
    pub policy_a: String,
    /// Name of the other; a baseline is always policy b.
    pub policy_b: String,
    /// Mean over replications of a minus b.
    pub difference: Option<f64>,
    /// Lower end of its 95% interval, simultaneous over all pairs of this metric (see [`Family`]).
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Two-sided p value of "no difference", adjusted over the same pairs: 0.05 or less where the interval excludes 0.
    pub p_adjusted: Option<f64>,
    /// Lower end of its 95% interval for another seed and other users (see [`Results::other_users`]).
    pub users_low: Option<f64>,
    /// Upper end.
    pub users_high: Option<f64>,
    /// Lower end of the 95% Student-t interval of this pair alone.
    pub t_low: Option<f64>,
    /// Upper end.
    pub t_high: Option<f64>,
    /// Lower end of the 95% bootstrap interval of this pair alone (see [`bootstrap`]).
    pub bootstrap_low: Option<f64>,
    /// Upper end.
    pub bootstrap_high: Option<f64>,
    /// Two-sided p value of the sign-flip permutation test of this pair alone (see [`sign_flip`]).
    pub p_permutation: Option<f64>,
    /// Variance of the difference if the two were independent, divided by its paired variance.
    pub variance_reduction: Option<f64>,
    /// Replications in which both are defined.
    pub replications: usize,
    /// Replications that would show a true difference of this size among all pairs (see [`replications_needed_at`]).
    pub replications_needed: Option<u64>,
}

impl PairRow {
    /// True if the two policies differ by the verdict over all pairs.
    pub fn excludes_zero(&self) -> bool {
        self.low.zip(self.high).is_some_and(|(low, high)| low > 0.0 || high < 0.0)
    }
}

impl Results {
    /// All pairs of policies in all metrics, metric by metric. Challengers come in their order and the baseline last,
    /// so a difference from the baseline has the same sign as in [`Results::compare`].
    ///
    /// Resamples and sign flips come from `streams` and are the same for all pairs with equally many replications: the
    /// figures of a pair alone do not depend on the other policies and metrics.
    pub fn pairs(&self, streams: &Streams) -> Vec<PairRow> {
        let order: Vec<&str> = self.challengers().chain([self.baseline()]).collect();
        let mut rows = Vec::new();
        for metric in 0..self.metrics.len() {
            let family = self.family(metric);
            for (place, a) in order.iter().enumerate() {
                rows.extend(order[place + 1..].iter().map(|b| self.pair(a, b, metric, &family, streams)));
            }
        }
        rows
    }

    fn pair(&self, a: &str, b: &str, metric: usize, family: &Family, streams: &Streams) -> PairRow {
        let found = self.paired(a, b, metric);
        let mean = found.map(|found| found.difference.mean);
        let verdict = found.and_then(|found| found.difference.interval);
        let sample = differences(&self.finals(a, metric), &self.finals(b, metric));
        let alone = estimate(sample.iter().copied().map(Some)).and_then(|found| found.interval);
        let users = self.other_users(a, b, metric);
        let stream = |purpose| streams.derive(purpose, sample.len() as u64, 0);
        let resampled = bootstrap(&sample, &mut stream(Purpose::Bootstrap));
        PairRow {
            metric: self.metrics[metric].name,
            policy_a: a.to_owned(),
            policy_b: b.to_owned(),
            difference: mean,
            low: verdict.map(|interval| interval.low),
            high: verdict.map(|interval| interval.high),
            p_adjusted: found.and_then(|found| found.p_value),
            users_low: users.map(|interval| interval.low),
            users_high: users.map(|interval| interval.high),
            t_low: alone.map(|interval| interval.low),
            t_high: alone.map(|interval| interval.high),
            bootstrap_low: resampled.map(|interval| interval.low),
            bootstrap_high: resampled.map(|interval| interval.high),
            p_permutation: sign_flip(&sample, &mut stream(Purpose::SignFlips)),
            variance_reduction: found.and_then(|found| found.variance_ratio),
            replications: sample.len(),
            replications_needed: deviation(&sample)
                .zip(mean)
                .and_then(|(spread, mean)| replications_needed_at(spread, mean, family.level())),
        }
    }
}

/// The largest number of replications that is proposed.
const MOST: u64 = 1_000;

/// The number of pairs of a metric that differ, and the replications that would separate the others; `None` without a
/// pair or an interval.
pub(crate) fn proposal(rows: &[&PairRow]) -> Option<String> {
    if !rows.iter().any(|row| row.low.is_some()) {
        return None;
    }
    let open: Vec<&&PairRow> = rows.iter().filter(|row| !row.excludes_zero()).collect();
    let separated = rows.len() - open.len();
    let start = format!(
        "{separated} of {} pairs differ. The chance of even one false difference among all pairs is at most 5%.",
        rows.len()
    );
    if open.is_empty() {
        return Some(start);
    }
    let within_reach: Vec<u64> =
        open.iter().filter_map(|row| row.replications_needed).filter(|&count| count <= MOST).collect();
    let Some(&most) = within_reach.iter().max() else {
        return Some(start + &format!(" The others are so close that more than {MOST} replications would be needed."));
    };
    let ran = rows.iter().map(|row| row.replications as u64).max().unwrap_or(0);
    let option = format!("`--replications {}`", most.max(ran + 1));
    let size = "if their differences are as large as here.";
    Some(if within_reach.len() == open.len() {
        format!("{start} {option} would separate the others {size}")
    } else {
        let (count, verb) = (within_reach.len(), if within_reach.len() == 1 { "needs" } else { "need" });
        format!("{start} {count} of the others {verb} at most {most}: {option} would separate these {size}")
    })
}

/// A sentence on the limits of resampling so few replications; `None` if they suffice for a 95% interval, or are too
/// few for any.
pub(crate) fn too_narrow(replications: usize) -> Option<String> {
    // The interval from the smallest to the largest difference misses the middle if all lie on one side of it.
    let most = 1.0 - 2.0 / libm::exp2(replications as f64);
    (replications > 1 && most < 0.95).then(|| {
        format!(
            "No bootstrap interval of {replications} replications contains the truth in more than {}% of runs: use \
             the other intervals.",
            round(100.0 * most)
        )
    })
}

/// Rounds to at most four digits after the point.
fn round(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::super::testing::{results, small};
    use super::*;

    fn streams() -> Streams {
        Streams::new(7, 0)
    }

    /// One metric, three replications.
    fn three(trials: &[(&str, [f64; 3])]) -> Vec<PairRow> {
        let runs: Vec<Vec<[Option<f64>; 1]>> =
            trials.iter().map(|(_, values)| values.iter().map(|value| [Some(*value)]).collect()).collect();
        let runs: Vec<Vec<&[Option<f64>]>> =
            runs.iter().map(|run| run.iter().map(|one| one.as_slice()).collect()).collect();
        let trials: Vec<(&str, &[&[Option<f64>]])> =
            trials.iter().zip(&runs).map(|((name, _), run)| (*name, run.as_slice())).collect();
        results(&["coverage"], trials[0].0, &trials, 1).pairs(&streams())
    }

    #[test]
    fn every_pair_once_with_the_baseline_last() {
        let rows = three(&[("base", [0.0, 0.0, 0.0]), ("x", [1.0, 2.0, 3.0]), ("y", [1.5, 1.5, 3.0])]);
        let names: Vec<_> = rows.iter().map(|row| (row.policy_a.as_str(), row.policy_b.as_str())).collect();
        assert_eq!(names, [("x", "y"), ("x", "base"), ("y", "base")]);
        // x - y: -1/2, 1/2, 0. Every flip has a sum of at least 0.
        assert_eq!(
            (rows[0].difference, rows[0].p_permutation, rows[0].replications_needed),
            (Some(0.0), Some(1.0), None)
        );
        // x - base: 1, 2, 3; mean 2, and only two of the eight flips are as extreme.
        assert_eq!((rows[1].difference, rows[1].p_permutation), (Some(2.0), Some(0.25)));
        let reach = 4.302_652_729_9 / 3.0_f64.sqrt();
        assert!((rows[1].t_low.unwrap() - (2.0 - reach)).abs() < 1e-9);
        // Three values: the tail is below 1/27, so the interval is from the least to the greatest.
        assert_eq!((rows[1].bootstrap_low, rows[1].bootstrap_high), (Some(1.0), Some(3.0)));
        // The baseline does not vary: pairing gains nothing.
        assert_eq!(rows[1].variance_reduction, Some(1.0));
        // Deviation 1, difference 2: five would do for this pair alone, one of three needs more.
        assert_eq!(rows[1].replications_needed, replications_needed_at(1.0, 2.0, 0.05 / 3.0));
        assert!(rows[1].replications_needed > Some(5));
        // The verdict over three pairs is wider than that of the pair alone.
        assert!(rows[1].low < rows[1].t_low && rows[1].high > rows[1].t_high);
        assert!(rows[1].p_adjusted.unwrap() > 0.05 && rows[0].p_adjusted == Some(1.0));
    }

    #[test]
    fn signs_agree_with_the_comparison_with_the_baseline() {
        let (rows, compared) = (small().pairs(&streams()), small().compare());
        assert_eq!(rows.len(), compared.len());
        for (row, other) in rows.iter().zip(&compared) {
            assert_eq!((row.metric, &row.policy_a, &row.policy_b), (other.metric, &other.policy, &other.baseline));
            assert_eq!((row.difference, row.low, row.high), (other.difference, other.ci_low, other.ci_high));
            assert_eq!(row.replications, other.replications);
        }
        assert!(rows[0].excludes_zero() && !rows[1].excludes_zero());
    }

    #[test]
    fn a_row_does_not_depend_on_the_other_policies() {
        let trials = [("base", [0.1, 0.3, 0.2]), ("x", [0.4, 0.2, 0.9]), ("y", [0.7, 0.5, 0.6])];
        let unadjusted = |row: &PairRow| PairRow {
            low: None,
            high: None,
            p_adjusted: None,
            replications_needed: None,
            ..row.clone()
        };
        let all: Vec<PairRow> = three(&trials).iter().map(unadjusted).collect();
        let two: Vec<PairRow> = three(&trials[..2]).iter().map(unadjusted).collect();
        assert_eq!(two, all[1..2]);
    }

    #[test]
    fn one_policy_has_no_pair_and_one_replication_no_p_value() {
        assert!(three(&[("base", [0.1, 0.2, 0.3])]).is_empty());
        let one: &[&[Option<f64>]] = &[&[Some(0.5)]];
        let rows = results(&["gini"], "a", &[("a", one), ("b", one)], 1).pairs(&streams());
        assert_eq!((rows[0].difference, rows[0].t_low, rows[0].bootstrap_low), (Some(0.0), None, None));
        assert_eq!((rows[0].p_permutation, rows[0].p_adjusted, rows[0].replications_needed), (None, None, None));
    }

    #[test]
    fn limits_of_resampling_few_replications() {
        assert_eq!(
            too_narrow(5).unwrap(),
            "No bootstrap interval of 5 replications contains the truth in more than 93.75% of runs: use the other intervals."
        );
        assert!(too_narrow(2).unwrap().contains(" 50% of runs"));
        assert_eq!((too_narrow(1), too_narrow(6)), (None, None));
    }

    #[test]
    fn pairs_that_differ_and_replications_for_the_others() {
        let row = three(&[("base", [0.0, 0.0, 0.0]), ("x", [1.0, 2.0, 3.0])]).remove(0);
        let separated = |needed: Option<u64>| PairRow { low: Some(0.5), replications_needed: needed, ..row.clone() };
        let open = |needed: Option<u64>| PairRow { low: Some(-0.5), replications_needed: needed, ..row.clone() };
        let say = |rows: &[PairRow]| proposal(&rows.iter().collect::<Vec<_>>());
        let start = |count: usize, all: usize| {
            format!(
                "{count} of {all} pairs differ. The chance of even one false difference among all pairs is at most 5%."
            )
        };
        assert_eq!(say(&[separated(Some(3))]), Some(start(1, 1)));
        assert_eq!(
            say(&[separated(Some(3)), open(Some(9)), open(Some(7))]).unwrap(),
            start(1, 3) + " `--replications 9` would separate the others if their differences are as large as here."
        );
        assert_eq!(
            say(&[open(Some(9)), open(None)]).unwrap(),
            start(0, 2)
                + " 1 of the others needs at most 9: `--replications 9` would separate these if their differences are as large as here."
        );
        assert_eq!(
            say(&[open(None)]).unwrap(),
            start(0, 1) + " The others are so close that more than 1000 replications would be needed."
        );
        assert_eq!((say(&[]), say(&[PairRow { low: None, ..row }])), (None, None));
    }
}

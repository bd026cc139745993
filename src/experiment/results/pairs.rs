//! Every policy against every other: `pairs.csv`, and what is said about it.

use super::Results;
use crate::experiment::stats::{
    benjamini_hochberg, bootstrap, deviation, differences, holm, replications_needed, sign_flip,
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
    /// Name of the other; the baseline is always this one.
    pub policy_b: String,
    /// Mean over replications of a minus b.
    pub difference: Option<f64>,
    /// Lower end of its 95% Student-t interval.
    pub t_low: Option<f64>,
    /// Upper end.
    pub t_high: Option<f64>,
    /// Lower end of its 95% bootstrap interval (see [`bootstrap`]).
    pub bootstrap_low: Option<f64>,
    /// Upper end.
    pub bootstrap_high: Option<f64>,
    /// Two-sided p value of the sign-flip permutation test (see [`sign_flip`]).
    pub p_permutation: Option<f64>,
    /// It, adjusted by Holm's method over all pairs of this metric.
    pub p_holm: Option<f64>,
    /// It, adjusted by the method of Benjamini and Hochberg over all pairs of this metric.
    pub p_bh: Option<f64>,
    /// Variance of the difference had the two been independent, divided by its variance as paired.
    pub variance_reduction: Option<f64>,
    /// Replications in which both are defined.
    pub replications: usize,
    /// Replications that would show a true difference of this size (see [`replications_needed`]).
    pub replications_needed: Option<u64>,
}

impl PairRow {
    /// Whether the t interval excludes 0.
    pub fn excludes_zero(&self) -> bool {
        self.t_low.zip(self.t_high).is_some_and(|(low, high)| low > 0.0 || high < 0.0)
    }
}

impl Results {
    /// All pairs of policies in all metrics, metric by metric. Challengers come in their order and the baseline last, so
    /// that a difference from the baseline has the sign that it has in [`Results::compare`].
    ///
    /// Resamples and sign flips are drawn from `streams`, the same for all pairs with equally many replications: a row
    /// does not depend on which other policies and metrics there are, but for the adjusted p values.
    pub fn pairs(&self, streams: &Streams) -> Vec<PairRow> {
        let places = 0..self.metrics.len();
        places.flat_map(|metric| adjusted(self.unadjusted_pairs(metric, streams))).collect()
    }

    fn unadjusted_pairs(&self, metric: usize, streams: &Streams) -> Vec<PairRow> {
        let order: Vec<&str> = self.challengers().chain([self.baseline()]).collect();
        let mut rows = Vec::new();
        for (place, a) in order.iter().enumerate() {
            rows.extend(order[place + 1..].iter().map(|b| self.pair(a, b, metric, streams)));
        }
        rows
    }

    fn pair(&self, a: &str, b: &str, metric: usize, streams: &Streams) -> PairRow {
        let found = self.paired(a, b, metric);
        let mean = found.map(|found| found.difference.mean);
        let interval = found.and_then(|found| found.difference.interval);
        let sample = differences(&self.finals(a, metric), &self.finals(b, metric));
        let stream = |purpose| streams.derive(purpose, sample.len() as u64, 0);
        let resampled = bootstrap(&sample, &mut stream(Purpose::Bootstrap));
        PairRow {
            metric: self.metrics[metric].name,
            policy_a: a.to_owned(),
            policy_b: b.to_owned(),
            difference: mean,
            t_low: interval.map(|interval| interval.low),
            t_high: interval.map(|interval| interval.high),
            bootstrap_low: resampled.map(|interval| interval.low),
            bootstrap_high: resampled.map(|interval| interval.high),
            p_permutation: sign_flip(&sample, &mut stream(Purpose::SignFlips)),
            p_holm: None,
            p_bh: None,
            variance_reduction: found.and_then(|found| found.variance_ratio),
            replications: sample.len(),
            replications_needed: deviation(&sample)
                .zip(mean)
                .and_then(|(spread, mean)| replications_needed(spread, mean)),
        }
    }
}

/// Puts the adjusted p values into the rows of one metric.
fn adjusted(mut rows: Vec<PairRow>) -> Vec<PairRow> {
    let p_values: Vec<Option<f64>> = rows.iter().map(|row| row.p_permutation).collect();
    for ((row, p_holm), p_bh) in rows.iter_mut().zip(holm(&p_values)).zip(benjamini_hochberg(&p_values)) {
        (row.p_holm, row.p_bh) = (p_holm, p_bh);
    }
    rows
}

/// What so few replications cannot tell, whatever they hold; `None` when they are enough for a p value of 0.05 after Holm
/// over `pairs` pairs, or so few that there are no p values.
pub(crate) fn too_few(replications: usize, pairs: usize) -> Option<String> {
    const LEVEL: f64 = 0.05;
    // Two of the 2^n sign flips are always as extreme as the observed signs.
    let flips = |count: usize| libm::exp2(count as f64);
    let floor = |count: usize| 2.0 / flips(count);
    let after_holm = |count: usize| (pairs as f64 * floor(count)).min(1.0);
    if replications < 2 || pairs == 0 || after_holm(replications) <= LEVEL {
        return None;
    }
    let enough = (2..).find(|&count| after_holm(count) <= LEVEL)?;
    let lowest = if pairs == 1 {
        String::new()
    } else {
        format!(", nor below {} after Holm over {pairs} pairs", round(after_holm(replications)))
    };
    Some(format!(
        "With {replications} replications a permutation p value cannot fall below 2/{} = {}{lowest}, however large the \
         difference: {enough} replications are the fewest that can reach {LEVEL}.",
        flips(replications),
        round(floor(replications)),
    ))
}

/// What resampling so few replications cannot do; `None` when they are enough for an interval of 95%, or too few for any.
pub(crate) fn too_narrow(replications: usize) -> Option<String> {
    // The interval from the smallest to the largest difference misses the middle when all lie on one side of it.
    let most = 1.0 - 2.0 / libm::exp2(replications as f64);
    (replications > 1 && most < 0.95).then(|| {
        format!(
            "No bootstrap interval of {replications} replications holds the truth more often than in {}% of runs: go by \
             the t intervals.",
            round(100.0 * most)
        )
    })
}

/// With up to four digits after the point.
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
    fn three(arms: &[(&str, [f64; 3])]) -> Vec<PairRow> {
        let runs: Vec<Vec<[Option<f64>; 1]>> =
            arms.iter().map(|(_, values)| values.iter().map(|value| [Some(*value)]).collect()).collect();
        let runs: Vec<Vec<&[Option<f64>]>> =
            runs.iter().map(|run| run.iter().map(|one| one.as_slice()).collect()).collect();
        let arms: Vec<(&str, &[&[Option<f64>]])> =
            arms.iter().zip(&runs).map(|((name, _), run)| (*name, run.as_slice())).collect();
        results(&["coverage"], arms[0].0, &arms, 1).pairs(&streams())
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
        // Deviation 1, difference 2: ratio 1/4. n = 4: (3.182446 + 0.978472)^2 / 4 = 4.328; n = 5: (2.776445 + 0.940965)^2 / 4 = 3.455.
        assert_eq!(rows[1].replications_needed, Some(5));
        // Holm: 1/4 * 3, then 1/4 * 2 and 1 * 1, never descending. Benjamini-Hochberg: 1/4 * 3/2 for the two, 1.
        assert_eq!(rows.iter().map(|row| row.p_holm.unwrap()).collect::<Vec<_>>(), [1.0, 0.75, 0.75]);
        assert_eq!(rows.iter().map(|row| row.p_bh.unwrap()).collect::<Vec<_>>(), [1.0, 0.375, 0.375]);
    }

    #[test]
    fn signs_agree_with_the_comparison_with_the_baseline() {
        let (rows, compared) = (small().pairs(&streams()), small().compare());
        assert_eq!(rows.len(), compared.len());
        for (row, other) in rows.iter().zip(&compared) {
            assert_eq!((row.metric, &row.policy_a, &row.policy_b), (other.metric, &other.policy, &other.baseline));
            assert_eq!((row.difference, row.t_low, row.t_high), (other.difference, other.ci_low, other.ci_high));
            assert_eq!(row.replications, other.replications);
        }
        assert!(rows[0].excludes_zero() && !rows[1].excludes_zero());
    }

    #[test]
    fn a_row_does_not_depend_on_the_other_policies() {
        let arms = [("base", [0.1, 0.3, 0.2]), ("x", [0.4, 0.2, 0.9]), ("y", [0.7, 0.5, 0.6])];
        let unadjusted = |row: &PairRow| PairRow { p_holm: None, p_bh: None, ..row.clone() };
        let all: Vec<PairRow> = three(&arms).iter().map(unadjusted).collect();
        let two: Vec<PairRow> = three(&arms[..2]).iter().map(unadjusted).collect();
        assert_eq!(two, all[1..2]);
    }

    #[test]
    fn one_policy_has_no_pair_and_one_replication_no_p_value() {
        assert!(three(&[("base", [0.1, 0.2, 0.3])]).is_empty());
        let one: &[&[Option<f64>]] = &[&[Some(0.5)]];
        let rows = results(&["gini"], "a", &[("a", one), ("b", one)], 1).pairs(&streams());
        assert_eq!((rows[0].difference, rows[0].t_low, rows[0].bootstrap_low), (Some(0.0), None, None));
        assert_eq!((rows[0].p_permutation, rows[0].p_holm, rows[0].replications_needed), (None, None, None));
    }

    #[test]
    fn what_few_replications_cannot_tell() {
        assert_eq!(
            too_few(5, 1).unwrap(),
            "With 5 replications a permutation p value cannot fall below 2/32 = 0.0625, however large the difference: \
             6 replications are the fewest that can reach 0.05."
        );
        assert_eq!(
            too_few(6, 3).unwrap(),
            "With 6 replications a permutation p value cannot fall below 2/64 = 0.0313, nor below 0.0938 after Holm over \
             3 pairs, however large the difference: 7 replications are the fewest that can reach 0.05."
        );
        assert_eq!(
            too_narrow(5).unwrap(),
            "No bootstrap interval of 5 replications holds the truth more often than in 93.75% of runs: go by the t intervals."
        );
        assert!(too_narrow(2).unwrap().contains(" 50% of runs"));
        assert_eq!((too_narrow(1), too_narrow(6)), (None, None));
        assert_eq!((too_few(7, 3), too_few(6, 1), too_few(1, 3), too_few(5, 0)), (None, None, None, None));
    }
}

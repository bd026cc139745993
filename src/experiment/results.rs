//! The outputs of all trials of a run.
//!
//! A trial is one policy in one replication. [`Results`] orders the trials, so that nothing depends on which trial
//! finished first, and derives summaries, paired comparisons and bands over time.

pub(super) mod files;
mod order;
mod other_users;
mod over_time;
mod pairs;
#[cfg(feature = "parquet")]
mod parquet_table;
mod policy_keys;
pub(super) mod table;
mod tables;

pub use self::files::{Cell, ColumnKind, TableFormat, TableRow, write_table, write_tables};
pub(crate) use self::order::{p_value_text, wrapped};
pub use self::over_time::{CurveRow, FinalRow, SeriesRow, TickRow};
pub use self::pairs::PairRow;
pub(crate) use self::pairs::{proposal, too_narrow};

use super::stats::{Estimate, Family, Paired, differences, estimate, paired};
use super::user_totals::UserTotals;
use crate::metrics::{MetricCurve, MetricKind, TickValue};
use crate::simulation::ShortSlates;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Outputs that are not a complete run, or cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// There is nothing to summarise.
    #[error("the run has no trials: give at least one policy and one replication")]
    Empty,
    /// No trial ran the baseline.
    #[error("the baseline `{baseline}` is not among the policies {policies}; set `baseline` to one of them")]
    NoBaseline {
        /// The baseline asked for.
        baseline: String,
        /// The policies that ran.
        policies: String,
    },
    /// The same policy twice in one replication.
    #[error("policy `{policy}` ran twice in replication {replication}; policies need unique names")]
    Duplicate {
        /// The policy.
        policy: String,
        /// The number of final values differs from the number of metrics.
        replication: u32,
    },
    /// Not one final value for each metric.
    #[error("policy `{policy}`, replication {replication} has {found} final values for {expected} metrics")]
    Metrics {
        /// The policy.
        policy: String,
        /// The replication.
        replication: u32,
        /// Final values of the trial.
        found: usize,
        /// Metrics of the run.
        expected: usize,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {problem}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The reason.
        problem: String,
    },
}

/// The outcome of one policy in one replication.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialResult {
    /// Name of the policy.
    pub policy: String,
    /// The replication, from 0.
    pub replication: u32,
    /// The metrics at each tick.
    pub ticks: Vec<TickValue>,
    /// The metrics over the whole run, in their order; `None` when undefined.
    pub finals: Vec<Option<f64>>,
    /// The curves of the metrics that have one.
    #[serde(default)]
    pub curves: Vec<MetricCurve>,
    /// Digest of the events.
    pub digest: String,
    /// Slates answered.
    pub steps: u64,
    /// Wall time.
    pub seconds: f64,
    /// Slates with fewer items than slots.
    pub short: ShortSlates,
    /// Slates shown to and accepted by each user of the log.
    #[serde(default)]
    pub users: UserTotals,
}

/// One row of `summary.csv`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SummaryRow {
    /// Name of the policy.
    pub policy: String,
    /// Name of the metric.
    pub metric: &'static str,
    /// Mean over replications.
    pub mean: Option<f64>,
    /// Lower end of its 95% interval.
    pub ci_low: Option<f64>,
    /// Upper end.
    pub ci_high: Option<f64>,
    /// Replications in which the metric is defined.
    pub replications: usize,
}

/// One row of `compare.csv`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CompareRow {
    /// Name of the policy.
    pub policy: String,
    /// Name of the policy that it is compared with.
    pub baseline: String,
    /// Name of the metric.
    pub metric: &'static str,
    /// Mean over replications of policy minus baseline.
    pub difference: Option<f64>,
    /// Lower end of its 95% interval, simultaneous over all pairs of policies in this metric.
    pub ci_low: Option<f64>,
    /// Upper end.
    pub ci_high: Option<f64>,
    /// Two-sided p value of "no difference", adjusted over the same pairs.
    pub p_adjusted: Option<f64>,
    /// The difference in percent of the baseline's mean.
    pub relative_percent: Option<f64>,
    /// Replications in which both are defined.
    pub replications: usize,
}

/// A metric of a policy at a tick, over replications. Ticks at which no replication defines it have no point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BandPoint {
    /// The tick.
    pub tick: u32,
    /// Mean and 95% interval.
    pub estimate: Estimate,
}

/// The outputs of a run.
#[derive(Clone, Debug)]
pub struct Results {
    metrics: Vec<&'static MetricKind>,
    baseline: String,
    policies: Vec<String>,
    replications: Vec<u32>,
    /// True if the run could have stopped after each replication.
    looked: bool,
    /// By index of the policy and by replication.
    trials: BTreeMap<(usize, u32), TrialResult>,
}

impl Results {
    /// Assembles a run. Policies keep the order in which they first appear in `trials`.
    ///
    /// # Errors
    /// When the trials are not a complete run: see [`ResultsError`].
    pub fn new(
        metrics: Vec<&'static MetricKind>,
        baseline: &str,
        trials: Vec<TrialResult>,
    ) -> Result<Results, ResultsError> {
        let mut results = Results {
            metrics,
            baseline: baseline.to_owned(),
            policies: Vec::new(),
            replications: Vec::new(),
            looked: false,
            trials: BTreeMap::new(),
        };
        for trial in trials {
            results.add(trial)?;
        }
        if results.trials.is_empty() {
            return Err(ResultsError::Empty);
        }
        if results.place(baseline).is_none() {
            let policies = format!("`{}`", results.policies.join("`, `"));
            return Err(ResultsError::NoBaseline { baseline: baseline.to_owned(), policies });
        }
        results.replications.sort_unstable();
        Ok(results)
    }

    /// The same outputs as those of a run that could have stopped after each replication: pairs are judged by
    /// confidence sequences.
    pub fn looked_at(mut self, looked: bool) -> Results {
        self.looked = looked;
        self
    }

    fn add(&mut self, trial: TrialResult) -> Result<(), ResultsError> {
        let (policy, replication) = (trial.policy.clone(), trial.replication);
        let (found, expected) = (trial.finals.len(), self.metrics.len());
        if found != expected {
            return Err(ResultsError::Metrics { policy, replication, found, expected });
        }
        let place = self.place(&policy).unwrap_or(self.policies.len());
        if place == self.policies.len() {
            self.policies.push(policy.clone());
        }
        if !self.replications.contains(&replication) {
            self.replications.push(replication);
        }
        match self.trials.insert((place, replication), trial) {
            Some(_) => Err(ResultsError::Duplicate { policy, replication }),
            None => Ok(()),
        }
    }

    fn place(&self, policy: &str) -> Option<usize> {
        self.policies.iter().position(|known| known == policy)
    }

    /// The metrics, in the order of the finals.
    pub fn metrics(&self) -> &[&'static MetricKind] {
        &self.metrics
    }

    /// The policy that the others are compared with.
    pub fn baseline(&self) -> &str {
        &self.baseline
    }

    /// Names of the policies.
    pub fn policies(&self) -> &[String] {
        &self.policies
    }

    /// Names of the policies except the baseline.
    pub fn challengers(&self) -> impl Iterator<Item = &str> {
        self.policies.iter().map(String::as_str).filter(|&policy| policy != self.baseline)
    }

    /// Replications, ascending.
    pub fn replications(&self) -> &[u32] {
        &self.replications
    }

    /// The trials by policy and replication.
    pub fn trials(&self) -> impl Iterator<Item = &TrialResult> {
        self.trials.values()
    }

    /// The trials of a policy, replications ascending.
    fn trials_of(&self, policy: &str) -> impl Iterator<Item = &TrialResult> {
        // A policy that did not run has an index after all others.
        let place = self.place(policy).unwrap_or(self.policies.len());
        self.trials.range((place, 0)..=(place, u32::MAX)).map(|(_, trial)| trial)
    }

    /// The final values of a metric, one for each replication of the run.
    fn finals(&self, policy: &str, metric: usize) -> Vec<Option<f64>> {
        let place = self.place(policy);
        let trial = |replication: &u32| self.trials.get(&(place?, *replication));
        self.replications.iter().map(|replication| trial(replication)?.finals.get(metric).copied().flatten()).collect()
    }

    /// A policy's final value of a metric over replications; `None` when it is undefined in all.
    pub fn estimate(&self, policy: &str, metric: usize) -> Option<Estimate> {
        estimate(self.finals(policy, metric))
    }

    /// The rule by which all pairs of policies are judged in a metric.
    pub fn family(&self, metric: usize) -> Family {
        let values: Vec<_> = self.policies.iter().map(|policy| self.finals(policy, metric)).collect();
        if self.looked { Family::sequential(values.len()) } else { Family::fixed(&values) }
    }

    /// The difference between the final values of two policies; `None` if no replication defines both. Interval and p
    /// value are the verdict on this pair among all pairs of the metric ([`Family`]).
    pub fn paired(&self, policy: &str, other: &str, metric: usize) -> Option<Paired> {
        let (own, others) = (self.finals(policy, metric), self.finals(other, metric));
        let mut found = paired(&own, &others)?;
        let judged = self.family(metric).judge(&differences(&own, &others));
        (found.difference.interval, found.p_value) = (judged.interval, judged.p_value);
        Some(found)
    }

    /// A metric of a policy over time.
    pub fn band(&self, policy: &str, metric: usize) -> Vec<BandPoint> {
        let mut ticks: BTreeMap<u32, Vec<Option<f64>>> = BTreeMap::new();
        for trial in self.trials_of(policy) {
            for value in trial.ticks.iter().filter(|value| value.metric == metric) {
                ticks.entry(value.tick).or_default().push(value.value);
            }
        }
        let points = ticks.into_iter().map(|(tick, values)| Some(BandPoint { tick, estimate: estimate(values)? }));
        points.flatten().collect()
    }

    /// Every policy and metric.
    pub fn summary(&self) -> Vec<SummaryRow> {
        let row = |policy: &String, metric: usize, kind: &MetricKind| {
            let found = self.estimate(policy, metric);
            let interval = found.and_then(|found| found.interval);
            SummaryRow {
                policy: policy.clone(),
                metric: kind.name,
                mean: found.map(|found| found.mean),
                ci_low: interval.map(|interval| interval.low),
                ci_high: interval.map(|interval| interval.high),
                replications: found.map_or(0, |found| found.used),
            }
        };
        let metrics = || self.metrics.iter().enumerate();
        self.policies.iter().flat_map(|policy| metrics().map(move |(place, kind)| row(policy, place, kind))).collect()
    }

    /// Every policy except the baseline, and every metric.
    pub fn compare(&self) -> Vec<CompareRow> {
        let row = |policy: &str, metric: usize, kind: &MetricKind| {
            let found = self.paired(policy, &self.baseline, metric);
            let interval = found.and_then(|found| found.difference.interval);
            CompareRow {
                policy: policy.to_owned(),
                baseline: self.baseline.clone(),
                metric: kind.name,
                difference: found.map(|found| found.difference.mean),
                ci_low: interval.map(|interval| interval.low),
                ci_high: interval.map(|interval| interval.high),
                p_adjusted: found.and_then(|found| found.p_value),
                relative_percent: found.and_then(|found| found.relative_percent),
                replications: found.map_or(0, |found| found.difference.used),
            }
        };
        let metrics = || self.metrics.iter().enumerate();
        self.challengers().flat_map(|policy| metrics().map(move |(place, kind)| row(policy, place, kind))).collect()
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::metrics;

    /// A run over the named metrics: `(policy, finals by replication)`, with ticks that rise to the finals.
    pub fn results(names: &[&str], baseline: &str, trials: &[(&str, &[&[Option<f64>]])], ticks: u32) -> Results {
        let kinds = names.iter().map(|name| metrics::get(name).unwrap()).collect();
        let trial = |policy: &str, replication: u32, finals: &[Option<f64>]| TrialResult {
            policy: policy.to_owned(),
            replication,
            ticks: (0..ticks).flat_map(|tick| rise(tick, ticks, finals)).collect(),
            finals: finals.to_vec(),
            curves: Vec::new(),
            digest: format!("{policy}-{replication}"),
            steps: 100,
            seconds: 0.5,
            short: ShortSlates::default(),
            users: UserTotals::default(),
        };
        let all = trials.iter().flat_map(|(policy, runs)| (0..).zip(*runs).map(|(nth, run)| trial(policy, nth, run)));
        Results::new(kinds, baseline, all.collect()).unwrap()
    }

    fn rise(tick: u32, ticks: u32, finals: &[Option<f64>]) -> Vec<TickValue> {
        let share = f64::from(tick + 1) / f64::from(ticks);
        let value = |value: &Option<f64>| value.map(|value| value * share);
        finals.iter().enumerate().map(|(metric, found)| TickValue { tick, metric, value: value(found) }).collect()
    }

    /// Two policies, two metrics, three replications, one undefined value.
    pub fn small() -> Results {
        let random: &[&[Option<f64>]] = &[&[Some(0.10), Some(3.0)], &[Some(0.12), Some(3.1)], &[Some(0.14), Some(3.2)]];
        let popular: &[&[Option<f64>]] = &[&[Some(0.20), None], &[Some(0.23), Some(3.1)], &[Some(0.26), Some(3.2)]];
        results(&["acceptance_rate", "mean_rating"], "random", &[("random", random), ("popular", popular)], 2)
    }
}

#[cfg(test)]
mod tests {
    use super::testing::small;
    use super::*;
    use crate::metrics;

    fn trial(policy: &str, replication: u32, finals: Vec<Option<f64>>) -> TrialResult {
        let (policy, digest) = (policy.to_owned(), String::new());
        TrialResult {
            policy,
            replication,
            ticks: Vec::new(),
            finals,
            curves: Vec::new(),
            digest,
            steps: 0,
            seconds: 0.0,
            short: ShortSlates::default(),
            users: UserTotals::default(),
        }
    }

    fn coverage() -> Vec<&'static MetricKind> {
        vec![metrics::get("coverage").unwrap()]
    }

    #[test]
    fn summary_by_hand() {
        let rows = small().summary();
        let names: Vec<_> = rows.iter().map(|row| (row.policy.as_str(), row.metric)).collect();
        assert_eq!(names[..2], [("random", "acceptance_rate"), ("random", "mean_rating")]);
        assert!((rows[0].mean.unwrap() - 0.12).abs() < 1e-12);
        // Standard deviation 0.02, t(0.975, 2).
        let reach = 4.302_652_729_9 * 0.02 / 3.0_f64.sqrt();
        assert!((rows[0].ci_high.unwrap() - 0.12 - reach).abs() < 1e-9);
        assert_eq!((rows[0].replications, rows[3].replications), (3, 2));
    }

    #[test]
    fn comparison_pairs_by_replication() {
        let rows = small().compare();
        assert_eq!(rows.len(), 2);
        assert!((rows[0].difference.unwrap() - 0.11).abs() < 1e-12);
        assert!((rows[0].relative_percent.unwrap() - 100.0 * 0.11 / 0.12).abs() < 1e-9);
        assert_eq!((rows[1].difference, rows[1].ci_low, rows[1].p_adjusted), (Some(0.0), Some(0.0), Some(1.0)));
        assert_eq!(rows[1].replications, 2);
    }

    #[test]
    fn bands_follow_the_ticks() {
        let band = small().band("popular", 0);
        assert_eq!(band.iter().map(|point| point.tick).collect::<Vec<_>>(), [0, 1]);
        assert!((band[0].estimate.mean - 0.115).abs() < 1e-12);
        assert_eq!(small().band("popular", 1)[0].estimate.left_out, 1);
        assert!(small().band("nobody", 0).is_empty());
    }

    #[test]
    fn replications_may_come_in_any_order() {
        let value = |share: f64| vec![Some(share)];
        let trials = vec![
            trial("a", 1, value(0.2)),
            trial("b", 0, value(0.4)),
            trial("b", 1, value(0.6)),
            trial("a", 0, value(0.1)),
        ];
        let results = Results::new(coverage(), "a", trials).unwrap();
        let order: Vec<_> = results.trials().map(|trial| (trial.policy.as_str(), trial.replication)).collect();
        assert_eq!(order, [("a", 0), ("a", 1), ("b", 0), ("b", 1)]);
        assert!((results.paired("b", "a", 0).unwrap().difference.mean - 0.35).abs() < 1e-12);
    }

    #[test]
    fn incomplete_runs_are_refused() {
        let one = || trial("a", 0, vec![Some(0.5)]);
        let new = |baseline: &str, trials| Results::new(coverage(), baseline, trials).unwrap_err().to_string();
        assert!(new("a", vec![]).contains("no trials"));
        assert!(new("b", vec![one()]).contains("`b` is not among the policies `a`"));
        assert!(new("a", vec![one(), one()]).contains("ran twice in replication 0"));
        assert!(new("a", vec![trial("a", 0, vec![])]).contains("0 final values for 1 metrics"));
    }
}

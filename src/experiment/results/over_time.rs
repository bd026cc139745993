//! Metrics over time and as curves, with intervals over replications.

use super::files::table_row;
use super::{Results, estimate};
use serde::Serialize;
use std::collections::BTreeMap;

/// One row of `ticks.csv`: a metric at a tick of one trial.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TickRow<'a> {
    /// Name of the policy.
    pub policy: &'a str,
    /// The replication.
    pub replication: u32,
    /// The tick.
    pub tick: u32,
    /// Name of the metric.
    pub metric: &'static str,
    /// The value; `None` when undefined.
    pub value: Option<f64>,
}

/// One row of `finals.csv`: a metric over a whole trial.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FinalRow<'a> {
    /// Name of the policy.
    pub policy: &'a str,
    /// The replication.
    pub replication: u32,
    /// Name of the metric.
    pub metric: &'static str,
    /// The value; `None` when undefined.
    pub value: Option<f64>,
}

/// One row of `series.csv`: a metric of a policy at a tick, over replications.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeriesRow<'a> {
    /// Name of the policy.
    pub policy: &'a str,
    /// The tick.
    pub tick: u32,
    /// Name of the metric.
    pub metric: &'static str,
    /// Mean over replications; `None` when no replication defines it.
    pub mean: Option<f64>,
    /// Lower end of its 95% Student-t interval.
    pub ci_low: Option<f64>,
    /// Upper end.
    pub ci_high: Option<f64>,
    /// Replications in which it is defined.
    pub replications: usize,
}

/// One row of `curves.csv`: a point of the curve of a metric (see [`crate::metrics::Metric::curve`]), over replications.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CurveRow<'a> {
    /// Name of the policy.
    pub policy: &'a str,
    /// Name of the metric.
    pub metric: &'static str,
    /// Position on the curve; the metric's doc defines it.
    pub x: f64,
    /// Mean over the replications whose curve has a point there.
    pub mean: Option<f64>,
    /// Lower end of its 95% Student-t interval.
    pub ci_low: Option<f64>,
    /// Upper end.
    pub ci_high: Option<f64>,
    /// Replications with a point there.
    pub replications: usize,
}

table_row!(TickRow<'_> { policy: Text, replication: Whole, tick: Whole, metric: Text, value: Number });
table_row!(FinalRow<'_> { policy: Text, replication: Whole, metric: Text, value: Number });
table_row!(SeriesRow<'_> {
    policy: Text,
    tick: Whole,
    metric: Text,
    mean: Number,
    ci_low: Number,
    ci_high: Number,
    replications: Whole,
});
table_row!(CurveRow<'_> {
    policy: Text,
    metric: Text,
    x: Number,
    mean: Number,
    ci_low: Number,
    ci_high: Number,
    replications: Whole,
});

impl Results {
    /// Every metric at every tick of every trial.
    pub fn tick_rows(&self) -> Vec<TickRow<'_>> {
        let mut rows = Vec::new();
        for trial in self.trials() {
            rows.extend(trial.ticks.iter().filter_map(|value| {
                let metric = self.name(value.metric)?;
                let (policy, replication) = (trial.policy.as_str(), trial.replication);
                Some(TickRow { policy, replication, tick: value.tick, metric, value: value.value })
            }));
        }
        rows
    }

    /// Every metric over every trial as a whole.
    pub fn final_rows(&self) -> Vec<FinalRow<'_>> {
        let mut rows = Vec::new();
        for trial in self.trials() {
            rows.extend(trial.finals.iter().zip(self.metrics()).map(|(&value, kind)| FinalRow {
                policy: &trial.policy,
                replication: trial.replication,
                metric: kind.name,
                value,
            }));
        }
        rows
    }

    /// Every metric of every policy at every tick.
    pub fn series_rows(&self) -> Vec<SeriesRow<'_>> {
        let mut rows = Vec::new();
        for policy in self.policies() {
            let mut values: BTreeMap<(u32, usize), Vec<Option<f64>>> = BTreeMap::new();
            for value in self.trials_of(policy).flat_map(|trial| &trial.ticks) {
                values.entry((value.tick, value.metric)).or_default().push(value.value);
            }
            rows.extend(values.into_iter().filter_map(|((tick, metric), values)| {
                let metric = self.name(metric)?;
                let Summary { mean, ci_low, ci_high, replications } = Summary::of(values);
                Some(SeriesRow { policy, tick, metric, mean, ci_low, ci_high, replications })
            }));
        }
        rows
    }

    /// The curves of every policy.
    pub fn curve_rows(&self) -> Vec<CurveRow<'_>> {
        let mut rows = Vec::new();
        for policy in self.policies() {
            // The bits of non-negative numbers sort like the numbers.
            let mut values: BTreeMap<(usize, u64), Vec<Option<f64>>> = BTreeMap::new();
            for curve in self.trials_of(policy).flat_map(|trial| &trial.curves) {
                for &(x, y) in &curve.points {
                    values.entry((curve.metric, x.to_bits())).or_default().push(Some(y));
                }
            }
            rows.extend(values.into_iter().filter_map(|((metric, x), values)| {
                let metric = self.name(metric)?;
                let Summary { mean, ci_low, ci_high, replications } = Summary::of(values);
                Some(CurveRow { policy, metric, x: f64::from_bits(x), mean, ci_low, ci_high, replications })
            }));
        }
        rows
    }

    fn name(&self, metric: usize) -> Option<&'static str> {
        self.metrics().get(metric).map(|kind| kind.name)
    }
}

/// The summary of values over replications in a row.
struct Summary {
    mean: Option<f64>,
    ci_low: Option<f64>,
    ci_high: Option<f64>,
    replications: usize,
}

impl Summary {
    fn of(values: Vec<Option<f64>>) -> Summary {
        let found = estimate(values);
        let interval = found.and_then(|found| found.interval);
        Summary {
            mean: found.map(|found| found.mean),
            ci_low: interval.map(|interval| interval.low),
            ci_high: interval.map(|interval| interval.high),
            replications: found.map_or(0, |found| found.used),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::small;
    use super::super::{Results, TrialResult};
    use crate::metrics::{self, MetricCurve};

    #[test]
    fn a_series_is_the_band_of_each_tick() {
        let results = small();
        let rows = results.series_rows();
        // Two policies, two ticks, two metrics.
        assert_eq!(rows.len(), 8);
        let row = &rows[5];
        assert_eq!((row.policy, row.tick, row.metric, row.replications), ("popular", 0, "mean_rating", 2));
        let band = results.band("popular", 1)[0].estimate;
        assert_eq!((row.mean, row.ci_low), (Some(band.mean), band.interval.map(|interval| interval.low)));
        assert_eq!(results.tick_rows().len(), 24);
        let finals = results.final_rows();
        assert_eq!((finals.len(), finals[6].policy, finals[7].value), (12, "popular", None));
    }

    #[test]
    fn curves_are_averaged_point_by_point() {
        let trial = |replication, points: &[(f64, f64)]| TrialResult {
            policy: "a".to_owned(),
            replication,
            ticks: Vec::new(),
            finals: vec![None],
            curves: vec![MetricCurve { metric: 0, points: points.to_vec() }],
            digest: String::new(),
            steps: 0,
            seconds: 0.0,
            users: Default::default(),
            short: crate::simulation::ShortSlates::default(),
        };
        let trials = vec![trial(0, &[(0.0, 1.0), (2.0, 0.5)]), trial(1, &[(0.0, 1.0), (10.0, 0.25)])];
        let results = Results::new(vec![metrics::get("retention").unwrap()], "a", trials).unwrap();
        let rows = results.curve_rows();
        let points: Vec<_> = rows.iter().map(|row| (row.x, row.mean, row.replications)).collect();
        assert_eq!(points, [(0.0, Some(1.0), 2), (2.0, Some(0.5), 1), (10.0, Some(0.25), 1)]);
        assert_eq!((rows[0].ci_low, rows[1].ci_low), (Some(1.0), None));
    }
}

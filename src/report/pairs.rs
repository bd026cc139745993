//! The table of all pairs of policies, with all numbers formatted.

use super::svg::minus;
use crate::experiment::{PairRow, Results, p_value_text, proposal, too_narrow};
use crate::metrics::{Format, MetricKind};
use serde::Serialize;

/// All pairs in all metrics.
#[derive(Serialize)]
pub struct Pairs {
    /// Pairs of policies.
    count: usize,
    groups: Vec<Group>,
    /// The number of pairs that differ in the first metric, and the limits of resampling so few replications.
    few: Vec<String>,
}

/// The pairs of one metric.
#[derive(Serialize)]
struct Group {
    title: &'static str,
    unit: &'static str,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    policy_a: String,
    policy_b: String,
    difference: String,
    excludes_zero: bool,
    interval: String,
    bootstrap: String,
    p_adjusted: String,
    users: String,
    alone: String,
    p_permutation: String,
    variance_reduction: String,
    replications_needed: String,
}

impl Pairs {
    /// Has no groups if there is only one policy.
    pub fn new(results: &Results, pairs: &[PairRow]) -> Pairs {
        let rows_of = |kind: &MetricKind| -> Vec<Row> {
            pairs.iter().filter(|pair| pair.metric == kind.name).map(|pair| row(kind.format, pair)).collect()
        };
        let group = |kind: &&'static MetricKind| Group {
            title: kind.title,
            unit: kind.format.difference_unit(),
            rows: rows_of(kind),
        };
        let groups: Vec<Group> = results.metrics().iter().map(group).filter(|group| !group.rows.is_empty()).collect();
        let count = groups.first().map_or(0, |group| group.rows.len());
        let replications = results.replications().len();
        let first = |kind: &&MetricKind| pairs.iter().filter(|pair| pair.metric == kind.name).collect::<Vec<_>>();
        let note = results
            .metrics()
            .first()
            .copied()
            .and_then(|kind| Some(format!("{}: {}", kind.title, proposal(&first(&kind))?)));
        let few = note.into_iter().chain(too_narrow(replications)).collect();
        Pairs { count, groups, few }
    }
}

fn row(format: Format, pair: &PairRow) -> Row {
    let write = |value: f64| minus(&format.difference(Some(value)));
    let interval = |low: Option<f64>, high: Option<f64>| match low.zip(high) {
        Some((low, high)) => format!("{} to {}", write(low), write(high)),
        None => Format::UNDEFINED.to_owned(),
    };
    Row {
        policy_a: pair.policy_a.clone(),
        policy_b: pair.policy_b.clone(),
        difference: minus(&format.difference(pair.difference)),
        excludes_zero: pair.excludes_zero(),
        interval: interval(pair.low, pair.high),
        p_adjusted: p_value_text(pair.p_adjusted),
        users: interval(pair.users_low, pair.users_high),
        alone: interval(pair.t_low, pair.t_high),
        bootstrap: interval(pair.bootstrap_low, pair.bootstrap_high),
        p_permutation: p_value_text(pair.p_permutation),
        variance_reduction: or_dash(pair.variance_reduction.map(|ratio| format!("{ratio:.1}"))),
        replications_needed: or_dash(pair.replications_needed.map(|count| count.to_string())),
    }
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| Format::UNDEFINED.to_owned())
}

//! The data of the template, formatted.

use super::curves::{Curve, curves};
use super::headline::{Span, headline, lower};
use super::levels::Levels;
use super::life::Life;
use super::pairs::Pairs;
use super::sensitivity_view::SensitivityView;
use super::svg::{Caption, minus};
use super::{Measure, ReportInput, forest, line};
use crate::experiment::{Estimate, Results, p_value_text};
use crate::metrics::{Better, Format, MetricKind, Window};
use minijinja::Value;
use serde::Serialize;

/// Colours and dash patterns of the template; the baseline has its own.
const STYLES: [&str; 7] = ["s0", "s1", "s2", "s3", "s4", "s5", "s6"];
const BASELINE_STYLE: &str = "base";

#[derive(Serialize)]
pub struct View {
    title: String,
    question: String,
    version: &'static str,
    answer: Vec<Span>,
    more: Vec<Span>,
    replications: usize,
    baseline: String,
    metrics: Vec<Metric>,
    policies: Vec<Policy>,
    differences: Vec<Difference>,
    pairs: Pairs,
    charts: Vec<Chart>,
    curves: Vec<Curve>,
    any_undefined: bool,
    intervals: usize,
    pairing: Option<String>,
    sensitivity: Option<SensitivityView>,
    levels: Option<Levels>,
    life: Option<Life>,
    user_model: String,
    measures: Vec<Measure>,
    notes: Vec<String>,
    facts: Vec<(String, String)>,
    trials: Vec<TrialRow>,
}

#[derive(Serialize)]
struct Metric {
    title: &'static str,
    formula: &'static str,
    better: &'static str,
}

/// A row of the summary.
#[derive(Serialize)]
struct Policy {
    name: String,
    class: &'static str,
    baseline: bool,
    cells: Vec<Cell>,
}

#[derive(Serialize)]
struct Cell {
    mean: String,
    /// Half of the interval, if there is one.
    half: Option<String>,
}

/// A metric's chart and table of differences.
#[derive(Serialize)]
struct Difference {
    title: &'static str,
    unit: &'static str,
    svg: Option<Value>,
    rows: Vec<DifferenceRow>,
}

#[derive(Serialize)]
struct DifferenceRow {
    policy: String,
    class: &'static str,
    difference: String,
    interval: String,
    excludes_zero: bool,
    relative: String,
    p_value: String,
    replications: usize,
}

#[derive(Serialize)]
struct Chart {
    title: &'static str,
    covers: &'static str,
    stride: usize,
    svg: Option<Value>,
}

#[derive(Serialize)]
struct TrialRow {
    policy: String,
    replication: u32,
    steps: String,
    short: String,
    empty: String,
    digest: String,
}

impl View {
    pub fn new(input: &ReportInput<'_>) -> View {
        let results = input.results;
        let said = headline(results);
        let intervals = results.compare().iter().filter(|row| row.ci_low.is_some()).count();
        let pairing = said.paired.and_then(|paired| paired.variance_ratio).filter(|ratio| *ratio > 1.0);
        let policies = policies(results);
        View {
            title: input.title.clone(),
            question: input.question.clone(),
            version: env!("CARGO_PKG_VERSION"),
            answer: said.answer,
            more: said.more,
            replications: results.replications().len(),
            baseline: results.baseline().to_owned(),
            metrics: results.metrics().iter().map(|kind| metric(kind)).collect(),
            any_undefined: any_undefined(results),
            policies,
            differences: enumerate(results, difference),
            pairs: Pairs::new(results, &input.pairs),
            charts: enumerate(results, |results, place, kind| chart(results, place, kind, &input.tick)),
            curves: curves(results, |name| style(results, name)),
            intervals,
            pairing: pairing.map(|ratio| format!("{ratio:.1}")),
            sensitivity: input.trust.as_ref().map(SensitivityView::new),
            levels: Levels::new(&input.levels),
            life: input.life.as_ref().map(|(story, folder)| Life::new(story, folder)),
            user_model: input.user_model.clone(),
            measures: input.measures.clone(),
            notes: input.notes.clone(),
            facts: input.facts.clone(),
            trials: trials(results),
        }
    }
}

fn enumerate<T>(results: &Results, make: impl Fn(&Results, usize, &MetricKind) -> T) -> Vec<T> {
    results.metrics().iter().enumerate().map(|(place, kind)| make(results, place, kind)).collect()
}

/// The class of a policy's colour: by its index among the challengers.
fn style(results: &Results, policy: &str) -> &'static str {
    let place = results.challengers().position(|challenger| challenger == policy);
    place.and_then(|place| STYLES.get(place % STYLES.len())).copied().unwrap_or(BASELINE_STYLE)
}

fn metric(kind: &MetricKind) -> Metric {
    Metric { title: kind.title, formula: kind.formula, better: better(kind) }
}

fn better(kind: &MetricKind) -> &'static str {
    match kind.better {
        Better::Higher => "higher is better",
        Better::Lower => "lower is better",
        Better::Neither => "descriptive",
    }
}

fn policies(results: &Results) -> Vec<Policy> {
    let policy = |name: &String| Policy {
        name: name.clone(),
        class: style(results, name),
        baseline: name == results.baseline(),
        cells: enumerate(results, |results, place, kind| cell(kind.format, results.estimate(name, place))),
    };
    results.policies().iter().map(policy).collect()
}

fn cell(format: Format, found: Option<Estimate>) -> Cell {
    Cell {
        mean: minus(&format.value(found.map(|found| found.mean))),
        half: found.and_then(|found| found.interval).map(|interval| format.width(Some(interval.half_width()))),
    }
}

/// True if a metric is undefined in some replication.
fn any_undefined(results: &Results) -> bool {
    results.trials().any(|trial| trial.finals.iter().any(Option::is_none))
}

fn difference(results: &Results, place: usize, kind: &MetricKind) -> Difference {
    let estimate = |policy| results.paired(policy, results.baseline(), place).map(|found| found.difference);
    let rows: Vec<forest::Row<'_>> = results
        .challengers()
        .map(|name| forest::Row { name, class: style(results, name), difference: estimate(name) })
        .collect();
    let unit = kind.format.difference_unit();
    let axis = if unit.is_empty() { better(kind).to_owned() } else { format!("{unit}, {}", better(kind)) };
    let description = describe(kind, rows.iter().map(|row| (row.name, row.difference)), true);
    let caption = Caption { id: format!("difference-{place}"), title: kind.title, description: &description };
    Difference {
        title: kind.title,
        unit,
        svg: forest::chart(&caption, kind.format, &axis, &rows).map(Value::from_safe_string),
        rows: results.challengers().map(|policy| difference_row(results, place, kind.format, policy)).collect(),
    }
}

fn difference_row(results: &Results, place: usize, format: Format, policy: &str) -> DifferenceRow {
    let found = results.paired(policy, results.baseline(), place);
    let interval = found.and_then(|found| found.difference.interval);
    let write = |value: f64| minus(&format.difference(Some(value)));
    let undefined = || Format::UNDEFINED.to_owned();
    let relative = found.and_then(|found| found.relative_percent);
    DifferenceRow {
        policy: policy.to_owned(),
        class: style(results, policy),
        difference: minus(&format.difference(found.map(|found| found.difference.mean))),
        interval: interval.map_or_else(undefined, |ends| format!("{} to {}", write(ends.low), write(ends.high))),
        excludes_zero: interval.is_some_and(|interval| !interval.contains(0.0)),
        relative: relative.map_or_else(undefined, |percent| {
            minus(&Format::Percent { digits: 1 }.difference(Some(percent / 100.0))) + "%"
        }),
        p_value: p_value_text(found.and_then(|found| found.p_value)),
        replications: found.map_or(0, |found| found.difference.used),
    }
}

fn chart(results: &Results, place: usize, kind: &MetricKind, tick: &str) -> Chart {
    let mut series: Vec<line::Series<'_>> = results
        .policies()
        .iter()
        .map(|name| line::Series { name, class: style(results, name), points: results.band(name, place) })
        .collect();
    // The baseline is drawn first, below the others.
    series.sort_by_key(|one| one.name != results.baseline());
    let last = |one: &line::Series<'_>| one.points.last().map(|point| point.estimate);
    let ends: Vec<_> = series.iter().map(|one| (one.name, last(one))).collect();
    let description = describe(kind, ends.into_iter(), false);
    let caption = Caption { id: format!("time-{place}"), title: kind.title, description: &description };
    let axis = if tick.is_empty() { "tick".to_owned() } else { format!("tick ({tick})") };
    let ticks = series.iter().map(|one| one.points.len()).max().unwrap_or(0);
    Chart {
        title: kind.title,
        covers: match kind.window {
            Window::Tick => "at each tick",
            Window::SoFar => "so far",
        },
        stride: line::stride(ticks),
        svg: line::chart(&caption, kind.format, &axis, &series).map(Value::from_safe_string),
    }
}

/// The figures of a chart in words.
fn describe<'a>(
    kind: &MetricKind,
    figures: impl Iterator<Item = (&'a str, Option<Estimate>)>,
    difference: bool,
) -> String {
    let write = |value: Option<f64>| match (value, difference) {
        (None, _) => "undefined".to_owned(),
        (Some(_), true) => minus(&kind.format.difference(value)),
        (Some(_), false) => minus(&kind.format.value(value)),
    };
    let figures = figures.map(|(name, found)| {
        let end = |value| write(Some(value));
        let interval = found.and_then(|found| found.interval);
        let interval = interval.map(|ends| format!(" ({} to {})", end(ends.low), end(ends.high)));
        format!("{name} {}{}", write(found.map(|found| found.mean)), interval.unwrap_or_default())
    });
    let figures: Vec<String> = figures.collect();
    let what = if difference { "Difference from the baseline" } else { "Value at the end" };
    format!("{what} in {} with 95% interval: {}.", lower(kind.title), figures.join(", "))
}

fn trials(results: &Results) -> Vec<TrialRow> {
    let trial = |trial: &crate::experiment::TrialResult| TrialRow {
        policy: trial.policy.clone(),
        replication: trial.replication,
        steps: thousands(trial.steps),
        short: thousands(trial.short.short),
        empty: thousands(trial.short.empty),
        digest: trial.digest.clone(),
    };
    results.trials().map(trial).collect()
}

/// With thin spaces between groups of three digits.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_readers() {
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1\u{202f}234\u{202f}567");
    }
}

//! Charts of curves: return times of users, and the spread of exposure.

use super::line::{self, Series};
use super::svg::Caption;
use crate::experiment::{BandPoint, CurveRow, Estimate, Interval, Results};
use crate::metrics::Format;
use minijinja::Value;
use serde::Serialize;

/// A chart of curves, one a policy.
#[derive(Serialize)]
pub struct Curve {
    title: &'static str,
    note: &'static str,
    svg: Value,
}

/// The interpretation of a metric's curve.
struct Reading {
    metric: &'static str,
    title: &'static str,
    axis: &'static str,
    note: &'static str,
    /// The factor that turns a position on the curve into a whole number.
    places: f64,
}

const READINGS: [Reading; 4] = [
    Reading {
        metric: "retention",
        title: "Retention",
        axis: "ticks since the first visit",
        note: "share of users who are there so long after their first visit",
        places: 1.0,
    },
    Reading {
        metric: "churn_hazard",
        title: "Churn hazard",
        axis: "tick at which a session ends",
        note: "share of sessions after which nobody came back for long",
        places: 1.0,
    },
    Reading {
        metric: "gini",
        title: "Exposure of items (Lorenz curve)",
        axis: "least shown items, % of the catalogue",
        note: "share of all exposure that they have; a straight line from corner to corner would be equality",
        places: 100.0,
    },
    Reading {
        metric: "provider_gini",
        title: "Exposure of providers (Lorenz curve)",
        axis: "least shown providers, %",
        note: "share of all exposure that they have",
        places: 100.0,
    },
];

/// The charts of the metrics that have a curve; `class` gives the style of a policy.
pub fn curves(results: &Results, class: impl Fn(&str) -> &'static str) -> Vec<Curve> {
    let rows = results.curve_rows();
    READINGS.iter().filter_map(|reading| curve(results, reading, &rows, &class)).collect()
}

fn curve(
    results: &Results,
    reading: &Reading,
    rows: &[CurveRow<'_>],
    class: &impl Fn(&str) -> &'static str,
) -> Option<Curve> {
    let of = |policy: &str| -> Vec<BandPoint> {
        let rows = rows.iter().filter(|row| row.metric == reading.metric && row.policy == policy);
        rows.filter_map(|row| point(row, reading.places)).collect()
    };
    let mut series: Vec<Series<'_>> =
        results.policies().iter().map(|name| Series { name, class: class(name), points: of(name) }).collect();
    series.sort_by_key(|one| one.name != results.baseline());
    let description: Vec<String> = series.iter().map(describe).collect();
    let description = description.join("; ");
    let caption = Caption { id: format!("curve-{}", reading.metric), title: reading.title, description: &description };
    let svg = line::chart(&caption, Format::Percent { digits: 0 }, reading.axis, &series)?;
    Some(Curve { title: reading.title, note: reading.note, svg: Value::from_safe_string(svg) })
}

fn point(row: &CurveRow<'_>, places: f64) -> Option<BandPoint> {
    let interval = row.ci_low.zip(row.ci_high).map(|(low, high)| Interval { low, high });
    let estimate = Estimate { mean: row.mean?, interval, used: row.replications, left_out: 0 };
    Some(BandPoint { tick: (row.x * places).round() as u32, estimate })
}

/// Three points of a curve in words.
fn describe(series: &Series<'_>) -> String {
    let count = series.points.len();
    let places = [0, count / 2, count.saturating_sub(1)];
    let points = places.iter().filter_map(|&place| series.points.get(place));
    let points: Vec<String> =
        points.map(|point| format!("{:.0}% at {}", 100.0 * point.estimate.mean, point.tick)).collect();
    format!("{}: {}", series.name, if points.is_empty() { "nothing".to_owned() } else { points.join(", ") })
}

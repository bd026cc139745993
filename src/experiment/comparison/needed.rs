//! Replications needed for a given difference.

use super::Comparison;
use crate::experiment::results::table::{Column, layout};
use crate::experiment::stats::{Estimate, Family, replications_needed_at, student_t};
use crate::experiment::wrapped;
use crate::metrics::{Format, MetricKind};

/// A difference that a comparison should detect.
#[derive(Clone, Copy, Debug)]
pub struct ToSee {
    kind: &'static MetricKind,
    /// In the unit of the metric.
    difference: f64,
}

impl ToSee {
    /// Reads `0.5%` (percentage points of the first metric, which must be a share) or `METRIC 0.01`.
    ///
    /// # Errors
    /// When it is neither, or the metric is not one of `metrics`.
    pub fn parse(text: &str, metrics: &[&'static MetricKind]) -> Result<ToSee, String> {
        let form = || {
            format!(
                "--to-see `{text}` is no difference; write `0.5%` for percentage points of the first metric, if it is a share, \
                 or `METRIC 0.01` in the metric's own unit"
            )
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let (name, number) = match words.as_slice() {
            [number] => (None, *number),
            [name, number] => (Some(*name), *number),
            _ => return Err(form()),
        };
        let kind = metrics.iter().find(|kind| name.is_none_or(|name| name == kind.name)).ok_or_else(|| {
            let known: Vec<&str> = metrics.iter().map(|kind| kind.name).collect();
            format!(
                "--to-see `{text}`: these runs have no `{}`; they have {}",
                name.unwrap_or_default(),
                known.join(", ")
            )
        })?;
        let (digits, is_percent) = number.strip_suffix('%').map_or((number, false), |digits| (digits, true));
        if is_percent && !kind.format.is_percent() {
            return Err(format!("--to-see `{text}`: `{}` is not a share; leave out the `%`", kind.name));
        }
        let value = digits.parse().ok().filter(|value: &f64| value.is_finite() && *value > 0.0).ok_or_else(form)?;
        Ok(ToSee { kind, difference: if is_percent { value / 100.0 } else { value } })
    }
}

impl Comparison {
    /// The replications that would show this difference from the baseline for each policy, as a table at most `width`
    /// wide.
    pub fn needed(&self, to_see: ToSee, width: usize) -> String {
        let ToSee { kind, difference } = to_see;
        let one_run = self.rows.windows(2).all(|two| two[0].run == two[1].run);
        let rows: Vec<_> = self.rows.iter().filter(|row| row.metric == kind.name && !self.is_baseline(row)).collect();
        let name = |run: &str, policy: &str| if one_run { policy.to_owned() } else { format!("{run}/{policy}") };
        let unit = kind.format.difference_unit();
        let family = Family::of_pairs((rows.len() + 1) * rows.len() / 2);
        let title = format!(
            "Replications that would show a difference of {} in {} from `{}` with a chance of 80% (paired t test \
             at 0.05 over {} pairs of policies); the deviation is the estimated standard deviation of the paired \
             differences",
            [&plain(kind.format, difference), unit].join(" ").trim_end(),
            kind.name,
            name(&self.baseline.0, &self.baseline.1),
            family.pairs(),
        );
        let needed =
            |deviation: Option<f64>| deviation.and_then(|it| replications_needed_at(it, difference, family.level()));
        let written =
            |count: Option<u64>| count.map_or_else(|| Format::UNDEFINED.to_owned(), |count| count.to_string());
        let columns = vec![
            Column {
                heading: [" deviation", unit].join(" ").trim_end().to_owned(),
                cells: rows.iter().map(|row| kind.format.width(row.difference_deviation)).collect(),
            },
            Column {
                heading: " replications".to_owned(),
                cells: rows.iter().map(|row| written(needed(row.difference_deviation))).collect(),
            },
        ];
        let names = rows.iter().map(|row| name(&row.run, &row.policy)).collect();
        let heading = Column { heading: "policy".to_owned(), cells: names };
        format!("\n{}\n\n{}", wrapped(&title, width), layout(&heading, columns, width))
    }
}

/// The requested difference, without the digits that scaling adds.
fn plain(format: Format, difference: f64) -> String {
    ((difference * format.scale() * 1e9).round() / 1e9).to_string()
}

/// The standard deviation of the values whose mean is an estimate.
pub(super) fn deviation(of: &Estimate) -> Option<f64> {
    let reach = of.interval?.half_width() / student_t(of.used.checked_sub(1)?)?;
    Some(reach * (of.used as f64).sqrt())
}

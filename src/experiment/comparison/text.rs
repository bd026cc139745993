//! A comparison as plain text for a terminal.

use super::{Comparison, ComparisonRow};
use crate::experiment::results::table::{Column, layout};
use crate::experiment::wrapped;
use crate::metrics::MetricKind;

impl Comparison {
    /// The table policy x metric, and below it the differences from the baseline; at most `width` characters wide if
    /// names permit.
    pub fn table(&self, width: usize) -> String {
        let one_run = self.rows.windows(2).all(|two| two[0].run == two[1].run);
        let name = |run: &str, policy: &str| if one_run { policy.to_owned() } else { format!("{run}/{policy}") };
        let names = |rows: &[&ComparisonRow]| rows.iter().map(|row| name(&row.run, &row.policy)).collect();
        let all = self.of_first_metric(|_| true);
        let mut text = "Mean \u{b1} half of the 95% interval over replications\n\n".to_owned();
        let heading = Column { heading: "policy".to_owned(), cells: names(&all) };
        text += &layout(&heading, self.columns(|_| true, |kind| kind.name.to_owned(), mean), width);
        let others = self.of_first_metric(|row| !self.is_baseline(row));
        if others.is_empty() {
            return text;
        }
        let title = format!(
            "Difference from `{}` [95% interval, for all {} pairs of policies at once]; * excludes 0; ~ is not paired",
            name(&self.baseline.0, &self.baseline.1),
            all.len() * (all.len() - 1) / 2
        );
        text += &format!("\n{}\n\n", wrapped(&title, width));
        let heading = Column { heading: "policy".to_owned(), cells: names(&others) };
        text + &layout(&heading, self.columns(|row| !self.is_baseline(row), difference_heading, difference), width)
    }

    pub(super) fn is_baseline(&self, row: &ComparisonRow) -> bool {
        row.run == self.baseline.0 && row.policy == self.baseline.1
    }

    fn of_first_metric(&self, keep: impl Fn(&ComparisonRow) -> bool) -> Vec<&ComparisonRow> {
        let first = self.metrics.first().map(|kind| kind.name);
        self.rows.iter().filter(|row| Some(row.metric) == first && keep(row)).collect()
    }

    fn columns(
        &self,
        keep: impl Fn(&ComparisonRow) -> bool,
        heading: fn(&MetricKind) -> String,
        cell: fn(&MetricKind, &ComparisonRow) -> String,
    ) -> Vec<Column> {
        let column = |kind: &&'static MetricKind| {
            let rows = self.rows.iter().filter(|row| row.metric == kind.name && keep(row));
            Column { heading: heading(kind), cells: rows.map(|row| cell(kind, row)).collect() }
        };
        self.metrics.iter().map(column).collect()
    }
}

fn mean(kind: &MetricKind, row: &ComparisonRow) -> String {
    let mean = kind.format.value(row.mean);
    match row.ci_low.zip(row.ci_high) {
        Some((low, high)) => format!("{mean} \u{b1} {}", kind.format.width(Some((high - low) / 2.0))),
        None => mean,
    }
}

fn difference_heading(kind: &MetricKind) -> String {
    let unit = kind.format.difference_unit();
    if unit.is_empty() { format!("{}   ", kind.name) } else { format!("{} ({unit})   ", kind.name) }
}

fn difference(kind: &MetricKind, row: &ComparisonRow) -> String {
    let write = |value| kind.format.difference(value);
    let excludes = |(low, high): (f64, f64)| low > 0.0 || high < 0.0;
    let sure = if row.difference_low.zip(row.difference_high).is_some_and(excludes) { '*' } else { ' ' };
    let pairing = if row.pairing == "unpaired" { '~' } else { ' ' };
    match row.difference_low.and(row.difference_high) {
        Some(_) => format!(
            "{} [{}, {}] {sure}{pairing}",
            write(row.difference),
            write(row.difference_low),
            write(row.difference_high)
        ),
        None => format!("{} {sure}{pairing}", write(row.difference)),
    }
}

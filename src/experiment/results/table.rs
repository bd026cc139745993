//! The results as plain text for a terminal.

use super::Results;
use super::order::wrapped;
use crate::metrics::{Format, MetricKind};

/// Columns under one title: a heading and one cell for each row.
pub(in crate::experiment) struct Column {
    pub heading: String,
    pub cells: Vec<String>,
}

impl Results {
    /// Summary and paired differences, at most `width` characters wide: columns that do not fit go below. (One metric
    /// with very long policy names may still be wider.)
    pub fn table(&self, width: usize) -> String {
        let replications = self.replications.len();
        let mut text = match replications {
            1 => "Values of the one replication (no interval)\n\n".to_owned(),
            _ => format!("Mean \u{b1} half of the 95% interval over {replications} replications\n\n"),
        };
        let names = Column { heading: "policy".to_owned(), cells: self.policies.clone() };
        text += &layout(&names, self.columns(summary_heading, |m, kind| self.summary_cells(m, kind)), width);
        let cells: Vec<String> = self.challengers().map(str::to_owned).collect();
        if cells.is_empty() {
            return text;
        }
        let all = match self.policies.len() {
            2 => String::new(),
            count => format!(", for all {} pairs at once", count * (count - 1) / 2),
        };
        let title = format!("Difference from `{}`, paired by replication [95% interval{all}]", self.baseline);
        text += &format!("\n{}\n\n", wrapped(&title, width));
        let names = Column { heading: "policy".to_owned(), cells };
        text += &layout(&names, self.columns(difference_heading, |m, kind| self.difference_cells(m, kind)), width);
        text += "\n* the interval excludes 0\n";
        text
    }

    fn columns(
        &self,
        heading: impl Fn(&MetricKind) -> String,
        cells: impl Fn(usize, &MetricKind) -> Vec<String>,
    ) -> Vec<Column> {
        let column =
            |(place, kind): (usize, &&'static MetricKind)| Column { heading: heading(kind), cells: cells(place, kind) };
        self.metrics.iter().enumerate().map(column).collect()
    }

    fn summary_cells(&self, metric: usize, kind: &MetricKind) -> Vec<String> {
        let cell = |policy: &String| {
            let found = self.estimate(policy, metric);
            let mean = kind.format.value(found.map(|found| found.mean));
            match found.and_then(|found| found.interval) {
                Some(interval) => format!("{mean} \u{b1} {}", kind.format.width(Some(interval.half_width()))),
                None => mean,
            }
        };
        self.policies.iter().map(cell).collect()
    }

    fn difference_cells(&self, metric: usize, kind: &MetricKind) -> Vec<String> {
        let cell = |policy: &str| {
            let found = self.paired(policy, &self.baseline, metric).map(|found| found.difference);
            let mean = kind.format.difference(found.map(|found| found.mean));
            match found.and_then(|found| found.interval) {
                Some(interval) => {
                    let end = |value| kind.format.difference(Some(value));
                    let mark = if interval.contains(0.0) { ' ' } else { '*' };
                    format!("{mean} [{}, {}] {mark}", end(interval.low), end(interval.high))
                }
                None => mean + "  ",
            }
        };
        self.challengers().map(cell).collect()
    }
}

fn summary_heading(kind: &MetricKind) -> String {
    kind.name.to_owned()
}

fn difference_heading(kind: &MetricKind) -> String {
    match kind.format {
        Format::Percent { .. } => format!("{} (pp)  ", kind.name),
        Format::Number { .. } => format!("{}  ", kind.name),
    }
}

/// Places as many columns beside the names as fit, and the rest in blocks below.
pub(in crate::experiment) fn layout(names: &Column, columns: Vec<Column>, width: usize) -> String {
    const GAP: usize = 3;
    let mut blocks: Vec<Vec<Column>> = Vec::new();
    let mut used = width + 1;
    for column in columns {
        let needed = GAP + column.width();
        if used + needed > width || blocks.is_empty() {
            blocks.push(Vec::new());
            used = names.width();
        }
        used += needed;
        if let Some(block) = blocks.last_mut() {
            block.push(column);
        }
    }
    let texts: Vec<String> = blocks.iter().map(|block| block_text(names, block, GAP)).collect();
    texts.join("\n")
}

fn block_text(names: &Column, block: &[Column], gap: usize) -> String {
    let line = |name: &str, cell: &dyn Fn(&Column) -> String| {
        let mut line = format!("{name:<width$}", width = names.width());
        for column in block {
            line += &format!("{:gap$}{:>width$}", "", cell(column), width = column.width());
        }
        line.trim_end().to_owned() + "\n"
    };
    let mut text = line(&names.heading, &|column| column.heading.clone());
    for (row, name) in names.cells.iter().enumerate() {
        text += &line(name, &|column| column.cells.get(row).cloned().unwrap_or_default());
    }
    text
}

impl Column {
    fn width(&self) -> usize {
        self.cells.iter().chain([&self.heading]).map(|cell| cell.chars().count()).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{results, small};

    #[test]
    fn wide_enough() {
        insta::assert_snapshot!(small().table(100), @r"
        Mean ± half of the 95% interval over 3 replications

        policy    acceptance_rate     mean_rating
        random      12.00% ± 4.97   3.100 ± 0.248
        popular     23.00% ± 7.45   3.150 ± 0.635

        Difference from `random`, paired by replication [95% interval]

        policy      acceptance_rate (pp)              mean_rating
        popular   +11.00 [+8.52, +13.48] *   0.000 [0.000, 0.000]

        * the interval excludes 0
        ");
    }

    #[test]
    fn too_narrow_for_two_metrics() {
        insta::assert_snapshot!(small().table(50), @r"
        Mean ± half of the 95% interval over 3 replications

        policy    acceptance_rate     mean_rating
        random      12.00% ± 4.97   3.100 ± 0.248
        popular     23.00% ± 7.45   3.150 ± 0.635

        Difference from `random`, paired by replication
        [95% interval]

        policy      acceptance_rate (pp)
        popular   +11.00 [+8.52, +13.48] *

        policy             mean_rating
        popular   0.000 [0.000, 0.000]

        * the interval excludes 0
        ");
    }

    #[test]
    fn one_replication_of_one_policy() {
        let one = results(&["gini", "coverage"], "a", &[("a", &[&[Some(0.5), None]])], 1);
        insta::assert_snapshot!(one.table(100), @r"
        Values of the one replication (no interval)

        policy    gini   coverage
        a        0.500          –
        ");
    }

    #[test]
    fn lines_fit() {
        let names: Vec<&str> = crate::metrics::all().iter().map(|kind| kind.name).collect();
        let finals = vec![Some(0.123_456); names.len()];
        let runs: &[&[Option<f64>]] = &[&finals, &finals];
        let all = results(&names, "random", &[("random", runs), ("a policy with a name", runs)], 1);
        for width in [72, 80, 100, 200] {
            assert!(all.table(width).lines().all(|line| line.chars().count() <= width), "{}", all.table(width));
        }
    }
}

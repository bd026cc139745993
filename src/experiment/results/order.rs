//! The order of the policies as plain text.

use super::table::{Column, layout};
use super::{PairRow, Results, proposal};
use crate::metrics::{Better, Format, MetricKind};

impl Results {
    /// Policies that have a value in a metric, best first; the earlier in the scenario wins ties. A descriptive metric
    /// is ordered by size.
    pub fn ranking(&self, metric: usize) -> Vec<&str> {
        let lower = self.metrics.get(metric).is_some_and(|kind| kind.better == Better::Lower);
        let sign = if lower { 1.0 } else { -1.0 };
        let value = |policy: &str| self.estimate(policy, metric).map(|found| sign * found.mean);
        let policies = self.policies.iter().map(String::as_str);
        let mut ranking: Vec<(f64, &str)> = policies.filter_map(|policy| Some((value(policy)?, policy))).collect();
        ranking.sort_by(|a, b| a.0.total_cmp(&b.0));
        ranking.into_iter().map(|(_, policy)| policy).collect()
    }

    /// Each policy against the next in the order by the first metric, from the rows of [`Results::pairs`]; lines are no
    /// wider than `width` characters. Empty for fewer than three policies: with two, the one difference is in
    /// [`Results::table`].
    pub fn order(&self, pairs: &[PairRow], width: usize) -> String {
        let ranking = self.ranking(0);
        let (Some(kind), true) = (self.metrics.first(), ranking.len() > 2) else { return String::new() };
        let pairs: Vec<&PairRow> = pairs.iter().filter(|row| row.metric == kind.name).collect();
        let steps: Vec<Step<'_>> =
            ranking.windows(2).filter_map(|two| Step::find(&pairs, two[0], two[1], kind.format)).collect();
        let column = |heading: &str, cell: &dyn Fn(&Step<'_>) -> String| Column {
            heading: heading.to_owned(),
            cells: steps.iter().map(cell).collect(),
        };
        let names = column("policy, next", &|step| format!("{}, {}", step.first, step.second));
        let columns = vec![
            column(&difference_heading(kind), &|step| step.difference()),
            column("other users", &|step| step.interval(step.row.users_low, step.row.users_high)),
            column("p (adjusted)", &|step| p_value_text(step.row.p_adjusted)),
            column("paired gain", &|step| number(step.row.variance_reduction, 1)),
            column("needed", &|step| step.row.replications_needed.map_or_else(undefined, |count| count.to_string())),
        ];
        let title = format!(
            "Order by {}, each policy against the next; intervals [for another seed] and p values hold for all {} pairs at \
             once; other users: the interval for another seed and other users like these; needed: replications that would show \
             this difference",
            kind.name,
            pairs.len()
        );
        let note = proposal(&pairs).map(|text| wrapped(&text, width) + "\n");
        format!("\n{}\n\n{}\n{}", wrapped(&title, width), layout(&names, columns, width), note.unwrap_or_default())
    }
}

fn difference_heading(kind: &MetricKind) -> String {
    let unit = kind.format.difference_unit();
    if unit.is_empty() { "difference  ".to_owned() } else { format!("difference ({unit})  ") }
}

/// A policy and the next in the order.
struct Step<'a> {
    first: &'a str,
    second: &'a str,
    row: &'a PairRow,
    format: Format,
}

impl<'a> Step<'a> {
    fn find(pairs: &[&'a PairRow], first: &'a str, second: &'a str, format: Format) -> Option<Step<'a>> {
        let is_it = |row: &&&PairRow| {
            let names = (row.policy_a.as_str(), row.policy_b.as_str());
            names == (first, second) || names == (second, first)
        };
        pairs.iter().find(is_it).map(|row| Step { first, second, row, format })
    }

    /// First minus second, whichever order the row has.
    fn difference(&self) -> String {
        let row = self.row;
        let mark = if row.excludes_zero() { '*' } else { ' ' };
        let difference = self.format.difference(row.difference.map(|value| self.sign() * value));
        match row.low.and(row.high) {
            Some(_) => format!("{difference} {} {mark}", self.interval(row.low, row.high)),
            None => difference + "  ",
        }
    }

    /// 1 if the row is first minus second, otherwise -1.
    fn sign(&self) -> f64 {
        if self.row.policy_a == self.first { 1.0 } else { -1.0 }
    }

    /// Both ends of an interval of the row.
    fn interval(&self, low: Option<f64>, high: Option<f64>) -> String {
        let (low, high) = if self.sign() > 0.0 { (low, high) } else { (high, low) };
        let write = |value: Option<f64>| self.format.difference(value.map(|value| self.sign() * value));
        match low.and(high) {
            Some(_) => format!("[{}, {}]", write(low), write(high)),
            None => undefined(),
        }
    }
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(undefined, |value| format!("{value:.digits$}"))
}

/// A p value for readers.
pub(crate) fn p_value_text(value: Option<f64>) -> String {
    let text = |value: f64| if value < 0.001 { "< 0.001".to_owned() } else { format!("{value:.3}") };
    value.map_or_else(undefined, text)
}

fn undefined() -> String {
    Format::UNDEFINED.to_owned()
}

/// Breaks a text at spaces.
pub(crate) fn wrapped(text: &str, width: usize) -> String {
    let (mut lines, mut used) = (String::new(), 0);
    for word in text.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push('\n');
            used = 0;
        } else if used > 0 {
            lines.push(' ');
            used += 1;
        }
        lines += word;
        used += length;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::testing::{results, small};
    use super::p_value_text;
    use crate::random::Streams;

    #[test]
    fn p_values_for_readers() {
        let texts = [Some(0.000_4), Some(0.0412), Some(1.0), None].map(p_value_text);
        assert_eq!(texts, ["< 0.001", "0.041", "1.000", "\u{2013}"]);
    }

    #[test]
    fn three_policies() {
        let random: &[&[Option<f64>]] = &[&[Some(0.10)], &[Some(0.12)], &[Some(0.14)]];
        let popular: &[&[Option<f64>]] = &[&[Some(0.20)], &[Some(0.23)], &[Some(0.26)]];
        let als: &[&[Option<f64>]] = &[&[Some(0.22)], &[Some(0.21)], &[Some(0.29)]];
        let names = [("random", random), ("popular", popular), ("als", als)];
        let run = results(&["acceptance_rate"], "random", &names, 2);
        assert_eq!(run.ranking(0), ["als", "popular", "random"]);
        insta::assert_snapshot!(run.order(&run.pairs(&Streams::new(7, 0)), 100), @r"
        Order by acceptance_rate, each policy against the next; intervals [for another seed] and p values
        hold for all 3 pairs at once; other users: the interval for another seed and other users like these;
        needed: replications that would show this difference

        policy, next             difference (pp)     other users   p (adjusted)   paired gain   needed
        als, popular      +1.00 [-10.56, +12.56]               –          0.866           4.0       77
        popular, random   +11.00 [+6.63, +15.37] *             –          0.008          13.0        3

        1 of 3 pairs differ. The chance of even one false difference among all pairs is at most 5%.
        `--replications 77` would separate the others if their differences are as large as here.
        ");
    }

    #[test]
    fn two_policies_need_no_order() {
        assert_eq!(small().order(&small().pairs(&Streams::new(7, 0)), 100), "");
    }

    #[test]
    fn lines_fit_and_less_is_better_comes_first() {
        let run = |values: [f64; 2]| values.map(|value| [Some(value)]);
        let (a, b, c) = (run([0.5, 0.7]), run([0.2, 0.3]), run([0.4, 0.1]));
        let runs = [("a", &a), ("b", &b), ("c", &c)].map(|(name, run)| (name, [run[0].as_slice(), run[1].as_slice()]));
        let trials: Vec<(&str, &[&[Option<f64>]])> = runs.iter().map(|(name, run)| (*name, run.as_slice())).collect();
        let run = results(&["gini"], "a", &trials, 1);
        assert_eq!(run.ranking(0), ["b", "c", "a"], "equal means keep their order");
        for width in [50, 72, 100] {
            let text = run.order(&run.pairs(&Streams::new(7, 0)), width);
            assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
        }
    }
}

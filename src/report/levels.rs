//! Real levels on the report page.
//!
//! Acceptance of simulated users beside that of held-out users, with all numbers formatted.

use super::svg::minus;
use crate::experiment::LevelRow;
use crate::metrics::Format;
use serde::Serialize;

/// The table of a run.
#[derive(Serialize)]
pub struct Levels {
    policies: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    title: &'static str,
    held_out: String,
    cells: Vec<Cell>,
}

#[derive(Serialize)]
struct Cell {
    value: String,
    /// True if the interval of the difference excludes 0.
    differs: bool,
}

/// Titles of the measures for readers, whether they are shares, and digits.
const TITLES: [(&str, &str, bool, usize); 9] = [
    ("accepted_share", "Lists from which something is accepted", true, 1),
    ("liked_share", "Accepted items that are liked", true, 1),
    ("mean_level", "Mean rating of accepted items, as a level from 1 to 5", false, 2),
    ("user_spread", "Spread of acceptances over users (deviation / mean)", false, 2),
    ("days_between_visits", "Days between a user\u{2019}s visits", false, 1),
    ("popularity_rank", "Popularity rank of accepted items (0 is the most popular)", false, 3),
    ("popularity_distance", "Distance in popularity (Kolmogorov-Smirnov)", false, 3),
    ("categories", "Effective number of categories", false, 1),
    ("category_distance", "Distance in categories (Jensen-Shannon, bits)", false, 3),
];

impl Levels {
    /// `None` without rows.
    pub fn new(levels: &[LevelRow]) -> Option<Levels> {
        let mut policies: Vec<String> = levels.iter().map(|row| row.policy.clone()).collect();
        policies.dedup();
        let rows = TITLES.iter().filter_map(|&(measure, title, is_share, digits)| {
            let write = |value: Option<f64>| match value {
                Some(value) if is_share => minus(&format!("{:.digits$}%", 100.0 * value)),
                Some(value) => minus(&format!("{value:.digits$}")),
                None => Format::UNDEFINED.to_owned(),
            };
            let of = |policy: &String| levels.iter().find(|row| row.measure == measure && row.policy == *policy);
            let first = policies.iter().find_map(of)?;
            let cell = |policy: &String| Cell {
                value: write(of(policy).and_then(|row| row.simulated)),
                differs: of(policy).is_some_and(differs),
            };
            let held_out = match first.noise {
                Some(noise) => format!("noise {}", write(Some(noise))),
                None => match first.held_out_low.zip(first.held_out_high) {
                    Some((low, high)) => {
                        format!("{} ({} to {})", write(first.held_out), write(Some(low)), write(Some(high)))
                    }
                    None => write(first.held_out),
                },
            };
            Some(Row { title, held_out, cells: policies.iter().map(cell).collect() })
        });
        let rows: Vec<Row> = rows.collect();
        (!rows.is_empty()).then_some(Levels { policies, rows })
    }
}

fn differs(row: &LevelRow) -> bool {
    row.difference_low.zip(row.difference_high).is_some_and(|(low, high)| low > 0.0 || high < 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_for_each_measure_and_a_cell_for_each_policy() {
        let row = |policy: &str, measure, simulated, held_out: Option<f64>| LevelRow {
            policy: policy.to_owned(),
            measure,
            simulated: Some(simulated),
            simulated_low: None,
            simulated_high: None,
            held_out,
            held_out_low: held_out.map(|value| value - 0.1),
            held_out_high: held_out.map(|value| value + 0.1),
            difference: held_out.map(|value| simulated - value),
            difference_low: held_out.map(|value| simulated - value - 0.1),
            difference_high: held_out.map(|value| simulated - value + 0.1),
            noise: (measure == "popularity_distance").then_some(0.02),
        };
        let levels = [
            row("a", "liked_share", 0.9, Some(0.5)),
            row("a", "popularity_distance", 0.3, None),
            row("b", "liked_share", 0.5, Some(0.5)),
        ];
        let found = Levels::new(&levels).unwrap();
        assert_eq!(found.policies, ["a", "b"]);
        assert_eq!(found.rows[0].held_out, "50.0% (40.0% to 60.0%)");
        let cells: Vec<_> = found.rows[0].cells.iter().map(|cell| (cell.value.as_str(), cell.differs)).collect();
        assert_eq!(cells, [("90.0%", true), ("50.0%", false)]);
        assert_eq!(
            (found.rows[1].held_out.as_str(), found.rows[1].cells[1].value.as_str()),
            ("noise 0.020", "\u{2013}")
        );
        assert!(Levels::new(&[]).is_none());
    }
}

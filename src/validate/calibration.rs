//! Calibration by prediction, slot, popularity and item group.

use super::cells::Cells;
use super::measures::{Figure, Resamples};
use crate::dataset::{Column, Field, Fields};
use crate::experiment::Experiment;
use crate::ids::ItemId;
use serde::Serialize;
use std::collections::BTreeSet;

/// Parts of equal size of an ordered quantity.
const PARTS: usize = 5;
/// The most parts of a named quantity; the others are pooled.
const MOST_PARTS: usize = 12;

/// The cells in parts.
#[derive(Clone, Debug, Serialize)]
pub struct CalibrationTable {
    /// The grouping.
    pub by: String,
    /// The parts.
    pub rows: Vec<CalibrationRow>,
}

/// A part of the cells.
#[derive(Clone, Debug, Serialize)]
pub struct CalibrationRow {
    /// Name of the part.
    pub part: String,
    /// Cells in the part.
    pub cells: usize,
    /// The mean prediction, with the level set.
    pub predicted: f64,
    /// The share that was accepted.
    pub observed: Figure,
}

/// All tables that the cells allow.
pub(super) fn tables(
    experiment: &Experiment,
    cells: &Cells,
    chances: &[f64],
    resamples: &Resamples,
) -> Vec<CalibrationTable> {
    let counts = experiment.start().log.item_counts();
    let popularity: Vec<f64> = cells.items().iter().map(|item| f64::from(counts[item.index()])).collect();
    let slots: Vec<Option<String>> = cells.slots().iter().map(|&slot| Some(slot_name(slot))).collect();
    let mut parts = vec![
        ("what is predicted".to_owned(), quantiles(chances, |low, high| format!("{low:.3} to {high:.3}"))),
        ("popularity in the log".to_owned(), quantiles(&popularity, |low, high| format!("{low:.0} to {high:.0}"))),
    ];
    if slots.iter().any(|slot| *slot != slots[0]) && have_order(cells) {
        parts.push(("slot".to_owned(), slots));
    }
    parts.extend(groups(&experiment.data.item_fields, cells));
    let made = parts.into_iter().map(|(by, parts)| table(by, &parts, cells, chances, resamples));
    made.filter(|table| table.rows.len() > 1).collect()
}

/// The part of a slot: the first ten are parts of their own, and later ones go together.
fn slot_name(slot: u16) -> String {
    match u32::from(slot) + 1 {
        number @ 1..=10 => format!("{number:>3}"),
        11..=20 => " 11 to 20".to_owned(),
        21..=50 => " 21 to 50".to_owned(),
        51..=100 => " 51 to 100".to_owned(),
        _ => "101 and later".to_owned(),
    }
}

/// True if slots are known: in lists without a known order the items are in the order of their numbers.
pub(super) fn have_order(cells: &Cells) -> bool {
    let lists = cells.list_ranges();
    let is_sorted = |list: &std::ops::Range<usize>| cells.items()[list.clone()].is_sorted();
    lists.iter().all(|list| list.len() == 1) || !lists.iter().all(is_sorted)
}

/// Parts of about equal size, equal values together.
fn quantiles(values: &[f64], name: impl Fn(f64, f64) -> String) -> Vec<Option<String>> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let part_of = |value: f64| {
        let below = sorted.partition_point(|other| *other < value);
        (below * PARTS / sorted.len()).min(PARTS - 1)
    };
    let parts: Vec<usize> = values.iter().map(|&value| part_of(value)).collect();
    let mut ends = [(f64::INFINITY, f64::NEG_INFINITY); PARTS];
    for (&part, &value) in parts.iter().zip(values) {
        ends[part] = (ends[part].0.min(value), ends[part].1.max(value));
    }
    parts.iter().map(|&part| Some(format!("{} {}", part + 1, name(ends[part].0, ends[part].1)))).collect()
}

/// The parts by the item field of one category known about most items, if any.
fn groups(fields: &Fields, cells: &Cells) -> Option<(String, Vec<Option<String>>)> {
    let known = |field: &&Field| match &field.column {
        Column::Category { names, .. } if names.len() > 1 => field.column.filled(),
        _ => 0,
    };
    let field = fields.iter().filter(|field| known(field) > 0).max_by_key(known)?;
    let names = field.column.names()?;
    let code = |item: &ItemId| field.column.categories(item.index()).first().copied();
    let mut sizes = vec![0usize; names.len()];
    cells.items().iter().filter_map(code).for_each(|code| sizes[code as usize] += 1);
    let mut order: Vec<u32> = (0..names.len() as u32).collect();
    order.sort_by_key(|&name| (std::cmp::Reverse(sizes[name as usize]), name));
    let largest: BTreeSet<u32> = order.into_iter().take(MOST_PARTS).collect();
    let name = |code: u32| {
        if largest.contains(&code) { names.external(code).to_owned() } else { "all others".to_owned() }
    };
    let parts = cells.items().iter().map(|item| code(item).map(name)).collect();
    Some((format!("item field `{}`", field.name), parts))
}

fn table(
    by: String,
    parts: &[Option<String>],
    cells: &Cells,
    chances: &[f64],
    resamples: &Resamples,
) -> CalibrationTable {
    let mut names: Vec<&String> = parts.iter().flatten().collect();
    names.sort();
    names.dedup();
    let row = |name: &String| {
        let inside = |cell: &usize| parts[*cell].as_ref() == Some(name);
        let places: Vec<usize> = (0..cells.len()).filter(inside).collect();
        let mut sums = vec![(0.0, 0.0); cells.users()];
        for &cell in &places {
            let sum = &mut sums[cells.user_numbers()[cell] as usize];
            *sum = (sum.0 + f64::from(u8::from(cells.accepted()[cell])), sum.1 + 1.0);
        }
        CalibrationRow {
            part: name.trim().to_owned(),
            cells: places.len(),
            predicted: places.iter().map(|&cell| chances[cell]).sum::<f64>() / places.len() as f64,
            observed: resamples.mean(&sums),
        }
    };
    CalibrationTable { by, rows: names.into_iter().map(row).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_slots_go_together_and_names_sort_by_slot() {
        let names: Vec<String> = [0, 9, 10, 19, 20, 49, 50, 99, 100, u16::MAX].map(slot_name).into();
        assert!(names.is_sorted(), "{names:?}");
        assert_eq!((names[0].trim(), names[1].trim(), names[3].trim()), ("1", "10", "11 to 20"));
        assert_eq!((&names[2], &names[8]), (&names[3], &names[9]));
        assert_ne!(names[7], names[8]);
    }
}

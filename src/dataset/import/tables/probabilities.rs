//! A policy as a table of probabilities.
//!
//! A policy as a table: its probability of each item, in each slot or for each user if it depends on them.

use super::reading::position;
use super::roles::{has_takes, item_column, probability_column, slot_column, user_column};
use crate::dataset::sheet::Sheet;
use crate::files::FileError;
use std::path::Path;

/// A row of such a table.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::dataset) struct ProbabilityRow {
    /// The line of the file.
    pub(in crate::dataset) line: u64,
    /// `None` where the policy is the same for all users.
    pub(in crate::dataset) user: Option<String>,
    pub(in crate::dataset) item: String,
    /// Counted from 0; `None` where the policy is the same in all slots.
    pub(in crate::dataset) slot: Option<u16>,
    pub(in crate::dataset) probability: f64,
}

/// The rows of a table of probabilities; `None` for a table that is a log.
///
/// # Errors
/// A file that cannot be read, or a row without an item, or with a probability outside 0 to 1.
pub(in crate::dataset) fn read_probabilities(path: &Path) -> Result<Option<Vec<ProbabilityRow>>, FileError> {
    let mut sheet = Sheet::open(path)?;
    let columns = sheet.columns().to_vec();
    let (Some(item), Some(probability)) = (item_column(&columns), probability_column(&columns)) else {
        return Ok(None);
    };
    if has_takes(&columns) {
        return Ok(None);
    }
    let (user, slot) = (user_column(&columns), slot_column(&columns));
    let mut rows = Vec::new();
    while sheet.step()? {
        let value = sheet.number(probability, &columns[probability])?;
        if !(0.0..=1.0).contains(&value) {
            return Err(sheet.error(format!("{} {value} is not between 0 and 1", columns[probability])));
        }
        if sheet.text(item).is_empty() {
            return Err(sheet.error("the row names no item"));
        }
        let slot = slot.filter(|&at| sheet.cell(at).is_filled()).map(|at| position(&sheet, at)).transpose()?;
        rows.push(ProbabilityRow {
            line: sheet.line(),
            user: user.map(|at| sheet.text(at).to_owned()).filter(|text| !text.is_empty()),
            item: sheet.text(item).to_owned(),
            slot: slot.map(|slot| slot as u16),
            probability: value,
        });
    }
    // Slots are counted from 0 or from 1, as in a log.
    if rows.iter().filter_map(|row| row.slot).min().is_some_and(|first| first > 0) {
        rows.iter_mut().for_each(|row| row.slot = row.slot.map(|slot| slot - 1));
    }
    Ok(Some(rows))
}

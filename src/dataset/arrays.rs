//! The rows of a log as arrays, for training in Python.
//!
//! | file | what it is |
//! | --- | --- |
//! | `rows_user.npy`, `rows_item.npy` | i32, numbers of user and item, by user and time |
//! | `rows_rating.npy` | f32, the rating as it is in the log; NaN where there is none |
//! | `rows_time.npy` | i64, the time in milliseconds since 1970 |
//! | `rows_split.npy` | u8: 0 to learn, 1 to choose settings, 2 held out |
//! | `meta.json` | data set, hash, catalogue, counts, share held out |

use super::{Catalogue, Dataset, TrainingLog};
use crate::files::{Number, npy};
use crate::ids::LogUserId;
use std::path::Path;

/// Share of a user's interactions before the cut that is learned; the rest of them chooses settings.
const LEARNED: f64 = 0.9;

/// Writes the rows of `data` into `folder`, which must exist. The last `holdout` of each user's interactions are held out.
///
/// # Errors
/// When a file cannot be written.
pub fn write_arrays(data: &Dataset, holdout: f64, folder: &Path) -> std::io::Result<()> {
    let rows = &data.interactions;
    write(folder, "rows_user", rows.iter().map(|row| row.user.0 as i32))?;
    write(folder, "rows_item", rows.iter().map(|row| row.item.0 as i32))?;
    write(folder, "rows_rating", rows.iter().map(|row| row.rating))?;
    write(folder, "rows_time", rows.iter().map(|row| row.time))?;
    write(folder, "rows_split", parts(data, holdout).into_iter())?;
    let meta = serde_json::json!({
        "data": data.name, "data_hash": data.hash, "catalogue": Catalogue::of(data).hash(),
        "users": data.users.len(), "items": data.items.len(), "rows": rows.len(), "holdout": holdout,
    });
    std::fs::write(folder.join("meta.json"), format!("{meta:#}\n"))
}

fn write<N: Number>(folder: &Path, name: &str, column: impl ExactSizeIterator<Item = N>) -> std::io::Result<()> {
    let rows = column.len();
    std::fs::write(folder.join(format!("{name}.npy")), npy(column, &[rows]))
}

/// The part of each row: the split of [`Dataset::split`], and the last tenth of the rows before the cut.
fn parts(data: &Dataset, holdout: f64) -> Vec<u8> {
    let log = TrainingLog::from_sorted(data.interactions.clone(), data.users.len(), data.items.len());
    let mut parts = Vec::with_capacity(data.interactions.len());
    for user in (0..data.users.len() as u32).map(LogUserId) {
        let count = log.of(user).len();
        let before = |share: f64| (count as f64 * (1.0 - holdout) * share - 1e-9).ceil();
        let (learned, cut) = (before(LEARNED), before(1.0));
        parts.extend((0..count).map(|place| match place as f64 {
            place if place < learned => 0,
            place if place < cut => 1,
            _ => 2,
        }));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_agree_with_the_split_of_the_data_set() {
        let rows = (0..3).flat_map(|user| {
            (0..10 + 7 * user).map(move |step| (format!("u{user}"), format!("i{step}"), None, Some(step)))
        });
        let data = Dataset::from_rows("rows", rows).expect("a data set");
        let parts = parts(&data, 0.2);
        let before = data.split(0.2).before;
        for user in (0..3).map(LogUserId) {
            let own: Vec<u8> = data
                .interactions
                .iter()
                .zip(&parts)
                .filter(|(row, _)| row.user == user)
                .map(|(_, part)| *part)
                .collect();
            assert_eq!(own.iter().filter(|part| **part < 2).count(), before.of(user).len());
            assert!(own.is_sorted() && own.contains(&2), "{own:?}");
        }
        assert_eq!(parts[10..27].iter().filter(|part| **part == 1).count(), 1);
        assert_eq!(parts[..10], [0, 0, 0, 0, 0, 0, 0, 0, 2, 2]);
    }
}

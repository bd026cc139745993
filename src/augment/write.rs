//! Augmented logs as files.
//!
//! The files are tables of our own format, and RecBole's atomic files.

use super::Additions;
use crate::dataset::{Dataset, Interaction, Split};
use crate::files::FileError;
use crate::files::spreadsheet::as_cell;
use crate::ids::LogUserId;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Writes `interactions.csv` (the log before the cut and the additions, with the column `source`), `rejected.csv` (what simulated users
/// were shown and did not take) and `held_out.csv` into an existing folder. Ratings are levels from 1 to 5.
///
/// # Errors
/// When a file cannot be written.
pub fn write_log(folder: &Path, data: &Dataset, split: &Split, added: &Additions) -> Result<(), FileError> {
    let users = || (0..split.before.users() as u32).map(LogUserId);
    table(&folder.join("interactions.csv"), "user_id,item_id,rating,timestamp,source", |line| {
        for (user, added) in users().zip(&added.accepted) {
            for row in split.before.of(user) {
                line(&format!("{},log", cells(data, row)))?;
            }
            for row in added {
                line(&format!("{},added", cells(data, row)))?;
            }
        }
        Ok(())
    })?;
    table(&folder.join("held_out.csv"), "user_id,item_id,rating,timestamp", |line| {
        split.held_out.rows.iter().try_for_each(|row| line(&cells(data, row)))
    })?;
    table(&folder.join("rejected.csv"), "user_id,item_id", |line| {
        for (user, items) in users().zip(&added.rejected) {
            for item in items {
                line(&format!("{},{}", quoted(data.users.external(user.0)), quoted(data.items.external(item.0))))?;
            }
        }
        Ok(())
    })
}

/// Writes `NAME.train.inter`, `NAME.valid.inter` and `NAME.test.inter` into an existing folder: the log without each user's last row
/// and the additions; that row; what was held out. RecBole reads them with `benchmark_filename: ["train", "valid", "test"]`.
///
/// # Errors
/// When a file cannot be written.
pub fn write_recbole(
    folder: &Path,
    name: &str,
    data: &Dataset,
    split: &Split,
    added: &Additions,
) -> Result<(), FileError> {
    const HEADER: &str = "user_id:token\titem_id:token\trating:float\ttimestamp:float";
    let row = |row: &Interaction| {
        let rating = if row.rating.is_finite() { row.rating } else { 1.0 };
        let token = |id: &str| id.replace(['\t', '\n', '\r'], " ");
        let (user, item) = (token(data.users.external(row.user.0)), token(data.items.external(row.item.0)));
        format!("{user}\t{item}\t{rating}\t{}", row.time)
    };
    let file = |part: &str| folder.join(format!("{name}.{part}.inter"));
    let users = || (0..split.before.users() as u32).map(LogUserId);
    table(&file("train"), HEADER, |line| {
        for (user, added) in users().zip(&added.accepted) {
            let own = split.before.of(user);
            own[..own.len().saturating_sub(1)].iter().chain(added).try_for_each(|one| line(&row(one)))?;
        }
        Ok(())
    })?;
    table(&file("valid"), HEADER, |line| {
        users().filter_map(|user| split.before.of(user).last()).try_for_each(|one| line(&row(one)))
    })?;
    table(&file("test"), HEADER, |line| split.held_out.rows.iter().try_for_each(|one| line(&row(one))))
}

/// Writes lines under a header.
fn table(
    path: &Path,
    header: &str,
    rows: impl FnOnce(&mut dyn FnMut(&str) -> std::io::Result<()>) -> std::io::Result<()>,
) -> Result<(), FileError> {
    let write = || -> std::io::Result<()> {
        let mut file = BufWriter::new(std::fs::File::create(path)?);
        let mut line = |text: &str| writeln!(file, "{text}");
        line(header)?;
        rows(&mut line)?;
        file.flush()
    };
    write().map_err(|problem| FileError::whole(path, problem.to_string()))
}

fn cells(data: &Dataset, row: &Interaction) -> String {
    let rating = if row.rating.is_finite() { row.rating.to_string() } else { String::new() };
    let (user, item) = (quoted(data.users.external(row.user.0)), quoted(data.items.external(row.item.0)));
    format!("{user},{item},{rating},{}", row.time)
}

/// An id as a field of a CSV file, guarded against formulas.
fn quoted(text: &str) -> String {
    let text = as_cell(text);
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.into_owned() }
}

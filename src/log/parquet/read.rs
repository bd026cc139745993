//! Reading events back.

use super::{Columns, EMPTY, FIRST_COLUMNS, GROUP_ROWS, Nullable, SCHEMA};
use crate::files::open_regular;
use crate::guard::guarded;
use crate::ids::{ItemId, UserId};
use crate::log::pages::column_reader;
use crate::log::trial_name::entry;
use crate::log::{EventBatch, LogError, REJECTED, TrialName};
use parquet::data_type::{BoolType, DataType, FloatType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::schema::parser::parse_message_type;
use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Reads a file of events tick by tick; a row group is in memory at once.
pub struct EventReader {
    reader: SerializedFileReader<File>,
    path: PathBuf,
    trial: Option<TrialName>,
    group: usize,
    /// Whole batches that were read and not yet taken.
    ready: VecDeque<EventBatch>,
    /// The batch of the last tick of the groups so far, which may continue in the next group.
    open: EventBatch,
}

impl EventReader {
    /// Opens a file.
    ///
    /// # Errors
    /// When it cannot be read or is not one of [`super::ParquetWriter`]'s.
    pub fn open(path: &Path) -> Result<EventReader, LogError> {
        let format = |problem: String| LogError::Format { path: path.to_owned(), problem };
        let file = open_regular(path).map_err(|source| LogError::Io { path: path.to_owned(), source })?;
        let reader = SerializedFileReader::new(file).map_err(|problem| format(problem.to_string()))?;
        let (slate, trial) = check_file(&reader).map_err(format)?;
        let open = EventBatch { slate, ..EventBatch::default() };
        Ok(EventReader { reader, path: path.to_owned(), trial, group: 0, ready: VecDeque::new(), open })
    }

    /// Opens the log of a trial.
    ///
    /// # Errors
    /// As [`EventReader::open`]; when it is the log of another trial.
    pub fn open_trial(path: &Path, wanted: &TrialName) -> Result<EventReader, LogError> {
        let reader = EventReader::open(path)?;
        match &reader.trial {
            Some(found) if found == wanted => Ok(reader),
            Some(found) => {
                Err(reader.problem(format!("it is the log of {found}, not of {wanted}; put back the right file")))
            }
            None => Err(reader.problem(
                "it does not name its policy, replication and seed; an older version wrote it: run the scenario \
                 again"
                    .to_owned(),
            )),
        }
    }

    /// The batch of the next tick that had visitors; `None` at the end.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn step(&mut self) -> Result<Option<EventBatch>, LogError> {
        while self.ready.is_empty() && self.group < self.reader.num_row_groups() {
            let group = || self.reader.get_row_group(self.group).and_then(|group| read_group(group.as_ref()));
            // The library ends in a panic where some numbers of a damaged file are too long.
            let columns = guarded(group).unwrap_or_else(|_| Err(ParquetError::General("a page is damaged".to_owned())));
            let columns = columns.map_err(|problem| self.problem(problem.to_string()))?;
            self.group += 1;
            regroup(&columns, &mut self.open, &mut self.ready).map_err(|problem| self.problem(problem))?;
        }
        if let Some(batch) = self.ready.pop_front() {
            return Ok(Some(batch));
        }
        let slate = self.open.slate;
        let last = std::mem::replace(&mut self.open, EventBatch { slate, ..EventBatch::default() });
        Ok(if last.is_empty() { None } else { Some(last) })
    }

    fn problem(&self, problem: String) -> LogError {
        LogError::Format { path: self.path.clone(), problem }
    }
}

/// Reads a file of events and calls `each` for the batch of every tick that had visitors, in order.
///
/// # Errors
/// When the file cannot be read or is not one of [`super::ParquetWriter`]'s.
pub fn read_batches(path: &Path, mut each: impl FnMut(&EventBatch)) -> Result<(), LogError> {
    let mut reader = EventReader::open(path)?;
    while let Some(batch) = reader.step()? {
        each(&batch);
    }
    Ok(())
}

/// Reads the log of a trial as [`read_batches`] does.
///
/// # Errors
/// When the file cannot be read or is not the log of that trial.
pub fn read_trial(path: &Path, trial: &TrialName, mut each: impl FnMut(&EventBatch)) -> Result<(), LogError> {
    let mut reader = EventReader::open_trial(path, trial)?;
    while let Some(batch) = reader.step()? {
        each(&batch);
    }
    Ok(())
}

/// Checks that the file has the schema of events, and returns the slate size and the trial that it names.
fn check_file(reader: &SerializedFileReader<File>) -> Result<(usize, Option<TrialName>), String> {
    let wanted = parse_message_type(SCHEMA).map_err(|problem| problem.to_string())?;
    let facts = reader.metadata().file_metadata();
    let (found, wanted) = (facts.schema().get_fields(), wanted.get_fields());
    if found.len() < FIRST_COLUMNS || found.len() > wanted.len() || found != &wanted[..found.len()] {
        return Err("its columns are not those of an event log".to_owned());
    }
    let entries = facts.key_value_metadata().map(Vec::as_slice).unwrap_or_default();
    let slate = entry(entries, "slate").and_then(|value| value.parse().ok()).filter(|slate| (1..255).contains(slate));
    let slate = slate.ok_or_else(|| "it has no `recmirror.slate` entry from 1 to 254".to_owned())?;
    Ok((slate, TrialName::read(entries)))
}

fn read_group(group: &dyn RowGroupReader) -> Result<Columns, ParquetError> {
    // The library asserts that places and sizes are not negative; a damaged file must not end the process.
    for column in group.metadata().columns() {
        let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
        if start < 0 || column.compressed_size() < 0 {
            return Err(ParquetError::General(format!(
                "column `{}` has a negative place or size",
                column.column_path()
            )));
        }
    }
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
    let integers = |place: usize| -> Result<Vec<i32>, ParquetError> {
        read_column::<Int32Type>(group, place, rows).map(|(values, _)| values)
    };
    let numbers = |place: usize| -> Result<Nullable<f32>, ParquetError> {
        read_column::<FloatType>(group, place, rows).map(|(values, levels)| Nullable { levels, values })
    };
    let has = |place: usize| place < group.num_columns();
    let propensity = if has(FIRST_COLUMNS) { numbers(FIRST_COLUMNS)? } else { Nullable::absent(rows) };
    let session = if has(FIRST_COLUMNS + 1) {
        let (values, levels) = read_column::<Int32Type>(group, FIRST_COLUMNS + 1, rows)?;
        Nullable { levels, values }
    } else {
        Nullable::absent(rows)
    };
    Ok(Columns {
        tick: integers(2)?,
        user: integers(3)?,
        slot: integers(4)?,
        item: integers(5)?,
        accepted: read_column::<BoolType>(group, 6, rows)?.0,
        rating: numbers(7)?,
        probability: read_column::<FloatType>(group, 8, rows)?.0,
        score: numbers(9)?,
        propensity,
        session,
    })
}

fn read_column<T: DataType>(
    group: &dyn RowGroupReader,
    place: usize,
    rows: usize,
) -> Result<(Vec<T::T>, Vec<i16>), ParquetError> {
    let mut reader = parquet::column::reader::get_typed_column_reader::<T>(column_reader(group, place)?);
    let (mut values, mut levels) = (Vec::with_capacity(rows.min(2 * GROUP_ROWS)), Vec::new());
    let mut read = 0;
    while read < rows {
        let (records, ..) = reader.read_records(rows - read, Some(&mut levels), None, &mut values)?;
        if records == 0 {
            return Err(ParquetError::General(format!("column {place} ends after {read} of {rows} rows")));
        }
        read += records;
    }
    Ok((values, levels))
}

/// Appends the rows of a group to `batch`, which is `ready` whenever a new tick begins.
fn regroup(columns: &Columns, batch: &mut EventBatch, ready: &mut VecDeque<EventBatch>) -> Result<(), String> {
    let (mut ratings, mut scores) = (columns.rating.values.iter(), columns.score.values.iter());
    let (mut propensities, mut sessions) = (columns.propensity.values.iter(), columns.session.values.iter());
    for row in 0..columns.tick.len() {
        let (tick, user) = (columns.tick[row] as u32, UserId(columns.user[row] as u32));
        if tick != batch.tick && !batch.is_empty() {
            let slate = batch.slate;
            ready.push_back(std::mem::replace(batch, EventBatch { slate, ..EventBatch::default() }));
        }
        batch.tick = tick;
        let session = if columns.session.levels[row] == 1 { sessions.next() } else { None };
        if batch.users.last() != Some(&user) {
            start_row(batch, user);
            // Known for all rows of a log or for none.
            batch.sessions.extend(session.map(|&session| session as u32));
        }
        if columns.slot[row] == EMPTY {
            continue;
        }
        let slot = usize::try_from(columns.slot[row]).ok().filter(|&slot| slot < batch.slate);
        let slot = slot.ok_or_else(|| format!("slot {} in a log of {} slots", columns.slot[row], batch.slate))?;
        let place = (batch.users.len() - 1) * batch.slate + slot;
        batch.items[place] = ItemId(columns.item[row] as u32);
        batch.probabilities[place] = columns.probability[row];
        if columns.score.levels[row] == 1 {
            batch.scores[place] = scores.next().copied().unwrap_or(f32::NAN);
        }
        if columns.propensity.levels[row] == 1 {
            batch.propensities[place] = propensities.next().copied().unwrap_or(f32::NAN);
        }
        let rating = if columns.rating.levels[row] == 1 { ratings.next().copied() } else { None };
        if columns.accepted[row] {
            let last = batch.users.len() - 1;
            batch.accepted[last] = slot as u8;
            batch.ratings[last] = rating.unwrap_or(f32::NAN);
        }
    }
    Ok(())
}

fn start_row(batch: &mut EventBatch, user: UserId) {
    batch.users.push(user);
    let slots = batch.users.len() * batch.slate;
    batch.items.resize(slots, ItemId::NONE);
    batch.scores.resize(slots, f32::NAN);
    batch.propensities.resize(slots, f32::NAN);
    batch.probabilities.resize(slots, 0.0);
    batch.accepted.push(REJECTED);
    batch.ratings.push(f32::NAN);
}

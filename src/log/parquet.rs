//! Events as Parquet: one file for each policy and replication, one row for each user, tick and filled slot.
//!
//! A file is written beside its final name and renamed when it is complete. [`read_batches`] gives back the
//! batches bit for bit, so the digest of a stored log can be checked.

use super::pages::column_reader;
use super::{EventBatch, EventSink, LogError, REJECTED};
use crate::ids::{ItemId, UserId};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::writer::ColumnWriterImpl;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, FloatType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows that are collected before they are written.
const GROUP_ROWS: usize = 1 << 19;

/// Rows of the columns whose value never changes that are kept in memory.
const CONSTANT_ROWS: usize = 1 << 12;

const SCHEMA: &str = "message events {
  required binary policy (utf8);
  required int32 replication;
  required int32 tick;
  required int32 user;
  required int32 slot;
  required int32 item;
  required boolean accepted;
  optional float rating;
  required float probability;
  optional float score;
  optional float propensity;
}";

/// The columns that logs of recmirror 0.1 have; the rest may be absent.
const FIRST_COLUMNS: usize = 10;

/// The columns of a row group that is being collected.
#[derive(Default)]
struct Columns {
    tick: Vec<i32>,
    user: Vec<i32>,
    slot: Vec<i32>,
    item: Vec<i32>,
    accepted: Vec<bool>,
    rating: Nullable,
    probability: Vec<f32>,
    score: Nullable,
    propensity: Nullable,
}

/// Numbers of which some are absent: levels (1 = present) and the present values.
#[derive(Default)]
struct Nullable {
    levels: Vec<i16>,
    values: Vec<f32>,
}

impl Nullable {
    fn push(&mut self, value: f32) {
        self.levels.push(i16::from(!value.is_nan()));
        if !value.is_nan() {
            self.values.push(value);
        }
    }

    fn clear(&mut self) {
        self.levels.clear();
        self.values.clear();
    }
}

impl Columns {
    fn push(&mut self, batch: &EventBatch) {
        for (row, user) in batch.users.iter().enumerate() {
            // Empty slots stand at the end of a slate only.
            let slots = batch.slate_of(row).iter().take_while(|item| item.is_some()).count();
            let place = row * batch.slate;
            let shown = place..place + slots;
            let length = self.tick.len() + slots;
            self.tick.resize(length, batch.tick as i32);
            self.user.resize(length, user.0 as i32);
            self.slot.extend(0..slots as i32);
            self.item.extend(batch.items[shown.clone()].iter().map(|item| item.0 as i32));
            self.probability.extend_from_slice(&batch.probabilities[shown.clone()]);
            batch.scores[shown.clone()].iter().for_each(|&score| self.score.push(score));
            // A batch that was not made by a simulation may lack them.
            let propensity = |place: usize| batch.propensities.get(place).copied().unwrap_or(f32::NAN);
            shown.for_each(|place| self.propensity.push(propensity(place)));
            let start = self.accepted.len();
            self.accepted.resize(length, false);
            self.rating.levels.resize(length, 0);
            if batch.accepted[row] != REJECTED {
                let accepted = start + usize::from(batch.accepted[row]);
                self.accepted[accepted] = true;
                if !batch.ratings[row].is_nan() {
                    self.rating.levels[accepted] = 1;
                    self.rating.values.push(batch.ratings[row]);
                }
            }
        }
    }

    fn clear(&mut self) {
        for column in [&mut self.tick, &mut self.user, &mut self.slot, &mut self.item] {
            column.clear();
        }
        self.accepted.clear();
        self.probability.clear();
        self.rating.clear();
        self.score.clear();
        self.propensity.clear();
    }
}

/// Writes one replication's events under one policy.
pub struct ParquetWriter {
    path: PathBuf,
    partial: PathBuf,
    policy: Vec<ByteArray>,
    replication: Vec<i32>,
    columns: Columns,
    writer: Option<SerializedFileWriter<File>>,
}

impl ParquetWriter {
    /// Starts a file that will be named `path` when it is complete.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: &Path, policy: &str, replication: u32, slate: usize) -> Result<ParquetWriter, LogError> {
        let partial = path.with_extension("parquet.partial");
        let file = File::create(&partial).map_err(|source| LogError::Io { path: partial.clone(), source })?;
        let fail = |problem: ParquetError| LogError::Format { path: path.to_owned(), problem: problem.to_string() };
        let schema = Arc::new(parse_message_type(SCHEMA).map_err(fail)?);
        let facts =
            [("policy", policy.to_owned()), ("replication", replication.to_string()), ("slate", slate.to_string())];
        let facts = facts.map(|(key, value)| KeyValue::new(format!("recmirror.{key}"), value));
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::UNCOMPRESSED)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_key_value_metadata(Some(facts.to_vec()));
        // Numbers that count up pack into a few bits as differences; probabilities and scores hardly repeat, so that a
        // dictionary would only cost time.
        for name in ["replication", "tick", "user", "slot", "item", "probability", "score", "propensity"] {
            let column = ColumnPath::from(name);
            let plain = matches!(name, "probability" | "score" | "propensity");
            let encoding = if plain { Encoding::PLAIN } else { Encoding::DELTA_BINARY_PACKED };
            properties = properties.set_column_dictionary_enabled(column.clone(), false);
            properties = properties.set_column_encoding(column, encoding);
        }
        // Propensities have few values, 1 above all.
        let level = Compression::ZSTD(ZstdLevel::default());
        properties = properties.set_column_compression(ColumnPath::from("propensity"), level);
        let writer = SerializedFileWriter::new(file, schema, Arc::new(properties.build())).map_err(fail)?;
        let policy = ByteArray::from(policy.as_bytes().to_vec());
        let columns = Columns::default();
        Ok(ParquetWriter {
            path: path.to_owned(),
            partial,
            policy: vec![policy; CONSTANT_ROWS],
            replication: vec![replication as i32; CONSTANT_ROWS],
            columns,
            writer: Some(writer),
        })
    }

    fn flush(&mut self) -> Result<(), LogError> {
        let rows = self.columns.tick.len();
        let Some(writer) = self.writer.as_mut().filter(|_| rows > 0) else { return Ok(()) };
        let written = write_group(writer, &self.columns, &self.policy, &self.replication);
        self.columns.clear();
        written.map_err(|problem| LogError::Format { path: self.partial.clone(), problem: problem.to_string() })
    }
}

fn write_group(
    writer: &mut SerializedFileWriter<File>,
    columns: &Columns,
    policy: &[ByteArray],
    replication: &[i32],
) -> Result<(), ParquetError> {
    let rows = columns.tick.len();
    let mut group = writer.next_row_group()?;
    let some = |group: &mut SerializedRowGroupWriter<'_, File>, numbers: &Nullable| {
        column::<FloatType>(group, |column| column.write_batch(&numbers.values, Some(&numbers.levels), None))
    };
    column::<ByteArrayType>(&mut group, |column| {
        constant(rows, |rows| column.write_batch(&policy[..rows], None, None))
    })?;
    column::<Int32Type>(&mut group, |column| {
        constant(rows, |rows| column.write_batch(&replication[..rows], None, None))
    })?;
    for values in [&columns.tick, &columns.user, &columns.slot, &columns.item] {
        column::<Int32Type>(&mut group, |column| column.write_batch(values, None, None))?;
    }
    column::<BoolType>(&mut group, |column| column.write_batch(&columns.accepted, None, None))?;
    some(&mut group, &columns.rating)?;
    column::<FloatType>(&mut group, |column| column.write_batch(&columns.probability, None, None))?;
    some(&mut group, &columns.score)?;
    some(&mut group, &columns.propensity)?;
    group.close()?;
    Ok(())
}

/// Writes `rows` rows of a column whose value never changes, a part at a time.
fn constant(rows: usize, mut write: impl FnMut(usize) -> Result<usize, ParquetError>) -> Result<usize, ParquetError> {
    let mut left = rows;
    while left > 0 {
        left -= write(left.min(CONSTANT_ROWS))?;
    }
    Ok(rows)
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    write: impl FnOnce(&mut ColumnWriterImpl<'_, T>) -> Result<usize, ParquetError>,
) -> Result<(), ParquetError> {
    let missing = || ParquetError::General("fewer columns than the schema has".to_owned());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    write(column.typed::<T>())?;
    column.close()
}

impl EventSink for ParquetWriter {
    fn write(&mut self, batch: &EventBatch) -> Result<(), LogError> {
        self.columns.push(batch);
        if self.columns.tick.len() >= GROUP_ROWS { self.flush() } else { Ok(()) }
    }

    fn finish(&mut self) -> Result<(), LogError> {
        self.flush()?;
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let closed = writer.close();
        closed.map_err(|problem| LogError::Format { path: self.partial.clone(), problem: problem.to_string() })?;
        std::fs::rename(&self.partial, &self.path).map_err(|source| LogError::Io { path: self.path.clone(), source })
    }
}

impl Drop for ParquetWriter {
    /// What was not finished is of no use.
    fn drop(&mut self) {
        if self.writer.take().is_some() {
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

/// Reads a file of events and calls `each` for the batch of every tick that had visitors, in order.
///
/// # Errors
/// When the file cannot be read or is not one of [`ParquetWriter`]'s.
pub fn read_batches(path: &Path, mut each: impl FnMut(&EventBatch)) -> Result<(), LogError> {
    let format = |problem: String| LogError::Format { path: path.to_owned(), problem };
    let file = File::open(path).map_err(|source| LogError::Io { path: path.to_owned(), source })?;
    let reader = SerializedFileReader::new(file).map_err(|problem| format(problem.to_string()))?;
    let slate = check_file(&reader).map_err(format)?;
    let mut batch = EventBatch { slate, ..EventBatch::default() };
    for number in 0..reader.num_row_groups() {
        let columns = reader.get_row_group(number).and_then(|group| read_group(group.as_ref()));
        let columns = columns.map_err(|problem| format(problem.to_string()))?;
        regroup(&columns, &mut batch, &mut each).map_err(format)?;
    }
    if !batch.is_empty() {
        each(&batch);
    }
    Ok(())
}

/// Checks that the file has the schema of events and gives the slate size.
fn check_file(reader: &SerializedFileReader<File>) -> Result<usize, String> {
    let wanted = parse_message_type(SCHEMA).map_err(|problem| problem.to_string())?;
    let facts = reader.metadata().file_metadata();
    let (found, wanted) = (facts.schema().get_fields(), wanted.get_fields());
    if found.len() < FIRST_COLUMNS || found.len() > wanted.len() || found != &wanted[..found.len()] {
        return Err("its columns are not those of an event log".to_owned());
    }
    let entries = facts.key_value_metadata().map(Vec::as_slice).unwrap_or_default();
    let slate = entries.iter().find(|entry| entry.key == "recmirror.slate").and_then(|entry| entry.value.as_deref());
    let slate = slate.and_then(|value| value.parse().ok()).filter(|slate| (1..255).contains(slate));
    slate.ok_or_else(|| "it has no `recmirror.slate` entry from 1 to 254".to_owned())
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
    let numbers = |place: usize| -> Result<Nullable, ParquetError> {
        read_column::<FloatType>(group, place, rows).map(|(values, levels)| Nullable { levels, values })
    };
    let propensity = if group.num_columns() > FIRST_COLUMNS {
        numbers(FIRST_COLUMNS)?
    } else {
        Nullable { levels: vec![0; rows], values: Vec::new() }
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

/// Appends the rows of a group to `batch`, handing it over whenever a new tick begins.
fn regroup(columns: &Columns, batch: &mut EventBatch, each: &mut impl FnMut(&EventBatch)) -> Result<(), String> {
    let (mut ratings, mut scores) = (columns.rating.values.iter(), columns.score.values.iter());
    let mut propensities = columns.propensity.values.iter();
    for row in 0..columns.tick.len() {
        let (tick, user) = (columns.tick[row] as u32, UserId(columns.user[row] as u32));
        if tick != batch.tick && !batch.is_empty() {
            each(batch);
            *batch = EventBatch { slate: batch.slate, ..EventBatch::default() };
        }
        batch.tick = tick;
        if batch.users.last() != Some(&user) {
            start_row(batch, user);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::DigestState;

    fn batch(tick: u32) -> EventBatch {
        EventBatch {
            tick,
            slate: 2,
            users: vec![UserId(0), UserId(3)],
            items: vec![ItemId(5), ItemId(6), ItemId(7), ItemId::NONE],
            scores: vec![0.5, f32::NAN, -0.0, f32::NAN],
            propensities: vec![f32::NAN, 0.125, 1.0, f32::NAN],
            probabilities: vec![0.25, 0.5, 1e-30, 0.0],
            accepted: vec![1, REJECTED],
            ratings: vec![4.0, f32::NAN],
        }
    }

    fn digest(batches: &[EventBatch]) -> String {
        let mut state = DigestState::default();
        batches.iter().for_each(|batch| state.update(batch));
        state.finish().to_string()
    }

    #[test]
    fn what_is_written_is_read_back_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.parquet");
        let mut writer = ParquetWriter::create(&path, "random", 2, 2).unwrap();
        let empty = EventBatch { tick: 1, slate: 2, ..EventBatch::default() };
        let batches = [batch(0), empty, batch(2)];
        for batch in &batches {
            writer.write(batch).unwrap();
        }
        assert!(!path.exists(), "the final name appears only when the file is complete");
        drop(ParquetWriter::create(&folder.path().join("broken-off.parquet"), "random", 2, 2).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "what is not finished leaves nothing behind");
        writer.finish().unwrap();
        let mut found = Vec::new();
        read_batches(&path, |batch| found.push(batch.clone())).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(digest(&found), digest(&batches));
        let bits = |batch: &EventBatch| batch.propensities.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&found[0]), bits(&batch(0)), "the digest leaves propensities out");
    }

    #[test]
    fn foreign_and_broken_files_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.parquet");
        std::fs::write(&path, b"not parquet at all").unwrap();
        assert!(matches!(read_batches(&path, |_| ()), Err(LogError::Format { .. })));
        assert!(matches!(read_batches(&folder.path().join("none"), |_| ()), Err(LogError::Io { .. })));
        let mut writer = ParquetWriter::create(&path, "random", 0, 2).unwrap();
        writer.write(&batch(0)).unwrap();
        writer.finish().unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in [whole.len() / 3, whole.len() - 9] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert!(read_batches(&path, |_| ()).is_err());
        }
    }
}

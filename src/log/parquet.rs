//! Events as Parquet.
//!
//! One file for each policy and replication, one row for each user, tick and filled slot. A visit without a shown item
//! has one row, too, with slot and item -1.
//!
//! A file is written beside its final name and renamed when it is complete. [`read_batches`] returns the batches bit
//! for bit, so the digest of a stored log can be checked.

mod read;

pub use self::read::{EventReader, read_batches, read_trial};

use super::{EventBatch, EventSink, LogError, REJECTED, TrialName};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::writer::ColumnWriterImpl;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, FloatType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
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
  optional int32 session;
}";

/// Slot and item in the row of a visit without a shown item.
const EMPTY: i32 = -1;

/// The columns that all logs have; the rest may be absent, in this order.
const FIRST_COLUMNS: usize = 10;

/// The columns of a row group that is being collected.
#[derive(Default)]
struct Columns {
    tick: Vec<i32>,
    user: Vec<i32>,
    slot: Vec<i32>,
    item: Vec<i32>,
    accepted: Vec<bool>,
    rating: Nullable<f32>,
    probability: Vec<f32>,
    score: Nullable<f32>,
    propensity: Nullable<f32>,
    session: Nullable<i32>,
}

/// Optional numbers: levels (1 = present) and the present values.
struct Nullable<T> {
    levels: Vec<i16>,
    values: Vec<T>,
}

impl<T> Default for Nullable<T> {
    fn default() -> Self {
        Nullable { levels: Vec::new(), values: Vec::new() }
    }
}

impl Nullable<f32> {
    fn push(&mut self, value: f32) {
        self.levels.push(i16::from(!value.is_nan()));
        if !value.is_nan() {
            self.values.push(value);
        }
    }
}

impl<T: Clone> Nullable<T> {
    /// A column that a file does not have.
    fn absent(rows: usize) -> Self {
        Nullable { levels: vec![0; rows], values: Vec::new() }
    }

    /// Adds a value `count` times.
    fn repeat(&mut self, value: Option<T>, count: usize) {
        self.levels.resize(self.levels.len() + count, i16::from(value.is_some()));
        if let Some(value) = value {
            self.values.resize(self.values.len() + count, value);
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
            // Empty slots are at the end of a slate only.
            let slots = batch.slate_of(row).iter().take_while(|item| item.is_some()).count();
            if slots == 0 {
                self.push_empty(batch, row);
                continue;
            }
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
            self.session.repeat(batch.session_of(row).map(|session| session as i32), slots);
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

    /// The single row of a visit without a shown item.
    fn push_empty(&mut self, batch: &EventBatch, row: usize) {
        self.tick.push(batch.tick as i32);
        self.user.push(batch.users[row].0 as i32);
        self.slot.push(EMPTY);
        self.item.push(EMPTY);
        self.accepted.push(false);
        self.probability.push(0.0);
        [&mut self.rating, &mut self.score, &mut self.propensity].into_iter().for_each(|column| column.push(f32::NAN));
        self.session.repeat(batch.session_of(row).map(|session| session as i32), 1);
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
        self.session.clear();
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
    /// Starts a file that will be named `path` when it is complete, and records its trial.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: &Path, trial: &TrialName, slate: usize) -> Result<ParquetWriter, LogError> {
        let partial = path.with_extension("parquet.partial");
        let file = File::create(&partial).map_err(|source| LogError::Io { path: partial.clone(), source })?;
        let fail = |problem: ParquetError| LogError::Format { path: path.to_owned(), problem: problem.to_string() };
        let schema = Arc::new(parse_message_type(SCHEMA).map_err(fail)?);
        let mut facts = trial.entries().to_vec();
        facts.push(KeyValue::new("recmirror.slate".to_owned(), slate.to_string()));
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::UNCOMPRESSED)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_key_value_metadata(Some(facts));
        // Numbers that count up pack into a few bits as differences; probabilities and scores hardly repeat, so that a
        // dictionary would only cost time.
        for name in ["replication", "tick", "user", "slot", "item", "probability", "score", "propensity", "session"] {
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
        let policy = ByteArray::from(trial.policy.as_bytes().to_vec());
        let columns = Columns::default();
        Ok(ParquetWriter {
            path: path.to_owned(),
            partial,
            policy: vec![policy; CONSTANT_ROWS],
            replication: vec![trial.replication as i32; CONSTANT_ROWS],
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
    let some = |group: &mut SerializedRowGroupWriter<'_, File>, numbers: &Nullable<f32>| {
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
    let (levels, sessions) = (&columns.session.levels, &columns.session.values);
    column::<Int32Type>(&mut group, |column| column.write_batch(sessions, Some(levels), None))?;
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
    /// An unfinished file is of no use.
    fn drop(&mut self) {
        if self.writer.take().is_some() {
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ItemId, UserId};
    use crate::log::DigestState;

    fn batch(tick: u32) -> EventBatch {
        EventBatch {
            tick,
            slate: 2,
            users: vec![UserId(0), UserId(3)],
            sessions: vec![2, 1],
            items: vec![ItemId(5), ItemId(6), ItemId(7), ItemId::NONE],
            scores: vec![0.5, f32::NAN, -0.0, f32::NAN],
            propensities: vec![f32::NAN, 0.125, 1.0, f32::NAN],
            probabilities: vec![0.25, 0.5, 1e-30, 0.0],
            accepted: vec![1, REJECTED],
            ratings: vec![4.0, f32::NAN],
        }
    }

    fn trial(replication: u32) -> TrialName {
        TrialName { policy: "random".to_owned(), replication, seed: u64::MAX }
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
        let mut writer = ParquetWriter::create(&path, &trial(2), 2).unwrap();
        let empty = EventBatch { tick: 1, slate: 2, ..EventBatch::default() };
        let batches = [batch(0), empty, batch(2)];
        for batch in &batches {
            writer.write(batch).unwrap();
        }
        assert!(!path.exists(), "the final name appears only when the file is complete");
        drop(ParquetWriter::create(&folder.path().join("broken-off.parquet"), &trial(2), 2).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "what is not finished leaves nothing behind");
        writer.finish().unwrap();
        let mut found = Vec::new();
        read_batches(&path, |batch| found.push(batch.clone())).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(digest(&found), digest(&batches));
        let bits = |batch: &EventBatch| batch.propensities.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&found[0]), bits(&batch(0)), "the digest leaves propensities out");
        assert_eq!(found[1].sessions, [2, 1], "and sessions");
    }

    #[test]
    fn a_log_names_its_trial() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.parquet");
        let mut writer = ParquetWriter::create(&path, &trial(2), 2).unwrap();
        writer.write(&batch(0)).unwrap();
        writer.finish().unwrap();
        read_trial(&path, &trial(2), |_| ()).unwrap();
        let others =
            [TrialName { policy: "popular".to_owned(), ..trial(2) }, trial(0), TrialName { seed: 5, ..trial(2) }];
        for other in others {
            let problem = read_trial(&path, &other, |_| ()).unwrap_err().to_string();
            let expected = format!("it is the log of {}, not of {other}", trial(2));
            assert!(problem.contains(&expected), "{problem}");
        }
        write_old(&path, &batch(3), FIRST_COLUMNS);
        let problem = read_trial(&path, &trial(2), |_| ()).unwrap_err().to_string();
        assert!(problem.contains("does not name its policy"), "{problem}");
    }

    #[test]
    fn logs_without_the_newer_columns_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.parquet");
        let old = EventBatch { propensities: Vec::new(), sessions: Vec::new(), ..batch(3) };
        for columns in [FIRST_COLUMNS, FIRST_COLUMNS + 1] {
            write_old(&path, &old, columns);
            let mut found = Vec::new();
            read_batches(&path, |batch| found.push(batch.clone())).unwrap();
            assert_eq!((found.len(), digest(&found)), (1, digest(std::slice::from_ref(&old))), "{columns} columns");
            assert!(found[0].sessions.is_empty() && found[0].propensities.iter().all(|value| value.is_nan()));
        }
    }

    /// A log as a version with fewer columns wrote it.
    fn write_old(path: &Path, batch: &EventBatch, columns: usize) {
        let mut lines: Vec<&str> = SCHEMA.lines().take(columns + 1).collect();
        lines.push("}");
        let schema = Arc::new(parse_message_type(&lines.join("\n")).unwrap());
        let slate = KeyValue::new("recmirror.slate".to_owned(), batch.slate.to_string());
        let properties = WriterProperties::builder().set_key_value_metadata(Some(vec![slate])).build();
        let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::new(properties)).unwrap();
        let mut all = Columns::default();
        all.push(batch);
        let rows = all.tick.len();
        let mut group = writer.next_row_group().unwrap();
        let policy = vec![ByteArray::from("random"); rows];
        column::<ByteArrayType>(&mut group, |column| column.write_batch(&policy, None, None)).unwrap();
        for values in [&vec![0; rows], &all.tick, &all.user, &all.slot, &all.item] {
            column::<Int32Type>(&mut group, |column| column.write_batch(values, None, None)).unwrap();
        }
        column::<BoolType>(&mut group, |column| column.write_batch(&all.accepted, None, None)).unwrap();
        let probability = Nullable { levels: Vec::new(), values: all.probability };
        for (place, numbers) in [&all.rating, &probability, &all.score, &all.propensity].into_iter().enumerate() {
            if 7 + place < columns {
                let levels = (place != 1).then_some(numbers.levels.as_slice());
                column::<FloatType>(&mut group, |column| column.write_batch(&numbers.values, levels, None)).unwrap();
            }
        }
        group.close().unwrap();
        writer.close().unwrap();
    }

    #[test]
    fn foreign_and_broken_files_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.parquet");
        std::fs::write(&path, b"not parquet at all").unwrap();
        assert!(matches!(read_batches(&path, |_| ()), Err(LogError::Format { .. })));
        assert!(matches!(read_batches(&folder.path().join("none"), |_| ()), Err(LogError::Io { .. })));
        let mut writer = ParquetWriter::create(&path, &trial(0), 2).unwrap();
        writer.write(&batch(0)).unwrap();
        writer.finish().unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in [whole.len() / 3, whole.len() - 9] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert!(read_batches(&path, |_| ()).is_err());
        }
    }
}

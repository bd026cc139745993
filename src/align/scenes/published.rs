//! Evaluation sets of the paper's authors, in Parquet.
//!
//! `text` is a group (`profile`, `history`, `action_list`), times are nanoseconds, and `impression_list` has the ids of
//! the listed items if the log stated them. Files packed with Snappy or Zstandard can be read.

use crate::files::{FileError, open_regular};
use crate::guard::guarded;
use crate::pipeline::SceneRecord;
use parquet::basic::{LogicalType, TimeUnit};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use parquet::schema::types::Type;
use serde_json::{Map, Value};
use std::path::Path;

/// The unit of the file's times, as units in a millisecond.
type Scale = i64;

/// True if a file has this form.
pub(super) fn is_published(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "parquet")
}

/// Calls `see` with each scene and its row number, counted from 1.
pub(super) fn each_scene(
    path: &Path,
    see: &mut dyn FnMut(u64, SceneRecord) -> Result<(), FileError>,
) -> Result<(), FileError> {
    // The Parquet library panics on some kinds of damage, which becomes an error here.
    guarded(|| read(path, see)).unwrap_or_else(|_| Err(FileError::whole(path, "the file is damaged")))
}

fn read(path: &Path, see: &mut dyn FnMut(u64, SceneRecord) -> Result<(), FileError>) -> Result<(), FileError> {
    let wrong =
        |problem: parquet::errors::ParquetError| FileError::whole(path, format!("no scenes in Parquet: {problem}"));
    let file = open_regular(path).map_err(|problem| match problem.kind() {
        std::io::ErrorKind::NotFound => {
            FileError::Missing { path: path.to_owned(), remedy: "name a file of scenes".to_owned() }
        }
        _ => FileError::read(path, problem),
    })?;
    let reader = SerializedFileReader::new(file).map_err(wrong)?;
    let scale = scale(reader.metadata().file_metadata().schema());
    for (place, row) in reader.get_row_iter(None).map_err(wrong)?.enumerate() {
        let number = place as u64 + 1;
        let value = scene(&row.map_err(wrong)?, scale);
        let record = serde_json::from_value(value);
        let record = record.map_err(|problem| FileError::line(path, number, format!("not a scene: {problem}")))?;
        see(number, record)?;
    }
    Ok(())
}

/// The unit of the column `timestamp`.
fn scale(schema: &Type) -> Scale {
    let column = schema.get_fields().iter().find(|column| column.name() == "timestamp");
    match column.and_then(|column| column.get_basic_info().logical_type_ref()) {
        Some(LogicalType::Timestamp(time)) if time.unit == TimeUnit::NANOS => 1_000_000,
        Some(LogicalType::Timestamp(time)) if time.unit == TimeUnit::MICROS => 1_000,
        _ => 1,
    }
}

fn scene(row: &Row, scale: Scale) -> Value {
    let mut scene = object(row);
    if let Some(Value::Number(time)) = scene.get("timestamp") {
        let milliseconds = time.as_i64().map(|time| time.div_euclid(scale));
        scene.insert("timestamp".to_owned(), milliseconds.into());
    }
    // The impressions are the list if they have its length and the real item at its position.
    if let Some(Value::Array(ids)) = scene.get("impression_list") {
        let place = scene.get("item_pos").and_then(Value::as_u64).and_then(|place| usize::try_from(place).ok());
        let is_list = scene.get("choice_cnt").and_then(Value::as_u64) == Some(ids.len() as u64);
        let fits = is_list && place.and_then(|place| ids.get(place)) == scene.get("item_id");
        let ids = ids.clone();
        if fits && !scene.contains_key("items") {
            scene.insert("items".to_owned(), Value::Array(ids));
        }
    }
    Value::Object(scene)
}

fn object(row: &Row) -> Map<String, Value> {
    row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect()
}

fn value(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(value) => (*value).into(),
        Field::Byte(value) => (*value).into(),
        Field::Short(value) => (*value).into(),
        Field::Int(value) => (*value).into(),
        Field::Long(value) | Field::TimestampMillis(value) | Field::TimestampMicros(value) => (*value).into(),
        Field::UByte(value) => (*value).into(),
        Field::UShort(value) => (*value).into(),
        Field::UInt(value) => (*value).into(),
        Field::ULong(value) => (*value).into(),
        Field::Double(value) => (*value).into(),
        Field::Str(text) => text.as_str().into(),
        Field::Group(row) => Value::Object(object(row)),
        Field::ListInternal(list) => Value::Array(list.elements().iter().map(value).collect()),
        other => other.to_string().into(),
    }
}

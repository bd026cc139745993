//! JSON lines: one record a line.

use super::{Cell, Form};
use crate::files::{FileError, Source};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

/// Records whose names are collected before the first row is passed.
const LOOKED_AT: usize = 1_000;

/// Records in records that get columns of their own; what is deeper is one text.
pub(super) const DEEPEST: usize = 8;

pub(super) struct Objects {
    source: Source,
    places: HashMap<String, usize>,
    is_nested: bool,
}

/// The names and values of one record in their order.
struct Record(Vec<(String, Value)>);

impl Objects {
    pub(super) fn open(path: &Path, form: Form<'_>, columns: &mut Vec<String>) -> Result<Objects, FileError> {
        let is_nested = form.is_nested;
        let mut looking = Objects { source: Source::open(path, "")?, places: HashMap::new(), is_nested };
        let (mut cells, mut line) = (Vec::new(), 0);
        for _ in 0..LOOKED_AT {
            if !looking.step(columns, &mut cells, &mut line)? {
                break;
            }
        }
        Ok(Objects { source: Source::open(path, "")?, places: looking.places, is_nested })
    }

    pub(super) fn taken(&self) -> u64 {
        self.source.taken()
    }

    pub(super) fn step(
        &mut self,
        columns: &mut Vec<String>,
        cells: &mut Vec<Cell>,
        line: &mut u64,
    ) -> Result<bool, FileError> {
        if !self.source.advance()? {
            return Ok(false);
        }
        *line = self.source.line();
        let record = parse(self.source.bytes()).map_err(|problem| {
            let message = problem.to_string();
            let place = format!(" at line {} column {}", problem.line(), problem.column());
            let message = message.strip_suffix(&place).unwrap_or(&message);
            let remedy = if problem.is_eof() {
                "; write one record a line (`jq -c .`), or fetch a file that is cut off again"
            } else {
                ""
            };
            self.source.error(format!("not a valid JSON record: {message} (column {}){remedy}", problem.column()))
        })?;
        cells.iter_mut().for_each(|cell| *cell = Cell::Missing);
        for (name, value) in record.0 {
            self.put(name, value, DEEPEST, columns, cells);
        }
        Ok(true)
    }

    /// Writes a value into its column; a record, where it is asked, into those of its parts.
    fn put(&mut self, name: String, value: Value, depth: usize, columns: &mut Vec<String>, cells: &mut Vec<Cell>) {
        match value {
            Value::Object(parts) if self.is_nested && depth > 0 => {
                for (part, value) in parts {
                    self.put(format!("{name}.{part}"), value, depth - 1, columns, cells);
                }
                return;
            }
            // Its parts are missing, too.
            Value::Null if self.is_nested && !self.places.contains_key(&name) => return,
            _ => {}
        }
        let place = match self.places.get(&name) {
            Some(&place) => place,
            None => {
                columns.push(name.clone());
                self.places.insert(name, columns.len() - 1);
                columns.len() - 1
            }
        };
        if cells.len() <= place {
            cells.resize(place + 1, Cell::Missing);
        }
        cells[place] = cell(value);
    }
}

fn cell(value: Value) -> Cell {
    match value {
        Value::Null => Cell::Missing,
        Value::String(text) => Cell::Text(text),
        Value::Array(values) => {
            let entries = values.into_iter().filter(|value| !value.is_null());
            Cell::List(entries.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect())
        }
        other => Cell::Text(other.to_string()),
    }
}

/// Like a map of `serde_json`, which would sort the names.
fn parse(bytes: &[u8]) -> Result<Record, serde_json::Error> {
    struct Fields;
    impl<'de> Visitor<'de> for Fields {
        type Value = Record;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a record of names and values")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record, A::Error> {
            let mut fields = Vec::new();
            while let Some(field) = map.next_entry()? {
                fields.push(field);
            }
            Ok(Record(fields))
        }
    }
    let mut input = serde_json::Deserializer::from_slice(bytes);
    let record = input.deserialize_map(Fields)?;
    input.end()?;
    Ok(record)
}

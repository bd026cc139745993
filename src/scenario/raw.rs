//! The raw form of a scenario file, with lines.

use super::error::{Place, Problem};
use crate::params::short;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A table as written, entries in the order of the file.
#[derive(Clone, Debug)]
pub(super) struct RawTable {
    pub place: Place,
    pub entries: Vec<RawEntry>,
}

/// A key of a table with its value.
#[derive(Clone, Debug)]
pub(super) struct RawEntry {
    pub name: String,
    pub place: Place,
    pub value: RawValue,
}

/// A value as written. Numbers keep their text for messages.
#[derive(Clone, Debug)]
pub(super) enum RawValue {
    Text(String),
    /// `None` if the number does not fit.
    Integer(Option<i64>, String),
    Number(f64, String),
    Bool(bool),
    Date(String),
    List(Vec<RawItem>),
    Table(RawTable),
    /// The text of a `--set`, whose type depends on the key.
    Argument(String),
}

/// A value of a list.
#[derive(Clone, Debug)]
pub(super) struct RawItem {
    pub place: Place,
    pub value: RawValue,
}

impl RawTable {
    pub fn empty(place: Place) -> RawTable {
        RawTable { place, entries: Vec::new() }
    }

    pub fn get(&self, name: &str) -> Option<&RawEntry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// Sets a key, replacing any earlier value.
    pub fn set(&mut self, entry: RawEntry) {
        match self.entries.iter_mut().find(|known| known.name == entry.name) {
            Some(known) => *known = entry,
            None => self.entries.push(entry),
        }
    }

    /// The text of a key, if it is text and not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        match &self.get(name)?.value {
            RawValue::Text(text) | RawValue::Argument(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }
}

impl RawValue {
    pub fn table(&self) -> Option<&RawTable> {
        match self {
            RawValue::Table(table) => Some(table),
            _ => None,
        }
    }

    pub fn table_mut(&mut self) -> Option<&mut RawTable> {
        match self {
            RawValue::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The value in the words of a message.
    pub fn describe(&self) -> String {
        match self {
            RawValue::Text(text) => format!("\"{}\"", short(text)),
            RawValue::Integer(_, text) | RawValue::Number(_, text) => short(text),
            RawValue::Bool(value) => value.to_string(),
            RawValue::Date(text) => format!("the date {text}"),
            RawValue::List(items) if !items.is_empty() && items.iter().all(|item| item.value.table().is_some()) => {
                "a list of tables".to_owned()
            }
            RawValue::List(_) => "a list".to_owned(),
            RawValue::Table(_) => "a table".to_owned(),
            RawValue::Argument(text) if text.is_empty() => "nothing".to_owned(),
            RawValue::Argument(text) => format!("\"{}\"", short(text)),
        }
    }
}

/// Parses TOML text. Syntax errors do not stop it: the readable part is returned with them.
pub(super) fn parse(text: &str) -> (RawTable, Vec<Problem>) {
    let lines = Lines::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let problems = errors.iter().map(|error| {
        let span = error.span().unwrap_or_default();
        let message = match (error.message(), text.get(span.clone())) {
            ("duplicate key", Some(key)) => format!("`{}` is written twice; remove one of the two", short(key)),
            (message, _) => message.to_owned(),
        };
        Problem { place: lines.place(span.start), message }
    });
    let problems = problems.collect();
    (convert_table(table.get_ref(), Place::Line(1), &lines, 0), problems)
}

/// Parses one TOML value, as given to `--set`.
pub(super) fn parse_value(text: &str, place: &Place) -> Option<RawValue> {
    let value = DeValue::parse(text).ok()?;
    Some(convert(value.get_ref(), &Lines::Nowhere(place.clone()), place.clone(), 0))
}

/// Converts offsets to lines.
enum Lines {
    Starts(Vec<usize>),
    Nowhere(Place),
}

impl Lines {
    fn new(text: &str) -> Lines {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(offset, _)| offset + 1);
        Lines::Starts(std::iter::once(0).chain(breaks).collect())
    }

    fn place(&self, offset: usize) -> Place {
        match self {
            Lines::Starts(starts) => Place::Line(starts.partition_point(|start| *start <= offset).max(1)),
            Lines::Nowhere(place) => place.clone(),
        }
    }
}

fn convert_table(table: &DeTable<'_>, place: Place, lines: &Lines, depth: usize) -> RawTable {
    // No key is deeper than a few tables; dotted keys could otherwise nest deeply enough to overflow the stack.
    const DEEPEST: usize = 8;
    if depth > DEEPEST {
        return RawTable::empty(place);
    }
    let mut pairs: Vec<_> = table.iter().collect();
    pairs.sort_by_key(|(name, _)| name.span().start);
    let entry = |(name, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let place = lines.place(name.span().start);
        let value = convert(value.get_ref(), lines, place.clone(), depth + 1);
        RawEntry { name: String::from(AsRef::<str>::as_ref(name.get_ref())), place, value }
    };
    RawTable { place, entries: pairs.into_iter().map(entry).collect() }
}

fn convert(value: &DeValue<'_>, lines: &Lines, place: Place, depth: usize) -> RawValue {
    match value {
        DeValue::String(text) => RawValue::Text(text.to_string()),
        DeValue::Integer(whole) => {
            RawValue::Integer(i64::from_str_radix(whole.as_str(), whole.radix()).ok(), whole.to_string())
        }
        DeValue::Float(number) => {
            RawValue::Number(number.as_str().parse().unwrap_or(f64::NAN), number.as_str().to_owned())
        }
        DeValue::Boolean(value) => RawValue::Bool(*value),
        DeValue::Datetime(date) => RawValue::Date(date.to_string()),
        DeValue::Array(_) if depth > 8 => RawValue::List(Vec::new()),
        DeValue::Array(items) => RawValue::List(
            items
                .iter()
                .map(|item| {
                    let place = lines.place(item.span().start);
                    RawItem { place: place.clone(), value: convert(item.get_ref(), lines, place, depth + 1) }
                })
                .collect(),
        ),
        DeValue::Table(table) => RawValue::Table(convert_table(table, place, lines, depth)),
    }
}

//! Typed columns from raw values.
//!
//! Without a given type: lists of numbers of one length are a vector, other lists categories; numbers are a number
//! unless the column's name is that of a code; texts are times if all are dates, categories if they are separated by
//! `|` or commas and repeat, one category if few words repeat, else text.

use crate::dataset::clock;
use crate::dataset::import::FieldType;
use crate::dataset::{Column, Field, Fields, IdTable, NO_CATEGORY};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};

/// Words of a text in the mean above which it is no category.
const WORDS_OF_CATEGORY: usize = 4;

/// Rows below which one repeated text is enough to make categories.
const FEW: usize = 20;

/// Endings of names of columns whose numbers are names.
const CODES: [&str; 6] = ["id", "code", "zip", "zipcode", "postcode", "isbn"];

/// The values of all fields of users or items, by row.
#[derive(Default)]
pub(super) struct Store {
    places: BTreeMap<String, usize>,
    values: Vec<Vec<(u32, Value)>>,
    /// Of which rows the log stated something.
    stated: Vec<bool>,
}

/// Fields with remarks about them.
pub(super) struct Typed {
    pub(super) fields: Fields,
    pub(super) notes: Vec<String>,
}

impl Store {
    /// Adds facts about a row.
    pub(super) fn push(&mut self, row: u32, fields: Map<String, Value>) {
        for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_null()) {
            let next = self.values.len();
            let place = *self.places.entry(name).or_insert(next);
            if place == next {
                self.values.push(Vec::new());
            }
            self.values[place].push((row, value));
        }
    }

    /// Adds what the log has of a row, where nothing was reported before.
    pub(super) fn push_first(&mut self, row: u32, fields: Map<String, Value>) {
        if self.stated.len() <= row as usize {
            self.stated.resize(row as usize + 1, false);
        }
        if !std::mem::replace(&mut self.stated[row as usize], true) {
            self.push(row, fields);
        }
    }

    /// Gives the rows their final numbers.
    pub(super) fn renumber(&mut self, rows: &[u32]) {
        for values in &mut self.values {
            values.iter_mut().for_each(|(row, _)| *row = rows[*row as usize]);
            values.sort_by_key(|(row, _)| *row);
        }
    }

    /// The names of the fields, in the order of `order`, then by name.
    pub(super) fn names(&self, order: &[String]) -> Vec<String> {
        let listed = order.iter().filter(|name| self.places.contains_key(*name));
        let rest = self.places.keys().filter(|name| !order.contains(name));
        listed.chain(rest).cloned().collect()
    }

    /// Typed columns of `rows` rows.
    ///
    /// # Errors
    /// When a value is not of the type that is given: a message that names the field and the value.
    pub(super) fn finish(
        mut self,
        rows: usize,
        order: &[String],
        types: &BTreeMap<String, FieldType>,
    ) -> Result<Typed, String> {
        let mut typed = Typed { fields: Fields::default(), notes: Vec::new() };
        let mut fields = Vec::new();
        for name in self.names(order) {
            let values = self.places.get(&name).map(|&place| std::mem::take(&mut self.values[place]));
            let values = values.unwrap_or_default();
            let kind = types.get(&name).copied().unwrap_or_else(|| infer(&name, &values));
            if let Some(note) = mixed(&name, &values).filter(|_| !types.contains_key(&name)) {
                typed.notes.push(note);
            }
            if let Some(column) = column(&name, &values, rows, kind)?.filter(|column| column.filled() > 0) {
                fields.push(Field { name, column });
            }
        }
        typed.fields = Fields::new(fields);
        Ok(typed)
    }
}

/// A name without case and signs.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn is_code(name: &str) -> bool {
    let name = plain(name);
    CODES.iter().any(|code| name == *code || (name.ends_with(code) && name.len() > code.len()))
}

/// The note on a column with numbers and a few texts: one wrong value must not change a column's type silently.
fn mixed(name: &str, values: &[(u32, Value)]) -> Option<String> {
    let numbers = values.iter().filter(|(_, value)| value.is_number()).count();
    let first = values.iter().find_map(|(_, value)| value.as_str())?;
    let others = values.len() - numbers;
    (numbers > 9 * others).then(|| {
        format!(
            "`{name}` has {numbers} numbers and {others} other values (the first: `{first}`), so that it is no number"
        )
    })
}

fn infer(name: &str, values: &[(u32, Value)]) -> FieldType {
    let mut lists = values.iter().filter_map(|(_, value)| value.as_array());
    if let Some(first) = lists.next() {
        let is_vector = |list: &Vec<Value>| list.len() == first.len() && list.iter().all(Value::is_number);
        let all = values.iter().all(|(_, value)| value.as_array().is_some_and(is_vector));
        // The first vector may be one of whole numbers, like zeros.
        let mut entries = values.iter().filter_map(|(_, value)| value.as_array()).flatten();
        return if all && first.len() > 1 && entries.any(Value::is_f64) {
            FieldType::Vector
        } else {
            FieldType::Categories
        };
    }
    if values.iter().all(|(_, value)| value.is_number()) {
        return if is_code(name) { FieldType::Category } else { FieldType::Number };
    }
    let texts: Vec<&str> = values.iter().filter_map(|(_, value)| value.as_str()).collect();
    if texts.len() < values.len() {
        return FieldType::Category;
    }
    if texts.iter().all(|text| is_date(text)) {
        return FieldType::Time;
    }
    infer_text(&texts)
}

fn is_date(text: &str) -> bool {
    matches!(clock::read(text), Some((_, clock::Spelling::Civil | clock::Spelling::Zoned)))
}

fn infer_text(texts: &[&str]) -> FieldType {
    if texts.iter().all(|text| text.starts_with('[') && text.ends_with(']')) {
        return FieldType::Categories;
    }
    let distinct = |parts: &mut dyn Iterator<Item = &str>| parts.collect::<std::collections::BTreeSet<_>>().len();
    if texts.iter().any(|text| text.contains('|')) {
        let parts = || texts.iter().flat_map(|text| text.split('|'));
        if distinct(&mut parts()) * 2 <= parts().count() {
            return FieldType::Categories;
        }
    }
    if has_lists(texts) {
        return FieldType::Categories;
    }
    let words: usize = texts.iter().map(|text| text.split_whitespace().count()).sum();
    let is_short = words <= WORDS_OF_CATEGORY * texts.len();
    let (names, all) = (distinct(&mut texts.iter().copied()), texts.len());
    if is_short && (names * 2 <= all || (all < FEW && names < all)) { FieldType::Category } else { FieldType::Text }
}

/// True if texts are lists like `Food, Bars`: many have commas, the parts are short, and repeat far more often than the
/// complete texts do.
fn has_lists(texts: &[&str]) -> bool {
    let parts = || texts.iter().flat_map(|text| text.split(',')).map(str::trim);
    let with_commas = texts.iter().filter(|text| text.contains(',')).count();
    let is_short = parts().all(|part| part.split_whitespace().count() <= WORDS_OF_CATEGORY);
    let distinct = |values: &mut dyn Iterator<Item = &str>| values.collect::<std::collections::BTreeSet<_>>().len();
    with_commas * 4 >= texts.len()
        && is_short
        && distinct(&mut parts()) * 2 <= distinct(&mut texts.iter().copied())
        && distinct(&mut parts()) * 4 <= parts().count()
}

/// A value as text: a text unchanged, everything else as JSON.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn column(name: &str, values: &[(u32, Value)], rows: usize, kind: FieldType) -> Result<Option<Column>, String> {
    let wrong = |value: &Value, what: &str| {
        format!("the field `{name}` has the value `{}`, which is no {what}", text_of(value))
    };
    Ok(Some(match kind {
        FieldType::Ignore => return Ok(None),
        FieldType::Category => category(values, rows),
        FieldType::Categories => categories(values, rows),
        FieldType::Text => {
            let mut texts = vec![String::new(); rows];
            values.iter().for_each(|(row, value)| texts[*row as usize] = joined(value));
            Column::Text(texts)
        }
        FieldType::Number => {
            let mut numbers = vec![f32::NAN; rows];
            for (row, value) in values {
                numbers[*row as usize] = number(value).ok_or_else(|| wrong(value, "finite number"))?;
            }
            Column::Number(numbers)
        }
        FieldType::Time => {
            let mut times = vec![None; rows];
            for (row, value) in values {
                let (instant, _) = clock::read(&text_of(value)).ok_or_else(|| wrong(value, "time"))?;
                times[*row as usize] = Some(instant.moment().0);
            }
            Column::Time(times)
        }
        FieldType::Vector => vectors(name, values, rows)?,
    }))
}

/// A number, also as text; of a truth value 0 or 1.
fn number(value: &Value) -> Option<f32> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
        Value::String(text) => crate::dataset::sheet::number(text.trim().trim_start_matches('$'), true),
        _ => None,
    };
    number.map(|number| number as f32).filter(|number| number.is_finite())
}

/// A list as one text.
fn joined(value: &Value) -> String {
    match value {
        Value::Array(entries) => entries.iter().map(text_of).collect::<Vec<_>>().join(", "),
        other => text_of(other),
    }
}

/// The entries of a value: of a list, of `[a, b]`, or of a text with a separator.
fn entries(value: &Value, separator: char) -> Vec<String> {
    match value {
        Value::Array(entries) => entries.iter().map(text_of).collect(),
        Value::String(text) => {
            let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
            let parts: Vec<&str> = inside.map_or_else(|| text.split(separator), |inside| inside.split(',')).collect();
            let parts = parts.into_iter().map(|part| part.trim().trim_matches(['\'', '"']));
            parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
        }
        other => vec![text_of(other)],
    }
}

fn category(values: &[(u32, Value)], rows: usize) -> Column {
    let (mut names, mut codes) = (IdTable::default(), vec![NO_CATEGORY; rows]);
    for (row, value) in values {
        codes[*row as usize] = names.insert(&joined(value)).0;
    }
    Column::Category { names, codes }
}

fn categories(values: &[(u32, Value)], rows: usize) -> Column {
    let (mut names, mut of_row) = (IdTable::default(), HashMap::<u32, Vec<u32>>::new());
    // If bars separate, commas belong to names.
    let has_bars = values.iter().any(|(_, value)| value.as_str().is_some_and(|text| text.contains('|')));
    let separator = if has_bars { '|' } else { ',' };
    for (row, value) in values {
        let mut codes: Vec<u32> = entries(value, separator).iter().map(|name| names.insert(name).0).collect();
        codes.sort_unstable();
        codes.dedup();
        of_row.insert(*row, codes);
    }
    let (mut offsets, mut codes) = (vec![0], Vec::new());
    for row in 0..rows as u32 {
        codes.extend(of_row.get(&row).into_iter().flatten());
        offsets.push(codes.len() as u32);
    }
    Column::Categories { names, offsets, codes }
}

fn vectors(name: &str, values: &[(u32, Value)], rows: usize) -> Result<Column, String> {
    let read = |value: &Value| -> Option<Vec<f32>> {
        match value {
            Value::Array(entries) => entries.iter().map(number).collect(),
            Value::String(text) => {
                let inside = text.trim().trim_start_matches('[').trim_end_matches(']');
                let parts = inside.split([' ', ',', ';', '|']).filter(|part| !part.is_empty());
                parts.map(|part| number(&Value::from(part))).collect()
            }
            other => Some(vec![number(other)?]),
        }
    };
    let mut width = None;
    let mut all: Vec<f32> = Vec::new();
    for (row, value) in values {
        let message = || format!("the field `{name}` has the value `{}`, which is no vector", text_of(value));
        let vector = read(value).filter(|vector| !vector.is_empty()).ok_or_else(message)?;
        let wanted = *width.get_or_insert(vector.len());
        if vector.len() != wanted {
            return Err(format!(
                "the field `{name}` has vectors of {wanted} and of {} numbers; all need one length",
                vector.len()
            ));
        }
        all.resize(rows * wanted, f32::NAN);
        let start = *row as usize * wanted;
        all[start..start + wanted].copy_from_slice(&vector);
    }
    Ok(Column::Vector { width: width.unwrap_or(0), values: all })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn typed(name: &str, values: &[Value]) -> Column {
        let mut store = Store::default();
        for (row, value) in values.iter().enumerate() {
            store.push(row as u32, Map::from_iter([(name.to_owned(), value.clone())]));
        }
        let typed = store.finish(values.len(), &[], &BTreeMap::new()).expect("typed");
        typed.fields.get(name).expect("a field").column.clone()
    }

    #[test]
    fn types_follow_from_the_values() {
        for (name, kind, values) in [
            ("price", "number", vec![json!(1.5), json!(null), json!(3)]),
            ("zip", "category", vec![json!(55105), json!("00123"), json!(55105)]),
            ("tags", "categories", vec![json!("a|b"), json!("b"), json!("a|b"), json!("a")]),
            ("tags", "categories", vec![json!(["a", "b"]), json!([])]),
            ("colour", "category", vec![json!("red"), json!("red"), json!("dark blue"), json!("red")]),
            ("title", "text", vec![json!("A | B"), json!("C"), json!("D")]),
            ("born", "time", vec![json!("2020-01-02"), json!("2020-01-03T10:00:00Z")]),
            ("embedding", "vector", vec![json!([0.5, 1]), json!([1, 2])]),
            ("embedding", "vector", vec![json!([0, 1]), json!([0.5, 2])]),
            ("codes", "categories", vec![json!([0, 1]), json!([2, 3])]),
            ("flag", "category", vec![json!(true), json!(false), json!(true)]),
        ] {
            assert_eq!(typed(name, &values).kind(), kind, "{name}: {values:?}");
        }
    }

    #[test]
    fn categories_are_ascending_and_each_once() {
        let Column::Categories { names, offsets, codes } = typed("tags", &[json!(["b", "a", "b"]), json!(["a"])])
        else {
            panic!("no categories")
        };
        assert_eq!((names.external(0), names.external(1)), ("b", "a"));
        assert_eq!((offsets, codes), (vec![0, 2, 3], vec![0, 1, 1]));
    }

    #[test]
    fn a_wrong_value_in_a_column_of_numbers_is_reported() {
        let mut store = Store::default();
        for row in 0..20 {
            let value = if row == 7 { json!("old") } else { json!(row) };
            store.push(row, Map::from_iter([("age".to_owned(), value)]));
        }
        let given = BTreeMap::from([("age".to_owned(), FieldType::Number)]);
        let problem = store.finish(20, &[], &given).err().expect("wrong");
        assert_eq!(problem, "the field `age` has the value `old`, which is no finite number");
        assert!(
            mixed("age", &(0..20).map(|row| (row, json!(row))).chain([(20, json!("old"))]).collect::<Vec<_>>())
                .is_some()
        );
    }
}

//! Typed fields as the rows that text templates and programs outside read.

use super::{Column, Dataset, ExternalId, Field, Fields, ItemRow, UserRow};
use crate::ids::{ItemId, LogUserId};
use serde_json::{Map, Number, Value};

/// The names that readers give to an unknown title or category.
const UNKNOWN: &str = "unknown";

impl Column {
    /// The value of one row as JSON; `None` if missing. Times are milliseconds since 1970.
    pub fn value(&self, row: usize) -> Option<Value> {
        match self {
            Column::Category { names, .. } => Some(Value::from(names.external(*self.categories(row).first()?))),
            Column::Categories { names, .. } => {
                let own: Vec<&str> = self.categories(row).iter().map(|&code| names.external(code)).collect();
                (!own.is_empty()).then(|| Value::from(own))
            }
            Column::Number(values) => number(values[row]),
            Column::Time(times) => times[row].map(Value::from),
            Column::Text(texts) => Some(texts[row].as_str()).filter(|text| !text.is_empty()).map(Value::from),
            Column::Vector { width, values } => {
                let own: Option<Vec<Value>> =
                    values[row * width..(row + 1) * width].iter().map(|&it| number(it)).collect();
                own.map(Value::from)
            }
        }
    }
}

/// Integers without a point; `None` for numbers that are not finite.
pub(crate) fn number(value: f32) -> Option<Value> {
    if value.fract() == 0.0 && value.abs() < 1e9 {
        return Some(Value::from(value as i64));
    }
    // By way of the text: 3.7 of 32 bits is not 3.7 of 64.
    value.to_string().parse().ok().and_then(Number::from_f64).map(Value::Number)
}

impl Dataset {
    /// All fields of an item for text templates, its title (or id) as `title`, and its release.
    pub fn item_row(&self, item: ItemId) -> ItemRow {
        let place = item.index();
        let mut item_description = described(&self.item_fields, place);
        if self.title_of(item) != UNKNOWN {
            item_description.insert("title".to_owned(), Value::from(self.title_of(item)));
        }
        let mut item_features = Map::new();
        let released = self.released.as_deref().and_then(|name| self.item_fields.get(name));
        match released.map(|field| &field.column) {
            Some(Column::Number(years)) => {
                item_features.extend(number(years[place].floor()).map(|year| ("year".to_owned(), year)));
            }
            Some(Column::Time(times)) => {
                item_features.extend(times[place].map(|time| ("time".to_owned(), Value::from(time as f64 / 1_000.0))));
            }
            _ => {}
        }
        ItemRow { item_id: ExternalId::Text(self.items.external(item.0).to_owned()), item_description, item_features }
    }

    /// All fields of a user for text templates.
    pub fn user_row(&self, user: LogUserId) -> UserRow {
        UserRow {
            user_id: ExternalId::Text(self.users.external(user.0).to_owned()),
            user_description: described(&self.user_fields, user.index()),
            user_features: Map::new(),
        }
    }
}

/// The fields of a row, except vectors and names that are called unknown. Times are dates.
fn described(fields: &Fields, row: usize) -> Map<String, Value> {
    let value = |field: &Field| match &field.column {
        Column::Vector { .. } => None,
        Column::Time(times) => {
            let stamp = jiff::Timestamp::from_millisecond(times[row]?).ok()?;
            Some(Value::from(stamp.strftime("%Y-%m-%d").to_string()))
        }
        column => match column.value(row)? {
            Value::Array(mut names) => {
                names.retain(|name| name != UNKNOWN);
                (!names.is_empty()).then_some(Value::Array(names))
            }
            value => (value != UNKNOWN).then_some(value),
        },
    };
    fields.iter().filter_map(|field| Some((field.name.clone(), value(field)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::IdTable;
    use serde_json::json;

    #[test]
    fn every_type_of_field_is_described() {
        let mut ids = IdTable::default();
        ids.insert("00");
        let field = |name: &str, column| Field { name: name.to_owned(), column };
        let data = Dataset {
            items: ids.clone(),
            users: ids,
            item_fields: Fields::new(vec![
                field("caption", Column::Text(vec!["Rome".to_owned()])),
                field("kinds", Column::of_names([["a", "unknown"]])),
                field("price", Column::Number(vec![3.7])),
                field("released", Column::Time(vec![Some(86_400_000)])),
                field("vector", Column::Vector { width: 2, values: vec![0.0, 1.0] }),
            ]),
            title: Some("caption".to_owned()),
            released: Some("released".to_owned()),
            ..Dataset::default()
        };
        let row = data.item_row(ItemId(0));
        let wanted =
            json!({"caption": "Rome", "title": "Rome", "kinds": ["a"], "price": 3.7, "released": "1970-01-02"});
        assert_eq!(Value::Object(row.item_description.clone()), wanted);
        assert_eq!((row.item_id.to_string(), row.released().map(|time| time.0)), ("00".to_owned(), Some(86_400_000)));
        assert!(data.user_row(LogUserId(0)).user_description.is_empty());
        let vector = &data.item_fields.get("vector").expect("a field").column;
        assert_eq!(vector.value(0), Some(json!([0, 1])));
    }
}

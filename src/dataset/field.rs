//! Typed fields of users and items.

use super::IdTable;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// A code that marks a missing category.
pub const NO_CATEGORY: u32 = u32::MAX;

/// The values of one field, a row for each user or item in the order of their dense ids.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Column {
    /// One category a row, [`NO_CATEGORY`] if missing.
    Category {
        /// The categories in order of appearance.
        names: IdTable,
        /// `[rows]`: a place in `names`.
        codes: Vec<u32>,
    },
    /// Any number of categories a row, each once.
    Categories {
        /// The categories in order of appearance.
        names: IdTable,
        /// `[rows + 1]`: row `r` has the codes `offsets[r]..offsets[r + 1]`.
        offsets: Vec<u32>,
        /// Places in `names`, ascending within a row.
        codes: Vec<u32>,
    },
    /// One number a row, NaN if missing.
    Number(Vec<f32>),
    /// Milliseconds since 1970, `None` if missing: a release date, a registration.
    Time(Vec<Option<i64>>),
    /// Text, empty if missing.
    Text(Vec<String>),
    /// A vector of `width` numbers a row, all NaN if missing.
    Vector {
        /// Numbers in a row.
        width: usize,
        /// `[rows, width]`.
        values: Vec<f32>,
    },
}

impl Column {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Column::Category { codes, .. } => codes.len(),
            Column::Categories { offsets, .. } => offsets.len().saturating_sub(1),
            Column::Number(values) => values.len(),
            Column::Time(values) => values.len(),
            Column::Text(values) => values.len(),
            Column::Vector { width, values } => values.len().checked_div(*width).unwrap_or(0),
        }
    }

    /// True without any row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The word for the type in messages, cards and `data.toml`.
    pub fn kind(&self) -> &'static str {
        match self {
            Column::Category { .. } => "category",
            Column::Categories { .. } => "categories",
            Column::Number(_) => "number",
            Column::Time(_) => "time",
            Column::Text(_) => "text",
            Column::Vector { .. } => "vector",
        }
    }

    /// The categories of one row, ascending; empty if missing and for fields of other types.
    pub fn categories(&self, row: usize) -> &[u32] {
        match self {
            Column::Category { codes, .. } if codes[row] != NO_CATEGORY => std::slice::from_ref(&codes[row]),
            Column::Categories { offsets, codes, .. } => &codes[offsets[row] as usize..offsets[row + 1] as usize],
            _ => &[],
        }
    }

    /// The names of the categories; `None` for fields of other types.
    pub fn names(&self) -> Option<&IdTable> {
        match self {
            Column::Category { names, .. } | Column::Categories { names, .. } => Some(names),
            _ => None,
        }
    }

    /// Rows that have a value.
    pub fn filled(&self) -> usize {
        match self {
            Column::Category { codes, .. } => codes.iter().filter(|&&code| code != NO_CATEGORY).count(),
            Column::Categories { offsets, .. } => offsets.windows(2).filter(|pair| pair[0] < pair[1]).count(),
            Column::Number(values) => values.iter().filter(|value| !value.is_nan()).count(),
            Column::Time(values) => values.iter().filter(|value| value.is_some()).count(),
            Column::Text(values) => values.iter().filter(|value| !value.is_empty()).count(),
            Column::Vector { width, values } => {
                values.chunks_exact((*width).max(1)).filter(|row| !row[0].is_nan()).count()
            }
        }
    }
}

impl Column {
    /// A column of categories from the names of each row, which may repeat; codes follow the order of appearance.
    pub fn of_names<N: AsRef<str>>(rows: impl IntoIterator<Item = impl IntoIterator<Item = N>>) -> Column {
        let (mut names, mut offsets, mut codes) = (IdTable::default(), vec![0], Vec::new());
        for row in rows {
            let mut own: Vec<u32> = row.into_iter().map(|name| names.insert(name.as_ref()).0).collect();
            own.sort_unstable();
            own.dedup();
            codes.append(&mut own);
            offsets.push(codes.len() as u32);
        }
        Column::Categories { names, offsets, codes }
    }
}

/// One field: its name in the log's files, and its values.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Field {
    /// The name of the column in the publisher's files.
    pub name: String,
    /// The values.
    pub column: Column,
}

/// The fields of all users, or of all items. Every column has one row for each of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Field>", into = "Vec<Field>")]
pub struct Fields {
    /// Shared, so that a copy costs nothing.
    fields: Arc<Vec<Field>>,
}

impl From<Vec<Field>> for Fields {
    fn from(fields: Vec<Field>) -> Fields {
        Fields { fields: Arc::new(fields) }
    }
}

impl From<Fields> for Vec<Field> {
    fn from(fields: Fields) -> Vec<Field> {
        Arc::unwrap_or_clone(fields.fields)
    }
}

impl Fields {
    /// Collects fields.
    ///
    /// # Panics
    /// In debug builds, when columns differ in length or names repeat: readers make them, no input reaches this.
    pub fn new(fields: Vec<Field>) -> Fields {
        debug_assert!(fields.windows(2).all(|pair| pair[0].column.len() == pair[1].column.len()));
        debug_assert!((1..fields.len()).all(|place| fields[..place].iter().all(|it| it.name != fields[place].name)));
        Fields { fields: Arc::new(fields) }
    }

    /// The field with this name.
    pub fn get(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// All fields, in the order of the publisher's columns.
    pub fn iter(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter()
    }

    /// The field of categories that separates most rows: of those with a number of names within `names` the one that
    /// most rows have; among equals one with several categories a row, then the first. `last` is used only if there is
    /// no other.
    pub fn widest(&self, names: RangeInclusive<usize>, last: Option<&str>) -> Option<&Field> {
        let fits = |field: &&Field| field.column.names().is_some_and(|table| names.contains(&table.len()));
        let rank = |field: &&Field| {
            let many = matches!(field.column, Column::Categories { .. });
            (last != Some(field.name.as_str()), field.column.filled(), many)
        };
        // Of equal ones `max_by_key` takes the last, and the first is wanted.
        self.fields.iter().rev().filter(fits).filter(|field| field.column.filled() > 0).max_by_key(rank)
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// True without any field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(words: &[&str]) -> IdTable {
        let mut names = IdTable::default();
        words.iter().for_each(|word| {
            names.insert(word);
        });
        names
    }

    #[test]
    fn categories_of_rows_by_hand() {
        let one = Column::Category { names: names(&["a", "b"]), codes: vec![1, NO_CATEGORY, 0] };
        assert_eq!((one.categories(0), one.categories(1), one.categories(2)), (&[1][..], &[][..], &[0][..]));
        let many = Column::Categories { names: names(&["a", "b"]), offsets: vec![0, 2, 2, 3], codes: vec![0, 1, 1] };
        assert_eq!((many.categories(0), many.categories(1), many.categories(2)), (&[0, 1][..], &[][..], &[1][..]));
        assert_eq!((one.len(), many.len(), one.filled(), many.filled()), (3, 3, 2, 2));
        assert_eq!(Column::Number(vec![1.0, f32::NAN]).filled(), 1);
        assert!(Column::Number(vec![1.0]).categories(0).is_empty());
    }

    #[test]
    fn the_widest_field_of_categories_is_the_one_that_most_rows_have() {
        let many = |name: &str, rows: &[&[&str]]| Field {
            name: name.to_owned(),
            column: Column::of_names(rows.iter().map(|row| row.iter().copied())),
        };
        let one =
            Field { name: "one".into(), column: Column::Category { names: names(&["a", "b"]), codes: vec![0, 1, 1] } };
        let fields = Fields::new(vec![
            Field { name: "price".into(), column: Column::Number(vec![1.0; 3]) },
            many("same", &[&["x"], &["x"], &["x"]]),
            many("half", &[&["x", "y"], &["y"], &[]]),
            one,
            many("full", &[&["x", "y", "x"], &["y"], &["z"]]),
            many("later", &[&["x"], &["y"], &["z"]]),
        ]);
        let name = |fields: &Fields, most: usize, last| fields.widest(2..=most, last).map(|field| field.name.clone());
        assert_eq!(name(&fields, 9, None).as_deref(), Some("full"), "one has no several, later comes later");
        assert_eq!(name(&fields, 2, None).as_deref(), Some("one"), "full has three names");
        assert_eq!(name(&fields, 2, Some("one")).as_deref(), Some("half"));
        let alone = Fields::new(vec![many("maker", &[&["x"], &["y"]])]);
        assert_eq!(name(&alone, 9, Some("maker")).as_deref(), Some("maker"), "better than none");
        assert_eq!(name(&Fields::default(), 9, None), None);
        assert_eq!(fields.get("full").map(|field| field.column.categories(0).to_vec()), Some(vec![0, 1]));
    }

    #[test]
    fn fields_are_found_by_name() {
        let fields = Fields::new(vec![Field { name: "price".into(), column: Column::Number(vec![2.0]) }]);
        assert_eq!(fields.get("price").map(|field| field.column.kind()), Some("number"));
        assert!(fields.get("colour").is_none());
    }
}

//! Missing fields of items, counted.

use crate::dataset::{Cleaner, Column, Dataset};

/// Counts the items without a title and without a release, if the data have such a field.
pub(in crate::dataset) fn count_missing(data: &mut Dataset) {
    let field = |name: &Option<String>| name.as_deref().and_then(|name| data.item_fields.get(name));
    let untitled = match field(&data.title).map(|field| &field.column) {
        Some(Column::Text(texts)) => texts.iter().filter(|text| matches!(text.as_str(), "" | "unknown")).count(),
        _ => 0,
    };
    let undated = field(&data.released).map_or(0, |field| data.items.len() - field.column.filled());
    data.cleanup.count_many(Cleaner::UntitledItem, untitled, String::new);
    data.cleanup.count_many(Cleaner::MissingYear, undated, String::new);
}

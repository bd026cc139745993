//! Roles of item fields: title, release and provider.
//!
//! The publisher states them, or their names decide.

use super::typed::{Store, plain};
use crate::dataset::import::{FieldType, Roles};
use crate::dataset::{Column, Dataset};
use std::collections::BTreeMap;

/// Plain names of fields that name an item, the surest first.
const TITLE: [&str; 18] = [
    "title",
    "name",
    "movietitle",
    "itemname",
    "itemtitle",
    "appname",
    "productname",
    "prodname",
    "songname",
    "trackname",
    "gamename",
    "artistname",
    "coursename",
    "producttitle",
    "booktitle",
    "originaltitle",
    "headline",
    "caption",
];
const RELEASED: [&str; 9] = [
    "released",
    "releasedate",
    "releaseyear",
    "year",
    "publicationyear",
    "originalpublicationyear",
    "publicationdate",
    "publishedtime",
    "uploaddt",
];
const PROVIDER: [&str; 9] =
    ["provider", "providerid", "seller", "vendor", "merchant", "publisher", "brand", "store", "developer"];

/// The column with the name of an item, recognised by its own name.
pub(in crate::dataset) fn title_among(columns: &[String]) -> Option<&String> {
    TITLE.iter().find_map(|wanted| columns.iter().find(|name| plain(name) == *wanted))
}

/// The names of fields with a meaning.
pub(super) struct Names {
    title: Option<String>,
    released: Option<String>,
    provider: Option<String>,
}

impl Names {
    pub(super) fn of(items: &Store, roles: &Roles) -> Names {
        let names = items.names(&roles.item_order);
        let by_name = |wanted: &[&str]| {
            wanted.iter().find_map(|wanted| names.iter().find(|name| plain(name) == *wanted)).cloned()
        };
        Names {
            title: roles.title.clone().or_else(|| by_name(&TITLE)),
            released: roles.released.clone().or_else(|| by_name(&RELEASED)),
            provider: roles.provider.clone().or_else(|| by_name(&PROVIDER)),
        }
    }

    /// The types that are given, and those that a meaning needs.
    pub(super) fn types(&self, roles: &Roles) -> BTreeMap<String, FieldType> {
        let mut types = roles.item_types.clone();
        for (name, kind) in [(&self.title, FieldType::Text), (&self.provider, FieldType::Category)] {
            if let Some(name) = name {
                types.entry(name.clone()).or_insert(kind);
            }
        }
        types
    }

    /// Marks the fields of a data set that have a meaning, where their types fit it.
    pub(super) fn mark(self, data: &mut Dataset) {
        let fits = |name: Option<String>, fits: fn(&Column) -> bool| {
            name.filter(|name| data.item_fields.get(name).is_some_and(|field| fits(&field.column)))
        };
        let title = fits(self.title, |column| matches!(column, Column::Text(_)));
        let released = fits(self.released, |column| matches!(column, Column::Number(_) | Column::Time(_)));
        let provider = fits(self.provider, |column| matches!(column, Column::Category { .. }));
        (data.title, data.released, data.provider) = (title, released, provider);
    }
}

//! The catalogue: items with their fields.
//!
//! No code here depends on the meaning of a field. Three roles are named: the release of an item, its provider, and the
//! *category field*, the default field for an item's categories in scenarios.

use super::{Column, Dataset, Field, Fields, ItemCategories};
use crate::files::sha256;
use crate::ids::ItemId;
use std::sync::Arc;

/// Names that a field of categories has for it to be taken unasked: fewer distinguish nothing, and with more, hardly two items
/// have one in common.
pub const TELLING: std::ops::RangeInclusive<usize> = 2..=1_000;

/// The provider of items without a known one.
const UNKNOWN: &str = "unknown";

/// Milliseconds of a mean Gregorian year.
const YEAR_MS: f64 = 31_556_952_000.0;

/// The items that can be shown.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    titles: Vec<String>,
    fields: Fields,
    released: Option<String>,
    years: Vec<f32>,
    category: Option<Arc<ItemCategories>>,
    providers: Option<Arc<ItemCategories>>,
}

/// A field that a scenario names and the data cannot serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// There is no such field.
    #[error("the {what} have no field `{field}`; they have {known}")]
    Unknown {
        /// `items` or `users`.
        what: &'static str,
        /// The name.
        field: String,
        /// All names with their types.
        known: String,
    },
    /// The field has another type.
    #[error(
        "the field `{field}` of the {what} is of type {found}, and categories are needed; fields of categories: {known}"
    )]
    Kind {
        /// `items` or `users`.
        what: &'static str,
        /// The name.
        field: String,
        /// Its type.
        found: &'static str,
        /// The names of the fields that would do.
        known: String,
    },
    /// No field of categories is there to be taken.
    #[error(
        "the items have no field of 2 to 1000 categories; name one (`field = \"NAME\"`, or `data.item_field` for all), or add \
         such a column to the data's table of items"
    )]
    NoCategories,
    /// No field at all is there to be taken.
    #[error(
        "the items have no field that distinguishes them; add columns to the data's table of items, or leave this out"
    )]
    Nothing,
}

impl Catalogue {
    /// The catalogue of a data set: releases and providers as its reader found them, and the widest field of categories.
    pub fn of(data: &Dataset) -> Catalogue {
        let titles = (0..data.items.len() as u32).map(|item| data.title_of(ItemId(item)).to_owned()).collect();
        let mut made = Catalogue::new(titles, data.item_fields.clone());
        made.set_released(data.released.as_deref());
        let provider = data.provider.as_deref().and_then(|name| data.item_fields.get(name));
        made.providers = provider.and_then(ItemCategories::of_field).map(|own| Arc::new(one_each(&own, made.len())));
        let widest = data.item_fields.widest(TELLING, data.provider.as_deref());
        made.category = widest.and_then(ItemCategories::of_field).map(Arc::new);
        made
    }

    /// Items with these titles and fields, without a provider; the category field is the widest one.
    ///
    /// ```
    /// use recmirror::dataset::{Catalogue, Column, Field, Fields};
    /// use recmirror::ids::ItemId;
    /// let column = Column::of_names([vec!["crime", "war"], vec!["war"]]);
    /// let fields = Fields::new(vec![Field { name: "subjects".to_owned(), column }]);
    /// let catalogue = Catalogue::new(vec!["Alien".to_owned(), "Brazil".to_owned()], fields);
    /// assert_eq!(catalogue.category().map(|category| category.of(ItemId(0)).len()), Some(2));
    /// ```
    pub fn new(titles: Vec<String>, fields: Fields) -> Catalogue {
        let category = fields.widest(TELLING, None).and_then(ItemCategories::of_field).map(Arc::new);
        Catalogue { years: vec![f32::NAN; titles.len()], titles, fields, released: None, category, providers: None }
    }

    /// `items` items without further information.
    pub fn unknown(items: usize) -> Catalogue {
        Catalogue::new((0..items).map(|item| format!("item {item}")).collect(), Fields::default())
    }

    /// Items with these categories of the field `field`, for examples and tests.
    pub fn of_categories(field: &str, rows: &[&[&str]]) -> Catalogue {
        let column = Column::of_names(rows.iter().map(|row| row.iter().copied()));
        let fields = Fields::new(vec![Field { name: field.to_owned(), column }]);
        let mut made = Catalogue { fields: fields.clone(), ..Catalogue::unknown(rows.len()) };
        made.category = fields.get(field).and_then(ItemCategories::of_field).map(Arc::new);
        made
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.titles.len()
    }

    /// True without any item.
    pub fn is_empty(&self) -> bool {
        self.titles.is_empty()
    }

    /// The displayed name of an item.
    pub fn title(&self, item: ItemId) -> &str {
        self.titles.get(item.index()).map_or("", String::as_str)
    }

    /// The identity of the items and their order: the sha256 of their titles in UTF-8, a line feed after each. Models
    /// that know items by their number are made for one such hash.
    pub fn hash(&self) -> String {
        let lines: String = self.titles.iter().flat_map(|title| [title.as_str(), "\n"]).collect();
        sha256(lines.as_bytes())
    }

    /// All fields of the items.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The release year of an item, with its fraction if the data have it; NaN if unknown.
    #[inline]
    pub fn year(&self, item: ItemId) -> f32 {
        self.years.get(item.index()).copied().unwrap_or(f32::NAN)
    }

    /// The field with the release of an item.
    pub fn released(&self) -> Option<&str> {
        self.released.as_deref()
    }

    /// Takes the years from a field of numbers or times; without one they are unknown.
    pub fn set_released(&mut self, field: Option<&str>) {
        let field = field.and_then(|name| self.fields.get(name));
        let years: Option<Vec<f32>> = field.and_then(|field| match &field.column {
            Column::Number(years) => Some(years.clone()),
            Column::Time(times) => Some(times.iter().map(|time| time.map_or(f32::NAN, year_of)).collect()),
            _ => None,
        });
        self.released = field.filter(|_| years.is_some()).map(|field| field.name.clone());
        self.years = years.unwrap_or_else(|| vec![f32::NAN; self.titles.len()]);
    }

    /// The category field, if any.
    pub fn category(&self) -> Option<&Arc<ItemCategories>> {
        self.category.as_ref()
    }

    /// Makes `field` the category field.
    ///
    /// # Errors
    /// When there is no such field, or it has no categories.
    pub fn set_category(&mut self, field: &str) -> Result<(), FieldError> {
        self.category = Some(Arc::new(self.named(field)?));
        Ok(())
    }

    /// The categories of a field; of the category field when `field` is empty.
    ///
    /// # Errors
    /// When there is no such field, or it has no categories.
    pub fn categories(&self, field: &str) -> Result<Arc<ItemCategories>, FieldError> {
        if !field.is_empty() {
            return self.named(field).map(Arc::new);
        }
        match &self.category {
            Some(category) => Ok(category.clone()),
            None if self.is_empty() => Ok(Arc::default()),
            None => Err(FieldError::NoCategories),
        }
    }

    fn named(&self, field: &str) -> Result<ItemCategories, FieldError> {
        ItemCategories::of_field(categories_named(&self.fields, "items", field)?).ok_or(FieldError::NoCategories)
    }

    /// The providers of the items, if known.
    pub fn providers(&self) -> Option<&Arc<ItemCategories>> {
        self.providers.as_ref()
    }

    /// Says who provides the items.
    pub fn set_providers(&mut self, providers: Option<ItemCategories>) {
        self.providers = providers.map(Arc::new);
    }

    /// The provider of an item: an index into [`Catalogue::providers`]. `None` if unknown, and for empty slots. An item
    /// with several providers counts for the first of them.
    #[inline]
    pub fn provider_of(&self, item: ItemId) -> Option<u32> {
        self.providers.as_ref()?.of(item).first().copied()
    }
}

/// The field of categories with this name.
///
/// # Errors
/// When there is no such field, or it has no categories.
pub fn categories_named<'a>(fields: &'a Fields, what: &'static str, name: &str) -> Result<&'a Field, FieldError> {
    let list = |names: Vec<String>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let Some(field) = fields.get(name) else {
        let known = fields.iter().map(|field| format!("`{}` ({})", field.name, field.column.kind())).collect();
        return Err(FieldError::Unknown { what, field: name.to_owned(), known: list(known) });
    };
    if field.column.names().is_none() {
        let fitting = fields.iter().filter(|field| field.column.names().is_some());
        let known = list(fitting.map(|field| format!("`{}`", field.name)).collect());
        return Err(FieldError::Kind { what, field: name.to_owned(), found: field.column.kind(), known });
    }
    Ok(field)
}

/// The first category of each item; items without one have an unknown one of their own, behind the others.
fn one_each(own: &ItemCategories, items: usize) -> ItemCategories {
    let of = || (0..items as u32).map(|item| own.of(ItemId(item)).first().copied());
    let mut names = own.names().to_vec();
    let unknown = names.len() as u32;
    if of().any(|code| code.is_none()) {
        names.push(UNKNOWN.to_owned());
    }
    ItemCategories::single(own.field(), names, of().map(|code| Some(code.unwrap_or(unknown))))
}

fn year_of(milliseconds: i64) -> f32 {
    (1970.0 + milliseconds as f64 / YEAR_MS) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_titles_in_order() {
        let of = |titles: &[&str]| {
            Catalogue::new(titles.iter().map(|title| (*title).to_owned()).collect(), Fields::default()).hash()
        };
        // printf 'Alien\nCafé\n' | sha256sum
        assert_eq!(of(&["Alien", "Café"]), "93de1991dbfa99a53e4adbf9c2890b5e6bb26746e04f16a9d9ce88beef14bc5f");
        assert_ne!(of(&["Café", "Alien"]), of(&["Alien", "Café"]));
        assert_ne!(of(&["Ali", "en", "Café"]), of(&["Alien", "Café"]));
    }

    #[test]
    fn years_come_from_numbers_and_times() {
        let field = |name: &str, column| Field { name: name.to_owned(), column };
        let fields = Fields::new(vec![
            field("year", Column::Number(vec![1994.0, f32::NAN])),
            field("made", Column::Time(vec![None, Some(2 * 31_556_952_000)])),
            field("note", Column::Text(vec!["1994".into(), String::new()])),
        ]);
        let mut catalogue = Catalogue::new(vec!["a".into(), "b".into()], fields);
        let mut years = |field: Option<&str>| {
            catalogue.set_released(field);
            ([0, 1, 2].map(|item| catalogue.year(ItemId(item))), catalogue.released().map(str::to_owned))
        };
        let (found, name) = years(Some("year"));
        assert_eq!((found[0], found[1].is_nan(), name.as_deref()), (1994.0, true, Some("year")));
        assert_eq!(years(Some("made")).0[1], 1972.0);
        assert_eq!(years(Some("note")).1, None);
        assert!(years(None).0.iter().all(|year| year.is_nan()));
    }

    #[test]
    fn a_field_that_cannot_serve_is_named_with_what_would() {
        let field = |name: &str, column| Field { name: name.to_owned(), column };
        let fields = Fields::new(vec![
            field("price", Column::Number(vec![1.0, 2.0])),
            field("tags", Column::of_names([vec!["a"], vec!["b"]])),
        ]);
        let mut catalogue = Catalogue::new(vec!["a".into(), "b".into()], fields);
        assert_eq!(catalogue.categories("").map(|found| found.field().to_owned()), Ok("tags".to_owned()));
        let problem = catalogue.categories("colour").expect_err("no such field").to_string();
        assert_eq!(problem, "the items have no field `colour`; they have `price` (number), `tags` (categories)");
        let problem = catalogue.set_category("price").expect_err("no categories").to_string();
        assert!(problem.contains("`price` of the items is of type number") && problem.contains("`tags`"), "{problem}");
        assert_eq!(Catalogue::unknown(2).categories(""), Err(FieldError::NoCategories));
        assert!(Catalogue::default().categories("").is_ok(), "nothing to tell apart");
    }
}

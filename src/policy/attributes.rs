//! Item attributes as sparse rows, for `mmr` and bandits.
//!
//! For a field of categories a row has 1 for each category of the item. For [`ALL`] it has the columns of the encoding
//! of all fields ([`unit_fields`]), each field scaled to length 1, so that fields count alike whatever their number of
//! columns. The default is the category field, or all fields if the data have none.

use super::PolicyError;
use crate::dataset::{Catalogue, FieldError};
use crate::ids::ItemId;
use crate::params::{Key, text};
use crate::scene::unit_fields;
use std::collections::BTreeMap;

/// The word for all fields.
const ALL: &str = "*";

/// A field of categories.
pub(super) const FIELD: Key =
    text("field", "field of the items whose categories count; empty takes `data.item_field`", "");

/// A field of categories, or all fields.
pub(super) const TRAITS: Key = text(
    "field",
    "field of the items whose categories count, `*` for all fields as numbers; empty takes `data.item_field`, and all fields \
     where the items have no categories",
    "",
);

/// The attributes of all items. Items with equal attributes share a row.
pub(super) struct Attributes {
    /// The row of each item; row 0 is empty.
    row_of: Vec<u32>,
    /// `[rows + 1]`: row `r` has the entries `offsets[r]..offsets[r + 1]`.
    offsets: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f32>,
    /// The squared length of each row; 0 for the empty one.
    squares: Vec<f32>,
    width: usize,
}

impl Attributes {
    /// The attributes by a field of categories, by all fields, or by the default (an empty name).
    ///
    /// # Errors
    /// When there is no such field, or no attribute that distinguishes items.
    pub fn new(field: &str, catalogue: &Catalogue) -> Result<Attributes, PolicyError> {
        if field == ALL || (field.is_empty() && catalogue.category().is_none() && !catalogue.is_empty()) {
            return Attributes::encoded(catalogue);
        }
        let categories = catalogue.categories(field).map_err(PolicyError::of)?;
        let mut made = Attributes::empty(categories.len());
        let mut known = BTreeMap::from([(Vec::new(), 0)]);
        for item in (0..catalogue.len() as u32).map(ItemId) {
            let codes = categories.of(item);
            made.push(&mut known, codes.to_vec(), codes.iter().map(|&code| (code, 1.0)));
        }
        Ok(made)
    }

    fn encoded(catalogue: &Catalogue) -> Result<Attributes, PolicyError> {
        let table = unit_fields(catalogue.fields().iter(), catalogue.len()).map_err(PolicyError::of)?;
        if table.ncols() == 0 && !catalogue.is_empty() {
            return Err(PolicyError::of(FieldError::Nothing));
        }
        let mut made = Attributes::empty(table.ncols());
        let mut known = BTreeMap::from([(Vec::new(), 0)]);
        for row in table.rows() {
            let entries = || (0..).zip(row.iter().copied()).filter(|entry: &(u32, f32)| entry.1 != 0.0);
            let key = entries().flat_map(|(column, value)| [column, value.to_bits()]).collect();
            made.push(&mut known, key, entries());
        }
        Ok(made)
    }

    fn empty(width: usize) -> Attributes {
        let (offsets, squares) = (vec![0, 0], vec![0.0]);
        Attributes { row_of: Vec::new(), offsets, columns: Vec::new(), values: Vec::new(), squares, width }
    }

    /// Adds an item; equal rows have equal keys.
    fn push(&mut self, known: &mut BTreeMap<Vec<u32>, u32>, key: Vec<u32>, entries: impl Iterator<Item = (u32, f32)>) {
        let next = self.squares.len() as u32;
        let row = *known.entry(key).or_insert(next);
        self.row_of.push(row);
        if row == next {
            let mut squares = 0.0;
            for (column, value) in entries {
                self.columns.push(column);
                self.values.push(value);
                squares += value * value;
            }
            self.offsets.push(self.columns.len());
            self.squares.push(squares);
        }
    }

    /// Columns of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The row of an item; the empty row for items that are not in the catalogue.
    #[inline]
    pub fn row_of(&self, item: ItemId) -> usize {
        self.row_of.get(item.index()).map_or(0, |&row| row as usize)
    }

    fn entries(&self, row: usize) -> impl Iterator<Item = (usize, f32)> + '_ {
        let range = self.offsets[row]..self.offsets[row + 1];
        self.columns[range.clone()].iter().map(|&column| column as usize).zip(self.values[range].iter().copied())
    }

    /// Adds an item's row to a sum of `width` numbers.
    pub fn add(&self, item: ItemId, sum: &mut [f32]) {
        self.entries(self.row_of(item)).for_each(|(column, value)| sum[column] += value);
    }

    /// The cosine of a sum of rows with every distinct row.
    pub fn cosines(&self, sum: &[f32]) -> Vec<f32> {
        let norm = sum.iter().map(|value| value * value).sum::<f32>().sqrt();
        let cosine = |row: usize| {
            let both: f32 = self.entries(row).map(|(column, value)| sum[column] * value).sum();
            if both != 0.0 { both / (norm * self.squares[row].sqrt()) } else { 0.0 }
        };
        (0..self.squares.len()).map(cosine).collect()
    }

    /// The cosine of two items; 0 if one of them has no fields.
    pub fn cosine(&self, a: ItemId, b: ItemId) -> f32 {
        let (a, b) = (self.row_of(a), self.row_of(b));
        let (left, right) = (self.offsets[a]..self.offsets[a + 1], self.offsets[b]..self.offsets[b + 1]);
        let (mut at, mut other, mut both) = (left.start, right.start, 0.0);
        while at < left.end && other < right.end {
            let (x, y) = (self.columns[at], self.columns[other]);
            if x == y {
                both += self.values[at] * self.values[other];
            }
            at += usize::from(x <= y);
            other += usize::from(y <= x);
        }
        if both != 0.0 { both / (self.squares[a] * self.squares[b]).sqrt() } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Column, Field, Fields};

    #[test]
    fn cosines_of_categories_by_hand() {
        let catalogue = Catalogue::of_categories("tags", &[&["a", "b"], &["b", "c"], &["a"], &["a"], &[]]);
        let attributes = Attributes::new("", &catalogue).expect("categories");
        let cosine = |a: u32, b: u32| attributes.cosine(ItemId(a), ItemId(b));
        assert_eq!((cosine(0, 1), cosine(2, 3), cosine(2, 1), cosine(4, 0)), (0.5, 1.0, 0.0, 0.0));
        assert_eq!(
            (attributes.row_of(ItemId(2)), attributes.row_of(ItemId(3)), attributes.row_of(ItemId(4))),
            (3, 3, 0)
        );
        assert_eq!(attributes.row_of(ItemId(9)), 0, "an item that is not there");
        let mut sum = vec![0.0; attributes.width()];
        [0, 2].into_iter().for_each(|item| attributes.add(ItemId(item), &mut sum));
        assert_eq!(sum, [2.0, 1.0, 0.0]);
        // (2, 1, 0) with the empty row, {a, b}, {b, c} and {a}.
        let found = attributes.cosines(&sum);
        for (found, wanted) in found.iter().zip([0.0, 3.0 / 10f32.sqrt(), 1.0 / 10f32.sqrt(), 2.0 / 5f32.sqrt()]) {
            assert!((found - wanted).abs() < 1e-6, "{found} {wanted}");
        }
    }

    #[test]
    fn without_categories_all_fields_count_alike() {
        let field = |name: &str, column| Field { name: name.to_owned(), column };
        let fields = || {
            Fields::new(vec![
                field("price", Column::Number(vec![1.0, 1.0, 3.0, 3.0])),
                field("picture", Column::Vector { width: 2, values: vec![3.0, 4.0, -3.0, -4.0, 3.0, 4.0, 3.0, 4.0] }),
            ])
        };
        let catalogue = Catalogue::new(["a", "b", "c", "d"].map(str::to_owned).to_vec(), fields());
        let attributes = Attributes::new("", &catalogue).expect("fields");
        // The price is -1 or 1, the picture (3, 4) / 5 or its opposite: half of the length each.
        let cosine = |a: u32, b: u32| (attributes.cosine(ItemId(a), ItemId(b)) * 100.0).round();
        assert_eq!((cosine(0, 1), cosine(0, 2), cosine(2, 3), cosine(1, 2)), (0.0, 0.0, 100.0, -100.0));
        let bare = Attributes::new("", &Catalogue::unknown(3)).err().expect("nothing distinguishes items").to_string();
        assert!(bare.contains("no field that distinguishes them"), "{bare}");
        let named = Attributes::new("price", &catalogue).err().expect("no categories").to_string();
        assert!(named.contains("`price` of the items is of type number"), "{named}");
        assert!(Attributes::new("*", &Catalogue::of_categories("t", &[&["a"], &["b"], &["a"], &["b"]])).is_ok());
    }
}

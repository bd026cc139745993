//! Categories of items by one field, for fast reading.

use super::{Column, Field};
use crate::ids::ItemId;

/// The categories of each item, by one field of the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemCategories {
    field: String,
    names: Vec<String>,
    /// `[items + 1]`: item `i` has the codes `offsets[i]..offsets[i + 1]`.
    offsets: Vec<u32>,
    codes: Vec<u32>,
    /// The categories of each item as bits, where 64 are enough.
    masks: Vec<u64>,
}

impl ItemCategories {
    /// The categories of a field; `None` for a field of another type.
    pub fn of_field(field: &Field) -> Option<ItemCategories> {
        let table = field.column.names()?;
        let names = (0..table.len() as u32).map(|code| table.external(code).to_owned()).collect();
        let (offsets, codes) = match &field.column {
            Column::Categories { offsets, codes, .. } => (offsets.clone(), codes.clone()),
            column => {
                let (mut offsets, mut codes) = (vec![0], Vec::new());
                for row in 0..column.len() {
                    codes.extend_from_slice(column.categories(row));
                    offsets.push(codes.len() as u32);
                }
                (offsets, codes)
            }
        };
        Some(ItemCategories::new(field.name.clone(), names, offsets, codes))
    }

    /// Each item has at most one category: an index into `names`.
    pub fn single(field: &str, names: Vec<String>, of: impl IntoIterator<Item = Option<u32>>) -> ItemCategories {
        let (mut offsets, mut codes) = (vec![0], Vec::new());
        for code in of {
            codes.extend(code);
            offsets.push(codes.len() as u32);
        }
        ItemCategories::new(field.to_owned(), names, offsets, codes)
    }

    fn new(field: String, names: Vec<String>, offsets: Vec<u32>, codes: Vec<u32>) -> ItemCategories {
        let mask =
            |pair: &[u32]| codes[pair[0] as usize..pair[1] as usize].iter().fold(0, |mask, code| mask | 1 << code);
        let masks = if names.len() <= 64 { offsets.windows(2).map(mask).collect() } else { Vec::new() };
        ItemCategories { field, names, offsets, codes, masks }
    }

    /// The name of the field.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Number of categories.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// True without any category.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The names of the categories.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The categories of one item, ascending places in [`ItemCategories::names`]; none for empty slots and for items that the
    /// catalogue does not have.
    #[inline]
    pub fn of(&self, item: ItemId) -> &[u32] {
        match (self.offsets.get(item.index()), self.offsets.get(item.index().wrapping_add(1))) {
            (Some(&first), Some(&last)) => &self.codes[first as usize..last as usize],
            _ => &[],
        }
    }
}

impl ItemCategories {
    /// The categories of each item as bits; `None` if there are more than 64.
    pub fn masks(&self) -> Option<&[u64]> {
        (self.names.len() <= 64).then_some(&self.masks)
    }

    /// The number of categories that two items share.
    #[inline]
    pub fn shared(&self, a: ItemId, b: ItemId) -> usize {
        match (self.masks.get(a.index()), self.masks.get(b.index())) {
            (Some(a), Some(b)) => (a & b).count_ones() as usize,
            _ => shared(self.of(a), self.of(b)),
        }
    }
}

/// The number of values that two ascending lists share.
fn shared(a: &[u32], b: &[u32]) -> usize {
    let (mut left, mut right, mut count) = (0, 0, 0);
    while let (Some(x), Some(y)) = (a.get(left), b.get(right)) {
        count += usize::from(x == y);
        left += usize::from(x <= y);
        right += usize::from(y <= x);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::NO_CATEGORY;

    #[test]
    fn categories_of_both_types_by_hand() {
        let many = Field { name: "tags".into(), column: Column::of_names([vec!["b", "a"], vec![], vec!["a"]]) };
        let found = ItemCategories::of_field(&many).expect("categories");
        assert_eq!((found.of(ItemId(0)), found.of(ItemId(1)), found.of(ItemId(2))), (&[0, 1][..], &[][..], &[1][..]));
        assert_eq!((found.of(ItemId(3)), found.of(ItemId::NONE), found.names()[1].as_str()), (&[][..], &[][..], "a"));
        let mut names = crate::dataset::IdTable::default();
        names.insert("red");
        let one = Field { name: "colour".into(), column: Column::Category { names, codes: vec![NO_CATEGORY, 0] } };
        let found = ItemCategories::of_field(&one).expect("a category");
        assert_eq!((found.of(ItemId(0)), found.of(ItemId(1))), (&[][..], &[0][..]));
        assert_eq!(found, ItemCategories::single("colour", vec!["red".into()], [None, Some(0)]));
        assert!(ItemCategories::of_field(&Field { name: "n".into(), column: Column::Number(vec![1.0]) }).is_none());
    }

    #[test]
    fn what_two_lists_share() {
        let many: Vec<String> = (0..70).map(|name| name.to_string()).collect();
        let rows = [&many[..66], &many[64..70], &many[3..5]];
        for rows in [&rows[..], &[&many[..3], &many[2..5], &many[4..5]]] {
            let field = Field { name: "t".into(), column: Column::of_names(rows.iter().map(|row| row.iter())) };
            let found = ItemCategories::of_field(&field).expect("categories");
            let pairs = [(0, 1), (0, 2), (1, 2)].map(|(a, b)| found.shared(ItemId(a), ItemId(b)));
            assert_eq!(pairs, if rows[0].len() > 9 { [2, 2, 0] } else { [1, 0, 1] });
            assert_eq!(found.shared(ItemId(0), ItemId(7)), 0);
        }
        assert_eq!((shared(&[0, 2, 5], &[2, 3, 5]), shared(&[], &[1]), shared(&[7], &[7])), (2, 0, 1));
    }
}

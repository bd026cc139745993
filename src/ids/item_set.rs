//! A set of items that takes no more memory than it must.
//!
//! A small set is sorted numbers; a larger one is a bit for each item of the catalogue if that takes less. So a set of
//! a hundred items in a catalogue of a million takes 400 bytes, and no set in a catalogue of 2,000 takes more than 250.

use super::ItemId;

/// A set of items of one catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemSet {
    /// Ascending.
    Sorted(Vec<u32>),
    /// One bit for each item of the catalogue, and the number of those that are set.
    Bits {
        /// Item `i` is bit `i % 64` of word `i / 64`.
        words: Vec<u64>,
        /// Number of items.
        count: usize,
    },
}

impl Default for ItemSet {
    fn default() -> Self {
        ItemSet::Sorted(Vec::new())
    }
}

/// True if `count` sorted numbers take more than a bit for each of `items`.
fn is_dense(count: usize, items: usize) -> bool {
    32 * count > items.next_multiple_of(64)
}

impl ItemSet {
    /// These items of a catalogue of `items`, in any order and repeated at will. Items that the catalogue does not have are
    /// left out.
    pub fn new(members: impl IntoIterator<Item = ItemId>, items: usize) -> ItemSet {
        let mut sorted: Vec<u32> = members.into_iter().filter(|item| item.index() < items).map(|item| item.0).collect();
        sorted.sort_unstable();
        sorted.dedup();
        if is_dense(sorted.len(), items) {
            return bits_of(&sorted, items);
        }
        sorted.shrink_to_fit();
        ItemSet::Sorted(sorted)
    }

    /// Adds an item of a catalogue of `items`; `false` if it is in the set already, or not in the catalogue.
    pub fn insert(&mut self, item: ItemId, items: usize) -> bool {
        if item.index() >= items {
            return false;
        }
        match self {
            ItemSet::Sorted(sorted) => {
                let Err(place) = sorted.binary_search(&item.0) else { return false };
                sorted.insert(place, item.0);
                if is_dense(sorted.len(), items) {
                    *self = bits_of(sorted, items);
                }
                true
            }
            ItemSet::Bits { words, count } => {
                let (word, bit) = (&mut words[item.index() / 64], 1 << (item.index() % 64));
                let is_new = *word & bit == 0;
                *word |= bit;
                *count += usize::from(is_new);
                is_new
            }
        }
    }

    /// True if the item is in the set.
    #[inline]
    pub fn contains(&self, item: ItemId) -> bool {
        match self {
            ItemSet::Sorted(sorted) => sorted.binary_search(&item.0).is_ok(),
            ItemSet::Bits { words, .. } => {
                words.get(item.index() / 64).is_some_and(|word| word >> (item.index() % 64) & 1 == 1)
            }
        }
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        match self {
            ItemSet::Sorted(sorted) => sorted.len(),
            ItemSet::Bits { count, .. } => *count,
        }
    }

    /// True without any item.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The items, ascending.
    pub fn iter(&self) -> impl Iterator<Item = ItemId> + '_ {
        let (sorted, words): (&[u32], &[u64]) = match self {
            ItemSet::Sorted(sorted) => (sorted, &[]),
            ItemSet::Bits { words, .. } => (&[], words),
        };
        sorted.iter().map(|&item| ItemId(item)).chain(ones(words))
    }
}

/// The places of the bits that are set, ascending.
pub fn ones(bits: &[u64]) -> impl Iterator<Item = ItemId> + '_ {
    bits.iter().enumerate().flat_map(|(place, &word)| {
        let mut left = word;
        std::iter::from_fn(move || {
            let bit = left.trailing_zeros();
            left &= left.wrapping_sub(1);
            (bit < 64).then(|| ItemId(place as u32 * 64 + bit))
        })
    })
}

/// The set of ascending items without repeats.
fn bits_of(sorted: &[u32], items: usize) -> ItemSet {
    let mut words = vec![0; items.div_ceil(64)];
    sorted.iter().for_each(|&item| words[item as usize / 64] |= 1 << (item % 64));
    ItemSet::Bits { words, count: sorted.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_is_a_set_in_whatever_form(items in 1usize..400, members in proptest::collection::vec(0u32..420, 0..120)) {
            let mut set = ItemSet::default();
            let mut wanted = BTreeSet::new();
            for &member in &members {
                let is_new = (member as usize) < items && wanted.insert(member);
                prop_assert_eq!(set.insert(ItemId(member), items), is_new);
            }
            prop_assert_eq!(set.len(), wanted.len());
            prop_assert!(set.iter().map(|item| item.0).eq(wanted.iter().copied()));
            for item in 0..430 {
                prop_assert_eq!(set.contains(ItemId(item)), wanted.contains(&item));
            }
            prop_assert_eq!(ItemSet::new(members.into_iter().map(ItemId), items), set);
        }
    }

    #[test]
    fn the_form_is_the_smaller_one() {
        let of = |count: u32, items| ItemSet::new((0..count).map(ItemId), items);
        assert!(matches!(of(2, 64), ItemSet::Sorted(_)));
        assert!(matches!(of(3, 64), ItemSet::Bits { .. }));
        assert!(matches!(of(31_250, 1_000_000), ItemSet::Sorted(_)));
        assert!(matches!(of(31_300, 1_000_000), ItemSet::Bits { .. }));
        assert!(of(0, 0).is_empty() && !ItemSet::default().insert(ItemId(0), 0));
    }
}

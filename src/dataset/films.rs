//! Items as the two old readers know them: genres and years.

use crate::ids::ItemId;

/// The items that can be shown, with their attributes. Arrays are indexed by [`ItemId`].
#[derive(Clone, Debug, Default)]
pub(super) struct Catalogue {
    /// Titles as shown to people.
    pub(super) titles: Vec<String>,
    /// Year of release.
    pub(super) years: Vec<Option<u16>>,
    /// Names of the genres, in the order of their bits.
    pub(super) genre_names: Vec<String>,
    /// Genres of each item.
    pub(super) genres: Vec<GenreSet>,
    /// Names of those who provide items.
    pub(super) provider_names: Vec<String>,
    /// Who provides each item, a place in `provider_names`; empty where that is not known.
    pub(super) providers: Vec<u32>,
}

impl Catalogue {
    /// Who provides an item: a place in `provider_names`. `None` where it is not known, and for empty slots.
    #[inline]
    pub(super) fn provider_of(&self, item: ItemId) -> Option<u32> {
        self.providers.get(item.index()).copied()
    }

    /// Number of items.
    pub(super) fn len(&self) -> usize {
        self.titles.len()
    }

    /// The bit of a genre, added when the name is new. `None` when [`GenreSet::CAPACITY`] are in use.
    pub(super) fn genre_bit(&mut self, name: &str) -> Option<u32> {
        if let Some(place) = self.genre_names.iter().position(|known| known == name) {
            return Some(place as u32);
        }
        if self.genre_names.len() == GenreSet::CAPACITY {
            return None;
        }
        self.genre_names.push(name.to_owned());
        Some(self.genre_names.len() as u32 - 1)
    }
}

/// A set of genres, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct GenreSet(u64);

impl GenreSet {
    /// The largest number of different genres in one catalogue.
    pub(super) const CAPACITY: usize = 64;

    /// Adds a genre.
    pub(super) fn insert(&mut self, bit: u32) {
        self.0 |= 1 << bit;
    }

    /// The bits of its genres, ascending.
    pub(super) fn iter(self) -> impl Iterator<Item = usize> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let bit = (rest != 0).then(|| rest.trailing_zeros() as usize);
            rest &= rest.wrapping_sub(1);
            bit
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn genres_get_bits_in_order_of_appearance_until_full() {
        let mut catalogue = Catalogue::default();
        assert_eq!(catalogue.genre_bit("Drama"), Some(0));
        assert_eq!(catalogue.genre_bit("Comedy"), Some(1));
        assert_eq!(catalogue.genre_bit("Drama"), Some(0));
        for number in 2..GenreSet::CAPACITY {
            assert_eq!(catalogue.genre_bit(&format!("g{number}")), Some(number as u32));
        }
        assert_eq!(catalogue.genre_bit("one too many"), None);
    }
}

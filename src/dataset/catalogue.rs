//! Static attributes of items.

use crate::files::sha256;
use crate::ids::ItemId;

/// The items that can be shown, with their attributes. Arrays are indexed by [`ItemId`].
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// Titles as shown to people.
    pub titles: Vec<String>,
    /// Year of release.
    pub years: Vec<Option<u16>>,
    /// Names of the genres, in the order of their bits.
    pub genre_names: Vec<String>,
    /// Genres of each item.
    pub genres: Vec<GenreSet>,
    /// Names of those who provide items.
    pub provider_names: Vec<String>,
    /// Who provides each item, a place in `provider_names`; empty where that is not known.
    pub providers: Vec<u32>,
}

impl Catalogue {
    /// Who provides an item: a place in `provider_names`. `None` where it is not known, and for empty slots.
    #[inline]
    pub fn provider_of(&self, item: ItemId) -> Option<u32> {
        self.providers.get(item.index()).copied()
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.titles.len()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.titles.is_empty()
    }

    /// Which items these are, in which order: the sha256 of their titles in UTF-8, a line feed after each. Models that know
    /// items by their number are made for one such hash.
    pub fn hash(&self) -> String {
        let lines: String = self.titles.iter().flat_map(|title| [title.as_str(), "\n"]).collect();
        sha256(lines.as_bytes())
    }

    /// Genres of one item.
    #[inline]
    pub fn genres_of(&self, item: ItemId) -> GenreSet {
        self.genres[item.index()]
    }

    /// The bit of a genre, added when the name is new. `None` when [`GenreSet::CAPACITY`] are in use.
    pub fn genre_bit(&mut self, name: &str) -> Option<u32> {
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
pub struct GenreSet(pub u64);

impl GenreSet {
    /// The largest number of different genres in one catalogue.
    pub const CAPACITY: usize = 64;

    /// Adds a genre.
    pub fn insert(&mut self, bit: u32) {
        self.0 |= 1 << bit;
    }

    /// Whether the genre is in the set.
    #[inline]
    pub fn contains(self, bit: u32) -> bool {
        self.0 >> bit & 1 == 1
    }

    /// Number of genres.
    #[inline]
    pub fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// The bits of its genres, ascending.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let bit = (rest != 0).then(|| rest.trailing_zeros() as usize);
            rest &= rest.wrapping_sub(1);
            bit
        })
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Jaccard distance `1 - |A and B| / |A or B|`; two empty sets are at distance 0.
    #[inline]
    pub fn distance(self, other: GenreSet) -> f64 {
        let union = (self.0 | other.0).count_ones();
        if union == 0 { 0.0 } else { 1.0 - f64::from((self.0 & other.0).count_ones()) / f64::from(union) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_titles_in_order() {
        let of = |titles: &[&str]| {
            let titles = titles.iter().map(|title| (*title).to_owned()).collect();
            Catalogue { titles, ..Catalogue::default() }.hash()
        };
        // printf 'Alien\nCafé\n' | sha256sum
        assert_eq!(of(&["Alien", "Café"]), "93de1991dbfa99a53e4adbf9c2890b5e6bb26746e04f16a9d9ce88beef14bc5f");
        assert_ne!(of(&["Café", "Alien"]), of(&["Alien", "Café"]));
        assert_ne!(of(&["Ali", "en", "Café"]), of(&["Alien", "Café"]));
    }

    #[test]
    fn jaccard_distance_by_hand() {
        let (a, b) = (GenreSet(0b0111), GenreSet(0b1110));
        assert_eq!(a.distance(b), 0.5);
        assert_eq!(a.distance(a), 0.0);
        assert_eq!(a.distance(GenreSet(0)), 1.0);
        assert_eq!(GenreSet(0).distance(GenreSet(0)), 0.0);
    }

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

//! Documented clean-ups: what was dropped or repaired while reading, counted and printed.

use std::collections::BTreeMap;
use std::fmt;

/// A kind of repair that a reader may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cleaner {
    /// The same user, item and second once more: the first row is kept.
    DuplicateRow,
    /// The same user and item at another time: the earliest row is kept, a user model sees an item once.
    RepeatedItem,
    /// An item that nobody interacted with and that has no title ("unknown" in MovieLens-100K).
    UntitledItem,
    /// A title that is not valid UTF-8 was read as Latin-1.
    Latin1Title,
    /// A release year that is empty: the item has no year.
    MissingYear,
}

impl Cleaner {
    fn describe(self) -> &'static str {
        match self {
            Cleaner::DuplicateRow => "duplicate rows dropped",
            Cleaner::RepeatedItem => "later interactions with the same item dropped",
            Cleaner::UntitledItem => "items without a title kept as \"unknown\"",
            Cleaner::Latin1Title => "titles read as Latin-1",
            Cleaner::MissingYear => "items without a release year",
        }
    }
}

/// How often each repair was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleanup(BTreeMap<Cleaner, usize>);

impl Cleanup {
    /// Counts one repair.
    pub fn count(&mut self, cleaner: Cleaner) {
        *self.0.entry(cleaner).or_default() += 1;
    }

    /// How often `cleaner` was used.
    pub fn of(&self, cleaner: Cleaner) -> usize {
        self.0.get(&cleaner).copied().unwrap_or(0)
    }

    /// Whether nothing had to be repaired.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Cleanup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return formatter.write_str("nothing to clean up");
        }
        for (place, (cleaner, count)) in self.0.iter().enumerate() {
            if place > 0 {
                formatter.write_str(", ")?;
            }
            write!(formatter, "{count} {}", cleaner.describe())?;
        }
        Ok(())
    }
}

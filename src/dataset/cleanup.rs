//! Documented clean-ups, counted with their first place.

use super::static_names;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A kind of repair that a reader may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Cleaner {
    /// The same user, item and time once more, with the same rating.
    DuplicateRow,
    /// The same user, item and time with other ratings: the highest rating is kept.
    ContradictingRow,
    /// The same user and item at another time: the earliest row is kept, a user model sees an item once.
    RepeatedItem,
    /// An item without interactions and without a title (or called "unknown").
    UntitledItem,
    /// A title that is not valid UTF-8 was read as Latin-1.
    Latin1Title,
    /// A release year that is empty: the item has no year.
    MissingYear,
    /// A row of an item that the table of items does not have: the item is kept, without fields.
    UnknownItem,
    /// A row of a user who is not in the table of users: the user is kept, without fields.
    UnknownUser,
    /// A row without a time in a log with times: it counts as earlier than all that have one.
    UndatedRow,
    /// A row of the publisher's that is left out, and why.
    Dropped(#[serde(deserialize_with = "static_names::read")] static_names::StaticName),
}

impl Cleaner {
    fn describe(self) -> &'static str {
        match self {
            Cleaner::DuplicateRow => "duplicate rows dropped",
            Cleaner::ContradictingRow => "rows of one user, item and time with other ratings dropped, the highest kept",
            Cleaner::RepeatedItem => "later interactions with the same item dropped",
            Cleaner::UntitledItem => "items without a title kept as \"unknown\"",
            Cleaner::Latin1Title => "titles read as Latin-1",
            Cleaner::MissingYear => "items without a release year",
            Cleaner::UnknownItem => "rows of items that the table of items does not have, kept without fields",
            Cleaner::UnknownUser => "rows of users whom the table of users does not have, kept without fields",
            Cleaner::UndatedRow => "rows without a time, taken as earlier than all others",
            Cleaner::Dropped(reason) => reason,
        }
    }
}

/// The number of each repair, and the place of the first: `file:line`, or empty if unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleanup(BTreeMap<Cleaner, (usize, String)>);

impl Cleanup {
    /// Counts one repair.
    pub fn count(&mut self, cleaner: Cleaner) {
        self.count_at(cleaner, String::new);
    }

    /// Counts one repair at a place, which is made for the first of its kind.
    pub fn count_at(&mut self, cleaner: Cleaner, place: impl FnOnce() -> String) {
        self.count_many(cleaner, 1, place);
    }

    /// Counts several repairs, the first of them at a place.
    pub fn count_many(&mut self, cleaner: Cleaner, count: usize, place: impl FnOnce() -> String) {
        if count > 0 {
            self.0.entry(cleaner).or_insert_with(|| (0, place())).0 += count;
        }
    }

    /// The number of repairs by `cleaner`.
    pub fn of(&self, cleaner: Cleaner) -> usize {
        self.0.get(&cleaner).map_or(0, |(count, _)| *count)
    }

    /// True without any repair.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One line for each kind of repair: how often, what, and where first.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(cleaner, (count, place))| {
            let place = if place.is_empty() { String::new() } else { format!(" (first: {place})") };
            format!("{count} {}{place}", cleaner.describe())
        })
    }
}

impl fmt::Display for Cleanup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return formatter.write_str("nothing to clean up");
        }
        formatter.write_str(&self.lines().collect::<Vec<_>>().join(", "))
    }
}

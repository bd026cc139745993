//! The data of metrics before the first event.
//!
//! All of it can be derived from the run's data set and its `users.csv`, so a stored log gives the numbers of the live
//! run.

use crate::dataset::{Catalogue, Fields, TrainingLog};
use crate::ids::{LogUserId, UserId};
use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Groups that a field of users makes for it to be taken unasked.
const GROUPS: std::ops::RangeInclusive<usize> = 2..=50;

/// The data that a metric of one replication may read before the first event.
#[derive(Clone)]
pub struct Background {
    /// Users of the population, served or not.
    pub users: usize,
    /// Items of the catalogue.
    pub items: usize,
    /// The user of the data set whom each user of the population mirrors; empty if unknown.
    pub sources: Arc<[LogUserId]>,
    /// The log before the start.
    pub past: Arc<Past>,
}

impl Background {
    /// A population that mirrors `sources`, the users of `past`.
    pub fn new(sources: Arc<[LogUserId]>, past: Arc<Past>) -> Background {
        Background { users: sources.len(), items: past.catalogue.len(), sources, past }
    }

    /// A population of `users` and a catalogue of `items` without further information.
    pub fn unknown(users: usize, items: usize) -> Background {
        Background { users, items, sources: Arc::new([]), past: Arc::new(Past::default()) }
    }

    /// The user of the data set whom `user` mirrors.
    pub fn source(&self, user: UserId) -> Option<LogUserId> {
        self.sources.get(user.index()).copied().filter(|source| source.index() < self.past.log.users())
    }

    /// Tables derived from the past, computed once; see [`Past::table`].
    pub fn table<T: Any + Send + Sync>(&self, make: fn(&Past) -> T) -> Arc<T> {
        self.past.table(make)
    }
}

impl PartialEq for Background {
    /// Two states merge if they have the same population and catalogue.
    fn eq(&self, other: &Background) -> bool {
        self.users == other.users && self.items == other.items && self.sources == other.sources
    }
}

/// The log before the start with its users and items, and tables that metrics derived from it.
pub struct Past {
    /// The interactions, by user of the data set.
    pub log: Arc<TrainingLog>,
    /// The items.
    pub catalogue: Arc<Catalogue>,
    /// Fields of the users of the data set.
    pub user_fields: Fields,
    /// The field of users whose categories define groups, if any.
    pub user_field: Option<String>,
    /// The lowest of the levels 1 to 5 that counts as liking.
    pub like_level: u8,
    tables: Mutex<BTreeMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

/// The default level from which an item counts as liked.
const LIKED: u8 = 4;

impl Default for Past {
    fn default() -> Past {
        Past::new(Arc::default(), Arc::default(), Fields::default())
    }
}

impl Past {
    /// A past without derived tables.
    pub fn new(log: Arc<TrainingLog>, catalogue: Arc<Catalogue>, user_fields: Fields) -> Past {
        let user_field = user_fields.widest(GROUPS, None).map(|field| field.name.clone());
        Past { log, catalogue, user_fields, user_field, like_level: LIKED, tables: Mutex::default() }
    }

    /// The same, with liking from another level on.
    pub fn liked_from(self, level: u8) -> Past {
        Past { like_level: level, ..self }
    }

    /// The table of type `T` from `make`; all metrics of all replications share it. Two tables need two types.
    pub fn table<T: Any + Send + Sync>(&self, make: fn(&Past) -> T) -> Arc<T> {
        let tables = || self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let known = tables().get(&TypeId::of::<T>()).cloned();
        if let Some(table) = known.and_then(|table| table.downcast().ok()) {
            return table;
        }
        // Made without the lock, as a table may need another; of two made at once both are right.
        let table = Arc::new(make(self));
        tables().insert(TypeId::of::<T>(), table.clone());
        table
    }
}

/// True if users rate: not where the log before the start has rows, and none with a rating.
pub(super) struct Rated(pub bool);

impl Rated {
    pub(super) fn of(past: &Past) -> Rated {
        Rated(past.log.rows.is_empty() || past.log.rows.iter().any(|row| !row.rating.is_nan()))
    }
}

/// Users of the log who have each item, by item.
pub(super) struct Popularity(pub Vec<u32>);

impl Popularity {
    pub(super) fn of(past: &Past) -> Popularity {
        let mut counts = vec![0; past.catalogue.len()];
        let mut last = vec![None; counts.len()];
        for row in &past.log.rows {
            let item = row.item.index();
            if let (Some(count), Some(last)) = (counts.get_mut(item), last.get_mut(item))
                && *last != Some(row.user)
            {
                *count += 1;
                *last = Some(row.user);
            }
        }
        Popularity(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::testing::{background, catalogue};

    #[test]
    fn a_table_is_made_once() {
        struct Made(usize);
        let past = background(&[0], &[&[0, 1]], &catalogue(&[1, 2])).past;
        let first = past.table(|past| Made(past.log.rows.len()));
        let second = past.table(|_| Made(0));
        assert_eq!((first.0, second.0), (2, 2));
    }

    #[test]
    fn popularity_counts_users() {
        let start = background(&[1, 1, 0], &[&[0, 2, 0], &[2], &[]], &catalogue(&[1, 2, 4]));
        assert_eq!(start.table(Popularity::of).0, [1, 0, 2]);
        assert_eq!((start.users, start.items), (3, 3));
        assert_eq!((start.source(UserId(1)), start.source(UserId(3))), (Some(LogUserId(1)), None));
        assert_eq!(Background::unknown(4, 2).source(UserId(0)), None);
    }
}

//! Dense identifiers. External ids live in one [`crate::dataset::IdTable`] each.

mod item_set;

pub use self::item_set::{ItemSet, ones};

use serde::{Deserialize, Serialize};

/// A simulated user, numbered from 0 within the population of a replication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(transparent)]
pub struct UserId(pub u32);

/// A user of a data set, numbered from 0 within its log. A simulated user starts with the history of one: its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(transparent)]
pub struct LogUserId(pub u32);

/// An item, numbered from 0 within a catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(transparent)]
pub struct ItemId(pub u32);

impl UserId {
    /// The id as an array index.
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl LogUserId {
    /// The id as an array index.
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The simulated user of the same number, where each user of the log is simulated once, in the order of the log.
    #[inline]
    pub fn simulated(self) -> UserId {
        UserId(self.0)
    }
}

/// The simulated users of the same numbers, see [`LogUserId::simulated`].
pub fn simulated(users: &[LogUserId]) -> Vec<UserId> {
    users.iter().map(|user| user.simulated()).collect()
}

impl ItemId {
    /// Marks an empty slot of a slate that has fewer items than slots.
    pub const NONE: ItemId = ItemId(u32::MAX);

    /// The id as an array index. Never call it on [`ItemId::NONE`].
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// True if the slot holds an item.
    #[inline]
    pub fn is_some(self) -> bool {
        self != ItemId::NONE
    }
}

//! Dense identifiers. External ids live in one [`crate::dataset::IdTable`] each.

mod item_set;

pub use self::item_set::{ItemSet, ones};

use serde::{Deserialize, Serialize};

/// A user, numbered from 0 within a data set or a simulated population.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(transparent)]
pub struct UserId(pub u32);

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

impl ItemId {
    /// Marks an empty slot of a slate that has fewer items than slots.
    pub const NONE: ItemId = ItemId(u32::MAX);

    /// The id as an array index. Never call it on [`ItemId::NONE`].
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// Returns true if the slot holds an item.
    #[inline]
    pub fn is_some(self) -> bool {
        self != ItemId::NONE
    }
}

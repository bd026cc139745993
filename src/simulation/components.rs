//! Components of a user.

use crate::dataset::Interaction;
use crate::ids::{ItemId, LogUserId, UserId};
use bevy_ecs::prelude::Component;

/// Items that a history keeps.
const HISTORY: usize = 20;

/// The mark of a user, and the identity in the simulation.
#[derive(Component, Clone, Copy, Debug)]
pub struct User {
    /// Numbered from 0 within the population.
    pub id: UserId,
}

/// The user of the data set whom this one mirrors, with the static attributes.
#[derive(Component, Clone, Copy, Debug)]
pub struct Profile {
    /// A user of the data set.
    pub source: LogUserId,
}

/// One remembered acceptance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HistoryEntry {
    /// The item.
    pub item: ItemId,
    /// Its rating; NaN when unknown.
    pub rating: f32,
    /// The tick; `None` for entries of the log.
    pub tick: Option<u32>,
}

/// The last 20 accepted items, as a ring.
#[derive(Component, Clone, Debug)]
pub struct History {
    ring: [HistoryEntry; HISTORY],
    total: usize,
}

impl History {
    /// The history that a log brings along.
    pub fn of(log: &[Interaction]) -> History {
        let empty = HistoryEntry { item: ItemId::NONE, rating: f32::NAN, tick: None };
        let mut history = History { ring: [empty; HISTORY], total: 0 };
        for row in log {
            history.push(HistoryEntry { item: row.item, rating: row.rating, tick: None });
        }
        history
    }

    /// Adds the newest entry, replacing the oldest one if the ring is full.
    pub fn push(&mut self, entry: HistoryEntry) {
        self.ring[self.total % HISTORY] = entry;
        self.total += 1;
    }

    /// Items accepted in all, those that the ring has forgotten included.
    pub fn total(&self) -> usize {
        self.total
    }

    /// The remembered entries, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &HistoryEntry> {
        let kept = self.total.min(HISTORY);
        (self.total - kept..self.total).map(|place| &self.ring[place % HISTORY])
    }
}

/// The user model's memory of this user, [`crate::user::MemoryShape::total`] numbers.
#[derive(Component, Clone, Debug)]
pub struct Interest(pub Box<[f32]>);

/// The presence of a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Not here; may start a session.
    #[default]
    Away,
    /// In a session: sees one slate a tick.
    Here,
    /// Left permanently.
    Left,
}

/// The course of a user's visits.
#[derive(Component, Clone, Copy, Debug, Default)]
pub struct Engagement {
    /// Probability of starting a session at a tick.
    pub rate: f64,
    /// The presence of the user.
    pub status: Status,
    /// Slates seen in this session.
    pub slates: u32,
    /// Slates rejected in a row in this session.
    pub rejected: u32,
    /// Items accepted in this session.
    pub accepted: u32,
    /// Sessions in a row that ended without an acceptance.
    pub fruitless: u32,
    /// Sessions started.
    pub sessions: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_newest() {
        let mut history = History::of(&[]);
        assert_eq!(history.iter().count(), 0);
        for number in 0..25 {
            history.push(HistoryEntry { item: ItemId(number), rating: 3.0, tick: Some(number) });
        }
        let items: Vec<u32> = history.iter().map(|entry| entry.item.0).collect();
        assert_eq!(items, (5..25).collect::<Vec<_>>());
        assert_eq!(history.total(), 25);
    }
}

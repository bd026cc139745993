//! Observations and outcomes of an environment.

use crate::ids::{LogUserId, UserId};
use crate::log::EventBatch;
use crate::policy::Requests;
use crate::simulation::{HistoryEntry, Simulation};
use std::ops::Deref;

/// The users who want a slate now. Derefs to [`Requests`], which policies take: step, slots, users, and candidates of each row.
pub struct Observation<'a> {
    requests: Requests<'a>,
    simulation: &'a Simulation,
}

impl<'a> Observation<'a> {
    pub(super) fn new(simulation: &'a Simulation, wanted: bool) -> Observation<'a> {
        let all = simulation.requests();
        Observation { requests: if wanted { all } else { Requests { users: &[], ..all } }, simulation }
    }

    /// Milliseconds since 1970 at this step, by the calendar of the log.
    pub fn time(&self) -> i64 {
        self.simulation.time()
    }

    /// The latest accepted items of the user of `row`, oldest first, at most 20, including those of the log.
    pub fn history(&self, row: usize) -> impl Iterator<Item = &HistoryEntry> {
        self.simulation.history(row)
    }

    /// The user of the data set whom the user of `row` mirrors; `None` for a row that does not exist.
    pub fn source(&self, row: usize) -> Option<LogUserId> {
        self.simulation.source(row)
    }
}

impl<'a> Deref for Observation<'a> {
    type Target = Requests<'a>;

    fn deref(&self) -> &Requests<'a> {
        &self.requests
    }
}

/// The responses of the users in one step.
pub struct Outcome<'a> {
    pub(super) events: &'a EventBatch,
    pub(super) left: &'a [UserId],
    pub(super) is_done: bool,
}

impl<'a> Outcome<'a> {
    /// The events as columns: users, slates, accepted slots, ratings, probabilities.
    pub fn events(&self) -> &'a EventBatch {
        self.events
    }

    /// 1 for each user of the events who accepted an item, else 0.
    pub fn rewards(&self) -> impl Iterator<Item = f32> + use<'a> {
        let events = self.events;
        (0..events.len()).map(|row| if events.accepted_item(row).is_some() { 1.0 } else { 0.0 })
    }

    /// The users who left permanently in this step, ascending: terminated.
    pub fn left(&self) -> &'a [UserId] {
        self.left
    }

    /// True if this was the last step: truncated.
    pub fn is_done(&self) -> bool {
        self.is_done
    }
}

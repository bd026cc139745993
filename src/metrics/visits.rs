//! Starts of sessions, shared by session metrics.
//!
//! A user's session begins where the number of the session changes. A log without the column `session` does not
//! separate two sessions in consecutive ticks; there a session begins if the user was absent at the tick before.

use crate::log::EventBatch;

/// The position of a slate within its user's visits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visit {
    /// The user's first of all.
    First,
    /// The first of a later session, `gap` ticks after the last slate of the session before.
    Returns {
        /// Ticks.
        gap: u32,
        /// The tick of that last slate.
        since: u32,
    },
    /// Another one of the same session; the one before was at the tick `since`.
    Continues {
        /// The tick.
        since: u32,
    },
}

/// The last slate of each user so far.
#[derive(Clone, Default)]
pub(super) struct Visits(Vec<Last>);

#[derive(Clone, Copy)]
struct Last {
    tick: u32,
    session: Option<u32>,
}

/// The tick of a user who has not come yet.
const NEVER: u32 = u32::MAX;

impl Visits {
    pub(super) fn new(users: usize) -> Visits {
        Visits(vec![Last { tick: NEVER, session: None }; users])
    }

    /// Takes one row of a batch; `None` for a user who is not of the population.
    pub(super) fn take(&mut self, batch: &EventBatch, row: usize) -> Option<Visit> {
        let last = self.0.get_mut(batch.users.get(row)?.index())?;
        let before = *last;
        *last = Last { tick: batch.tick, session: batch.session_of(row) };
        if before.tick == NEVER {
            return Some(Visit::First);
        }
        let gap = batch.tick.saturating_sub(before.tick);
        let begins = match (before.session, last.session) {
            (Some(before), Some(now)) => before != now,
            _ => gap > 1,
        };
        Some(if begins { Visit::Returns { gap, since: before.tick } } else { Visit::Continues { since: before.tick } })
    }

    /// Takes what another state saw of other users.
    pub(super) fn merge(&mut self, other: &Visits) {
        for (mine, others) in self.0.iter_mut().zip(&other.0) {
            if others.tick != NEVER && (mine.tick == NEVER || mine.tick < others.tick) {
                *mine = *others;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::testing::visit;

    fn visits_of(log: &[EventBatch]) -> Vec<Option<Visit>> {
        let mut visits = Visits::new(1);
        log.iter().map(|batch| visits.take(batch, 0)).collect()
    }

    #[test]
    fn numbers_separate_sessions_of_consecutive_ticks() {
        let log = [visit(2, &[(0, 1)]), visit(3, &[(0, 1)]), visit(4, &[(0, 2)]), visit(9, &[(0, 2)])];
        let continues = |since| Visit::Continues { since };
        let expected = [Visit::First, continues(2), Visit::Returns { gap: 1, since: 3 }, continues(4)];
        assert_eq!(visits_of(&log), expected.map(Some));
    }

    #[test]
    fn without_numbers_absence_does() {
        let mut log = [visit(2, &[(0, 1)]), visit(3, &[(0, 2)]), visit(5, &[(0, 3)])];
        log.iter_mut().for_each(|batch| batch.sessions.clear());
        let expected = [Visit::First, Visit::Continues { since: 2 }, Visit::Returns { gap: 2, since: 3 }];
        assert_eq!(visits_of(&log), expected.map(Some));
        assert_eq!(visits_of(&[visit(0, &[(7, 1)])]), [None], "not of the population");
    }
}

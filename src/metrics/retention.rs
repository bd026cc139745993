//! Retention of users after their first visit.
//!
//! The share of users who are present `d` ticks after their first visit.
//!
//! ```text
//! r(d) = users with a slate at their first tick + d / users whose first tick + d is over          (the curve)
//! value = sum over d > 0 of the numerators / sum over d > 0 of the denominators
//! ```
//!
//! `r` is the retention curve of product analytics (day-N retention; Mixpanel and Amplitude define it so). The value is
//! its mean after the first tick, each `d` weighted by the users who have lived so long: with all users there from the
//! start it is the share of user-ticks with a visit. Users who never came have no first visit and do not count.
//!
//! ```
//! use recmirror::dataset::Catalogue;
//! use recmirror::ids::{ItemId, UserId};
//! use recmirror::log::{EventBatch, REJECTED};
//!
//! let tick = |tick, users: &[u32]| EventBatch {
//!     tick,
//!     slate: 1,
//!     users: users.iter().map(|&user| UserId(user)).collect(),
//!     items: vec![ItemId(0); users.len()],
//!     accepted: vec![REJECTED; users.len()],
//!     ..EventBatch::default()
//! };
//! let log = [tick(0, &[0, 1]), tick(1, &[1]), tick(2, &[])];
//! let value = recmirror::metrics::value("retention", &log, 2, &Catalogue::unknown(1));
//! // r(1) = 1/2, r(2) = 0/2.
//! assert_eq!(value.unwrap(), Some(0.25));
//! ```

use super::{Better, Format, Metric, MetricKind, Window, accumulator};
use crate::dataset::Catalogue;
use crate::log::EventBatch;

/// The metric.
pub const KIND: MetricKind = MetricKind {
    name: "retention",
    title: "Retention",
    formula: "visits after the first tick of their user / ticks that users have lived since, over all users who came",
    format: Format::Percent { digits: 1 },
    better: Better::Higher,
    window: Window::SoFar,
    against: None,
    make: |start| {
        let first = vec![NEVER; start.users];
        accumulator(Retention { first, ..Retention::default() })
    },
};

/// The first tick of a user who has not come yet.
const NEVER: u32 = u32::MAX;

#[derive(Default)]
struct Retention {
    /// First tick, by user.
    first: Vec<u32>,
    /// Users by first tick.
    began: Vec<u64>,
    /// Visits by ticks since the user's first.
    visits: Vec<u64>,
    now: u32,
    /// Visits after the first tick of their user, and users with the sum of their first ticks: all that the value needs.
    later: u64,
    users: u64,
    first_ticks: u64,
}

/// Adds to a count of a list that grows.
fn add(counts: &mut Vec<u64>, place: usize, count: u64) {
    if place >= counts.len() {
        counts.resize(place + 1, 0);
    }
    if let Some(sum) = counts.get_mut(place) {
        *sum += count;
    }
}

impl Retention {
    /// By `d`: visits, and the users for whom the tick `d` after their first is over.
    fn cells(&self) -> Vec<(u64, u64)> {
        let mut users = 0;
        let mut lived: Vec<u64> = Vec::with_capacity(self.now as usize + 1);
        for tick in 0..=self.now as usize {
            users += self.began.get(tick).copied().unwrap_or(0);
            lived.push(users);
        }
        // Users whose first tick is at most `now - d`.
        let visits = (0..).map(|since: usize| self.visits.get(since).copied().unwrap_or(0));
        visits.zip(lived.into_iter().rev()).take_while(|&(_, users)| users > 0).collect()
    }
}

impl Metric for Retention {
    fn fold(&mut self, batch: &EventBatch, _: &Catalogue) {
        self.now = self.now.max(batch.tick);
        for user in &batch.users {
            let Some(first) = self.first.get_mut(user.index()) else { continue };
            if *first == NEVER {
                *first = batch.tick;
                self.users += 1;
                self.first_ticks += u64::from(batch.tick);
                add(&mut self.began, batch.tick as usize, 1);
            }
            let since = batch.tick.saturating_sub(*first);
            self.later += u64::from(since > 0);
            add(&mut self.visits, since as usize, 1);
        }
    }

    fn merge(&mut self, other: &Self) {
        for (mine, &others) in self.first.iter_mut().zip(&other.first) {
            *mine = (*mine).min(others);
        }
        self.now = self.now.max(other.now);
        self.later += other.later;
        self.users += other.users;
        self.first_ticks += other.first_ticks;
        other.began.iter().enumerate().for_each(|(tick, &count)| add(&mut self.began, tick, count));
        other.visits.iter().enumerate().for_each(|(since, &count)| add(&mut self.visits, since, count));
    }

    fn value(&self) -> Option<f64> {
        let lived = self.users * u64::from(self.now) - self.first_ticks;
        (lived > 0).then(|| self.later as f64 / lived as f64)
    }

    fn curve(&self) -> Vec<(f64, f64)> {
        let cells = self.cells().into_iter().enumerate();
        cells.map(|(since, (visits, users))| (since as f64, visits as f64 / users as f64)).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::testing::{catalogue, curve_of, value_of, visit};

    #[test]
    fn by_hand() {
        let items = catalogue(&[1]);
        let log = [
            visit(0, &[(0, 1), (1, 1)]),
            visit(1, &[(0, 1), (2, 1)]),
            visit(2, &[(1, 2)]),
            visit(3, &[(0, 2), (1, 2), (2, 2)]),
        ];
        // d = 1: user 0 of three; d = 2: users 1 and 2 of three; d = 3: both of the two who began at tick 0.
        let curve = [(0.0, 1.0), (1.0, 1.0 / 3.0), (2.0, 2.0 / 3.0), (3.0, 1.0)];
        assert_eq!(curve_of("retention", &log, 4, &items), curve);
        assert_eq!(value_of("retention", &log, 4, &items), Some(5.0 / 8.0));
        assert_eq!(value_of("retention", &log[..2], 4, &items), Some(1.0 / 2.0));
    }

    #[test]
    fn ticks_without_visitors_are_lived_too() {
        let log = [visit(0, &[(0, 1)]), visit(3, &[])];
        assert_eq!(value_of("retention", &log, 1, &catalogue(&[1])), Some(0.0));
        assert_eq!(curve_of("retention", &log, 1, &catalogue(&[1])).len(), 4);
    }

    #[test]
    fn undefined_at_the_first_tick() {
        assert_eq!(value_of("retention", &[visit(4, &[(0, 1)])], 1, &catalogue(&[1])), None);
        assert_eq!(value_of("retention", &[visit(4, &[])], 1, &catalogue(&[1])), None);
    }
}

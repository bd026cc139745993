//! Mean sessions of a user so far.
//!
//! ```text
//! sessions started / users of the population
//! ```
//!
//! Users who never came count too. How many sessions users start is the measure of engagement that search engines
//! watch in experiments (Kohavi et al. 2012, "Trustworthy Online Controlled Experiments: Five Puzzling Outcomes
//! Explained"). How sessions are distinguished is in the doc of [`crate::log::EventBatch::sessions`].
//!
//! ```
//! use recmirror::dataset::Catalogue;
//! use recmirror::ids::{ItemId, UserId};
//! use recmirror::log::{EventBatch, REJECTED};
//!
//! let tick = |tick, session| EventBatch {
//!     tick,
//!     slate: 1,
//!     users: vec![UserId(0)],
//!     sessions: vec![session],
//!     items: vec![ItemId(0)],
//!     accepted: vec![REJECTED],
//!     ..EventBatch::default()
//! };
//! let log = [tick(0, 1), tick(1, 1), tick(2, 2)];
//! let value = recmirror::metrics::value("sessions_per_user", &log, 4, &Catalogue::unknown(1));
//! assert_eq!(value.unwrap(), Some(0.5));
//! ```

use super::visits::{Visit, Visits};
use super::{Better, Format, Metric, MetricKind, Window, accumulator};
use crate::dataset::Catalogue;
use crate::log::EventBatch;

/// The metric.
pub const KIND: MetricKind = MetricKind {
    name: "sessions_per_user",
    title: "Sessions per user",
    formula: "sessions started so far / users of the population",
    format: Format::Number { digits: 3 },
    better: Better::Higher,
    window: Window::SoFar,
    against: None,
    make: |start| accumulator(SessionsPerUser { visits: Visits::new(start.users), sessions: 0, users: start.users }),
};

struct SessionsPerUser {
    visits: Visits,
    sessions: u64,
    users: usize,
}

impl Metric for SessionsPerUser {
    fn fold(&mut self, batch: &EventBatch, _: &Catalogue) {
        for row in 0..batch.len() {
            if matches!(self.visits.take(batch, row), Some(Visit::First | Visit::Returns { .. })) {
                self.sessions += 1;
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.visits.merge(&other.visits);
        self.sessions += other.sessions;
    }

    fn value(&self) -> Option<f64> {
        (self.users > 0).then(|| self.sessions as f64 / self.users as f64)
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::testing::{catalogue, value_of, visit};

    #[test]
    fn by_hand() {
        let items = catalogue(&[1]);
        // User 0 has sessions 1 and 2, user 1 has session 1, user 2 never comes.
        let log = [visit(0, &[(0, 1), (1, 1)]), visit(1, &[(0, 2), (1, 1)]), visit(5, &[(0, 2)])];
        assert_eq!(value_of("sessions_per_user", &log, 3, &items), Some(1.0));
        assert_eq!(value_of("sessions_per_user", &log[..1], 3, &items), Some(2.0 / 3.0));
    }

    #[test]
    fn zero_without_visits_and_undefined_without_users() {
        assert_eq!(value_of("sessions_per_user", &[visit(0, &[])], 3, &catalogue(&[1])), Some(0.0));
        assert_eq!(value_of("sessions_per_user", &[], 0, &catalogue(&[1])), None);
    }
}

//! Slates that a session has on average.
//!
//! ```text
//! slates shown / sessions started
//! ```
//!
//! Sessions that continue at the end count with their slates so far. Depth of visit is one of the engagement measures
//! of Lehmann, Lalmas, Yom-Tov and Dupret 2012, "Models of User Engagement".
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
//! let value = recmirror::metrics::value("session_depth", &log, 1, &Catalogue::unknown(1));
//! assert_eq!(value.unwrap(), Some(1.5));
//! ```

use super::visits::{Visit, Visits};
use super::{Better, Format, Metric, MetricKind, Window, accumulator};
use crate::dataset::Catalogue;
use crate::log::EventBatch;

/// The metric.
pub const KIND: MetricKind = MetricKind {
    name: "session_depth",
    title: "Slates per session",
    formula: "slates shown so far / sessions started so far",
    format: Format::Number { digits: 3 },
    better: Better::Higher,
    window: Window::SoFar,
    against: None,
    make: |start| accumulator(SessionDepth { visits: Visits::new(start.users), slates: 0, sessions: 0 }),
};

struct SessionDepth {
    visits: Visits,
    slates: u64,
    sessions: u64,
}

impl Metric for SessionDepth {
    fn fold(&mut self, batch: &EventBatch, _: &Catalogue) {
        for row in 0..batch.len() {
            let Some(visit) = self.visits.take(batch, row) else { continue };
            self.slates += 1;
            self.sessions += u64::from(!matches!(visit, Visit::Continues { .. }));
        }
    }

    fn merge(&mut self, other: &Self) {
        self.visits.merge(&other.visits);
        self.slates += other.slates;
        self.sessions += other.sessions;
    }

    fn value(&self) -> Option<f64> {
        (self.sessions > 0).then(|| self.slates as f64 / self.sessions as f64)
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::testing::{catalogue, value_of, visit};

    #[test]
    fn by_hand() {
        let items = catalogue(&[1]);
        // User 0: two slates, then one; user 1: three slates in one session.
        let log = [visit(0, &[(0, 1), (1, 1)]), visit(1, &[(0, 1), (1, 1)]), visit(2, &[(0, 2), (1, 1)])];
        assert_eq!(value_of("session_depth", &log, 2, &items), Some(6.0 / 3.0));
        assert_eq!(value_of("session_depth", &log[..2], 2, &items), Some(4.0 / 2.0));
    }

    #[test]
    fn a_log_without_session_numbers_goes_by_absence() {
        let mut log = [visit(0, &[(0, 1)]), visit(1, &[(0, 2)]), visit(4, &[(0, 3)])];
        log.iter_mut().for_each(|batch| batch.sessions.clear());
        assert_eq!(value_of("session_depth", &log, 1, &catalogue(&[1])), Some(3.0 / 2.0));
    }

    #[test]
    fn undefined_before_the_first_session() {
        assert_eq!(value_of("session_depth", &[visit(0, &[])], 2, &catalogue(&[1])), None);
    }
}

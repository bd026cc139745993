//! Ticks between two sessions of a user.
//!
//! ```text
//! mean over sessions that begin after another one of  (tick of the first slate - tick of the last slate before)
//! ```
//!
//! The tick of a session's end is that of its last slate; a session that begins at the tick after has a return time of 1.
//! It is the quantity of Kapoor, Sun, Srivastava and Ye 2014, "A Hazard Based Approach to User Return Time Prediction".
//! Users who have not come back have no return time, so that the mean is too low as long as many are away: read it with
//! [`churn_hazard`](super::churn_hazard).
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
//! let log = [tick(0, 1), tick(1, 1), tick(4, 2), tick(5, 3)];
//! let value = recmirror::metrics::value("return_time", &log, 1, &Catalogue::unknown(1));
//! assert_eq!(value.unwrap(), Some(2.0));
//! ```

use super::visits::{Visit, Visits};
use super::{Better, Format, Metric, MetricKind, Window, accumulator};
use crate::dataset::Catalogue;
use crate::log::EventBatch;

/// The metric.
pub const KIND: MetricKind = MetricKind {
    name: "return_time",
    title: "Return time (ticks)",
    formula: "mean ticks from the last slate of a session to the first slate of the user's next one",
    format: Format::Number { digits: 2 },
    better: Better::Lower,
    window: Window::SoFar,
    against: None,
    make: |start| accumulator(ReturnTime { visits: Visits::new(start.users), ticks: 0, returns: 0 }),
};

struct ReturnTime {
    visits: Visits,
    ticks: u64,
    returns: u64,
}

impl Metric for ReturnTime {
    fn fold(&mut self, batch: &EventBatch, _: &Catalogue) {
        for row in 0..batch.len() {
            if let Some(Visit::Returns { gap, .. }) = self.visits.take(batch, row) {
                self.ticks += u64::from(gap);
                self.returns += 1;
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.visits.merge(&other.visits);
        self.ticks += other.ticks;
        self.returns += other.returns;
    }

    fn value(&self) -> Option<f64> {
        (self.returns > 0).then(|| self.ticks as f64 / self.returns as f64)
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::testing::{catalogue, value_of, visit};

    #[test]
    fn by_hand() {
        let items = catalogue(&[1]);
        let log = [visit(0, &[(0, 1), (1, 1)]), visit(1, &[(0, 2)]), visit(6, &[(0, 3), (1, 2)])];
        // User 0 after 1 and 5 ticks, user 1 after 6.
        assert_eq!(value_of("return_time", &log, 2, &items), Some(12.0 / 3.0));
        assert_eq!(value_of("return_time", &log[..2], 2, &items), Some(1.0));
    }

    #[test]
    fn undefined_before_the_first_return() {
        let log = [visit(0, &[(0, 1)]), visit(1, &[(0, 1), (1, 1)])];
        assert_eq!(value_of("return_time", &log, 2, &catalogue(&[1])), None);
    }
}

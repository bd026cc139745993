//! The churn hazard of sessions.
//!
//! The share of sessions after which the user stayed away for at least
//! 14 ticks (two weeks, where a tick is a day).
//!
//! ```text
//! h = sessions without a slate of their user in the 14 ticks after their last one / sessions that ended 14 ticks ago or
//!     earlier
//! ```
//!
//! A hazard: the probability of the event given that it has not happened before (Cox 1972, "Regression Models and
//! Life-Tables"; for leaving users Kapoor et al. 2014, "A Hazard Based Approach to User Return Time Prediction"). A log
//! does not state that a user left permanently, only that no event followed; sessions of the last 14 ticks are censored
//! and count in neither number. The curve is the hazard by the tick of the session's last slate.
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
//! let log = [tick(0, &[0, 1]), tick(5, &[1]), tick(18, &[])];
//! let value = recmirror::metrics::value("churn_hazard", &log, 2, &Catalogue::unknown(1));
//! // Of the two sessions that ended at tick 0 user 0 did not come back; what follows tick 5 is not over.
//! assert_eq!(value.unwrap(), Some(0.5));
//! ```

use super::visits::{Visit, Visits};
use super::{Better, Format, Metric, MetricKind, Window, accumulator};
use crate::dataset::Catalogue;
use crate::log::EventBatch;

/// The metric.
pub const KIND: MetricKind = MetricKind {
    name: "churn_hazard",
    title: "Churn hazard",
    formula: "sessions followed by 14 ticks without their user / sessions that ended 14 ticks ago or earlier",
    format: Format::Percent { digits: 1 },
    better: Better::Lower,
    window: Window::SoFar,
    against: None,
    make: |start| accumulator(ChurnHazard { visits: Visits::new(start.users), ..ChurnHazard::default() }),
};

/// Ticks of absence that count as gone.
const ABSENCE: u32 = 14;

#[derive(Default)]
struct ChurnHazard {
    visits: Visits,
    /// By the tick of a session's last slate.
    ended: Vec<Ended>,
    /// The sum of the ticks that are decided, so that a value takes no longer late in a run.
    decided: Ended,
    /// The same in ticks.
    decided_ticks: usize,
    now: u32,
}

/// The sessions whose last slate was at one tick.
#[derive(Clone, Copy, Default)]
struct Ended {
    sessions: u64,
    /// Sessions among them that were followed by an absence; users who have not returned count as absent.
    churned: u64,
}

impl Ended {
    fn add(&mut self, other: Ended) {
        self.sessions += other.sessions;
        self.churned += other.churned;
    }
}

impl ChurnHazard {
    /// Changes what ended at a tick.
    fn change(&mut self, tick: u32, change: impl Fn(&mut Ended)) {
        let place = tick as usize;
        if place >= self.ended.len() {
            self.ended.resize(place + 1, Ended::default());
        }
        if let Some(ended) = self.ended.get_mut(place) {
            change(ended);
        }
        if place < self.decided_ticks {
            change(&mut self.decided);
        }
    }

    /// Brings the sum up to now.
    fn decide(&mut self) {
        let ticks = self.now.checked_sub(ABSENCE).map_or(0, |last| last as usize + 1);
        let known = ticks.min(self.ended.len());
        let news = self.ended.get(self.decided_ticks..known).unwrap_or_default();
        news.iter().for_each(|&ended| self.decided.add(ended));
        self.decided_ticks = self.decided_ticks.max(ticks);
    }
}

impl Metric for ChurnHazard {
    fn fold(&mut self, batch: &EventBatch, _: &Catalogue) {
        self.now = self.now.max(batch.tick);
        for row in 0..batch.len() {
            match self.visits.take(batch, row) {
                // The session continues, and ends later than assumed.
                Some(Visit::Continues { since }) => self.change(since, |ended| {
                    ended.sessions -= 1;
                    ended.churned -= 1;
                }),
                Some(Visit::Returns { gap, since }) if gap <= ABSENCE => self.change(since, |ended| ended.churned -= 1),
                Some(Visit::First | Visit::Returns { .. }) => {}
                None => continue,
            }
            self.change(batch.tick, |ended| ended.add(Ended { sessions: 1, churned: 1 }));
        }
        self.decide();
    }

    fn merge(&mut self, other: &Self) {
        self.visits.merge(&other.visits);
        self.now = self.now.max(other.now);
        for (tick, &ended) in (0..).zip(&other.ended) {
            self.change(tick, |mine| mine.add(ended));
        }
        self.decide();
    }

    fn value(&self) -> Option<f64> {
        (self.decided.sessions > 0).then(|| self.decided.churned as f64 / self.decided.sessions as f64)
    }

    fn curve(&self) -> Vec<(f64, f64)> {
        let decided = self.ended.iter().take(self.decided_ticks).enumerate().filter(|(_, ended)| ended.sessions > 0);
        decided.map(|(tick, ended)| (tick as f64, ended.churned as f64 / ended.sessions as f64)).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::testing::{catalogue, curve_of, value_of, visit};

    #[test]
    fn by_hand() {
        let items = catalogue(&[1]);
        let log = [
            visit(0, &[(0, 1), (1, 1), (2, 1)]),
            visit(1, &[(0, 2)]),
            // User 1 was away for exactly 14 ticks, 1 to 14: gone, and back.
            visit(15, &[(1, 2)]),
            visit(20, &[(1, 3)]),
        ];
        // At tick 20 the sessions that ended by tick 6 are decided: at 0 those of users 0 (came back), 1 and 2 (absent for
        // 14 ticks), at 1 the second of user 0.
        assert_eq!(value_of("churn_hazard", &log, 3, &items), Some(3.0 / 4.0));
        assert_eq!(curve_of("churn_hazard", &log, 3, &items), [(0.0, 2.0 / 3.0), (1.0, 1.0)]);
    }

    #[test]
    fn thirteen_ticks_are_no_absence() {
        let log = [visit(0, &[(0, 1)]), visit(14, &[(0, 2)])];
        assert_eq!(value_of("churn_hazard", &log, 1, &catalogue(&[1])), Some(0.0));
    }

    #[test]
    fn undefined_while_all_is_censored() {
        let log = [visit(0, &[(0, 1)]), visit(13, &[])];
        assert_eq!(value_of("churn_hazard", &log, 1, &catalogue(&[1])), None);
        assert_eq!(curve_of("churn_hazard", &log, 1, &catalogue(&[1])), []);
        assert_eq!(value_of("churn_hazard", &[], 1, &catalogue(&[1])), None);
    }
}

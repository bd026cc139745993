//! Cumulative regret against the run's `oracle`, per user.
//!
//! ```text
//! R(t) = (acceptances of the oracle up to t - acceptances of the policy up to t) / users of the population
//! ```
//!
//! Regret as in Lai and Robbins 1985, "Asymptotically Efficient Adaptive Allocation Rules": the loss against a policy
//! that knows the probabilities. Both sums are of the same replication, in which both policies had the same users and
//! random numbers, so common noise cancels. The oracle is greedy: it takes the best slate of the tick and ignores the
//! effects of an acceptance on later ticks. A policy that considers them can fall below 0, and each policy follows its
//! own course: it is the regret against a policy, not against the best slate in the state that the policy brought
//! about, which no log contains. Undefined in a run without a policy of kind `oracle`.
//!
//! A single log has the sum to subtract and no regret; a run combines the two with [`subtracted`].
//!
//! ```
//! use recmirror::dataset::Catalogue;
//! use recmirror::ids::{ItemId, UserId};
//! use recmirror::log::{EventBatch, REJECTED};
//! use recmirror::metrics::{Background, MetricSet, regret};
//!
//! let batch = |accepted: [u8; 2]| EventBatch {
//!     slate: 1,
//!     users: vec![UserId(0), UserId(1)],
//!     items: vec![ItemId(0); 2],
//!     accepted: accepted.into(),
//!     ..EventBatch::default()
//! };
//! let own_part = |accepted| {
//!     let mut set = MetricSet::new(&["regret"], &Background::unknown(4, 1)).unwrap();
//!     set.fold(&batch(accepted), &Catalogue::default())[0].value
//! };
//! let (oracle, policy) = (own_part([0, 0]), own_part([0, REJECTED]));
//! assert_eq!(regret::subtracted(oracle, policy), Some(0.25));
//! ```

use super::acceptance_rate::accepted_slates;
use super::{Better, Format, Metric, MetricKind, Window, accumulator};
use crate::dataset::Catalogue;
use crate::log::EventBatch;

/// The metric.
pub const KIND: MetricKind = MetricKind {
    name: "regret",
    title: "Cumulative regret",
    formula: "(acceptances of the oracle so far - acceptances of the policy so far) / users of the population",
    format: Format::Number { digits: 3 },
    better: Better::Lower,
    window: Window::SoFar,
    against: Some("oracle"),
    make: |start| accumulator(Regret { accepted: 0, users: start.users }),
};

/// The policy's own part.
struct Regret {
    accepted: u64,
    users: usize,
}

impl Metric for Regret {
    fn fold(&mut self, batch: &EventBatch, _: &Catalogue) {
        self.accepted += accepted_slates(batch);
    }

    fn merge(&mut self, other: &Self) {
        self.accepted += other.accepted;
    }

    fn value(&self) -> Option<f64> {
        (self.users > 0).then(|| self.accepted as f64 / self.users as f64)
    }
}

/// The value of a metric that is measured against a policy: that policy's own part minus this one's; `None` when either is
/// undefined.
pub fn subtracted(other: Option<f64>, own: Option<f64>) -> Option<f64> {
    Some(other? - own?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::testing::{batch, catalogue, value_of};
    use crate::metrics::{Background, MetricSet};

    #[test]
    fn by_hand() {
        let items = catalogue(&[1]);
        let tick = |tick, accepted: [Option<u8>; 2]| {
            batch(tick, 1, &[(0, &[0], accepted[0], f32::NAN), (1, &[0], accepted[1], f32::NAN)])
        };
        let part = |log: &[EventBatch]| {
            let mut set = MetricSet::new(&["regret"], &Background::unknown(3, 1)).unwrap();
            log.iter().map(|batch| set.fold(batch, &items)[0].value).collect::<Vec<_>>()
        };
        let oracle = part(&[tick(0, [Some(0), Some(0)]), tick(1, [Some(0), None])]);
        let policy = part(&[tick(0, [Some(0), None]), tick(1, [None, None])]);
        let regret: Vec<_> = oracle.iter().zip(&policy).map(|(&oracle, &own)| subtracted(oracle, own)).collect();
        assert_eq!(regret, [Some(2.0 / 3.0 - 1.0 / 3.0), Some(1.0 - 1.0 / 3.0)]);
        assert_eq!(subtracted(None, Some(1.0)), None);
    }

    #[test]
    fn one_log_has_none() {
        let log = [batch(0, 1, &[(0, &[0], Some(0), 4.0)])];
        assert_eq!(value_of("regret", &log, 1, &catalogue(&[1])), None);
    }
}

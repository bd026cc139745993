//! Popularity lift of shown items over users' histories.
//!
//! ```text
//! GAP(shown) / GAP(histories) - 1
//! GAP(shown) = mean over slates of the mean popularity of their items
//! GAP(histories) = mean over the same slates of the mean popularity of the items in their user's history
//! ```
//!
//! Abdollahpouri, Mansoury, Burke and Mobasher 2019, "The Unfairness of Popularity Bias in Recommendation": the change of
//! the group average popularity. The popularity of an item is the number of users of the log before the start who have it,
//! and the histories are those of that log. 0: users are shown what is as popular as what they like; 1: twice as popular.
//! Slates without items, and those of users without a history, are left out.
//!
//! ```
//! use recmirror::dataset::{Catalogue, Fields, Interaction, TrainingLog};
//! use recmirror::ids::{ItemId, LogUserId, UserId};
//! use recmirror::log::{EventBatch, REJECTED};
//! use recmirror::metrics::{Background, Past, value_with};
//! use std::sync::Arc;
//!
//! let row = |user, item| Interaction { user: LogUserId(user), item: ItemId(item), rating: 4.0, time: 0 };
//! let log = TrainingLog::from_sorted(vec![row(0, 0), row(1, 1), row(2, 1), row(3, 1)], 4, 2);
//! let catalogue = Arc::new(Catalogue::unknown(2));
//! let past = Past::new(Arc::new(log), catalogue.clone(), Fields::default());
//! let start = Background::new([LogUserId(0)].into(), Arc::new(past));
//! let batch = EventBatch {
//!     slate: 1,
//!     users: vec![UserId(0)],
//!     items: vec![ItemId(1)],
//!     accepted: vec![REJECTED],
//!     ..EventBatch::default()
//! };
//! // One user has item 0, three have item 1.
//! assert_eq!(value_with("popularity_lift", &[batch], &start, &catalogue).unwrap(), Some(2.0));
//! ```

use super::background::Popularity;
use super::{Background, Better, Format, Metric, MetricKind, Past, Window, accumulator};
use crate::dataset::Catalogue;
use crate::ids::LogUserId;
use crate::log::EventBatch;
use std::sync::Arc;

/// The metric.
pub const KIND: MetricKind = MetricKind {
    name: "popularity_lift",
    title: "Popularity lift",
    formula: "mean popularity of the shown items / mean popularity of the users' histories - 1",
    format: Format::Percent { digits: 1 },
    better: Better::Neither,
    window: Window::Tick,
    against: None,
    make: |start| {
        let (counts, histories) = (start.table(Popularity::of), start.table(Histories::of));
        accumulator(PopularityLift { start: start.clone(), counts, histories, shown: 0.0, history: 0.0 })
    },
};

/// Mean popularity of each history, by user of the data set.
struct Histories(Vec<Option<f64>>);

impl Histories {
    fn of(past: &Past) -> Histories {
        let counts = past.table(Popularity::of);
        let users = (0..past.log.users() as u32).map(LogUserId);
        Histories(users.map(|user| mean(past.log.of(user).iter().map(|row| row.item.index()), &counts)).collect())
    }
}

fn mean(items: impl Iterator<Item = usize>, counts: &Popularity) -> Option<f64> {
    let known = items.filter_map(|item| counts.0.get(item));
    let (sum, items) = known.fold((0u64, 0u64), |(sum, items), &count| (sum + u64::from(count), items + 1));
    (items > 0).then(|| sum as f64 / items as f64)
}

struct PopularityLift {
    start: Background,
    counts: Arc<Popularity>,
    histories: Arc<Histories>,
    /// Sums over the same slates.
    shown: f64,
    history: f64,
}

impl Metric for PopularityLift {
    fn fold(&mut self, batch: &EventBatch, _: &Catalogue) {
        for (row, &user) in batch.users.iter().enumerate() {
            let source = self.start.source(user);
            let history = source.and_then(|source| self.histories.0.get(source.index()).copied().flatten());
            let shown = mean(batch.slate_of(row).iter().map(|item| item.index()), &self.counts);
            if let (Some(history), Some(shown)) = (history, shown) {
                self.shown += shown;
                self.history += history;
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.shown += other.shown;
        self.history += other.history;
    }

    fn value(&self) -> Option<f64> {
        (self.history > 0.0).then(|| self.shown / self.history - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::testing::{GAP, background, batch, catalogue, value_after, value_of};

    const NAME: &str = "popularity_lift";
    const NAN: f32 = f32::NAN;

    #[test]
    fn by_hand() {
        let items = catalogue(&[1; 4]);
        // Popularity 3, 2, 1, 0. Histories: mean 2 (items 0, 1, 2), mean 5/2 (items 0, 1), 3 (item 0), none.
        let start = background(&[0, 1, 2, 3], &[&[0, 1, 2], &[0, 1], &[0], &[]], &items);
        let first = batch(0, 2, &[(0, &[0, 3], None, NAN), (1, &[0, GAP], None, NAN), (3, &[0, 1], None, NAN)]);
        // Shown 3/2 and 3, histories 2 and 5/2; the third has no history.
        let found = value_after(NAME, std::slice::from_ref(&first), &start, &items);
        assert!((found.unwrap() - (4.5 / 4.5 - 1.0)).abs() < 1e-15);
        // One slate more: shown 0, history 3.
        let second = batch(1, 2, &[(2, &[3, GAP], None, NAN)]);
        let found = value_after(NAME, &[first, second], &start, &items);
        assert!((found.unwrap() - (4.5 / 7.5 - 1.0)).abs() < 1e-15);
    }

    #[test]
    fn undefined_without_histories() {
        let items = catalogue(&[1]);
        let log = [batch(0, 1, &[(0, &[0], None, NAN)])];
        assert_eq!(value_of(NAME, &log, 1, &items), None);
        assert_eq!(value_after(NAME, &log, &background(&[1], &[&[0], &[]], &items), &items), None);
    }
}

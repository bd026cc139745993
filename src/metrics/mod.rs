//! What a run is judged by: numbers folded from event batches, never from the world.
//!
//! A metric is one file with a `KIND` and one line in [`all`]. Its state folds one tick after another and
//! merges with the state of other users' events, so a log can be cut into shards. It does not know about
//! policies, replications or uncertainty; that is [`crate::experiment`].
//!
//! A metric of your own, whole:
//!
//! ```
//! use recmirror::dataset::Catalogue;
//! use recmirror::log::EventBatch;
//! use recmirror::metrics::{Better, Format, Metric, MetricKind, MetricSet, Window, accumulator};
//!
//! /// Users served so far.
//! struct Served(u64);
//!
//! impl Metric for Served {
//!     fn fold(&mut self, batch: &EventBatch, _: &Catalogue) {
//!         self.0 += batch.len() as u64;
//!     }
//!     fn merge(&mut self, other: &Self) {
//!         self.0 += other.0;
//!     }
//!     fn value(&self) -> Option<f64> {
//!         Some(self.0 as f64)
//!     }
//! }
//!
//! static SERVED: MetricKind = MetricKind {
//!     name: "served",
//!     title: "Users served",
//!     formula: "number of slates shown",
//!     format: Format::Number { digits: 0 },
//!     better: Better::Neither,
//!     window: Window::SoFar,
//!     make: |_| accumulator(Served(0)),
//! };
//!
//! let mut set = MetricSet::of(&[&SERVED], 100, 2);
//! let ticks = set.fold(&EventBatch::default(), &Catalogue::default());
//! assert_eq!(ticks[0].value, Some(0.0));
//! ```

pub mod acceptance_rate;
pub mod accepted_per_user;
mod accumulator;
pub mod coverage;
pub mod gini;
pub mod intra_list_diversity;
mod kind;
pub mod mean_rating;
mod set;

pub use self::accumulator::{Accumulator, Metric, accumulator};
pub use self::kind::{Better, Format, MetricKind, Sizes, Window};
pub use self::set::{MetricError, MetricSet, TickValue, named};

use crate::dataset::Catalogue;
use crate::log::EventBatch;

/// The metrics that ship with the crate, in the order of reports.
pub fn all() -> &'static [MetricKind] {
    static ALL: [MetricKind; 6] = [
        acceptance_rate::KIND,
        accepted_per_user::KIND,
        mean_rating::KIND,
        coverage::KIND,
        gini::KIND,
        intra_list_diversity::KIND,
    ];
    &ALL
}

/// The metric with this name.
pub fn get(name: &str) -> Option<&'static MetricKind> {
    all().iter().find(|kind| kind.name == name)
}

/// The value of one metric over a whole log, by name.
///
/// # Errors
/// When no metric has this name.
pub fn value(
    name: &str,
    batches: &[EventBatch],
    users: usize,
    catalogue: &Catalogue,
) -> Result<Option<f64>, MetricError> {
    let mut set = MetricSet::new(&[name], users, catalogue.len())?;
    for batch in batches {
        set.fold(batch, catalogue);
    }
    Ok(set.finals().into_iter().next().flatten())
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::dataset::GenreSet;
    use crate::ids::{ItemId, UserId};
    use crate::log::REJECTED;

    /// Stands for an empty slot in [`batch`].
    pub const GAP: u32 = u32::MAX;

    /// A batch of rows `(user, items, accepted slot, rating)`.
    pub fn batch(tick: u32, slate: usize, rows: &[(u32, &[u32], Option<u8>, f32)]) -> EventBatch {
        let mut batch = EventBatch { tick, slate, ..EventBatch::default() };
        for &(user, items, accepted, rating) in rows {
            assert_eq!(items.len(), slate);
            batch.users.push(UserId(user));
            batch.items.extend(items.iter().map(|&item| ItemId(item)));
            batch.scores.extend(items.iter().map(|_| 0.0));
            batch.probabilities.extend(items.iter().map(|_| 0.1));
            batch.accepted.push(accepted.unwrap_or(REJECTED));
            batch.ratings.push(rating);
        }
        batch
    }

    /// A catalogue with one item for each set of genre bits.
    pub fn catalogue(genres: &[u64]) -> Catalogue {
        Catalogue {
            titles: genres.iter().map(|bits| format!("item {bits}")).collect(),
            years: vec![None; genres.len()],
            genre_names: Vec::new(),
            genres: genres.iter().map(|&bits| GenreSet(bits)).collect(),
            ..Catalogue::default()
        }
    }

    /// The final value of one metric.
    pub fn value_of(name: &str, batches: &[EventBatch], users: usize, catalogue: &Catalogue) -> Option<f64> {
        value(name, batches, users, catalogue).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{batch, catalogue};
    use super::*;

    #[test]
    fn scenario_files_know_every_metric_in_this_order() {
        let names: Vec<&str> = all().iter().map(|kind| kind.name).collect();
        assert_eq!(names, crate::scenario::METRIC_NAMES);
    }

    #[test]
    fn names_are_unique_and_found() {
        for (place, kind) in all().iter().enumerate() {
            assert_eq!(all().iter().position(|other| other.name == kind.name), Some(place));
            assert_eq!(get(kind.name).map(|found| found.title), Some(kind.title));
            assert!(!kind.formula.is_empty());
        }
        assert!(get("accuracy").is_none());
    }

    #[test]
    fn every_metric_bears_what_may_come() {
        let empty = batch(0, 2, &[]);
        let unknown_items = batch(1, 2, &[(0, &[7, 9], Some(0), 4.0)]);
        let no_slots = batch(2, 0, &[(0, &[], None, f32::NAN)]);
        for kind in all() {
            for events in [&empty, &unknown_items, &no_slots] {
                let found = value(kind.name, std::slice::from_ref(events), 0, &catalogue(&[])).unwrap();
                assert!(found.is_none_or(f64::is_finite), "{} gives {found:?}", kind.name);
            }
        }
    }
}

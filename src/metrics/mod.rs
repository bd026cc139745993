//! Metrics, folded from event batches.
//!
//! A metric is one file with a `KIND` and one line in `ALL`. Its state folds one tick after another and
//! merges with the state of other users' events, so a log can be cut into shards. It does not know about
//! policies, replications or uncertainty; that is [`crate::experiment`]. What it may know before the first event is its
//! [`Background`]. docs/reference/metrics.md has the table of all metrics.
//!
//! A complete metric of your own:
//!
//! ```
//! use recmirror::dataset::Catalogue;
//! use recmirror::log::EventBatch;
//! use recmirror::metrics::{Background, Better, Format, Metric, MetricKind, MetricSet, Window, accumulator};
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
//!     against: None,
//!     make: |_| accumulator(Served(0)),
//! };
//!
//! let mut set = MetricSet::of(&[&SERVED], &Background::unknown(100, 2));
//! let ticks = set.fold(&EventBatch::default(), &Catalogue::unknown(1));
//! assert_eq!(ticks[0].value, Some(0.0));
//! ```

pub mod acceptance_gap;
pub mod acceptance_rate;
pub mod accepted_per_user;
mod accumulator;
mod background;
pub mod churn_hazard;
pub mod coverage;
pub mod gini;
pub mod homogenisation;
pub mod intra_list_diversity;
mod kind;
pub mod like_rate;
pub mod mean_rating;
pub mod miscalibration;
pub mod novelty;
pub mod popularity_lift;
pub mod provider_coverage;
pub mod provider_gini;
pub mod regret;
pub mod retention;
pub mod return_time;
pub mod reward;
pub mod serendipity;
pub mod session_depth;
pub mod sessions_per_user;
mod set;
mod visits;

pub use self::accumulator::{Accumulator, Metric, accumulator};
pub use self::background::{Background, Past};
pub use self::kind::{Better, Format, MetricKind, Window};
pub use self::set::{MetricCurve, MetricError, MetricSet, TickValue, named, named_among};

use crate::dataset::Catalogue;
use crate::log::EventBatch;

/// The metrics that ship with the crate, in the order of reports; the first six are measured by default.
const ALL: &[MetricKind] = &[
    acceptance_rate::KIND,
    accepted_per_user::KIND,
    mean_rating::KIND,
    coverage::KIND,
    gini::KIND,
    intra_list_diversity::KIND,
    reward::KIND,
    like_rate::KIND,
    regret::KIND,
    sessions_per_user::KIND,
    session_depth::KIND,
    retention::KIND,
    return_time::KIND,
    churn_hazard::KIND,
    novelty::KIND,
    serendipity::KIND,
    miscalibration::KIND,
    popularity_lift::KIND,
    homogenisation::KIND,
    homogenisation::ACCEPTED,
    provider_coverage::KIND,
    provider_gini::KIND,
    acceptance_gap::FIELD,
    acceptance_gap::GENDER,
    acceptance_gap::AGE,
    acceptance_gap::OCCUPATION,
];

/// The names of [`all`].
pub(crate) const NAMES: [&str; ALL.len()] = {
    let mut names = [""; ALL.len()];
    let mut place = 0;
    while place < names.len() {
        names[place] = ALL[place].name;
        place += 1;
    }
    names
};

/// The metrics that ship with the crate, in the order of reports.
pub fn all() -> &'static [MetricKind] {
    ALL
}

/// The metric with this name.
pub fn get(name: &str) -> Option<&'static MetricKind> {
    all().iter().find(|kind| kind.name == name)
}

/// The value of one metric over a complete log, by name, without information from before the first event.
///
/// # Errors
/// When no metric has this name.
pub fn value(
    name: &str,
    batches: &[EventBatch],
    users: usize,
    catalogue: &Catalogue,
) -> Result<Option<f64>, MetricError> {
    value_with(name, batches, &Background::unknown(users, catalogue.len()), catalogue)
}

/// The value of one metric over a complete log, by name; `None` for one that is measured [`MetricKind::against`] a
/// policy, whose log is not given.
///
/// # Errors
/// When no metric has this name.
pub fn value_with(
    name: &str,
    batches: &[EventBatch],
    background: &Background,
    catalogue: &Catalogue,
) -> Result<Option<f64>, MetricError> {
    let kinds = named(&[name])?;
    let mut set = MetricSet::of(&kinds, background);
    for batch in batches {
        set.fold(batch, catalogue);
    }
    let alone = kinds.iter().all(|kind| kind.against.is_none());
    Ok(set.finals().into_iter().next().flatten().filter(|_| alone))
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::dataset::{Column, Field, Fields, Interaction, TrainingLog};
    use crate::ids::{ItemId, LogUserId, UserId};
    use crate::log::REJECTED;
    use std::sync::Arc;

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

    /// A catalogue with one item for each set of categories, given as bits.
    pub fn catalogue(sets: &[u64]) -> Catalogue {
        let names: Vec<String> = (0..64).map(|bit| format!("category {bit}")).collect();
        let of = |set: &u64| (0..64).filter(|bit| set >> bit & 1 == 1).map(|bit| names[bit].as_str()).collect();
        let rows: Vec<Vec<&str>> = sets.iter().map(of).collect();
        Catalogue::of_categories("tags", &rows.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    /// The same items, each with one provider.
    pub fn provided(mut catalogue: Catalogue, providers: &[u32]) -> Catalogue {
        let count = providers.iter().max().map_or(0, |&last| last + 1);
        let names = (0..count).map(|provider| format!("provider {provider}")).collect();
        let of = providers.iter().map(|&provider| Some(provider));
        catalogue.set_providers(Some(crate::dataset::ItemCategories::single("maker", names, of)));
        catalogue
    }

    /// A batch of rejected slates with item 0, of rows `(user, session)`.
    pub fn visit(tick: u32, rows: &[(u32, u32)]) -> EventBatch {
        let slates: Vec<_> = rows.iter().map(|&(user, _)| (user, &[0][..], None, f32::NAN)).collect();
        EventBatch { sessions: rows.iter().map(|row| row.1).collect(), ..batch(tick, 1, &slates) }
    }

    /// A population that mirrors `sources`, users of a log who have these items.
    pub fn background(sources: &[u32], log: &[&[u32]], catalogue: &Catalogue) -> Background {
        let row =
            |user, &item: &u32| Interaction { user: LogUserId(user), item: ItemId(item), rating: f32::NAN, time: 0 };
        let rows = (0..).zip(log).flat_map(|(user, items)| items.iter().map(move |item| row(user, item)));
        let log = TrainingLog::from_sorted(rows.collect(), log.len(), catalogue.len());
        let age = |user: usize| if user.is_multiple_of(4) { f32::NAN } else { 16.0 + 7.0 * user as f32 };
        let gender = |user: usize| (!user.is_multiple_of(5)).then(|| ["F", "M"][user % 2]);
        let field = |name: &str, column| Field { name: name.to_owned(), column };
        let users = log.users();
        let fields = Fields::new(vec![
            field("age", Column::Number((0..users).map(age).collect())),
            field("gender", Column::of_names((0..users).map(gender))),
            field("occupation", Column::of_names((0..users).map(|user| Some(["artist", "writer", "none"][user % 3])))),
        ]);
        let past = Past::new(Arc::new(log), Arc::new(catalogue.clone()), fields);
        Background::new(sources.iter().map(|&source| LogUserId(source)).collect(), Arc::new(past))
    }

    /// The final value of one metric, with what was before.
    pub fn value_after(
        name: &str,
        batches: &[EventBatch],
        background: &Background,
        catalogue: &Catalogue,
    ) -> Option<f64> {
        value_with(name, batches, background, catalogue).unwrap()
    }

    /// The curve of one metric.
    pub fn curve_of(name: &str, batches: &[EventBatch], users: usize, catalogue: &Catalogue) -> Vec<(f64, f64)> {
        let mut set = MetricSet::new(&[name], &Background::unknown(users, catalogue.len())).unwrap();
        batches.iter().for_each(|batch| drop(set.fold(batch, catalogue)));
        set.curves().into_iter().next().map_or_else(Vec::new, |curve| curve.points)
    }

    /// The final value of one metric.
    pub fn value_of(name: &str, batches: &[EventBatch], users: usize, catalogue: &Catalogue) -> Option<f64> {
        value(name, batches, users, catalogue).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{background, batch, catalogue};
    use super::*;

    #[test]
    fn the_table_in_the_docs_has_a_row_for_each() {
        let docs = include_str!("../../docs/reference/metrics.md");
        let rows: Vec<Vec<&str>> = docs.lines().map(|line| line.split(" | ").collect()).collect();
        for kind in all() {
            let name = format!("| `{}`", kind.name);
            let found: Vec<_> = rows.iter().filter(|row| row[0] == name).collect();
            assert_eq!(found.len(), 1, "{}", kind.name);
            let window = if kind.window == Window::Tick { "the tick" } else { "so far" };
            let better = match kind.better {
                Better::Higher => "higher",
                Better::Lower => "lower",
                Better::Neither => "\u{2013}",
            };
            assert_eq!(found[0][2..4], [window, better], "{}", kind.name);
        }
    }

    #[test]
    fn names_are_unique_and_found() {
        for (place, kind) in all().iter().enumerate() {
            assert_eq!(all().iter().position(|other| other.name == kind.name), Some(place));
            assert_eq!(get(kind.name).map(|found| found.title), Some(kind.title));
            assert!(!kind.formula.is_empty() && !kind.title.is_empty());
        }
        assert!(get("accuracy").is_none());
    }

    #[test]
    fn every_metric_accepts_any_events() {
        let empty = batch(0, 2, &[]);
        let unknown_items = batch(1, 2, &[(0, &[7, 9], Some(0), 4.0)]);
        let no_slots = batch(2, 0, &[(0, &[], None, f32::NAN)]);
        let some = catalogue(&[1, 2]);
        let backgrounds = [Background::unknown(0, 0), background(&[0, 0, 1], &[&[0, 1], &[]], &some)];
        for (kind, start) in all().iter().flat_map(|kind| backgrounds.iter().map(move |start| (kind, start))) {
            for events in [&empty, &unknown_items, &no_slots] {
                let mut set = MetricSet::of(&[kind], start);
                for items in [&catalogue(&[]), &some] {
                    let found = set.fold(events, items)[0].value;
                    assert!(found.is_none_or(f64::is_finite), "{} gives {found:?}", kind.name);
                }
                assert!(set.curves().iter().flat_map(|curve| &curve.points).all(|point| point.1.is_finite()));
            }
        }
    }
}

//! Several metrics folded together.

use super::{Accumulator, Background, MetricKind, Window};
use crate::dataset::Catalogue;
use crate::log::EventBatch;
use crate::params::nearest;
use serde::{Deserialize, Serialize};

/// Metrics that cannot be made or merged.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MetricError {
    /// No metric has this name.
    #[error("there is no metric `{name}`{hint}; the metrics are {known}", hint = nearest.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default())]
    Unknown {
        /// The name.
        name: String,
        /// The metric with the most similar name.
        nearest: Option<&'static str>,
        /// All names.
        known: String,
    },
    /// Two sets of different metrics or sizes.
    #[error("cannot merge `{left}` with `{right}`: make both sets from the same names and sizes")]
    Mismatch {
        /// Metrics of the one.
        left: String,
        /// Metrics of the other.
        right: String,
    },
}

/// The value of one metric at one tick.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TickValue {
    /// The tick.
    pub tick: u32,
    /// The metric's place in its set.
    pub metric: usize,
    /// The value; `None` if undefined.
    pub value: Option<f64>,
}

/// The curve of one metric over the whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricCurve {
    /// The metric's place in its set.
    pub metric: usize,
    /// Points `(x, y)`, x ascending.
    pub points: Vec<(f64, f64)>,
}

/// The metrics of one replication of one policy.
pub struct MetricSet {
    background: Background,
    entries: Vec<Entry>,
}

struct Entry {
    kind: &'static MetricKind,
    /// Over all events.
    whole: Box<dyn Accumulator>,
}

impl MetricSet {
    /// The built-in metrics with these names.
    ///
    /// # Errors
    /// When there is no metric with one of the names.
    pub fn new<S: AsRef<str>>(names: &[S], background: &Background) -> Result<MetricSet, MetricError> {
        Ok(MetricSet::of(&named(names)?, background))
    }

    /// These metrics.
    pub fn of(kinds: &[&'static MetricKind], background: &Background) -> MetricSet {
        let entries = kinds.iter().map(|&kind| Entry { kind, whole: (kind.make)(background) }).collect();
        MetricSet { background: background.clone(), entries }
    }

    /// The metrics, in order.
    pub fn kinds(&self) -> Vec<&'static MetricKind> {
        self.entries.iter().map(|entry| entry.kind).collect()
    }

    /// Folds the events of one tick and returns each metric's value at this tick. For a metric that is measured
    /// [`MetricKind::against`] a policy it is the log's own part.
    pub fn fold(&mut self, batch: &EventBatch, catalogue: &Catalogue) -> Vec<TickValue> {
        let background = &self.background;
        let values = self.entries.iter_mut().map(|entry| entry.fold(batch, catalogue, background));
        values.enumerate().map(|(metric, value)| TickValue { tick: batch.tick, metric, value }).collect()
    }

    /// Takes what another set has folded from other users' events.
    ///
    /// # Errors
    /// When the other set was made for other metrics or sizes; this one is then unchanged.
    pub fn merge(&mut self, other: &MetricSet) -> Result<(), MetricError> {
        let mismatch = || MetricError::Mismatch { left: self.describe(), right: other.describe() };
        let same_kinds = self.entries.iter().map(|entry| entry.kind.name).eq(other.entries.iter().map(|e| e.kind.name));
        if !same_kinds || self.background != other.background {
            return Err(mismatch());
        }
        let pairs = || self.entries.iter().zip(&other.entries);
        if pairs().any(|(mine, others)| mine.whole.as_any().type_id() != others.whole.as_any().type_id()) {
            return Err(mismatch());
        }
        for (mine, others) in self.entries.iter_mut().zip(&other.entries) {
            let _same_type = mine.whole.merge(others.whole.as_ref());
        }
        Ok(())
    }

    /// Each metric's value over all events, in the order of the metrics.
    pub fn finals(&self) -> Vec<Option<f64>> {
        self.entries.iter().map(|entry| entry.whole.value()).collect()
    }

    /// The curves of the metrics that have one, each with its metric's place.
    pub fn curves(&self) -> Vec<MetricCurve> {
        let curves = self.entries.iter().map(|entry| entry.whole.curve()).enumerate();
        curves.filter(|(_, points)| !points.is_empty()).map(|(metric, points)| MetricCurve { metric, points }).collect()
    }

    fn describe(&self) -> String {
        let names: Vec<&str> = self.entries.iter().map(|entry| entry.kind.name).collect();
        format!("{} for {} users and {} items", names.join(", "), self.background.users, self.background.items)
    }
}

impl Entry {
    fn fold(&mut self, batch: &EventBatch, catalogue: &Catalogue, background: &Background) -> Option<f64> {
        match self.kind.window {
            Window::SoFar => {
                self.whole.fold(batch, catalogue);
                self.whole.value()
            }
            Window::Tick => {
                let mut tick = (self.kind.make)(background);
                tick.fold(batch, catalogue);
                let _same_type = self.whole.merge(tick.as_ref());
                tick.value()
            }
        }
    }
}

/// The built-in metrics with these names, in their order.
///
/// # Errors
/// When there is no metric with one of the names.
pub fn named<S: AsRef<str>>(names: &[S]) -> Result<Vec<&'static MetricKind>, MetricError> {
    named_among(&super::all().iter().collect::<Vec<_>>(), names)
}

/// The kinds with these names, in the order of the names.
///
/// # Errors
/// When there is no metric with one of the names.
pub fn named_among<S: AsRef<str>>(
    kinds: &[&'static MetricKind],
    names: &[S],
) -> Result<Vec<&'static MetricKind>, MetricError> {
    let find = |name: &str| kinds.iter().copied().find(|kind| kind.name == name).ok_or_else(|| unknown(name, kinds));
    names.iter().map(|name| find(name.as_ref())).collect()
}

fn unknown(name: &str, kinds: &[&'static MetricKind]) -> MetricError {
    let known = || kinds.iter().map(|kind| kind.name);
    let nearest = known().find(|kind| Some(*kind) == nearest(name, known()));
    MetricError::Unknown { name: name.to_owned(), nearest, known: known().collect::<Vec<_>>().join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::testing::{GAP, background, batch, catalogue, provided};
    use crate::metrics::{Better, Format, Metric, accumulator, all};
    use proptest::prelude::*;

    fn names() -> Vec<&'static str> {
        all().iter().map(|kind| kind.name).collect()
    }

    #[test]
    fn ticks_cover_the_tick_or_all_so_far() {
        let items = catalogue(&[1, 2]);
        let mut set = MetricSet::new(&["acceptance_rate", "coverage"], &Background::unknown(2, 2)).unwrap();
        set.fold(&batch(0, 1, &[(0, &[0], Some(0), 4.0)]), &items);
        let second = set.fold(&batch(1, 1, &[(0, &[1], None, f32::NAN)]), &items);
        let expected = [(0, Some(0.0)), (1, Some(1.0))];
        assert_eq!(second, expected.map(|(metric, value)| TickValue { tick: 1, metric, value }));
        assert_eq!(set.finals(), [Some(0.5), Some(1.0)]);
    }

    #[test]
    fn a_wrong_name_suggests_the_nearest() {
        let error = MetricSet::new(&["acceptance"], &Background::unknown(1, 1)).err().unwrap().to_string();
        assert!(error.contains("did you mean `acceptance_rate`?"), "{error}");
        let error = MetricSet::new(&["zzz"], &Background::unknown(1, 1)).err().unwrap().to_string();
        assert!(!error.contains("did you mean") && error.contains("gini"), "{error}");
    }

    #[test]
    fn sets_of_different_metrics_or_sizes_do_not_merge() {
        let new = |name: &str, items| MetricSet::new(&[name], &Background::unknown(1, items)).unwrap();
        let mut set = new("coverage", 1);
        for other in [new("gini", 1), new("coverage", 2)] {
            assert!(matches!(set.merge(&other), Err(MetricError::Mismatch { .. })));
        }
    }

    #[test]
    fn a_metric_of_the_same_name_and_another_type_does_not_merge() {
        struct Other;
        impl Metric for Other {
            fn fold(&mut self, _: &EventBatch, _: &Catalogue) {}
            fn merge(&mut self, _: &Self) {}
            fn value(&self) -> Option<f64> {
                None
            }
        }
        static OTHER: MetricKind = MetricKind {
            name: "coverage",
            title: "",
            formula: "",
            format: Format::Number { digits: 0 },
            better: Better::Neither,
            window: Window::Tick,
            against: None,
            make: |_| accumulator(Other),
        };
        let nobody = Background::unknown(1, 1);
        let mut set = MetricSet::new(&["coverage"], &nobody).unwrap();
        assert!(set.merge(&MetricSet::of(&[&OTHER], &nobody)).is_err());
    }

    /// One row: the user's items, accepted slot and rating in half stars.
    type Row = (Vec<u32>, Option<u8>, u8);

    fn row() -> impl Strategy<Value = Row> {
        let item = prop_oneof![5 => 0..12u32, 1 => Just(GAP)];
        (prop::collection::vec(item, 3), prop::option::of(0..3u8), 0..=10u8)
    }

    /// A tick in which some users are absent; every third batch lacks the numbers of sessions.
    fn build(tick: u32, rows: &[(u32, &Row)]) -> EventBatch {
        let here = |&&(user, row): &&(u32, &Row)| !(user + u32::from(row.2)).is_multiple_of(4);
        let rows: Vec<(u32, &Row)> = rows.iter().filter(here).copied().collect();
        let sessions = rows.iter().map(|(user, _)| tick / (10 + user)).collect();
        let rating = |row: &Row| if row.2 == 0 || row.1.is_none() { f32::NAN } else { f32::from(row.2) * 0.5 };
        let rows: Vec<_> = rows.iter().map(|&(user, row)| (user, row.0.as_slice(), row.1, rating(row))).collect();
        let batch = batch(tick, 3, &rows);
        if tick.is_multiple_of(3) { batch } else { EventBatch { sessions, ..batch } }
    }

    fn same(left: &[Option<f64>], right: &[Option<f64>]) -> bool {
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * a.abs().max(1.0);
        left.iter().zip(right).all(|(a, b)| match (a, b) {
            (Some(a), Some(b)) => close(*a, *b),
            (None, None) => true,
            _ => false,
        })
    }

    proptest! {
        #[test]
        fn shards_of_users_merge_to_the_complete_value(
            log in prop::collection::vec(prop::collection::vec(row(), 0..9), 0..7),
            shards in 1..4u32,
            genres in prop::collection::vec(0..64u64, 12),
        ) {
            let items = provided(catalogue(&genres), &(0..12).map(|item| item % 5).collect::<Vec<u32>>());
            let histories: Vec<Vec<u32>> = (0..6).map(|user| (0..user).map(|place| (user * place) % 12).collect()).collect();
            let histories: Vec<&[u32]> = histories.iter().map(Vec::as_slice).collect();
            let start = background(&[0, 1, 2, 3, 4, 5, 5, 3, 1], &histories, &items);
            let fresh = || MetricSet::new(&names(), &start).unwrap();
            let (mut whole, mut parts) = (fresh(), Vec::from_iter((0..shards).map(|_| fresh())));
            // Far enough apart for users to be gone and to come back.
            for (tick, rows) in (0..).step_by(7).zip(&log) {
                let rows: Vec<(u32, &Row)> = (0..).zip(rows).collect();
                let at_tick = whole.fold(&build(tick, &rows), &items);
                let mut tick_merged = fresh();
                for (shard, part) in (0..).zip(&mut parts) {
                    let mine: Vec<_> = rows.iter().copied().filter(|(user, _)| user % shards == shard).collect();
                    let events = build(tick, &mine);
                    part.fold(&events, &items);
                    let mut tick_part = fresh();
                    tick_part.fold(&events, &items);
                    tick_merged.merge(&tick_part).unwrap();
                }
                for (value, merged) in at_tick.iter().zip(tick_merged.finals()) {
                    if all()[value.metric].window == Window::Tick {
                        prop_assert!(same(&[value.value], &[merged]));
                    }
                }
            }
            let mut merged = fresh();
            for part in &parts {
                merged.merge(part).unwrap();
            }
            prop_assert!(same(&whole.finals(), &merged.finals()), "{:?} {:?}", whole.finals(), merged.finals());
            prop_assert_eq!(whole.curves(), merged.curves());
        }
    }
}

//! The measures of [`super`], from counts that both sides have.

use crate::dataset::{Interaction, ItemCategories, TrainingLog};
use crate::experiment::acceptance::later_lists;
use crate::experiment::prepare::Experiment;
use crate::experiment::user_totals::UserTotals;
use crate::ids::{ItemId, LogUserId};
use crate::scenario::AcceptSpec;
use crate::user::RATINGS;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Seconds of a day; the log counts in milliseconds.
const DAY: i64 = 86_400;

/// A measure.
pub(super) struct Measure {
    pub(super) name: &'static str,
    /// True if it is a distance from the held-out interactions.
    pub(super) is_distance: bool,
    of: fn(&Side, &Reference) -> Option<f64>,
}

const fn level(name: &'static str, of: fn(&Side, &Reference) -> Option<f64>) -> Measure {
    Measure { name, is_distance: false, of }
}

const fn distance(name: &'static str, of: fn(&Side, &Reference) -> Option<f64>) -> Measure {
    Measure { name, is_distance: true, of }
}

/// All measures, in the order of tables.
pub(super) const MEASURES: [Measure; 9] = [
    level("accepted_share", |side, reference| {
        // Lists record what was taken; a slate without a liked item may still have a taken one.
        if reference.only_liked {
            return None;
        }
        ratio(side.accepted_lists, side.lists)
    }),
    level("liked_share", |side, reference| {
        if reference.only_liked {
            return None;
        }
        let liked: f64 = side.ratings[reference.like_level - 1..].iter().sum();
        ratio(liked, side.ratings.iter().sum())
    }),
    level("mean_level", |side, _| {
        let sum: f64 = side.ratings.iter().zip(1..).map(|(count, level)| count * f64::from(level)).sum();
        ratio(sum, side.ratings.iter().sum())
    }),
    level("user_spread", |side, _| {
        let (sum, squares, users) = side.by_user;
        let mean = sum / users;
        (users > 1.0 && mean > 0.0).then(|| ((squares / users - mean * mean).max(0.0)).sqrt() / mean)
    }),
    level("days_between_visits", |side, _| ratio(side.gap_days, side.gaps)),
    level("popularity_rank", |side, reference| {
        let sum: f64 = side.items.iter().zip(&reference.ranks).map(|(count, rank)| count * rank).sum();
        ratio(sum, side.items.iter().sum())
    }),
    distance("popularity_distance", |side, reference| {
        let (own, other) = (reference.by_rank(&side.items)?, reference.by_rank(&reference.held_out)?);
        Some(own.iter().zip(&other).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max))
    }),
    level("categories", |side, reference| Some(libm::exp(entropy(&reference.shares(&side.items)?)))),
    distance("category_distance", |side, reference| {
        let (own, other) = (reference.shares(&side.items)?, reference.shares(&reference.held_out)?);
        let middle: Vec<f64> = own.iter().zip(&other).map(|(a, b)| (a + b) / 2.0).collect();
        let divergence = entropy(&middle) - (entropy(&own) + entropy(&other)) / 2.0;
        Some((divergence / std::f64::consts::LN_2).max(0.0))
    }),
];

fn ratio(above: f64, below: f64) -> Option<f64> {
    (below > 0.0).then(|| above / below)
}

fn entropy(shares: &[f64]) -> f64 {
    shares.iter().filter(|share| **share > 0.0).map(|share| -share * libm::log(*share)).sum()
}

/// The counts of one side.
#[derive(Clone, Debug, Default)]
pub(super) struct Side {
    lists: f64,
    accepted_lists: f64,
    ratings: [f64; RATINGS],
    /// Sum, sum of squares, and number of users, of the accepted items of each.
    by_user: (f64, f64, f64),
    gap_days: f64,
    gaps: f64,
    /// Accepted items by number.
    items: Vec<f64>,
}

impl Side {
    /// The responses of simulated users in a trial.
    pub(super) fn of_trial(totals: &UserTotals, tick_seconds: u64) -> Side {
        let mut side = Side { items: totals.items.iter().map(|&count| f64::from(count)).collect(), ..Side::default() };
        for user in 0..totals.shown.len() {
            let (shown, accepted) = totals.of(user);
            if shown > 0.0 {
                side.add_user(accepted, 1.0);
                side.lists += shown;
                side.accepted_lists += accepted;
            }
        }
        side.ratings = totals.ratings.map(|count| count as f64);
        side.gaps = totals.gaps as f64;
        side.gap_days = totals.gap_ticks as f64 * tick_seconds as f64 / DAY as f64;
        side
    }

    /// The interactions of users after the cut, each counted `weight` times.
    pub(super) fn of_log(held_out: &TrainingLog, reference: &Reference, weight: impl Fn(LogUserId) -> u32) -> Side {
        let mut side = Side { items: vec![0.0; held_out.items], ..Side::default() };
        for user in (0..held_out.users() as u32).map(LogUserId) {
            let (weight, rows) = (f64::from(weight(user)), held_out.of(user));
            let (lists, accepted) = reference.lists.get(user.index()).copied().unwrap_or_default();
            side.lists += weight * f64::from(lists);
            side.accepted_lists += weight * f64::from(accepted);
            if rows.is_empty() {
                continue;
            }
            let accepted = || rows.iter().filter(|row| reference.is_accepted(row));
            side.add_user(accepted().count() as f64, weight);
            for row in accepted() {
                side.items[row.item.index()] += weight;
                if row.rating >= 1.0 {
                    side.ratings[(row.rating.round() as usize - 1).min(RATINGS - 1)] += weight;
                }
            }
            let days: BTreeSet<i64> = rows.iter().map(|row| row.time.div_euclid(1_000 * DAY)).collect();
            if let Some((first, last)) = days.first().zip(days.last()) {
                side.gaps += weight * (days.len() - 1) as f64;
                side.gap_days += weight * (last - first) as f64;
            }
        }
        side
    }

    fn add_user(&mut self, accepted: f64, weight: f64) {
        let (sum, squares, users) = &mut self.by_user;
        *sum += weight * accepted;
        *squares += weight * accepted * accepted;
        *users += weight;
    }
}

/// The held-out data to compare with.
pub(super) struct Reference {
    like_level: usize,
    /// True if accepting means liking: interactions rated lower, or not rated, do not count as accepted in the log
    /// either.
    only_liked: bool,
    /// By item: the share of the catalogue that was more popular before the cut; equal items share the middle.
    ranks: Vec<f64>,
    /// Items by rank.
    order: Vec<usize>,
    categories: Option<Arc<ItemCategories>>,
    held_out: Vec<f64>,
    /// By user: lists after the cut, and the lists from which something was taken.
    lists: Vec<(u32, u32)>,
}

impl Reference {
    pub(super) fn new(experiment: &Experiment, held_out: &TrainingLog) -> Reference {
        let start = experiment.start();
        let counts = start.log.item_counts();
        let mut order: Vec<usize> = (0..counts.len()).collect();
        order.sort_by_key(|&item| std::cmp::Reverse(counts[item]));
        let mut ranks = vec![0.0; counts.len()];
        let mut place = 0;
        for group in order.chunk_by(|&a, &b| counts[a] == counts[b]) {
            let middle = (place as f64 + (group.len() - 1) as f64 / 2.0) / counts.len() as f64;
            group.iter().for_each(|&item| ranks[item] = middle);
            place += group.len();
        }
        let only_liked = experiment.scenario.user.accept == AcceptSpec::Like;
        let mut lists = Vec::new();
        for place in later_lists(&experiment.data, start) {
            let list = experiment.data.impressions.get(place);
            let user = list.user.index();
            if lists.len() <= user {
                lists.resize(user + 1, (0, 0));
            }
            lists[user].0 += 1;
            lists[user].1 += u32::from(list.taken.contains(&true));
        }
        let mut found = Reference {
            like_level: usize::from(experiment.acceptance().like_level).clamp(1, RATINGS),
            only_liked,
            ranks,
            order,
            categories: experiment.catalogue().category().cloned(),
            held_out: Vec::new(),
            lists,
        };
        found.held_out = Side::of_log(held_out, &found, |_| 1).items;
        found
    }

    fn is_accepted(&self, row: &Interaction) -> bool {
        !self.only_liked || row.rating.round() >= self.like_level as f32
    }

    /// All measures of a side.
    pub(super) fn figures(&self, side: &Side) -> Vec<Option<f64>> {
        MEASURES.iter().map(|measure| (measure.of)(side, self).filter(|value| value.is_finite())).collect()
    }

    /// The cumulative shares by rank of counts by item, at the ends of groups of equal rank.
    fn by_rank(&self, items: &[f64]) -> Option<Vec<f64>> {
        let all: f64 = items.iter().sum();
        let mut sum = 0.0;
        let groups = self.order.chunk_by(|&a, &b| self.ranks[a] == self.ranks[b]);
        let steps = groups.map(|group| {
            sum += group.iter().filter_map(|&item| items.get(item)).sum::<f64>();
            sum / all
        });
        let steps: Vec<f64> = steps.collect();
        (all > 0.0).then_some(steps)
    }

    /// The distribution over categories of counts by item; an item's count is divided equally among its categories.
    fn shares(&self, items: &[f64]) -> Option<Vec<f64>> {
        let categories = self.categories.as_ref()?;
        let mut shares = vec![0.0; categories.len()];
        for (item, count) in (0..).map(ItemId).zip(items).filter(|(_, count)| **count > 0.0) {
            let own = categories.of(item);
            own.iter().for_each(|&code| shares[code as usize] += count / own.len() as f64);
        }
        let all: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= all);
        (all > 0.0).then_some(shares)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(counts: [u32; 4]) -> Reference {
        let mut order: Vec<usize> = (0..4).collect();
        order.sort_by_key(|&item| std::cmp::Reverse(counts[item]));
        Reference {
            like_level: 4,
            only_liked: false,
            ranks: vec![0.0, 0.25, 0.5, 0.75],
            order,
            categories: Some(Arc::new(ItemCategories::single(
                "kind",
                vec!["a".to_owned(), "b".to_owned()],
                [Some(0), Some(0), Some(1), Some(1)],
            ))),
            held_out: vec![2.0, 0.0, 2.0, 0.0],
            lists: vec![(4, 1)],
        }
    }

    fn value(figures: &[Option<f64>], name: &str) -> Option<f64> {
        figures[MEASURES.iter().position(|measure| measure.name == name).unwrap()]
    }

    #[test]
    fn held_out_interactions_by_hand() {
        let row = |user, item, rating, day: i64| Interaction {
            user: LogUserId(user),
            item: ItemId(item),
            rating,
            time: day * 86_400_000 + i64::from(item),
        };
        let log = TrainingLog::from_sorted(
            vec![row(0, 0, 5.0, 1), row(0, 2, 3.0, 4), row(0, 2, 4.0, 4), row(1, 0, f32::NAN, 9)],
            2,
            4,
        );
        let reference = reference([4, 3, 2, 1]);
        let figures = reference.figures(&Side::of_log(&log, &reference, |_| 1));
        assert_eq!(value(&figures, "accepted_share"), Some(0.25));
        assert_eq!(value(&figures, "liked_share"), Some(2.0 / 3.0));
        assert_eq!(value(&figures, "mean_level"), Some(4.0));
        // 3 and 1: mean 2, deviation 1.
        assert_eq!(value(&figures, "user_spread"), Some(0.5));
        assert_eq!(value(&figures, "days_between_visits"), Some(3.0));
        assert_eq!(value(&figures, "popularity_rank"), Some(0.25));
        assert!((value(&figures, "categories").unwrap() - 2.0).abs() < 1e-12);
        assert_eq!(
            (value(&figures, "popularity_distance"), value(&figures, "category_distance")),
            (Some(0.0), Some(0.0))
        );
        let twice = reference.figures(&Side::of_log(&log, &reference, |user| 2 * (1 - user.0)));
        assert_eq!(value(&twice, "popularity_rank"), Some(1.0 / 3.0), "the second user was not drawn");
        let rows: Vec<Interaction> = log.rows.iter().map(|row| Interaction { time: 0, ..*row }).collect();
        let timeless = reference.figures(&Side::of_log(&TrainingLog::from_sorted(rows, 2, 4), &reference, |_| 1));
        assert_eq!(value(&timeless, "days_between_visits"), None, "a log without times has no days");
        let liking = Reference { only_liked: true, ..reference };
        let figures = liking.figures(&Side::of_log(&log, &liking, |_| 1));
        assert_eq!((value(&figures, "liked_share"), value(&figures, "mean_level")), (None, Some(4.5)));
        assert_eq!(value(&figures, "accepted_share"), None, "lists say what was taken, not what was liked");
        // 2 and 0: mean 1, deviation 1. The days are those of all interactions.
        assert_eq!((value(&figures, "user_spread"), value(&figures, "days_between_visits")), (Some(1.0), Some(3.0)));
    }

    #[test]
    fn a_trial_by_hand() {
        let totals = UserTotals {
            shown: vec![4, 0, 6],
            accepted: vec![1, 0, 3],
            items: vec![4, 0, 0, 0],
            ratings: [0, 0, 1, 1, 2],
            gap_ticks: 6,
            gaps: 3,
        };
        let reference = reference([4, 3, 2, 1]);
        let figures = reference.figures(&Side::of_trial(&totals, 43_200));
        assert_eq!((value(&figures, "accepted_share"), value(&figures, "liked_share")), (Some(0.4), Some(0.75)));
        assert_eq!((value(&figures, "user_spread"), value(&figures, "days_between_visits")), (Some(0.5), Some(1.0)));
        // All four of the most popular item; half of the held-out ones.
        assert_eq!((value(&figures, "popularity_distance"), value(&figures, "categories")), (Some(0.5), Some(1.0)));
        // One category against both halves: H(3/4, 1/4) - ln 2 / 2 in bits.
        let expected = (0.75 * libm::log2(4.0 / 3.0) + 0.25 * 2.0) - 0.5;
        assert!((value(&figures, "category_distance").unwrap() - expected).abs() < 1e-12);
    }

    #[test]
    fn unknown_measures_have_no_figure() {
        let reference = Reference { categories: None, lists: Vec::new(), ..reference([1, 1, 1, 1]) };
        let empty = reference.figures(&Side::default());
        assert!(empty.iter().all(Option::is_none), "{empty:?}");
    }
}

//! `popular`: the items with the most interactions, one ranking for all users.
//!
//! An item's count is its interactions in the log plus, with `learn`, the acceptances of this policy's own users so
//! far; the count is the score, and equal counts are ordered by item id. With a `half_life` of `h` ticks all counts are
//! multiplied by `2^(-1/h)` each tick, so the ranking follows recent acceptances. With a `window` of `w` ticks only the
//! last `w` ticks count, where interactions of the log count by their time before its end; items with equal counts in
//! the window are ordered by their total count. It is the usual non-personalised baseline (Cremonesi, Koren and Turrin
//! 2010, "TopPop"; Ji, Sun, Zhang and Li 2020 on why its window matters).

use super::{BuildPolicy, Policy, PolicyContext, PolicyError, Requests, Slates};
use crate::ids::ItemId;
use crate::log::EventBatch;
use crate::params::parameters;
use std::collections::VecDeque;

parameters! {
    /// the most frequent items of the log and the responses so far (Cremonesi et al. 2010)
    pub(super) struct PopularSpec = "popular" {
        /// whether accepted responses count, besides the log
        learn: bool = true,
        /// ticks after which a count is worth half; 0 = counts do not decay
        #[range(0.0..=1e9)]
        half_life: f64 = 0.0,
        /// latest ticks that count, including those of the log before the start; 0 = all time
        #[range(0..=1_000_000)]
        window: i64 = 0,
    }
}

impl BuildPolicy for PopularSpec {
    fn build(self, context: &PolicyContext) -> Result<Box<dyn Policy>, PolicyError> {
        if self.half_life > 0.0 && self.window > 0 {
            return Err(PolicyError::new("`half_life` and `window` exclude each other; set one of them to 0"));
        }
        Ok(Box::new(Popular::new(&self, context)))
    }
}

struct Popular {
    learn: bool,
    half_life: f64,
    window: Option<Window>,
    /// The count for the ranking: total, decayed, or in the window.
    counts: Vec<f64>,
    /// The tick of the decayed `counts`.
    tick: u32,
    /// All items, best first; empty while out of date.
    ranking: Vec<ItemId>,
}

impl Popular {
    fn new(params: &PopularSpec, context: &PolicyContext) -> Popular {
        let all: Vec<f64> = context.log.item_counts().into_iter().map(f64::from).collect();
        let ticks = params.window;
        let window = (ticks > 0).then(|| Window::new(ticks, all.clone(), context));
        Popular {
            learn: params.learn,
            half_life: params.half_life,
            counts: window.as_ref().map_or(all, |window| window.counts(context.log.items)),
            window,
            tick: 0,
            ranking: Vec::new(),
        }
    }

    fn decay_to(&mut self, tick: u32) {
        let passed = f64::from(tick.saturating_sub(self.tick));
        self.tick = tick;
        if self.half_life > 0.0 && passed > 0.0 {
            let factor = libm::exp2(-passed / self.half_life);
            self.counts.iter_mut().for_each(|count| *count *= factor);
        }
    }

    fn rank(&mut self) {
        let counts = &self.counts;
        // Ties in the window are ordered by total count; without a window it is the same count.
        let all = self.window.as_ref().map_or(counts, |window| &window.all_time);
        let more = |counts: &[f64], a: ItemId, b: ItemId| counts[b.index()].total_cmp(&counts[a.index()]);
        self.ranking.extend((0..counts.len() as u32).map(ItemId));
        self.ranking
            .sort_unstable_by(|&a, &b| more(counts, a, b).then_with(|| more(all, a, b)).then_with(|| a.cmp(&b)));
    }
}

/// The events of the last steps.
struct Window {
    ticks: i64,
    /// The tick (negative in the log) and the item, oldest first.
    recent: VecDeque<(i64, ItemId)>,
    all_time: Vec<f64>,
}

impl Window {
    fn new(ticks: i64, all_time: Vec<f64>, context: &PolicyContext) -> Window {
        let end = context.log.end();
        // An event at the end of the log is one tick old at tick 0.
        let tick = |time: i64| -1 - (end - time) / (context.tick_seconds.max(1) * 1_000);
        let dated = context.log.rows.iter().map(|row| (tick(row.time), row.item));
        let mut recent: Vec<(i64, ItemId)> = dated.filter(|&(tick, _)| tick >= -ticks).collect();
        recent.sort_unstable();
        Window { ticks, recent: recent.into(), all_time }
    }

    fn counts(&self, items: usize) -> Vec<f64> {
        let mut counts = vec![0.0; items];
        self.recent.iter().for_each(|(_, item)| counts[item.index()] += 1.0);
        counts
    }

    /// Removes events that are too old at `tick`; returns true if there were any.
    fn expire(&mut self, tick: u32, counts: &mut [f64]) -> bool {
        let before = self.recent.len();
        while let Some(&(_, item)) = self.recent.front().filter(|entry| entry.0 < i64::from(tick) - self.ticks) {
            counts[item.index()] -= 1.0;
            self.recent.pop_front();
        }
        self.recent.len() < before
    }

    fn add(&mut self, tick: u32, item: ItemId) {
        self.recent.push_back((i64::from(tick), item));
        self.all_time[item.index()] += 1.0;
    }
}

impl Policy for Popular {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError> {
        if self.window.as_mut().is_some_and(|window| window.expire(requests.tick, &mut self.counts)) {
            self.ranking.clear();
        }
        if self.ranking.is_empty() {
            self.rank();
        }
        let (ranking, counts) = (&self.ranking, &self.counts);
        slates.fill(requests, |request, slate| {
            for &item in ranking {
                if slate.is_full() {
                    return;
                }
                if request.allows(item) {
                    slate.push(item, counts[item.index()] as f32);
                }
            }
        });
        slates.mark_certain();
        Ok(())
    }

    fn observe(&mut self, events: &EventBatch) -> Result<(), PolicyError> {
        self.decay_to(events.tick);
        if self.learn {
            for item in (0..events.len()).filter_map(|row| events.accepted_item(row)) {
                self.counts[item.index()] += 1.0;
                if let Some(window) = &mut self.window {
                    window.add(events.tick, item);
                }
            }
        }
        self.ranking.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::testing::{World, build, build_with, mask};

    /// Items 0..6 with counts 1, 3, 0, 3, 2, 0 in the log of three users.
    fn world() -> World {
        World::with_log(3, 6, &[&[1, 3, 4], &[1, 3, 4], &[0, 1, 3]]).slate(4)
    }

    #[test]
    fn ranks_by_count_and_breaks_ties_by_id() {
        let world = world();
        let mut policy = build("popular", &world.context());
        let slates = world.recommend(policy.as_mut(), 0, &world.users(), &vec![mask(6, &[]); 3]);
        assert_eq!(slates.items[..4].iter().map(|item| item.0).collect::<Vec<_>>(), [1, 3, 4, 0]);
        assert_eq!(slates.scores[..4], [3.0, 3.0, 2.0, 1.0]);
    }

    #[test]
    fn accepted_items_count_unless_learning_is_off() {
        for (learn, first) in [(true, 5), (false, 1)] {
            let world = world();
            let mut params = toml::Table::new();
            params.insert("learn".into(), learn.into());
            let mut policy = build_with("popular", params, &world.context());
            for tick in 0..2 {
                policy.observe(&world.accept(tick, &[Some(5), Some(5), None])).expect("a policy that learns");
            }
            let slates = world.recommend(policy.as_mut(), 2, &world.users(), &vec![mask(6, &[]); 3]);
            assert_eq!(slates.items[0].0, first);
        }
    }

    #[test]
    fn old_counts_fade_with_the_half_life() {
        let world = world();
        let mut params = toml::Table::new();
        params.insert("half_life".into(), 2.0.into());
        let mut policy = build_with("popular", params, &world.context());
        policy.observe(&world.accept(4, &[Some(2), None, None])).expect("a policy that learns");
        let slates = world.recommend(policy.as_mut(), 5, &world.users(), &vec![mask(6, &[]); 3]);
        assert_eq!(slates.items[..2].iter().map(|item| item.0).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(slates.scores[..2], [1.0, 0.75]);
    }

    #[test]
    fn a_window_forgets() {
        // The log's three users have their items at times 0, 1 and 2: with a second a tick these are the ticks -3, -2, -1.
        let world = world();
        let mut params = toml::Table::new();
        params.insert("window".into(), 2.into());
        let mut policy = build_with("popular", params, &world.context());
        let top = |policy: &mut dyn crate::policy::Policy, tick| {
            let slates = world.recommend(policy, tick, &world.users(), &vec![mask(6, &[]); 3]);
            let items: Vec<u32> = slates.items[..4].iter().map(|item| item.0).collect();
            (items, slates.scores[..4].to_vec())
        };
        // Ticks -2 and -1: items 3, 3, 1 and 4, 4, 3; the rest by all time.
        assert_eq!(top(policy.as_mut(), 0), (vec![3, 4, 1, 0], vec![3.0, 2.0, 1.0, 0.0]));
        policy.observe(&world.accept(0, &[Some(5), None, None])).expect("a policy that learns");
        // Ticks -1 and 0: items 4, 4, 3 and 5.
        assert_eq!(top(policy.as_mut(), 1), (vec![4, 3, 5, 1], vec![2.0, 1.0, 1.0, 0.0]));
        assert_eq!(top(policy.as_mut(), 9), (vec![1, 3, 4, 0], vec![0.0; 4]), "nothing is left: all time decides");
    }

    #[test]
    fn a_window_and_a_half_life_exclude_each_other() {
        let both = super::PopularSpec { learn: true, half_life: 1.0, window: 2 };
        let problem = super::BuildPolicy::build(both, &world().context()).err();
        assert!(problem.is_some_and(|problem| problem.to_string().contains("exclude each other")));
    }
}

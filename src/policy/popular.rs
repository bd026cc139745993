//! `popular`: the items with the most interactions, the same ranking for everybody.
//!
//! An item's count is its interactions in the log plus, with `learn`, the responses that this policy's
//! own users accepted so far; the count is the score and equal counts go by item id. With a `half_life`
//! of `h` ticks all counts are multiplied by `2^(-1/h)` a tick, so the ranking follows what is accepted
//! now. It is the usual non-personalised baseline (Cremonesi, Koren and Turrin 2010, "TopPop").

use super::{Policy, PolicyContext, PolicyKind, Requests, Slates};
use crate::ids::ItemId;
use crate::log::EventBatch;
use crate::scenario::{Key, Kind, Params};

pub(super) const KIND: PolicyKind = PolicyKind {
    name: "popular",
    summary: "the most frequent items of the log and the responses so far (Cremonesi et al. 2010)",
    keys: &[
        Key {
            name: "learn",
            kind: Kind::Bool { default: Some(true) },
            doc: "whether accepted responses count, besides the log",
        },
        Key {
            name: "half_life",
            kind: Kind::Number { min: 0.0, max: 1e9, default: Some(0.0) },
            doc: "ticks after which a count is worth half; 0 = counts keep their worth",
        },
    ],
    build: |params, context| Ok(Box::new(Popular::new(params, context))),
};

struct Popular {
    learn: bool,
    half_life: f64,
    counts: Vec<f64>,
    /// The tick as of which `counts` is decayed.
    tick: u32,
    /// All items, best first; empty while out of date.
    ranking: Vec<ItemId>,
}

impl Popular {
    fn new(params: &Params<'_>, context: &PolicyContext) -> Popular {
        Popular {
            learn: params.flag("learn"),
            half_life: params.number("half_life"),
            counts: context.log.item_counts().into_iter().map(f64::from).collect(),
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
        self.ranking.extend((0..counts.len() as u32).map(ItemId));
        self.ranking.sort_unstable_by(|a, b| counts[b.index()].total_cmp(&counts[a.index()]).then_with(|| a.cmp(b)));
    }
}

impl Policy for Popular {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) {
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
    }

    fn observe(&mut self, events: &EventBatch) {
        self.decay_to(events.tick);
        if self.learn {
            for item in (0..events.len()).filter_map(|row| events.accepted_item(row)) {
                self.counts[item.index()] += 1.0;
            }
        }
        self.ranking.clear();
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
                policy.observe(&world.accept(tick, &[Some(5), Some(5), None]));
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
        policy.observe(&world.accept(4, &[Some(2), None, None]));
        let slates = world.recommend(policy.as_mut(), 5, &world.users(), &vec![mask(6, &[]); 3]);
        assert_eq!(slates.items[..2].iter().map(|item| item.0).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(slates.scores[..2], [1.0, 0.75]);
    }
}

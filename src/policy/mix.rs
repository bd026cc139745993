//! `mix`: several policies in one slate.
//!
//! For each slot one of the parts is drawn, with probabilities in proportion to their weights, and its best item that
//! is not in the slate yet follows (probabilistic interleaving with fixed weights; Hofmann, Whiteson and de Rijke
//! 2011). An exhausted part is not drawn. Scores of different policies cannot be compared, so the slate has none. If no
//! part's list was drawn, the propensity of an item in a slot is the share of the parts whose next item it is. Every
//! part learns from all slates that were shown.

use super::inner::{Inner, List};
use super::{BuildPolicy, Chance, Policy, PolicyContext, PolicyError, Request, Requests, SlateRow, Slates};
use crate::ids::ItemId;
use crate::log::EventBatch;
use crate::params::{PolicyTable, PolicyTables, parameters};
use crate::random::unit;

parameters! {
    /// several policies that share the slots by weight (Hofmann et al. 2011)
    pub(super) struct MixSpec = "mix" {
        /// the policies, each with a `weight` (default 1); also written as tables of their own, [[policy.parts]]
        parts: PolicyTables = &["item_knn", "popular"],
    }
}

impl BuildPolicy for MixSpec {
    fn build(self, context: &PolicyContext) -> Result<Box<dyn Policy>, PolicyError> {
        let weight = |table: &PolicyTable| table.get("weight").and_then(toml::Value::as_float).unwrap_or(1.0);
        let weights = self.parts.iter().map(weight).collect();
        let parts = (0..).zip(&self.parts).map(|(part, table)| Inner::new(table, part, context));
        Ok(Box::new(Mix { weights, parts: parts.collect::<Result<_, _>>()? }))
    }
}

/// The most slates that are enumerated.
const MOST_SLATES: usize = 4_096;

struct Mix {
    weights: Vec<f64>,
    parts: Vec<Inner>,
}

impl Mix {
    fn fill(&self, request: &Request<'_>, slate: &mut SlateRow<'_>) {
        let lists: Vec<List<'_>> = self.parts.iter().map(|part| part.list(request.row)).collect();
        let certain = lists.iter().all(|list| list.certain);
        let mut rng = request.rng();
        while !slate.is_full() {
            let next = self.next(&lists, slate.items());
            let total: f64 = next.iter().map(|entry| entry.1).sum();
            let Some(item) = pick(&next, unit(&mut rng) * total) else { return };
            slate.push_drawn(item, f32::NAN, if certain { share(&next, item) } else { f32::NAN });
        }
    }

    /// For each part that is not exhausted, its next item that is not in `taken`, and its weight.
    fn next(&self, lists: &[List<'_>], taken: &[ItemId]) -> Vec<(ItemId, f64)> {
        let next = lists.iter().zip(&self.weights);
        next.filter_map(|(list, &weight)| Some((list.next(taken)?.0, weight))).collect()
    }

    /// The marginal probability of each item of `shown` in its slot, over all slates that the parts can make; NaN if
    /// there are too many.
    fn alone(&self, lists: &[List<'_>], shown: &[ItemId]) -> Vec<f64> {
        let slates = (0..shown.len()).try_fold(1_usize, |slates, _| slates.checked_mul(lists.len()));
        if slates.is_none_or(|slates| slates > MOST_SLATES) {
            return vec![f64::NAN; shown.len()];
        }
        let mut alone = vec![0.0; shown.len()];
        let mut open = vec![(Vec::new(), 1.0)];
        while let Some((above, chance)) = open.pop() {
            let Some(&item) = shown.get(above.len()) else { continue };
            let next = self.next(lists, &above);
            let total: f64 = next.iter().map(|entry| entry.1).sum();
            for (follows, weight) in next.into_iter().filter(|entry| entry.1 > 0.0) {
                let chance = chance * weight / total;
                alone[above.len()] += if follows == item { chance } else { 0.0 };
                let longer = above.iter().copied().chain([follows]).collect();
                open.push((longer, chance));
            }
        }
        alone
    }
}

/// The share of the weight that shows `item`.
fn share(next: &[(ItemId, f64)], item: ItemId) -> f32 {
    let total: f64 = next.iter().map(|entry| entry.1).sum();
    let share: f64 = next.iter().filter(|entry| entry.0 == item).map(|entry| entry.1).sum();
    if total > 0.0 { (share / total) as f32 } else { 0.0 }
}

/// The item at which the running sum of weights exceeds `point`.
fn pick(next: &[(ItemId, f64)], point: f64) -> Option<ItemId> {
    let mut sum = 0.0;
    let found = next.iter().find(|entry| {
        sum += entry.1;
        point < sum
    });
    // Rounding may leave a remainder after the last one.
    found.or(next.last()).map(|entry| entry.0)
}

impl Policy for Mix {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError> {
        for part in &mut self.parts {
            part.ask(requests, requests.slate)?;
        }
        let policy = &*self;
        slates.fill(requests, |request, slate| policy.fill(&request, slate));
        Ok(())
    }

    fn chances(&self, request: &Request<'_>, shown: &[ItemId], chances: &mut [Chance]) -> bool {
        let lists: Vec<List<'_>> = self.parts.iter().map(|part| part.list(request.row)).collect();
        let filled = shown.iter().take_while(|item| item.is_some()).count();
        let alone = self.alone(&lists, &shown[..filled]);
        for (above, chance) in chances.iter_mut().enumerate().take(filled) {
            let given_above = share(&self.next(&lists, &shown[..above]), shown[above]);
            *chance = Chance { given_above, alone: alone[above] as f32 };
        }
        lists.iter().all(|list| list.certain)
    }

    fn needs_oracle_access(&self) -> bool {
        self.parts.iter().any(Inner::needs_oracle_access)
    }

    fn observe(&mut self, events: &EventBatch) -> Result<(), PolicyError> {
        self.parts.iter_mut().try_for_each(|part| part.observe(events))
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::testing::{World, build_with, mask};

    #[test]
    fn parts_get_their_share_and_the_logged_propensity() {
        // Popularity of all time puts 0 first, that of the last tick 1; 2 is third in both.
        let world = World::with_log(4, 4, &[&[0, 2], &[0, 2], &[0, 2, 1], &[0, 3]]).slate(2);
        let parts = "parts = [{ kind = 'popular', weight = 3.0 }, { kind = 'markov', weight = 1.0 }]";
        let mut policy = build_with("mix", toml::from_str(parts).expect("parameters"), &world.context());
        let users = &world.users()[2..3];
        let open = [mask(4, &[])];
        let list = |kind: &str| {
            let mut part = build_with(kind, toml::Table::new(), &world.context());
            world.recommend(part.as_mut(), 0, users, &open).items
        };
        let (popular, markov) = (list("popular"), list("markov"));
        assert_eq!(popular[0], markov[0], "both start alike here");
        let mut second = std::collections::BTreeMap::<u32, f64>::new();
        for tick in 0..4_000 {
            let slates = world.recommend(policy.as_mut(), tick, users, &open);
            assert_eq!((slates.items[0], slates.propensities[0]), (popular[0], 1.0));
            *second.entry(slates.items[1].0).or_default() += f64::from(slates.propensities[1]).recip();
        }
        // Inverse propensities count every possible slate as often as there were ticks.
        for total in second.values() {
            assert!((total / 4_000.0 - 1.0).abs() < 0.15, "{second:?}");
        }
        assert_eq!(second.len(), if popular[1] == markov[1] { 1 } else { 2 });
    }

    #[test]
    fn one_part_is_that_part() {
        let world = World::new(9, 40);
        let (users, blocked) = world.everyone();
        let parts = toml::from_str("parts = [{ kind = 'ease' }]").expect("parameters");
        let mut mix = build_with("mix", parts, &world.context());
        let mut ease = build_with("ease", toml::Table::new(), &world.context());
        let found = world.recommend(mix.as_mut(), 0, &users, &blocked);
        let wanted = world.recommend(ease.as_mut(), 0, &users, &blocked);
        assert_eq!((found.items, found.propensities), (wanted.items, wanted.propensities));
    }
}

//! `epsilon_greedy`: a policy with random slots.
//!
//! Sutton and Barto (2018), section 2.2.
//!
//! Slot by slot, with probability `epsilon` a candidate that is not in the slate yet is drawn uniformly; otherwise the
//! best item of the inner policy that is not in it follows. Explored slots have no score. If the inner list was not
//! drawn, the propensity of an item in a slot is `epsilon / n`, with `n` candidates left, plus `1 - epsilon` for the
//! inner policy's item. The inner policy learns from the slates that were shown.

use super::explored;
use super::inner::{INNER, Inner};
use super::random::draw;
use super::{BuildPolicy, Chance, Policy, PolicyContext, PolicyError, Request, Requests, Slates};
use crate::ids::ItemId;
use crate::log::EventBatch;
use crate::params::{PolicyTable, parameters};
use crate::random::unit;

parameters! {
    /// another policy with a share of random slots (Sutton and Barto 2018)
    pub(super) struct EpsilonGreedySpec = "epsilon_greedy" {
        /// probability that a slot shows a random candidate
        #[range(0.0..=1.0)]
        epsilon: f64 = 0.1,
        #[key(INNER)]
        inner: PolicyTable,
    }
}

impl BuildPolicy for EpsilonGreedySpec {
    fn build(self, context: &PolicyContext) -> Result<Box<dyn Policy>, PolicyError> {
        let inner = Inner::new(&self.inner, 0, context)?;
        Ok(Box::new(EpsilonGreedy { epsilon: self.epsilon, inner }))
    }
}

struct EpsilonGreedy {
    epsilon: f64,
    inner: Inner,
}

impl Policy for EpsilonGreedy {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError> {
        self.inner.ask(requests, requests.slate)?;
        let (inner, epsilon) = (&self.inner, self.epsilon);
        slates.fill(requests, |request, slate| {
            let list = inner.list(request.row);
            let mut rng = request.rng();
            let candidates = request.candidate_count();
            while !slate.is_full() && slate.items().len() < candidates {
                let greedy = list.next(slate.items());
                // If the inner list is exhausted, the slot is drawn.
                let share = if greedy.is_some() { epsilon } else { 1.0 };
                let explored = if unit(&mut rng) < share { draw(&request, slate.items(), &mut rng) } else { None };
                let Some((item, score)) = explored.map(|item| (item, f32::NAN)).or(greedy) else { return };
                let left = candidates - slate.items().len();
                let propensity = propensity(epsilon, left, greedy.map(|greedy| greedy.0), item);
                slate.push_drawn(item, score, if list.certain { propensity } else { f32::NAN });
            }
        });
        Ok(())
    }

    fn chances(&self, request: &Request<'_>, shown: &[ItemId], chances: &mut [Chance]) -> bool {
        let (list, candidates) = (self.inner.list(request.row), request.candidate_count());
        let (listed, slots) = (list.items.len(), chances.len());
        let alone = if list.certain && slots <= explored::LONGEST && listed <= candidates {
            explored::alone(self.epsilon, candidates, listed, slots)
        } else {
            vec![f64::NAN; slots * (listed + 1)]
        };
        for (above, chance) in chances.iter_mut().enumerate().take_while(|(slot, _)| shown[*slot].is_some()) {
            let greedy = list.next(&shown[..above]).map(|greedy| greedy.0);
            let given_above = propensity(self.epsilon, candidates.saturating_sub(above), greedy, shown[above]);
            let place = list.items.iter().position(|&item| item == shown[above]).unwrap_or(listed);
            *chance = Chance { given_above, alone: alone[above * (listed + 1) + place] as f32 };
        }
        list.certain
    }

    fn needs_oracle_access(&self) -> bool {
        self.inner.needs_oracle_access()
    }

    fn observe(&mut self, events: &EventBatch) -> Result<(), PolicyError> {
        self.inner.observe(events)
    }
}

/// The propensity of an item in a slot with `left` candidates if the inner policy would show `greedy`.
fn propensity(epsilon: f64, left: usize, greedy: Option<ItemId>, item: ItemId) -> f32 {
    let epsilon = if greedy.is_some() { epsilon } else { 1.0 };
    (epsilon / left as f64 + if greedy == Some(item) { 1.0 - epsilon } else { 0.0 }) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::UserId;
    use crate::policy::testing::{World, build_with, mask};

    fn build(epsilon: f64, inner: &str, world: &World) -> Box<dyn Policy> {
        let text = format!("epsilon = {epsilon:?}\ninner = {{ kind = '{inner}' }}");
        build_with("epsilon_greedy", toml::from_str(&text).expect("parameters"), &world.context())
    }

    #[test]
    fn without_chance_it_is_the_inner_policy_and_learns_with_it() {
        let world = World::new(12, 40);
        let (users, blocked) = world.everyone();
        let mut wrapped = build(0.0, "item_knn", &world);
        let mut plain = build_with("item_knn", toml::Table::new(), &world.context());
        for tick in 0..12 {
            let slates = world.recommend(wrapped.as_mut(), tick, &users, &blocked);
            let wanted = world.recommend(plain.as_mut(), tick, &users, &blocked);
            assert_eq!((&slates.items, &slates.propensities), (&wanted.items, &wanted.propensities));
            let events = world.respond(tick, &users, &slates, |user, item| (user.0 + item.0) % 3 == 0);
            [&mut wrapped, &mut plain]
                .into_iter()
                .for_each(|policy| policy.observe(&events).expect("a policy that learns"));
        }
    }

    #[test]
    fn slots_are_explored_with_the_logged_propensity() {
        // Popularity is 3, 2, 1, 0, 0: the first slot shows item 0 unless one of five is drawn.
        let world = World::with_log(3, 5, &[&[0, 1, 2], &[0, 1], &[0]]).slate(2);
        let mut policy = build(0.5, "popular", &world);
        let asked: Vec<UserId> = (0..3).map(UserId).collect();
        let (mut counts, mut ticks) = ([0.0f64; 5], 0);
        for tick in 0..4_000 {
            let slates = world.recommend(policy.as_mut(), tick, &asked, &vec![mask(5, &[]); 3]);
            for (items, propensities) in slates.items.chunks(2).zip(slates.propensities.chunks(2)) {
                counts[items[0].index()] += 1.0;
                ticks += 1;
                assert_eq!(propensities[0], if items[0].0 == 0 { 0.6 } else { 0.1 });
                // The second slot has four candidates and the best remaining item of the list.
                let follows = items[1].0 == u32::from(items[0].0 == 0);
                assert_eq!(propensities[1], if follows { 0.625 } else { 0.125 });
            }
        }
        for (item, count) in counts.iter().enumerate() {
            let wanted = f64::from(ticks) * if item == 0 { 0.6 } else { 0.1 };
            assert!((count - wanted).abs() < 5.0 * wanted.sqrt(), "{counts:?}");
        }
    }

    #[test]
    fn draws_of_the_inner_policy_are_unknown() {
        let world = World::new(3, 20);
        let (users, blocked) = world.everyone();
        let mut policy = build(0.5, "random", &world);
        let slates = world.recommend(policy.as_mut(), 0, &users, &blocked);
        assert!(slates.propensities.iter().all(|propensity| propensity.is_nan()));
    }
}

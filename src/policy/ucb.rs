//! `ucb`: a bandit with one arm for each item.
//!
//! Upper confidence bounds, the same ranking for every user.
//!
//! UCB1 (Auer, Cesa-Bianchi and Fischer 2002) over slates: with `n` examinations of an item, `s` acceptances of it and
//! `N` examinations of all items, `score = s / n + alpha sqrt(2 ln N / n)`. Examined slots follow from the cascade:
//! those up to the accepted one, all of them if nothing was accepted. The log does not count, because it does not
//! contain what was passed over; it only orders equal scores, so that items that were never shown come in order of
//! popularity. It learns online, after each tick.
//!
//! Its regret grows with the logarithm of time if acceptance does not depend on the user; it is the plain bandit that
//! contextual ones have to beat.

use super::ridge::examined;
use super::{BuildPolicy, Policy, PolicyContext, PolicyError, Requests, Slates};
use crate::ids::ItemId;
use crate::log::EventBatch;
use crate::params::parameters;

parameters! {
    /// one bandit arm for each item, upper confidence bounds (Auer et al. 2002)
    pub(super) struct UcbSpec = "ucb" {
        /// weight of the confidence width; 1 is UCB1, which explores for long when few slots are accepted
        #[range(0.0..=1e3)]
        alpha: f64 = 0.2,
        /// imagined examinations of each item without an acceptance; 0 = every item is shown before one is repeated
        #[range(0.0..=1e6)]
        prior: f64 = 0.0,
    }
}

impl BuildPolicy for UcbSpec {
    fn build(self, context: &PolicyContext) -> Result<Box<dyn Policy>, PolicyError> {
        Ok(Box::new(Ucb::new(&self, context)))
    }
}

struct Ucb {
    alpha: f64,
    prior: f64,
    /// Interactions of each item in the log.
    popularity: Vec<u32>,
    looks: Vec<f64>,
    accepted: Vec<f64>,
    /// All items with their scores, best first; empty while out of date.
    ranking: Vec<(ItemId, f32)>,
}

impl Ucb {
    fn new(params: &UcbSpec, context: &PolicyContext) -> Ucb {
        let items = context.log.items;
        Ucb {
            alpha: params.alpha,
            prior: params.prior,
            popularity: context.log.item_counts(),
            looks: vec![0.0; items],
            accepted: vec![0.0; items],
            ranking: Vec::new(),
        }
    }

    fn rank(&mut self) {
        let total = self.looks.iter().map(|looks| looks + self.prior).sum::<f64>().max(1.0);
        let width = 2.0 * libm::log(total);
        let score = |(&looks, &accepted): (&f64, &f64)| {
            let looks = looks + self.prior;
            if looks > 0.0 { (accepted / looks + self.alpha * (width / looks).sqrt()) as f32 } else { f32::INFINITY }
        };
        let scores = self.looks.iter().zip(&self.accepted).map(score);
        self.ranking = (0..).map(ItemId).zip(scores).collect();
        let popularity = &self.popularity;
        self.ranking.sort_unstable_by(|a, b| {
            let more = popularity[b.0.index()].cmp(&popularity[a.0.index()]);
            b.1.total_cmp(&a.1).then(more).then_with(|| a.0.cmp(&b.0))
        });
    }
}

impl Policy for Ucb {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError> {
        if self.ranking.is_empty() {
            self.rank();
        }
        let ranking = &self.ranking;
        slates.fill(requests, |request, slate| {
            for &(item, score) in ranking {
                if slate.is_full() {
                    return;
                }
                if request.allows(item) {
                    slate.push(item, score);
                }
            }
        });
        slates.mark_certain();
        Ok(())
    }

    fn observe(&mut self, events: &EventBatch) -> Result<(), PolicyError> {
        for row in 0..events.len() {
            for (slot, item) in examined(events, row) {
                self.looks[item.index()] += 1.0;
                self.accepted[item.index()] += f64::from(u8::from(slot == usize::from(events.accepted[row])));
            }
        }
        self.ranking.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{World, build_with, mask};

    #[test]
    fn scores_by_hand() {
        let world = World::with_log(3, 3, &[&[2], &[2], &[1]]).slate(2);
        let params = toml::from_str("alpha = 0.5").expect("parameters");
        let mut policy = build_with("ucb", params, &world.context());
        let open = vec![mask(3, &[]); 3];
        let first = world.recommend(policy.as_mut(), 0, &world.users(), &open);
        assert_eq!(first.items[..2], [ItemId(2), ItemId(1)], "never shown: by popularity");
        // Users 0 and 1 reject both, user 2 accepts item 1 in the second slot: 3 looks each.
        let events = world.respond(0, &world.users(), &first, |user, item| user.0 == 2 && item.0 == 1);
        policy.observe(&events).expect("a policy that learns");
        let second = world.recommend(policy.as_mut(), 1, &world.users(), &open);
        assert_eq!(second.items[..2], [ItemId(0), ItemId(1)]);
        assert_eq!(second.scores[0], f32::INFINITY);
        let wanted = 1.0 / 3.0 + 0.5 * (2.0 * libm::log(6.0) / 3.0).sqrt();
        assert!((f64::from(second.scores[1]) - wanted).abs() < 1e-6);
    }

    /// The part of `values` over `times` that a straight line does not explain (1 - R squared).
    fn unexplained(times: &[f64], values: &[f64]) -> f64 {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let (time, value) = (mean(times), mean(values));
        let product = |a: &[f64], a_mean: f64, b: &[f64], b_mean: f64| -> f64 {
            a.iter().zip(b).map(|(a, b)| (a - a_mean) * (b - b_mean)).sum()
        };
        let shared = product(times, time, values, value);
        1.0 - shared * shared / (product(times, time, times, time) * product(values, value, values, value))
    }

    #[test]
    fn regret_grows_with_the_logarithm_of_time_in_a_stationary_world() {
        // Four items, accepted with these probabilities by any user; every item may repeat.
        let rates = [0.9, 0.6, 0.5, 0.3];
        let world = World::with_log(4, 4, &[]).slate(1);
        let course = |kind: &str, params: &str| -> Vec<f64> {
            let policy = build_with(kind, toml::from_str(params).expect("parameters"), &world.context());
            let lost = world.regret_of(policy, 4_000, |_, item| rates[item.index()]);
            let so_far = |sum: &mut f64, lost: f64| {
                *sum += lost;
                Some(*sum)
            };
            lost.into_iter().scan(0.0, so_far).collect()
        };
        let (ucb1, random) = (course("ucb", "alpha = 1.0"), course("random", ""));
        // After the first looks at every item.
        let ticks: Vec<f64> = (100..=4_000).map(f64::from).collect();
        let logarithms: Vec<f64> = ticks.iter().map(|&tick| libm::log(tick)).collect();
        let (straight, bent) = (unexplained(&ticks, &ucb1[99..]), unexplained(&logarithms, &ucb1[99..]));
        assert!(bent < 0.05 && bent < 0.2 * straight, "ucb: {bent} of a logarithm, {straight} of a line");
        let (straight, bent) = (unexplained(&ticks, &random[99..]), unexplained(&logarithms, &random[99..]));
        assert!(straight < 0.001 && straight < 0.2 * bent, "random: {bent} of a logarithm, {straight} of a line");
        // Each item that is not the best is examined about 2 ln N / gap^2 times, which costs 2 ln N / gap.
        let looks = libm::log(4.0 * 4_000.0);
        let expected: f64 = rates[1..].iter().map(|rate| 2.0 * looks / (rates[0] - rate)).sum();
        assert!((ucb1[3_999] / expected - 1.0).abs() < 0.25, "{} and not about {expected}", ucb1[3_999]);
    }
}

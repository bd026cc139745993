//! A reward model for DM and DR.
//!
//! Attraction times examination.
//!
//! ```text
//! f(slate) = sum over slots k of g_k l(item in k)
//! g_k = acceptances in slot k / times that slot k was shown
//! l(i) = (acceptances of i + 1) / (sum of g_k over the times that i was shown + 1)
//! ```
//!
//! `g` is how often a slot is accepted, `l` how much more or less than that an item is. An item that was shown little stays
//! near 1: the smoothing is the mean of a gamma prior of mean 1 that weighs as much as one expected acceptance (the
//! position-based click model of Richardson, Dominowska and Ragno 2007, with rates instead of probabilities).
//! It knows nothing of users, on purpose: it is the simple model that corrects what it can.
//!
//! Fitted on the rounds that it is applied to, a model would take their noise for truth, so it is *cross-fitted*
//! (Chernozhukov et al. 2018): users fall into five parts, and the rounds of a part are predicted from the other four.

use crate::ids::{ItemId, UserId};
use crate::log::REJECTED;

/// Parts of the cross-fit.
const PARTS: usize = 5;

/// Expected acceptances that the prior is worth.
const PRIOR: f64 = 1.0;

/// Acceptance by slot and by item.
#[derive(Clone, Debug, PartialEq)]
pub struct RewardModel {
    /// `[slots]`: `g`.
    examination: Vec<f64>,
    /// `[items]`: `l`.
    attraction: Vec<f64>,
}

/// The shown slates and the accepted items.
#[derive(Clone)]
struct Counts {
    /// `[items, slots]`.
    shown: Vec<u32>,
    /// `[items]`.
    accepted: Vec<u32>,
    /// `[slots]`.
    by_slot: Vec<u32>,
}

impl Counts {
    fn new(items: usize, slots: usize) -> Counts {
        Counts { shown: vec![0; items * slots], accepted: vec![0; items], by_slot: vec![0; slots] }
    }

    fn add(&mut self, slate: &[ItemId], accepted: u8) {
        let slots = self.by_slot.len();
        for (slot, item) in slate.iter().enumerate().filter(|(_, item)| item.is_some()) {
            self.shown[item.index() * slots + slot] += 1;
        }
        if accepted != REJECTED {
            self.accepted[slate[usize::from(accepted)].index()] += 1;
            self.by_slot[usize::from(accepted)] += 1;
        }
    }

    fn without(&self, part: &Counts) -> Counts {
        let rest = |all: &[u32], part: &[u32]| all.iter().zip(part).map(|(all, part)| all - part).collect();
        Counts {
            shown: rest(&self.shown, &part.shown),
            accepted: rest(&self.accepted, &part.accepted),
            by_slot: rest(&self.by_slot, &part.by_slot),
        }
    }
}

impl RewardModel {
    /// Five models, one for the users of each part: the number of a user modulo five. Arrays: `users` and `accepted` (the slot, or [`REJECTED`]) `[n]`,
    /// `slates` `[n, slots]` of items below `items`.
    pub fn cross_fitted(
        items: usize,
        slots: usize,
        users: &[UserId],
        slates: &[ItemId],
        accepted: &[u8],
    ) -> Vec<RewardModel> {
        let mut parts = vec![Counts::new(items, slots); PARTS];
        let mut all = Counts::new(items, slots);
        for ((user, slate), &accepted) in users.iter().zip(slates.chunks(slots)).zip(accepted) {
            parts[part(*user)].add(slate, accepted);
            all.add(slate, accepted);
        }
        parts.iter().map(|part| RewardModel::fit(&all.without(part))).collect()
    }

    fn fit(counts: &Counts) -> RewardModel {
        let slots = counts.by_slot.len();
        let shown_in = |slot: usize| counts.shown.iter().skip(slot).step_by(slots).map(|&count| f64::from(count)).sum();
        let rate = |(slot, &accepted): (usize, &u32)| {
            let shown: f64 = shown_in(slot);
            if shown > 0.0 { f64::from(accepted) / shown } else { 0.0 }
        };
        let examination: Vec<f64> = counts.by_slot.iter().enumerate().map(rate).collect();
        let attraction = |(shown, &accepted): (&[u32], &u32)| {
            let shown = shown.iter().zip(&examination);
            let expected: f64 = shown.map(|(&count, rate)| f64::from(count) * rate).sum();
            (f64::from(accepted) + PRIOR) / (expected + PRIOR)
        };
        let attraction = counts.shown.chunks(slots).zip(&counts.accepted).map(attraction).collect();
        RewardModel { examination, attraction }
    }

    /// The expected reward of a slate.
    pub fn predict(&self, slate: &[ItemId]) -> f64 {
        let slots = slate.iter().zip(&self.examination).filter(|(item, _)| item.is_some());
        slots.map(|(item, rate)| rate * self.attraction[item.index()]).sum()
    }
}

/// The part of a user, and so the place of the user's model in [`RewardModel::cross_fitted`].
pub(super) fn part(user: UserId) -> usize {
    user.index() % PARTS
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: ItemId = ItemId::NONE;

    #[test]
    fn rates_by_hand() {
        let mut counts = Counts::new(3, 2);
        // Slot 0 is accepted twice of four times, slot 1 once of three.
        counts.add(&[ItemId(0), ItemId(1)], 0);
        counts.add(&[ItemId(0), ItemId(1)], 1);
        counts.add(&[ItemId(1), ItemId(0)], 0);
        counts.add(&[ItemId(0), NONE], REJECTED);
        let model = RewardModel::fit(&counts);
        assert_eq!(model.examination, [0.5, 1.0 / 3.0]);
        // Item 0: one acceptance where 3/2 + 1/3 are expected; item 1: two where 1/2 + 2/3 are; item 2: none of none.
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} is not {b}");
        close(model.attraction[0], 2.0 / (11.0 / 6.0 + 1.0));
        close(model.attraction[1], 3.0 / (7.0 / 6.0 + 1.0));
        close(model.attraction[2], 1.0);
        close(model.predict(&[ItemId(2), ItemId(2)]), 5.0 / 6.0);
        close(model.predict(&[ItemId(1), NONE]), 0.5 * 18.0 / 13.0);
        close(model.predict(&[NONE, NONE]), 0.0);
    }

    #[test]
    fn a_part_is_predicted_from_the_others() {
        let users: Vec<UserId> = (0..10).map(UserId).collect();
        let slates = vec![ItemId(0); 10];
        // Users 0 and 5, the first part, accept; the others do not.
        let accepted: Vec<u8> = (0..10).map(|user| if user % 5 == 0 { 0 } else { REJECTED }).collect();
        let models = RewardModel::cross_fitted(1, 1, &users, &slates, &accepted);
        assert_eq!(models.len(), PARTS);
        assert_eq!(models[part(UserId(5))].predict(&[ItemId(0)]), 0.0);
        // Two of the other eight; the item is the average itself.
        assert_eq!(models[part(UserId(1))].predict(&[ItemId(0)]), 0.25);
    }

    #[test]
    fn no_rounds_predict_nothing() {
        let models = RewardModel::cross_fitted(2, 2, &[], &[], &[]);
        assert!(models.iter().all(|model| model.predict(&[ItemId(0), ItemId(1)]) == 0.0));
    }
}

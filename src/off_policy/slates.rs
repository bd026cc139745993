//! Estimators over slates, with a reward in each slot.
//!
//! All arrays are row-major `[n, slots]`. The value is the mean over slates of the sum over slots of `w r`; what differs is
//! the weight of a slot, and with it what is assumed of users:
//! - [`whole`]: the ratio of the probabilities of the whole slate, in each slot. Nothing is assumed ("standard" IPS).
//! - [`down_to`]: of the slots down to this one. A slot's reward may depend on what is above, not on what is
//!   below: the cascade model (McInerney et al. 2020, reward interaction IPS).
//! - the ratio of the probabilities that this item is in this slot, whatever the others show: a slot's reward depends
//!   on its own item alone, the item-position model (Li et al. 2018, independent IPS). A log of probabilities given the
//!   slots above does not contain them; the caller provides them.
//!
//! The less is assumed, the larger are the weights. Users who compare the slots of a slate, as in a choice model, fit
//! neither of the last two exactly.
//!
//! ```
//! use recmirror::off_policy::slates;
//! // Two slates of two slots; ratios of the probabilities given the slots above.
//! let ratios = [2.0, 0.5, 1.0, 3.0];
//! assert_eq!(slates::whole(2, &ratios), [1.0, 1.0, 3.0, 3.0]);
//! assert_eq!(slates::down_to(2, &ratios), [2.0, 1.0, 1.0, 3.0]);
//! let rewards = [1.0, 0.0, 0.0, 1.0];
//! assert_eq!(slates::weighted(2, &rewards, &slates::whole(2, &ratios)).unwrap().value, 2.0);
//! assert_eq!(slates::weighted(2, &rewards, &slates::down_to(2, &ratios)).unwrap().value, 2.5);
//! ```

use super::valuation::{Valuation, mean_weight};

/// In each slot the product of the slate's ratios. `slots` must be positive.
pub fn whole(slots: usize, ratios: &[f64]) -> Vec<f64> {
    ratios.chunks(slots).flat_map(|row| std::iter::repeat_n(row.iter().product(), row.len())).collect()
}

/// In each slot the product of the ratios down to it. `slots` must be positive.
pub fn down_to(slots: usize, ratios: &[f64]) -> Vec<f64> {
    let products = |row: &[f64]| {
        let product = |product: &mut f64, &ratio: &f64| {
            *product *= ratio;
            Some(*product)
        };
        row.iter().scan(1.0, product).collect::<Vec<f64>>()
    };
    ratios.chunks(slots).flat_map(products).collect()
}

/// `mean(sum_k w_k r_k)`; `None` without a slate. `slots` must be positive.
pub fn weighted(slots: usize, rewards: &[f64], weights: &[f64]) -> Option<Valuation> {
    let slates = rewards.chunks(slots).zip(weights.chunks(slots));
    Valuation::plain(slates.map(|(rewards, weights)| dot(rewards, weights)).collect())
}

/// The same with the weights of each slot divided by their mean over slates (McInerney et al. 2020); `None` without a
/// slate, or when a slot has no weight at all. `slots` must be positive.
pub fn self_normalised(slots: usize, rewards: &[f64], weights: &[f64]) -> Option<Valuation> {
    let scales = (0..slots).map(|slot| mean_weight(&column(slots, weights, slot)));
    let scales: Vec<f64> = scales.collect::<Option<_>>()?;
    let scaled: Vec<f64> =
        weights.chunks(slots).flat_map(|row| row.iter().zip(&scales).map(|(weight, scale)| weight / scale)).collect();
    let count = rewards.len() as f64 / slots as f64;
    let value = |slot: usize| dot(&column(slots, rewards, slot), &column(slots, &scaled, slot)) / count;
    let values: Vec<f64> = (0..slots).map(value).collect();
    let slates = rewards.chunks(slots).zip(scaled.chunks(slots));
    let contributions = slates.clone().map(|(rewards, weights)| dot(rewards, weights)).collect();
    let deviation = |(rewards, weights): (&[f64], &[f64])| {
        let slots = rewards.iter().zip(weights).zip(&values);
        slots.map(|((reward, weight), value)| weight * (reward - value)).sum()
    };
    Valuation::new(contributions, slates.map(deviation).collect())
}

/// One slot of all slates.
pub(super) fn column(slots: usize, table: &[f64], slot: usize) -> Vec<f64> {
    table.iter().skip(slot).step_by(slots).copied().collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::super::valuation::mean;
    use super::*;

    #[test]
    fn self_normalised_by_hand() {
        // Slot 0: weights 2 and 1 with mean 3/2, rewards 1 and 0: 2/3. Slot 1: weights 1 and 3 with mean 2, rewards 0
        // and 1: 3/4.
        let (rewards, weights) = ([1.0, 0.0, 0.0, 1.0], [2.0, 1.0, 1.0, 3.0]);
        let found = self_normalised(2, &rewards, &weights).unwrap();
        assert!((found.value - (2.0 / 3.0 + 3.0 / 4.0)).abs() < 1e-12);
        assert_eq!(found.contributions, [4.0 / 3.0, 3.0 / 2.0]);
        // (4/3)(1 - 2/3) + (1/2)(0 - 3/4) = 5/72 + ... : 4/9 - 3/8.
        assert!((found.deviations[0] - (4.0 / 9.0 - 3.0 / 8.0)).abs() < 1e-12);
        assert!(mean(&found.deviations).unwrap().abs() < 1e-12);
    }

    #[test]
    fn one_slot_is_a_round() {
        let (rewards, weights) = ([1.0, 0.0, 1.0], [0.5, 2.0, 4.0]);
        assert_eq!(weighted(1, &rewards, &weights), super::super::rounds::ips(&rewards, &weights));
        let (found, wanted) = (self_normalised(1, &rewards, &weights), super::super::rounds::snips(&rewards, &weights));
        let (found, wanted) = (found.unwrap(), wanted.unwrap());
        assert!((found.value - wanted.value).abs() < 1e-12);
        for (found, wanted) in found.deviations.iter().zip(&wanted.deviations) {
            assert!((found - wanted).abs() < 1e-12);
        }
        assert_eq!((whole(1, &weights), down_to(1, &weights)), (weights.to_vec(), weights.to_vec()));
    }

    #[test]
    fn nothing_to_say() {
        assert_eq!((weighted(3, &[], &[]), self_normalised(3, &[], &[])), (None, None));
        assert_eq!(self_normalised(2, &[1.0, 1.0], &[1.0, 0.0]), None, "the second slot has no weight");
    }
}

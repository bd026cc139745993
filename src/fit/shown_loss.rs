//! The loss of a list that was shown, and its exact gradient.
//!
//! The response is that of a simulation with `user.examination = "position"` ([`crate::user::ResponseRule`]): with a
//! level drawn uniformly from 0 to 1, the `d` slots with the largest weights are examined with probability `w_d -
//! w_(d+1)`, and one of them or nothing is taken:
//!
//! ```text
//! E_j = n_j exp(u_j), R = exp(r), S_d = R + E_1 + ... + E_d       slots by weight, the largest first
//! P(j)    = E_j q_j,  q_j = sum over d >= j of (w_d - w_(d+1)) / S_d
//! P(none) = 1 - w_1 + R sum over d of (w_d - w_(d+1)) / S_d
//! ```
//!
//! If all weights are 1 it is the multinomial logit. `n_j` is the number of items that slot `j` represents: from a long
//! list some of the passed-over items are drawn, and each represents as many as were left out (Bengio and Senécal 2008,
//! "Adaptive importance sampling to accelerate training of a neural probabilistic language model"). Each of `m` taken
//! items counts `1 / m`, because a simulated user takes one item of a slate.

use super::shard::Slot;

/// A chance of zero would outweigh all other lists.
const LEAST: f64 = 1e-12;

/// Turns the logits of the slots and, last, of taking nothing into their gradient; returns the loss in nats. The first
/// `taken` slots were taken.
pub(super) fn shown_loss(logits: &mut [f32], slots: &[Slot], taken: usize) -> f64 {
    let count = slots.len();
    let logit = |slot: usize, logits: &[f32]| f64::from(logits[slot]) + f64::from(slots[slot].stands_for);
    let top = (0..count).map(|slot| logit(slot, logits)).fold(f64::from(logits[count]), f64::max);
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&a, &b| slots[b].look.total_cmp(&slots[a].look).then(a.cmp(&b)));
    let none = libm::exp(f64::from(logits[count]) - top);
    let odds: Vec<f64> = order.iter().map(|&slot| libm::exp(logit(slot, logits) - top)).collect();
    let looks = |depth: usize| order.get(depth).map_or(0.0, |&slot| f64::from(slots[slot].look));
    // Sums from each depth down: of (w_d - w_(d+1)) / S_d, and of the same over S_d once more.
    let (mut first, mut second) = (vec![0.0; count + 1], vec![0.0; count + 1]);
    let sums: Vec<f64> = odds
        .iter()
        .scan(none, |sum, odds| {
            *sum += odds;
            Some(*sum)
        })
        .collect();
    for depth in (0..count).rev() {
        let share = (looks(depth) - looks(depth + 1)) / sums[depth].max(f64::MIN_POSITIVE);
        first[depth] = first[depth + 1] + share;
        second[depth] = second[depth + 1] + share / sums[depth].max(f64::MIN_POSITIVE);
    }
    let mut gradient = vec![0.0; count];
    let (loss, of_none) = if taken == 0 {
        let chance = (1.0 - looks(0) + none * first[0]).max(LEAST);
        (0..count).for_each(|depth| gradient[depth] = none * odds[depth] * second[depth] / chance);
        (-libm::log(chance), (none * none * second[0] - none * first[0]) / chance)
    } else {
        some_taken(&order, &odds, none, [&first, &second], taken, &mut gradient)
    };
    for (depth, &slot) in order.iter().enumerate() {
        logits[slot] = gradient[depth] as f32;
    }
    logits[count] = of_none as f32;
    loss
}

/// Fills the gradient by depth; returns the loss and the gradient of taking nothing.
fn some_taken(
    order: &[usize],
    odds: &[f64],
    none: f64,
    [first, second]: [&[f64]; 2],
    taken: usize,
    gradient: &mut [f64],
) -> (f64, f64) {
    let (mut loss, share) = (0.0, 1.0 / taken as f64);
    // For items taken at or above a depth 1 / (m q), and for those taken below it the same times the second sum.
    let (mut above, mut below) = (0.0, 0.0);
    let weight = |depth: usize| {
        let is_possible = odds[depth] * first[depth] > LEAST;
        if order[depth] < taken && is_possible { share / first[depth] } else { 0.0 }
    };
    (0..order.len()).for_each(|depth| below += weight(depth) * second[depth]);
    let of_none = none * below;
    for depth in 0..order.len() {
        let own = weight(depth);
        above += own;
        below -= own * second[depth];
        gradient[depth] = odds[depth] * (above * second[depth] + below);
        if order[depth] < taken {
            loss -= share * libm::log((odds[depth] * first[depth]).max(LEAST));
            gradient[depth] -= if own > 0.0 { share } else { 0.0 };
        }
    }
    (loss, of_none)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::CONTEXT;

    fn slots(looks: &[f32]) -> Vec<Slot> {
        looks.iter().map(|&look| Slot { pair: 0, context: [0.0; CONTEXT], look, stands_for: 0.0 }).collect()
    }

    #[test]
    fn where_all_slots_are_looked_at_it_is_the_multinomial_logit() {
        // Odds 1, 2 and 5 of nothing: shares 1/8, 2/8 and 5/8.
        let mut logits = [0.0, libm::logf(2.0), libm::logf(5.0)];
        let loss = shown_loss(&mut logits, &slots(&[1.0, 1.0]), 1);
        assert!((loss - libm::log(8.0)).abs() < 1e-6);
        for (found, wanted) in logits.iter().zip([1.0 / 8.0 - 1.0, 2.0 / 8.0, 5.0 / 8.0]) {
            assert!((found - wanted).abs() < 1e-6, "{logits:?}");
        }
        let mut logits = [0.0, libm::logf(2.0), libm::logf(5.0)];
        assert!((shown_loss(&mut logits, &slots(&[1.0, 1.0]), 0) + libm::log(5.0 / 8.0)).abs() < 1e-6);
        assert!((logits[2] - (5.0 / 8.0 - 1.0)).abs() < 1e-6, "{logits:?}");
    }

    #[test]
    fn one_slot_is_the_position_based_model() {
        // Looked at with 1/4 and taken then with 1/2.
        let mut logits = [0.3, 0.3];
        assert!((shown_loss(&mut logits, &slots(&[0.25]), 1) + libm::log(0.125)).abs() < 1e-6);
        let mut logits = [0.3, 0.3];
        assert!((shown_loss(&mut logits, &slots(&[0.25]), 0) + libm::log(0.875)).abs() < 1e-6);
    }

    #[test]
    fn a_slot_counts_for_each_item_that_it_represents() {
        let mut few = slots(&[1.0, 1.0]);
        few[1].stands_for = libm::logf(3.0);
        let (mut logits, mut all) = ([0.5, 0.1, 0.2], [0.5, 0.1, 0.1, 0.1, 0.2]);
        let found = shown_loss(&mut logits, &few, 1);
        assert!((found - shown_loss(&mut all, &slots(&[1.0; 4]), 1)).abs() < 1e-6);
        assert!((logits[1] - 3.0 * all[1]).abs() < 1e-6 && (logits[2] - all[4]).abs() < 1e-6);
    }

    #[test]
    fn gradients_are_those_of_differences() {
        let slots = slots(&[0.5, 0.9, 0.9, 0.2]);
        let at = [0.3f32, -0.8, 1.1, 0.4, 0.6];
        for taken in 0..3 {
            let mut gradient = at;
            shown_loss(&mut gradient, &slots, taken);
            for place in 0..at.len() {
                let loss = |by: f32| {
                    let mut moved = at;
                    moved[place] += by;
                    shown_loss(&mut moved, &slots, taken)
                };
                let slope = (loss(1e-3) - loss(-1e-3)) / 2e-3;
                assert!((slope - f64::from(gradient[place])).abs() < 1e-4, "{taken} {place}: {slope} {gradient:?}");
            }
        }
    }

    #[test]
    fn slots_that_are_never_examined_do_no_harm() {
        let mut logits = [0.0, 0.0];
        let loss = shown_loss(&mut logits, &slots(&[0.0]), 1);
        assert!(loss.is_finite() && logits.iter().all(|slope| slope.is_finite()), "{loss} {logits:?}");
        let mut logits = [900.0, -900.0];
        assert!(shown_loss(&mut logits, &slots(&[1.0]), 0).is_finite() && logits.iter().all(|slope| slope.is_finite()));
    }
}

//! The response to a slate: examine, take, rate.
//!
//! **Attraction.** Slot `k` has a utility `u_k`, and rejecting all has `r`. If accepting means to *take* an item, both
//! are the user model's choice logits. If it means to *like* it, `u_k` is the logit of the probability that the item is
//! rated at or above a threshold, from the user model's rating logits for this user and item, and `r` is 0: an item
//! that is shown alone is accepted with the probability that it is liked. An accepted item then has a rating at or
//! above the threshold. Temperature and acceptance level come after.
//!
//! **Examination.** Slot `k` is examined with probability `w_k`; by default `1 / log2(k + 2)`, the discount of Jarvelin
//! and Kekalainen 2002.
//! - `position`: examination is nested. The user examines the `d` slots with the highest `w` (a level drawn uniformly
//!   from 0 to 1, and all slots with `w_k` above it) and chooses among them: `P(k) = sum_d P(d) [k in d] exp(u_k) /
//!   (sum_(j in d) exp(u_j) + exp(r))`. With one slot it is the position-based model `w_k sigmoid(u_k - r)` (Richardson
//!   et al. 2007).
//! - `cascade`: the user goes down the slate, takes an item with `a_k = sigmoid(u_k - r)` and stops there, or continues
//!   to the next slot with probability `w_(k + 1) / w_k` (Craswell et al. 2008, with abandonment).
//!
//! The probabilities are exact: examination is not drawn.

use super::RATINGS;

/// The meaning of "accepted".
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Accept {
    /// The user takes the item.
    Take,
    /// The user takes the item and rates it at this level (2 to 5) or above.
    Like {
        /// The lowest level that counts.
        level: u8,
    },
}

/// The examination of slots.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Examination {
    /// All slots.
    #[default]
    All,
    /// By position: a probability for each slot; empty for the logarithmic discount.
    Position(Vec<f32>),
    /// From the top until one is taken: a non-increasing probability for each slot; empty for the logarithmic discount.
    Cascade(Vec<f32>),
}

impl Examination {
    /// The probability that slot `slot` is examined: in a cascade, by a user who takes nothing before.
    pub fn weight(&self, slot: usize) -> f64 {
        match self {
            Examination::All => 1.0,
            Examination::Position(table) | Examination::Cascade(table) if table.is_empty() => {
                1.0 / libm::log2(slot as f64 + 2.0)
            }
            // A table of a shorter slate does not cover further slots; they are examined as often as the last one.
            Examination::Position(table) | Examination::Cascade(table) => {
                f64::from(table.get(slot).or(table.last()).copied().unwrap_or(1.0))
            }
        }
    }
}

/// The rule that turns the logits of a user model into probabilities of responses.
#[derive(Clone, Debug, PartialEq)]
pub struct ResponseRule {
    /// The meaning of "accepted".
    pub accept: Accept,
    /// The examination of slots.
    pub examination: Examination,
}

impl Default for ResponseRule {
    /// The choice of the model among all slots.
    fn default() -> ResponseRule {
        ResponseRule { accept: Accept::Take, examination: Examination::All }
    }
}

/// The slots of a slate in the order of examination, and the probability that a user reaches each.
#[derive(Clone, Debug, Default)]
pub(super) struct Looks {
    order: Vec<usize>,
    weights: Vec<f64>,
    cascade: bool,
}

/// The least distance of liking probabilities from 0 and 1, so that their logits are finite.
const LEAST: f32 = 1e-6;

impl ResponseRule {
    /// Turns the choice logits `[slate + 1]` and the rating logits `[slate, RATINGS]` of one scene into those of the
    /// rule: utilities, and ratings that an accepted item can have.
    pub(super) fn prepare(&self, choice: &mut [f32], rating: &mut [f32], is_filled: impl Fn(usize) -> bool) {
        let Accept::Like { level } = self.accept else { return };
        let slate = choice.len() - 1;
        choice[slate] = 0.0;
        for slot in (0..slate).filter(|&slot| is_filled(slot)) {
            let classes = &mut rating[slot * RATINGS..(slot + 1) * RATINGS];
            let liked = liked(classes, level).clamp(LEAST, 1.0 - LEAST);
            choice[slot] = libm::logf(liked / (1.0 - liked));
            let (below, above) = classes.split_at_mut(usize::from(level) - 1);
            below.fill(f32::NEG_INFINITY);
            if above.iter().all(|&logit| logit == f32::NEG_INFINITY) {
                above[0] = 0.0;
            }
        }
    }

    /// The examination of a slate of `slate` slots; `None` if all slots are always examined.
    pub(super) fn looks(&self, slate: usize) -> Option<Looks> {
        (self.examination != Examination::All).then(|| self.looks_of((0..slate).collect()))
    }

    /// The examination of a list whose items are in these slots.
    pub(super) fn looks_at(&self, slots: &[u16]) -> Looks {
        self.looks_of(slots.iter().map(|&slot| usize::from(slot)).collect())
    }

    /// The probability that each item of a list is accepted, from the logits `[items + 1]` of the list. Items are in
    /// `slots`.
    pub(crate) fn chances(&self, slots: &[u16], logits: &[f32], temperature: f64, shift: f64) -> Vec<f64> {
        let scaled: Vec<f32> = logits.iter().map(|&logit| (f64::from(logit) / temperature) as f32).collect();
        let mut found = vec![0.0; slots.len()];
        self.looks_at(slots).accepted(&scaled, shift, &mut found);
        found
    }

    fn looks_of(&self, slots: Vec<usize>) -> Looks {
        let cascade = matches!(self.examination, Examination::Cascade(_));
        let weights: Vec<f64> = slots.iter().map(|&slot| self.examination.weight(slot)).collect();
        let mut order: Vec<usize> = (0..slots.len()).collect();
        if cascade {
            order.sort_by_key(|&place| slots[place]);
        } else {
            order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]));
        }
        Looks { order, weights, cascade }
    }
}

/// The probability of a rating of at least `level`, from the logits of the ratings 1 to 5.
pub(super) fn liked(classes: &[f32], level: u8) -> f32 {
    let most = classes.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let (mut below, mut above) = (0.0f32, 0.0f32);
    for (class, &logit) in classes.iter().enumerate() {
        let share = libm::expf(logit - most);
        if class + 1 < usize::from(level) { below += share } else { above += share }
    }
    above / (below + above)
}

impl Looks {
    /// Turns the logits `[slate + 1]` of one scene into probabilities in place; `false` if one is not finite.
    pub(super) fn probabilities(&self, logits: &mut [f32]) -> bool {
        let mut found = vec![0.0; self.order.len()];
        let total = self.accepted(logits, 0.0, &mut found);
        logits.iter_mut().zip(&found).for_each(|(to, &from)| *to = from as f32);
        if let Some(reject) = logits.last_mut() {
            *reject = (1.0 - total).max(0.0) as f32;
        }
        total.is_finite()
    }

    /// The probability of accepting each slot, for the logits `[slate + 1]` with `shift` on "reject all"; returns their
    /// sum.
    pub(super) fn accepted(&self, logits: &[f32], shift: f64, found: &mut [f64]) -> f64 {
        let slate = self.order.len();
        let reject = f64::from(logits[slate]) + shift;
        if self.cascade {
            return self.cascade(&logits[..slate], reject, found);
        }
        let most = logits[..slate].iter().map(|&logit| f64::from(logit)).fold(reject, f64::max);
        let (none, mut sum) = (libm::exp(reject - most), 0.0);
        let mut shares = Vec::with_capacity(slate);
        for (place, &slot) in self.order.iter().enumerate() {
            sum += libm::exp(f64::from(logits[slot]) - most);
            let next = self.order.get(place + 1).map_or(0.0, |&slot| self.weights[slot]);
            // Nothing is taken if all examined slots are impossible.
            shares.push(if sum + none > 0.0 { (self.weights[slot] - next) / (sum + none) } else { 0.0 });
        }
        let (mut share, mut total) = (0.0, 0.0);
        for (&slot, one) in self.order.iter().zip(&shares).rev() {
            share += one;
            found[slot] = share * libm::exp(f64::from(logits[slot]) - most);
            total += found[slot];
        }
        total
    }

    fn cascade(&self, logits: &[f32], reject: f64, found: &mut [f64]) -> f64 {
        let (mut reached, mut total) = (1.0, 0.0);
        let mut before = 1.0;
        for &slot in &self.order {
            let (weight, logit) = (self.weights[slot], logits[slot]);
            reached *= if before > 0.0 { weight / before } else { 0.0 };
            before = weight;
            let taken = 1.0 / (1.0 + libm::exp(reject - f64::from(logit)));
            found[slot] = reached * taken;
            total += found[slot];
            reached *= 1.0 - taken;
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::EMPTY_SLOT;

    fn rule(examination: Examination) -> ResponseRule {
        ResponseRule { accept: Accept::Take, examination }
    }

    fn probabilities(examination: Examination, logits: &[f32]) -> Vec<f32> {
        let mut logits = logits.to_vec();
        assert!(rule(examination).looks(logits.len() - 1).unwrap().probabilities(&mut logits));
        assert!((logits.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        logits
    }

    fn near(found: &[f32], wanted: &[f64]) {
        assert_eq!(found.len(), wanted.len());
        let all = found.iter().zip(wanted);
        assert!(all.clone().all(|(a, b)| (f64::from(*a) - b).abs() < 1e-6), "{found:?} {wanted:?}");
    }

    #[test]
    fn positions_by_hand() {
        // Weights of the odds 1, 3 and 1 (reject): with 1/2 both are examined, with 1/4 only the first, with 1/4 none.
        let log3 = libm::logf(3.0);
        let found = probabilities(Examination::Position(vec![0.75, 0.5]), &[0.0, log3, 0.0]);
        near(&found, &[0.25 / 2.0 + 0.5 / 5.0, 0.5 * 3.0 / 5.0, 0.25 + 0.25 / 2.0 + 0.5 / 5.0]);
        // The second slot is examined more than the first.
        let found = probabilities(Examination::Position(vec![0.5, 0.75]), &[0.0, log3, 0.0]);
        near(&found, &[0.5 / 5.0, 0.25 * 3.0 / 4.0 + 0.5 * 3.0 / 5.0, 0.25 + 0.25 / 4.0 + 0.5 / 5.0]);
        // All are examined: the plain choice.
        near(&probabilities(Examination::Position(vec![1.0, 1.0]), &[0.0, log3, 0.0]), &[0.2, 0.6, 0.2]);
    }

    #[test]
    fn cascades_by_hand() {
        let log3 = libm::logf(3.0);
        // Taken with 1/2, then with 1/2 x 0.8 x 3/4.
        let found = probabilities(Examination::Cascade(vec![1.0, 0.8]), &[0.0, log3, 0.0]);
        near(&found, &[0.5, 0.3, 0.2]);
        let found = probabilities(Examination::Cascade(vec![0.5, 0.0, 0.0]), &[0.0, log3, log3, 0.0]);
        near(&found, &[0.25, 0.0, 0.0, 0.75]);
    }

    #[test]
    fn the_order_of_a_slate_counts_unless_all_slots_are_looked_at() {
        let (good, turned) = ([2.0, 0.5, -1.0, 0.0], [-1.0, 0.5, 2.0, 0.0]);
        for examination in [Examination::Position(vec![]), Examination::Cascade(vec![])] {
            let taken = |logits: &[f32]| 1.0 - probabilities(examination.clone(), logits)[3];
            assert!(taken(&good) > taken(&turned) + 0.05, "{examination:?}");
        }
        assert!(rule(Examination::All).looks(3).is_none());
    }

    #[test]
    fn empty_slots_and_far_logits_give_numbers() {
        for examination in [Examination::Position(vec![]), Examination::Cascade(vec![])] {
            let found = probabilities(examination.clone(), &[EMPTY_SLOT, EMPTY_SLOT, 0.0]);
            assert_eq!(found, [0.0, 0.0, 1.0]);
            let found = probabilities(examination, &[900.0, -900.0, -1000.0]);
            assert!((found[0] - 1.0).abs() < 1e-6, "{found:?}");
        }
    }

    #[test]
    fn liking_is_the_chance_of_a_rating_above_the_threshold() {
        let rule = ResponseRule { accept: Accept::Like { level: 4 }, examination: Examination::All };
        // Shares 1, 1, 2, 3, 1 of 8: a rating of 4 or 5 with 1/2.
        let mut rating: Vec<f32> = [1.0f32, 1.0, 2.0, 3.0, 1.0].iter().map(|&share| libm::logf(share)).collect();
        rating.extend([f32::NEG_INFINITY, 0.0, f32::NEG_INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY]);
        rating.extend([0.0; RATINGS]);
        let mut choice = [9.0, 9.0, EMPTY_SLOT, 9.0];
        rule.prepare(&mut choice, &mut rating, |slot| slot < 2);
        assert!(choice[0].abs() < 1e-6, "{choice:?}");
        assert!(choice[1] < -13.0 && choice[2] == EMPTY_SLOT && choice[3] == 0.0);
        assert!(rating[..3].iter().all(|&logit| logit == f32::NEG_INFINITY) && rating[3].is_finite());
        assert_eq!(rating[8], 0.0, "who accepts against all odds likes it just so");
    }
}

//! Marginal propensities of `epsilon_greedy`.
//!
//! The items above a slot have three parts: the head of the list, up to the first free item; items of the list behind
//! it; and items that are not in the list. The last two were drawn uniformly, so only their numbers matter: if `b` of
//! the `m` items behind the first free one are taken, all sets of `b` are equally likely. One pass over the slots
//! carries the probability of each pair of numbers.

/// The longest slates with marginal propensities.
pub(super) const LONGEST: usize = 32;

/// `[slots, listed + 1]`: for each slot the probability of each item of the list, best first, and last that of any
/// single item that is not in it. `candidates` include the list.
pub(super) fn alone(epsilon: f64, candidates: usize, listed: usize, slots: usize) -> Vec<f64> {
    let width = listed + 1;
    let mut found = vec![0.0; slots * width];
    let mut now = vec![0.0; width * width];
    now[0] = 1.0;
    for (slot, found) in found.chunks_mut(width).enumerate().take(candidates) {
        let mut next = vec![0.0; width * width];
        for (place, &share) in now.iter().enumerate().filter(|(_, share)| **share > 0.0) {
            let (passed, behind) = (place / width, place % width);
            let others = candidates - listed;
            let above = Above { epsilon, listed, passed, behind, others, taken: slot - passed - behind };
            above.show(candidates - slot, share, found);
            above.step(candidates - slot, share, &mut next);
        }
        now = next;
    }
    found
}

/// The items above a slot.
struct Above {
    epsilon: f64,
    /// Items of the list.
    listed: usize,
    /// Taken items at its head, up to the first free one.
    passed: usize,
    /// Taken items behind that one.
    behind: usize,
    /// Candidates that are not in the list.
    others: usize,
    /// Taken ones of them.
    taken: usize,
}

impl Above {
    /// The probability of each free candidate by exploration, and of the first free item of the list; without such an
    /// item, exploration alone decides.
    fn odds(&self, left: usize) -> (f64, f64) {
        if self.passed == self.listed {
            return (1.0 / left as f64, 0.0);
        }
        let each = self.epsilon / left as f64;
        (each, each + (1.0 - self.epsilon))
    }

    /// Adds the probabilities of the slot's item.
    fn show(&self, left: usize, share: f64, found: &mut [f64]) {
        let (each, first) = self.odds(left);
        if self.others > 0 {
            found[self.listed] += share * each * (self.others - self.taken) as f64 / self.others as f64;
        }
        if self.passed < self.listed {
            found[self.passed] += share * first;
            let rest = self.listed - self.passed - 1;
            let free = (rest - self.behind) as f64 / rest.max(1) as f64;
            found[self.passed + 1..self.listed].iter_mut().for_each(|sum| *sum += share * each * free);
        }
    }

    /// Adds the probabilities of the state at the next slot.
    fn step(&self, left: usize, share: f64, next: &mut [f64]) {
        let (each, first) = self.odds(left);
        let place = |passed: usize, behind: usize| passed * (self.listed + 1) + behind;
        next[place(self.passed, self.behind)] += share * each * (self.others - self.taken) as f64;
        if self.passed == self.listed {
            return;
        }
        let rest = self.listed - self.passed - 1;
        if rest > self.behind {
            next[place(self.passed, self.behind + 1)] += share * each * (rest - self.behind) as f64;
        }
        // The first free item is taken: the next free one follows a run of taken ones.
        let mut run = share * first;
        for length in 0..=self.behind {
            let (taken, open) = ((self.behind - length) as f64, (rest - length) as f64);
            if rest == length {
                next[place(self.listed, 0)] += run;
                return;
            }
            next[place(self.passed + 1 + length, self.behind - length)] += run * (open - taken) / open;
            run *= taken / open;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_slots_by_hand() {
        // Four candidates, two of them listed, epsilon 1/2. First slot: 5/8, 1/8, and 1/8 for each other.
        // Second slot: item 0 is shown when another was above, by 1/2 + 1/6 each time: 3/8 2/3 = 1/4. Item 1 is
        // below item 0 by 2/3, below one of the others by 1/6: 5/8 2/3 + 2/8 1/6 = 11/24. The rest is for the others.
        let found = alone(0.5, 4, 2, 2);
        let wanted = [5.0 / 8.0, 1.0 / 8.0, 1.0 / 8.0, 1.0 / 4.0, 11.0 / 24.0, 7.0 / 48.0];
        for (found, wanted) in found.iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-12, "{found} is not {wanted}");
        }
    }

    #[test]
    fn each_slot_shows_something_and_each_item_once() {
        for (epsilon, candidates, listed, slots) in [(0.3, 40, 10, 10), (1.0, 12, 5, 5), (0.0, 9, 4, 4), (0.5, 6, 6, 6)]
        {
            let found = alone(epsilon, candidates, listed, slots);
            for row in found.chunks(listed + 1) {
                let total = row[..listed].iter().sum::<f64>() + row[listed] * (candidates - listed) as f64;
                assert!((total - 1.0).abs() < 1e-9, "{row:?}");
            }
            for item in 0..=listed {
                let shown: f64 = found.iter().skip(item).step_by(listed + 1).sum();
                assert!(shown <= 1.0 + 1e-9 && (candidates > slots || item == listed || shown > 1.0 - 1e-9), "{shown}");
            }
        }
        // Without a list, or with chance alone, all are alike.
        assert!(alone(0.2, 8, 0, 3).iter().all(|chance| (chance - 0.125).abs() < 1e-12));
        assert!(alone(1.0, 8, 3, 3).iter().all(|chance| (chance - 0.125).abs() < 1e-12));
    }
}

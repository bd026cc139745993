//! Accepting or rejecting a single item.
//!
//! Accept or reject one item: does a model separate what a user took from random items, each shown alone?
//!
//! 1:1 is one real and one random item of each scene; a model accepts an item if taking it is more probable than taking
//! nothing. 1:n adds n random items to each real one. Its figures are the share of correct answers and F1 over all
//! items of all scenes, and AUC, the share of a scene's random items that are less probable than the real one (equal
//! ones count half).

use super::{BINS, Bench};
use crate::scene::{ListKind, ListScene};
use crate::user::{UserError, softmax};

/// Random items beside a real one, with the names of the figures.
const RATIOS: [(usize, &str); 2] = [(3, "1:3"), (9, "1:9")];

/// The most random items of a scene.
const MOST: usize = 9;

/// The probabilities of taking items that are shown alone.
struct Taken {
    /// Of the real item of each scene.
    real: Vec<f64>,
    /// Of the random items of each scene.
    random: Vec<Vec<f64>>,
}

/// A statistic of sums over scenes, and of the number of scenes.
type Statistic<'a> = &'a dyn Fn([f64; 5], f64) -> f64;

impl Bench<'_> {
    /// All figures of single items.
    pub(super) fn accept(&mut self, memory: &[f32]) -> Result<(), UserError> {
        let real = self.alone(&self.held_out.lists(ListKind::Single, 1, true), memory)?;
        let other = self.alone(&self.held_out.lists(ListKind::Single, 1, false), memory)?;
        self.one_to_one(&real, &other);
        let lists = self.held_out.lists(ListKind::Random, MOST, false);
        let mut random = vec![Vec::with_capacity(MOST); lists.len()];
        for slot in 0..MOST {
            let single =
                |list: &ListScene| ListScene { items: list.items.get(slot).copied().into_iter().collect(), real: None };
            let singles: Vec<ListScene> = lists.iter().map(single).collect();
            let taken = self.alone(&singles, memory)?;
            for (place, probability) in
                taken.into_iter().enumerate().filter(|&(place, _)| !singles[place].items.is_empty())
            {
                random[place].push(probability);
            }
        }
        let taken = Taken { real, random };
        for (others, name) in RATIOS {
            self.one_to_many(&taken, others, name);
        }
        Ok(())
    }

    /// The probability of taking the only item of each list.
    fn alone(&self, lists: &[ListScene], memory: &[f32]) -> Result<Vec<f64>, UserError> {
        let mut responses = self.answer(lists, memory.to_vec())?;
        let width = responses.choice.len() / lists.len().max(1);
        let probability = |row: &mut [f32]| {
            softmax(row);
            f64::from(row[0])
        };
        Ok(responses.choice.chunks_exact_mut(width.max(1)).map(probability).collect())
    }

    fn one_to_one(&mut self, real: &[f64], other: &[f64]) {
        let right = |place: usize| {
            0.5 * (f64::from(u8::from(is_accepted(real[place]))) + f64::from(u8::from(!is_accepted(other[place]))))
        };
        let right: Vec<f64> = (0..real.len()).map(right).collect();
        self.mean("accept", "model", "1:1", &right);
        let pair =
            |probability: f64, is_real: bool| (probability.max(1.0 - probability), is_accepted(probability) == is_real);
        let error = |places: &[usize]| {
            let both = places.iter().flat_map(|&place| [pair(real[place], true), pair(other[place], false)]);
            calibration_error(both)
        };
        let estimate = error(&(0..real.len()).collect::<Vec<_>>());
        let (low, high) = self.bootstrap(error);
        self.push("calibration", "model", "1:1", (estimate, low, high));
    }

    fn one_to_many(&mut self, taken: &Taken, others: usize, name: &'static str) {
        // For each scene: correct answers, all answers, accepted real, accepted random, real items, area.
        let count = |place: usize| {
            let random = &taken.random[place][..others.min(taken.random[place].len())];
            let accepted = f64::from(u8::from(is_accepted(taken.real[place])));
            let wrong = random.iter().filter(|&&probability| is_accepted(probability)).count() as f64;
            let right = accepted + random.len() as f64 - wrong;
            [right, 1.0 + random.len() as f64, accepted, wrong, area(taken.real[place], random)]
        };
        let counts: Vec<[f64; 5]> = (0..taken.real.len()).map(count).collect();
        let sums = |places: &[usize]| {
            places.iter().fold([0.0; 5], |mut sums, &place| {
                sums.iter_mut().zip(counts[place]).for_each(|(sum, count)| *sum += count);
                sums
            })
        };
        let statistics: [(&'static str, Statistic<'_>); 3] = [
            ("accept", &|sums, _| sums[0] / sums[1]),
            // True positives against false positives and rejected real items.
            ("F1", &|sums, moments| 2.0 * sums[2] / (sums[2] + sums[3] + moments)),
            ("AUC", &|sums, moments| sums[4] / moments),
        ];
        for (measure, statistic) in statistics {
            let of = |places: &[usize]| statistic(sums(places), places.len() as f64);
            let estimate = of(&(0..counts.len()).collect::<Vec<_>>());
            let (low, high) = self.bootstrap(of);
            self.push(measure, "model", name, (estimate, low, high));
        }
    }
}

/// True if an item with this probability is accepted.
fn is_accepted(probability: f64) -> bool {
    probability > 0.5
}

/// The share of `random` below `real`, equal ones half; one half if there is none.
fn area(real: f64, random: &[f64]) -> f64 {
    if random.is_empty() {
        return 0.5;
    }
    let below: f64 =
        random.iter().map(|other| f64::from(u8::from(*other < real)) + 0.5 * f64::from(u8::from(*other == real))).sum();
    below / random.len() as f64
}

/// Expected calibration error of (confidence, correct) pairs over 15 equal bins (Guo et al. 2017).
fn calibration_error(pairs: impl Iterator<Item = (f64, bool)>) -> f64 {
    let mut bins = [(0.0, 0.0, 0.0); BINS];
    let mut total = 0.0;
    for (confidence, right) in pairs {
        let bin = &mut bins[((confidence * BINS as f64) as usize).min(BINS - 1)];
        bin.0 += 1.0;
        bin.1 += confidence;
        bin.2 += f64::from(u8::from(right));
        total += 1.0;
    }
    bins.iter().filter(|bin| bin.0 > 0.0).map(|(_, confidence, right)| (confidence - right).abs() / total).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calibration_error_by_hand() {
        // Confidence 0.9 and 3 of 4 right; confidence 0.55 and 1 of 2 right.
        let pairs = [(0.9, true), (0.9, true), (0.9, true), (0.9, false), (0.55, true), (0.55, false)];
        let expected = (4.0 * 0.15 + 2.0 * 0.05) / 6.0;
        assert!((calibration_error(pairs.into_iter()) - expected).abs() < 1e-12);
        assert_eq!(calibration_error(std::iter::empty()), 0.0);
    }

    #[test]
    fn the_area_counts_equal_ones_half() {
        assert_eq!((area(0.4, &[0.1, 0.4, 0.9]), area(0.4, &[])), (0.5, 0.5));
        assert_eq!((area(0.9, &[0.1, 0.4]), area(0.1, &[0.9])), (1.0, 0.0));
    }
}

//! Ratings of accepted items, from the log.
//!
//! A question to the language model would cost as much as the choice, so ratings are drawn from the log.
//!
//! `P(r | item, user) ~ (n_ir + k g_r) / (n_i + k) exp(t_u r)`: the item's ratings in the log, `n_ir`, smoothed with
//! the shares `g_r` of all ratings (k = 5), and tilted by the user. The tilt of an exponential family moves a mean by
//! about `t_u` times the variance `v` of `g`; so `t_u = s_u / (m_u + k) / v`, where `s_u` sums, over the `m_u` rated
//! entries of the memory, the deviation of each rating from its item's smoothed mean. Without ratings in the log, all
//! five are equally likely.

use super::memory;
use crate::dataset::TrainingLog;
use crate::ids::ItemId;
use crate::user::RATINGS;

/// The weight of the prior in ratings, for an item and for a user.
const SMOOTHING: f64 = 5.0;

/// See the module's documentation.
pub(super) struct RatingPrior {
    /// `[items, RATINGS]`: logarithms of the smoothed shares.
    logs: Vec<f32>,
    /// `[items]`: means of the smoothed shares.
    means: Vec<f32>,
    variance: f64,
}

impl RatingPrior {
    /// The prior of a log; ratings are rounded to 1 to 5.
    pub(super) fn new(log: &TrainingLog) -> RatingPrior {
        let mut counts = vec![[0.0_f64; RATINGS]; log.items];
        let mut all = [0.0_f64; RATINGS];
        for row in log.rows.iter().filter(|row| !row.rating.is_nan()) {
            let class = row.rating.round().clamp(1.0, RATINGS as f32) as usize - 1;
            counts[row.item.index()][class] += 1.0;
            all[class] += 1.0;
        }
        // One more of each, so that no rating is impossible.
        let total = all.iter().sum::<f64>() + RATINGS as f64;
        let shares = all.map(|count| (count + 1.0) / total);
        let mean = mean_of(&shares);
        let squares = shares.iter().zip(1..).map(|(share, rating)| share * f64::from(rating) * f64::from(rating));
        let variance = squares.sum::<f64>() - mean * mean;
        let mut prior = RatingPrior { logs: Vec::new(), means: Vec::new(), variance };
        for counts in &counts {
            let whole = counts.iter().sum::<f64>() + SMOOTHING;
            let mut smooth = [0.0; RATINGS];
            for ((smooth, count), share) in smooth.iter_mut().zip(counts).zip(&shares) {
                *smooth = (count + SMOOTHING * share) / whole;
            }
            prior.logs.extend(smooth.iter().map(|&share| libm::log(share) as f32));
            prior.means.push(mean_of(&smooth) as f32);
        }
        prior
    }

    /// The tilt of future ratings by those of this memory.
    pub(super) fn tilt(&self, row: &[f32]) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        for entry in memory::entries(row).filter(|entry| !entry.rating.is_nan()) {
            sum += f64::from(entry.rating - self.means[entry.item.index()]);
            count += 1.0;
        }
        sum / (count + SMOOTHING) / self.variance
    }

    /// Writes the logits of an item's ratings.
    pub(super) fn write(&self, item: ItemId, tilt: f64, out: &mut [f32]) {
        let logs = &self.logs[item.index() * RATINGS..(item.index() + 1) * RATINGS];
        for ((out, log), rating) in out.iter_mut().zip(logs).zip(1..) {
            *out = (f64::from(*log) + tilt * f64::from(rating)) as f32;
        }
    }
}

fn mean_of(shares: &[f64; RATINGS]) -> f64 {
    shares.iter().zip(1..).map(|(share, rating)| share * f64::from(rating)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Interaction;
    use crate::ids::LogUserId;
    use crate::user::{Memorised, softmax};

    fn log(ratings: &[(u32, f32)]) -> TrainingLog {
        let row =
            |&(item, rating): &(u32, f32)| Interaction { user: LogUserId(0), item: ItemId(item), rating, time: 0 };
        TrainingLog::from_sorted(ratings.iter().map(row).collect(), 1, 2)
    }

    fn shares(prior: &RatingPrior, item: u32, tilt: f64) -> [f32; RATINGS] {
        let mut logits = [0.0; RATINGS];
        prior.write(ItemId(item), tilt, &mut logits);
        assert!(softmax(&mut logits));
        logits
    }

    fn near(found: [f32; RATINGS], wanted: [f64; RATINGS]) {
        for (found, wanted) in found.iter().zip(wanted) {
            assert!((f64::from(*found) - wanted).abs() < 1e-6, "{found} and not {wanted}");
        }
    }

    #[test]
    fn an_item_has_its_ratings_smoothed_with_all() {
        // All ratings: 2 of 4 and 3 of 5, one more of each: 1, 1, 1, 3, 4 tenths. Item 0: four of five, item 1: 4 alone.
        let prior = RatingPrior::new(&log(&[(0, 5.0), (0, 5.0), (0, 4.6), (0, 4.0), (1, 4.0), (0, f32::NAN)]));
        near(shares(&prior, 0, 0.0), [0.5 / 9.0, 0.5 / 9.0, 0.5 / 9.0, 2.5 / 9.0, 5.0 / 9.0]);
        near(shares(&prior, 1, 0.0), [0.5 / 6.0, 0.5 / 6.0, 0.5 / 6.0, 2.5 / 6.0, 2.0 / 6.0]);
    }

    #[test]
    fn a_user_who_rates_low_tilts_down() {
        let prior = RatingPrior::new(&log(&[(0, 5.0), (0, 4.0), (1, 4.0)]));
        let mut row = vec![0.0; memory::width(4)];
        memory::start(&mut row, LogUserId(0));
        assert_eq!(prior.tilt(&row), 0.0, "without history");
        memory::push(&mut row, &Memorised { item: ItemId(0), rating: f32::NAN, time: 0 });
        assert_eq!(prior.tilt(&row), 0.0, "without ratings");
        memory::push(&mut row, &Memorised { item: ItemId(0), rating: 1.0, time: 0 });
        let tilt = prior.tilt(&row);
        let wanted = f64::from(1.0 - prior.means[0]) / 6.0 / prior.variance;
        assert!((tilt - wanted).abs() < 1e-12 && tilt < 0.0);
        let (plain, tilted) = (shares(&prior, 1, 0.0), shares(&prior, 1, tilt));
        assert!(tilted[0] > plain[0] && tilted[4] < plain[4]);
    }

    #[test]
    fn a_log_without_ratings_prefers_none() {
        let prior = RatingPrior::new(&log(&[(0, f32::NAN)]));
        near(shares(&prior, 0, 0.0), [0.2; RATINGS]);
    }
}

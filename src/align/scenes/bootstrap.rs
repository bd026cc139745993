//! Bootstrap intervals over users.
//!
//! Scenes of one user depend on each other, so users are resampled with all their scenes.
//!
//! A statistic is a function of sums of columns over scenes. A resample draws as many users as there are, with
//! replacement, and each draw brings all scenes of the user. The interval goes from the 2.5% to the 97.5% quantile of
//! the statistic over 1,000 resamples (the percentile interval of Efron and Tibshirani, "An Introduction to the
//! Bootstrap", 1993). All statistics of a group see the same resamples.

use crate::random::{Purpose, Streams, below};
use rayon::prelude::*;

/// Resamples of an interval.
const RESAMPLES: usize = 1_000;

/// Columns of numbers, a row for each scene of a group.
pub(super) struct Columns {
    width: usize,
    values: Vec<f64>,
    /// Rows that are defined.
    pub defined: usize,
}

impl Columns {
    /// From a row for each scene; `None` is a row of zeros. Every row has `width` numbers.
    pub(super) fn new(width: usize, rows: impl Iterator<Item = Option<Vec<f64>>>) -> Columns {
        let (mut values, mut defined) = (Vec::new(), 0);
        for row in rows {
            defined += usize::from(row.is_some());
            let start = values.len();
            values.extend(row.unwrap_or_default());
            values.resize(start + width, 0.0);
        }
        Columns { width, values, defined }
    }

    /// The sums over all rows.
    pub(super) fn total(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.width];
        for row in self.values.chunks_exact(self.width) {
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        sums
    }

    /// Values with their count, for [`mean`].
    pub(super) fn of_values(values: impl Iterator<Item = Option<f64>>) -> Columns {
        Columns::new(2, values.map(|value| value.map(|value| vec![value, 1.0])))
    }
}

/// The mean of [`Columns::of_values`].
pub(super) fn mean(sums: &[f64]) -> f64 {
    sums[0] / sums[1]
}

/// An estimate with its 95% interval; NaN where it is undefined.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Estimate {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// The resamples of one group of scenes.
pub(super) struct Resamples {
    /// For each scene of the group the index of its user.
    users: Vec<usize>,
    count: usize,
    /// The number of times that each resample draws each user.
    draws: Vec<Vec<u32>>,
}

impl Resamples {
    /// Draws resamples for scenes of these users.
    pub(super) fn new(users: &[usize], seed: u64) -> Resamples {
        let mut known: Vec<usize> = users.to_vec();
        known.sort_unstable();
        known.dedup();
        let places = users.iter().map(|user| known.binary_search(user).unwrap_or_default()).collect();
        let count = known.len();
        let draw = |resample: usize| {
            let mut rng = Streams::new(seed, 0).derive(Purpose::Bootstrap, resample as u64, 0);
            let mut drawn = vec![0; count];
            (0..count).for_each(|_| drawn[below(&mut rng, count as u32) as usize] += 1);
            drawn
        };
        Resamples { users: places, count, draws: (0..RESAMPLES).into_par_iter().map(draw).collect() }
    }

    /// Users of the group.
    pub(super) fn users(&self) -> usize {
        self.count
    }

    /// A statistic of the sums of columns.
    pub(super) fn estimate(&self, columns: &Columns, statistic: &(dyn Fn(&[f64]) -> f64 + Sync)) -> Estimate {
        let width = columns.width;
        let mut by_user = vec![0.0; self.count * width];
        for (&user, row) in self.users.iter().zip(columns.values.chunks_exact(width)) {
            let sums = by_user[user * width..(user + 1) * width].iter_mut();
            sums.zip(row).for_each(|(sum, value)| *sum += value);
        }
        let total = |times: &dyn Fn(usize) -> u32| {
            let mut sums = vec![0.0; width];
            for (user, row) in by_user.chunks_exact(width).enumerate() {
                let times = f64::from(times(user));
                if times > 0.0 {
                    sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += times * value);
                }
            }
            sums
        };
        let value = statistic(&total(&|_| 1));
        let one = |drawn: &Vec<u32>| statistic(&total(&|user| drawn[user]));
        let mut found: Vec<f64> = self.draws.par_iter().map(one).filter(|value| value.is_finite()).collect();
        found.sort_by(f64::total_cmp);
        if self.count < 2 || found.len() < RESAMPLES / 2 || !value.is_finite() {
            return Estimate { value, low: f64::NAN, high: f64::NAN };
        }
        let outside = found.len() / 40;
        Estimate { value, low: found[outside], high: found[found.len() - 1 - outside] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_of_a_mean_is_that_of_the_users() {
        // 100 users with two scenes each that agree: the standard error is that of 100 values, 0.05, not of 200.
        let users: Vec<usize> = (0..200).map(|scene| scene / 2).collect();
        let values = (0..200).map(|scene| Some(f64::from(u8::from(scene / 2 % 2 == 0))));
        let found = Resamples::new(&users, 1).estimate(&Columns::of_values(values), &mean);
        assert_eq!(found.value, 0.5);
        assert!((found.low - 0.402).abs() < 0.02 && (found.high - 0.598).abs() < 0.02, "{found:?}");
    }

    #[test]
    fn one_user_and_no_value_have_no_interval() {
        let one = Resamples::new(&[7, 7], 1).estimate(&Columns::of_values([Some(1.0), Some(0.0)].into_iter()), &mean);
        assert!(one.value == 0.5 && one.low.is_nan());
        let none = Resamples::new(&[1, 2], 1).estimate(&Columns::of_values([None, None].into_iter()), &mean);
        assert!(none.value.is_nan() && none.high.is_nan());
        assert_eq!(Resamples::new(&[3, 1, 3], 1).users(), 2);
    }
}

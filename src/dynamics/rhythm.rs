//! `rhythm`: arrivals by hour and weekday.
//!
//! The probability of coming is multiplied by `(1 + daily c_day)(1 + weekly c_week)`, where `c` is the mean of `cos(2
//! pi (time - peak) / period)` over the tick. A tick of a day or a week averages its rhythm out, so the mean over a
//! period is 1 whatever the length of a tick. Times are those of the log, in UTC. Periodic daily and weekly rates are
//! those of Malmgren, Stouffer, Motter and Amaral (2008), "A Poissonian explanation for heavy tails in e-mail
//! communication"; the cosine is the simplest periodic form.

use super::{BuildDynamic, Dynamic, DynamicContext, DynamicError, Moment};
use crate::ids::UserId;
use crate::params::{parameters, words};
use std::f64::consts::TAU;

/// Seconds of an hour, a day and a week.
const HOUR: f64 = 3600.0;
const DAY: f64 = 24.0 * HOUR;
const WEEK: f64 = 7.0 * DAY;
/// 1970 began on a Thursday; weeks begin on Monday.
const THURSDAY: f64 = 3.0 * DAY;

words! {
    /// A day of the week.
    pub(super) enum Day {
        Monday = "monday",
        Tuesday = "tuesday",
        Wednesday = "wednesday",
        Thursday = "thursday",
        Friday = "friday",
        Saturday = "saturday",
        Sunday = "sunday",
    }
}

parameters! {
    /// users come more at some hours and on some days (Malmgren et al. 2008)
    pub(super) struct RhythmSpec = "rhythm" {
        /// additional arrivals at the peak hour, as a share of the average; 0 = no daily rhythm
        #[range(0.0..=1.0)]
        daily: f64,
        /// additional arrivals on the peak day, as a share of the average; 0 = no weekly rhythm
        #[range(0.0..=1.0)]
        weekly: f64,
        /// hour of the day (UTC) with the most arrivals
        #[range(0.0..=24.0)]
        peak_hour: f64 = 20.0,
        /// day at whose noon (UTC) most users arrive
        peak_day: Day = Day::Saturday,
    }
}

impl BuildDynamic for RhythmSpec {
    fn build(self, _: &DynamicContext) -> Result<Box<dyn Dynamic>, DynamicError> {
        Ok(Box::new(Rhythm {
            daily: self.daily,
            weekly: self.weekly,
            peak_of_day: self.peak_hour * HOUR,
            peak_of_week: (f64::from(self.peak_day as u8) + 0.5) * DAY,
        }))
    }
}

struct Rhythm {
    daily: f64,
    weekly: f64,
    /// Seconds since midnight.
    peak_of_day: f64,
    /// Seconds since the beginning of Monday.
    peak_of_week: f64,
}

impl Dynamic for Rhythm {
    fn arrival(&self, moment: &Moment, _: UserId, _: &[f32]) -> f64 {
        let day = mean_cosine(moment, self.peak_of_day, DAY);
        let week = mean_cosine(moment, self.peak_of_week - THURSDAY, WEEK);
        (1.0 + self.daily * day) * (1.0 + self.weekly * week)
    }
}

/// The mean of `cos(2 pi (time - peak) / period)` over a tick.
fn mean_cosine(moment: &Moment, peak: f64, period: f64) -> f64 {
    // Complete periods are subtracted before the angle is computed, to keep its precision.
    let since = (moment.time.rem_euclid(period as i64 * 1_000) as f64 / 1_000.0 - peak) / period;
    let length = moment.seconds as f64 / period;
    (libm::sin(TAU * (since + length)) - libm::sin(TAU * since)) / (TAU * length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rhythm(daily: f64, weekly: f64) -> Rhythm {
        Rhythm { daily, weekly, peak_of_day: 20.0 * HOUR, peak_of_week: 5.5 * DAY }
    }

    fn factor(rhythm: &Rhythm, time: i64, seconds: i64) -> f64 {
        rhythm.arrival(&Moment { tick: 0, time: time * 1_000, seconds }, UserId(0), &[])
    }

    #[test]
    fn peaks_are_at_their_times() {
        // 1998-04-23 00:00 UTC, a Thursday: Saturday begins two days later.
        let thursday = 893_289_600;
        let daily = rhythm(0.5, 0.0);
        assert!((factor(&daily, thursday + 20 * 3600, 1) - 1.5).abs() < 1e-6);
        assert!((factor(&daily, thursday + 8 * 3600, 1) - 0.5).abs() < 1e-6);
        let weekly = rhythm(0.0, 0.5);
        assert!((factor(&weekly, thursday + 2 * 86_400 + 43_200, 1) - 1.5).abs() < 1e-6);
        assert!((factor(&weekly, thursday - 86_400 - 43_200 + 43_200 - 43_200, 1) - 0.5).abs() < 0.06);
    }

    #[test]
    fn the_mean_over_a_period_is_one() {
        let both = rhythm(0.8, 0.0);
        assert!((factor(&both, 1_000_000, 86_400) - 1.0).abs() < 1e-9, "a tick of a day has no daily rhythm");
        let week: f64 = (0..7).map(|day| factor(&rhythm(0.0, 0.8), day * 86_400, 86_400)).sum::<f64>() / 7.0;
        assert!((week - 1.0).abs() < 1e-9);
        let hours: f64 = (0..24).map(|hour| factor(&both, hour * 3600, 3600)).sum::<f64>() / 24.0;
        assert!((hours - 1.0).abs() < 1e-9);
    }
}

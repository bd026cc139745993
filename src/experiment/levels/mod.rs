//! Real levels: simulated beside held-out acceptance.
//!
//! Compares what simulated users accept with what the log's users did after the cut.
//!
//! An order of policies may be right while the level is wrong, and a level that is far off gives learning policies
//! feedback that no recommender gets. So a run reports, for each policy, how its users' responses differ from held-out
//! interactions:
//!
//! | measure | simulated | held out |
//! | --- | --- | --- |
//! | `accepted_share` | slates from which something was accepted | lists from which something was taken; only where impressions follow the cut |
//! | `liked_share` | accepted items rated at or above the like level | rated interactions at or above it |
//! | `mean_level` | mean rating level of accepted items | of rated interactions |
//! | `user_spread` | standard deviation over mean, over users, of accepted items | of held-out interactions |
//! | `days_between_visits` | mean gap between a user's visits | between days with an interaction |
//! | `popularity_rank` | mean over accepted items of the share of the catalogue that was more popular before the cut | over held-out interactions |
//! | `popularity_distance` | largest gap between the two cumulative distributions of that rank (Kolmogorov-Smirnov) | 0 |
//! | `categories` | effective number of categories, `exp` of the entropy of their shares (Hill 1973) | the same |
//! | `category_distance` | Jensen-Shannon divergence in bits between the two distributions over categories (Lin 1991) | 0 |
//!
//! If accepting means liking (`user.accept = "like"`), held-out interactions count from the like level on,
//! `accepted_share` and `liked_share` are left out, and days with any interaction are visits.
//!
//! Simulated figures are means over replications with t intervals. Held-out figures have percentile intervals over
//! resamples of users. The half-width of a difference is the root of the summed squares of both halves. A distance is
//! never negative, so `noise` gives its level under no difference: the mean distance between the held-out interactions
//! and a resample of their users.

mod measures;

use self::measures::{MEASURES, Reference, Side};
use super::prepare::Experiment;
use super::results::Results;
use super::results::files::table_row;
use super::stats::{Interval, estimate};
use crate::dataset::TrainingLog;
use crate::ids::LogUserId;
use crate::random::{Purpose, Streams, below};
use serde::Serialize;

/// Resamples of users.
const RESAMPLES: u64 = 200;

/// One measure of a policy's users beside the held-out one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LevelRow {
    /// Name of the policy.
    pub policy: String,
    /// Name of the measure.
    pub measure: &'static str,
    /// Mean over replications.
    pub simulated: Option<f64>,
    /// Lower end of its 95% interval.
    pub simulated_low: Option<f64>,
    /// Upper end.
    pub simulated_high: Option<f64>,
    /// The held-out figure; absent if the log does not contain it.
    pub held_out: Option<f64>,
    /// Lower end of its 95% interval over users.
    pub held_out_low: Option<f64>,
    /// Upper end.
    pub held_out_high: Option<f64>,
    /// Simulated minus held out.
    pub difference: Option<f64>,
    /// Lower end of its 95% interval.
    pub difference_low: Option<f64>,
    /// Upper end.
    pub difference_high: Option<f64>,
    /// For distances: the value for a resample of the held-out users.
    pub noise: Option<f64>,
}

table_row!(LevelRow {
    policy: Text,
    measure: Text,
    simulated: Number,
    simulated_low: Number,
    simulated_high: Number,
    held_out: Number,
    held_out_low: Number,
    held_out_high: Number,
    difference: Number,
    difference_low: Number,
    difference_high: Number,
    noise: Number,
});

/// A held-out figure with its interval.
type Real = (Option<f64>, Option<Interval>);

impl Experiment {
    /// Levels of a run's users beside those of the log's users after the cut, policy by policy. Empty if nothing was
    /// held out, or if the trials come from a version that did not count it.
    pub fn levels(&self, results: &Results) -> Vec<LevelRow> {
        let Ok(split) = self.data.split_by(self.scenario.data.holdout, self.scenario.data.cut) else {
            return Vec::new();
        };
        if split.held_out.rows.is_empty() || results.trials().all(|trial| trial.users.shown.is_empty()) {
            return Vec::new();
        }
        let reference = Reference::new(self, &split.held_out);
        let real = self.real(&split.held_out, &reference);
        let row = |policy: &String| -> Vec<LevelRow> {
            let trials = results.trials().filter(|trial| trial.policy == *policy);
            let sides: Vec<Vec<Option<f64>>> = trials
                .map(|trial| reference.figures(&Side::of_trial(&trial.users, self.scenario.tick_seconds)))
                .collect();
            let column = |place: usize| estimate(sides.iter().map(|figures| figures[place]));
            let rows = (0..MEASURES.len()).map(|place| level(policy, place, column(place), &real[place]));
            rows.filter(|row| row.simulated.is_some()).collect()
        };
        results.policies().iter().flat_map(row).collect()
    }

    /// The held-out figures with intervals over resamples of users; for a distance, its mean over resamples.
    fn real(&self, held_out: &TrainingLog, reference: &Reference) -> Vec<Real> {
        let all = Side::of_log(held_out, reference, |_| 1);
        let figures = reference.figures(&all);
        let users = held_out.users() as u32;
        let resample = |number: u64| {
            let mut rng = Streams::new(self.scenario.seed, 0).derive(Purpose::Bootstrap, number, 3);
            let mut counts = vec![0u32; users as usize];
            (0..users).for_each(|_| counts[below(&mut rng, users) as usize] += 1);
            reference.figures(&Side::of_log(held_out, reference, |user: LogUserId| counts[user.index()]))
        };
        let drawn: Vec<Vec<Option<f64>>> = (0..RESAMPLES).map(resample).collect();
        let of = |place: usize| {
            let mut values: Vec<f64> = drawn.iter().filter_map(|figures| figures[place]).collect();
            values.sort_by(f64::total_cmp);
            let outside = values.len() / 40;
            let ends = values.get(outside).zip(values.len().checked_sub(1 + outside).and_then(|end| values.get(end)));
            let interval = ends.map(|(&low, &high)| Interval { low, high });
            if MEASURES[place].is_distance {
                let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
                return (figures[place].map(|_| mean), None);
            }
            (figures[place], interval)
        };
        (0..MEASURES.len()).map(of).collect()
    }
}

fn level(policy: &str, place: usize, simulated: Option<super::stats::Estimate>, real: &Real) -> LevelRow {
    let measure = &MEASURES[place];
    let (mean, interval) = (simulated.map(|found| found.mean), simulated.and_then(|found| found.interval));
    let (held_out, held_out_interval, noise) =
        if measure.is_distance { (None, None, real.0) } else { (real.0, real.1, None) };
    let difference = mean.zip(held_out).map(|(mean, real)| mean - real);
    let ends = difference.zip(interval).zip(held_out_interval).map(|((difference, own), real)| {
        let half = (own.half_width() * own.half_width() + real.half_width() * real.half_width()).sqrt();
        Interval { low: difference - half, high: difference + half }
    });
    LevelRow {
        policy: policy.to_owned(),
        measure: measure.name,
        simulated: mean,
        simulated_low: interval.map(|ends| ends.low),
        simulated_high: interval.map(|ends| ends.high),
        held_out,
        held_out_low: held_out_interval.map(|ends| ends.low),
        held_out_high: held_out_interval.map(|ends| ends.high),
        difference,
        difference_low: ends.map(|ends| ends.low),
        difference_high: ends.map(|ends| ends.high),
        noise,
    }
}

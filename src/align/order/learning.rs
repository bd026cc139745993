//! The gain of policies from learning.
//!
//! In the simulator over a run; on the log over the first half of the held-out interactions.
//!
//! On the log a policy learns by *replay*: at each of some steps it shows a slate to every user. The user takes the
//! first slot with an item of the first half of the held-out interactions that was not taken before, and otherwise
//! rejects the slate. So the policy observes hits and misses, as in the simulator, at the rate of real interactions.
//! Then it is measured on the second half, beside the same policy without learning, and beside the policy trained again
//! on the log and the first half (*refitted*).

use super::OrderFigure;
use super::agreement::{RESAMPLES, Side, correlation, spearman};
use super::start::{block, blocked, hits, slates};
use crate::dataset::{Interaction, TrainingLog};
use crate::experiment::{Experiment, ExperimentError, Outcome, RunOptions};
use crate::ids::{LogUserId, simulated};
use crate::log::{EventBatch, REJECTED};
use crate::policy::{Requests, Slates};
use crate::validate::Resamples;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The most steps of a replay.
const STEPS: u32 = 20;

/// The effect of learning on one policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LearnedPolicy {
    /// Its name in the scenario.
    pub policy: String,
    /// The scenario's first metric at the first step, mean over replications.
    pub simulated_first: f64,
    /// The same, mean over the last tenth of the steps.
    pub simulated_last: f64,
    /// Share of the slates of the replay from which something was taken.
    pub replay_accepted: f64,
    /// NDCG@10 on the second half of the held-out interactions, without learning.
    pub ndcg_before: OrderFigure,
    /// The same after the replay of the first half.
    pub ndcg_replayed: OrderFigure,
    /// The same trained on the log and the first half.
    pub ndcg_refitted: OrderFigure,
    /// Replayed minus before.
    pub gain: OrderFigure,
}

/// The effect of learning, on both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Learning {
    /// The metric of the simulator.
    pub metric: String,
    /// Replications that ran.
    pub replications: u32,
    /// Steps of the replay.
    pub steps: u32,
    /// Users with two held-out interactions or more.
    pub users: usize,
    /// The policies, in the order of the scenario.
    pub policies: Vec<LearnedPolicy>,
    /// Spearman's correlation of the order at the end of the run with that on the second half after the replay.
    pub spearman_replayed: OrderFigure,
    /// The same with that of refitted policies.
    pub spearman_refitted: OrderFigure,
    /// Spearman's correlation of the gains on both sides.
    pub spearman_gain: OrderFigure,
}

/// A policy's values on the second half, by user.
struct Learned {
    policy: String,
    first: f64,
    last: f64,
    accepted: f64,
    before: Vec<f64>,
    replayed: Vec<f64>,
    refitted: Vec<f64>,
}

/// Both halves of the held-out interactions, for users who have both.
struct Halves<'a> {
    users: Vec<LogUserId>,
    first: Vec<&'a [Interaction]>,
    second: TrainingLog,
    /// The log before the cut and the first half.
    refit: TrainingLog,
    /// Items that the test does not show: those of the log and the first half.
    blocked: Vec<u64>,
}

impl<'a> Halves<'a> {
    fn new(log: &TrainingLog, held_out: &'a TrainingLog) -> Halves<'a> {
        let users: Vec<LogUserId> =
            (0..held_out.users() as u32).map(LogUserId).filter(|&user| held_out.of(user).len() > 1).collect();
        let first: Vec<&[Interaction]> = users
            .iter()
            .map(|&user| {
                let rows = held_out.of(user);
                &rows[..rows.len().div_ceil(2)]
            })
            .collect();
        let mut second = Vec::new();
        for &user in &users {
            second.extend_from_slice(&held_out.of(user)[held_out.of(user).len().div_ceil(2)..]);
        }
        let mut rows = Vec::with_capacity(log.rows.len());
        let mut place = 0;
        for user in (0..log.users() as u32).map(LogUserId) {
            rows.extend_from_slice(log.of(user));
            if users.get(place) == Some(&user) {
                rows.extend_from_slice(first[place]);
                place += 1;
            }
        }
        let words = Requests::words(log.items);
        let mut blocked = blocked(log, &users);
        for (row, rows) in first.iter().enumerate() {
            rows.iter().for_each(|entry| block(&mut blocked[row * words..(row + 1) * words], entry.item));
        }
        Halves {
            second: TrainingLog::from_sorted(second, log.users(), log.items),
            refit: TrainingLog::from_sorted(rows, log.users(), log.items),
            users,
            first,
            blocked,
        }
    }

    /// NDCG@10 on the second half, by user.
    fn test(&self, slates: &Slates) -> Vec<f64> {
        let found = hits(&self.users, slates, &self.second);
        found.iter().map(|hits| if hits.best > 0.0 { hits.gain / hits.best } else { 0.0 }).collect()
    }
}

/// Measures the effect of learning; `None` if no user has two held-out interactions. Policies that cannot take part
/// join `left_out`.
pub(super) fn learn(
    experiment: &Experiment,
    held_out: &TrainingLog,
    options: &RunOptions<'_>,
    left_out: &mut Vec<String>,
) -> Result<Option<Learning>, ExperimentError> {
    let halves = Halves::new(&experiment.start().log, held_out);
    if halves.users.is_empty() {
        return Ok(None);
    }
    let outcome = experiment.run(options)?;
    let scenario = &experiment.scenario;
    let mut learned = Vec::new();
    for spec in &scenario.policies {
        let Some((first, last)) = ends(&outcome, &spec.name, scenario.ticks) else { continue };
        match replayed(experiment, &spec.name, &halves) {
            Ok(found) => learned.push(Learned { first, last, ..found }),
            Err(problem) if left_out.iter().any(|known| known.starts_with(&format!("{}: ", spec.name))) => {
                drop(problem)
            }
            Err(problem) => left_out.push(format!("{}: {problem}", spec.name)),
        }
    }
    let metric = experiment.metrics().first();
    let sign = if metric.is_some_and(|kind| kind.better == crate::metrics::Better::Lower) { -1.0 } else { 1.0 };
    let name = metric.map_or("", |kind| kind.name).to_owned();
    let steps = scenario.ticks.clamp(1, STEPS);
    Ok(Some(Learning { metric: name, steps, ..summary(&learned, &halves, sign, scenario.seed, outcome.replications) }))
}

/// The first metric at the first step, and its mean over the last tenth of the steps, over replications.
fn ends(outcome: &Outcome, policy: &str, ticks: u32) -> Option<(f64, f64)> {
    let tail = ticks - ticks.div_ceil(10).max(1);
    let of = |keep: &dyn Fn(u32) -> bool| {
        let trials = outcome.trials.iter().filter(|trial| trial.policy == policy);
        let values = trials.flat_map(|trial| trial.ticks.iter().filter(|value| value.metric == 0 && keep(value.tick)));
        let values: Vec<f64> = values.filter_map(|value| value.value).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    Some((of(&|tick| tick == 0)?, of(&|tick| tick >= tail)?))
}

fn replayed(experiment: &Experiment, name: &str, halves: &Halves<'_>) -> Result<Learned, String> {
    let message = |problem: ExperimentError| problem.to_string();
    let users = &halves.users;
    let mut policy = experiment.policy_for_log(name).map_err(message)?;
    let before = slates(experiment, policy.as_mut(), 0, users, &halves.blocked)?;
    let mut policy = experiment.policy_for_log(name).map_err(message)?;
    let words = Requests::words(experiment.data.items.len());
    let mut may_not = blocked(&experiment.start().log, users);
    let mut wanted: Vec<BTreeSet<_>> =
        halves.first.iter().map(|rows| rows.iter().map(|row| row.item).collect()).collect();
    let steps = experiment.scenario.ticks.clamp(1, STEPS);
    let mut accepted = 0;
    for tick in 0..steps {
        let shown = slates(experiment, policy.as_mut(), tick, users, &may_not)?;
        let batch = answered(tick, users, shown, &halves.first, &wanted);
        for (row, &slot) in batch.accepted.iter().enumerate().filter(|(_, slot)| **slot != REJECTED) {
            let item = batch.slate_of(row)[usize::from(slot)];
            wanted[row].remove(&item);
            block(&mut may_not[row * words..(row + 1) * words], item);
            accepted += 1;
        }
        policy.observe(&batch).map_err(|problem| problem.to_string())?;
    }
    let after = slates(experiment, policy.as_mut(), steps, users, &halves.blocked)?;
    let mut policy = experiment.policy_on(name, Arc::new(halves.refit.clone()), 0).map_err(message)?;
    let refitted = slates(experiment, policy.as_mut(), 0, users, &halves.blocked)?;
    Ok(Learned {
        policy: name.to_owned(),
        first: f64::NAN,
        last: f64::NAN,
        accepted: accepted as f64 / (steps as usize * users.len()) as f64,
        before: halves.test(&before),
        replayed: halves.test(&after),
        refitted: halves.test(&refitted),
    })
}

/// The responses of users who take the first item that they want.
fn answered(
    tick: u32,
    users: &[LogUserId],
    shown: Slates,
    first: &[&[Interaction]],
    wanted: &[BTreeSet<crate::ids::ItemId>],
) -> EventBatch {
    let mut batch = EventBatch { tick, slate: shown.slate, users: simulated(users), ..EventBatch::default() };
    for (row, items) in shown.items.chunks(shown.slate).enumerate() {
        let slot = items.iter().position(|item| wanted[row].contains(item));
        batch.accepted.push(slot.map_or(REJECTED, |slot| slot as u8));
        let rating = slot.and_then(|slot| first[row].iter().find(|entry| entry.item == items[slot]));
        batch.ratings.push(rating.map_or(f32::NAN, |entry| entry.rating));
        let chances = (0..items.len()).map(|place| f32::from(u8::from(Some(place) == slot)));
        batch.probabilities.extend(chances);
    }
    (batch.items, batch.scores, batch.propensities) = (shown.items, shown.scores, shown.propensities);
    batch
}

fn summary(learned: &[Learned], halves: &Halves<'_>, sign: f64, seed: u64, replications: u32) -> Learning {
    let users = halves.users.len();
    let resamples = Resamples::new(users, RESAMPLES, seed);
    let constant = |value: f64| vec![sign * value; users];
    let rank = |simulated: &dyn Fn(&Learned) -> f64, real: &dyn Fn(&Learned) -> Vec<f64>| {
        let sides: Vec<(Vec<f64>, Vec<f64>)> = learned.iter().map(|of| (constant(simulated(of)), real(of))).collect();
        let sides: Vec<Side<'_>> = sides.iter().map(|(left, right)| (&left[..], &right[..])).collect();
        correlation(&sides, &resamples, spearman)
    };
    let gain = |of: &Learned| -> Vec<f64> {
        of.replayed.iter().zip(&of.before).map(|(after, before)| after - before).collect()
    };
    let policy = |of: &Learned| LearnedPolicy {
        policy: of.policy.clone(),
        simulated_first: of.first,
        simulated_last: of.last,
        replay_accepted: of.accepted,
        ndcg_before: resamples.mean_of_users(&of.before),
        ndcg_replayed: resamples.mean_of_users(&of.replayed),
        ndcg_refitted: resamples.mean_of_users(&of.refitted),
        gain: resamples.mean_of_users(&gain(of)),
    };
    Learning {
        metric: String::new(),
        replications,
        steps: 0,
        users,
        policies: learned.iter().map(policy).collect(),
        spearman_replayed: rank(&|of| of.last, &|of| of.replayed.clone()),
        spearman_refitted: rank(&|of| of.last, &|of| of.refitted.clone()),
        spearman_gain: rank(&|of| of.last - of.first, &gain),
    }
}

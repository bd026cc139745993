//! Off-policy evaluation of one policy on another's log.

use super::interval::{Groups, bootstrap, normal};
use super::replay::Replay;
use super::reward_model::{RewardModel, part};
use super::ride::ride;
use super::valuation::{Valuation, mean};
use super::{OffPolicyError, Overlap, rounds, slates};
use crate::experiment::side_by_side;
use crate::experiment::{Experiment, Interval, Progress, TrialRecord};
use crate::ids::{ItemId, UserId};
use crate::random::{Purpose, Streams, below};
use crate::scenario::PolicySpec;
use std::collections::BTreeMap;

/// The estimators, in the order of [`Evaluation::rows`].
pub const ESTIMATORS: [&str; 9] = ["ips", "snips", "iips", "sniips", "rips", "snrips", "dm", "dr", "sndr"];

/// The question.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Name of the policy whose value is estimated.
    pub target: &'a str,
    /// Name of the policy whose log is used.
    pub from: &'a str,
    /// Slates drawn from a stochastic target in each round, for the direct method and the truth.
    pub draws: u32,
    /// Resamples of the bootstrap.
    pub resamples: usize,
}

/// One estimator's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// A name of [`ESTIMATORS`].
    pub estimator: &'static str,
    /// The estimated reward of a slate; `None` if it cannot be determined.
    pub value: Option<f64>,
    /// Its 95% interval, normal, with the rounds of a user as one group.
    pub normal: Option<Interval>,
    /// Its 95% bootstrap interval over users.
    pub bootstrap: Option<Interval>,
    /// The support of the target in the log; `None` where no weights are used or they are unknown.
    pub overlap: Option<Overlap>,
    /// The reason to distrust the value, or for its absence.
    pub problem: Option<String>,
}

/// The finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Replications of the log.
    pub replications: usize,
    /// Rounds of all: a user at a tick.
    pub rounds: usize,
    /// Groups of rounds: a user in a replication.
    pub users: usize,
    /// Slots of a slate.
    pub slots: usize,
    /// Mean reward of the log's own slates.
    pub logged: f64,
    /// The true value that the estimators aim at: the user model's probability of accepting an item of the target's
    /// slates in the situations of the log, averaged over rounds.
    pub truth: f64,
    /// One for each of [`ESTIMATORS`].
    pub rows: Vec<Row>,
}

/// Estimates the value of `question.target` in the rounds of `trials`, those of the logging policy in the run: each trial is
/// repeated with the target policy observing, and must have its old digest.
///
/// # Errors
/// When a policy is unknown or does not know its probabilities, or the run is not reproduced.
pub fn evaluate(
    experiment: &Experiment,
    question: &Question<'_>,
    trials: &[TrialRecord],
    progress: &dyn Progress,
) -> Result<Evaluation, OffPolicyError> {
    let (target, from) = (policy(experiment, question.target)?, policy(experiment, question.from)?);
    let trials: Vec<&TrialRecord> = trials.iter().filter(|trial| trial.policy == question.from).collect();
    let rides = side_by_side(&trials, |trial| ride(experiment, from, target, question.draws, trial, progress));
    let (mut all, mut numbers, mut groups) = (Replay::default(), BTreeMap::new(), Vec::new());
    for (replication, replay) in rides.into_iter().enumerate() {
        let replay = replay?;
        for user in &replay.users {
            let next = numbers.len() as u32;
            groups.push(*numbers.entry((replication, *user)).or_insert(next));
        }
        all.append(replay);
    }
    let no_rounds = || OffPolicyError::NoRounds { policy: question.from.to_owned() };
    summarise(experiment, question, &all, &Groups::new(groups), trials.len()).ok_or_else(no_rounds)
}

fn policy<'a>(experiment: &'a Experiment, name: &str) -> Result<&'a PolicySpec, OffPolicyError> {
    let policies = &experiment.scenario.policies;
    let known = || policies.iter().map(|spec| format!("`{}`", spec.name)).collect::<Vec<_>>().join(", ");
    let found = policies.iter().find(|spec| spec.name == name);
    found.ok_or_else(|| OffPolicyError::NoPolicy { name: name.to_owned(), known: known() })
}

fn summarise(
    experiment: &Experiment,
    question: &Question<'_>,
    replay: &Replay,
    groups: &Groups,
    replications: usize,
) -> Option<Evaluation> {
    let slots = experiment.scenario.slate;
    let rewards = replay.rewards(slots);
    let of_slates: Vec<f64> = rewards.chunks(slots).map(|row| row.iter().sum()).collect();
    let found = estimates(experiment.data.items.len(), slots, replay, &rewards, &of_slates);
    let streams = Streams::new(experiment.scenario.seed, 0);
    let row = |(number, (valuation, overlap)): (usize, Estimated)| {
        row(ESTIMATORS[number], valuation, overlap, groups, |values| {
            let mut rng = streams.derive(Purpose::OffPolicy, number as u64, 0);
            bootstrap(values, groups, question.resamples, |bound| below(&mut rng, bound))
        })
    };
    Some(Evaluation {
        replications,
        rounds: replay.len(),
        users: groups.len(),
        slots,
        logged: mean(&of_slates)?,
        truth: mean(&replay.truth)?,
        rows: found.into_iter().enumerate().map(row).collect(),
    })
}

/// An estimate, and the overlap of its weights.
type Estimated = (Option<Valuation>, Option<Overlap>);

/// In the order of [`ESTIMATORS`]. `rewards` are `[n, slots]`, `of_slates` their sums `[n]`.
fn estimates(items: usize, slots: usize, replay: &Replay, rewards: &[f64], of_slates: &[f64]) -> [Estimated; 9] {
    let ratios = replay.ratios(|chance| chance.given_above);
    let whole: Vec<f64> = ratios.chunks(slots).map(|row| row.iter().product()).collect();
    let down_to = slates::down_to(slots, &ratios);
    let alone = replay.ratios(|chance| chance.alone);
    let alone = if alone.iter().any(|ratio| ratio.is_nan()) { None } else { Some(alone) };
    let alone = |estimate: fn(usize, &[f64], &[f64]) -> Option<Valuation>| {
        let weights = alone.as_deref();
        let valuation = weights.and_then(|weights| estimate(slots, rewards, weights));
        (valuation, weights.and_then(|weights| Overlap::of_slates(slots, weights)))
    };
    let (of_whole, of_down_to) = (Overlap::of(&whole), Overlap::of_slates(slots, &down_to));
    let (predictions, expectations) = predict(items, slots, replay);
    [
        (rounds::ips(of_slates, &whole), of_whole),
        (rounds::snips(of_slates, &whole), of_whole),
        alone(slates::weighted),
        alone(slates::self_normalised),
        (slates::weighted(slots, rewards, &down_to), of_down_to),
        (slates::self_normalised(slots, rewards, &down_to), of_down_to),
        (rounds::dm(&expectations), None),
        (rounds::dr(of_slates, &whole, &predictions, &expectations), of_whole),
        (rounds::sndr(of_slates, &whole, &predictions, &expectations), of_whole),
    ]
}

fn row(
    estimator: &'static str,
    valuation: Option<Valuation>,
    overlap: Option<Overlap>,
    groups: &Groups,
    resample: impl FnOnce(&[f64]) -> Option<Interval>,
) -> Row {
    let problem = match (&valuation, &overlap) {
        (Some(_), overlap) => overlap.and_then(|overlap| overlap.problem()),
        (None, Some(overlap)) => overlap.problem().or_else(|| Some("none: a slot without weight".to_owned())),
        (None, None) => {
            Some("unknown: a policy does not report the probability of an item in a slot by itself".to_owned())
        }
    };
    let linear = valuation.as_ref().map(|found| found.deviations.iter().map(|it| found.value + it).collect::<Vec<_>>());
    Row {
        estimator,
        value: valuation.as_ref().map(|found| found.value),
        normal: valuation.as_ref().and_then(|found| normal(found, groups)),
        bootstrap: linear.and_then(|values| resample(&values)),
        overlap,
        problem,
    }
}

/// The model's prediction for each round: for the slate that was shown, and on average for the target's.
fn predict(items: usize, slots: usize, replay: &Replay) -> (Vec<f64>, Vec<f64>) {
    let models = RewardModel::cross_fitted(items, slots, &replay.users, &replay.items, &replay.accepted);
    let mut own = replay.own.chunks(slots);
    let rounds = replay.users.iter().zip(replay.items.chunks(slots)).zip(&replay.draws);
    let predict = |((&user, shown), &draws): ((&UserId, &[ItemId]), &u32)| {
        let model = &models[part(user)];
        let total: f64 = own.by_ref().take(draws as usize).map(|slate| model.predict(slate)).sum();
        (model.predict(shown), total / f64::from(draws))
    };
    rounds.map(predict).unzip()
}

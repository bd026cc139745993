//! Policy order: whether policies stand in the same order in the simulator as on what people really did later.
//!
//! In the simulator a policy is as good as the first metric of the scenario says. On the log it is as good as its slates at
//! the start find the items that their users had after the cut: NDCG@10. Spearman's rank correlation says how far both
//! orders agree; its interval resamples users and replications together. It is evidence on what people choose for
//! themselves, not on what they make of what they are shown: [`SELF_SELECTED`].

use crate::dataset::TrainingLog;
use crate::experiment::{Experiment, ExperimentError, Outcome, RunOptions};
use crate::ids::{ItemId, UserId};
use crate::metrics::Better;
use crate::policy::{Blocked, Fits, Policy, PolicyContext, Requests, SeenItems, Slates};
use crate::random::{Purpose, Streams, below};
use crate::registry::Registry;
use crate::scenario::Params;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What agreement with held-out interactions is worth.
pub const SELF_SELECTED: &str = "both sides are self-selected: held-out interactions are what people chose for themselves, and so \
     is what the user model learned from; `recmirror validate` asks about items that they were shown";

/// Slots that count for [`ndcg`].
pub const NDCG_DEPTH: usize = 10;
/// Resamples of the interval.
const RESAMPLES: usize = 1_000;

/// One policy on both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OrderedPolicy {
    /// Its name in the scenario.
    pub policy: String,
    /// The metric's mean over replications.
    pub simulated: f64,
    /// Mean NDCG@10 over users with held-out interactions.
    pub ndcg: f64,
}

/// How far both orders agree.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PolicyOrder {
    /// The scenario's name.
    pub scenario: String,
    /// The metric of the simulator.
    pub metric: String,
    /// Replications that ran.
    pub replications: u32,
    /// Users with held-out interactions.
    pub users: usize,
    /// Spearman's rank correlation; NaN with fewer than two policies or without any difference.
    pub spearman: f64,
    /// Lower end of the 95% interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// The policies, in the order of the scenario.
    pub policies: Vec<OrderedPolicy>,
    /// The policies that are left out, and why.
    pub left_out: Vec<String>,
}

/// A policy's values: one for each replication, and one for each user.
struct Sides {
    policy: String,
    simulated: Vec<f64>,
    ndcg: Vec<f64>,
}

/// Runs a prepared experiment and ranks its policies on both sides.
///
/// # Errors
/// When the run fails, or every policy does.
pub fn policy_order(
    experiment: &Experiment,
    registry: &Registry,
    options: &RunOptions<'_>,
) -> Result<PolicyOrder, ExperimentError> {
    let scenario = &experiment.scenario;
    let outcome = experiment.run(options)?;
    let split = experiment.data.split_by(scenario.data.holdout, scenario.data.cut)?;
    let (log, held_out) = (Arc::new(split.before), split.held_out);
    let mut left_out: Vec<String> =
        outcome.failures.iter().map(|failure| format!("{}: {}", failure.policy, failure.problem)).collect();
    let mut sides = Vec::new();
    for spec in &scenario.policies {
        let simulated = finals(&outcome, &spec.name);
        if simulated.is_empty() {
            continue;
        }
        let slates = first_slates(experiment, registry, &log, &spec.name)?;
        match slates {
            Ok(slates) => sides.push(Sides { policy: spec.name.clone(), simulated, ndcg: ndcg(&slates, &held_out) }),
            Err(problem) => left_out.push(format!("{}: {problem}", spec.name)),
        }
    }
    let metric = experiment.metrics().first();
    let sign = if metric.is_some_and(|kind| kind.better == Better::Lower) { -1.0 } else { 1.0 };
    let (spearman, low, high) = agreement(&sides, sign, scenario.seed);
    Ok(PolicyOrder {
        scenario: scenario.name.clone(),
        metric: metric.map_or("", |kind| kind.name).to_owned(),
        replications: outcome.replications,
        users: sides.first().map_or(0, |side| side.ndcg.len()),
        spearman,
        low,
        high,
        policies: sides.iter().map(ordered).collect(),
        left_out,
    })
}

fn ordered(side: &Sides) -> OrderedPolicy {
    OrderedPolicy { policy: side.policy.clone(), simulated: mean(&side.simulated), ndcg: mean(&side.ndcg) }
}

/// The first metric of each replication in which it is defined.
fn finals(outcome: &Outcome, policy: &str) -> Vec<f64> {
    let arms = outcome.arms.iter().filter(|arm| arm.policy == policy);
    arms.filter_map(|arm| arm.finals.first().copied().flatten()).collect()
}

/// What a policy would show to every user of the log at the start; the inner error is why it cannot.
fn first_slates(
    experiment: &Experiment,
    registry: &Registry,
    log: &Arc<TrainingLog>,
    name: &str,
) -> Result<Result<Slates, String>, ExperimentError> {
    let (scenario, data) = (&experiment.scenario, &experiment.data);
    let spec = scenario.policies.iter().find(|spec| spec.name == name);
    let Some((spec, kind)) = spec.and_then(|spec| Some((spec, registry.policy(&spec.kind)?))) else {
        return Ok(Err("no such kind of policy".to_owned()));
    };
    let users: Vec<UserId> = (0..log.users() as u32).map(UserId).collect();
    let context = PolicyContext {
        catalogue: experiment.catalogue().clone(),
        log: Arc::clone(log),
        sources: users.clone().into(),
        slate: scenario.slate,
        tick_seconds: scenario.tick_seconds as i64,
        kinds: registry.policies().clone(),
        streams: Streams::new(scenario.seed, 0),
        fits: Fits::default(),
    };
    let built = (kind.build)(&Params::new(&spec.params), &context);
    let mut policy: Box<dyn Policy> =
        built.map_err(|source| ExperimentError::Policy { policy: name.to_owned(), source })?;
    let seen = SeenItems::new(SeenItems::of_log(log), users.clone().into(), log.items);
    let (slate, items, streams) = (scenario.slate, data.items.len(), context.streams);
    let blocked = Blocked::seen(&seen);
    let requests = Requests { tick: 0, slate, items, users: &users, blocked, streams, foresight: None };
    Ok(policy.slates(&requests).map_err(|failure| failure.problem))
}

/// For each user with held-out items `sum_k hit_k / log2(k + 2)` over its largest value, k from 0 to 9 (Jarvelin and
/// Kekalainen 2002).
pub fn ndcg(slates: &Slates, held_out: &TrainingLog) -> Vec<f64> {
    let gain = |slot: usize| 1.0 / libm::log2(slot as f64 + 2.0);
    let of = |(user, slate): (usize, &[ItemId])| {
        let relevant: BTreeSet<ItemId> = held_out.of(UserId(user as u32)).iter().map(|row| row.item).collect();
        let hits = slate.iter().take(NDCG_DEPTH).enumerate().filter(|(_, item)| relevant.contains(item));
        let found: f64 = hits.map(|(slot, _)| gain(slot)).sum();
        let best: f64 = (0..relevant.len().min(NDCG_DEPTH)).map(gain).sum();
        (!relevant.is_empty()).then(|| found / best)
    };
    slates.items.chunks(slates.slate.max(1)).enumerate().filter_map(of).collect()
}

/// Spearman's correlation of both sides with its interval. `sign` is -1 where less of the metric is better.
fn agreement(sides: &[Sides], sign: f64, seed: u64) -> (f64, f64, f64) {
    let of = |users: &[usize], replications: &[usize]| {
        let at = |values: &[f64], places: &[usize]| {
            places.iter().filter_map(|&place| values.get(place)).sum::<f64>() / places.len().max(1) as f64
        };
        let left: Vec<f64> = sides.iter().map(|side| sign * at(&side.simulated, replications)).collect();
        let right: Vec<f64> = sides.iter().map(|side| at(&side.ndcg, users)).collect();
        spearman(&left, &right)
    };
    let users = sides.first().map_or(0, |side| side.ndcg.len());
    let replications = sides.iter().map(|side| side.simulated.len()).min().unwrap_or(0);
    let all = |count: usize| (0..count).collect::<Vec<usize>>();
    let estimate = of(&all(users), &all(replications));
    let mut found: Vec<f64> = Vec::with_capacity(RESAMPLES);
    for resample in 0..RESAMPLES {
        let mut rng = Streams::new(seed, 0).derive(Purpose::Bootstrap, resample as u64, 1);
        let mut draw = |count: usize| (0..count).map(|_| below(&mut rng, count as u32) as usize).collect::<Vec<_>>();
        let (users, replications) = (draw(users), draw(replications));
        found.push(of(&users, &replications));
    }
    found.retain(|value| value.is_finite());
    found.sort_by(f64::total_cmp);
    if found.len() < RESAMPLES / 2 || users < 2 {
        return (estimate, f64::NAN, f64::NAN);
    }
    let outside = found.len() / 40;
    (estimate, found[outside], found[found.len() - 1 - outside])
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The correlation of ranks, equal values in the middle of theirs; NaN where one side has no differences.
fn spearman(left: &[f64], right: &[f64]) -> f64 {
    let ranks = |values: &[f64]| -> Vec<f64> {
        let rank = |value: &f64| {
            let below = values.iter().filter(|other| *other < value).count();
            let equal = values.iter().filter(|other| *other == value).count();
            below as f64 + (equal as f64 - 1.0) / 2.0
        };
        values.iter().map(rank).collect()
    };
    let (left, right) = (ranks(left), ranks(right));
    let (a, b) = (mean(&left), mean(&right));
    let product =
        |x: &[f64], mx: f64, y: &[f64], my: f64| -> f64 { x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum() };
    product(&left, a, &right, b) / (product(&left, a, &left, a) * product(&right, b, &right, b)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rank_correlations_by_hand() {
        assert_eq!(spearman(&[1.0, 2.0, 3.0], &[10.0, 20.0, 90.0]), 1.0);
        assert_eq!(spearman(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), -1.0);
        // Ranks 0, 1, 2, 3 and 1, 0, 3, 2: 1 - 6 x 4 / (4 x 15).
        assert!((spearman(&[1.0, 2.0, 3.0, 4.0], &[5.0, 4.0, 9.0, 8.0]) - 0.6).abs() < 1e-12);
        // Ranks 0, 1, 2 and 0.5, 0.5, 2: covariance 1.5, variances 2 and 1.5.
        assert!((spearman(&[1.0, 2.0, 3.0], &[1.0, 1.0, 2.0]) - 1.5 / 3f64.sqrt()).abs() < 1e-12);
        assert!(spearman(&[1.0, 2.0], &[1.0, 1.0]).is_nan() && spearman(&[], &[]).is_nan());
    }

    #[test]
    fn an_interval_is_as_wide_as_users_and_replications_disagree() {
        let side = |policy: &str, simulated: &[f64], ndcg: &[f64]| Sides {
            policy: policy.to_owned(),
            simulated: simulated.to_vec(),
            ndcg: ndcg.to_vec(),
        };
        let plain = [
            side("a", &[1.0, 1.1], &[0.1; 20]),
            side("b", &[2.0, 2.1], &[0.2; 20]),
            side("c", &[3.0, 3.1], &[0.3; 20]),
        ];
        assert_eq!(agreement(&plain, 1.0, 1), (1.0, 1.0, 1.0));
        assert_eq!(agreement(&plain, -1.0, 1), (-1.0, -1.0, -1.0));
        let doubtful = [side("a", &[1.0, 3.0], &[0.1; 20]), side("b", &[2.0, 2.1], &[0.2; 20])];
        let (_, low, high) = agreement(&doubtful, 1.0, 1);
        assert_eq!((low, high), (-1.0, 1.0));
        assert!(agreement(&plain[..1], 1.0, 1).0.is_nan());
    }
}

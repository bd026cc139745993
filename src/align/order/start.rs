//! Slates of policies at the start, with their values.
//!
//! The user model and the held-out interactions each give a slate a value.

use super::OrderFigure;
use crate::dataset::{Impression, TrainingLog};
use crate::experiment::{Experiment, ExperimentError, first_acceptance};
use crate::ids::{ItemId, LogUserId, simulated};
use crate::policy::{Blocked, Policy, Requests, Slates};
use crate::random::Streams;
use crate::validate::Resamples;
use serde::Serialize;
use std::collections::BTreeSet;

/// Slots that count on the log.
pub const NDCG_DEPTH: usize = 10;

/// One policy at the start, on both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StartPolicy {
    /// Its name in the scenario.
    pub policy: String,
    /// Mean probability that the user model accepts something of the first slate.
    pub simulated: OrderFigure,
    /// Mean share of the first 10 slots with an item that the user took after the cut.
    pub precision: OrderFigure,
    /// Mean share of the user's items after the cut that are among the first 10 slots.
    pub recall: OrderFigure,
    /// Mean NDCG@10.
    pub ndcg: OrderFigure,
}

/// The values of a policy, one for each user with held-out interactions.
pub(super) struct Start {
    pub(super) policy: String,
    pub(super) simulated: Vec<f64>,
    pub(super) precision: Vec<f64>,
    pub(super) recall: Vec<f64>,
    pub(super) ndcg: Vec<f64>,
}

impl Start {
    pub(super) fn figures(&self, resamples: &Resamples) -> StartPolicy {
        StartPolicy {
            policy: self.policy.clone(),
            simulated: resamples.mean_of_users(&self.simulated),
            precision: resamples.mean_of_users(&self.precision),
            recall: resamples.mean_of_users(&self.recall),
            ndcg: resamples.mean_of_users(&self.ndcg),
        }
    }
}

/// All policies that can recommend on the log; the others, with reasons.
pub(super) fn starts(
    experiment: &Experiment,
    held_out: &TrainingLog,
) -> Result<(Vec<Start>, Vec<String>), ExperimentError> {
    let users: Vec<LogUserId> =
        (0..held_out.users() as u32).map(LogUserId).filter(|&user| !held_out.of(user).is_empty()).collect();
    let blocked = blocked(&experiment.start().log, &users);
    let (mut starts, mut left_out) = (Vec::new(), Vec::new());
    for spec in &experiment.scenario.policies {
        let built = experiment.policy_for_log(&spec.name).map_err(|problem| problem.to_string());
        let slates = built.and_then(|mut policy| slates(experiment, policy.as_mut(), 0, &users, &blocked));
        match slates {
            Ok(slates) => starts.push(start(experiment, &spec.name, &users, &slates, held_out)?),
            Err(problem) => left_out.push(format!("{}: {problem}", spec.name)),
        }
    }
    Ok((starts, left_out))
}

/// The slates of a policy for these users; the error says why there are none.
pub(super) fn slates(
    experiment: &Experiment,
    policy: &mut dyn Policy,
    tick: u32,
    users: &[LogUserId],
    blocked: &[u64],
) -> Result<Slates, String> {
    let (slate, items) = (experiment.scenario.slate.max(1), experiment.data.items.len());
    let streams = Streams::new(experiment.scenario.seed, 0);
    let requests = Requests {
        tick,
        slate,
        items,
        users: &simulated(users),
        blocked: Blocked::rows(blocked, items),
        streams,
        oracle_access: None,
    };
    policy.slates(&requests).map_err(|problem| problem.to_string())
}

fn start(
    experiment: &Experiment,
    name: &str,
    users: &[LogUserId],
    slates: &Slates,
    held_out: &TrainingLog,
) -> Result<Start, ExperimentError> {
    let lists: Vec<Impression<'_>> = users
        .iter()
        .zip(slates.items.chunks(slates.slate))
        .map(|(&user, items)| Impression { user, time: 0, items, taken: &[], slots: &[] })
        .collect();
    let found = |of: fn(&Hits) -> f64| -> Vec<f64> { hits(users, slates, held_out).iter().map(of).collect() };
    Ok(Start {
        policy: name.to_owned(),
        simulated: first_acceptance(experiment, &lists)?,
        precision: found(|hits| hits.count as f64 / NDCG_DEPTH as f64),
        recall: found(|hits| hits.count as f64 / hits.relevant as f64),
        ndcg: found(|hits| hits.gain / hits.best),
    })
}

/// The held-out items that a user's slate finds.
pub(super) struct Hits {
    pub(super) count: usize,
    pub(super) relevant: usize,
    pub(super) gain: f64,
    pub(super) best: f64,
}

/// For each of these users `sum_k hit_k / log2(k + 2)` and its largest value, k from 0 to 9 (Jarvelin and Kekalainen 2002).
pub(super) fn hits(users: &[LogUserId], slates: &Slates, held_out: &TrainingLog) -> Vec<Hits> {
    let gain = |slot: usize| 1.0 / libm::log2(slot as f64 + 2.0);
    let of = |(user, slate): (&LogUserId, &[ItemId])| {
        let relevant: BTreeSet<ItemId> = held_out.of(*user).iter().map(|row| row.item).collect();
        let found: Vec<usize> =
            (0..slate.len().min(NDCG_DEPTH)).filter(|&slot| relevant.contains(&slate[slot])).collect();
        Hits {
            count: found.len(),
            relevant: relevant.len(),
            gain: found.iter().map(|&slot| gain(slot)).sum(),
            best: (0..relevant.len().min(NDCG_DEPTH)).map(gain).sum(),
        }
    };
    users.iter().zip(slates.items.chunks(slates.slate.max(1))).map(of).collect()
}

/// NDCG@10 of slates for all users of the log, one value for each user with held-out items.
pub fn ndcg(slates: &Slates, held_out: &TrainingLog) -> Vec<f64> {
    let users: Vec<LogUserId> = (0..held_out.users() as u32).map(LogUserId).collect();
    let found = hits(&users, slates, held_out);
    found.iter().filter(|hits| hits.relevant > 0).map(|hits| hits.gain / hits.best).collect()
}

/// The blocked items of each of `users`, in the form of [`Requests::blocked`]: the items of the user's own log.
pub(crate) fn blocked(log: &TrainingLog, users: &[LogUserId]) -> Vec<u64> {
    let words = Requests::words(log.items);
    let mut blocked = vec![0; users.len() * words];
    for (row, &user) in users.iter().enumerate() {
        for entry in log.of(user) {
            block(&mut blocked[row * words..(row + 1) * words], entry.item);
        }
    }
    blocked
}

/// Forbids an item in a row of [`Requests::blocked`].
pub(super) fn block(row: &mut [u64], item: ItemId) {
    row[item.index() / 64] |= 1 << (item.index() % 64);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Interaction;

    #[test]
    fn hits_by_hand() {
        let row = |user, item| Interaction { user: LogUserId(user), item: ItemId(item), time: 0, rating: f32::NAN };
        let held_out = TrainingLog::from_sorted(vec![row(0, 1), row(0, 2), row(2, 5)], 3, 9);
        let slates = Slates {
            slate: 3,
            items: [[4, 1, 7], [1, 2, 5], [5, 0, 1]].as_flattened().iter().map(|&item| ItemId(item)).collect(),
            ..Slates::default()
        };
        let found = hits(
            &[LogUserId(0), LogUserId(2)],
            &Slates { items: [&slates.items[..3], &slates.items[6..]].concat(), ..slates.clone() },
            &held_out,
        );
        assert_eq!((found[0].count, found[0].relevant, found[1].count), (1, 2, 1));
        let second = 1.0 / libm::log2(3.0);
        assert_eq!((found[0].gain, found[0].best), (second, 1.0 + second));
        assert_eq!(
            ndcg(&slates, &held_out),
            [second / (1.0 + second), 1.0],
            "the user without held-out items is left out"
        );
    }
}

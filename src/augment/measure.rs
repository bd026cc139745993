//! Accuracy of policies that learn from an augmented log.
//!
//! Measures whether policies that learn from a log with additions predict held-out interactions better.

use super::{AdditionKind, Augmentation, failed};
use crate::align::blocked;
use crate::dataset::TrainingLog;
use crate::experiment::{Experiment, ExperimentError, Family, estimate};
use crate::ids::{ItemId, LogUserId, simulated};
use crate::policy::{Blocked, Requests};
use crate::random::Streams;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Measures, each at both depths.
const DEPTHS: [usize; 2] = [5, 10];
/// Their names, by depth.
const NAMES: [[&str; 3]; 2] = [["recall@5", "ndcg@5", "mrr@5"], ["recall@10", "ndcg@10", "mrr@10"]];

/// The question.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// The policies of the scenario that learn, by name.
    pub targets: Vec<String>,
    /// Rows to add, as shares of each user's log.
    pub amounts: Vec<f64>,
    /// Their sources.
    pub kinds: Vec<AdditionKind>,
    /// Draws of additions, each with its own training.
    pub seeds: u32,
}

/// One policy with one kind and amount of additions, in one measure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GainRow {
    /// The policy that learned.
    pub policy: String,
    /// The source of the additions.
    pub additions: &'static str,
    /// Their share of the log.
    pub amount: f64,
    /// Rows added, mean over seeds.
    pub added: f64,
    /// The share of them that the user really had after the cut, mean over seeds.
    pub additions_held_out: f64,
    /// The measure.
    pub measure: &'static str,
    /// Users with held-out interactions.
    pub users: usize,
    /// Its value without additions, mean over users and seeds.
    pub plain: f64,
    /// Its value with additions.
    pub augmented: f64,
    /// The difference.
    pub gain: f64,
    /// Lower end of its 95% interval over users, simultaneous over the kinds and amounts of a policy and measure.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// The difference in percent of the value without additions.
    pub gain_percent: f64,
}

/// The measures of a policy by user: `[measures][users]`.
type Values = Vec<Vec<f64>>;

/// Trains each target on the log and on the log with each kind and amount of additions, and tests it on what was
/// held out. `progress` hears of each training.
///
/// # Errors
/// When a policy or the user model fails.
pub fn measure(
    of: &mut Augmentation<'_>,
    ask: &Measurement,
    mut progress: impl FnMut(&str),
) -> Result<Vec<GainRow>, ExperimentError> {
    let test = Test::new(of.log(), &of.split.held_out);
    let plain = ask
        .targets
        .iter()
        .map(|target| {
            mean(0..ask.seeds, |seed| test.values(of.experiment, target, of.experiment.start().log.clone(), seed))
        })
        .collect::<Result<Vec<Values>, _>>()?;
    let family = Family::of_pairs(ask.kinds.len() * ask.amounts.len());
    let mut rows = Vec::new();
    for &kind in &ask.kinds {
        for &amount in &ask.amounts {
            let made = (0..ask.seeds).map(|seed| of.additions(kind, amount, seed)).collect::<Result<Vec<_>, _>>()?;
            let share =
                |value: &dyn Fn(&super::Additions) -> f64| made.iter().map(value).sum::<f64>() / made.len() as f64;
            let (added, precision) = (share(&|one| one.rows() as f64), share(&|one| one.precision(&of.split.held_out)));
            let logs: Vec<Arc<TrainingLog>> = made.iter().map(|one| Arc::new(one.added_to(of.log()))).collect();
            for (target, plain) in ask.targets.iter().zip(&plain) {
                progress(&format!("{target}, {} {:.0}%", kind.word(), 100.0 * amount));
                let found =
                    mean(0..ask.seeds, |seed| test.values(of.experiment, target, logs[seed as usize].clone(), seed))?;
                for ((measure, plain), found) in NAMES.as_flattened().iter().zip(plain).zip(&found) {
                    rows.push(GainRow {
                        policy: target.clone(),
                        additions: kind.word(),
                        amount,
                        added,
                        additions_held_out: precision,
                        measure,
                        ..gain(plain, found, &family)
                    });
                }
            }
        }
    }
    Ok(rows)
}

/// The mean by user over seeds.
fn mean(
    seeds: std::ops::Range<u32>,
    mut values: impl FnMut(u32) -> Result<Values, ExperimentError>,
) -> Result<Values, ExperimentError> {
    let count = f64::from(seeds.end.max(1));
    let mut sum: Values = Vec::new();
    for seed in seeds {
        let found = values(seed)?;
        if sum.is_empty() {
            sum = found.iter().map(|row| vec![0.0; row.len()]).collect();
        }
        for (sum, row) in sum.iter_mut().zip(&found) {
            sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value / count);
        }
    }
    Ok(sum)
}

fn gain(plain: &[f64], found: &[f64], family: &Family) -> GainRow {
    let differences: Vec<f64> = found.iter().zip(plain).map(|(after, before)| after - before).collect();
    let average = |values: &[f64]| estimate(values.iter().copied().map(Some)).map_or(f64::NAN, |found| found.mean);
    let interval = family.judge(&differences).interval;
    let (before, after) = (average(plain), average(found));
    GainRow {
        policy: String::new(),
        additions: "",
        amount: 0.0,
        added: 0.0,
        additions_held_out: 0.0,
        measure: "",
        users: plain.len(),
        plain: before,
        augmented: after,
        gain: after - before,
        low: interval.map(|interval| interval.low),
        high: interval.map(|interval| interval.high),
        gain_percent: 100.0 * (after - before) / before,
    }
}

/// Users with held-out items, and the items of their original log, which are not shown.
struct Test<'a> {
    users: Vec<LogUserId>,
    blocked: Vec<u64>,
    held_out: &'a TrainingLog,
}

impl<'a> Test<'a> {
    fn new(log: &TrainingLog, held_out: &'a TrainingLog) -> Test<'a> {
        let users: Vec<LogUserId> =
            (0..held_out.users() as u32).map(LogUserId).filter(|&user| !held_out.of(user).is_empty()).collect();
        Test { blocked: blocked(log, &users), users, held_out }
    }

    /// The measures of a policy that knows `log`, by user.
    fn values(
        &self,
        experiment: &Experiment,
        target: &str,
        log: Arc<TrainingLog>,
        seed: u32,
    ) -> Result<Values, ExperimentError> {
        let items = log.items;
        let mut policy = experiment.policy_on(target, log, seed)?;
        let streams = Streams::new(experiment.scenario.seed, seed);
        let slate = DEPTHS[1].min(items);
        let requests = Requests {
            tick: 0,
            slate,
            items,
            users: &simulated(&self.users),
            blocked: Blocked::rows(&self.blocked, items),
            streams,
            oracle_access: None,
        };
        let slates = policy.slates(&requests).map_err(|source| failed(target, source))?;
        let mut values: Values = vec![Vec::with_capacity(self.users.len()); 3 * DEPTHS.len()];
        for (&user, slate) in self.users.iter().zip(slates.items.chunks(slate)) {
            let relevant: BTreeSet<ItemId> = self.held_out.of(user).iter().map(|row| row.item).collect();
            for (place, depth) in DEPTHS.into_iter().enumerate() {
                let found = ranked(slate, &relevant, depth);
                values[3 * place..].iter_mut().zip(found).for_each(|(column, value)| column.push(value));
            }
        }
        Ok(values)
    }
}

/// Recall, NDCG and the reciprocal rank of the first hit among the first `depth` items.
fn ranked(slate: &[ItemId], relevant: &BTreeSet<ItemId>, depth: usize) -> [f64; 3] {
    let discount = |slot: usize| 1.0 / libm::log2(slot as f64 + 2.0);
    let hits: Vec<usize> = (0..depth.min(slate.len())).filter(|&slot| relevant.contains(&slate[slot])).collect();
    let best: f64 = (0..relevant.len().min(depth)).map(discount).sum();
    let gain: f64 = hits.iter().map(|&slot| discount(slot)).sum();
    let first = hits.first().map_or(0.0, |&slot| 1.0 / (slot as f64 + 1.0));
    [hits.len() as f64 / relevant.len() as f64, gain / best, first]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_by_hand() {
        let slate: Vec<ItemId> = [7, 3, 9, 1].map(ItemId).to_vec();
        let relevant: BTreeSet<ItemId> = [3, 1, 5].map(ItemId).into();
        let [recall, ndcg, mrr] = ranked(&slate, &relevant, 5);
        let discount = |slot: f64| 1.0 / libm::log2(slot + 2.0);
        assert_eq!((recall, mrr), (2.0 / 3.0, 0.5));
        let best = discount(0.0) + discount(1.0) + discount(2.0);
        assert!((ndcg - (discount(1.0) + discount(3.0)) / best).abs() < 1e-12);
        assert_eq!(ranked(&slate, &relevant, 1), [0.0, 0.0, 0.0]);
    }
}

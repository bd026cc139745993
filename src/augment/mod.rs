//! Simulated feedback as further rows of a log.
//!
//! The rows are what users would accept of a policy's list at the cut.
//!
//! The paper's experiment on recommenders (arXiv 2508.18142, research question 2) adds simulated feedback to the
//! training log and asks whether recommenders that learn from both predict held-out interactions better. [`Additions`]
//! are such rows: each user goes down a policy's list in slates, and the items that the user model accepts are added
//! until the user has a given share of the original log more. Four [`AdditionKind`]s without a user model, with as many
//! rows for each user, are the controls. [`measure`] trains policies on both logs and tests them on the held-out
//! interactions.
//!
//! Users answer in their state at the cut: their memory does not change while they answer. Items of a user's log are
//! never added; items of a slate repeat only when the list is exhausted.

mod controls;
mod measure;
mod walk;
mod write;

pub use self::measure::{GainRow, Measurement, measure};
pub use self::write::{write_log, write_recbole};

use self::walk::Walk;
use crate::align::blocked;
use crate::dataset::{Impression, Interaction, Split, TrainingLog};
use crate::experiment::{Experiment, ExperimentError, first_responses};
use crate::ids::{ItemId, LogUserId, simulated};
use crate::policy::{Blocked, Policy, PolicyError, Requests};
use crate::random::{Purpose, Streams, unit};
use crate::user::RATINGS;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The source of added rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AdditionKind {
    /// Accepted by simulated users from the policy's list.
    Simulated,
    /// The top of the policy's list, without a user model.
    Policy,
    /// The top of the list of `item_knn`, without a user model.
    ItemKnn,
    /// The most popular items that the user does not have.
    Popular,
    /// Items that simulated users of similar activity accepted.
    Swapped,
    /// Items drawn uniformly.
    Random,
}

impl AdditionKind {
    /// All of them, the simulated one first.
    pub const ALL: [AdditionKind; 6] = [
        AdditionKind::Simulated,
        AdditionKind::Policy,
        AdditionKind::ItemKnn,
        AdditionKind::Popular,
        AdditionKind::Swapped,
        AdditionKind::Random,
    ];

    /// Its word in tables and names of folders.
    pub fn word(self) -> &'static str {
        match self {
            AdditionKind::Simulated => "simulated",
            AdditionKind::Policy => "policy",
            AdditionKind::ItemKnn => "item_knn",
            AdditionKind::Popular => "popular",
            AdditionKind::Swapped => "swapped",
            AdditionKind::Random => "random",
        }
    }
}

/// Rows to add, by user.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Additions {
    /// `[users]`: what each accepted, in order.
    pub accepted: Vec<Vec<Interaction>>,
    /// `[users]`: what was shown and not accepted, each item once.
    pub rejected: Vec<Vec<ItemId>>,
    /// Slates that were shown; 0 without a user model.
    pub slates: u64,
    /// Rows that were asked for and that no list had.
    pub missing: u64,
}

impl Additions {
    /// Rows that are added.
    pub fn rows(&self) -> usize {
        self.accepted.iter().map(Vec::len).sum()
    }

    /// The log with these rows, which come after the own ones of each user.
    pub fn added_to(&self, log: &TrainingLog) -> TrainingLog {
        let mut rows = Vec::with_capacity(log.rows.len() + self.rows());
        for (user, added) in (0..log.users() as u32).map(LogUserId).zip(&self.accepted) {
            rows.extend_from_slice(log.of(user));
            rows.extend_from_slice(added);
        }
        TrainingLog::from_sorted(rows, log.users(), log.items)
    }

    /// The share of the added rows that the user really had after the cut.
    pub fn precision(&self, held_out: &TrainingLog) -> f64 {
        let found = |(user, added): (u32, &Vec<Interaction>)| {
            let later: BTreeSet<ItemId> = held_out.of(LogUserId(user)).iter().map(|row| row.item).collect();
            added.iter().filter(|row| later.contains(&row.item)).count()
        };
        (0..).zip(&self.accepted).map(found).sum::<usize>() as f64 / self.rows() as f64
    }
}

/// The inputs of a run of additions.
pub struct Augmentation<'a> {
    experiment: &'a Experiment,
    split: &'a Split,
    /// The policy whose list is shown, by its name in the scenario.
    policy: &'a str,
    /// By draw: how far each user has gone.
    walks: BTreeMap<u32, Vec<Walk>>,
}

impl<'a> Augmentation<'a> {
    /// Additions to the log of `experiment`, whose split is `split`, from the list of one of its policies.
    pub fn new(experiment: &'a Experiment, split: &'a Split, policy: &'a str) -> Augmentation<'a> {
        Augmentation { experiment, split, policy, walks: BTreeMap::new() }
    }

    fn log(&self) -> &'a TrainingLog {
        &self.split.before
    }

    /// Rows that each user gets for `amount` times the own log.
    fn quotas(&self, amount: f64) -> Vec<usize> {
        let of = |user: u32| (self.log().of(LogUserId(user)).len() as f64 * amount).round() as usize;
        (0..self.log().users() as u32).map(of).collect()
    }

    /// The additions: for each user `amount` times the original log. `seed` is the number of the draw. Earlier answers
    /// are not requested again.
    ///
    /// # Errors
    /// When the policy or the user model fails.
    pub fn additions(&mut self, kind: AdditionKind, amount: f64, seed: u32) -> Result<Additions, ExperimentError> {
        let quotas = self.quotas(amount);
        match kind {
            AdditionKind::Simulated => self.simulated(&quotas, seed),
            AdditionKind::Policy => Ok(self.top(&self.lists(self.policy, seed)?, &quotas)),
            AdditionKind::ItemKnn => Ok(self.top(&controls::item_knn(self, seed)?, &quotas)),
            AdditionKind::Popular => Ok(self.top(&controls::popular(self.log()), &quotas)),
            AdditionKind::Random => Ok(self.top(&controls::random(self.log(), &self.streams(seed)), &quotas)),
            AdditionKind::Swapped => {
                let accepted = self.simulated(&quotas, seed)?;
                Ok(self.top(&controls::swapped(self.log(), &accepted), &quotas))
            }
        }
    }

    fn streams(&self, seed: u32) -> Streams {
        Streams::new(self.experiment.scenario.seed, seed)
    }

    /// A policy's complete order of the items that each user does not have.
    fn lists(&self, policy: &str, seed: u32) -> Result<Vec<Vec<ItemId>>, ExperimentError> {
        let log = self.experiment.start().log.clone();
        let mut policy = self.experiment.policy_on(policy, log, seed)?;
        self.lists_of(policy.as_mut(), seed)
    }

    fn lists_of(&self, policy: &mut dyn Policy, seed: u32) -> Result<Vec<Vec<ItemId>>, ExperimentError> {
        let mut found = Vec::with_capacity(self.log().users());
        let users: Vec<LogUserId> = (0..self.log().users() as u32).map(LogUserId).collect();
        for users in users.chunks(BATCH) {
            let blocked = blocked(self.log(), users);
            let (items, streams) = (self.log().items, self.streams(seed));
            let requests = Requests {
                tick: 0,
                slate: items,
                items,
                users: &simulated(users),
                blocked: Blocked::rows(&blocked, items),
                streams,
                oracle_access: None,
            };
            let slates = policy.slates(&requests).map_err(|source| failed(self.policy, source))?;
            found.extend(
                slates.items.chunks(items).map(|row| row.iter().copied().filter(|item| item.is_some()).collect()),
            );
        }
        Ok(found)
    }

    /// The first items of each list that the user does not have.
    fn top(&self, lists: &[Vec<ItemId>], quotas: &[usize]) -> Additions {
        let mut found = Additions { rejected: vec![Vec::new(); quotas.len()], ..Additions::default() };
        for ((user, list), &quota) in (0..).map(LogUserId).zip(lists).zip(quotas) {
            let own: BTreeSet<ItemId> = self.log().of(user).iter().map(|row| row.item).collect();
            let new = list.iter().copied().filter(|item| !own.contains(item)).take(quota);
            let rating = mean_rating(self.log().of(user));
            let rows: Vec<Interaction> =
                new.enumerate().map(|(place, item)| self.row(user, item, rating, place)).collect();
            found.missing += (quota - rows.len()) as u64;
            found.accepted.push(rows);
        }
        found
    }

    /// A row after all own ones of the user.
    fn row(&self, user: LogUserId, item: ItemId, rating: f32, place: usize) -> Interaction {
        let last = self.log().of(user).last().map_or(0, |row| row.time);
        Interaction { user, item, rating, time: last + 1 + place as i64 }
    }

    /// Users go down the policy's list until each has accepted the own quota.
    fn simulated(&mut self, quotas: &[usize], seed: u32) -> Result<Additions, ExperimentError> {
        let walks = match self.walks.remove(&seed) {
            Some(walks) => walks,
            None => self.lists(self.policy, seed)?.into_iter().map(Walk::new).collect(),
        };
        let walks = self.walked(walks, quotas, seed)?;
        let mut found = Additions::default();
        for ((user, walk), &quota) in (0..).map(LogUserId).zip(&walks).zip(quotas) {
            let taken = walk.taken(quota).iter().enumerate();
            let rows: Vec<Interaction> =
                taken.map(|(place, taken)| self.row(user, taken.item, taken.rating, place)).collect();
            let (slates, rejected) = walk.until(quota);
            found.slates += u64::from(slates);
            found.missing += (quota - rows.len()) as u64;
            found.accepted.push(rows);
            found.rejected.push(rejected);
        }
        self.walks.insert(seed, walks);
        Ok(found)
    }

    /// The walks after each has gone on to its quota.
    fn walked(&self, mut walks: Vec<Walk>, quotas: &[usize], seed: u32) -> Result<Vec<Walk>, ExperimentError> {
        let (slate, streams) = (self.experiment.scenario.slate.max(1), self.streams(seed));
        loop {
            let open: Vec<usize> = (0..walks.len()).filter(|&user| walks[user].goes_on(quotas[user])).collect();
            if open.is_empty() {
                return Ok(walks);
            }
            let asked: Vec<Asked> = open
                .iter()
                .map(|&user| {
                    let number = walks[user].slates();
                    Asked { user: LogUserId(user as u32), number, items: walks[user].next(slate) }
                })
                .collect();
            let answers = self.answers(&asked, &streams)?;
            for ((&user, asked), answer) in open.iter().zip(&asked).zip(answers) {
                walks[user].answered(answer.map(|(slot, rating)| (asked.items[slot], rating)));
            }
        }
    }

    /// The users' responses to these slates: slot and rating, or nothing.
    fn answers(&self, asked: &[Asked], streams: &Streams) -> Result<Vec<Option<(usize, f32)>>, ExperimentError> {
        let lists: Vec<Impression<'_>> = asked
            .iter()
            .map(|asked| Impression { user: asked.user, time: 0, items: &asked.items, taken: &[], slots: &[] })
            .collect();
        let rated = self.experiment.data.scale.is_some();
        let mut answers = vec![None; lists.len()];
        first_responses(self.experiment, &lists, |place, found, row| {
            let asked = &asked[place];
            let mut rng = streams.derive(Purpose::Augmentation, u64::from(asked.user.0), asked.number);
            let (choice, level) = (unit(&mut rng), unit(&mut rng));
            let slot = drawn(&found.choice(row)[..asked.items.len()], choice);
            answers[place] = slot.map(|slot| {
                let rating = found.rating(row, slot).and_then(|classes| drawn(&classes, level)).unwrap_or(RATINGS - 1)
                    as f32
                    + 1.0;
                (slot, if rated { rating } else { f32::NAN })
            });
        })?;
        Ok(answers)
    }
}

/// A slate that a user is shown.
struct Asked {
    user: LogUserId,
    /// Slates of this user before.
    number: u32,
    items: Vec<ItemId>,
}

/// Users whose lists are made in one call.
const BATCH: usize = 512;

/// A policy that cannot recommend.
fn failed(policy: &str, source: PolicyError) -> ExperimentError {
    ExperimentError::Policy { policy: policy.to_owned(), source }
}

/// The place at which the running sum of chances passes `number`.
fn drawn(chances: &[f32], number: f64) -> Option<usize> {
    let mut sum = 0.0;
    chances.iter().position(|&chance| {
        sum += f64::from(chance);
        number < sum
    })
}

/// The mean rating of the rows that have one.
fn mean_rating(rows: &[Interaction]) -> f32 {
    let ratings: Vec<f32> = rows.iter().map(|row| row.rating).filter(|rating| rating.is_finite()).collect();
    if ratings.is_empty() { f32::NAN } else { (ratings.iter().sum::<f32>() / ratings.len() as f32).round() }
}

#[cfg(test)]
mod tests;

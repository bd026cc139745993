//! A target policy that observes another policy's trial.
//!
//! The logging policy recommends as in the run, from the same streams, so the trial is repeated bit for bit. The target
//! policy gets the same requests, draws from streams of its own, reports the probability of the shown slates, and
//! learns from the responses, as it would learn from this log.

use super::replay::Replay;
use crate::ids::{ItemId, UserId};
use crate::log::EventBatch;
use crate::policy::{Chance, OracleAccess, Policy, PolicyError, Requests, Slates};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The first of the target policy's forks; the parts of a policy are numbered from 0.
const FORK: u32 = 1 << 30;

/// An empty slot is certainly empty.
const CERTAIN: Chance = Chance { given_above: 1.0, alone: 1.0 };

/// The reason why no estimate is possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// The policy of the log does not know its propensities.
    LogUnknown,
    /// The target does not.
    TargetUnknown,
    /// The target has no slates.
    TargetFailed { tick: u32, user: Option<u32>, problem: String },
}

/// The result of a ride.
#[derive(Default)]
pub(super) struct Found {
    pub replay: Replay,
    pub problem: Option<Problem>,
}

/// The logging policy with the target policy beside it.
pub(super) struct Passenger {
    driver: Box<dyn Policy>,
    target: Box<dyn Policy>,
    draws: u32,
    own: Slates,
    moment: Moment,
    found: Arc<Mutex<Found>>,
}

/// The part of a step that is known before the responses.
#[derive(Default)]
struct Moment {
    users: Vec<UserId>,
    logged: Vec<Chance>,
    target: Vec<Chance>,
    /// One `[n, slots]` for each draw.
    own: Vec<Vec<ItemId>>,
    truth: Vec<f64>,
}

impl Passenger {
    /// The second value reads the recorded rounds. `draws` slates of the target are drawn for a round, or one if the
    /// target does not draw at all.
    pub fn new(driver: Box<dyn Policy>, target: Box<dyn Policy>, draws: u32) -> (Passenger, Arc<Mutex<Found>>) {
        let found = Arc::new(Mutex::new(Found::default()));
        let (own, moment) = (Slates::default(), Moment::default());
        (Passenger { driver, target, draws, own, moment, found: found.clone() }, found)
    }

    fn look(
        &mut self,
        requests: &Requests<'_>,
        shown: &Slates,
        oracle_access: &dyn OracleAccess,
    ) -> Result<(), Problem> {
        let logged = logged_chances(self.driver.as_ref(), requests, shown).ok_or(Problem::LogUnknown)?;
        self.moment.logged = logged;
        self.moment.own.clear();
        self.moment.truth.clear();
        self.moment.truth.resize(requests.len(), 0.0);
        let mut accepted = Vec::new();
        for draw in 0..self.draws {
            self.ask(requests, draw)?;
            if draw == 0 {
                let chances = chances_of(self.target.as_ref(), requests, &self.own, &shown.items);
                self.moment.target = chances.ok_or(Problem::TargetUnknown)?;
            }
            oracle_access
                .slates(requests.slate, &self.own.items, &mut accepted)
                .map_err(|problem| failed(requests, None, problem))?;
            self.moment.truth.iter_mut().zip(&accepted).for_each(|(sum, chance)| *sum += chance);
            self.moment.own.push(self.own.items.clone());
            if (0..requests.len()).all(|row| is_certain(&self.own, row)) {
                break;
            }
        }
        let draws = self.moment.own.len() as f64;
        self.moment.truth.iter_mut().for_each(|sum| *sum /= draws);
        self.moment.users.extend_from_slice(requests.users);
        Ok(())
    }

    /// Lets the target fill slates of its own.
    fn ask(&mut self, requests: &Requests<'_>, draw: u32) -> Result<(), Problem> {
        let own = Requests { streams: requests.streams.fork(FORK + draw), ..*requests };
        let filled = self.target.recommend(&own, &mut self.own);
        filled.map_err(|PolicyError { user, problem }| failed(requests, user, problem))?;
        let slots = requests.len() * requests.slate;
        if self.own.items.len() != slots {
            return Err(failed(requests, None, format!("{} slots instead of {slots}", self.own.items.len())));
        }
        let foreign = |item: &ItemId| item.is_some() && item.index() >= requests.items;
        if let Some(slot) = self.own.items.iter().position(foreign) {
            let problem = format!("item {}, the catalogue has {} items", self.own.items[slot].0, requests.items);
            return Err(failed(requests, Some(requests.users[slot / requests.slate]), problem));
        }
        self.own.propensities.resize(slots, f32::NAN);
        Ok(())
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the rounds of a tick down, of those users who were shown something.
    fn remember(&self, events: &EventBatch) {
        let (moment, slots) = (&self.moment, events.slate);
        let mut found = self.found();
        let replay = &mut found.replay;
        let mut asked = moment.users.iter().enumerate();
        for (row, user) in events.users.iter().enumerate() {
            // Both go by ascending user.
            let Some((place, _)) = asked.find(|(_, asking)| *asking == user) else { return };
            let range = place * slots..(place + 1) * slots;
            replay.users.push(*user);
            replay.items.extend_from_slice(events.slate_of(row));
            replay.accepted.push(events.accepted[row]);
            replay.logged.extend_from_slice(&moment.logged[range.clone()]);
            replay.target.extend_from_slice(&moment.target[range.clone()]);
            replay.draws.push(moment.own.len() as u32);
            moment.own.iter().for_each(|own| replay.own.extend_from_slice(&own[range.clone()]));
            replay.truth.push(moment.truth[place]);
        }
    }
}

impl Policy for Passenger {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError> {
        self.driver.recommend(requests, slates)?;
        self.moment.users.clear();
        // A driver that breaks its contract is refused by the stage that follows.
        let whole = slates.items.len() == requests.len() * requests.slate;
        let Some(oracle_access) = requests.oracle_access.filter(|_| whole && !requests.is_empty()) else {
            return Ok(());
        };
        slates.propensities.resize(slates.items.len(), f32::NAN);
        if let Err(problem) = self.look(requests, slates, oracle_access) {
            self.found().problem.get_or_insert(problem);
        }
        Ok(())
    }

    fn needs_oracle_access(&self) -> bool {
        // For the truth, and for a policy of the two that asks for it.
        true
    }

    fn observe(&mut self, events: &EventBatch) -> Result<(), PolicyError> {
        self.remember(events);
        self.driver.observe(events)?;
        if let Err(PolicyError { user, problem }) = self.target.observe(events) {
            let user = user.map(|user| user.0);
            self.found().problem.get_or_insert(Problem::TargetFailed { tick: events.tick, user, problem });
        }
        Ok(())
    }
}

fn failed(requests: &Requests<'_>, user: Option<UserId>, problem: String) -> Problem {
    Problem::TargetFailed { tick: requests.tick, user: user.map(|user| user.0), problem }
}

/// True if no item of a slate was drawn.
fn is_certain(slates: &Slates, row: usize) -> bool {
    let slots = row * slates.slate..(row + 1) * slates.slate;
    let slots = slates.items[slots.clone()].iter().zip(&slates.propensities[slots]);
    slots.take_while(|(item, _)| item.is_some()).all(|(_, &propensity)| propensity == 1.0)
}

/// The probability with which the logging policy showed its slate: the propensities that it logs, and those that it
/// reports on request.
fn logged_chances(driver: &dyn Policy, requests: &Requests<'_>, shown: &Slates) -> Option<Vec<Chance>> {
    let mut chances = vec![CERTAIN; shown.items.len()];
    for (row, chances) in chances.chunks_mut(requests.slate).enumerate() {
        if is_certain(shown, row) {
            continue;
        }
        let start = row * requests.slate;
        let items = &shown.items[start..start + requests.slate];
        if !driver.chances(&requests.get(row), items, chances) {
            chances.iter_mut().for_each(|chance| chance.alone = f32::NAN);
        }
        for (slot, chance) in chances.iter_mut().enumerate().take_while(|(slot, _)| items[*slot].is_some()) {
            chance.given_above = shown.propensities[start + slot];
            if chance.given_above.is_nan() {
                return None;
            }
        }
        chances[0].alone = chances[0].given_above;
    }
    Some(chances)
}

/// The probability with which a policy that has just filled `own` would have shown `shown` instead; `None`: unknown.
fn chances_of(policy: &dyn Policy, requests: &Requests<'_>, own: &Slates, shown: &[ItemId]) -> Option<Vec<Chance>> {
    let mut chances = vec![CERTAIN; shown.len()];
    let slates = own.items.chunks(requests.slate).zip(shown.chunks(requests.slate));
    for (row, (chances, (own_items, items))) in chances.chunks_mut(requests.slate).zip(slates).enumerate() {
        if is_certain(own, row) {
            for (chance, (own, item)) in chances.iter_mut().zip(own_items.iter().zip(items)) {
                let same = if own == item { 1.0 } else { 0.0 };
                *chance = Chance { given_above: same, alone: same };
            }
            continue;
        }
        if !policy.chances(&requests.get(row), items, chances) {
            return None;
        }
        chances[0].alone = chances[0].given_above;
    }
    Some(chances)
}

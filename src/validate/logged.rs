//! Off-policy values from logged propensities.
//!
//! Values of policies on the whole catalogue, from exposures with logged propensities.
//!
//! A round is a shown item; in lists with several items each is a round of its slot, which is accepted for its own item
//! alone (the item-position model of Li et al. 2018). The target's action is the policy's best item among those that
//! the log shows at all; its weight is 1 over the propensity if it is the shown item, else 0. The user model is the
//! model of the direct method, so its own prediction is reported beside estimates that do not rely on it.

use super::ValidateError;
use super::cells::Cells;
use crate::dataset::Impressions;
use crate::experiment::{Experiment, shown_utilities};
use crate::ids::{ItemId, simulated};
use crate::off_policy::interval::{Groups, normal};
use crate::off_policy::{Overlap, Valuation, rounds};
use crate::policy::{Blocked, Requests};
use crate::random::Streams;
use serde::Serialize;

/// Estimates of a policy's value.
#[derive(Clone, Debug, Serialize)]
pub struct LoggedValue {
    /// Its name.
    pub policy: String,
    /// The estimator: `ips`, `snips`, `dm` (the user model's own prediction) or `dr`; `observed` is no estimate but the
    /// users' responses to the policy's own slates.
    pub estimator: &'static str,
    /// The estimate.
    pub value: f64,
    /// Lower end of the 95% interval over users.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// The number of equally weighted rounds with the same variance.
    pub effective: f64,
    /// The reason why the log does not support the estimate, if so.
    pub problem: Option<String>,
}

/// Rounds of a logging policy, for the value of another one.
pub(super) struct Rounds {
    /// The name of the other one.
    pub(super) policy: String,
    /// `[n]`: 1 where the shown item was accepted.
    pub(super) rewards: Vec<f64>,
    /// `[n]`: the other policy's probability divided by the logging policy's.
    pub(super) weights: Vec<f64>,
    /// `[n]`: the user model's prediction for the shown item.
    pub(super) predictions: Vec<f64>,
    /// `[n]`: its mean prediction for the other policy's items.
    pub(super) expectations: Vec<f64>,
    /// The users.
    pub(super) groups: Groups,
}

impl Rounds {
    /// All estimates; only that of the user model without propensities.
    pub(super) fn estimates(&self, has_propensities: bool) -> Vec<LoggedValue> {
        let overlap = Overlap::of(&self.weights).filter(|_| has_propensities);
        let Rounds { rewards, weights, predictions, expectations, .. } = self;
        let dm = ("dm", rounds::dm(expectations));
        let mut estimates = vec![dm];
        if overlap.is_some() {
            estimates = vec![
                ("ips", rounds::ips(rewards, weights)),
                ("snips", rounds::snips(rewards, weights)),
                estimates.remove(0),
                ("dr", rounds::dr(rewards, weights, predictions, expectations)),
            ];
        }
        let row = |(estimator, valuation): (&'static str, Option<Valuation>)| {
            let valuation = valuation?;
            let interval = normal(&valuation, &self.groups);
            let is_weighted = estimator != "dm";
            Some(LoggedValue {
                policy: self.policy.clone(),
                estimator,
                value: valuation.value,
                low: interval.map(|interval| interval.low),
                high: interval.map(|interval| interval.high),
                effective: overlap
                    .as_ref()
                    .filter(|_| is_weighted)
                    .map_or(rewards.len() as f64, |overlap| overlap.effective),
                problem: overlap.as_ref().filter(|_| is_weighted).and_then(Overlap::problem),
            })
        };
        estimates.into_iter().filter_map(row).collect()
    }
}

/// Estimates for all policies of the experiment; empty without propensities.
pub(super) fn values(
    experiment: &Experiment,
    cells: &Cells,
    chances: &[f64],
) -> Result<Vec<LoggedValue>, ValidateError> {
    let propensities = cells.propensities();
    if propensities.is_empty() {
        return Ok(Vec::new());
    }
    let shift = cells.shift_to_observed();
    let rewards: Vec<f64> = cells.accepted().iter().map(|&accepted| f64::from(u8::from(accepted))).collect();
    let mut found = Vec::new();
    for spec in &experiment.scenario.policies {
        let Ok(picks) = picks(experiment, &spec.name, cells) else { continue };
        let shown = cells.items().iter().zip(cells.user_numbers()).zip(propensities);
        let weight = |((item, &user), &propensity): ((&ItemId, &u32), &f32)| {
            if picks[user as usize] == *item { 1.0 / f64::from(propensity) } else { 0.0 }
        };
        let all = Rounds {
            policy: spec.name.clone(),
            rewards: rewards.clone(),
            weights: shown.map(weight).collect(),
            predictions: chances.to_vec(),
            expectations: expectations(experiment, cells, &picks, shift)?,
            groups: Groups::new(cells.user_numbers().to_vec()),
        };
        found.extend(all.estimates(true));
    }
    Ok(found)
}

/// The best item of a policy for each user, among all shown items.
fn picks(experiment: &Experiment, policy: &str, cells: &Cells) -> Result<Vec<ItemId>, String> {
    let mut policy = experiment.policy_for_log(policy).map_err(|problem| problem.to_string())?;
    let (items, words) = (experiment.data.items.len(), Requests::words(experiment.data.items.len()));
    let mut open = vec![!0u64; words];
    for item in cells.items() {
        open[item.index() / 64] &= !(1 << (item.index() % 64));
    }
    let mut picks = Vec::with_capacity(cells.users());
    for users in cells.sources.chunks(256) {
        let blocked: Vec<u64> = users.iter().flat_map(|_| open.iter().copied()).collect();
        let streams = Streams::new(experiment.scenario.seed, 0);
        let requests = Requests {
            tick: 0,
            slate: 1,
            items,
            users: &simulated(users),
            blocked: Blocked::rows(&blocked, items),
            streams,
            oracle_access: None,
        };
        let slates = policy.slates(&requests).map_err(|failure| failure.problem)?;
        picks.extend(slates.items.iter().copied());
    }
    Ok(picks)
}

/// The user model's probability of each user's pick, in the slot of each cell.
fn expectations(
    experiment: &Experiment,
    cells: &Cells,
    picks: &[ItemId],
    shift: f64,
) -> Result<Vec<f64>, ValidateError> {
    let model = experiment.model();
    let mut lists = Impressions::default();
    for (&user, &item) in cells.sources.iter().zip(picks) {
        lists.push(user, 0, std::iter::once((item, false, 0)));
    }
    let lists: Vec<_> = lists.iter().collect();
    let utilities = shown_utilities(model.model(), model.rule(), experiment.start(), &lists)?;
    let gap = |row: &Vec<f32>| f64::from(row[0] - row[1]) / f64::from(model.temperature()) - cells.own_shift;
    let gaps: Vec<f64> = utilities.iter().map(gap).collect();
    let weight = |slot: u16| model.rule().examination.weight(usize::from(slot));
    let rounds = cells.user_numbers().iter().zip(cells.slots());
    Ok(rounds.map(|(&user, &slot)| Cells::chance_of(gaps[user as usize], shift, weight(slot))).collect())
}

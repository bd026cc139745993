//! Values of target policies from files.
//!
//! Values of target policies that are given by their actions: by a table of probabilities, or by their own log.
//!
//! Each shown item is a round of the logging policy. Its weight is `q(item | user, slot) / p`, with the target's
//! probability `q` and the logged propensity `p`; a slot is accepted for its own item alone (the item-position model of
//! Li et al. 2018, for lists with several items). The user model is the model of the direct method, so its prediction
//! is reported beside estimates that do not rely on it and, if the target has a log, beside the responses of its users.
//!
//! **Intervals.** If `q` comes from a log it is an estimate, too: its share of the variance is added. All estimates are
//! linear in `q`, so this share is the variance of `sum q(a | s) G(s, a)` over the target's own users, with the gain
//! `G` of an item in a slot.

use super::ValidateError;
use super::cells::Cells;
use super::logged::{LoggedValue, Rounds};
use crate::dataset::{Impression, Impressions, TargetPolicy, TargetRound};
use crate::experiment::{Experiment, shown_utilities};
use crate::ids::{ItemId, LogUserId};
use crate::off_policy::interval::{Groups, normal};
use crate::off_policy::{Valuation, rounds};
use crate::scenario::AcceptSpec;
use std::collections::BTreeMap;

/// Users whose items go through the user model in one call.
const USERS: usize = 64;

/// The contribution of an item in a slot to an estimate for each unit of the target's probability.
type Gains = BTreeMap<(u16, ItemId), f64>;

/// Estimates for all targets, and notes for readers that are not in `said` already.
pub(super) fn values(
    experiment: &Experiment,
    cells: &Cells,
    targets: &[TargetPolicy],
    chances: &[f64],
    said: &[String],
) -> Result<(Vec<LoggedValue>, Vec<String>), ValidateError> {
    let (mut found, mut notes) = (Vec::new(), Vec::new());
    for target in targets {
        found.extend(observed(experiment, target));
        found.extend(estimates(experiment, cells, target, chances, &mut notes)?);
        let new = target.notes.iter().filter(|note| !said.contains(note));
        notes.extend(new.map(|note| format!("Target `{}`: {note}.", target.name)));
        if !target.rounds.is_empty() {
            notes.push(format!(
                "The probabilities of `{}` are the shares of its {} shown items by slot: if it chooses by user, the estimates are those \
                 of a policy that does not.",
                target.name,
                target.rounds.len()
            ));
        }
        if target.unknown > 0.0 {
            notes.push(format!(
                "{:.1}% of what `{}` shows are items that the log does not have: `ips` takes them for never accepted.",
                100.0 * target.unknown,
                target.name
            ));
        }
    }
    Ok((found, notes))
}

/// The responses of users to the target's own slates.
fn observed(experiment: &Experiment, target: &TargetPolicy) -> Option<LoggedValue> {
    let is_liking = experiment.scenario.user.accept == AcceptSpec::Like;
    let accepted = is_liking.then_some(experiment.acceptance().like_rating as f32);
    let rated = target.rounds.iter().filter(|round| accepted.is_none() || !round.rating.is_nan());
    let answers: Vec<(u32, f64)> = rated
        .map(|round| {
            let yes = accepted.map_or(round.taken, |threshold| round.rating >= threshold);
            (round.user, f64::from(u8::from(yes)))
        })
        .collect();
    let valuation = rounds::dm(&answers.iter().map(|&(_, answer)| answer).collect::<Vec<f64>>())?;
    let groups = Groups::new(numbered(answers.iter().map(|&(user, _)| user)));
    let interval = normal(&valuation, &groups);
    Some(LoggedValue {
        policy: target.name.clone(),
        estimator: "observed",
        value: valuation.value,
        low: interval.map(|interval| interval.low.max(0.0)),
        high: interval.map(|interval| interval.high),
        effective: answers.len() as f64,
        problem: None,
    })
}

/// Numbers without gaps.
fn numbered(users: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut numbers = BTreeMap::new();
    let mut next = 0;
    let mut number = |user: u32| {
        *numbers.entry(user).or_insert_with(|| {
            next += 1;
            next - 1
        })
    };
    users.map(&mut number).collect()
}

/// The cells for whose user and slot the target has probabilities.
fn known_cells(cells: &Cells, target: &TargetPolicy, notes: &mut Vec<String>) -> Vec<usize> {
    let user_of = |cell: usize| cells.sources[cells.user_numbers()[cell] as usize];
    let is_known = |&cell: &usize| !target.shares(user_of(cell), cells.slots()[cell]).is_empty();
    let known: Vec<usize> = (0..cells.len()).filter(is_known).collect();
    if known.len() < cells.len() {
        notes.push(format!(
            "`{}` has no probabilities for {} of the {} shown items' users and slots; its estimates leave them out.",
            target.name,
            cells.len() - known.len(),
            cells.len()
        ));
    }
    known
}

fn estimates(
    experiment: &Experiment,
    cells: &Cells,
    target: &TargetPolicy,
    chances: &[f64],
    notes: &mut Vec<String>,
) -> Result<Vec<LoggedValue>, ValidateError> {
    let known = known_cells(cells, target, notes);
    if known.is_empty() {
        return Ok(Vec::new());
    }
    let (expectations, dm) = expectations(experiment, cells, target, &known)?;
    let propensities = cells.propensities();
    let pick = |values: &[f64]| known.iter().map(|&cell| values[cell]).collect::<Vec<f64>>();
    let accepted: Vec<f64> = cells.accepted().iter().map(|&accepted| f64::from(u8::from(accepted))).collect();
    let inverse: Vec<f64> =
        known.iter().map(|&cell| propensities.get(cell).map_or(f64::NAN, |&p| 1.0 / f64::from(p))).collect();
    let places: Vec<(u16, ItemId)> = known.iter().map(|&cell| (cells.slots()[cell], cells.items()[cell])).collect();
    let numbers: Vec<u32> = known.iter().map(|&cell| cells.user_numbers()[cell]).collect();
    let share = |(&number, &(slot, item)): (&u32, &(u16, ItemId))| {
        target.probability(cells.sources[number as usize], slot, item)
    };
    let shares = numbers.iter().zip(&places).map(share);
    let all = Rounds {
        policy: target.name.clone(),
        rewards: pick(&accepted),
        weights: shares.zip(&inverse).map(|(share, inverse)| share * inverse).collect(),
        predictions: pick(chances),
        expectations,
        groups: Groups::new(numbered(numbers.iter().copied())),
    };
    let mut found = all.estimates(!propensities.is_empty());
    if !target.rounds.is_empty() {
        found.iter_mut().for_each(|row| widen(row, target, &gains(row, &all, &inverse, &places, &dm)));
    }
    Ok(found)
}

/// The gains of one estimate.
fn gains(row: &LoggedValue, all: &Rounds, inverse: &[f64], places: &[(u16, ItemId)], dm: &Gains) -> Gains {
    let count = all.rewards.len() as f64;
    let scale = all.weights.iter().sum::<f64>() / count;
    let mut found = if matches!(row.estimator, "dm" | "dr") { dm.clone() } else { Gains::new() };
    for (round, place) in places.iter().enumerate() {
        let gain = match row.estimator {
            "ips" => all.rewards[round],
            "snips" => (all.rewards[round] - row.value) / scale,
            "dr" => all.rewards[round] - all.predictions[round],
            _ => continue,
        };
        *found.entry(*place).or_default() += gain * inverse[round] / count;
    }
    found
}

/// Adds the variance that the target's shares have as estimates from its own log.
fn widen(row: &mut LoggedValue, target: &TargetPolicy, gains: &Gains) {
    let (Some(low), Some(high)) = (row.low, row.high) else { return };
    let mut by_slot: BTreeMap<u16, (f64, f64)> = BTreeMap::new();
    let gain = |round: &TargetRound| round.item.and_then(|item| gains.get(&(round.slot, item))).copied().unwrap_or(0.0);
    for round in &target.rounds {
        let slot = by_slot.entry(round.slot).or_default();
        *slot = (slot.0 + gain(round), slot.1 + 1.0);
    }
    let count = target.rounds.len() as f64;
    let deviations = target.rounds.iter().map(|round| {
        let (sum, size) = by_slot[&round.slot];
        (gain(round) - sum / size) * count / size
    });
    let deviations: Vec<f64> = deviations.collect();
    let valuation = Valuation { value: 0.0, contributions: deviations.clone(), deviations };
    let groups = Groups::new(numbered(target.rounds.iter().map(|round| round.user)));
    let Some(more) = normal(&valuation, &groups) else { return };
    let reach = libm::hypot((high - low) / 2.0, (more.high - more.low) / 2.0);
    (row.low, row.high) = (Some(row.value - reach), Some(row.value + reach));
}

/// `[rounds]`: the user model's prediction for the target's items for each round's user and slot; and its gains.
fn expectations(
    experiment: &Experiment,
    cells: &Cells,
    target: &TargetPolicy,
    known: &[usize],
) -> Result<(Vec<f64>, Gains), ValidateError> {
    let model = experiment.model();
    let shift = cells.shift_to_observed();
    let weight = |slot: u16| model.rule().examination.weight(usize::from(slot));
    let mut by_user: BTreeMap<u32, BTreeMap<u16, Vec<usize>>> = BTreeMap::new();
    for (round, &cell) in known.iter().enumerate() {
        let slots = by_user.entry(cells.user_numbers()[cell]).or_default();
        slots.entry(cells.slots()[cell]).or_default().push(round);
    }
    let (mut found, mut gains) = (vec![0.0; known.len()], Gains::new());
    let users: Vec<Rows> = by_user.into_iter().collect();
    for users in users.chunks(USERS) {
        let gaps = gaps(experiment, cells, target, users)?;
        for (number, slots) in users {
            let user = cells.sources[*number as usize];
            for (&slot, rounds) in slots {
                let (mut sum, mut total) = (0.0, 0.0);
                for &(item, share) in target.shares(user, slot) {
                    let chance = Cells::chance_of(gaps[&(user, item)], shift, weight(slot));
                    (sum, total) = (sum + share * chance, total + share);
                    *gains.entry((slot, item)).or_default() += chance * rounds.len() as f64 / known.len() as f64;
                }
                rounds.iter().for_each(|&round| found[round] = if total > 0.0 { sum / total } else { 0.0 });
            }
        }
    }
    Ok((found, gains))
}

/// A user's number and the rounds of each slot.
type Rows = (u32, BTreeMap<u16, Vec<usize>>);

/// The user model's prediction for the items that the target may show to some users, each item alone: `(u - r) / T`.
fn gaps(
    experiment: &Experiment,
    cells: &Cells,
    target: &TargetPolicy,
    users: &[Rows],
) -> Result<BTreeMap<(LogUserId, ItemId), f64>, ValidateError> {
    let model = experiment.model();
    let mut lists = Impressions::default();
    for (number, slots) in users {
        let user = cells.sources[*number as usize];
        for item in support(target, user, slots.keys()) {
            lists.push(user, 0, std::iter::once((item, false, 0)));
        }
    }
    let asked: Vec<_> = lists.iter().collect();
    let utilities = shown_utilities(model.model(), model.rule(), experiment.start(), &asked)?;
    let gap = |(list, row): (&Impression<'_>, &Vec<f32>)| {
        let gap = f64::from(row[0] - row[1]) / f64::from(model.temperature()) - cells.own_shift;
        ((list.user, list.items[0]), gap)
    };
    Ok(asked.iter().zip(&utilities).map(gap).collect())
}

/// The items that a target may show a user in some slots, each once.
fn support<'a>(target: &TargetPolicy, user: LogUserId, slots: impl Iterator<Item = &'a u16>) -> Vec<ItemId> {
    let mut items: Vec<ItemId> =
        slots.flat_map(|&slot| target.shares(user, slot).iter().map(|&(item, _)| item)).collect();
    items.sort_unstable();
    items.dedup();
    items
}

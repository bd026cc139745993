//! Shown items as cells of user, item and slot.

use super::ValidateError;
use crate::dataset::{Impression, Impressions};
use crate::experiment::{Experiment, shown_utilities};
use crate::ids::{ItemId, LogUserId};
use crate::scenario::{AcceptSpec, AcceptanceSpec};
use crate::user::{ResponseRule, UserError};
use std::collections::BTreeMap;

/// Exposures beside a log, with the numbers of its users and items.
pub struct Exposed<'a> {
    /// The lists.
    pub lists: &'a Impressions,
    /// The rating of each item of the lists, on the scale of the log, NaN without a rating; empty without any ratings.
    pub ratings: &'a [f32],
    /// Guesses and omissions while reading.
    pub notes: &'a [String],
}

/// The cells of exposures, in the order of their lists.
pub struct Cells {
    /// `[n]`: the list of each cell.
    list: Vec<u32>,
    /// `[n]`: the place of each cell among all items of the exposures.
    entry: Vec<usize>,
    /// `[n]`: the user of each cell, numbered from 0 without gaps.
    user: Vec<u32>,
    item: Vec<ItemId>,
    slot: Vec<u16>,
    accepted: Vec<bool>,
    /// The logging policy's probability; empty if unknown.
    propensity: Vec<f32>,
    /// `(u - r) / T`.
    gap: Vec<f64>,
    /// The examination probability of the slot.
    weight: Vec<f64>,
    /// The shift of the reject logit before the level is set.
    pub(super) own_shift: f64,
    /// The user of the data set behind each number.
    pub(super) sources: Vec<LogUserId>,
    lists: usize,
    pub(super) repeated: usize,
    pub(super) unrated: usize,
    /// Accepted cells whose item is in the log of their user.
    pub(super) known: usize,
}

impl Cells {
    /// Asks the model of the experiment about all lists.
    ///
    /// # Errors
    /// When the model fails, or the exposures do not determine what was accepted.
    pub fn new(experiment: &Experiment, exposed: &Exposed<'_>) -> Result<Cells, ValidateError> {
        let is_liking = counts_liking(experiment, exposed)?;
        let (model, start) = (experiment.model(), experiment.start());
        let gaps = gaps(experiment, model.rule(), f64::from(model.temperature()), exposed)?;
        // A level that a scenario assumes is not the model's; one from impressions is.
        let own_shift = match experiment.scenario.user.acceptance {
            AcceptanceSpec::Share(_) => 0.0,
            AcceptanceSpec::Log => f64::from(model.reject_shift()),
        };
        let mut cells = Cells::empty();
        cells.own_shift = own_shift;
        let unseen = experiment.scenario.candidates.unseen();
        let mut at = 0;
        for list in exposed.lists.iter() {
            let seen = start.seen_by(list.user);
            for (place, &item) in list.items.iter().enumerate() {
                let (entry, rating) = (at + place, exposed.ratings.get(at + place).copied().unwrap_or(f32::NAN));
                let is_in_log = seen.contains(item);
                if unseen && is_in_log {
                    cells.repeated += 1;
                    continue;
                }
                if is_liking && rating.is_nan() {
                    cells.unrated += 1;
                    continue;
                }
                cells.list.push(at as u32);
                cells.entry.push(entry);
                cells.user.push(list.user.0);
                cells.item.push(item);
                cells.slot.push(list.slots[place]);
                let is_liked = || experiment.acceptance().is_liking(rating, experiment.data.scale);
                let accepted = if is_liking { is_liked() } else { list.taken[place] };
                cells.accepted.push(accepted);
                cells.known += usize::from(accepted && is_in_log);
                cells.propensity.extend(exposed.lists.propensities.get(entry));
                cells.gap.push(gaps[entry] - own_shift);
                cells.weight.push(model.rule().examination.weight(usize::from(list.slots[place])));
            }
            at += list.items.len();
        }
        cells.number();
        cells.check()?;
        Ok(cells)
    }

    fn empty() -> Cells {
        Cells {
            list: Vec::new(),
            entry: Vec::new(),
            user: Vec::new(),
            item: Vec::new(),
            slot: Vec::new(),
            accepted: Vec::new(),
            propensity: Vec::new(),
            gap: Vec::new(),
            weight: Vec::new(),
            own_shift: 0.0,
            sources: Vec::new(),
            lists: 0,
            repeated: 0,
            unrated: 0,
            known: 0,
        }
    }

    /// Numbers users and lists without gaps.
    fn number(&mut self) {
        let mut users: BTreeMap<LogUserId, u32> = self.user.iter().map(|&user| (LogUserId(user), 0)).collect();
        for (place, (user, number)) in users.iter_mut().enumerate() {
            *number = place as u32;
            self.sources.push(*user);
        }
        self.user.iter_mut().for_each(|user| *user = users[&LogUserId(*user)]);
        let mut last = None;
        for list in &mut self.list {
            if last != Some(*list) {
                last = Some(*list);
                self.lists += 1;
            }
            *list = self.lists as u32 - 1;
        }
    }

    fn check(&self) -> Result<(), ValidateError> {
        let accepted = self.accepted.iter().filter(|&&accepted| accepted).count();
        let problem = if self.is_empty() {
            format!(
                "no shown item is left: {} are in the log of their user already, {} have no rating",
                self.repeated, self.unrated
            )
        } else if accepted == 0 || accepted == self.len() {
            let which = if accepted == 0 { "none" } else { "all" };
            let left_out = match self.repeated {
                0 => String::new(),
                repeated => format!(
                    " ({repeated} more are in the log of their user and left out: if the log was made of these exposures, give a log \
                     from before them, or let users repeat items with `--set candidates.rule=repeats`)"
                ),
            };
            format!(
                "{which} of the {} shown items were accepted, so there is nothing to separate; exposures need both \
                 accepted and rejected items{left_out}",
                self.len()
            )
        } else {
            return Ok(());
        };
        Err(ValidateError::Exposures(problem))
    }

    /// Number of cells.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// True without any cell.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Lists with a cell.
    pub fn lists(&self) -> usize {
        self.lists
    }

    /// Users with a cell.
    pub fn users(&self) -> usize {
        self.sources.len()
    }

    /// True for each accepted cell.
    pub fn accepted(&self) -> &[bool] {
        &self.accepted
    }

    /// The item of each cell.
    pub fn items(&self) -> &[ItemId] {
        &self.item
    }

    /// The slot of each cell.
    pub fn slots(&self) -> &[u16] {
        &self.slot
    }

    /// The user of each cell, numbered from 0.
    pub fn user_numbers(&self) -> &[u32] {
        &self.user
    }

    /// The logging policy's probability of each cell; empty if unknown.
    pub fn propensities(&self) -> &[f32] {
        if self.propensity.len() == self.len() && !self.lack_propensities() { &self.propensity } else { &[] }
    }

    /// True if some cells have a propensity above 0, and others do not.
    pub(super) fn lack_propensities(&self) -> bool {
        // A missing propensity is NaN.
        let known = self.propensity.iter().filter(|&&propensity| propensity > 0.0).count();
        known > 0 && known < self.len()
    }

    /// The ranges of cells that are lists.
    pub(super) fn list_ranges(&self) -> Vec<std::ops::Range<usize>> {
        let mut ranges: Vec<std::ops::Range<usize>> = Vec::with_capacity(self.lists);
        for (cell, &list) in self.list.iter().enumerate() {
            if list as usize == ranges.len() {
                ranges.push(cell..cell);
            }
            if let Some(last) = ranges.last_mut() {
                last.end = cell + 1;
            }
        }
        ranges
    }

    /// `(u - r) / T` of each cell, with the model's own level.
    pub(super) fn gaps(&self) -> &[f64] {
        &self.gap
    }

    /// The model's probability of each cell with `shift` added to rejecting.
    pub fn chances(&self, shift: f64) -> Vec<f64> {
        self.chances_from(&self.gap, shift)
    }

    /// The same with other gaps `[n]`.
    pub(super) fn chances_from(&self, gaps: &[f64], shift: f64) -> Vec<f64> {
        gaps.iter().zip(&self.weight).map(|(&gap, &weight)| Cells::chance_of(gap, shift, weight)).collect()
    }

    /// The gap of each cell, from those of all items of the exposures.
    pub(super) fn picked(&self, gaps: &[f64]) -> Vec<f64> {
        self.entry.iter().map(|&entry| gaps[entry]).collect()
    }

    /// The probability of a cell with another item's gap, for items that were not shown.
    pub(super) fn chance_of(gap: f64, shift: f64, weight: f64) -> f64 {
        weight / (1.0 + libm::exp(shift - gap))
    }

    /// The shift at which the mean probability is the accepted share of cells, or the nearest possible shift.
    pub fn shift_to_observed(&self) -> f64 {
        self.shift_from(&self.gap)
    }

    /// The same with other gaps `[n]`.
    pub(super) fn shift_from(&self, gaps: &[f64]) -> f64 {
        let share = self.accepted.iter().filter(|&&accepted| accepted).count() as f64 / self.len() as f64;
        let (mut low, mut high) = (-60.0, 60.0);
        for _ in 0..60 {
            let middle = (low + high) / 2.0;
            let mean = self.chances_from(gaps, middle).iter().sum::<f64>() / self.len() as f64;
            if mean > share { low = middle } else { high = middle }
        }
        (low + high) / 2.0
    }

    /// `[users]`: sum and number of the values of each user's cells.
    pub(super) fn of_users(&self, values: &[f64]) -> Vec<(f64, f64)> {
        let mut sums = vec![(0.0, 0.0); self.users()];
        for (&user, value) in self.user.iter().zip(values) {
            let sum = &mut sums[user as usize];
            *sum = (sum.0 + value, sum.1 + 1.0);
        }
        sums
    }
}

/// `(u - r) / T` of each item of the exposures under a rule, without a level.
pub(super) fn gaps(
    experiment: &Experiment,
    rule: &ResponseRule,
    temperature: f64,
    exposed: &Exposed<'_>,
) -> Result<Vec<f64>, UserError> {
    let lists: Vec<Impression<'_>> = exposed.lists.iter().collect();
    let utilities = shown_utilities(experiment.model().model(), rule, experiment.start(), &lists)?;
    let mut gaps = Vec::with_capacity(exposed.lists.items.len());
    for row in &utilities {
        if let Some((reject, items)) = row.split_last() {
            let reject = f64::from(*reject) / temperature;
            gaps.extend(items.iter().map(|&utility| f64::from(utility) / temperature - reject));
        }
    }
    Ok(gaps)
}

/// Returns true if a cell is accepted by its rating, and false where taking counts.
fn counts_liking(experiment: &Experiment, exposed: &Exposed<'_>) -> Result<bool, ValidateError> {
    let spec = &experiment.scenario.user;
    if spec.accept == AcceptSpec::Take {
        let all = exposed.lists.taken.iter().all(|&taken| taken);
        if all && !exposed.ratings.is_empty() {
            return Err(ValidateError::Exposures(
                "the exposures have ratings and no record of taken items; use --accept like".to_owned(),
            ));
        }
        return Ok(false);
    }
    if exposed.ratings.iter().all(|rating| rating.is_nan()) {
        return Err(ValidateError::Exposures(
            "--accept like needs exposures with ratings, and these have none; ask with --accept take".to_owned(),
        ));
    }
    Ok(true)
}

//! Validation of a user model on real exposures.
//!
//! Every shown item is a *cell*. Users accepted it or not: they took it, or rated it at or above a threshold. The user
//! model predicts `p = w_slot sigmoid((u - r) / T - shift)`, for the item alone in its slot. Cells whose item is in the
//! log of their user are left out, unless the scenario lets users repeat items (`candidates.rule = "repeats"`). There
//! are three questions:
//!
//! - **Does it predict what is accepted?** The area under the ROC curve (AUC), the logarithmic loss before and after one number,
//!   the level, is set to that of the cells, and predicted against observed shares by slot, popularity, and group of items.
//! - **Does it rank policies?** Each policy orders the shown items of a list, and the value of its best `k` is their
//!   accepted share. If items were shown at random this is the policy's true value on `k` of the list (the replay idea
//!   of Li et al. 2011, for whole lists). The user model predicts the same value. A pair of policies is *separated* by
//!   the truth if the 95% interval of its difference excludes 0, and the model is right if its order is the same.
//! - **How far off is its level?** Root mean square of predicted minus observed value over policies, before and after the level
//!   is set.
//!
//! If propensities are logged, values are estimated for items of the whole catalogue ([`crate::off_policy::rounds`]):
//! those of the scenario's policies, and of target policies that are given by their probabilities or by their own log.
//! Intervals are percentiles of a bootstrap over users.

mod calibration;
mod cells;
mod logged;
mod measures;
mod readings;
mod table;
mod targets;
mod values;

pub use self::calibration::{CalibrationRow, CalibrationTable};
pub use self::cells::{Cells, Exposed};
pub use self::logged::LoggedValue;
pub use self::measures::Figure;
pub(crate) use self::measures::Resamples;
pub use self::readings::Reading;
pub use self::values::{PolicyValue, Ranking};

use crate::dataset::TargetPolicy;
use crate::experiment::{Experiment, ExperimentError};
use crate::scenario::AcceptSpec;
use crate::user::{ExaminationEstimate, estimate_examination};
use serde::Serialize;

/// The question.
#[derive(Clone, Debug)]
pub struct Question {
    /// Items of a list that count for a policy's value.
    pub best: usize,
    /// Resamples of the bootstrap.
    pub resamples: usize,
    /// Policies to value that are given by their actions.
    pub targets: Vec<TargetPolicy>,
}

/// Unusable exposures.
#[derive(Debug, thiserror::Error)]
pub enum ValidateError {
    /// The model or a policy fails.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// The model fails.
    #[error(transparent)]
    User(#[from] crate::user::UserError),
    /// The exposures do not fit the question.
    #[error("{0}")]
    Exposures(String),
}

/// The agreement of a user model with users' responses to shown items.
#[derive(Clone, Debug, Serialize)]
pub struct Validation {
    /// Version of recmirror.
    pub version: &'static str,
    /// Name of the user model.
    pub model: String,
    /// The meaning of "accepted".
    pub accepted: String,
    /// Cells, lists and users.
    pub cells: usize,
    /// Lists with a cell.
    pub lists: usize,
    /// Users with a cell.
    pub users: usize,
    /// Cells left out because their item is in the log of their user.
    pub repeated: usize,
    /// Cells left out because they have no rating.
    pub unrated: usize,
    /// The share of cells that were accepted.
    pub observed: Figure,
    /// The share that the model predicts, before its level is set.
    pub predicted: Figure,
    /// Area under the ROC curve of the model.
    pub auc: Figure,
    /// Logarithmic loss as the model is.
    pub loss_before: Figure,
    /// Logarithmic loss with its level set to that of the cells.
    pub loss: Figure,
    /// Logarithmic loss of the observed share for every cell.
    pub loss_of_base_rate: f64,
    /// Predicted (level set) against observed shares.
    pub calibration: Vec<CalibrationTable>,
    /// The examination of slots, if users took items from lists with a known order.
    pub examination: Option<ExaminationEstimate>,
    /// Values of policies on lists, and the model's order of them; `None` where no list has more than `best`
    /// items, or no policy can rank them.
    pub ranking: Option<Ranking>,
    /// The meanings of acceptance that the model can answer, on the same cells; empty where there is only one.
    pub readings: Vec<Reading>,
    /// Values of target policies, then of the scenario's, on the whole catalogue; the latter need propensities.
    pub logged: Vec<LoggedValue>,
    /// The verdict, in sentences.
    pub verdict: Vec<String>,
    /// Notes for the reader.
    pub notes: Vec<String>,
}

/// Compares the user model of an experiment with exposures. The policies are those of its scenario; the log is complete
/// if its holdout is 0.
///
/// # Errors
/// When the model or a policy fails, or there is no cell, or all cells or none are accepted.
pub fn validate(experiment: &Experiment, exposed: &Exposed<'_>, ask: &Question) -> Result<Validation, ValidateError> {
    let cells = Cells::new(experiment, exposed)?;
    let resamples = Resamples::new(cells.users(), ask.resamples, experiment.scenario.seed);
    let plain = cells.chances(0.0);
    let shift = cells.shift_to_observed();
    let level_set = cells.chances(shift);
    let loss = |chances: &[f64]| resamples.mean(&cells.of_users(&measures::losses(chances, cells.accepted())));
    let accepted: Vec<f64> = cells.accepted().iter().map(|&accepted| f64::from(u8::from(accepted))).collect();
    let observed = resamples.mean(&cells.of_users(&accepted));
    let (examination, problem) = examination(experiment, exposed, &cells);
    let contest = values::contest(experiment, &cells, ask.best, &resamples);
    let ranking = contest.as_ref().map(|contest| contest.ranking([&plain, &level_set], &resamples));
    let readings = readings::readings(experiment, exposed, &cells, contest.as_ref(), &resamples)?;
    let (logged, logged_notes) = logged(experiment, exposed, &cells, ask, &level_set)?;
    let mut notes = exposed.notes.to_vec();
    notes.extend(experiment.model().model().notes());
    notes.extend(problem.map(|problem| format!("The examination of slots cannot be estimated: {problem}.")));
    notes.extend(notes_of(&cells, ranking.is_some()));
    notes.extend(logged_notes);
    let mut found = Validation {
        version: env!("CARGO_PKG_VERSION"),
        model: name(experiment),
        accepted: experiment.acceptance().accepted.clone(),
        cells: cells.len(),
        lists: cells.lists(),
        users: cells.users(),
        repeated: cells.repeated,
        unrated: cells.unrated,
        predicted: resamples.mean(&cells.of_users(&plain)),
        auc: resamples.auc(&plain, &cells),
        loss_before: loss(&plain),
        loss: loss(&level_set),
        loss_of_base_rate: measures::entropy(observed.estimate),
        observed,
        calibration: calibration::tables(experiment, &cells, &level_set, &resamples),
        examination,
        ranking,
        readings,
        logged,
        verdict: Vec::new(),
        notes,
    };
    found.verdict = table::verdict(&found);
    Ok(found)
}

/// Notes on the cells for readers.
fn notes_of(cells: &Cells, has_ranking: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if cells.repeated > 0 {
        notes.push(format!("{} shown items are in the log of their user already and are left out.", cells.repeated));
    }
    if cells.known > 0 {
        notes.push(format!(
            "{} of the {} accepted items are in the log of their user: the user model has seen these answers, and AUC, log loss and \
             calibration look better than they are.",
            cells.known,
            cells.accepted().iter().filter(|&&accepted| accepted).count()
        ));
    }
    if has_ranking {
        notes.push(
            "Values of policies on lists are true values where the lists were drawn at random; where a recommender chose them, \
             they are those of policies that rank what it chose."
                .to_owned(),
        );
    }
    notes
}

/// Values of targets and of the scenario's policies on the whole catalogue, with notes for readers.
fn logged(
    experiment: &Experiment,
    exposed: &Exposed<'_>,
    cells: &Cells,
    ask: &Question,
    chances: &[f64],
) -> Result<(Vec<LoggedValue>, Vec<String>), ValidateError> {
    let (mut found, mut notes) = targets::values(experiment, cells, &ask.targets, chances, exposed.notes)?;
    found.extend(logged::values(experiment, cells, chances)?);
    if !found.is_empty() && cells.list_ranges().iter().any(|list| list.len() > 1) {
        notes.push(
            "Some lists have several items: each shown item counts as a round of its slot, accepted for its own item alone."
                .to_owned(),
        );
    }
    if cells.lack_propensities() {
        notes.push(
            "Some shown items have no logged propensity above 0, so that no value is estimated from propensities."
                .to_owned(),
        );
    }
    Ok((found, notes))
}

/// The name of the user model; that of its kind where its card has none.
fn name(experiment: &Experiment) -> String {
    let named = experiment.card().map(|card| card.name.clone()).filter(|name| !name.is_empty());
    named.unwrap_or_else(|| experiment.model().model().kind().to_owned())
}

/// Resamples of the intervals of examination.
const EXAMINATION_RESAMPLES: usize = 200;

/// The estimate, or the reason why a possible estimate is missing.
fn examination(
    experiment: &Experiment,
    exposed: &Exposed<'_>,
    cells: &Cells,
) -> (Option<ExaminationEstimate>, Option<String>) {
    let is_taken = experiment.scenario.user.accept == AcceptSpec::Take;
    let most = exposed.lists.slots.iter().max().copied().unwrap_or(0);
    if !is_taken || most == 0 || !calibration::have_order(cells) {
        return (None, None);
    }
    match estimate_examination(exposed.lists, EXAMINATION_RESAMPLES, experiment.scenario.seed) {
        Ok(found) => (Some(found), None),
        Err(problem) => (None, Some(problem)),
    }
}

#[cfg(test)]
pub(crate) mod tests;

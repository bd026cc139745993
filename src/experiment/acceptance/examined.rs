//! The examination of slots in a scenario.
//!
//! Keys, or an estimate from impressions, become the examination rule and a sentence about it.

use super::from_log::Exposure;
use crate::dataset::{Dataset, Impressions};
use crate::scenario::{ExaminationRule, ExaminationWeights, UserSpec};
use crate::simulation::StartingPoint;
use crate::user::{Examination, ExaminationEstimate, UserError, estimate_examination};

/// Resamples of the intervals of estimated weights.
const RESAMPLES: usize = 200;

/// The examination of the scenario's users, and a sentence about it.
///
/// # Errors
/// When the weights do not fit the slate or the rule, or the impressions do not determine them.
pub(super) fn examined(
    spec: &UserSpec,
    slate: usize,
    data: &Dataset,
    start: &StartingPoint,
    seed: u64,
) -> Result<(Examination, String), UserError> {
    match &spec.examination_weights {
        ExaminationWeights::Given(weights) => Ok((given(spec.examination, weights, slate)?, words(spec).to_owned())),
        ExaminationWeights::Log => estimated(spec.examination, slate, data, start, seed),
    }
}

fn fail<T>(problem: &str) -> Result<T, UserError> {
    Err(UserError::Setup(format!("`user.examination_weights` {problem}")))
}

fn given(rule: ExaminationRule, weights: &[f64], slate: usize) -> Result<Examination, UserError> {
    let weights: Vec<f32> = weights.iter().map(|&weight| weight as f32).collect();
    if weights.is_empty() {
        return Ok(match rule {
            ExaminationRule::None => Examination::All,
            ExaminationRule::Position => Examination::Position(weights),
            ExaminationRule::Cascade => Examination::Cascade(weights),
        });
    }
    if weights.len() < slate {
        return fail(&format!("has {} numbers for slates of {slate}; give one for each slot", weights.len()));
    }
    match rule {
        ExaminationRule::None => {
            fail("means nothing with `user.examination = \"none\"`; set that to \"position\" or \"cascade\"")
        }
        ExaminationRule::Position => Ok(Examination::Position(weights)),
        ExaminationRule::Cascade if weights.windows(2).any(|pair| pair[1] > pair[0]) => {
            fail("increases from one slot to the next; a cascade goes down the slate, so the numbers must not increase")
        }
        ExaminationRule::Cascade => Ok(Examination::Cascade(weights)),
    }
}

fn words(spec: &UserSpec) -> &'static str {
    let is_default = spec.examination_weights == ExaminationWeights::Given(Vec::new());
    match (spec.examination, is_default) {
        (ExaminationRule::None, _) => "all slots are examined",
        (ExaminationRule::Position, true) => "slots are examined by position, with 1 / log2(slot + 1), an assumption",
        (ExaminationRule::Position, false) => "slots are examined by position, as the scenario says",
        (ExaminationRule::Cascade, true) => {
            "slots are examined from the top until one is taken, as far as 1 / log2(slot + 1) goes, an assumption"
        }
        (ExaminationRule::Cascade, false) => {
            "slots are examined from the top until one is taken, as far as the scenario says"
        }
    }
}

/// Estimates the weights from the impressions before the cut.
fn estimated(
    rule: ExaminationRule,
    slate: usize,
    data: &Dataset,
    start: &StartingPoint,
    seed: u64,
) -> Result<(Examination, String), UserError> {
    if rule != ExaminationRule::Position {
        return fail(
            "is \"log\", which estimates examination by position alone; set `user.examination` to \
             \"position\", or give numbers",
        );
    }
    if data.impressions.is_empty() {
        return fail(
            "is \"log\", and the data have no impressions (lists that were shown, with what was taken); give numbers, or \
             none for the default",
        );
    }
    let (places, which) = Exposure::of(data, start).before();
    if places.is_empty() {
        return fail(
            "is \"log\", and no impression comes before the cut; hold out less (`data.holdout`), or give numbers",
        );
    }
    let lists = subset(&data.impressions, &places);
    let found = match estimate_examination(&lists, RESAMPLES, seed) {
        Ok(found) => found,
        Err(problem) => {
            return fail(&format!(
                "is \"log\", and the {} impressions {which} do not determine them: {problem}",
                lists.len()
            ));
        }
    };
    if let Some(slot) = (0..slate).find(|&slot| found.weights.get(slot).is_none_or(|&weight| weight == 0.0)) {
        return fail(&format!(
            "is \"log\", and nothing was taken from slot {} of the {} impressions {which}, of which the slates of the scenario have \
             {slate}; set `slate` to fewer, or give numbers",
            slot + 1,
            lists.len()
        ));
    }
    let weights = found.weights.iter().map(|&weight| weight as f32).collect();
    Ok((Examination::Position(weights), description(&found, slate, which)))
}

fn subset(lists: &Impressions, places: &[usize]) -> Impressions {
    let mut found = Impressions::default();
    for list in places.iter().map(|&place| lists.get(place)) {
        let entries = list.items.iter().zip(list.taken).zip(list.slots);
        found.push(list.user, list.time, entries.map(|((&item, &taken), &slot)| (item, taken, slot)));
    }
    found
}

fn description(found: &ExaminationEstimate, slate: usize, which: &str) -> String {
    let one = |slot: usize| {
        let ends = match (found.low[slot], found.high[slot]) {
            (low, high) if low < high => format!(" [{low:.2}, {high:.2}]"),
            _ => String::new(),
        };
        format!("{:.2}{ends}", found.weights[slot])
    };
    let weights: Vec<String> = (0..slate).map(one).collect();
    format!(
        "slots are examined by position, with {} [95% intervals] as estimated from {} impressions {which} \
         (position-based model, relative to the slot that is examined most)",
        weights.join(", "),
        found.lists
    )
}

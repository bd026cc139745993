//! Readings of a user model's answers as probabilities of acceptance.
//!
//! A user model gives choice logits and rating logits. *take* reads the first, *like* the second, and *take and like*
//! multiplies both probabilities. All readings are compared on the same cells and the same policies, each with its level
//! set, so the exposures show which meaning of `user.accept` fits them.

use super::ValidateError;
use super::cells::{Cells, Exposed, gaps};
use super::measures::{Figure, Resamples, losses};
use super::values::Contest;
use crate::experiment::Experiment;
use crate::scenario::AcceptSpec;
use crate::user::{Accept, ResponseRule};
use serde::Serialize;

/// A reading, with its level set to that of the cells.
#[derive(Clone, Debug, Serialize)]
pub struct Reading {
    /// The probability that is read: `take`, `like`, or `take and like`.
    pub meaning: &'static str,
    /// True for the meaning of `user.accept`.
    pub is_asked: bool,
    /// Area under the ROC curve.
    pub auc: Figure,
    /// Logarithmic loss.
    pub loss: Figure,
    /// Logarithmic loss minus that of the meaning of `user.accept`, paired by cell; `None` for that meaning itself.
    pub loss_difference: Option<Figure>,
    /// Pairs of policies in the users' order, of those that the responses separate; `None` without a ranking.
    pub pairs_right: Option<usize>,
    /// Kendall's tau-b of predicted and observed values of policies.
    pub kendall_tau: Option<f64>,
    /// Root mean square of predicted minus observed values of policies.
    pub level_rmse: Option<f64>,
}

/// All readings; empty if the model or the log has no ratings, because then there is only one.
pub(super) fn readings(
    experiment: &Experiment,
    exposed: &Exposed<'_>,
    cells: &Cells,
    contest: Option<&Contest<'_>>,
    resamples: &Resamples,
) -> Result<Vec<Reading>, ValidateError> {
    if !experiment.model().model().rates() || experiment.data.scale.is_none() {
        return Ok(Vec::new());
    }
    let is_take = experiment.scenario.user.accept == AcceptSpec::Take;
    let other = if is_take { Accept::Like { level: experiment.acceptance().like_level } } else { Accept::Take };
    let rule = ResponseRule { accept: other, examination: experiment.model().rule().examination.clone() };
    // All at the temperature of the scenario, because a fitted one serves the meaning that is asked.
    let temperature = f64::from(experiment.scenario.user.temperature as f32);
    let ratio = f64::from(experiment.model().temperature()) / temperature;
    let own: Vec<f64> = cells.gaps().iter().map(|gap| gap * ratio).collect();
    let other = cells.picked(&gaps(experiment, &rule, temperature, exposed)?);
    let asked = if is_take { "take" } else { "like" };
    let (take, like) = if is_take { (&own[..], &other[..]) } else { (&other[..], &own[..]) };
    let both: Vec<f64> = take.iter().zip(like).map(|(&take, &like)| gap_of_both(take, like)).collect();
    let (_, losses_of_asked) = level_set(cells, &own);
    let all = [("take", take), ("like", like), ("take and like", &both)];
    let reading = |(meaning, gaps): (&'static str, &[f64])| {
        let (chances, losses) = level_set(cells, gaps);
        let is_asked = meaning == asked;
        let differences: Vec<f64> = losses.iter().zip(&losses_of_asked).map(|(loss, asked)| loss - asked).collect();
        let agreement = contest.map(|contest| contest.agreement(&chances));
        Reading {
            meaning,
            is_asked,
            auc: resamples.auc(&chances, cells),
            loss: resamples.mean(&cells.of_users(&losses)),
            loss_difference: (!is_asked).then(|| resamples.mean(&cells.of_users(&differences))),
            pairs_right: agreement.as_ref().map(|found| found.right),
            kendall_tau: agreement.as_ref().and_then(|found| found.kendall_tau),
            level_rmse: agreement.map(|found| found.level_rmse),
        }
    };
    Ok(all.into_iter().map(reading).collect())
}

/// The chance and the loss of each cell when the level is set to that of the cells.
fn level_set(cells: &Cells, gaps: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let chances = cells.chances_from(gaps, cells.shift_from(gaps));
    let losses = losses(&chances, cells.accepted());
    (chances, losses)
}

/// The logit of the product of two probabilities with these logits: `ln(1 / (e^-a + e^-b + e^-(a + b)))`.
fn gap_of_both(a: f64, b: f64) -> f64 {
    // Logits beyond this have probabilities of 0 and 1 in every sum below.
    let (a, b) = (a.clamp(-300.0, 300.0), b.clamp(-300.0, 300.0));
    -libm::log(libm::exp(-a) + libm::exp(-b) + libm::exp(-a - b))
}

#[cfg(test)]
mod tests {
    use super::gap_of_both;

    #[test]
    fn the_product_of_two_probabilities_has_this_logit() {
        let chance = |gap: f64| 1.0 / (1.0 + libm::exp(-gap));
        for (a, b) in [(0.0, 0.0), (1.5, -2.0), (40.0, 0.7), (-9.0, -3.0)] {
            let product = chance(a) * chance(b);
            assert!((chance(gap_of_both(a, b)) - product).abs() < 1e-12 * product.max(1e-3), "{a} {b}");
        }
        assert!(gap_of_both(900.0, -900.0).is_finite());
    }
}

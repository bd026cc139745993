//! The verdict on a user model.
//!
//! One sentence, and whether to trust the model.

use super::clicks::{BY_SLOT, GAIN, LISTS, POPULARITY};
use super::{Alignment, ClickAlignment};

/// The least held-out scenes for a verdict.
const LEAST_SCENES: usize = 200;
/// A model with a smaller lead over another user's memory is called impersonal.
const PERSONAL: f64 = 0.02;
/// The list type of the verdict: popularity does not help there.
const JUDGED: &str = "popularity-matched";

/// The verdict on a user model.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Verdict {
    /// True if the model predicts users better than item-kNN, and distinguishes users.
    pub is_trusted: bool,
    /// One sentence for readers.
    pub text: String,
}

impl Alignment {
    /// The verdict on the model: from held-out impressions if there are any, otherwise from paired differences on
    /// popularity-matched lists.
    pub fn verdict(&self) -> Verdict {
        match &self.lists {
            Some(lists) => self.of_clicks(lists),
            None => self.of_choices(),
        }
    }

    /// The verdict from paired differences of click log losses.
    fn of_clicks(&self, lists: &ClickAlignment) -> Verdict {
        let gain = |over: &str| {
            let who = format!("model over {over}");
            let fits = |figure: &&super::Figure| figure.measure == GAIN && figure.who == who && figure.list == LISTS;
            self.figures.iter().find(fits).map_or([f64::NAN; 3], |of| [of.estimate, of.low, of.high])
        };
        let gains = [BY_SLOT, POPULARITY].map(|over| (over, gain(over)));
        if gains.iter().any(|(_, gain)| lacks_interval(gain)) {
            return of_one_user();
        }
        let margins = gains.map(|(over, [estimate, low, high])| {
            format!("{:.2} ({:.2} to {:.2}) than {over}", 1e3 * estimate, 1e3 * low, 1e3 * high)
        });
        let margins = margins.join(", ");
        let ClickAlignment { lists: count, taken, .. } = lists;
        let basis = format!("on {count} held-out lists with {taken} items taken");
        let is_above = |of: &(&str, [f64; 3])| of.1[1] > 0.0;
        let is_below = |of: &(&str, [f64; 3])| of.1[2] < 0.0;
        let is_trusted = gains.iter().all(is_above);
        let text = if is_trusted {
            format!(
                "predicts what is taken {basis} better than chance rules: click log loss in thousandths lower by \
                 {margins}"
            )
        } else if gains.iter().any(is_below) {
            format!(
                "is worse than a rule {basis}: click log loss in thousandths lower by {margins}: do not trust \
                 this model"
            )
        } else {
            format!(
                "{count} held-out lists with {taken} items taken do not suffice to say that it predicts what is taken better than chance rules: click log loss in \
                 thousandths lower by {margins}; do not use it to compare personalised policies"
            )
        };
        Verdict { is_trusted, text }
    }

    fn of_choices(&self) -> Verdict {
        let doubt = |text: String| Verdict { is_trusted: false, text };
        if self.scenes < LEAST_SCENES {
            return doubt(format!(
                "only {} held-out scenes, {LEAST_SCENES} are needed for a verdict: do not trust this model",
                self.scenes
            ));
        }
        let lead = |over: &str| {
            let fits =
                |figure: &&super::Figure| figure.measure == "lead" && figure.who == over && figure.list == JUDGED;
            self.figures.iter().find(fits).map(|of| [of.estimate, of.low, of.high])
        };
        let (Some(knn), Some(swapped)) = (lead("model over item-kNN"), lead("model over another user's memory")) else {
            return doubt("nothing was measured on popularity-matched lists".to_owned());
        };
        if lacks_interval(&knn) || lacks_interval(&swapped) {
            return of_one_user();
        }
        if swapped[1] <= 0.0 || swapped[2] < PERSONAL {
            return doubt(format!(
                "nearly no personal signal: with another user's memory the model chooses as well ({} on {JUDGED} lists): do \
                 not use it to compare personalised policies",
                points(swapped)
            ));
        }
        if knn[1] > 0.0 {
            let text = format!("beats item-kNN on {JUDGED} lists by {}", points(knn));
            return Verdict { is_trusted: true, text };
        }
        let how = if knn[2] < 0.0 { "is worse than" } else { "is no better than" };
        doubt(format!(
            "{how} item-kNN on {JUDGED} lists ({}): its ranking of policies is worth no more than that of a \
             nearest-neighbour rule",
            points(knn)
        ))
    }
}

/// Returns true for a figure of one user alone.
fn lacks_interval([estimate, low, _]: &[f64; 3]) -> bool {
    estimate.is_finite() && low.is_nan()
}

fn of_one_user() -> Verdict {
    let text =
        "all held-out rows are of one user, so nothing says how the model does for others: do not trust this model";
    Verdict { is_trusted: false, text: text.to_owned() }
}

fn points([estimate, low, high]: [f64; 3]) -> String {
    let [estimate, low, high] = [estimate, low, high].map(|share| 100.0 * share);
    format!("{estimate:.1} points, {low:.1} to {high:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::Figure;

    fn alignment(scenes: usize, knn: [f64; 3], swapped: [f64; 3]) -> Alignment {
        let figure = |who: &str, [estimate, low, high]: [f64; 3]| Figure {
            measure: "lead",
            who: who.to_owned(),
            list: JUDGED,
            scenes,
            estimate,
            low,
            high,
        };
        let figures = vec![figure("model over item-kNN", knn), figure("model over another user's memory", swapped)];
        Alignment { data: "shop".to_owned(), scenes, seed: 1, figures, lists: None }
    }

    #[test]
    fn verdicts_follow_the_intervals() {
        let personal = [0.3, 0.28, 0.32];
        let cases = [
            (
                alignment(1000, [0.06, 0.04, 0.08], personal),
                true,
                "beats item-kNN on popularity-matched lists by 6.0 points, 4.0 to 8.0",
            ),
            (alignment(1000, [0.01, -0.01, 0.03], personal), false, "is no better than item-kNN"),
            (alignment(1000, [-0.05, -0.07, -0.03], personal), false, "is worse than item-kNN"),
            (alignment(1000, [0.06, 0.04, 0.08], [0.005, 0.001, 0.009]), false, "nearly no personal signal"),
            (alignment(1000, [0.06, 0.04, 0.08], [0.03, -0.01, 0.07]), false, "nearly no personal signal"),
            (alignment(50, [0.06, 0.04, 0.08], personal), false, "only 50 held-out scenes"),
            (
                alignment(1000, [0.06, f64::NAN, f64::NAN], [0.3, f64::NAN, f64::NAN]),
                false,
                "all held-out rows are of one user",
            ),
        ];
        for (found, is_trusted, text) in cases {
            let verdict = found.verdict();
            assert!(verdict.is_trusted == is_trusted && verdict.text.starts_with(text), "{verdict:?}");
        }
    }

    #[test]
    fn impressions_decide_where_there_are_any() {
        let with = |by_slot: [f64; 3], popularity: [f64; 3]| {
            let mut found = alignment(1000, [0.06, 0.04, 0.08], [0.3, 0.28, 0.32]);
            let gain = |over: &str, [estimate, low, high]: [f64; 3]| {
                let who = format!("model over {over}");
                Figure { measure: GAIN, who, list: LISTS, scenes: 900, estimate, low, high }
            };
            found.figures.extend([gain(BY_SLOT, by_slot), gain(POPULARITY, popularity)]);
            found.lists = Some(ClickAlignment { lists: 90, cells: 900, taken: 70, ..ClickAlignment::default() });
            found.verdict()
        };
        let better = with([0.004, 0.001, 0.007], [0.002, 0.0001, 0.004]);
        assert!(better.is_trusted && better.text.contains("4.00 (1.00 to 7.00) than constant by slot"), "{better:?}");
        let unsure = with([0.004, 0.001, 0.007], [0.002, -0.001, 0.004]);
        assert!(!unsure.is_trusted && unsure.text.starts_with("90 held-out lists with 70 items taken do not suffice"));
        let worse = with([0.004, 0.001, 0.007], [-0.002, -0.003, -0.001]);
        assert!(!worse.is_trusted && worse.text.starts_with("is worse than a rule"), "{worse:?}");
    }
}

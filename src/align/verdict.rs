//! One sentence on how far a user model can be trusted, from the intervals of an alignment.

use super::Alignment;

/// Held-out scenes below which nothing is said.
const LEAST_SCENES: usize = 200;
/// A lead over another user's memory below which a model is called impersonal.
const PERSONAL: f64 = 0.02;
/// The list type on which a model is judged: the popularity of an item says nothing there.
const JUDGED: &str = "popularity-matched";

/// What an alignment says of a model.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Verdict {
    /// Whether the model knows users better than item-kNN does, and users apart.
    pub is_trusted: bool,
    /// One sentence for people.
    pub text: String,
}

impl Alignment {
    /// The verdict on the model, from paired differences on popularity-matched lists.
    pub fn verdict(&self) -> Verdict {
        let doubt = |text: String| Verdict { is_trusted: false, text };
        if self.scenes < LEAST_SCENES {
            return doubt(format!(
                "only {} held-out scenes, {LEAST_SCENES} are needed to say anything: do not trust this model",
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
            "{how} item-kNN on {JUDGED} lists ({}): what it says of policies is worth no more than a nearest-neighbour rule",
            points(knn)
        ))
    }
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
        Alignment { data: "shop".to_owned(), scenes, seed: 1, figures }
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
        ];
        for (found, is_trusted, text) in cases {
            let verdict = found.verdict();
            assert!(verdict.is_trusted == is_trusted && verdict.text.starts_with(text), "{verdict:?}");
        }
    }
}

//! Scores of one scene for distillation.

use super::judged::{Decisions, JudgedScene};
use super::uncertainty::{Uncertainty, entropy};
use crate::language::Letter;
use crate::pipeline::Strength;
use serde::Serialize;

/// The index of a decision of a scene: the model, and the place in its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pick {
    pub strength: Strength,
    pub place: usize,
    pub letter: Letter,
}

/// The measures of one scene, in bits, under the column names of the paper's reference code: `teacher` is the strong
/// model, `student` the weak one, and every `diff` is weak minus strong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SceneMeasures {
    /// The data set's name.
    pub dataset: String,
    /// The scene's row in `NAME_train.jsonl`, counted from 0.
    pub cid: u64,
    /// Items in the scene's list.
    pub choice_cnt: usize,
    /// Mean over the strong model's decisions of the entropy of the behaviour.
    pub teacher_entropy: f64,
    /// The same for the weak model.
    pub student_entropy: f64,
    /// Entropy of the mean of the strong model's distributions.
    pub teacher_uncertainty: f64,
    /// The same for the weak model.
    pub student_uncertainty: f64,
    /// Difference of the entropies of the means.
    pub diff_all_uncertainty: f64,
    /// Difference of the mean entropies, by which `gap` ranks.
    pub diff_model_uncertainty: f64,
    /// The remaining difference: how much the decisions disagree.
    pub diff_data_uncertainty: f64,
    /// Mean log loss of the real behaviour under the strong model.
    pub teacher_logloss: f64,
    /// The same for the weak model.
    pub student_logloss: f64,
}

/// A usable scene, before pairs are selected.
#[derive(Clone, Debug)]
pub(super) struct ScoredScene {
    pub measures: SceneMeasures,
    /// Share of the strong model's decisions that hit.
    pub accuracy: f64,
    /// The decision that hit and the one that missed; absent if either is missing.
    pub pair: Option<(Pick, Pick)>,
}

/// The reason why a scene is unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Useless {
    /// One of the models has no usable decision.
    NoDecision(Strength),
    /// No decision of either model hits.
    NoHit,
}

/// Scores one scene.
pub(super) fn score(judged: &JudgedScene, dataset: &str) -> Result<ScoredScene, Useless> {
    let answer = judged.answer;
    for (strength, decisions) in [(Strength::Strong, &judged.strong), (Strength::Weak, &judged.weak)] {
        if decisions.texts.is_empty() {
            return Err(Useless::NoDecision(strength));
        }
    }
    let hits = |decisions: &Decisions| decisions.behaviors.iter().filter(|&&letter| letter == answer).count();
    if hits(&judged.strong) + hits(&judged.weak) == 0 {
        return Err(Useless::NoHit);
    }
    let strong = Uncertainty::of(&judged.strong.distributions, answer.place());
    let weak = Uncertainty::of(&judged.weak.distributions, answer.place());
    let hit = surest(judged, &[Strength::Strong], |letter| letter == answer);
    let miss = surest(judged, &Strength::BOTH, |letter| letter != answer);
    let measures = SceneMeasures {
        dataset: dataset.to_owned(),
        cid: judged.row,
        choice_cnt: judged.scene.choice_cnt,
        teacher_entropy: strong.mean_entropy,
        student_entropy: weak.mean_entropy,
        teacher_uncertainty: strong.total,
        student_uncertainty: weak.total,
        diff_all_uncertainty: weak.total - strong.total,
        diff_model_uncertainty: weak.mean_entropy - strong.mean_entropy,
        diff_data_uncertainty: weak.disagreement() - strong.disagreement(),
        teacher_logloss: strong.log_loss,
        student_logloss: weak.log_loss,
    };
    let accuracy = hits(&judged.strong) as f64 / judged.strong.texts.len() as f64;
    Ok(ScoredScene { measures, accuracy, pair: hit.zip(miss) })
}

/// The decision of lowest entropy among those whose label `wanted` accepts; the first of equals.
fn surest(judged: &JudgedScene, models: &[Strength], wanted: impl Fn(Letter) -> bool) -> Option<Pick> {
    let mut best: Option<(f64, Pick)> = None;
    for &strength in models {
        let decisions = judged.of(strength);
        for (place, (&letter, distribution)) in decisions.behaviors.iter().zip(&decisions.distributions).enumerate() {
            let bits = entropy(distribution);
            if wanted(letter) && best.is_none_or(|(lowest, _)| bits < lowest) {
                best = Some((bits, Pick { strength, place, letter }));
            }
        }
    }
    best.map(|(_, pick)| pick)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decisions(rows: &[(f64, usize)]) -> Decisions {
        Decisions {
            texts: rows.iter().map(|(first, _)| format!("{first}")).collect(),
            distributions: rows.iter().map(|&(first, _)| vec![first, 1.0 - first]).collect(),
            behaviors: rows.iter().map(|&(_, place)| Letter::of(place).expect("a letter")).collect(),
        }
    }

    fn judged(strong: &[(f64, usize)], weak: &[(f64, usize)]) -> JudgedScene {
        let text = r#"{"text": {"profile": "", "history": "", "action_list": ["a", "b"]}, "user_id": 1, "item_id": 2,
            "item_pos": 0, "choice_cnt": 2, "dataset": "x"}"#;
        JudgedScene {
            row: 0,
            scene: serde_json::from_str(text).expect("a scene"),
            answer: Letter::of(0).expect("a letter"),
            strong: decisions(strong),
            weak: decisions(weak),
        }
    }

    #[test]
    fn the_surest_hit_and_the_surest_miss_make_the_pair() {
        let scored = score(&judged(&[(0.7, 0), (0.9, 0), (0.6, 1)], &[(0.95, 0), (0.1, 1)]), "x").expect("useful");
        let (hit, miss) = scored.pair.expect("a pair");
        assert_eq!((hit.strength, hit.place), (Strength::Strong, 1));
        assert_eq!((miss.strength, miss.place), (Strength::Weak, 1));
        assert!((scored.accuracy - 2.0 / 3.0).abs() < 1e-15);
    }

    #[test]
    fn a_hit_of_the_weak_model_alone_keeps_the_scene_but_gives_no_pair() {
        let scored = score(&judged(&[(0.2, 1)], &[(0.9, 0)]), "x").expect("useful");
        assert!(scored.pair.is_none());
    }

    #[test]
    fn scenes_without_hit_or_decision_are_useless() {
        assert_eq!(score(&judged(&[(0.2, 1)], &[(0.9, 1)]), "x").expect_err("no hit"), Useless::NoHit);
        let problem = score(&judged(&[(0.2, 0)], &[]), "x").expect_err("no decision");
        assert_eq!(problem, Useless::NoDecision(Strength::Weak));
    }
}

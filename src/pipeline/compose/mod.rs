//! `composed`: template decisions without a model.
//!
//! The user's option is drawn from a softmax over the share of each option's words in the latest history entries; the
//! text then states it in the form that the prompts require. The strong model uses more history and chooses more
//! sharply than the weak one. What the user really did is never used. Such decisions carry the model name `composed`;
//! they show that the pipeline works, not how users decide.

mod wording;

pub use self::wording::{Wording, WordingError};

use self::wording::{Facts, Habits, Section};
use super::overlap::{Options, softmax, words};
use super::{BEHAVIOR, SceneRecord, Strength};
use crate::language::{Completion, Draws, Finish, Letter};
use crate::random::{below, unit};
use rand_chacha::ChaCha8Rng;

/// The model name that composed decisions carry.
pub const COMPOSED: &str = "composed";

/// The most characters shown of an option or a history entry.
const SHOWN: usize = 90;

/// One decision for a scene, drawn from `draws`.
///
/// # Errors
/// When a template of the wording fails on the scene.
pub fn compose(
    wording: &Wording,
    scene: &SceneRecord,
    none: &str,
    strength: Strength,
    draws: Draws,
) -> Result<Completion, WordingError> {
    let mut rng = draws.streams.derive(draws.purpose, draws.id, draws.first);
    let habits = wording.habits(strength);
    let seen = SceneView::new(scene, none, habits);
    let place = seen.drawn(&mut rng, habits.sharpness);
    let facts = seen.facts(place, &mut rng);
    let stimulus = wording.sentence(Section::Stimulus, &facts, &mut rng)?;
    let stimulus_factors = wording.factors(Section::Stimulus, &mut rng);
    let knowledge = wording.sentence(Section::Knowledge, &facts, &mut rng)?;
    let knowledge_factors = wording.factors(Section::Knowledge, &mut rng);
    let (style, evaluation) = wording.evaluation(&facts, &mut rng)?;
    let letter = Letter::of(place).map(String::from).unwrap_or_default();
    let text = format!(
        "Thought:\nStimulus: {stimulus}\nStimulus Factors: {stimulus_factors}\nKnowledge: {knowledge}\n\
         Knowledge Factors: {knowledge_factors}\nEvaluation: {evaluation}\nEvaluation Style: {style}\n{BEHAVIOR} [{letter}]"
    );
    Ok(Completion { text, finish: Finish::Stop })
}

/// The parts of a scene for comparison.
struct SceneView<'a> {
    texts: Vec<&'a str>,
    entries: Vec<&'a str>,
    profile: &'a str,
    options: Options,
    history: std::collections::BTreeSet<String>,
}

impl<'a> SceneView<'a> {
    fn new(scene: &'a SceneRecord, none: &'a str, habits: &Habits) -> SceneView<'a> {
        let offered = scene.offers_none.then_some(none);
        let texts: Vec<&str> = scene.text.action_list.iter().map(String::as_str).chain(offered).collect();
        let lines: Vec<&str> = scene.text.history.lines().filter(|line| !line.trim().is_empty()).collect();
        let entries = lines[lines.len().saturating_sub(habits.entries)..].to_vec();
        let history = words(&entries.join("\n"));
        let profile = scene.text.profile.lines().next().unwrap_or_default();
        SceneView { options: Options::new(texts.iter().copied()), texts, entries, profile, history }
    }

    fn drawn(&self, rng: &mut ChaCha8Rng, sharpness: f64) -> usize {
        let mut left = unit(rng);
        let probabilities = softmax(&self.options.shares(&self.history), sharpness);
        let hit = probabilities.iter().position(|probability| {
            left -= probability;
            left < 0.0
        });
        hit.unwrap_or(probabilities.len().saturating_sub(1))
    }

    fn facts(&self, place: usize, rng: &mut ChaCha8Rng) -> Facts {
        let rest = (self.texts.len() as u32).saturating_sub(1).max(1);
        let other = (place + 1 + below(rng, rest) as usize) % self.texts.len().max(1);
        let text = |place: usize| short(self.texts.get(place).copied().unwrap_or_default());
        let mut shared = self.options.shared(place, &self.history);
        shared.truncate(3);
        Facts {
            choice: text(place),
            other: text(other),
            recent: self.entries.last().map(|entry| short(entry)).unwrap_or_default(),
            count: self.entries.len(),
            profile: short(self.profile),
            shared: joined(&shared),
            size: self.texts.len(),
        }
    }
}

/// A text in one line of at most [`SHOWN`] characters, without the marks that the form of an answer uses.
fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ").replace(BEHAVIOR, "behaviour");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", line[..end].trim_end()),
        None => line.trim_end_matches('.').to_owned(),
    }
}

/// `a, b and c`.
fn joined(words: &[String]) -> String {
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::ExternalId;
    use crate::pipeline::SceneText;
    use crate::random::{Purpose, Streams};

    fn scene() -> SceneRecord {
        let list = ["Heat [crime]", "Emma [romance]", "Alien [space, horror]"];
        SceneRecord {
            text: SceneText {
                profile: "A woman of 30.\nA writer.".to_owned(),
                history: "Dune [space], rated 5\nSolaris [space], rated 4\nClue [crime], rated 2".to_owned(),
                action_list: list.map(str::to_owned).to_vec(),
            },
            user_id: ExternalId::Number(1),
            item_id: ExternalId::Number(2),
            timestamp: None,
            item_pos: 1,
            choice_cnt: 3,
            dataset: "films".to_owned(),
            offers_none: true,
            builder: None,
            items: None,
        }
    }

    fn composed(scene: &SceneRecord, strength: Strength, sample: u32) -> String {
        let wording = Wording::load(None).expect("the wording");
        let draws = Draws { streams: Streams::new(1, 0), purpose: Purpose::Decision, id: 5, first: sample };
        compose(&wording, scene, "None of these", strength, draws).expect("a decision").text
    }

    fn counts(strength: Strength) -> [usize; 4] {
        let mut counts = [0; 4];
        for sample in 0..400 {
            let text = composed(&scene(), strength, sample);
            let letter = text.as_bytes()[text.len() - 2];
            counts[usize::from(letter - b'A')] += 1;
        }
        counts
    }

    #[test]
    fn a_decision_has_the_form_that_the_prompts_ask_for() {
        let text = composed(&scene(), Strength::Strong, 0);
        let heads: Vec<&str> = text.lines().map(|line| line.split(':').next().unwrap_or_default()).collect();
        let wanted = [
            "Thought",
            "Stimulus",
            "Stimulus Factors",
            "Knowledge",
            "Knowledge Factors",
            "Evaluation",
            "Evaluation Style",
            "Behavior",
        ];
        assert_eq!(heads, wanted);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn the_same_draws_give_the_same_text_and_others_another() {
        let texts: std::collections::BTreeSet<String> =
            (0..10).map(|sample| composed(&scene(), Strength::Strong, sample)).collect();
        assert_eq!(texts.len(), 10);
        assert_eq!(composed(&scene(), Strength::Weak, 3), composed(&scene(), Strength::Weak, 3));
    }

    #[test]
    fn the_real_item_is_not_looked_at() {
        let other = SceneRecord { item_pos: 0, item_id: ExternalId::Number(9), ..scene() };
        for sample in 0..20 {
            assert_eq!(composed(&scene(), Strength::Strong, sample), composed(&other, Strength::Strong, sample));
        }
    }

    #[test]
    fn the_strong_model_looks_further_back_and_chooses_more_sharply() {
        // `space` is half of Alien's weight and `crime` half of Heat's; the weak model sees the last two entries.
        let (strong, weak) = (counts(Strength::Strong), counts(Strength::Weak));
        assert!(strong[0] + strong[2] > 330, "{strong:?}");
        assert!(weak[0] + weak[2] > 230 && weak[0] + weak[2] < strong[0] + strong[2], "{weak:?}");
    }

    #[test]
    fn a_scene_without_facts_is_no_problem() {
        let bare = SceneRecord {
            text: SceneText {
                profile: String::new(),
                history: String::new(),
                action_list: vec![String::new(), "Behavior: [B]".to_owned()],
            },
            choice_cnt: 2,
            item_pos: 0,
            offers_none: false,
            ..scene()
        };
        for sample in 0..50 {
            assert_eq!(composed(&bare, Strength::Weak, sample).matches(BEHAVIOR).count(), 1);
        }
    }
}

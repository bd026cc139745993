//! Scenes with the judged decisions of both models.

use super::uncertainty::clean;
use crate::files::{FileError, Jsonl};
use crate::language::Letter;
use crate::pipeline::{ProbsRecord, Project, SceneRecord, Strength};
use crate::random::{Purpose, Streams, unit};
use std::path::PathBuf;

/// The decisions of one model in one scene.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Decisions {
    /// The texts.
    pub texts: Vec<String>,
    /// A cleaned distribution over the scene's options for each text.
    pub distributions: Vec<Vec<f64>>,
    /// The option label of each decision.
    pub behaviors: Vec<Letter>,
}

/// A scene with the decisions of both models.
#[derive(Clone, Debug)]
pub(super) struct JudgedScene {
    /// The row, counted from 0: `cid` in the reference's files.
    pub row: u64,
    /// The scene.
    pub scene: SceneRecord,
    /// The label of what the user really did.
    pub answer: Letter,
    /// The strong model's decisions.
    pub strong: Decisions,
    /// The weak model's decisions.
    pub weak: Decisions,
}

impl JudgedScene {
    /// The decisions of one model.
    pub(super) fn of(&self, strength: Strength) -> &Decisions {
        match strength {
            Strength::Strong => &self.strong,
            Strength::Weak => &self.weak,
        }
    }
}

/// Reads the judged scenes of one data set.
pub(super) struct JudgedScenes {
    dataset: String,
    streams: Streams,
    scenes: Jsonl<SceneRecord>,
    probs: [(Strength, PathBuf, Jsonl<ProbsRecord>); 2],
    row: u64,
}

impl JudgedScenes {
    /// Opens the files of `dataset`.
    pub(super) fn open(project: &Project, dataset: &str, streams: Streams) -> Result<JudgedScenes, FileError> {
        let scenes = Jsonl::open(&project.train(dataset), "`recmirror scenes` makes it")?;
        let open = |strength| {
            let path = project.probs(dataset, strength);
            let reader = Jsonl::open(&path, "`recmirror judge` makes it")?;
            Ok::<_, FileError>((strength, path, reader))
        };
        let probs = [open(Strength::Strong)?, open(Strength::Weak)?];
        Ok(JudgedScenes { dataset: dataset.to_owned(), streams, scenes, probs, row: 0 })
    }

    /// The next scene; `None` when all three files end.
    pub(super) fn step(&mut self) -> Result<Option<JudgedScene>, FileError> {
        let scene = self.scenes.step()?.map(|(_, scene)| scene);
        if let Some(fault) = scene.as_ref().and_then(SceneRecord::fault) {
            return Err(self.scenes.error(fault));
        }
        let mut found = Vec::with_capacity(2);
        for (strength, path, reader) in &mut self.probs {
            match (&scene, reader.step()?) {
                (None, None) => {}
                (Some(scene), Some((_, probs))) => {
                    let row = Row { dataset: &self.dataset, strength: *strength, row: self.row, streams: self.streams };
                    found.push(row.decisions(scene, probs).map_err(|problem| reader.error(problem))?);
                }
                (Some(_), None) => return Err(uneven(path, self.row, "ends before")),
                (None, Some(_)) => return Err(uneven(path, self.row, "continues after")),
            }
        }
        let Some((scene, answer)) = scene.and_then(|scene| scene.answer().map(|answer| (scene, answer))) else {
            return Ok(None);
        };
        let (Some(weak), Some(strong)) = (found.pop(), found.pop()) else { return Ok(None) };
        self.row += 1;
        Ok(Some(JudgedScene { row: self.row - 1, scene, answer, strong, weak }))
    }
}

fn uneven(path: &std::path::Path, row: u64, how: &str) -> FileError {
    let problem = format!("the file {how} the scenes do, at record {row}; `recmirror judge` makes it again");
    FileError::whole(path, problem)
}

/// The position of a row of probabilities, from which its draws are derived.
struct Row<'a> {
    dataset: &'a str,
    strength: Strength,
    row: u64,
    streams: Streams,
}

impl Row<'_> {
    fn decisions(&self, scene: &SceneRecord, probs: ProbsRecord) -> Result<Decisions, String> {
        if (&probs.user_id, &probs.item_id) != (&scene.user_id, &scene.item_id) {
            return Err(format!(
                "user {} and item {} are not those of the scene on this line ({} and {}); `recmirror judge` makes the file again",
                probs.user_id, probs.item_id, scene.user_id, scene.item_id
            ));
        }
        let count = probs.decision_list.len();
        if probs.choice.len() != count {
            return Err(format!("{count} decisions in `decision_list` but {} in `choice`", probs.choice.len()));
        }
        let options = scene.options();
        let mut distributions = Vec::with_capacity(count);
        for choice in &probs.choice {
            let mut distribution = vec![0.0; options];
            for (&letter, &probability) in choice {
                let slot = distribution.get_mut(letter.place()).ok_or_else(|| beyond("choice", letter, options))?;
                if !(0.0..=1.0 + 1e-6).contains(&probability) {
                    return Err(format!("the probability {probability} of `{letter}` is not between 0 and 1"));
                }
                *slot = probability;
            }
            if distribution.iter().all(|&probability| probability == 0.0) {
                return Err("a distribution in `choice` has no option label with a positive probability".to_owned());
            }
            clean(&mut distribution);
            distributions.push(distribution);
        }
        let behaviors = match probs.behavior {
            None => self.drawn(&distributions),
            Some(letters) if letters.len() != count => {
                return Err(format!("{count} decisions in `decision_list` but {} in `behavior`", letters.len()));
            }
            Some(letters) => match letters.iter().find(|letter| letter.place() >= options) {
                Some(&letter) => return Err(beyond("behavior", letter, options)),
                None => letters,
            },
        };
        Ok(Decisions { texts: probs.decision_list, distributions, behaviors })
    }

    /// A label for each distribution. The draws depend on the data set's name, the model, the row and the decision's
    /// index, so neither other data sets nor other rows change them.
    fn drawn(&self, distributions: &[Vec<f64>]) -> Vec<Letter> {
        let key = format!("{}/{}/{}", self.dataset, self.strength.name(), self.row);
        let hash = blake3::hash(key.as_bytes());
        let id = hash.as_bytes().iter().take(8).fold(0u64, |id, &byte| (id << 8) | u64::from(byte));
        let draw = |(place, distribution): (usize, &Vec<f64>)| {
            let mut left = unit(&mut self.streams.derive(Purpose::Behavior, id, place as u32));
            let last = distribution.len().saturating_sub(1);
            let hit = distribution.iter().position(|&probability| {
                left -= probability;
                left < 0.0
            });
            Letter::of(hit.unwrap_or(last))
        };
        distributions.iter().enumerate().filter_map(draw).collect()
    }
}

fn beyond(key: &str, letter: Letter, options: usize) -> String {
    format!("the option label `{letter}` in `{key}` is beyond the scene's {options} options")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row<'static> {
        Row { dataset: "x", strength: Strength::Strong, row: 3, streams: Streams::new(1, 0) }
    }

    fn scene() -> SceneRecord {
        let text = r#"{"text": {"profile": "", "history": "", "action_list": ["a", "b"]}, "user_id": 1, "item_id": 2,
            "item_pos": 0, "choice_cnt": 2, "dataset": "x"}"#;
        serde_json::from_str(text).expect("a scene")
    }

    fn read(rest: &str) -> Result<Decisions, String> {
        let text = format!(r#"{{"user_id": 1, "item_id": 2, {rest}}}"#);
        row().decisions(&scene(), serde_json::from_str(&text).expect("a record"))
    }

    #[test]
    fn recorded_behaviors_are_used() {
        let found =
            read(r#""decision_list": ["t"], "choice": [{"A": 0.5, "B": 0.5}], "behavior": ["B"]"#).expect("a row");
        assert_eq!(found.behaviors, [Letter::of(1).expect("B")]);
        assert_eq!(found.distributions, [vec![0.5, 0.5]]);
    }

    #[test]
    fn absent_behaviors_are_drawn_as_often_as_their_probability_says() {
        let distributions = vec![vec![0.2, 0.5, 0.3]; 4_000];
        let letters = row().drawn(&distributions);
        let share = |place| letters.iter().filter(|letter| letter.place() == place).count() as f64 / 4_000.0;
        assert_eq!(letters.len(), 4_000);
        assert!((share(0) - 0.2).abs() < 0.03 && (share(1) - 0.5).abs() < 0.03, "{} {}", share(0), share(1));
        assert_eq!(letters, row().drawn(&distributions));
        assert_ne!(letters, Row { row: 4, ..row() }.drawn(&distributions));
        assert_ne!(letters, Row { strength: Strength::Weak, ..row() }.drawn(&distributions));
    }

    #[test]
    fn wrong_rows_are_reported() {
        for (rest, expected) in [
            (
                r#""decision_list": ["t"], "choice": [{"C": 1.0}]"#,
                "the option label `C` in `choice` is beyond the scene's 2 options",
            ),
            (
                r#""decision_list": ["t"], "choice": [{"A": 1.0}], "behavior": ["D"]"#,
                "the option label `D` in `behavior`",
            ),
            (r#""decision_list": ["t"], "choice": []"#, "1 decisions in `decision_list` but 0 in `choice`"),
            (
                r#""decision_list": ["t"], "choice": [{"A": -0.5}]"#,
                "the probability -0.5 of `A` is not between 0 and 1",
            ),
            (r#""decision_list": ["t"], "choice": [{"A": 0.0}]"#, "no option label with a positive probability"),
            (r#""decision_list": ["t"], "choice": [{"A": 1.0}], "behavior": []"#, "but 0 in `behavior`"),
        ] {
            let problem = read(rest).expect_err("wrong");
            assert!(problem.contains(expected), "{problem}");
        }
        let other = r#"{"user_id": 9, "item_id": 2, "decision_list": [], "choice": []}"#;
        let problem = row().decisions(&scene(), serde_json::from_str(other).expect("a record")).expect_err("wrong");
        assert!(problem.contains("user 9 and item 2 are not those of the scene on this line (1 and 2)"), "{problem}");
    }
}

//! The records of a project's files.

use crate::dataset::{ExternalId, Moment};
use crate::language::{Letter, Message, Question, SceneText};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A scene from a log: a line of `datasets/NAME_{train,eval}.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SceneRecord {
    /// The text that a language model reads.
    pub text: SceneText,
    /// The user.
    pub user_id: ExternalId,
    /// The item that the user took at this moment.
    pub item_id: ExternalId,
    /// The time; absent in logs without times.
    #[serde(default)]
    pub timestamp: Option<Moment>,
    /// The position of the real item, from 0; `choice_cnt` if the list lacks it.
    pub item_pos: usize,
    /// Items in the list.
    pub choice_cnt: usize,
    /// The data set's name.
    pub dataset: String,
    /// True if "none of these" is an option too: the label after the last item's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offers_none: bool,
    /// How the list was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builder: Option<String>,
    /// The listed items, in the order of the list; absent in files of the reference code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<ExternalId>>,
}

impl SceneRecord {
    /// The number of options: the items, and "none of these" if it is offered.
    pub fn options(&self) -> usize {
        self.choice_cnt + usize::from(self.offers_none)
    }

    /// The label of what the user really did.
    pub fn answer(&self) -> Option<Letter> {
        Letter::of(self.item_pos)
    }

    /// The same scene with its list rotated so that the item at position `by` is first. "None of these" stays last.
    ///
    /// # Panics
    /// When `by` is beyond the list.
    pub fn turned(&self, by: usize) -> SceneRecord {
        let mut scene = self.clone();
        scene.text.action_list.rotate_left(by);
        if let Some(items) = &mut scene.items {
            items.rotate_left(by);
        }
        scene.item_pos = turned_place(self.item_pos, self.choice_cnt, by);
        scene
    }

    /// The problem of the scene, if any: every reader checks this once.
    pub fn fault(&self) -> Option<String> {
        let listed = self.text.action_list.len();
        if listed != self.choice_cnt {
            return Some(format!("choice_cnt is {} but action_list has {listed} items", self.choice_cnt));
        }
        if self.options() < 2 || self.options() > Letter::MOST {
            return Some(format!("{} options, expected 2 to {}", self.options(), Letter::MOST));
        }
        if self.item_pos >= self.options() {
            return Some(format!("item_pos {} is beyond the list of {} options", self.item_pos, self.options()));
        }
        if let Some(items) = self.items.as_ref().filter(|items| items.len() != listed) {
            return Some(format!("items has {} ids but action_list has {listed} items", items.len()));
        }
        None
    }
}

/// The new position of the entry at `place` when a list of `length` items is rotated so that the item at position `by`
/// is first; entries after the items stay.
pub(crate) fn turned_place(place: usize, length: usize, by: usize) -> usize {
    if place < length { (place + length - by) % length } else { place }
}

impl<'a> From<&'a SceneRecord> for Question<'a> {
    fn from(scene: &'a SceneRecord) -> Question<'a> {
        Question { dataset: &scene.dataset, text: &scene.text, offers_none: scene.offers_none }
    }
}

/// A line of `decisions/NAME_decisions_STRENGTH.jsonl`: a line of an OpenAI batch output file, with the fields that are
/// read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// `DATASET-LINE`, the line of the scene in `NAME_train.jsonl` counted from 0.
    pub custom_id: String,
    /// The answer; absent if the request failed.
    pub response: Option<serde_json::Value>,
    /// The error, if the request failed.
    #[serde(default)]
    pub error: Option<serde_json::Value>,
}

/// A line of `probs/NAME_probs_STRENGTH.jsonl`; it belongs to the scene on the same line of `NAME_train.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbsRecord {
    /// The user.
    pub user_id: ExternalId,
    /// The item that the user took.
    pub item_id: ExternalId,
    /// The texts of the decisions, each without its behaviour.
    pub decision_list: Vec<String>,
    /// The probability of each label, for each decision.
    pub choice: Vec<BTreeMap<Letter, f64>>,
    /// The label of each decision; drawn from `choice` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior: Option<Vec<Letter>>,
    /// The source of the probabilities: the predictor's name and a hash of all inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predictor: Option<String>,
}

/// A distilled pair: a line of `datasets/NAME_pref.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairRecord {
    /// The data set's name.
    pub dataset: String,
    /// The user.
    pub user_id: ExternalId,
    /// The item that the user took.
    pub item_id: ExternalId,
    /// The time.
    #[serde(default)]
    pub timestamp: Option<Moment>,
    /// System, user and assistant: the decision that hit.
    pub messages_chosen: Vec<Message>,
    /// System, user and assistant: the decision that missed.
    pub messages_rejected: Vec<Message>,
    /// The label of the chosen decision.
    pub behavior_chosen: Letter,
    /// The label of the rejected decision.
    pub behavior_rejected: Letter,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene() -> SceneRecord {
        let text = r#"{"text": {"profile": "p", "history": "h", "action_list": ["a", "b"]}, "user_id": "u0", "item_id": 7,
            "timestamp": 1766101874000, "item_pos": 1, "choice_cnt": 2, "dataset": "MIND"}"#;
        serde_json::from_str(text).expect("a scene")
    }

    #[test]
    fn a_scene_of_the_reference_reads_and_writes_unchanged() {
        let scene = scene();
        assert_eq!((scene.options(), scene.answer(), scene.fault()), (2, Letter::of(1), None));
        assert_eq!(scene.item_id, ExternalId::Number(7));
        let wanted = r#"{"text":{"profile":"p","history":"h","action_list":["a","b"]},"user_id":"u0","item_id":7,"timestamp":1766101874000,"item_pos":1,"choice_cnt":2,"dataset":"MIND"}"#;
        assert_eq!(serde_json::to_string(&scene).expect("text"), wanted);
    }

    #[test]
    fn the_label_after_the_last_item_means_none_of_these() {
        let scene = SceneRecord { item_pos: 2, offers_none: true, ..scene() };
        assert_eq!((scene.options(), scene.answer(), scene.fault()), (3, Letter::of(2), None));
    }

    #[test]
    fn faults_are_reported() {
        let beyond = SceneRecord { item_pos: 2, ..scene() };
        assert_eq!(beyond.fault().as_deref(), Some("item_pos 2 is beyond the list of 2 options"));
        let short = SceneRecord { choice_cnt: 3, ..scene() };
        assert_eq!(short.fault().as_deref(), Some("choice_cnt is 3 but action_list has 2 items"));
        let ids = SceneRecord { items: Some(vec![ExternalId::Number(7)]), ..scene() };
        assert_eq!(ids.fault().as_deref(), Some("items has 1 ids but action_list has 2 items"));
    }

    #[test]
    fn a_rotated_list_keeps_the_taken_item_and_none_last() {
        let mut three = SceneRecord { choice_cnt: 3, offers_none: true, ..scene() };
        three.text.action_list.push("c".to_owned());
        three.items = Some([7, 8, 9].map(ExternalId::Number).to_vec());
        for by in 0..3 {
            let turned = three.turned(by);
            assert_eq!(turned.text.action_list[0], three.text.action_list[by]);
            assert_eq!(turned.text.action_list[turned.item_pos], "b");
            assert_eq!(turned.items.expect("items")[turned.item_pos], ExternalId::Number(8));
            assert_eq!(SceneRecord { item_pos: 3, ..three.clone() }.turned(by).item_pos, 3);
        }
    }
}

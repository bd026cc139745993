//! A row of a training file: named cells in order.

use super::{Form, Task};
use crate::dataset::{ExternalId, Moment};
use crate::language::{Letter, Message, Role};
use crate::pipeline::{PairRecord, PromptError, PromptKind, Prompts, SceneRecord};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// A value of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// Text.
    Text(String),
    /// An integer, or a null.
    Number(Option<i64>),
    /// A conversation.
    Messages(Vec<Message>),
}

/// The kind of a column's cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Messages,
}

/// Named cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(pub Vec<(&'static str, Cell)>);

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        let mut map = output.serialize_map(Some(self.0.len()))?;
        for (name, cell) in &self.0 {
            map.serialize_entry(name, cell)?;
        }
        map.end()
    }
}

/// The columns of a file, in order.
pub(super) fn columns(form: Form, task: Task) -> Vec<(&'static str, Kind)> {
    let mut columns = Vec::new();
    if form == Form::Reference {
        for (name, kind) in
            [("dataset", Kind::Text), ("user_id", Kind::Text), ("item_id", Kind::Text), ("timestamp", Kind::Number)]
        {
            columns.push((name, kind));
        }
    }
    let conversations: &[&str] = match (form, task) {
        (Form::Reference, Task::Preference) => &["messages_chosen", "messages_rejected"],
        (Form::Reference, Task::Sft | Task::Choice) => &["messages"],
        (Form::Trl, Task::Preference) => &["prompt", "chosen", "rejected"],
        (Form::Trl, Task::Sft | Task::Choice) => &["prompt", "completion"],
    };
    columns.extend(conversations.iter().map(|&name| (name, Kind::Messages)));
    let letters: &[&str] = match (form, task) {
        (Form::Reference, Task::Preference) => &["behavior_chosen", "behavior_rejected"],
        (Form::Reference, Task::Sft | Task::Choice) => &["behavior"],
        (Form::Trl, _) => &[],
    };
    columns.extend(letters.iter().map(|&name| (name, Kind::Text)));
    if (form, task) == (Form::Trl, Task::Choice) {
        columns.push(("options", Kind::Number));
    }
    columns
}

/// The row of one pair, its cells in the order of [`columns`].
pub(super) fn of(pair: PairRecord, form: Form, task: Task) -> Result<Row, String> {
    let (prompt, chosen) = split(pair.messages_chosen, "messages_chosen")?;
    let (other, rejected) = split(pair.messages_rejected, "messages_rejected")?;
    if prompt != other {
        return Err("messages_chosen and messages_rejected do not begin with the same conversation".to_owned());
    }
    let letter = |letter: Letter| Cell::Text(letter.to_string());
    let whole = |answer: Message| Cell::Messages(prompt.iter().cloned().chain([answer]).collect());
    let facts = |conversations: Vec<(&'static str, Cell)>| {
        let mut cells = facts(pair.dataset.clone(), &pair.user_id, &pair.item_id, pair.timestamp);
        cells.extend(conversations);
        cells
    };
    let cells = match (form, task) {
        (Form::Reference, Task::Preference) => facts(vec![
            ("messages_chosen", whole(chosen)),
            ("messages_rejected", whole(rejected)),
            ("behavior_chosen", letter(pair.behavior_chosen)),
            ("behavior_rejected", letter(pair.behavior_rejected)),
        ]),
        (Form::Reference, _) => facts(vec![("messages", whole(chosen)), ("behavior", letter(pair.behavior_chosen))]),
        (Form::Trl, Task::Preference) => vec![
            ("prompt", Cell::Messages(prompt)),
            ("chosen", Cell::Messages(vec![chosen])),
            ("rejected", Cell::Messages(vec![rejected])),
        ],
        (Form::Trl, _) => vec![("prompt", Cell::Messages(prompt)), ("completion", Cell::Messages(vec![chosen]))],
    };
    Ok(Row(cells))
}

/// The row of a user's choice in a scene, its cells in the order of [`columns`].
pub(super) fn of_scene(scene: &SceneRecord, form: Form, prompts: &Prompts) -> Result<Row, PromptError> {
    let mut conversation = prompts.question(scene, PromptKind::Letter)?;
    let letters: Vec<Letter> = Letter::first(scene.options()).collect();
    let letter = letters[scene.item_pos];
    let answer = prompts.answer("", letter)?;
    Ok(Row(match form {
        Form::Trl => vec![
            ("prompt", Cell::Messages(conversation)),
            ("completion", Cell::Messages(vec![answer])),
            ("options", Cell::Number(Some(letters.len() as i64))),
        ],
        Form::Reference => {
            conversation.push(answer);
            let mut cells = facts(scene.dataset.clone(), &scene.user_id, &scene.item_id, scene.timestamp);
            cells.push(("messages", Cell::Messages(conversation)));
            cells.push(("behavior", Cell::Text(letter.to_string())));
            cells
        }
    }))
}

/// The cells that identify a pair's scene.
fn facts(dataset: String, user: &ExternalId, item: &ExternalId, time: Option<Moment>) -> Vec<(&'static str, Cell)> {
    vec![
        ("dataset", Cell::Text(dataset)),
        ("user_id", Cell::Text(user.to_string())),
        ("item_id", Cell::Text(item.to_string())),
        ("timestamp", Cell::Number(time.map(|time| time.0))),
    ]
}

/// The conversation up to the answer, and the answer.
fn split(mut messages: Vec<Message>, key: &str) -> Result<(Vec<Message>, Message), String> {
    match messages.pop() {
        Some(answer) if answer.role == Role::Assistant && !messages.is_empty() => Ok((messages, answer)),
        _ => Err(format!("`{key}` does not end with what the assistant says to a user")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> PairRecord {
        let say = |text: &str| {
            vec![Message::new(Role::System, "s"), Message::new(Role::User, "u"), Message::new(Role::Assistant, text)]
        };
        PairRecord {
            dataset: "x".to_owned(),
            user_id: ExternalId::Text("u1".to_owned()),
            item_id: ExternalId::Text("7".to_owned()),
            timestamp: Some(Moment(5)),
            messages_chosen: say("good"),
            messages_rejected: say("bad"),
            behavior_chosen: Letter::of(0).expect("a letter"),
            behavior_rejected: Letter::of(1).expect("a letter"),
        }
    }

    fn written(form: Form, task: Task) -> String {
        serde_json::to_string(&of(pair(), form, task).expect("a row")).expect("text")
    }

    #[test]
    fn rows_have_the_columns_that_their_readers_expect() {
        let prompt = r#"[{"role":"system","content":"s"},{"role":"user","content":"u"}]"#;
        assert_eq!(
            written(Form::Trl, Task::Preference),
            format!(
                r#"{{"prompt":{prompt},"chosen":[{{"role":"assistant","content":"good"}}],"rejected":[{{"role":"assistant","content":"bad"}}]}}"#
            )
        );
        assert_eq!(
            written(Form::Trl, Task::Sft),
            format!(r#"{{"prompt":{prompt},"completion":[{{"role":"assistant","content":"good"}}]}}"#)
        );
        assert!(written(Form::Reference, Task::Sft).starts_with(
            r#"{"dataset":"x","user_id":"u1","item_id":"7","timestamp":5,"messages":[{"role":"system","content":"s"}"#
        ));
        let reference: PairRecord = serde_json::from_str(&written(Form::Reference, Task::Preference)).expect("a pair");
        assert_eq!(reference, pair());
    }

    #[test]
    fn columns_are_those_of_the_rows() {
        for form in [Form::Reference, Form::Trl] {
            for task in [Task::Sft, Task::Preference] {
                let row = of(pair(), form, task).expect("a row");
                let kinds = row.0.iter().map(|(name, cell)| match cell {
                    Cell::Text(_) => (*name, Kind::Text),
                    Cell::Number(_) => (*name, Kind::Number),
                    Cell::Messages(_) => (*name, Kind::Messages),
                });
                assert_eq!(kinds.collect::<Vec<_>>(), columns(form, task));
            }
        }
    }

    #[test]
    fn invalid_pairs_are_reported() {
        let open = PairRecord { messages_rejected: vec![Message::new(Role::User, "u")], ..pair() };
        let problem = of(open, Form::Trl, Task::Sft).expect_err("no answer");
        assert_eq!(problem, "`messages_rejected` does not end with what the assistant says to a user");
        let mut other = pair();
        other.messages_rejected[1].content = "another".to_owned();
        let problem = of(other, Form::Trl, Task::Sft).expect_err("two questions");
        assert!(problem.contains("do not begin with the same conversation"), "{problem}");
    }
}

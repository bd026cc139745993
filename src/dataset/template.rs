//! Text templates of a data set.
//!
//! One editable file turns rows into the text that a language model reads.

use super::import::GENERIC_TEMPLATE;
use super::{Dataset, InteractionRow, ItemRow, Moment, UserRow};
use crate::files::{MOST_OF_TEXT, read_text};
use crate::jinja;
use minijinja::value::{Serde, ValueKind};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value, context};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Templates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The file cannot be read or lacks a key.
    #[error("cannot read the text templates {}: {problem}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        problem: String,
    },
    /// A template is wrong, or fails on a row.
    #[error("{}: `{key}`: {problem}", path.display())]
    Template {
        /// The file.
        path: PathBuf,
        /// The key of the template.
        key: &'static str,
        /// The problem.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    profile: String,
    item: String,
    history: String,
}

/// Three minijinja templates: `profile`, `item` (an exposed item) and `history` (a line of the history).
///
/// In scope: `user` (description), `features` (of the user or item), `item` (description), `behavior`, and
/// `ago`, the time between a moment and the scene's ("3 days ago"), and `age_days`, the days from the item's
/// `time` or `year` to the scene; both are `none` where times are not known. `x|words(n)` keeps n words; `x|shown` joins a list with
/// commas and keeps 30 words of a text.
pub struct TextTemplates {
    path: PathBuf,
    templates: Environment<'static>,
}

impl Dataset {
    /// The text templates of the reader, or ones that name every field, with a path for messages.
    pub(crate) fn text_template(&self) -> (&str, PathBuf) {
        let text = if self.template.is_empty() { GENERIC_TEMPLATE } else { &self.template };
        (text, PathBuf::from(format!("templates of {} data", self.family)))
    }
}

impl TextTemplates {
    /// The templates of a data set's reader, or ones that name every field.
    ///
    /// # Errors
    /// When a template is wrong.
    pub fn of(data: &Dataset) -> Result<TextTemplates, TemplateError> {
        let (text, path) = data.text_template();
        TextTemplates::parse(text, &path)
    }

    /// Reads a template file.
    ///
    /// # Errors
    /// When it cannot be read, or a template is wrong.
    pub fn load(path: &Path) -> Result<TextTemplates, TemplateError> {
        let fail =
            |problem: std::io::Error| TemplateError::Read { path: path.to_owned(), problem: problem.to_string() };
        TextTemplates::parse(&read_text(path, MOST_OF_TEXT).map_err(fail)?, path)
    }

    /// Reads the text of a template file; errors speak of `path`.
    ///
    /// # Errors
    /// When a key is missing or unknown, or a template is wrong.
    pub fn parse(text: &str, path: &Path) -> Result<TextTemplates, TemplateError> {
        let fail =
            |problem: toml::de::Error| TemplateError::Read { path: path.to_owned(), problem: problem.to_string() };
        let file: File = toml::from_str(text).map_err(fail)?;
        let mut templates = jinja::environment();
        templates.set_undefined_behavior(UndefinedBehavior::Chainable);
        templates.add_filter("words", words);
        templates.add_filter("shown", shown);
        for (key, source) in [("profile", file.profile), ("item", file.item), ("history", file.history)] {
            let wrong = |problem: String| TemplateError::Template { path: path.to_owned(), key, problem };
            jinja::check_template(&source).map_err(wrong)?;
            templates.add_template_owned(key, source).map_err(|problem| template_error(path, key, &problem))?;
        }
        Ok(TextTemplates { path: path.to_owned(), templates })
    }

    /// The first template in which two files differ.
    pub fn difference(&self, other: &TextTemplates) -> Option<&'static str> {
        let source = |of: &TextTemplates, key| of.templates.get_template(key).map(|it| it.source().to_owned()).ok();
        ["profile", "item", "history"].into_iter().find(|key| source(self, key) != source(other, key))
    }

    /// The text of a user's profile.
    ///
    /// # Errors
    /// When the template fails on this user.
    pub fn profile(&self, user: &UserRow) -> Result<String, TemplateError> {
        self.render(
            "profile",
            &context! { user => Serde(&user.user_description), features => Serde(&user.user_features) },
        )
    }

    /// The text of an exposed item in a scene at `now`.
    ///
    /// # Errors
    /// When the template fails on this item.
    pub fn item(&self, item: &ItemRow, now: Option<Moment>) -> Result<String, TemplateError> {
        let values = context! {
            item => Serde(&item.item_description), features => Serde(&item.item_features), age_days => age_days(item, now),
        };
        self.render("item", &values)
    }

    /// The text of one thing that the user did before `now`.
    ///
    /// # Errors
    /// When the template fails on this row.
    pub fn history(&self, item: &ItemRow, done: &InteractionRow, now: Option<Moment>) -> Result<String, TemplateError> {
        let gap = now.zip(done.timestamp).map(|(now, then)| now.0.saturating_sub(then.0));
        let values = context! {
            item => Serde(&item.item_description), features => Serde(&item.item_features), behavior => Serde(&done.behavior_features),
            ago => gap.map(ago), age_days => age_days(item, done.timestamp),
        };
        self.render("history", &values)
    }

    fn render(&self, key: &'static str, values: &Value) -> Result<String, TemplateError> {
        let text = jinja::render(&self.templates, key, values);
        // One row is one line: a history or a list must not fall apart at a review's line breaks.
        let text = text.map_err(|problem| template_error(&self.path, key, &problem))?;
        Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

fn template_error(path: &Path, key: &'static str, problem: &Error) -> TemplateError {
    TemplateError::Template { path: path.to_owned(), key, problem: jinja::error_message(problem) }
}

/// The first words of a text, with "..." where some are left out.
fn words(value: &Value, most: usize) -> Result<String, Error> {
    let Some(text) = value.as_str() else {
        if value.is_undefined() || value.is_none() {
            return Ok(String::new());
        }
        return Err(Error::new(ErrorKind::InvalidOperation, format!("words() is for text, got {}", value.kind())));
    };
    let mut words = text.split_whitespace();
    let mut kept = words.by_ref().take(most).collect::<Vec<_>>().join(" ");
    if words.next().is_some() {
        kept.push_str(" ...");
    }
    Ok(kept)
}

/// A value of any kind for readers: lists joined with commas, texts cut, everything else unchanged.
fn shown(value: &Value) -> Result<Value, Error> {
    const MOST: usize = 30;
    match value.kind() {
        ValueKind::String => words(value, MOST).map(Value::from),
        ValueKind::Seq => {
            let parts: Vec<String> = value.try_iter()?.map(|part| part.to_string()).collect();
            Ok(Value::from(parts.join(", ")))
        }
        _ => Ok(value.clone()),
    }
}

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// A span of milliseconds as "N years ago"; years have 365 days and months 30. A minute or less is "just now".
fn ago(milliseconds: i64) -> String {
    let units = [(365 * DAY, "year"), (30 * DAY, "month"), (DAY, "day"), (60 * MINUTE, "hour"), (MINUTE, "minute")];
    for (length, name) in units {
        let count = milliseconds / length;
        if count >= 1 {
            return format!("{count} {name}{} ago", if count == 1 { "" } else { "s" });
        }
    }
    "just now".to_owned()
}

/// Whole days from an item's release (`time` in seconds or text, else the first day of `year`) to `now`.
fn age_days(item: &ItemRow, now: Option<Moment>) -> Option<i64> {
    Some((now?.0 - item.released()?.0).div_euclid(DAY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::ExternalId;
    use serde_json::json;

    const FILE: &str = r#"
        profile = "{{ user.gender }}, {{ user.age }}"
        item = "{{ item.title }}{% if age_days is not none and age_days <= 365 %} (new){% endif %}"
        history = "{{ item.title|words(2) }}: {{ behavior.rating }}{% if ago %}, {{ ago }}{% endif %}"
    "#;

    fn item() -> ItemRow {
        let text =
            json!({"item_id": 1, "item_description": {"title": "The\nLong Day"}, "item_features": {"year": 1970}});
        serde_json::from_value(text).expect("an item")
    }

    #[test]
    fn rows_become_one_line_each() {
        let templates = TextTemplates::parse(FILE, Path::new("x.toml")).expect("templates");
        let day = |day: i64| Some(Moment(day * DAY));
        assert_eq!(templates.item(&item(), day(300)).expect("text"), "The Long Day (new)");
        assert_eq!(templates.item(&item(), day(400)).expect("text"), "The Long Day");
        assert_eq!(templates.item(&item(), None).expect("text"), "The Long Day");
        let mut done = InteractionRow {
            user_id: ExternalId::Number(1),
            item_id: ExternalId::Number(1),
            timestamp: day(1),
            behavior_features: serde_json::Map::new(),
        };
        done.behavior_features.insert("rating".to_owned(), json!(4));
        assert_eq!(templates.history(&item(), &done, day(3)).expect("text"), "The Long ...: 4, 2 days ago");
        assert_eq!(templates.history(&item(), &done, None).expect("text"), "The Long ...: 4");
    }

    #[test]
    fn spans_are_written_in_the_largest_unit() {
        for (span, text) in [
            (0, "just now"),
            (59_999, "just now"),
            (60_000, "1 minute ago"),
            (2 * 60 * MINUTE, "2 hours ago"),
            (45 * DAY, "1 month ago"),
            (800 * DAY, "2 years ago"),
            (-5, "just now"),
        ] {
            assert_eq!(ago(span), text);
        }
    }

    #[test]
    fn wrong_files_are_reported_with_their_key() {
        let path = Path::new("x.toml");
        let problem = TextTemplates::parse(&FILE.replace("{% endif %}", ""), path).err().expect("wrong").to_string();
        assert!(problem.contains("x.toml: `item`"), "{problem}");
        let problem = TextTemplates::parse("profile = ''", path).err().expect("wrong").to_string();
        assert!(problem.contains("missing field `item`"), "{problem}");
    }
}

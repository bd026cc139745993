//! The text of `scenarios/reference.toml`.
//!
//! The file is the manual. It is generated from the table of keys, so it cannot lack a key or contradict the checker.

use super::keys::{DYNAMIC, DYNAMIC_HEADING, DYNAMIC_KEYS, POLICY, POLICY_HEADING, POLICY_KEYS};
use super::sections::sections_of;
use super::{Key, Kind, Section, Variant};
use crate::registry::Registry;
use toml::Value;

const INTRODUCTION: &str = "Every key of a scenario file. The values below are the defaults; a scenario of your own \
    needs only the keys that differ, a data set and at least one policy.";

const USE: &str = "Check a file with `recmirror scenario check FILE`. Any key can be replaced for one run with \
    `--set`, for example `--set arrival.probability=0.3` or `--set policy.NAME.KEY=VALUE`. Relative paths start from \
    the folder of their file.";

/// Editors look for this line at the very start.
const DIRECTIVE: &str = "#:schema schema.json";

/// Text width of the comments, marks included.
const WIDTH: usize = 100;

/// The commented reference scenario for the policies of `registry`.
pub fn reference_text(registry: &Registry) -> String {
    let mut text = format!("{DIRECTIVE}\n\n{}#\n{}", comment(INTRODUCTION), comment(USE));
    for section in sections_of(registry) {
        text += &section_text(section);
    }
    text += &format!("\n\n{}", comment(POLICY_HEADING));
    for (index, kind) in registry.policies().iter().enumerate() {
        text += &entry_text(POLICY, POLICY_KEYS, (kind.name, kind.summary, kind.keys), index == 0);
    }
    text += &format!("\n\n{}", comment(DYNAMIC_HEADING));
    for (index, kind) in registry.dynamics().iter().enumerate() {
        text += &entry_text(DYNAMIC, DYNAMIC_KEYS, (kind.name, kind.summary, kind.keys), index == 0);
    }
    text
}

fn section_text(section: &Section) -> String {
    let mut text = format!("\n\n{}", comment(section.heading));
    if !section.name.is_empty() {
        text += &format!("[{}]\n", section.name);
    }
    let default = section.keys.iter().find(|key| key.name == "kind").and_then(|key| key.kind.default_value());
    let (chosen, others): (Vec<&Variant>, Vec<&Variant>) =
        section.variants.iter().partition(|variant| default.as_ref().and_then(Value::as_str) == Some(variant.name));
    for key in section.keys {
        text += &key_text(section.name, key, section.variants);
    }
    for variant in chosen {
        text += &format!("\n{}", comment(&format!("The keys of kind `{}`:", variant.name)));
        text.extend(variant.keys.iter().map(|key| key_text(section.name, key, &[])));
    }
    for variant in others {
        text += &other_variant(section, variant);
    }
    text
}

/// The keys of a kind that was not chosen: all commented out, because they conflict with those of the chosen kind.
fn other_variant(section: &Section, variant: &Variant) -> String {
    let mut block = format!("The keys of kind `{}`, in place of those above:\n\n", variant.name);
    block += &format!("kind = {}\n", Value::from(variant.name));
    for key in variant.keys {
        block += &key_text(section.name, key, &[]);
    }
    let marked = block.lines().map(|line| if line.is_empty() { "#\n".to_owned() } else { format!("# {line}\n") });
    format!("\n{}", marked.collect::<String>())
}

/// One table of a list of policies or dynamics: its kind is (name, summary, keys).
fn entry_text(list: &str, head: &[Key], (name, summary, keys): (&str, &str, &[Key]), first: bool) -> String {
    let mut text = format!("\n{}[[{list}]]\n", if summary.is_empty() { String::new() } else { comment(summary) });
    for key in head {
        let value = if key.name == "kind" { Value::from(name) } else { example(list, key) };
        if first {
            let range = if key.name == "kind" { "It must be given.".to_owned() } else { range(key) };
            text += &(comment(&sentence(key.doc)) + &comment(&range));
        }
        text += &format!("{} = {value}\n", key.name);
    }
    text.extend(keys.iter().map(|key| key_text(list, key, &[])));
    text
}

/// A key with its comment; a key that chooses between kinds explains them.
fn key_text(section: &str, key: &Key, variants: &[Variant]) -> String {
    let kinds = variants.iter().filter(|_| key.name == "kind");
    let kinds: String = kinds.map(|variant| comment(&format!("`{}`: {}", variant.name, variant.summary))).collect();
    let about = comment(&sentence(key.doc)) + &kinds + &comment(&range(key));
    format!("\n{about}{}\n", assignment(key.name, &example(section, key)))
}

/// `key = value`; lists that are too long for a line have one word a line.
fn assignment(name: &str, value: &Value) -> String {
    let line = format!("{name} = {value}");
    match value {
        Value::Array(items) if line.len() > WIDTH => {
            let items: String = items.iter().map(|item| format!("    {item},\n")).collect();
            format!("{name} = [\n{items}]")
        }
        _ => line,
    }
}

/// The default, or a plausible value for a required key.
fn example(section: &str, key: &Key) -> Value {
    let fallback = || match key.kind {
        Kind::Integer { min, .. } => Value::from(min),
        Kind::Number { min, .. } => Value::from(min),
        Kind::Bool { .. } => Value::from(true),
        Kind::Word { words, .. } | Kind::WordOrInteger { words, .. } | Kind::Words { words, .. } => {
            Value::from(words.first().copied().unwrap_or_default())
        }
        Kind::Path { .. } if section == "data" => Value::from("../data/ml-latest-small"),
        Kind::Text { .. } | Kind::Path { .. } => Value::from(format!("your-{}", key.name)),
        Kind::Texts => Value::from(vec![format!("your-{}", key.name)]),
        // They have defaults.
        Kind::WordOrNumber { min, .. } | Kind::Numbers { min, .. } => Value::from(min),
        Kind::Policy { default } => Value::from(default),
        Kind::Policies { default } => Value::from(default.to_vec()),
    };
    key.kind.default_value().unwrap_or_else(fallback)
}

/// "Whole number from 1 to 9; default 5."
fn range(key: &Key) -> String {
    let range = match key.kind {
        Kind::Bool { .. } => "True or false".to_owned(),
        Kind::Text { .. } => "Text".to_owned(),
        Kind::Path { .. } => "Path".to_owned(),
        Kind::Words { .. } => "List of words, each at most once".to_owned(),
        kind => capitalised(kind.wanted().trim_start_matches("a ")),
    };
    match key.kind.default_value() {
        None => format!("{range}; it must be given."),
        Some(Value::String(text)) if text.is_empty() => format!("{range}; empty by default."),
        Some(Value::Array(numbers)) if numbers.is_empty() => format!("{range}; empty by default."),
        Some(Value::Array(words)) if words.len() == key.kind.words().len() => format!("{range}; default: all of them."),
        Some(value) => format!("{range}; default {value}."),
    }
}

fn sentence(doc: &str) -> String {
    format!("{}.", doc.trim_end_matches('.'))
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Wraps a text into comment lines. Code in backticks is not split.
fn comment(text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::from("#");
    for word in words(text) {
        if line.len() > 1 && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines += &format!("{line}\n");
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(&word);
    }
    lines + &line + "\n"
}

/// The words of a text, short code spans in one piece.
fn words(text: &str) -> Vec<String> {
    const LONGEST_SPAN: usize = 40;
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match words.last_mut() {
            Some(last) if last.matches('`').count() % 2 == 1 && last.len() < LONGEST_SPAN => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

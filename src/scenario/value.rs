//! One value against the [`Kind`] of its key.

use super::error::Place;
use super::raw::{self, RawItem, RawValue};
use crate::params::{Kind, did_you_mean};
use std::path::{Path, absolute};
use toml::Value;

/// Checks a value. `key` is its name in messages; relative paths start from `folder`.
pub(super) fn check(
    key: &str,
    kind: &Kind,
    value: &RawValue,
    place: &Place,
    folder: &Path,
) -> Result<Value, Vec<(Place, String)>> {
    let interpreted;
    let value = match value {
        RawValue::Argument(argument) => {
            interpreted = interpret(argument, kind, place);
            &interpreted
        }
        written => written,
    };
    match (kind, value) {
        (Kind::Words { words, .. }, RawValue::List(items)) => return check_list(key, kind, words, items, place),
        (Kind::Numbers { .. }, RawValue::List(items)) => return check_numbers(key, kind, items),
        (Kind::Texts, RawValue::List(items)) if !items.is_empty() => return check_texts(key, items),
        _ => {}
    }
    check_single(key, kind, value, folder).map_err(|message| vec![(place.clone(), message)])
}

fn check_single(key: &str, kind: &Kind, value: &RawValue, folder: &Path) -> Result<Value, String> {
    match (kind, value) {
        (Kind::Integer { min, max, .. } | Kind::WordOrInteger { min, max, .. }, RawValue::Integer(Some(whole), _))
            if (min..=max).contains(&whole) =>
        {
            Ok(Value::Integer(*whole))
        }
        (Kind::Number { min, max, .. } | Kind::WordOrNumber { min, max, .. }, RawValue::Integer(Some(whole), _))
            if (*min..=*max).contains(&(*whole as f64)) =>
        {
            Ok(Value::Float(*whole as f64))
        }
        // NaN lies in no range; an open range excludes infinity. Adding zero turns -0 into 0.
        (Kind::Number { min, max, .. } | Kind::WordOrNumber { min, max, .. }, RawValue::Number(number, _))
            if number.is_finite() && (min..=max).contains(&number) =>
        {
            Ok(Value::Float(number + 0.0))
        }
        (Kind::Bool { .. }, RawValue::Bool(flag)) => Ok(Value::Boolean(*flag)),
        (Kind::Text { .. }, RawValue::Text(text)) => Ok(Value::from(text.as_str())),
        (
            Kind::Word { words, .. }
            | Kind::WordOrInteger { words, .. }
            | Kind::WordOrNumber { words, .. }
            | Kind::Numbers { words, .. },
            RawValue::Text(text),
        ) if words.contains(&text.as_str()) => Ok(Value::from(text.as_str())),
        (Kind::Path { .. }, RawValue::Text(text)) => resolve(key, text, folder).map(Value::from),
        _ => Err(wrong(key, kind, value)),
    }
}

pub(super) fn wrong(key: &str, kind: &Kind, value: &RawValue) -> String {
    let hint = match value {
        RawValue::Text(text) if needs_no_quotes(text, kind) => "; remove the quotes".to_owned(),
        RawValue::Text(text) => did_you_mean(text, kind.words().iter().copied()),
        _ => String::new(),
    };
    format!("`{key}` must be {}, found {}{hint}", kind.wanted(), value.describe())
}

/// True if a text would be valid as a number, `true` or `false`.
fn needs_no_quotes(text: &str, kind: &Kind) -> bool {
    matches!(
        (kind, raw::parse_value(text, &Place::Line(1))),
        (Kind::Integer { .. } | Kind::WordOrInteger { .. }, Some(RawValue::Integer(..)))
            | (Kind::Number { .. } | Kind::WordOrNumber { .. }, Some(RawValue::Integer(..) | RawValue::Number(..)))
            | (Kind::Bool { .. }, Some(RawValue::Bool(_)))
    )
}

fn check_list(
    key: &str,
    kind: &Kind,
    words: &[&'static str],
    items: &[RawItem],
    place: &Place,
) -> Result<Value, Vec<(Place, String)>> {
    let mut problems = Vec::new();
    let mut found = Vec::new();
    for item in items {
        let word = match &item.value {
            RawValue::Text(text) => words.iter().find(|word| *word == text),
            _ => None,
        };
        match word {
            None => {
                let one = Kind::Word { words: kind.words(), default: None };
                problems.push((item.place.clone(), format!("each word of {}", wrong(key, &one, &item.value))));
            }
            Some(word) if found.contains(word) => {
                problems.push((item.place.clone(), format!("`{key}` lists \"{word}\" twice; each word counts once")));
            }
            Some(word) => found.push(*word),
        }
    }
    if items.is_empty() {
        problems.push((place.clone(), format!("`{key}` must be {}, found an empty list", kind.wanted())));
    }
    // Uses the order of the table, so that two scenarios with the same metrics are equal.
    let ordered: Vec<&str> = words.iter().copied().filter(|word| found.contains(word)).collect();
    if problems.is_empty() { Ok(Value::from(ordered)) } else { Err(problems) }
}

fn check_numbers(key: &str, kind: &Kind, items: &[RawItem]) -> Result<Value, Vec<(Place, String)>> {
    let Kind::Numbers { min, max, .. } = *kind else { return Ok(Value::Array(Vec::new())) };
    let (mut numbers, mut problems) = (Vec::new(), Vec::new());
    for item in items {
        let number = match &item.value {
            RawValue::Integer(Some(whole), _) => *whole as f64,
            RawValue::Number(number, _) => *number,
            _ => f64::NAN,
        };
        // NaN lies in no range.
        if (min..=max).contains(&number) && number.is_finite() {
            numbers.push(Value::Float(number + 0.0));
        } else {
            let one = Kind::Number { min, max, default: None };
            problems.push((item.place.clone(), format!("each number of {}", wrong(key, &one, &item.value))));
        }
    }
    if problems.is_empty() { Ok(Value::Array(numbers)) } else { Err(problems) }
}

fn check_texts(key: &str, items: &[RawItem]) -> Result<Value, Vec<(Place, String)>> {
    let (mut texts, mut problems) = (Vec::new(), Vec::new());
    for item in items {
        match &item.value {
            RawValue::Text(text) => texts.push(Value::from(text.as_str())),
            other => {
                let message = format!("each entry of `{key}` must be text in quotes, found {}", other.describe());
                problems.push((item.place.clone(), message));
            }
        }
    }
    if problems.is_empty() { Ok(Value::Array(texts)) } else { Err(problems) }
}

/// Reads the text of a `--set` as a value of `kind`. Quotes around text may be omitted.
pub(super) fn interpret(argument: &str, kind: &Kind, place: &Place) -> RawValue {
    let parsed = raw::parse_value(argument, place);
    let text = |text: &str| RawValue::Text(text.to_owned());
    match (kind, parsed) {
        (_, Some(RawValue::Text(quoted))) if !matches!(kind, Kind::Words { .. }) => RawValue::Text(quoted),
        (Kind::Words { .. }, Some(RawValue::List(items))) => RawValue::List(items),
        (Kind::Words { .. }, _) => {
            let inner = argument.trim().trim_start_matches('[').trim_end_matches(']');
            let words = inner.split(',').map(|word| word.trim().trim_matches(['"', '\'']));
            let words = words.filter(|word| !word.is_empty());
            RawValue::List(words.map(|word| RawItem { place: place.clone(), value: text(word) }).collect())
        }
        (Kind::Text { .. } | Kind::Word { .. } | Kind::Path { .. }, _) => text(argument),
        (Kind::WordOrInteger { .. } | Kind::WordOrNumber { .. } | Kind::Numbers { .. }, None) => text(argument),
        (_, Some(value)) => value,
        (_, None) => RawValue::Argument(argument.to_owned()),
    }
}

fn resolve(key: &str, text: &str, folder: &Path) -> Result<String, String> {
    if text.is_empty() {
        return Err(format!("`{key}` must be a path in quotes, found an empty text"));
    }
    let path = absolute(folder.join(text)).map_err(|error| format!("`{key}` cannot be made absolute: {error}"))?;
    let utf8 = path.to_str().map(str::to_owned);
    utf8.ok_or_else(|| format!("`{key}` leads into the folder {}, whose name is not UTF-8", folder.display()))
}

//! The record of an alignment in a model's card: `[measured]`.

use crate::align::scenes::{SceneAlignment, SceneFigure, Scope};
use crate::align::shown as display;
use crate::cli::Failure;
use crate::files::Partial;
use std::io::Write;
use std::path::Path;

/// Measures that the card keeps in full.
const KEPT: [&str; 6] = [
    "accuracy",
    "accuracy of drawn answers",
    "log loss",
    "calibration error",
    "largest position gap",
    "largest rotation gap",
];

/// Replaces the card in `folder`.
pub(super) fn write(folder: &Path, text: &str) -> Result<(), Failure> {
    let path = folder.join("card.toml");
    let mut output = Partial::create(&path).map_err(Failure::input)?;
    output.write_all(text.as_bytes()).map_err(Failure::input)?;
    output.finish().map_err(Failure::input)
}

/// Writes the figures of a language model into its card, and leaves the rest unchanged.
pub(super) fn write_measured(folder: &Path, found: &SceneAlignment) -> Result<(), Failure> {
    let path = folder.join("card.toml");
    let text = crate::files::read_text(&path, crate::files::MOST_OF_TEXT).map_err(|problem| {
        Failure::input(format!("cannot read {}: {problem}; --write-card needs a model with a card", path.display()))
    })?;
    let mut measured = toml::Table::new();
    measured.insert("measured".to_owned(), toml::Value::Table(table(found)));
    let measured = toml::to_string_pretty(&measured).map_err(Failure::other)?;
    write(folder, &format!("{}\n{measured}", without_measured(&text)))
}

/// The card without its `[measured]`.
fn without_measured(card: &str) -> String {
    let mut kept = String::new();
    let mut is_measured = false;
    for line in card.lines() {
        if let Some(header) = line.trim_start().strip_prefix('[') {
            let name = header.trim_start_matches('[').trim_start();
            let rest = name.strip_prefix("measured");
            is_measured = rest.is_some_and(|rest| rest.starts_with([']', '.', ' ']));
        }
        if !is_measured {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept.truncate(kept.trim_end().len());
    kept + "\n"
}

fn table(found: &SceneAlignment) -> toml::Table {
    let text = |value: &str| toml::Value::String(value.to_owned());
    let mut measured = toml::Table::new();
    measured.insert("data".to_owned(), text(&found.files.join(", ")));
    measured.insert("scenes".to_owned(), toml::Value::Integer(found.scenes as i64));
    measured.insert("seed".to_owned(), toml::Value::Integer(found.seed as i64));
    let prompts = found.contenders.first().and_then(|first| first.prompts.as_deref());
    measured.insert("prompts".to_owned(), text(prompts.unwrap_or_default()));
    measured.insert("figure".to_owned(), toml::Value::Array(shown(found)));
    let kept = found.figures.iter().filter(|of| {
        of.dataset.is_none() && of.length.is_none() && of.scope == Scope::All && KEPT.contains(&of.measure.as_str())
    });
    measured.insert("all".to_owned(), toml::Value::Array(kept.filter_map(row).collect()));
    measured
}

/// The figures for readers of a report, with their names there.
fn shown(found: &SceneAlignment) -> Vec<toml::Value> {
    let mut figures = Vec::new();
    for list in &found.lists {
        let figure = |who: &str| found.figure(Some(list), Scope::All, who, "accuracy");
        let swapped = format!("{}, another user's memory", found.model);
        let chance = figure("chance").map_or(0.0, |of| of.estimate);
        for (who, name) in [(found.model.as_str(), "Choice"), (swapped.as_str(), "The same with another user's memory")]
        {
            if let Some(of) = figure(who) {
                let note = format!("{list} lists; chance {:.1}%", 100.0 * chance);
                figures.push(display(name.to_owned(), [of.estimate, of.low, of.high], true, &note));
            }
        }
    }
    figures
}

fn row(of: &SceneFigure) -> Option<toml::Value> {
    let mut row = toml::Table::new();
    let list = of.list.as_deref().unwrap_or("all");
    for (key, value) in [("measure", of.measure.as_str()), ("list", list), ("who", of.who.as_str())] {
        row.insert(key.to_owned(), toml::Value::String(value.to_owned()));
    }
    row.insert("scenes".to_owned(), toml::Value::Integer(of.scenes as i64));
    for (key, value) in [("estimate", of.estimate), ("low", of.low), ("high", of.high)] {
        if value.is_finite() {
            row.insert(key.to_owned(), toml::Value::Float((value * 1e4).round() / 1e4));
        }
    }
    of.estimate.is_finite().then_some(toml::Value::Table(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_loses_only_its_measured_table() {
        let card = "kind = \"language\"\n\n[measured]\ndata = \"x\"\n\n[[measured.figure]]\nname = \"[a]\"\n\n[files.\"a\"]\nsha256 = \"1\"\n\n[measured_by]\nx = 1\n";
        let kept = "kind = \"language\"\n\n[files.\"a\"]\nsha256 = \"1\"\n\n[measured_by]\nx = 1\n";
        assert_eq!(without_measured(card), kept);
    }
}

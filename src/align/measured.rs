//! The record of an alignment in a mirror's card: `[measured]`.

use super::clicks::LISTS;
use super::{AlignOptions, Alignment, ClickAlignment, Figure, align};
use crate::dataset::Dataset;
use crate::files::FileError;
use crate::user::{Card, Mirror, UserError};
use std::path::Path;

/// Rows of one inference call during measurement.
const CHUNK: usize = 128;

/// A model that cannot be measured, or a card that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The model cannot be loaded, or fails.
    #[error(transparent)]
    User(#[from] UserError),
    /// The card cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The card has a value that TOML cannot express.
    #[error("the card of the model: {0}")]
    Card(#[from] toml::ser::Error),
}

/// Measures the mirror model in `folder` on held-out users of the data set that it was fitted to, and writes the figures
/// into its card.
///
/// # Errors
/// When the model fails, or its card cannot be written.
pub fn measure(folder: &Path, data: &Dataset, options: AlignOptions) -> Result<Alignment, MeasureError> {
    let before = data.split_to_learn(options.holdout).log.before;
    let model = Mirror::load(folder, data, &before, CHUNK)?;
    let found = align(&model, data, options)?;
    let card = Card { measured: measured(&found), ..model.card().clone() };
    let path = folder.join("card.toml");
    std::fs::write(&path, toml::to_string_pretty(&card)?).map_err(|source| FileError::write(&path, source))?;
    Ok(found)
}

/// A figure in the form of reports: its name, the estimate with its interval, and a yardstick.
pub fn shown(name: String, figure: [f64; 3], percent: bool, note: &str) -> toml::Value {
    let show = |value: f64| if percent { format!("{:.1}%", 100.0 * value) } else { format!("{value:.3}") };
    let [estimate, low, high] = figure.map(show);
    let value = match figure[1].is_finite() && figure[2].is_finite() {
        true => format!("{estimate} ({low} to {high})"),
        false => format!("{estimate} (no interval)"),
    };
    let entries = [("name", name), ("value", value), ("note", note.to_owned())];
    let entries = entries.into_iter().map(|(key, value)| (key.to_owned(), toml::Value::String(value)));
    toml::Value::Table(entries.collect())
}

/// The figures for readers of a report, with their names there.
fn headline(figure: &Figure) -> Option<(String, &'static str)> {
    let of_model = figure.who == "model";
    match figure.measure {
        "choice" if of_model => Some((format!("Choice of 5, {} lists", figure.list), "chance 20%; higher is better")),
        "choice" if figure.who.contains("another") && figure.list == "popularity-matched" => Some((
            "The same with another user's memory".to_owned(),
            "popularity-matched lists; near 20% shows that the choice is personal",
        )),
        "choice" if figure.who == "item-kNN" && figure.list == "popularity-matched" => {
            Some(("item-kNN in its place".to_owned(), "popularity-matched lists"))
        }
        "lead" if figure.who == "model over item-kNN" && figure.list == "popularity-matched" => {
            Some(("Lead over item-kNN".to_owned(), "popularity-matched lists; paired"))
        }
        "accept" if figure.list == "1:1" => {
            Some(("Accept or reject one item".to_owned(), "real against random item 1:1; chance 50%"))
        }
        "click gain" if figure.list == LISTS && !figure.who.ends_with(" constant") => Some((
            format!("Click log loss below that of {}", figure.who.trim_start_matches("model over ")),
            "held-out lists; paired; above 0 the model predicts better",
        )),
        "click AUC" if of_model => {
            Some((format!("AUC of what is taken, {}", figure.list), "0.5 is chance; higher is better"))
        }
        "click calibration" => Some(("Calibration error of clicks".to_owned(), "held-out lists; 0 is perfect")),
        "calibration" => Some(("Calibration error".to_owned(), "of accept or reject; 0 is perfect")),
        "rating" => Some(("Rating error (RMSE)".to_owned(), "in levels from 1 to 5; lower is better")),
        _ => None,
    }
}

/// `[measured.lists]`: how often something was taken from the held-out lists, and the level that fits them.
fn of_lists(lists: &ClickAlignment) -> toml::Table {
    let mut table = toml::Table::new();
    let counts =
        [("lists", lists.lists), ("items", lists.cells), ("taken", lists.taken), ("lists_taken", lists.lists_taken)];
    for (key, count) in counts {
        table.insert(key.to_owned(), toml::Value::Integer(count as i64));
    }
    for (key, value) in [("temperature", lists.temperature), ("reject_shift", lists.reject_shift)] {
        if let Some(value) = value {
            table.insert(key.to_owned(), toml::Value::Float((value * 1e4).round() / 1e4));
        }
    }
    table
}

/// The table `[measured]` of a card.
pub fn measured(found: &Alignment) -> toml::Table {
    let mut figures = toml::value::Array::new();
    let mut all = toml::value::Array::new();
    for figure in found.figures.iter().filter(|figure| figure.estimate.is_finite()) {
        let mut row = toml::Table::new();
        for (key, value) in [("measure", figure.measure), ("list", figure.list), ("who", figure.who.as_str())] {
            row.insert(key.to_owned(), toml::Value::String(value.to_owned()));
        }
        row.insert("scenes".to_owned(), toml::Value::Integer(figure.scenes as i64));
        for (key, value) in [("estimate", figure.estimate), ("low", figure.low), ("high", figure.high)] {
            if value.is_finite() {
                row.insert(key.to_owned(), toml::Value::Float((value * 1e4).round() / 1e4));
            }
        }
        all.push(toml::Value::Table(row));
        if let Some((name, note)) = headline(figure) {
            let percent = matches!(figure.measure, "choice" | "lead" | "accept");
            figures.push(shown(name, [figure.estimate, figure.low, figure.high], percent, note));
        }
    }
    let verdict = found.verdict();
    let mut measured = toml::Table::new();
    measured.insert("data".to_owned(), toml::Value::String(found.data.clone()));
    measured.insert("scenes".to_owned(), toml::Value::Integer(found.scenes as i64));
    measured.insert("seed".to_owned(), toml::Value::Integer(found.seed as i64));
    measured.insert("trusted".to_owned(), toml::Value::Boolean(verdict.is_trusted));
    measured.insert("verdict".to_owned(), toml::Value::String(verdict.text));
    if let Some(lists) = &found.lists {
        measured.insert("lists".to_owned(), toml::Value::Table(of_lists(lists)));
    }
    measured.insert("figure".to_owned(), toml::Value::Array(figures));
    measured.insert("all".to_owned(), toml::Value::Array(all));
    measured
}

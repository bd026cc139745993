//! A mirror model on lists that are built from a data set's held-out interactions.

use super::Align;
use super::card::display;
use crate::align::{AlignOptions, Alignment, Figure, align};
use crate::cli::{Failure, print};
use crate::dataset::Dataset;
use crate::user::{Card, Mirror};
use std::fmt::Write;
use std::path::Path;

/// Held-out scenes of each list type unless something else is said.
const SCENES: u32 = 8_000;

/// Measures the model on the data set in `folder`.
pub(super) fn run(arguments: &Align, folder: &Path) -> Result<(), Failure> {
    let data = Dataset::read(folder).map_err(Failure::input)?;
    let before = data.split(arguments.holdout).before;
    let chunk = arguments.chunk as usize;
    let model = Mirror::load(&arguments.subject, &data, &before, chunk);
    let model = model.map_err(Failure::input)?;
    let scenes = arguments.scenes.unwrap_or(SCENES) as usize;
    let options = AlignOptions { scenes, seed: arguments.seed, holdout: arguments.holdout };
    let found = align(&model, &data, options).map_err(Failure::input)?;
    if found.scenes == 0 {
        return Err(Failure::input(format!("{} has no held-out interaction with 3 predecessors", data.name)));
    }
    if arguments.json {
        print(&(serde_json::to_string_pretty(&found).map_err(Failure::other)? + "\n"));
    } else {
        print(&table(&found));
    }
    if arguments.write_card {
        write_card(&arguments.subject, model.card(), &found)?;
    }
    let accuracy = found.estimate("choice", "model", "popularity-matched").unwrap_or(0.0);
    super::gate(arguments.min_accuracy, accuracy, "popularity-matched lists")
}

fn table(found: &Alignment) -> String {
    let mut text = format!("{}: {} held-out scenes of each list type, seed {}\n", found.data, found.scenes, found.seed);
    let _ = writeln!(text, "{:<12} {:<20} {:<34} {:>8}   95% interval", "measure", "list", "who", "estimate");
    for figure in &found.figures {
        let _ = writeln!(
            text,
            "{:<12} {:<20} {:<34} {:>8.3}   {:.3} to {:.3}",
            figure.measure, figure.list, figure.who, figure.estimate, figure.low, figure.high
        );
    }
    found.verdict().iter().for_each(|sentence| text += &format!("{sentence}\n"));
    text
}

/// The figures that a reader of a report needs, in its words.
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
        "accept" => Some(("Accept or reject one item".to_owned(), "real against random item 1:1; chance 50%")),
        "calibration" => Some(("Calibration error".to_owned(), "of accept or reject; 0 is perfect")),
        "rating" => Some(("Rating error (RMSE)".to_owned(), "in levels from 1 to 5; lower is better")),
        _ => None,
    }
}

fn write_card(folder: &Path, card: &Card, found: &Alignment) -> Result<(), Failure> {
    let mut figures = toml::value::Array::new();
    let mut all = toml::value::Array::new();
    for figure in &found.figures {
        let mut row = toml::Table::new();
        for (key, value) in [("measure", figure.measure), ("list", figure.list), ("who", figure.who.as_str())] {
            row.insert(key.to_owned(), toml::Value::String(value.to_owned()));
        }
        for (key, value) in [("estimate", figure.estimate), ("low", figure.low), ("high", figure.high)] {
            row.insert(key.to_owned(), toml::Value::Float((value * 1e4).round() / 1e4));
        }
        all.push(toml::Value::Table(row));
        if let Some((name, note)) = headline(figure) {
            let percent = matches!(figure.measure, "choice" | "accept");
            figures.push(display(name, [figure.estimate, figure.low, figure.high], percent, note));
        }
    }
    let mut card = card.clone();
    card.measured = toml::Table::new();
    card.measured.insert("data".to_owned(), toml::Value::String(found.data.clone()));
    card.measured.insert("scenes".to_owned(), toml::Value::Integer(found.scenes as i64));
    card.measured.insert("seed".to_owned(), toml::Value::Integer(found.seed as i64));
    let verdict = found.verdict().into_iter().map(toml::Value::String).collect();
    card.measured.insert("verdict".to_owned(), toml::Value::Array(verdict));
    card.measured.insert("figure".to_owned(), toml::Value::Array(figures));
    card.measured.insert("all".to_owned(), toml::Value::Array(all));
    super::card::write(folder, &toml::to_string_pretty(&card).map_err(Failure::other)?)
}

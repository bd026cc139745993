//! `recmirror align`: how well a mirror model predicts held-out people.

use super::{Failure, print, use_threads};
use crate::align::{AlignOptions, Alignment, Figure, align};
use crate::dataset::Dataset;
use crate::user::{Card, Mirror};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Arguments of `align`.
#[derive(clap::Args)]
pub struct Align {
    /// The model's folder.
    model: PathBuf,
    /// The data set's folder; its latest interactions are the held-out ones.
    data: PathBuf,
    /// Held-out scenes of each list type at most.
    #[arg(long, default_value_t = 8_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    scenes: u32,
    /// Root of the random streams.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Share of each user's latest interactions that is held out.
    #[arg(long, default_value_t = 0.2)]
    holdout: f64,
    /// Rows of one inference call.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(2..=65_536))]
    chunk: u32,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Write the figures into the model's card.
    #[arg(long)]
    write_card: bool,
    /// Fail with exit code 3 when the choice accuracy on popularity-matched lists is lower.
    #[arg(long, value_name = "X")]
    min_accuracy: Option<f64>,
}

impl Align {
    pub(super) fn run(self) -> Result<(), Failure> {
        if !(0.01..=0.9).contains(&self.holdout) {
            return Err(Failure::input(format!("--holdout is {}, expected 0.01 to 0.9", self.holdout)));
        }
        use_threads(None)?;
        let data = Dataset::read(&self.data, None).map_err(Failure::input)?;
        let before = data.split(self.holdout).before;
        let model = Mirror::load(&self.model, &data.catalogue, &data.profiles, &before, self.chunk as usize);
        let model = model.map_err(Failure::input)?;
        let options = AlignOptions { scenes: self.scenes as usize, seed: self.seed, holdout: self.holdout };
        let found = align(&model, &data, options).map_err(Failure::input)?;
        if found.scenes == 0 {
            return Err(Failure::input(format!("{} has no held-out interaction with 3 predecessors", data.name)));
        }
        if self.json {
            print(&(serde_json::to_string_pretty(&found).map_err(Failure::other)? + "\n"));
        } else {
            print(&table(&found));
        }
        if self.write_card {
            write_card(&self.model, model.card(), &found)?;
        }
        let accuracy = found.estimate("choice", "model", "popularity-matched").unwrap_or(0.0);
        match self.min_accuracy {
            Some(least) if accuracy < least => Err(Failure::Check(format!(
                "choice accuracy on popularity-matched lists is {accuracy:.3}, less than {least}"
            ))),
            _ => Ok(()),
        }
    }
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
        "rating" => Some(("Rating error (RMSE)".to_owned(), "in stars; lower is better")),
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
            figures.push(toml::Value::Table(display(figure, name, note)));
        }
    }
    let mut card = card.clone();
    card.measured = toml::Table::new();
    card.measured.insert("data".to_owned(), toml::Value::String(found.data.clone()));
    card.measured.insert("scenes".to_owned(), toml::Value::Integer(found.scenes as i64));
    card.measured.insert("seed".to_owned(), toml::Value::Integer(found.seed as i64));
    card.measured.insert("figure".to_owned(), toml::Value::Array(figures));
    card.measured.insert("all".to_owned(), toml::Value::Array(all));
    let path = folder.join("card.toml");
    let partial = folder.join("card.toml.partial");
    let fail = |problem: std::io::Error| Failure::input(format!("cannot write {}: {problem}", path.display()));
    let text = toml::to_string_pretty(&card).map_err(Failure::other)?;
    std::fs::write(&partial, text).map_err(fail)?;
    std::fs::rename(&partial, &path).map_err(fail)
}

fn display(figure: &Figure, name: String, note: &str) -> toml::Table {
    let percent = matches!(figure.measure, "choice" | "accept");
    let show = |value: f64| if percent { format!("{:.1}%", 100.0 * value) } else { format!("{value:.3}") };
    let value = format!("{} ({} to {})", show(figure.estimate), show(figure.low), show(figure.high));
    let entries = [("name", name), ("value", value), ("note", note.to_owned())];
    entries.into_iter().map(|(key, value)| (key.to_owned(), toml::Value::String(value))).collect()
}

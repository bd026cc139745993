//! A mirror model on lists that are built from a data set's held-out interactions.

use super::Align;
use crate::align::{AlignOptions, Alignment, align, measured};
use crate::cli::{Failure, print};
use crate::registry::Registry;
use crate::user::{Card, Mirror};
use std::fmt::Write;
use std::path::Path;

/// Held-out scenes of each list type unless something else is said.
const SCENES: u32 = 8_000;

/// Measures the model on the data set in `folder`.
pub(super) fn run(arguments: &Align, registry: &Registry, folder: &Path) -> Result<(), Failure> {
    let data = registry.read(folder, None).map_err(Failure::input)?;
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

pub(in crate::cli) fn table(found: &Alignment) -> String {
    let mut text = format!("{}: {} held-out scenes of each list type, seed {}\n", found.data, found.scenes, found.seed);
    let _ = writeln!(text, "{:<12} {:<20} {:<34} {:>8}   95% interval", "measure", "list", "who", "estimate");
    for figure in &found.figures {
        let _ = writeln!(
            text,
            "{:<12} {:<20} {:<34} {:>8.3}   {:.3} to {:.3}",
            figure.measure, figure.list, figure.who, figure.estimate, figure.low, figure.high
        );
    }
    let _ = writeln!(text, "verdict: {}", found.verdict().text);
    text
}

fn write_card(folder: &Path, card: &Card, found: &Alignment) -> Result<(), Failure> {
    let card = Card { measured: measured(found), ..card.clone() };
    super::card::write(folder, &toml::to_string_pretty(&card).map_err(Failure::other)?)
}

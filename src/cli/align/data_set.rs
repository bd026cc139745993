//! `recmirror align` on a data set's held-out interactions.

use super::models::{Kind, kind_of};
use super::{Align, order};
use crate::align::{AlignOptions, Alignment, Figure, PolicyOrder, align, measured};
use crate::cli::language::stop_flag;
use crate::cli::{Failure, print};
use crate::registry::Registry;
use crate::user::{Card, Mirror};
use std::fmt::Write;
use std::path::Path;

/// The default number of held-out scenes of each list type.
const SCENES: u32 = 8_000;

/// Measures the model on the data set in `folder`.
pub(super) fn run(arguments: &Align, registry: &Registry, folder: &Path) -> Result<(), Failure> {
    check_kind(&arguments.subject)?;
    let experiment = order::prepare(arguments, Some(Kind::Mirror), Some(folder), registry)?;
    let data = registry.read(folder, None).map_err(Failure::input)?;
    let before = data.split_to_learn(arguments.holdout).log.before;
    let chunk = arguments.chunk as usize;
    let model = Mirror::load(&arguments.subject, &data, &before, chunk);
    let model = model.map_err(Failure::input)?;
    let scenes = arguments.scenes.unwrap_or(SCENES) as usize;
    let options = AlignOptions { scenes, seed: arguments.seed, holdout: arguments.holdout };
    let found = align(&model, &data, options).map_err(Failure::input)?;
    if found.scenes == 0 && found.lists.is_none() {
        return Err(Failure::input(format!("{} has no held-out interaction with 3 predecessors", data.name)));
    }
    let stop = stop_flag()?;
    let ordered = experiment.map(|experiment| order::run(&experiment, arguments.quiet, &stop)).transpose()?;
    if arguments.json {
        let both = Measured { alignment: &found, policy_order: ordered.as_ref() };
        print(&(serde_json::to_string_pretty(&both).map_err(Failure::other)? + "\n"));
    } else {
        print(&(table(&found) + &ordered.as_ref().map(PolicyOrder::table).unwrap_or_default()));
    }
    if arguments.write_card {
        write_card(&arguments.subject, model.card(), &found)?;
    }
    let accuracy = found.estimate("choice", "model", "popularity-matched").unwrap_or(0.0);
    super::gate(arguments.min_accuracy, accuracy, "popularity-matched lists")
}

/// Refuses a model other than a mirror: lists from a data set need one.
fn check_kind(path: &Path) -> Result<(), Failure> {
    let what = match kind_of(path)? {
        Kind::Mirror => return Ok(()),
        Kind::Parametric => "`parametric`".to_owned(),
        Kind::Language => format!("the language model {}", path.display()),
    };
    Err(Failure::input(format!(
        "{what} is measured on files of scenes, and lists from a data set's folder are for mirrors: make scenes with `recmirror \
         scenes`, then `recmirror align MODEL datasets/NAME_eval.jsonl --data DIR`"
    )))
}

/// The output of `--json`.
#[derive(serde::Serialize)]
struct Measured<'a> {
    #[serde(flatten)]
    alignment: &'a Alignment,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_order: Option<&'a PolicyOrder>,
}

/// The lines before the figures.
fn head(found: &Alignment) -> String {
    let mut text = format!("{}: {} held-out scenes of each list type, seed {}\n", found.data, found.scenes, found.seed);
    if let Some(lists) = &found.lists {
        let _ = writeln!(
            text,
            "{} held-out lists as they were shown, {} items, {} taken; something was taken from {} lists",
            lists.lists, lists.cells, lists.taken, lists.lists_taken
        );
    }
    text
}

pub(in crate::cli) fn table(found: &Alignment) -> String {
    let mut text = head(found);
    let wide =
        |width: usize, of: fn(&Figure) -> &str| found.figures.iter().map(of).map(str::len).fold(width, usize::max);
    let (measure, list, who) =
        (wide(12, |figure| figure.measure), wide(20, |figure| figure.list), wide(34, |figure| &figure.who));
    let _ =
        writeln!(text, "{:<measure$} {:<list$} {:<who$} {:>8}   95% interval", "measure", "list", "who", "estimate");
    let is_defined = |figure: &&Figure| figure.estimate.is_finite();
    for figure in found.figures.iter().filter(is_defined) {
        // Click losses and their differences are small, so they get more digits.
        let digits = if figure.measure.starts_with("click") { 5 } else { 3 };
        let ends = match figure.low.is_finite() && figure.high.is_finite() {
            true => format!("{:.digits$} to {:.digits$}", figure.low, figure.high),
            false => "none: one user".to_owned(),
        };
        let _ = writeln!(
            text,
            "{:<measure$} {:<list$} {:<who$} {:>8.digits$}   {ends}",
            figure.measure, figure.list, figure.who, figure.estimate
        );
    }
    let undefined = found.figures.iter().filter(|figure| !is_defined(figure)).count();
    if undefined > 0 {
        let _ = writeln!(text, "{undefined} more figures are undefined: too few held-out scenes or lists");
    }
    if let Some((temperature, shift)) = found.lists.as_ref().and_then(|lists| lists.temperature.zip(lists.reject_shift))
    {
        let _ = writeln!(
            text,
            "level of the held-out lists: temperature {temperature:.3}, \"reject all\" shifted by {shift:.3}"
        );
    }
    let _ = writeln!(text, "verdict: {}", found.verdict().text);
    text
}

fn write_card(folder: &Path, card: &Card, found: &Alignment) -> Result<(), Failure> {
    let card = Card { measured: measured(found), ..card.clone() };
    super::measured_card::write(folder, &toml::to_string_pretty(&card).map_err(Failure::other)?)
}

//! Any user model on files of scenes.

use super::models::{Data, Kind, Loaded, kind_of, load, server};
use super::{Align, gate, measured_card, order};
use crate::align::scenes::{
    AlignError, Background, Contender, Lookup, SceneAlignment, SceneOptions, SceneSet, Scope, Variations,
    measure_scenes, write_answers, write_text,
};
use crate::cli::language::{failure, stop_flag, usage_summary};
use crate::cli::stage_bar::StageBar;
use crate::cli::terminal::{print_stderr, say};
use crate::cli::{Failure, print};
use crate::dataset::Dataset;
use crate::files::{Listing, OutputFolder};
use crate::language::TEMPLATE_FILE;
use crate::registry::Registry;
use crate::report::alignment_html;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The files of an output folder.
const FILES: [&str; 4] = ["align.json", "align.csv", "answers.jsonl", "align.html"];

/// The remedy for an existing output folder.
const REMEDY: &str = "; --force replaces that of an earlier `align --out`";

/// Scenes of each file with --quick.
const QUICK: u32 = 128;

/// Measures the model of the command line.
pub(super) fn run(arguments: &Align, registry: &Registry) -> Result<(), Failure> {
    let asks_server = !arguments.server.is_none();
    let own = (!asks_server).then_some(&arguments.subject);
    let kinds = own.into_iter().chain(&arguments.beside).map(|path| kind_of(path)).collect::<Result<Vec<_>, _>>()?;
    if arguments.write_card && kinds.first().filter(|_| !asks_server) != Some(&Kind::Language) {
        return Err(Failure::input(
            "--write-card writes into the card of a language model, or of a mirror on a data set's folder; leave it out",
        ));
    }
    let create = |path: &PathBuf| OutputFolder::create(path, arguments.force.then_some(own_files as Listing), REMEDY);
    let folder = arguments.out.as_ref().map(create).transpose().map_err(Failure::input)?;
    let most = arguments.scenes.or(arguments.quick.then_some(QUICK));
    let experiment = order::prepare(
        arguments,
        kinds.first().copied().filter(|_| !asks_server),
        arguments.data.as_deref(),
        registry,
    )?;
    let set = SceneSet::read(&arguments.over, most.map(|most| most as usize)).map_err(Failure::input)?;
    let stop = stop_flag()?;
    let data = arguments.data.as_ref().map(|folder| read(folder, arguments.holdout)).transpose()?;
    warn(arguments, &set)?;
    // Missing ids or ratings are reported before a model takes its time to load.
    let lookup = data.as_ref().map(|data| Lookup::new(&set, &data.whole, &data.before));
    let lookup = lookup.transpose().map_err(Failure::input)?;
    let models = loaded(arguments, data.as_ref(), &stop)?;
    let speaks = models.first().is_some_and(|model| !matches!(model, Loaded::User { .. }));
    let frozen = if speaks && !arguments.quick { set.frozen_histories().map_err(Failure::input)? } else { None };
    let contenders = contenders(arguments, &models, lookup.as_ref(), frozen.as_deref(), &stop)?;
    let is_trained = kinds.contains(&Kind::Mirror);
    let background = Background { data: data.as_ref().map(|data| &data.whole), lookup: lookup.as_ref(), is_trained };
    let options = SceneOptions { seed: arguments.seed, repeats: arguments.repeats, top_p: arguments.top_p };
    let bar = StageBar::new(arguments.quiet);
    let found = measure_scenes(&set, &contenders, &background, options, &bar);
    bar.finish();
    if let Some(Loaded::Server { model, .. }) = models.first() {
        print_stderr(&usage_summary(model.usage()));
    }
    let mut found = found.map_err(failed)?;
    if let Some(experiment) = &experiment {
        found.policy_order = Some(order::run(experiment, arguments.quiet, &stop)?);
    }
    finish(arguments, &found, folder)
}

/// The files of a folder that this command wrote.
fn own_files(folder: &Path) -> Result<BTreeSet<PathBuf>, String> {
    if !folder.join(FILES[0]).is_file() {
        return Err(format!("it is not the folder of `align --out` (no {})", FILES[0]));
    }
    Ok(FILES.map(PathBuf::from).into())
}

fn read(folder: &Path, holdout: f64) -> Result<Data, Failure> {
    let whole = Dataset::read(folder).map_err(Failure::input)?;
    let before = whole.split(holdout).before;
    Ok(Data { whole, before })
}

/// The measured model, then those beside it.
fn loaded(arguments: &Align, data: Option<&Data>, stop: &Arc<AtomicBool>) -> Result<Vec<Loaded>, Failure> {
    let first = match server(arguments, stop)? {
        Some(model) => model,
        None => load(arguments, &arguments.subject, data, stop)?,
    };
    let mut all = vec![first];
    for path in &arguments.beside {
        all.push(load(arguments, path, data, stop)?);
    }
    Ok(all)
}

/// Warns about models whose scenes are worded differently from their training.
fn warn(arguments: &Align, set: &SceneSet) -> Result<(), Failure> {
    let own = arguments.server.is_none().then_some(&arguments.subject);
    for folder in own.into_iter().chain(&arguments.beside) {
        let path = folder.join(TEMPLATE_FILE);
        if kind_of(folder)? != Kind::Language || !path.is_file() {
            continue;
        }
        let text = crate::files::read_text(&path, crate::files::MOST_OF_TEXT);
        let text = text.map_err(|problem| Failure::input(format!("cannot read {}: {problem}", path.display())))?;
        for sentence in set.other_words(&text, &path).map_err(Failure::input)? {
            say!("note: {sentence}");
        }
    }
    Ok(())
}

fn contenders<'a>(
    arguments: &Align,
    models: &'a [Loaded],
    lookup: Option<&'a Lookup<'a>>,
    frozen: Option<&'a [String]>,
    stop: &'a AtomicBool,
) -> Result<Vec<Contender<'a>>, Failure> {
    let mut all = Vec::new();
    for (place, model) in models.iter().enumerate() {
        let name = model.name().to_owned();
        let is_known = models[..place].iter().any(|other| other.name() == name);
        let name = if is_known { format!("{name} ({})", arguments.beside[place - 1].display()) } else { name };
        // A user model answers thousands of questions in the time that a language model needs for one.
        let is_fast = matches!(model, Loaded::User { .. });
        let variations = Variations {
            rotations: arguments.rotations && (place == 0 || is_fast),
            discrimination: !arguments.quick && (place == 0 || is_fast),
            controls: place == 0 || is_fast,
        };
        all.push(model.contender(name, lookup, frozen, stop, variations)?);
    }
    Ok(all)
}

fn finish(arguments: &Align, found: &SceneAlignment, folder: Option<OutputFolder>) -> Result<(), Failure> {
    if arguments.json {
        print(&(serde_json::to_string_pretty(found).map_err(Failure::other)? + "\n"));
    } else {
        print(&found.table());
    }
    if let Some(folder) = folder {
        let [json, csv, answers, page] = FILES.map(|name| folder.path().join(name));
        found.write_json(&json).map_err(Failure::input)?;
        found.write_csv(&csv).map_err(Failure::input)?;
        write_answers(&answers, &found.answers).map_err(Failure::input)?;
        write_text(&page, &alignment_html(found).map_err(Failure::other)?).map_err(Failure::input)?;
        folder.finish().map_err(Failure::input)?;
    }
    if arguments.write_card {
        measured_card::write_measured(&arguments.subject, found)?;
    }
    let list = found.headline_list();
    let accuracy = found.figure(list, Scope::All, &found.model, "accuracy").map_or(f64::NAN, |of| of.estimate);
    gate(arguments.min_accuracy, accuracy, &list.map_or("all scenes".to_owned(), |list| format!("{list} lists")))
}

fn failed(error: AlignError) -> Failure {
    match &error {
        AlignError::Language(language) => failure(language, error.to_string(), false),
        AlignError::Stopped => Failure::other(error),
        _ => Failure::input(error),
    }
}

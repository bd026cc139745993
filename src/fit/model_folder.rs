//! The folder of a fitted model.

use super::graphs::graphs;
use super::network::{CHOICE_ITEM, EVENT, ITEM, QUERY, STATE};
use super::{Fitted, FittedLists};
use crate::dataset::Dataset;
use crate::files::{FileError, npy, sha256};
use crate::user::{CARD_VERSION, Card, Dims, FileEntry};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The facts about a model that only its maker knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CardTexts {
    /// Name of the model.
    pub name: String,
    /// Terms of the data, and so of the model; empty if not stated.
    pub licence: String,
}

/// The folder of the replicates in that of a model.
pub const REPLICATES: &str = "replicates";

/// The files of a model that was fitted here, those of its replicates included.
///
/// # Errors
/// A sentence, when the folder is no model.
pub fn own_files(folder: &Path) -> Result<BTreeSet<PathBuf>, String> {
    let mut files = model_files(folder, Path::new(""))?;
    for replicate in std::fs::read_dir(folder.join(REPLICATES)).into_iter().flatten().flatten() {
        let place = Path::new(REPLICATES).join(replicate.file_name());
        // A folder that is no model is not ours, and is named in the error.
        files.extend(model_files(&replicate.path(), &place).unwrap_or_default());
    }
    Ok(files)
}

/// The files of one model, as paths that begin with `place`.
fn model_files(folder: &Path, place: &Path) -> Result<BTreeSet<PathBuf>, String> {
    let card = Card::read(folder).map_err(|problem| format!("it is not a model: {problem}"))?;
    let named = card.files.values().map(|entry| entry.file.as_str());
    Ok(named.chain(["card.toml", "training.json"]).map(|name| place.join(name)).collect())
}

/// Writes all files.
pub(super) fn write(fitted: &Fitted, data: &Dataset, texts: &CardTexts, folder: &Path) -> Result<(), FileError> {
    let mut files = BTreeMap::new();
    let mut put = |key: &str, name: String, bytes: &[u8]| {
        let path = folder.join(&name);
        std::fs::write(&path, bytes).map_err(|source| FileError::write(path, source))?;
        files.insert(key.to_owned(), FileEntry { file: name, sha256: sha256(bytes) });
        Ok::<(), FileError>(())
    };
    for (name, bytes) in graphs(&fitted.network, fitted.inputs) {
        put(name, format!("{name}.onnx"), &bytes)?;
    }
    let vectors = npy(fitted.vectors.iter().copied(), fitted.vectors.shape());
    put("vectors", "vectors.npy".to_owned(), &vectors)?;
    let ids = serde_json::to_string(&fitted.items).map_err(|problem| other(folder, &problem))?;
    put("vector_items", "vector_items.json".to_owned(), (ids + "\n").as_bytes())?;
    let record = serde_json::json!({
        "parameters": fitted.parameters(),
        "trials": fitted.trials,
        "fit": fitted.course,
    });
    let path = folder.join("training.json");
    std::fs::write(&path, format!("{record:#}\n")).map_err(|source| FileError::write(path, source))?;
    let card = toml::to_string_pretty(&card(fitted, data, texts, files)).map_err(|problem| other(folder, &problem))?;
    let path = folder.join("card.toml");
    std::fs::write(&path, card).map_err(|source| FileError::write(path, source))
}

fn other(folder: &Path, problem: &dyn std::fmt::Display) -> FileError {
    FileError::whole(folder, problem.to_string())
}

fn card(fitted: &Fitted, data: &Dataset, texts: &CardTexts, files: BTreeMap<String, FileEntry>) -> Card {
    let inputs = fitted.inputs;
    Card {
        kind: "mirror".to_owned(),
        version: CARD_VERSION,
        name: texts.name.clone(),
        summary: summary(fitted, data),
        features: fitted.features.clone(),
        dims: Dims {
            attributes: inputs.attributes,
            vectors: inputs.vectors,
            item: ITEM,
            choice_item: CHOICE_ITEM,
            profile: inputs.profile,
            state: STATE,
            query: QUERY,
            event: EVENT,
            context: inputs.context,
        },
        files,
        training: training(fitted, data),
        licence: licence(data, texts),
        measured: toml::Table::new(),
    }
}

fn summary(fitted: &Fitted, data: &Dataset) -> String {
    let rated =
        if data.scale.is_some() { ", and with which rating" } else { "; the log has no ratings, so it knows none" };
    let level = match &fitted.lists {
        Some(lists) => format!(
            "It learned how often users accept what they are shown from {} lists, of {} items, of which {} were \
             taken.",
            lists.counts[0], lists.counts[1], lists.counts[2]
        ),
        None => "A log without impressions does not contain how often users accept what they are shown: acceptance is \
                 relative."
            .to_owned(),
    };
    format!(
        "User model fitted to {}: which of the shown items a user takes next, whether any{rated}. It knows {} users and {} items \
         by {} interactions. {level}",
        data.name,
        data.users.len(),
        data.items.len(),
        fitted.rows
    )
}

/// `[training.lists]`: what was learned from lists that were shown.
fn of_lists(lists: &FittedLists) -> toml::Table {
    let mut table = toml::Table::new();
    let mut put = |key: &str, value: toml::Value| {
        table.insert(key.to_owned(), value);
    };
    for (key, count) in ["lists", "items", "taken"].into_iter().zip(lists.counts) {
        put(key, (count as i64).into());
    }
    put("long_lists_sampled", (lists.long as i64).into());
    if let Some(effective) = lists.effective {
        put("weights", format!("inverse propensities; worth {effective:.1} lists of equal weight").into());
    }
    if let Some(moment) = lists.moment {
        put("cut", moment.into());
    }
    put("examination", lists.looks.reason.clone().into());
    let rounded = |value: f32| toml::Value::from((f64::from(value) * 1e4).round() / 1e4);
    if !lists.looks.weights.is_empty() {
        put("looks", lists.looks.weights.iter().map(|&weight| rounded(weight)).collect::<Vec<_>>().into());
        let intervals = lists.looks.intervals.iter().map(|ends| ends.map(rounded).to_vec().into());
        put("looks_intervals", toml::Value::Array(intervals.collect()));
    }
    table
}

fn training(fitted: &Fitted, data: &Dataset) -> toml::Table {
    let mut table = toml::Table::new();
    let mut put = |key: &str, value: toml::Value| {
        table.insert(key.to_owned(), value);
    };
    put("data", data.name.clone().into());
    put("data_hash", data.hash.clone().into());
    put("family", data.family.into());
    put("interactions", (data.interactions.len() as i64).into());
    put("interactions_before_the_cut", (fitted.rows as i64).into());
    put("holdout", fitted.options.holdout.into());
    put("seed", (fitted.options.seed as i64).into());
    put("epochs", i64::from(fitted.course.epochs).into());
    put("weight_decay", fitted.course.decay.into());
    if let Some(decay) = fitted.course.rating_decay {
        put("rating_weight_decay", decay.into());
    }
    put("steps", (fitted.course.steps as i64).into());
    put("parameters", (fitted.parameters() as i64).into());
    put("program", format!("recmirror {}", env!("CARGO_PKG_VERSION")).into());
    let rule =
        fitted.lists.as_ref().map_or("by time, per user: the latest interactions are held out", |lists| lists.rule);
    put("split", format!("{rule}; features, popularity and vectors come from the rest alone").into());
    if let Some(lists) = &fitted.lists {
        put("lists", toml::Value::Table(of_lists(lists)));
    }
    for (key, fields) in [("item_fields_left_out", &fitted.skipped[0]), ("user_fields_left_out", &fitted.skipped[1])] {
        let left_out = fields.iter().map(|field| format!("{}: {}", field.field, field.reason).into());
        put(key, toml::Value::Array(left_out.collect()));
    }
    table
}

fn licence(data: &Dataset, texts: &CardTexts) -> toml::Table {
    let said = match texts.licence.as_str() {
        "" => format!("not stated: ask the owner of {} before you pass the model on", data.name),
        said => said.to_owned(),
    };
    let mut table = toml::Table::new();
    table.insert("data".to_owned(), said.clone().into());
    table.insert("model".to_owned(), said.into());
    table
}

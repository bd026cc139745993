//! From checked tables to a [`Scenario`].

use super::check::Checked;
use super::keys::ALL_METRICS;
use super::load::folder_of;
use super::params::Params;
use super::{AcceptSpec, AcceptanceSpec, ExaminationRule, ExaminationWeights, ModelSpec, Scenario, UserSpec};
use crate::params::{ParameterError, Parameters};
use crate::registry::Registry;
use std::path::Path;
use toml::Table;

/// Builds the scenario that came from the file `origin`.
///
/// # Errors
/// When a checked table does not fit its struct: a mistake in the code.
pub(super) fn build(checked: &Checked, origin: &Path, registry: &Registry) -> Result<Scenario, ParameterError> {
    let absent = Table::new();
    let section = |name: &str| Params::new(checked.sections.get(name).unwrap_or(&absent));
    let root = section("");
    Ok(Scenario {
        name: name_or_stem(root.text("name"), origin),
        folder: folder_of(origin),
        question: root.text("question").to_owned(),
        seed: root.integer("seed") as u64,
        replications: root.integer("replications") as u32,
        ticks: root.integer("ticks") as u32,
        tick_seconds: root.integer("tick_seconds") as u64,
        slate: root.integer("slate") as usize,
        baseline: root.text("baseline").to_owned(),
        metrics: metrics(&root.words("metrics"), registry),
        data: spec(checked)?,
        population: spec(checked)?,
        user: user(&section("user"), registry),
        arrival: spec(checked)?,
        session: spec(checked)?,
        candidates: spec(checked)?,
        engine: spec(checked)?,
        policies: checked.policies.clone(),
        dynamics: checked.dynamics.clone(),
    })
}

fn name_or_stem(name: &str, origin: &Path) -> String {
    if !name.is_empty() {
        return name.to_owned();
    }
    origin.file_stem().map_or_else(|| "scenario".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

fn metrics(words: &[&str], registry: &Registry) -> Vec<String> {
    let all: Vec<&str> = registry.metrics().iter().map(|kind| kind.name).collect();
    let named = if words.contains(&ALL_METRICS) { &all[..] } else { words };
    named.iter().map(|&name| name.to_owned()).collect()
}

/// The section of a struct.
fn spec<P: Parameters>(checked: &Checked) -> Result<P, ParameterError> {
    checked.sections.get(P::NAME).map_or_else(|| P::read(&Table::new()), P::read)
}

fn user(params: &Params<'_>, registry: &Registry) -> UserSpec {
    let name = params.text("kind");
    let own = registry.user(name).map_or(&[][..], |kind| kind.keys).iter();
    let own = own.filter_map(|key| Some((key.name.to_owned(), params.table().get(key.name)?.clone())));
    let model = ModelSpec { kind: name.to_owned(), params: own.collect() };
    UserSpec {
        accept: match params.text("accept") {
            "like" => AcceptSpec::Like,
            _ => AcceptSpec::Take,
        },
        like_at: params.optional_number("like_at"),
        examination: match params.text("examination") {
            "position" => ExaminationRule::Position,
            "cascade" => ExaminationRule::Cascade,
            _ => ExaminationRule::None,
        },
        examination_weights: match params.text("examination_weights") {
            "log" => ExaminationWeights::Log,
            _ => ExaminationWeights::Given(params.numbers("examination_weights")),
        },
        acceptance: params.optional_number("acceptance").map_or(AcceptanceSpec::Log, AcceptanceSpec::Share),
        temperature: params.number("temperature"),
        model,
    }
}

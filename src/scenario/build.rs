//! From checked tables to a [`Scenario`].

use super::check::Checked;
use super::keys::ALL_METRICS;
use super::load::folder_of;
use super::params::Params;
use super::{
    AcceptSpec, AcceptanceSpec, ArrivalSpec, CandidateSpec, DataSpec, EngineSpec, ExaminationRule, ExaminationWeights,
    ModelSpec, PopulationSpec, ProviderSpec, Scenario, SessionSpec, UserSpec,
};
use crate::dataset::Cut;
use crate::registry::Registry;
use std::path::Path;
use toml::Table;

/// Builds the scenario that came from the file `origin`.
pub(super) fn build(checked: &Checked, origin: &Path, registry: &Registry) -> Scenario {
    let absent = Table::new();
    let section = |name: &str| Params::new(checked.sections.get(name).unwrap_or(&absent));
    let root = section("");
    Scenario {
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
        data: data(&section("data")),
        population: population(&section("population")),
        user: user(&section("user"), registry),
        arrival: arrival(&section("arrival")),
        session: session(&section("session")),
        candidates: CandidateSpec { unseen: section("candidates").text("rule") == "unseen" },
        engine: engine(&section("engine")),
        policies: checked.policies.clone(),
        dynamics: checked.dynamics.clone(),
    }
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

fn data(params: &Params<'_>) -> DataSpec {
    DataSpec {
        path: params.text("path").into(),
        format: params.text("format").to_owned(),
        holdout: params.number("holdout"),
        cut: if params.text("cut") == Cut::Global.word() { Cut::Global } else { Cut::User },
        item_field: params.text("item_field").to_owned(),
        user_field: params.text("user_field").to_owned(),
        providers: ProviderSpec {
            rule: params.text("providers").to_owned(),
            field: params.text("provider_field").to_owned(),
            count: params.integer("provider_count") as u32,
        },
    }
}

fn population(params: &Params<'_>) -> PopulationSpec {
    PopulationSpec {
        users: params.optional_integer("users").map(|users| users as u32),
        min_history: params.integer("min_history") as u32,
    }
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

fn arrival(params: &Params<'_>) -> ArrivalSpec {
    ArrivalSpec { probability: params.number("probability"), rate: params.text("rate").to_owned() }
}

fn session(params: &Params<'_>) -> SessionSpec {
    SessionSpec {
        slates: params.integer("slates") as u32,
        patience: params.integer("patience") as u32,
        leave_after: params.integer("leave_after") as u32,
    }
}

fn engine(params: &Params<'_>) -> EngineSpec {
    EngineSpec {
        chunk: params.integer("chunk") as usize,
        events: params.flag("events"),
        memory_mb: params.integer("memory_mb") as usize,
        cache_mb: params.integer("cache_mb") as usize,
    }
}

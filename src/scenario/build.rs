//! From checked tables to a [`Scenario`]: every key is present and in range here.

use super::check::Checked;
use super::keys::{ALL_METRICS, METRIC_NAMES};
use super::load::folder_of;
use super::{
    AcceptSpec, AcceptanceSpec, ArrivalSpec, CandidateSpec, DataSpec, EngineSpec, ExaminationRule, ExaminationWeights,
    ModelSpec, Params, PopulationSpec, ProviderSpec, Scenario, SessionSpec, UserSpec,
};
use crate::dataset::Cut;
use crate::language::Sampling;
use crate::user::{LanguageMode, LanguageSpec};
use std::path::Path;
use toml::Table;

/// Builds the scenario that came from the file `origin`.
pub(super) fn build(checked: &Checked, origin: &Path) -> Scenario {
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
        metrics: metrics(&root.words("metrics")),
        data: data(&section("data")),
        population: population(&section("population")),
        user: user(&section("user")),
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

fn metrics(words: &[&str]) -> Vec<String> {
    let named = if words.contains(&ALL_METRICS) { METRIC_NAMES } else { words };
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

fn user(params: &Params<'_>) -> UserSpec {
    let model = match params.text("kind") {
        "mirror" => ModelSpec::Mirror { path: params.text("path").into() },
        "language" => ModelSpec::Language(language(params)),
        _ => ModelSpec::Parametric {
            taste: params.number("taste"),
            popularity: params.number("popularity"),
            position: params.number("position"),
            learning: params.number("learning"),
            field: params.text("field").to_owned(),
        },
    };
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

fn language(params: &Params<'_>) -> LanguageSpec {
    LanguageSpec {
        path: params.text("path").into(),
        graph: Some(params.text("graph").to_owned()).filter(|name| !name.is_empty()),
        mode: if params.text("mode") == "rationale" { LanguageMode::Rationale } else { LanguageMode::Direct },
        history: params.integer("history") as usize,
        rotations: params.integer("rotations") as usize,
        sampling: Sampling {
            temperature: params.number("rationale_temperature"),
            top_p: params.number("rationale_top_p"),
            max_tokens: params.integer("rationale_tokens") as usize,
        },
        probe: params.integer("probe") as usize,
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

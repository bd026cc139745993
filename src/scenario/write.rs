//! A [`Scenario`] as TOML, for manifests and replay.

use super::keys::{DYNAMICS, POLICIES, SECTIONS};
use super::{AcceptanceSpec, ExaminationWeights, Scenario};
use crate::params::{KindList, KindSpec, Parameters};
use toml::{Table, Value};

/// A scenario as TOML text: every applicable key, paths absolute, so that it parses back to an equal scenario wherever
/// the text is stored and whatever the defaults of a later version are.
pub fn to_toml(scenario: &Scenario) -> String {
    let mut text = String::new();
    for section in SECTIONS {
        if !section.name.is_empty() {
            text += &format!("\n[{}]\n", section.name);
        }
        let values = values(scenario, section.name);
        let kind = values.get("kind").and_then(Value::as_str);
        // Different kinds may have keys of the same name.
        let chosen = section.variants.iter().filter(|variant| Some(variant.name) == kind);
        let ordered = section.keys.iter().chain(chosen.flat_map(|variant| variant.keys)).map(|key| key.name);
        let ordered: Vec<&str> = ordered.filter(|key| values.contains_key(*key)).collect();
        // Keys of a kind that a program adds come last.
        let others = values.keys().map(String::as_str).filter(|key| !ordered.contains(key));
        for key in ordered.iter().copied().chain(others) {
            text += &format!("{key} = {}\n", values[key]);
        }
    }
    let policies = scenario.policies.iter().map(|entry| table(&POLICIES, entry));
    let dynamics = scenario.dynamics.iter().map(|entry| table(&DYNAMICS, entry));
    text.extend(policies.chain(dynamics));
    text
}

fn table(list: &KindList, entry: &KindSpec) -> String {
    let head = [("kind", &entry.kind), ("name", &entry.name)];
    let head = head.into_iter().map(|(key, text)| format!("{key} = {}\n", Value::from(text.as_str())));
    let params = entry.params.iter().map(|(key, value)| format!("{key} = {value}\n"));
    format!("\n[[{}]]\n{}", list.name, head.chain(params).collect::<String>())
}

/// The values of one section; keys of kinds other than the chosen one are absent.
pub(super) fn values(scenario: &Scenario, section: &str) -> Table {
    let own = match section {
        "" => Ok(root(scenario)),
        "data" => scenario.data.table(),
        "population" => scenario.population.table(),
        "user" => Ok(user(scenario)),
        "arrival" => scenario.arrival.table(),
        "session" => scenario.session.table(),
        "candidates" => scenario.candidates.table(),
        "engine" => scenario.engine.table(),
        _ => Ok(Table::new()),
    };
    // Paths are UTF-8: the checker refuses others.
    own.unwrap_or_default()
}

fn root(scenario: &Scenario) -> Table {
    let pairs: [(&str, Value); 9] = [
        ("name", scenario.name.as_str().into()),
        ("question", scenario.question.as_str().into()),
        ("seed", (scenario.seed as i64).into()),
        ("replications", scenario.replications.into()),
        ("ticks", scenario.ticks.into()),
        ("tick_seconds", (scenario.tick_seconds as i64).into()),
        ("slate", (scenario.slate as i64).into()),
        ("baseline", scenario.baseline.as_str().into()),
        ("metrics", scenario.metrics.clone().into()),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn user(scenario: &Scenario) -> Table {
    let user = &scenario.user;
    let acceptance = match user.acceptance {
        AcceptanceSpec::Share(share) => share.into(),
        AcceptanceSpec::Log => "log".into(),
    };
    let weights = match &user.examination_weights {
        ExaminationWeights::Given(weights) => weights.clone().into(),
        ExaminationWeights::Log => "log".into(),
    };
    let common = [
        ("accept", user.accept.word().into()),
        ("like_at", user.like_at.map_or_else(|| "auto".into(), Value::from)),
        ("examination", user.examination.word().into()),
        ("examination_weights", weights),
        ("acceptance", acceptance),
        ("temperature", user.temperature.into()),
    ];
    let kind = [("kind", user.model.kind.as_str().into())];
    let pairs = kind.into_iter().chain(common).map(|(key, value): (&str, Value)| (key.to_owned(), value));
    pairs.chain(user.model.params.clone()).collect()
}

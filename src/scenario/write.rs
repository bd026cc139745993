//! A [`Scenario`] as TOML, for manifests and replay.

use super::keys::{DYNAMIC, POLICY, SECTIONS};
use super::{AcceptanceSpec, ExaminationWeights, Scenario};
use std::path::Path;
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
    let policies = scenario.policies.iter().map(|policy| table(POLICY, &policy.kind, &policy.name, &policy.params));
    let dynamics = scenario.dynamics.iter().map(|one| table(DYNAMIC, &one.kind, &one.name, &one.params));
    text.extend(policies.chain(dynamics));
    text
}

fn table(title: &str, kind: &str, name: &str, params: &Table) -> String {
    let head = [("kind", kind), ("name", name)];
    let head = head.into_iter().map(|(key, text)| format!("{key} = {}\n", Value::from(text)));
    let params = params.iter().map(|(key, value)| format!("{key} = {value}\n"));
    format!("\n[[{title}]]\n{}", head.chain(params).collect::<String>())
}

/// The values of one section; keys of kinds other than the chosen one are absent.
pub(super) fn values(scenario: &Scenario, section: &str) -> Table {
    let pairs: Vec<(&str, Value)> = match section {
        "" => root(scenario),
        "data" => vec![
            ("path", path(&scenario.data.path)),
            ("format", scenario.data.format.as_str().into()),
            ("holdout", scenario.data.holdout.into()),
            ("cut", scenario.data.cut.word().into()),
            ("item_field", scenario.data.item_field.as_str().into()),
            ("user_field", scenario.data.user_field.as_str().into()),
            ("providers", scenario.data.providers.rule.as_str().into()),
            ("provider_field", scenario.data.providers.field.as_str().into()),
            ("provider_count", scenario.data.providers.count.into()),
        ],
        "population" => vec![
            ("users", scenario.population.users.map_or_else(|| "all".into(), Value::from)),
            ("min_history", scenario.population.min_history.into()),
        ],
        "user" => user(scenario),
        "arrival" => {
            vec![("probability", scenario.arrival.probability.into()), ("rate", scenario.arrival.rate.as_str().into())]
        }
        "session" => vec![
            ("slates", scenario.session.slates.into()),
            ("patience", scenario.session.patience.into()),
            ("leave_after", scenario.session.leave_after.into()),
        ],
        "candidates" => vec![("rule", if scenario.candidates.unseen { "unseen" } else { "repeats" }.into())],
        "engine" => vec![
            ("chunk", (scenario.engine.chunk as i64).into()),
            ("events", scenario.engine.events.into()),
            ("memory_mb", (scenario.engine.memory_mb as i64).into()),
            ("cache_mb", (scenario.engine.cache_mb as i64).into()),
        ],
        _ => Vec::new(),
    };
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn root(scenario: &Scenario) -> Vec<(&'static str, Value)> {
    vec![
        ("name", scenario.name.as_str().into()),
        ("question", scenario.question.as_str().into()),
        ("seed", (scenario.seed as i64).into()),
        ("replications", scenario.replications.into()),
        ("ticks", scenario.ticks.into()),
        ("tick_seconds", (scenario.tick_seconds as i64).into()),
        ("slate", (scenario.slate as i64).into()),
        ("baseline", scenario.baseline.as_str().into()),
        ("metrics", scenario.metrics.clone().into()),
    ]
}

fn user(scenario: &Scenario) -> Vec<(&str, Value)> {
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
    let model = user.model.params.iter().map(|(key, value)| (key.as_str(), value.clone()));
    [("kind", user.model.kind.as_str().into())].into_iter().chain(common).chain(model).collect()
}

fn path(path: &Path) -> Value {
    path.to_string_lossy().into_owned().into()
}

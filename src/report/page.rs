//! The report of a run, from its folder.

use super::{Measure, ReportError, ReportInput};
use crate::experiment::{AcceptanceRecord, Experiment, Manifest, PairRow, Results, Trust, UntilRecord};
use crate::registry::Registry;
use crate::story::{Story, StoryError, typical};
use std::path::Path;

/// The inputs of a report apart from the results.
pub struct Page<'a> {
    /// The run.
    pub experiment: &'a Experiment,
    /// Its manifest.
    pub manifest: &'a Manifest,
    /// The run's folder with its manifest and events; `None` if there are none, and no timeline is shown.
    pub events: Option<&'a Path>,
    /// The name of the run's folder.
    pub name: String,
    /// The kinds that the scenario names.
    pub registry: &'a Registry,
}

impl Page<'_> {
    /// The text of `report.html`.
    ///
    /// # Errors
    /// When it cannot be rendered.
    pub fn html(&self, results: &Results, pairs: Vec<PairRow>, trust: Option<Trust>) -> Result<String, ReportError> {
        let mut input = report_input(self.experiment, self.manifest, results, pairs);
        input.trust = trust;
        self.add_life(&mut input);
        input.notes.extend(self.manifest.until.as_ref().map(UntilRecord::sentences).unwrap_or_default());
        input.notes.extend(failures(self.manifest, self.experiment));
        super::html(&input)
    }

    /// Adds the timeline of a typical user, if there are events. The report is written without it if it cannot be
    /// determined.
    fn add_life(&self, input: &mut ReportInput<'_>) {
        let Some(events) = self.events else { return };
        if self.experiment.data.family == "memory" {
            input.notes.push("The data set is in memory only, so no user's timeline can be shown.".to_owned());
            return;
        }
        let story = || -> Result<Option<Story>, StoryError> {
            let Some(choice) = typical(events, self.registry)? else { return Ok(None) };
            Story::read(events, &choice, self.registry).map(Some)
        };
        match story() {
            Ok(story) => input.life = story.map(|story| (story, self.name.clone())),
            Err(problem) => input.notes.push(format!("The life of a user is left out: {problem}.")),
        }
    }
}

/// The scenario's baseline, or the first policy that did not fail if the baseline did.
pub fn baseline<'a>(manifest: &'a Manifest, experiment: &'a Experiment) -> &'a str {
    let wanted = &experiment.scenario.baseline;
    let ran = manifest.trials.iter().any(|trial| trial.policy == *wanted);
    if ran { wanted } else { manifest.trials.first().map_or(wanted, |trial| &trial.policy) }
}

/// A sentence for each policy that failed, and its consequence for the comparison.
pub fn failures<'a>(manifest: &'a Manifest, experiment: &'a Experiment) -> impl Iterator<Item = String> + 'a {
    manifest.failures.iter().map(|failure| {
        let lost = failure.policy == experiment.scenario.baseline;
        let other =
            if lost { format!(" The differences are to `{}`.", baseline(manifest, experiment)) } else { String::new() };
        format!(
            "replication {}: {}\nThe policy is left out, the others are complete.{other}",
            failure.replication, failure.problem
        )
    })
}

fn report_input<'a>(
    experiment: &Experiment,
    manifest: &Manifest,
    results: &'a Results,
    pairs: Vec<PairRow>,
) -> ReportInput<'a> {
    let scenario = &experiment.scenario;
    let card = experiment.card();
    let AcceptanceRecord { accepted, examination, level, .. } = experiment.acceptance();
    let acceptance =
        format!("\u{201c}Accepted\u{201d} means here: {accepted}; {examination}. About how often: {level}.");
    let summary = card.map(|card| card.summary.trim().to_owned()).unwrap_or_default();
    let (users, users_notes) = (manifest.user.name.clone(), &manifest.user.notes);
    let cut = manifest.data.cut_in_words();
    let verdict_note = card.filter(|_| users_notes.is_empty()).map(|card| verdict(&card.measured)).unwrap_or_default();
    ReportInput {
        title: scenario.name.clone(),
        question: scenario.question.clone(),
        tick: tick_name(scenario.tick_seconds),
        results,
        pairs,
        trust: None,
        levels: experiment.levels(results),
        life: None,
        user_model: if users == manifest.user.kind { users } else { format!("{users} ({})", manifest.user.kind) },
        // Figures of a card that were measured on another log would be read as figures of this one.
        measures: card.filter(|_| users_notes.is_empty()).map(|card| measures(&card.measured)).unwrap_or_default(),
        notes: users_notes
            .iter()
            .cloned()
            .chain(verdict_note)
            .chain([summary, acceptance, cut])
            .filter(|note| !note.is_empty())
            .collect(),
        facts: facts(experiment, manifest),
    }
}

/// The sentence of `measured.verdict` of a card: how far the model can be trusted.
fn verdict(measured: &toml::Table) -> Option<String> {
    let verdict = measured.get("verdict").and_then(toml::Value::as_str)?;
    Some(format!("The user model {verdict}."))
}

/// The rows of `[[measured.figure]]` of a card.
fn measures(measured: &toml::Table) -> Vec<Measure> {
    let figures = measured.get("figure").and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text =
        |figure: &toml::Value, key: &str| figure.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
    let measure = |figure: &toml::Value| Measure {
        name: text(figure, "name"),
        value: text(figure, "value"),
        note: text(figure, "note"),
    };
    figures.iter().map(measure).collect()
}

fn tick_name(seconds: u64) -> String {
    match seconds {
        86_400 => "1 day".to_owned(),
        3_600 => "1 hour".to_owned(),
        604_800 => "1 week".to_owned(),
        other => format!("{other} s"),
    }
}

fn facts(experiment: &Experiment, manifest: &Manifest) -> Vec<(String, String)> {
    let (scenario, data) = (&experiment.scenario, &manifest.data);
    let mut facts = vec![
        (
            "Data",
            format!(
                "{} ({}): {} users, {} items, {} interactions",
                data.name, data.format, data.users, data.items, data.interactions
            ),
        ),
        ("Clean-up", data.cleanup.clone()),
        ("Fields", data.fields_in_words()),
        (
            "Population",
            scenario.population.users.number().map_or_else(
                || "every user of the data".to_owned(),
                |count| format!("{count} users drawn with replacement"),
            ),
        ),
        ("Horizon", format!("{} ticks, slates of {}", scenario.ticks, scenario.slate)),
        ("Accepted", experiment.acceptance().sentence().trim_start_matches("accepted = ").to_owned()),
        ("Replications", scenario.replications.to_string()),
        ("Seed", scenario.seed.to_string()),
        ("User model", format!("{} {}", manifest.user.name, manifest.user.hash).trim().to_owned()),
        ("recmirror", manifest.recmirror.clone()),
        ("Platform", format!("{} {}", manifest.machine.platform, manifest.machine.cpu_features.join(" "))),
        ("Digest", manifest.digest.clone()),
    ];
    facts.extend(manifest.rankers.iter().map(|ranker| ("Ranker", format!("{} {}", ranker.policy, ranker.hash))));
    if !manifest.user.runtime.is_empty() {
        facts.push(("ONNX Runtime", manifest.user.runtime.clone()));
    }
    let stated = facts.into_iter().filter(|(_, value)| !value.is_empty());
    stated.map(|(name, value)| (name.to_owned(), value)).collect()
}

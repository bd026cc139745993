//! A story from the files of a run's folder.

use super::sessions::Sessions;
use super::{Luck, Shown, Step, Story, Thought};
use crate::experiment::{Manifest, ManifestError, TrialRecord};
use crate::files::FileError;
use crate::files::spreadsheet::from_cell;
use crate::ids::UserId;
use crate::log::{EventBatch, LogError, read_decisions};
use crate::params::{did_you_mean, listed};
use crate::random::{Purpose, Streams, unit};
use crate::registry::Registry;
use crate::scenario::{Scenario, ScenarioError};
use crate::simulation::{accepted_slot, luck};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The user of the story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoryChoice {
    /// The user's number in the population.
    pub user: u32,
    /// The policy; the scenario's baseline, or the first that ran, unless given.
    pub policy: Option<String>,
    /// The replication.
    pub replication: u32,
}

/// A story that cannot be determined.
#[derive(Debug, thiserror::Error)]
pub enum StoryError {
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The scenario in the manifest.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The events or decisions.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A file that is not the one of the run.
    #[error(transparent)]
    File(#[from] FileError),
    /// A table of names.
    #[error("cannot read {}: {problem}", path.display())]
    Names {
        /// The table.
        path: PathBuf,
        /// The reason.
        problem: String,
    },
    /// The run wrote no events.
    #[error(
        "{} has no events for a timeline: the run had `engine.events` = false; run it again with `--set \
         engine.events=true`",
        folder.display()
    )]
    NoEvents {
        /// The run's folder.
        folder: PathBuf,
    },
    /// A policy that is not in the run.
    #[error("no policy of the run is called `{name}`{hint} (there are {known})")]
    Policy {
        /// The requested value.
        name: String,
        /// A near name, or what became of the policy.
        hint: String,
        /// The names.
        known: String,
    },
    /// A replication that is not in the run.
    #[error("policy `{policy}` has no replication {replication}; there are {known}")]
    Replication {
        /// The policy.
        policy: String,
        /// The requested value.
        replication: u32,
        /// The existing ones.
        known: String,
    },
    /// A user who is not in the run.
    #[error("there is no user {user}: the users of replication {replication} are 0 to {last}{hint}")]
    User {
        /// The requested value.
        user: u32,
        /// The replication.
        replication: u32,
        /// The greatest number.
        last: usize,
        /// The simulated user of that user in the data set.
        hint: String,
    },
}

impl Story {
    /// Reads the story of a user from a run's `folder`; `registry` knows the policies of its scenario.
    ///
    /// # Errors
    /// A folder without a run, without events, or without the wanted policy, replication or user.
    pub fn read(folder: &Path, choice: &StoryChoice, registry: &Registry) -> Result<Story, StoryError> {
        let manifest = Manifest::read(folder)?;
        let scenario = Scenario::parse(&manifest.scenario, &folder.join("manifest.json"), registry, &[])?;
        let trial = trial(&manifest, &scenario, choice)?;
        if trial.events.is_none() {
            return Err(StoryError::NoEvents { folder: folder.to_owned() });
        }
        let mirrors = mirrored(&manifest.file(folder, "users.csv")?, choice)?;
        let titles = titles(&manifest.file(folder, "items.csv")?)?;
        let streams = Streams::new(manifest.seed, choice.replication);
        let decisions = trial.files()[1].map(|file| manifest.file(folder, file)).transpose()?;
        let mut thoughts = thoughts(decisions.as_deref(), choice.user, &streams)?;
        let mut steps = Vec::new();
        manifest.read_log(folder, trial, |batch| {
            if let Ok(row) = batch.users.binary_search(&UserId(choice.user)) {
                let mut step = step(batch, row, &streams, &titles);
                step.thought = thoughts.remove(&batch.tick);
                steps.push(step);
            }
        })?;
        let ending = sessions(&mut steps, &scenario, &streams, choice.user, trial.ticks);
        let (kind, name) = (&manifest.user.kind, &manifest.user.name);
        Ok(Story {
            run: scenario.name,
            policy: trial.policy.clone(),
            replication: trial.replication,
            user: choice.user,
            mirrors,
            data: manifest.data.name.clone(),
            model: if kind == name { kind.clone() } else { format!("{kind} ({name})") },
            seed: manifest.seed,
            ticks: trial.ticks,
            steps,
            ending,
        })
    }
}

/// The median user under the scenario's baseline in the first replication: as many users accept fewer items as accept
/// more. Of several, the first; `None` without events, or if no user saw a slate.
///
/// # Errors
/// A folder without a run, or with damaged events.
pub fn typical(folder: &Path, registry: &Registry) -> Result<Option<StoryChoice>, StoryError> {
    let manifest = Manifest::read(folder)?;
    let scenario = Scenario::parse(&manifest.scenario, &folder.join("manifest.json"), registry, &[])?;
    let choice = StoryChoice { user: 0, policy: None, replication: 0 };
    let trial = trial(&manifest, &scenario, &choice)?;
    if trial.events.is_none() {
        return Ok(None);
    }
    let mut accepted: BTreeMap<UserId, usize> = BTreeMap::new();
    manifest.read_log(folder, trial, |batch| {
        for (row, user) in batch.users.iter().enumerate() {
            *accepted.entry(*user).or_default() += usize::from(batch.accepted_item(row).is_some());
        }
    })?;
    let mut order: Vec<usize> = accepted.values().copied().collect();
    order.sort_unstable();
    let middle = order.get(order.len().saturating_sub(1) / 2);
    let found = middle.and_then(|middle| accepted.iter().find(|(_, count)| *count == middle));
    Ok(found.map(|(user, _)| StoryChoice { user: user.0, ..choice }))
}

/// The wanted policy and replication.
fn trial<'m>(manifest: &'m Manifest, scenario: &Scenario, choice: &StoryChoice) -> Result<&'m TrialRecord, StoryError> {
    let mut names: Vec<&str> = manifest.trials.iter().map(|trial| trial.policy.as_str()).collect();
    names.dedup();
    let ran = |name: &&str| names.contains(name);
    let default = Some(scenario.baseline.as_str()).filter(ran).or(names.first().copied()).unwrap_or_default();
    let name = choice.policy.as_deref().unwrap_or(default);
    if !names.contains(&name) {
        let failed = manifest.failures.iter().find(|failure| failure.policy == name);
        let hint = match failed {
            Some(_) => "; it failed, and left no events".to_owned(),
            None => did_you_mean(name, names.iter().copied()),
        };
        let known = if names.is_empty() { "none".to_owned() } else { listed(names.iter().copied()) };
        return Err(StoryError::Policy { name: name.to_owned(), hint, known });
    }
    let of_policy = manifest.trials.iter().filter(|trial| trial.policy == name);
    let found = of_policy.clone().find(|trial| trial.replication == choice.replication);
    found.ok_or_else(|| StoryError::Replication {
        policy: name.to_owned(),
        replication: choice.replication,
        known: of_policy.map(|trial| trial.replication.to_string()).collect::<Vec<_>>().join(", "),
    })
}

/// The rows of a table, without its header.
fn table(path: &Path) -> Result<Vec<csv::StringRecord>, StoryError> {
    let read = || csv::Reader::from_path(path)?.records().collect::<Result<Vec<_>, csv::Error>>();
    read().map_err(|problem| StoryError::Names { path: path.to_owned(), problem: problem.to_string() })
}

/// The title of each item.
fn titles(items: &Path) -> Result<Vec<String>, StoryError> {
    let rows = table(items)?;
    Ok(rows.iter().map(|row| from_cell(row.get(2).unwrap_or_default()).to_owned()).collect())
}

/// Whom the user mirrors.
fn mirrored(users: &Path, choice: &StoryChoice) -> Result<String, StoryError> {
    let rows = table(users)?;
    let own = choice.replication.to_string();
    let of_replication = rows.iter().filter(|row| [Some("all"), Some(own.as_str())].contains(&row.get(0)));
    let external: Vec<&str> = of_replication.map(|row| from_cell(row.get(2).unwrap_or_default())).collect();
    if let Some(found) = external.get(choice.user as usize) {
        return Ok((*found).to_owned());
    }
    let wanted = choice.user.to_string();
    let mirrors = external.iter().enumerate().filter(|(_, name)| **name == wanted);
    let mirrors: Vec<String> = mirrors.map(|(number, _)| number.to_string()).take(10).collect();
    let hint = match mirrors.as_slice() {
        [] => String::new(),
        numbers => format!("; the person {wanted} of the data set is mirrored by {}", numbers.join(", ")),
    };
    let (user, replication) = (choice.user, choice.replication);
    Err(StoryError::User { user, replication, last: external.len().saturating_sub(1), hint })
}

/// The user's rationale at each step.
fn thoughts(decisions: Option<&Path>, user: u32, streams: &Streams) -> Result<BTreeMap<u32, Thought>, StoryError> {
    let mut thoughts = BTreeMap::new();
    if let Some(path) = decisions {
        read_decisions(path, |line| {
            if line.user == UserId(user) {
                let draw = unit(&mut streams.derive(Purpose::Rationale, u64::from(user), line.tick));
                thoughts.insert(line.tick, Thought { text: line.text, letters: line.letters, draw });
            }
        })?;
    }
    Ok(thoughts)
}

/// A row of the events; sessions are filled in later.
fn step(batch: &EventBatch, row: usize, streams: &Streams, titles: &[String]) -> Step {
    let slots = row * batch.slate..(row + 1) * batch.slate;
    let known = |value: Option<&f32>| value.copied().filter(|value| !value.is_nan());
    let shown = slots.clone().filter(|&place| batch.items[place].is_some()).map(|place| Shown {
        item: batch.items[place].0,
        title: titles.get(batch.items[place].index()).cloned().unwrap_or_default(),
        score: known(batch.scores.get(place)),
        propensity: known(batch.propensities.get(place)),
        probability: batch.probabilities[place],
    });
    let probabilities = &batch.probabilities[slots];
    let [accept, slot, rating] = luck(streams, batch.users[row], batch.tick);
    let accepted = batch.accepted_item(row).map(|_| usize::from(batch.accepted[row]));
    Step {
        tick: batch.tick,
        session: 0,
        slate: 0,
        arrival: None,
        shown: shown.collect(),
        reject: 1.0 - probabilities.iter().map(|&probability| f64::from(probability)).sum::<f64>(),
        thought: None,
        draws: Luck { accept, slot, rating },
        accepted: accepted.map(|slot| slot + 1),
        rating: accepted.and_then(|_| known(batch.ratings.get(row))),
        traced: accepted_slot(probabilities, accept, slot) == accepted,
        end: None,
    }
}

/// Fills in sessions by the scenario's rules; returns the final state of the user.
fn sessions(steps: &mut [Step], scenario: &Scenario, streams: &Streams, user: u32, ticks: u32) -> String {
    let mut sessions = Sessions::default();
    let next_ticks: Vec<u32> = steps.iter().skip(1).map(|step| step.tick).chain([ticks]).collect();
    for (step, next) in steps.iter_mut().zip(next_ticks) {
        let (begins, session, slate) = sessions.slate();
        (step.session, step.slate) = (session, slate);
        step.arrival = begins.then(|| unit(&mut streams.derive(Purpose::Arrival, u64::from(user), step.tick)));
        step.end = sessions.response(step.accepted.is_some(), &scenario.session);
        step.end = step.end.take().or_else(|| sessions.gap(step.tick + 1, next));
    }
    sessions.ending(steps.last().map(|step| step.tick), ticks)
}

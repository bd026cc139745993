//! `recmirror replay`: a check of a run's digests.
//!
//! Repeats a run; equal digests mean the same experiment, bit for bit.

use super::allow::AllowArgs;
use super::progress::Bar;
use super::{Failure, print, use_threads};
use crate::experiment::{DecisionFileRecord, Experiment, Manifest, Outcome, RunOptions, TrialRecord};
use crate::log::{DecisionTally, Digest, DigestState};
use crate::registry::Registry;
use crate::scenario::Scenario;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Arguments of `replay`.
#[derive(clap::Args)]
pub struct Replay {
    /// The run's folder.
    folder: PathBuf,
    #[command(flatten)]
    allow: AllowArgs,
    /// Worker threads. They change no result.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Override a key that changes no result, such as `engine.chunk`, or `data.path` if the data moved.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Only check the stored files against the manifest; simulate nothing.
    #[arg(long)]
    logs_only: bool,
    /// No progress.
    #[arg(long)]
    quiet: bool,
}

impl Replay {
    pub(super) fn run(self, registry: &Registry) -> Result<(), Failure> {
        use_threads(self.threads.map(usize::from))?;
        let manifest = Manifest::read(&self.folder).map_err(Failure::input)?;
        if self.logs_only && manifest.trials.iter().all(|trial| trial.events.is_none()) {
            return Err(Failure::input(format!(
                "{} has no logs (the run had engine.events = false); leave out --logs-only",
                self.folder.display()
            )));
        }
        let mut problems = check_files(&self.folder, &manifest);
        problems.extend(check_digest(&manifest));
        if !self.logs_only {
            problems.extend(self.simulate(&manifest, registry)?);
        }
        if problems.is_empty() {
            let what = if self.logs_only { "logs" } else { "logs and replay" };
            print(&format!("{what}: {} trials with equal digests; {}\n", manifest.trials.len(), manifest.digest));
            return Ok(());
        }
        Err(Failure::Check(format!("{} differences\n{}", problems.len(), problems.join("\n"))))
    }

    fn simulate(&self, manifest: &Manifest, registry: &Registry) -> Result<Vec<String>, Failure> {
        let mut settings = super::scenario::parse_settings(&self.settings)?;
        settings.push(("engine.events".to_owned(), "false".to_owned()));
        let origin = manifest.origin(&self.folder);
        let scenario = Scenario::parse(&manifest.scenario, &origin, registry, &settings).map_err(Failure::input)?;
        self.allow.check(&scenario)?;
        let experiment = Experiment::prepare(scenario, registry.clone()).map_err(Failure::input)?;
        if experiment.data.hash != manifest.data.hash {
            return Err(Failure::Check(format!(
                "the data set at {} is not the one of the run (hash {}, then {})",
                experiment.scenario.data.path.display(),
                experiment.data.hash,
                manifest.data.hash
            )));
        }
        let total: u64 = manifest.trials.iter().map(|trial| u64::from(trial.ticks)).sum();
        let bar = Bar::new(total, self.quiet);
        let stop = AtomicBool::new(false);
        let outcome = experiment.run(&RunOptions { events: None, progress: &bar, stop: &stop, stopped: None });
        bar.finish();
        Ok(compare(manifest, &outcome.map_err(Failure::input)?))
    }
}

/// The trials whose digest differs. An interrupted trial has no counterpart and is left out.
fn compare(manifest: &Manifest, outcome: &Outcome) -> Vec<String> {
    let mut problems = Vec::new();
    for trial in &manifest.trials {
        let again = outcome.trials.iter().zip(&outcome.ticks).zip(&outcome.decisions);
        let mut again =
            again.filter(|((found, _), _)| found.policy == trial.policy && found.replication == trial.replication);
        let digest = |record: &Option<DecisionFileRecord>| record.as_ref().map(|record| record.digest.clone());
        match again.next() {
            Some(((_, &ticks), _)) if ticks != trial.ticks => {}
            Some(((found, _), _)) if found.digest != trial.digest => {
                problems.push(format!("{}: digest {}, now {}", title(trial), trial.digest, found.digest));
            }
            Some((_, now)) if digest(now) != digest(&trial.decisions) => {
                let shown = |record: &_| digest(record).unwrap_or_else(|| "none".to_owned());
                let (then, now) = (shown(&trial.decisions), shown(now));
                problems.push(format!("{}: decisions with digest {then}, now {now}", title(trial)));
            }
            Some(_) => {}
            None => problems.push(format!("{}: not in the replay", title(trial))),
        }
    }
    problems
}

/// The stored files that differ from the manifest. A file with another hash is not read any further.
fn check_files(folder: &Path, manifest: &Manifest) -> Vec<String> {
    let mut problems = Vec::new();
    for trial in &manifest.trials {
        problems
            .extend(check_trial(folder, manifest, trial).err().map(|problem| format!("{}: {problem}", title(trial))));
    }
    let logs: BTreeSet<&str> = manifest.trials.iter().flat_map(TrialRecord::files).flatten().collect();
    let others = manifest.files.iter().filter(|file| !logs.contains(file.path.as_str()));
    problems.extend(others.filter_map(|file| file.check(folder).err()).map(|problem| problem.to_string()));
    problems
}

/// Checks the stored files of a trial against its name and digests.
fn check_trial(folder: &Path, manifest: &Manifest, trial: &TrialRecord) -> Result<(), String> {
    let message = |problem: &dyn std::fmt::Display| problem.to_string();
    if let Some(file) = &trial.events {
        let mut digest = DigestState::default();
        manifest.read_log(folder, trial, |batch| digest.update(batch)).map_err(|problem| message(&problem))?;
        let digest = digest.finish().to_string();
        if digest != trial.digest {
            return Err(format!("{file} has digest {digest}, manifest {}", trial.digest));
        }
    }
    let Some((record, file)) = trial.decisions.as_ref().and_then(|it| Some((it, it.file.as_ref()?))) else {
        return Ok(());
    };
    let path = manifest.file(folder, file).map_err(|problem| message(&problem))?;
    match DecisionTally::of_file(&path).map_err(|problem| message(&problem))?.to_string() {
        digest if digest == record.digest => Ok(()),
        digest => Err(format!("{file} has digest {digest}, manifest {}", record.digest)),
    }
}

/// Checks the run's digest against those of its trials.
fn check_digest(manifest: &Manifest) -> Option<String> {
    let digests: Option<Vec<Digest>> = manifest.trials.iter().map(|trial| Digest::parse(&trial.digest)).collect();
    let found = digests.map_or_else(|| "none".to_owned(), |digests| Digest::combine(digests).to_string());
    (found != manifest.digest).then(|| format!("the run has digest {}, its trials give {found}", manifest.digest))
}

fn title(trial: &TrialRecord) -> String {
    format!("policy `{}`, replication {}", trial.policy, trial.replication)
}

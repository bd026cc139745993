//! `recmirror replay`: a run is run again; equal digests mean the same experiment, bit for bit.

use super::allow::AllowArgs;
use super::progress::Bar;
use super::{Failure, print, use_threads};
use crate::experiment::{ArmRecord, DecisionRecord, Experiment, Manifest, Outcome, RunOptions};
use crate::log::{DecisionTally, Digest, DigestState, read_batches};
use crate::policy::Registry;
use crate::scenario::Scenario;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Arguments of `replay`.
#[derive(clap::Args)]
pub struct Replay {
    /// The run's folder.
    folder: PathBuf,
    #[command(flatten)]
    allow: AllowArgs,
    /// Worker threads; no result depends on it.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Override a key that must not change a result, such as `engine.chunk`, or `data.path` when the data moved.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Only check that the stored logs are those of the manifest; simulate nothing.
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
        if self.logs_only && manifest.arms.iter().all(|arm| arm.events.is_none()) {
            return Err(Failure::input(format!(
                "{} has no logs (the run had engine.events = false); leave out --logs-only",
                self.folder.display()
            )));
        }
        let mut problems = check_logs(&self.folder, &manifest);
        problems.extend(check_digest(&manifest));
        if !self.logs_only {
            problems.extend(self.simulate(&manifest, registry)?);
        }
        if problems.is_empty() {
            let what = if self.logs_only { "logs" } else { "logs and replay" };
            print(&format!("{what}: {} arms with equal digests; {}\n", manifest.arms.len(), manifest.digest));
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
        let total: u64 = manifest.arms.iter().map(|arm| u64::from(arm.ticks)).sum();
        let bar = Bar::new(total, self.quiet);
        let stop = AtomicBool::new(false);
        let outcome = experiment.run(&RunOptions { events: None, progress: &bar, stop: &stop, stopped: None });
        bar.finish();
        Ok(compare(manifest, &outcome.map_err(Failure::input)?))
    }
}

/// The arms whose digest differs. An arm that was interrupted has no counterpart and is left out.
fn compare(manifest: &Manifest, outcome: &Outcome) -> Vec<String> {
    let mut problems = Vec::new();
    for arm in &manifest.arms {
        let again = outcome.arms.iter().zip(&outcome.ticks).zip(&outcome.decisions);
        let mut again =
            again.filter(|((found, _), _)| found.policy == arm.policy && found.replication == arm.replication);
        let thought = |record: &Option<DecisionRecord>| record.as_ref().map(|record| record.digest.clone());
        match again.next() {
            Some(((_, &ticks), _)) if ticks != arm.ticks => {}
            Some(((found, _), _)) if found.digest != arm.digest => {
                problems.push(format!("{}: digest {}, now {}", title(arm), arm.digest, found.digest));
            }
            Some((_, now)) if thought(now) != thought(&arm.decisions) => {
                let told = |record: &_| thought(record).unwrap_or_else(|| "none".to_owned());
                let (then, now) = (told(&arm.decisions), told(now));
                problems.push(format!("{}: decisions with digest {then}, now {now}", title(arm)));
            }
            Some(_) => {}
            None => problems.push(format!("{}: not in the replay", title(arm))),
        }
    }
    problems
}

/// The stored logs whose events are not those of the manifest.
fn check_logs(folder: &Path, manifest: &Manifest) -> Vec<String> {
    let mut problems = Vec::new();
    for arm in &manifest.arms {
        let Some(file) = &arm.events else { continue };
        let mut digest = DigestState::default();
        match read_batches(&folder.join(file), |batch| digest.update(batch)) {
            Err(problem) => problems.push(format!("{}: {problem}", title(arm))),
            Ok(()) if digest.finish().to_string() == arm.digest => {}
            Ok(()) => {
                problems.push(format!("{}: {file} has digest {}, manifest {}", title(arm), digest.finish(), arm.digest))
            }
        }
        problems.extend(check_decisions(folder, arm));
    }
    problems
}

/// Whether a stored file of decisions is the one of the manifest.
fn check_decisions(folder: &Path, arm: &ArmRecord) -> Option<String> {
    let record = arm.decisions.as_ref()?;
    let file = record.file.as_ref()?;
    match DecisionTally::of_file(&folder.join(file)) {
        Err(problem) => Some(format!("{}: {problem}", title(arm))),
        Ok(digest) if digest.to_string() == record.digest => None,
        Ok(digest) => Some(format!("{}: {file} has digest {digest}, manifest {}", title(arm), record.digest)),
    }
}

/// Whether the run's digest is the one over its arms.
fn check_digest(manifest: &Manifest) -> Option<String> {
    let digests: Option<Vec<Digest>> = manifest.arms.iter().map(|arm| Digest::parse(&arm.digest)).collect();
    let found = digests.map_or_else(|| "none".to_owned(), |digests| Digest::combine(digests).to_string());
    (found != manifest.digest).then(|| format!("the run has digest {}, its arms give {found}", manifest.digest))
}

fn title(arm: &ArmRecord) -> String {
    format!("policy `{}`, replication {}", arm.policy, arm.replication)
}

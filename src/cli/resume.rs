//! `recmirror resume`: continuation of an interrupted run.
//!
//! The result equals that of an uninterrupted run.

use super::allow::AllowArgs;
use super::run::Job;
use super::scenario::parse_settings;
use super::trust::TrustArgs;
use super::{Failure, use_threads};
use crate::cli::terminal::say;
use crate::experiment::{Experiment, Manifest, RunFolder, StoppedFolder, TrialRecord, Until};
use crate::registry::Registry;
use crate::scenario::Scenario;
use std::path::PathBuf;

/// Arguments of `resume`.
#[derive(clap::Args)]
pub struct Resume {
    /// The folder of the interrupted run; the complete run replaces it. If the process was killed, or the run
    /// failed: the name that the folder would have had.
    folder: PathBuf,
    /// Override a key that changes no result, such as `engine.chunk`, or `data.path` if the data moved.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    allow: AllowArgs,
    /// Worker threads. They change no result.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// No progress; only the tables.
    #[arg(long)]
    quiet: bool,
}

impl Resume {
    pub(super) fn run(self, registry: &Registry) -> Result<(), Failure> {
        use_threads(self.threads.map(usize::from))?;
        let (left, manifest) = self.left()?;
        let mut settings = parse_settings(&self.settings)?;
        if let Some(until) = &manifest.until {
            // The scenario in the manifest has the replications that were begun, not the maximum.
            settings.push(("replications".to_owned(), until.most.to_string()));
        }
        let origin = manifest.origin(&left.path);
        let scenario = Scenario::parse(&manifest.scenario, &origin, registry, &settings).map_err(Failure::input)?;
        self.allow.check(&scenario)?;
        check_trials(&manifest, &scenario)
            .map_err(|problem| Failure::input(format!("{}: {problem}", left.path.display())))?;
        if let Some(trial) = manifest.trials.iter().find(|trial| trial.ticks > scenario.ticks) {
            let (folder, TrialRecord { policy, ticks, .. }) = (self.folder.display(), trial);
            let problem = format!("`{policy}` has {ticks} ticks of {}; run the scenario again", scenario.ticks);
            return Err(Failure::input(format!("{folder}/manifest.json: {problem}")));
        }
        let rule = manifest.until.as_ref().map(|until| Until::parse(&until.rule, &scenario, registry));
        let until = rule.transpose().map_err(Failure::input)?;
        let scenarios = self.trust.trust.then(|| self.trust.scenarios(&scenario, &origin, registry)).transpose()?;
        let had = manifest.trials.iter().filter(|trial| trial.ticks == scenario.ticks).cloned().collect();
        let folder = RunFolder::going_on(&left, had).map_err(Failure::input)?;
        let experiment = Experiment::prepare(scenario, registry.clone()).map_err(Failure::input)?;
        if !self.quiet {
            experiment.forecast().iter().for_each(|sentence| say!("note: {sentence}"));
        }
        let changes = manifest.changes(&experiment).map_err(|problem| {
            Failure::input(format!("{}: {problem}; a run resumes with its own inputs only", self.folder.display()))
        })?;
        for change in changes {
            say!("note: {change}; the last bits, and with them the digest, may differ from an uninterrupted run");
        }
        let stopped = Some((left.path.as_path(), &manifest));
        Job { experiment, folder, until, scenarios, stopped, registry, quiet: self.quiet }.carry_out()
    }

    /// The unfinished folder and its manifest.
    fn left(&self) -> Result<(StoppedFolder, Manifest), Failure> {
        let left = StoppedFolder::find(&self.folder).map_err(Failure::input)?;
        let mut manifest = Manifest::read(&left.path).map_err(Failure::input)?;
        for other in left.others.iter().map(|path| path.display()) {
            say!(
                "note: {other} has completed trials of this run from a process that was killed or failed; it can be \
                 resumed instead"
            );
        }
        if let Some(noted) = &left.killed {
            if let Some(seed) = noted.seed.filter(|&seed| seed != manifest.seed) {
                let (path, then) = (left.path.display(), manifest.seed);
                return Err(Failure::input(format!(
                    "{path}: trials.jsonl is of a run with seed {seed}, manifest.json with {then}"
                )));
            }
            if noted.torn > 0 {
                say!("note: {} lines of trials.jsonl are cut off; their trials are run again", noted.torn);
            }
            // The process may have been killed after its last tick, before it wrote tables.
            manifest.status = "interrupted".to_owned();
            (manifest.trials, manifest.files) = (noted.trials.clone(), noted.files.clone());
            // Logs of a policy that failed later are gone.
            manifest.trials.retain(|trial| trial.events.as_ref().is_none_or(|file| left.path.join(file).is_file()));
            manifest.user.shortened_scenes = manifest.user.shortened_scenes.max(noted.shortened_scenes);
        }
        self.check(&manifest)?;
        Ok((left, manifest))
    }

    /// Checks that the run can be continued.
    fn check(&self, manifest: &Manifest) -> Result<(), Failure> {
        let folder = self.folder.display();
        if manifest.status != "interrupted" {
            return Err(Failure::input(format!("{folder} was not interrupted (its status is {})", manifest.status)));
        }
        if manifest.trials.iter().all(|trial| trial.events.is_none()) {
            return Err(Failure::input(format!(
                "{folder} has no logs to resume from (engine.events = false, or no tick was complete, or it was \
                 killed or failed before a trial was complete); run the scenario again"
            )));
        }
        Ok(())
    }
}

/// Checks that the trials belong to the run's own scenario.
fn check_trials(manifest: &Manifest, scenario: &Scenario) -> Result<(), String> {
    if manifest.seed != scenario.seed {
        return Err(format!("the run has the seed {}, its scenario {}", manifest.seed, scenario.seed));
    }
    let is_known = |trial: &&TrialRecord| {
        trial.replication < scenario.replications && scenario.policies.iter().any(|spec| spec.name == trial.policy)
    };
    match manifest.trials.iter().find(|trial| !is_known(trial)) {
        None => Ok(()),
        Some(TrialRecord { policy, replication, .. }) => Err(format!(
            "it has a trial of replication {replication} of policy `{policy}`, which its scenario does not have; it was changed"
        )),
    }
}

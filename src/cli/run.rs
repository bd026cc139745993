//! `recmirror run`: from a scenario file to a run folder.
//!
//! The folder gets logs, tables and a report.

use super::allow::AllowArgs;
use super::progress::{Bar, rate};
use super::scenario::parse_settings;
use super::trust::{TrustArgs, assess, summary};
use super::{Failure, print, use_threads};
use crate::cli::terminal::say;
use crate::experiment::{
    Experiment, ExperimentError, Manifest, Outcome, Progress, Results, RunFolder, RunOptions, SensitivityScenario,
    Stopped, StoppedFolder, TickDone, TrialRecord, TrialResult, Trust, Until, UntilRecord, wrapped,
};
use crate::registry::Registry;
use crate::report::{self, WriteError, failures};
use crate::scenario::{Scenario, ScenarioError};
use crate::simulation::{ShortSlates, TickError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Columns of the printed tables.
const TABLE_WIDTH: usize = 100;

/// Arguments of `run`.
#[derive(clap::Args)]
pub struct Run {
    /// The scenario file.
    scenario: PathBuf,
    /// The run's folder; it must not exist yet.
    #[arg(long)]
    out: PathBuf,
    /// Replace an existing run.
    #[arg(long)]
    force: bool,
    /// Override a key of the scenario: `--set slate=5 --set policy.NAME.neighbours=20`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Override the seed.
    #[arg(long)]
    seed: Option<u64>,
    /// Override the number of replications.
    #[arg(long)]
    replications: Option<u32>,
    /// Stop early, once the differences from the baseline are precise enough: `ci<0.5%` (percentage points of the first
    /// metric) or `METRIC ci<0.01`. `replications` is then the most that will run.
    #[arg(long, value_name = "RULE")]
    until: Option<String>,
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

impl Run {
    pub(super) fn run(self, registry: &Registry) -> Result<(), Failure> {
        use_threads(self.threads.map(usize::from))?;
        let mut settings = parse_settings(&self.settings)?;
        settings.extend(self.seed.map(|seed| ("seed".to_owned(), seed.to_string())));
        settings.extend(self.replications.map(|count| ("replications".to_owned(), count.to_string())));
        let scenario = Scenario::load(&self.scenario, registry, &settings);
        let scenario = scenario.map_err(|problem: ScenarioError| Failure::input(problem))?;
        self.allow.check(&scenario)?;
        let until = self
            .until
            .as_deref()
            .map(|text| Until::parse(text, &scenario, registry))
            .transpose()
            .map_err(Failure::input)?;
        let scenarios =
            self.trust.trust.then(|| self.trust.scenarios(&scenario, &self.scenario, registry)).transpose()?;
        let folder = RunFolder::create(&self.out, self.force).map_err(Failure::input)?;
        for left in folder.left().iter().map(|path| path.display()) {
            say!(
                "note: {left} was left by a process that was killed, or a run that failed: `recmirror resume {left}` continues \
                 it; remove it when it is not needed"
            );
        }
        let experiment = Experiment::prepare(scenario, registry.clone()).map_err(Failure::input)?;
        if !self.quiet {
            experiment.forecast().iter().for_each(|sentence| say!("note: {sentence}"));
        }
        Job { experiment, folder, until, scenarios, stopped: None, registry, quiet: self.quiet }.carry_out()
    }
}

/// An experiment and the options of its run.
pub(super) struct Job<'a> {
    pub(super) experiment: Experiment,
    pub(super) folder: RunFolder,
    pub(super) until: Option<Until>,
    pub(super) scenarios: Option<Vec<SensitivityScenario>>,
    /// The interrupted run to continue, and its manifest.
    pub(super) stopped: Option<(&'a Path, &'a Manifest)>,
    pub(super) registry: &'a Registry,
    pub(super) quiet: bool,
}

impl Job<'_> {
    /// Simulates, writes all files into the folder, names it, and prints the tables.
    pub(super) fn carry_out(self) -> Result<(), Failure> {
        let (partial, target) = (self.folder.path().to_owned(), self.folder.target().to_owned());
        self.simulate_and_write().map_err(|problem| {
            // A folder that could not be removed may remain, with nothing to continue.
            let left = StoppedFolder::find(&partial).ok().and_then(|left| left.killed);
            if left.is_none_or(|noted| noted.trials.iter().all(|trial| trial.events.is_none())) {
                return problem;
            }
            let away =
                target.join("manifest.json").exists().then(|| format!(", once {} is moved away", target.display()));
            let (partial, away) = (partial.display(), away.unwrap_or_default());
            problem
                .and(&format!("the completed trials are kept: `recmirror resume {partial}` continues from them{away}"))
        })
    }

    fn simulate_and_write(mut self) -> Result<(), Failure> {
        let data = &self.experiment.data;
        self.say(&data.name, &data.cleanup.to_string());
        let stop = stop_on_interrupt()?;
        // Scenes of the probe occur in every run but count once.
        let probe = self.experiment.model().model().shortened_scenes();
        let before = self.stopped.map_or(0, |(_, manifest)| manifest.user.shortened_scenes.saturating_sub(probe));
        let mut begun = Manifest::begun(&self.experiment, self.until.as_ref());
        begun.user.shortened_scenes += before;
        self.folder.write("manifest.json", &begun.to_json()).map_err(Failure::input)?;
        let outcome = self.simulate(&stop, before)?;
        // The manifest records the replications that ran, because a replay repeats those.
        self.experiment.scenario.replications = outcome.replications;
        self.say("trained", &training(&outcome));
        let mut manifest = Manifest::new(&self.experiment, &outcome);
        manifest.user.shortened_scenes += before;
        let Job { experiment, folder, scenarios, registry, quiet, .. } = self;
        let trust = |run: &Results| {
            scenarios.map(|scenarios| assess(run, scenarios, registry, &stop, quiet)).unwrap_or_default()
        };
        experiment.write_names(folder.path()).map_err(Failure::input)?;
        folder.write_manifest(&mut manifest).map_err(Failure::input)?;
        if outcome.interrupted {
            return interrupted(folder, &experiment, &outcome);
        }
        finish(folder, &experiment, &outcome, manifest, trust)
    }

    /// Simulates; `shortened` scenes were too long in the run that this one continues.
    fn simulate(&self, stop: &AtomicBool, shortened: u64) -> Result<Outcome, Failure> {
        let scenario = &self.experiment.scenario;
        let all = u64::from(scenario.replications) * u64::from(scenario.ticks) * scenario.policies.len() as u64;
        let trials = self.stopped.map_or(&[][..], |(_, manifest)| &manifest.trials);
        let kept: u64 =
            trials.iter().map(|trial| u64::from(trial.ticks)).filter(|&it| it == u64::from(scenario.ticks)).sum();
        let bar = Bar::new(all - kept.min(all), self.quiet);
        let events = self.folder.path().join("events");
        let options = RunOptions {
            events: scenario.engine.events.then_some(events.as_path()),
            progress: &Watch { bar: &bar, job: self, shortened },
            stop,
            stopped: self.stopped.map(|(folder, manifest)| Stopped {
                folder,
                trials: &manifest.trials,
                files: &manifest.files,
            }),
        };
        let outcome = match &self.until {
            Some(until) => self.experiment.run_until(until, &options),
            None => self.experiment.run(&options),
        };
        bar.finish();
        let (steps, seconds) = bar.totals();
        let rate = rate(steps as f64 / seconds);
        self.say("simulated", &format!("{steps} user-steps in {seconds:.1} s, {rate} a second"));
        outcome.map_err(|problem| {
            let Some((folder, _)) = self.stopped.filter(|(folder, _)| problem.is_of_stopped(folder)) else {
                return Failure::input(problem);
            };
            // Results beside logs of another run are worthless.
            self.folder.forget();
            let is_explained =
                matches!(problem, ExperimentError::Stopped { .. } | ExperimentError::Tick(TickError::Recorded { .. }));
            let failure = Failure::input(problem);
            if is_explained {
                return failure;
            }
            failure.and(&format!(
                "a run resumes from the logs in {}: restore what is missing or damaged, or run the scenario again",
                folder.display()
            ))
        })
    }

    fn say(&self, what: &str, text: &str) {
        if !self.quiet {
            say!("{what}: {text}");
        }
    }
}

/// Shows the progress of a run, and journals completed trials for `resume`.
struct Watch<'a> {
    bar: &'a Bar,
    job: &'a Job<'a>,
    shortened: u64,
}

impl Progress for Watch<'_> {
    fn tick(&self, done: &TickDone<'_>) {
        self.bar.tick(done);
    }

    fn trial(&self, trial: &TrialRecord) {
        let shortened = self.job.experiment.model().model().shortened_scenes();
        self.job.folder.note(trial, self.job.experiment.scenario.seed, self.shortened + shortened);
    }
}

/// The training seconds of each policy, longest first.
fn training(outcome: &Outcome) -> String {
    let mut policies: Vec<(&str, f64)> = Vec::new();
    for (trial, training) in outcome.trials.iter().zip(&outcome.training) {
        match policies.last_mut().filter(|last| last.0 == trial.policy) {
            Some(last) => last.1 += training.before + training.during,
            None => policies.push((&trial.policy, training.before + training.during)),
        }
    }
    policies.sort_by(|a, b| b.1.total_cmp(&a.1));
    let all: Vec<String> = policies.iter().map(|(policy, seconds)| format!("{policy} {seconds:.1} s")).collect();
    all.join(", ")
}

/// Sets a flag on the first Ctrl-C; the second one ends the process.
fn stop_on_interrupt() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        say!(
            "\nstopping after this tick; what is simulated so far will be kept (Ctrl-C again ends at once; then only completed trials are left to resume from)"
        );
    };
    ctrlc::set_handler(handler).map_err(Failure::other)?;
    Ok(stop)
}

/// Writes everything that is derived from the events, names the folder, and prints the tables.
fn finish(
    folder: RunFolder,
    experiment: &Experiment,
    outcome: &Outcome,
    mut manifest: Manifest,
    trust: impl FnOnce(&Results) -> (Option<Trust>, Option<Failure>),
) -> Result<(), Failure> {
    let mut lost = None;
    let trust = |results: &Results| {
        let (trust, problem) = trust(results);
        lost = problem;
        trust
    };
    let filled = report::fill(&folder, experiment, outcome, &mut manifest, trust);
    let (results, pairs, trust) = filled.map_err(write_failure)?;
    let (table, order) = (results.table(TABLE_WIDTH), results.order(&pairs, TABLE_WIDTH));
    let trusted = trust.as_ref().map(summary).unwrap_or_default();
    let target = folder.finish().map_err(Failure::input)?;
    let until = outcome.until.as_ref().map(UntilRecord::sentences).unwrap_or_default();
    let stopped: String = until.iter().map(|sentence| wrapped(sentence, TABLE_WIDTH) + "\n").collect();
    let accepted = wrapped(&experiment.acceptance().sentence(), TABLE_WIDTH) + "\n";
    let notes: String = manifest.user.notes.iter().map(|note| wrapped(note, TABLE_WIDTH) + "\n").collect();
    let (short, shortened, digest) = (short_slates(outcome), shortened_scenes(&manifest), &manifest.digest);
    let report = target.join("report.html");
    print(&format!(
        "{table}{order}{trusted}\n{stopped}{accepted}{notes}{short}{shortened}digest {digest}\nreport {}\n",
        report.display()
    ));
    let failures = failures(&manifest, experiment).collect::<Vec<_>>().join("\n");
    let failed = if failures.is_empty() { None } else { Some(Failure::Input(failures)) };
    failed.or(lost).map_or(Ok(()), Err)
}

/// Problems that a user can correct are input; a report that cannot be rendered is not.
fn write_failure(problem: WriteError) -> Failure {
    match problem {
        WriteError::Folder(problem) => Failure::input(problem),
        other => Failure::other(other),
    }
}

/// A note on slates with fewer items than slots, and on policies that showed nothing.
fn short_slates(outcome: &Outcome) -> String {
    let sum = outcome.trials.iter().fold(ShortSlates::default(), |sum, trial| sum + trial.short);
    let visits: u64 = outcome.trials.iter().map(|trial| trial.steps).sum();
    if visits == 0 {
        return "no user came during the run, so there is nothing to measure; see `arrival.probability` and `ticks`\n"
            .to_owned();
    }
    let mut said = String::new();
    if sum.short > 0 {
        let ShortSlates { short, exhausted, empty } = sum;
        said += &format!(
            "{short} slates had fewer items than slots: {exhausted} because no candidates were left, {} although some were; \
             {empty} of them were empty, and count as visits that accepted nothing\n",
            short - exhausted
        );
    }
    let mut policies: Vec<&str> = outcome.trials.iter().map(|trial| trial.policy.as_str()).collect();
    policies.dedup();
    for policy in policies {
        let of = |number: fn(&TrialResult) -> u64| -> u64 {
            outcome.trials.iter().filter(|trial| trial.policy == policy).map(number).sum()
        };
        if of(|trial| trial.steps) == of(|trial| trial.short.empty) {
            said += &format!("`{policy}` served no user: every slate was empty\n");
        }
    }
    said
}

fn shortened_scenes(manifest: &Manifest) -> String {
    match manifest.user.shortened_scenes {
        0 => String::new(),
        count => format!("{count} scenes were too long for the user model and lost the oldest part of their history\n"),
    }
}

/// Keeps what was simulated; a run that `goes_on` replaces the one that it continues, because it has all of its trials.
fn interrupted(folder: RunFolder, experiment: &Experiment, outcome: &Outcome) -> Result<(), Failure> {
    let done = outcome.ticks.iter().filter(|&&ticks| ticks == experiment.scenario.ticks).count();
    let (all, started) =
        (experiment.scenario.policies.len() * experiment.scenario.replications as usize, outcome.ticks.len());
    let target = folder.finish_interrupted().map_err(Failure::input)?;
    let (part, target) = (started - done, target.display());
    let (kept, next) = if experiment.scenario.engine.events {
        ("their events and manifest.json are", format!("`recmirror resume {target}` continues"))
    } else {
        ("manifest.json is", "run the scenario again (without events there is nothing to resume from)".to_owned())
    };
    Err(Failure::Other(format!(
        "interrupted: {done} of {all} trials are complete, {part} more in part; {kept} in {target}; tables and report need a \
         complete run: {next}"
    )))
}

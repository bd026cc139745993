//! `recmirror evaluate`: off-policy estimates beside the simulator's truth.
//!
//! Estimates the value of a policy of a run from the log of another policy.

use super::allow::AllowArgs;
use super::progress::Bar;
use super::{Failure, print, use_threads};
use crate::experiment::{Estimate, Experiment, Interval, Manifest, estimate};
use crate::files::Partial;
use crate::files::spreadsheet::as_cell;
use crate::log::REJECTED;
use crate::off_policy::{Evaluation, OffPolicyError, Question, Row, evaluate};
use crate::registry::Registry;
use crate::scenario::Scenario;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Arguments of `evaluate`.
#[derive(clap::Args)]
pub struct Evaluate {
    /// The run's folder.
    folder: PathBuf,
    /// Name of the policy whose value is estimated.
    #[arg(long, value_name = "POLICY")]
    target: String,
    /// Name of the policy whose log is used; it must report the probabilities of its slates.
    #[arg(long, value_name = "POLICY")]
    from: String,
    /// Slates drawn from a stochastic target in each round, for the direct method and the truth.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1000))]
    draws: u32,
    /// Resamples of the bootstrap intervals.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    resamples: u32,
    /// Also write the table as CSV.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    allow: AllowArgs,
    /// Worker threads. They change no result.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Override a key that changes no result, such as `engine.chunk`, or `data.path` if the data moved.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// No progress.
    #[arg(long)]
    quiet: bool,
}

impl Evaluate {
    pub(super) fn run(self, registry: &Registry) -> Result<(), Failure> {
        use_threads(self.threads.map(usize::from))?;
        let manifest = Manifest::read(&self.folder).map_err(Failure::input)?;
        let settings = super::scenario::parse_settings(&self.settings)?;
        let origin = manifest.origin(&self.folder);
        let scenario = Scenario::parse(&manifest.scenario, &origin, registry, &settings).map_err(Failure::input)?;
        self.allow.check(&scenario)?;
        let experiment = Experiment::prepare(scenario, registry.clone()).map_err(Failure::input)?;
        let trials = manifest.trials.iter().filter(|trial| trial.policy == self.from);
        let bar = Bar::new(trials.map(|trial| u64::from(trial.ticks)).sum(), self.quiet);
        let question =
            Question { target: &self.target, from: &self.from, draws: self.draws, resamples: self.resamples as usize };
        let found = evaluate(&experiment, &question, &manifest.trials, &bar);
        bar.finish();
        let found = found.map_err(|problem| match problem {
            OffPolicyError::Differs { .. } => Failure::Check(problem.to_string()),
            other => Failure::input(other),
        })?;
        let own = own_path(&self.folder, &manifest, &self.target)?;
        if let Some(path) = &self.out {
            write_csv(path, &question, &found, own.as_ref()).map_err(Failure::input)?;
        }
        print(&text(&question, &found, own.as_ref()));
        Ok(())
    }
}

/// The acceptance rate of the target's own trials, from their logs; `None` if the run kept none.
fn own_path(folder: &Path, manifest: &Manifest, target: &str) -> Result<Option<Estimate>, Failure> {
    let mut rates = Vec::new();
    for trial in manifest.trials.iter().filter(|trial| trial.policy == target) {
        if trial.events.is_none() {
            return Ok(None);
        }
        let (mut accepted, mut shown) = (0_usize, 0_usize);
        let count = |batch: &crate::log::EventBatch| {
            accepted += batch.accepted.iter().filter(|&&slot| slot != REJECTED).count();
            shown += batch.len();
        };
        manifest.read_log(folder, trial, count).map_err(Failure::input)?;
        rates.push((shown > 0).then(|| accepted as f64 / shown as f64));
    }
    Ok(estimate(rates))
}

fn text(question: &Question<'_>, found: &Evaluation, own: Option<&Estimate>) -> String {
    let mut text = format!(
        "`{}`, from the log of `{}`: {} replications, {} users, {} slates of {}\n\n",
        question.target, question.from, found.replications, found.users, found.rounds, found.slots
    );
    let _ = writeln!(text, "share of slates with an accepted item");
    let path = own.map_or_else(
        || "not known: the run kept no events".to_owned(),
        |own| format!("{}  {}", percent(own.mean), own.interval.map(interval).unwrap_or_default()),
    );
    let situations = format!("{}  the truth to compare with", percent(found.truth));
    let lines = [
        (format!("`{}` in its log", question.from), percent(found.logged)),
        (format!("`{}` in the same situations", question.target), situations),
        (format!("`{}` on its own path", question.target), path),
    ];
    let width = lines.iter().map(|line| line.0.chars().count()).max().unwrap_or(0);
    for (what, value) in &lines {
        let _ = writeln!(text, "  {what:<width$}  {}", value.trim_end());
    }
    text.push('\n');
    let _ = writeln!(
        text,
        "{:<9}  {:>8}  {:<19}  {:<19}  {:>6}  {:>10}  {:>8}  overlap",
        "estimator", "value", "95% normal", "95% bootstrap", "truth", "effective", "largest"
    );
    found.rows.iter().for_each(|row| text += &line(row, found.truth));
    text += "\nThe intervals treat all rounds of a user as one unit. effective: rounds of equal weight with the same variance.\n\
        largest: the largest weight. iips assumes that a slot is accepted for its own item, rips for the items down to it;\n\
        users who compare the slots of a slate violate both.\n";
    text
}

fn line(row: &Row, truth: f64) -> String {
    let dash = || "-".to_owned();
    let shown = |interval: Option<Interval>| interval.map_or_else(dash, self::interval);
    let holds = row.normal.map_or("-", |interval| if interval.contains(truth) { "inside" } else { "out" });
    let effective = row.overlap.map_or_else(dash, |overlap| format!("{:.1}", overlap.effective));
    let largest = row.overlap.map_or_else(dash, |overlap| format!("{:.3}", overlap.largest));
    let verdict = row.problem.as_deref().unwrap_or(if row.overlap.is_some() { "enough" } else { "not needed" });
    format!(
        "{:<9}  {:>8}  {:<19}  {:<19}  {:>6}  {effective:>10}  {largest:>8}  {verdict}\n",
        row.estimator,
        row.value.map_or_else(dash, percent),
        shown(row.normal),
        shown(row.bootstrap),
        holds
    )
}

/// A share in percent; a value that rounds to 0 has no sign.
fn percent(value: f64) -> String {
    format!("{:.2}%", (10_000.0 * value).round() / 100.0 + 0.0)
}

fn interval(interval: Interval) -> String {
    format!("[{}, {}]", percent(interval.low), percent(interval.high))
}

/// The header of the CSV file.
const COLUMNS: [&str; 16] = [
    "target",
    "from",
    "estimator",
    "value",
    "normal_low",
    "normal_high",
    "bootstrap_low",
    "bootstrap_high",
    "effective_rounds",
    "largest_weight",
    "largest_share",
    "mean_weight",
    "problem",
    "truth",
    "own_path",
    "logged",
];

fn write_csv(
    path: &Path,
    question: &Question<'_>,
    found: &Evaluation,
    own: Option<&Estimate>,
) -> Result<(), Box<dyn std::error::Error>> {
    let path = std::path::absolute(path)?;
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(COLUMNS)?;
    let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    for row in &found.rows {
        let overlap = |of: fn(&crate::off_policy::Overlap) -> f64| number(row.overlap.as_ref().map(of));
        table.write_record([
            as_cell(question.target).into_owned(),
            as_cell(question.from).into_owned(),
            row.estimator.to_owned(),
            number(row.value),
            number(row.normal.map(|it| it.low)),
            number(row.normal.map(|it| it.high)),
            number(row.bootstrap.map(|it| it.low)),
            number(row.bootstrap.map(|it| it.high)),
            overlap(|it| it.effective),
            overlap(|it| it.largest),
            overlap(|it| it.largest_share),
            overlap(|it| it.mean),
            row.problem.clone().unwrap_or_default(),
            number(Some(found.truth)),
            number(own.map(|own| own.mean)),
            number(Some(found.logged)),
        ])?;
    }
    let mut file = Partial::create(&path)?;
    file.write_all(&table.into_inner()?)?;
    file.finish()?;
    Ok(())
}

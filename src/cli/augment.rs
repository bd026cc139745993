//! `recmirror augment`: simulated feedback in the training log.
//!
//! The command writes logs with additions and measures what recommenders learn from them.

use super::allow::AllowArgs;
use super::scenario::parse_settings;
use super::{Failure, print, use_threads};
use crate::augment::{AdditionKind, Additions, Augmentation, GainRow, Measurement, measure, write_log, write_recbole};
use crate::cli::terminal::say;
use crate::dataset::Split;
use crate::experiment::{Cell, Experiment, TableFormat, TableRow, write_table};
use crate::files::{Listing, OutputFolder};
use crate::registry::Registry;
use crate::scenario::Scenario;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The remedy for an existing output folder.
const REMEDY: &str = "; --force replaces that of an earlier `augment`";
/// The file that identifies the folder.
const TABLE: &str = "augment.csv";

/// Arguments of `augment`.
#[derive(clap::Args)]
pub struct Augment {
    /// The scenario: its log, its user model, and its policies, which all learn from both logs.
    scenario: PathBuf,
    /// The new folder: logs with additions, and `augment.csv`.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace the folder of an earlier `augment`.
    #[arg(long)]
    force: bool,
    /// Name of the scenario's policy whose list is shown to simulated users; by default the first one.
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Rows to add, as shares of each user's log.
    #[arg(long, value_name = "SHARE,...", value_delimiter = ',', default_values_t = [0.1, 0.5, 1.0, 2.0])]
    amounts: Vec<f64>,
    /// Draws of additions, each with its own training.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    seeds: u32,
    /// Add only what simulated users accepted: no controls.
    #[arg(long)]
    no_controls: bool,
    /// Write the logs and train nothing.
    #[arg(long)]
    no_measure: bool,
    /// Override a key of the scenario: `--set user.acceptance=0.5`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    #[command(flatten)]
    allow: AllowArgs,
    /// Worker threads; by default one for each core. They change no result.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// No progress on stderr.
    #[arg(long, short)]
    quiet: bool,
}

impl Augment {
    pub(super) fn run(self, registry: &Registry) -> Result<(), Failure> {
        if let Some(amount) = self.amounts.iter().find(|amount| !(**amount > 0.0 && **amount <= 100.0)) {
            return Err(Failure::input(format!("--amounts has {amount}, expected shares above 0 and at most 100")));
        }
        use_threads(self.threads.map(usize::from))?;
        let folder = OutputFolder::create(&self.out, self.force.then_some(own_files as Listing), REMEDY);
        let folder = folder.map_err(Failure::input)?;
        let settings = parse_settings(&self.settings)?;
        let scenario = Scenario::load(&self.scenario, registry, &settings).map_err(Failure::input)?;
        self.allow.check(&scenario)?;
        let policy = self.named(&scenario)?;
        let targets = scenario.policies.iter().map(|spec| spec.name.clone()).collect();
        let (holdout, cut) = (scenario.data.holdout, scenario.data.cut);
        let experiment = Experiment::prepare(scenario, registry.clone()).map_err(Failure::input)?;
        let split = experiment.data.split_by(holdout, cut).map_err(Failure::input)?;
        let mut of = Augmentation::new(&experiment, &split, &policy);
        let kinds = if self.no_controls { vec![AdditionKind::Simulated] } else { AdditionKind::ALL.to_vec() };
        let mut text = self.write(&mut of, &kinds, &experiment, &split, folder.path())?;
        let ask = Measurement { targets, amounts: self.amounts.clone(), kinds, seeds: self.seeds };
        let progress = |what: &str| {
            if !self.quiet {
                say!("training {what}");
            }
        };
        let rows =
            if self.no_measure { Vec::new() } else { measure(&mut of, &ask, progress).map_err(Failure::input)? };
        let path = folder.path().join(TABLE);
        let file = std::fs::File::create(&path)
            .map_err(|problem| Failure::input(format!("cannot write {}: {problem}", path.display())))?;
        write_table(file, TableFormat::Csv, &rows).map_err(Failure::input)?;
        folder.finish().map_err(Failure::input)?;
        text += &table(&rows);
        print(&text);
        Ok(())
    }

    /// The policy whose list is shown.
    fn named(&self, scenario: &Scenario) -> Result<String, Failure> {
        let names: Vec<&str> = scenario.policies.iter().map(|spec| spec.name.as_str()).collect();
        let wanted = self.policy.as_deref().or(names.first().copied()).unwrap_or_default();
        if names.contains(&wanted) {
            return Ok(wanted.to_owned());
        }
        Err(Failure::input(format!("--policy is `{wanted}`; the scenario has {}", names.join(", "))))
    }

    /// Writes the logs of the first draw, and prints their numbers of rows.
    fn write(
        &self,
        of: &mut Augmentation<'_>,
        kinds: &[AdditionKind],
        experiment: &Experiment,
        split: &Split,
        folder: &Path,
    ) -> Result<String, Failure> {
        let mut text = format!(
            "{}: {} rows before the cut, {} held out\n",
            experiment.data.name,
            split.before.rows.len(),
            split.held_out.rows.len()
        );
        let none = Additions {
            accepted: vec![Vec::new(); split.before.users()],
            rejected: vec![Vec::new(); split.before.users()],
            ..Additions::default()
        };
        put(&folder.join("plain"), "plain", experiment, split, &none)?;
        for &kind in kinds {
            for &amount in &self.amounts {
                let added = of.additions(kind, amount, 0).map_err(Failure::input)?;
                let name = format!("{}-{:.0}", kind.word(), 100.0 * amount);
                put(&folder.join(&name), &name, experiment, split, &added)?;
                let slates = if added.slates > 0 { format!(", {} slates", added.slates) } else { String::new() };
                let missing = match added.missing {
                    0 => String::new(),
                    count => format!(", {count} fewer than asked for: the lists were at their end"),
                };
                let _ = writeln!(
                    text,
                    "  {name:<16} {:>8} rows added{slates}{missing}; {:.1}% of them are held out",
                    added.rows(),
                    100.0 * added.precision(&split.held_out)
                );
            }
        }
        Ok(text)
    }
}

/// Writes one log in both formats.
fn put(folder: &Path, name: &str, experiment: &Experiment, split: &Split, added: &Additions) -> Result<(), Failure> {
    let recbole = folder.join("recbole").join(name);
    std::fs::create_dir_all(&recbole)
        .map_err(|problem| Failure::input(format!("cannot make {}: {problem}", recbole.display())))?;
    write_log(folder, &experiment.data, split, added).map_err(Failure::input)?;
    write_recbole(&recbole, name, &experiment.data, split, added).map_err(Failure::input)
}

/// The files of a folder that this command wrote.
fn own_files(folder: &Path) -> Result<BTreeSet<PathBuf>, String> {
    if !folder.join(TABLE).is_file() {
        return Err(format!("it is not the folder of `augment` (no {TABLE})"));
    }
    let mut files: BTreeSet<PathBuf> = [PathBuf::from(TABLE)].into();
    let entries = std::fs::read_dir(folder).map_err(|problem| problem.to_string())?;
    for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
        let name = entry.file_name();
        for file in ["interactions.csv", "held_out.csv", "rejected.csv"] {
            files.insert(Path::new(&name).join(file));
        }
        for part in ["train", "valid", "test"] {
            let file = format!("{}.{part}.inter", name.to_string_lossy());
            files.insert(Path::new(&name).join("recbole").join(&name).join(file));
        }
    }
    Ok(files)
}

/// The gains in NDCG@10, for a terminal; the table has all measures.
fn table(rows: &[GainRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut text =
        "\nNDCG@10 on held-out interactions; gain [95% interval over users, simultaneous over the rows of a policy]\n"
            .to_owned();
    let _ = writeln!(text, "  {:<16} {:<12} {:>7} {:>8} {:>8}  gain", "policy", "additions", "amount", "plain", "with");
    for row in rows.iter().filter(|row| row.measure == "ndcg@10") {
        let interval = row.low.zip(row.high).map(|(low, high)| format!(" [{low:+.4}, {high:+.4}]")).unwrap_or_default();
        let mark = row.low.zip(row.high).is_some_and(|(low, high)| low > 0.0 || high < 0.0);
        let _ = writeln!(
            text,
            "  {:<16} {:<12} {:>6.0}% {:>8.4} {:>8.4}  {:+.4}{interval} {}",
            row.policy,
            row.additions,
            100.0 * row.amount,
            row.plain,
            row.augmented,
            row.gain,
            if mark { "*" } else { "" }
        );
    }
    text
}

impl TableRow for GainRow {
    const COLUMNS: &'static [(&'static str, crate::experiment::ColumnKind)] = {
        use crate::experiment::ColumnKind::{Number, Text, Whole};
        &[
            ("policy", Text),
            ("additions", Text),
            ("amount", Number),
            ("added", Number),
            ("additions_held_out", Number),
            ("measure", Text),
            ("users", Whole),
            ("plain", Number),
            ("augmented", Number),
            ("gain", Number),
            ("low", Number),
            ("high", Number),
            ("gain_percent", Number),
        ]
    };

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            Cell::Text(&self.policy),
            Cell::Text(self.additions),
            (&self.amount).into(),
            (&self.added).into(),
            (&self.additions_held_out).into(),
            Cell::Text(self.measure),
            (&self.users).into(),
            (&self.plain).into(),
            (&self.augmented).into(),
            (&self.gain).into(),
            (&self.low).into(),
            (&self.high).into(),
            (&self.gain_percent).into(),
        ]
    }
}

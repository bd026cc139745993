//! `recmirror compare`: finished runs side by side.
//!
//! One table of the policies of several finished runs, or of those of one run in sensitivity scenarios.

use super::allow::AllowArgs;
use super::trust::{TrustArgs, assess, simulate, summary};
use super::{Failure, print, use_threads};
use crate::cli::terminal::say;
use crate::experiment::{
    Comparison, FinishedRun, Manifest, Results, SensitivityScenario, TableFormat, ToSee, write_table,
};
use crate::files::{FileRecord, Partial};
use crate::random::Streams;
use crate::registry::Registry;
use crate::report::{Page, baseline, sensitivity_files};
use crate::scenario::Scenario;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Columns of the printed tables.
const TABLE_WIDTH: usize = 100;

/// Arguments of `compare`.
#[derive(clap::Args)]
pub struct Compare {
    /// The folders of the runs.
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// The policy with which the others are compared: `POLICY`, or `RUN/POLICY` if several runs have it. By
    /// default the baseline of the first run.
    #[arg(long, value_name = "NAME")]
    baseline: Option<String>,
    /// Compare runs with other data or another user model as well.
    #[arg(long)]
    anyway: bool,
    /// Also print how many replications would show this difference from the baseline: `0.5%` (percentage points of
    /// the first metric), or `METRIC 0.01`.
    #[arg(long, value_name = "DIFFERENCE", conflicts_with = "trust")]
    to_see: Option<String>,
    /// Write the table to this file: `.csv`, `.json` or `.parquet`. An existing file is replaced.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    allow: AllowArgs,
    /// Worker threads, for --trust; no result depends on it.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// No progress.
    #[arg(long)]
    quiet: bool,
}

impl Compare {
    pub(super) fn run(self, registry: &Registry) -> Result<(), Failure> {
        use_threads(self.threads.map(usize::from))?;
        if self.trust.trust {
            return self.sensitivity_scenarios(registry);
        }
        let target = self.out.as_deref().map(format_of).transpose()?;
        let runs = self.folders.iter().map(|folder| FinishedRun::read(folder, registry)).collect::<Result<Vec<_>, _>>();
        let found = Comparison::new(runs.map_err(Failure::input)?, self.baseline.as_deref(), self.anyway);
        let found = found.map_err(Failure::input)?;
        let to_see = self.to_see.as_deref().map(|text| ToSee::parse(text, &found.metrics)).transpose();
        let to_see = to_see.map_err(Failure::input)?;
        for warning in &found.warnings {
            say!("note: {warning}");
        }
        if let Some((path, format)) = target {
            let mut file = Partial::create(path).map_err(Failure::input)?;
            let written = write_table(&mut file, format, &found.rows);
            written.map_err(|problem| Failure::input(format!("cannot write {}: {problem}", path.display())))?;
            file.finish().map_err(Failure::input)?;
        }
        let needed = to_see.map(|to_see| found.needed(to_see, TABLE_WIDTH)).unwrap_or_default();
        print(&(found.table(TABLE_WIDTH) + &needed));
        Ok(())
    }

    /// The run's policies in sensitivity scenarios. The run itself is repeated, because its folder has only its tables.
    fn sensitivity_scenarios(&self, registry: &Registry) -> Result<(), Failure> {
        let [folder] = self.folders.as_slice() else {
            return Err(Failure::input("--trust asks about one run; name one folder"));
        };
        let manifest = Manifest::read(folder).map_err(Failure::input)?;
        if manifest.status == "interrupted" {
            return Err(Failure::input(format!("{} was interrupted; --trust needs a whole run", folder.display())));
        }
        let origin = manifest.origin(folder);
        let scenario = Scenario::parse(&manifest.scenario, &origin, registry, &[]).map_err(Failure::input)?;
        self.allow.check(&scenario)?;
        let scenarios = self.trust.scenarios(&scenario, &origin, registry)?;
        let stop = AtomicBool::new(false);
        let own = SensitivityScenario::new("the run", &scenario, &origin, registry, &[]).map_err(Failure::input)?;
        let (experiment, outcome) = simulate(&own, registry, &stop, self.quiet)?;
        same(folder, &manifest.digest, &Manifest::new(&experiment, &outcome).digest)?;
        let kinds = experiment.metrics().to_vec();
        let baseline = baseline(&manifest, &experiment);
        let results =
            Results::new(kinds, baseline, outcome.trials).map_err(Failure::other)?.looked_at(manifest.until.is_some());
        let (trust, lost) = assess(&results, scenarios, registry, &stop, self.quiet);
        let Some(trust) = trust else { return lost.map_or(Ok(()), Err) };
        let summary = summary(&trust);
        let tables = sensitivity_files(&trust).map_err(Failure::other)?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let page = Page { experiment: &experiment, manifest: &manifest, events: Some(folder), name, registry };
        let pairs = results.pairs(&Streams::new(scenario.seed, 0));
        let report = ("report.html", page.html(&results, pairs, Some(trust)).map_err(Failure::other)?);
        replace(folder, &manifest, &[report].into_iter().chain(tables).collect::<Vec<_>>())?;
        print(&summary);
        lost.map_or(Ok(()), Err)
    }
}

/// Refuses a repeated run that differs from the one in the folder.
fn same(folder: &Path, then: &str, now: &str) -> Result<(), Failure> {
    if then == now {
        return Ok(());
    }
    Err(Failure::input(format!(
        "{} has the digest {then}, but its repetition has {now}: the data, the user model, the program or the \
         machine has changed; run the scenario again with --trust",
        folder.display()
    )))
}

/// Replaces files of a run together with their entries in the manifest.
fn replace(folder: &Path, manifest: &Manifest, files: &[(&str, String)]) -> Result<(), Failure> {
    let start = |name: &str, text: &str| -> Result<Partial, Failure> {
        let mut file = Partial::create(&folder.join(name)).map_err(Failure::input)?;
        file.write_all(text.as_bytes()).map_err(Failure::input)?;
        Ok(file)
    };
    let mut manifest = manifest.clone();
    manifest.files.retain(|file| files.iter().all(|(name, _)| *name != file.path));
    manifest.files.extend(files.iter().map(|(name, text)| FileRecord::of_text(name, text)));
    manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut all = files.iter().map(|(name, text)| start(name, text)).collect::<Result<Vec<_>, _>>()?;
    all.push(start("manifest.json", &manifest.to_json())?);
    Partial::finish_all(all).map_err(Failure::input)
}

fn format_of(path: &Path) -> Result<(&Path, TableFormat), Failure> {
    let format = TableFormat::of(path).ok_or_else(|| {
        Failure::input(format!("--out is {}; its name must end in .csv, .json or .parquet", path.display()))
    })?;
    Ok((path, format))
}

//! The writer of a run's folder.
//!
//! Writes tables, names, the manifest and the report beside the logs.

use super::page::Page;
use super::{ReportError, sensitivity};
use crate::experiment::{
    Experiment, FolderError, Manifest, Outcome, PairRow, Results, ResultsError, Run, RunFolder, Trust, write_tables,
};
use crate::random::Streams;
use crate::registry::Registry;
use std::path::PathBuf;

/// A run that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The folder refuses an operation.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The results are incomplete, or a table cannot be written.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// The report cannot be rendered.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A table of conclusions cannot be written.
    #[error("cannot write a table: {0}")]
    Table(String),
}

/// Completes the folder of a run that [`Experiment::run_observed`] filled: tables, names, manifest and report; returns
/// its path.
///
/// # Errors
/// When a file cannot be written. The simulated logs are then kept beside the folder's name.
pub fn write(folder: RunFolder, experiment: &Experiment, run: &Run) -> Result<PathBuf, WriteError> {
    let mut manifest = Manifest::new(experiment, &run.outcome);
    experiment.write_names(folder.path()).map_err(|problem| WriteError::Table(problem.to_string()))?;
    folder.write_manifest(&mut manifest)?;
    fill(&folder, experiment, &run.outcome, &mut manifest, |_| None)?;
    Ok(folder.finish()?)
}

/// The results of an outcome, their pairs, and the sensitivity analysis.
pub type Filled = (Results, Vec<PairRow>, Option<Trust>);

/// Writes everything that is derived from the events into a folder with its logs; `trust` may run a sensitivity
/// analysis once the results are stored.
///
/// # Errors
/// When a file cannot be written.
pub fn fill(
    folder: &RunFolder,
    experiment: &Experiment,
    outcome: &Outcome,
    manifest: &mut Manifest,
    trust: impl FnOnce(&Results) -> Option<Trust>,
) -> Result<Filled, WriteError> {
    let results = experiment.results(outcome)?;
    let pairs = results.pairs(&Streams::new(experiment.scenario.seed, 0));
    results.write(folder.path(), &pairs)?;
    write_tables(folder.path(), "levels", &experiment.levels(&results))?;
    // A complete run is kept, whatever happens in the sensitivity scenarios.
    let trust = trust(&results);
    for (name, text) in trust.iter().map(sensitivity::files).collect::<Result<Vec<_>, _>>()?.into_iter().flatten() {
        folder.write(name, &text)?;
    }
    folder.write_manifest(manifest)?;
    let name = folder.target().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let registry: &Registry = experiment.registry();
    let page = Page { experiment, manifest, events: Some(folder.path()), name, registry };
    folder.write("report.html", &page.html(&results, pairs.clone(), trust.clone())?)?;
    folder.write_manifest(manifest)?;
    Ok((results, pairs, trust))
}

//! What an experiment gave: tables, digest, report.

use crate::errors::refusal;
use crate::table::Table;
use pyo3::prelude::*;
use recmirror::experiment::{Experiment, Manifest, Outcome, PairRow, Results, UntilRecord};
use recmirror::random::Streams;
use recmirror::report::Page;
use std::path::PathBuf;
use std::sync::Arc;

/// Width of the printed table.
const WIDTH: usize = 100;

/// The outputs of all policies and replications, and what follows from them.
#[pyclass(frozen, module = "recmirror._native")]
pub struct Result {
    experiment: Arc<Experiment>,
    manifest: Manifest,
    results: Results,
    pairs: Vec<PairRow>,
}

impl Result {
    /// Summarises an outcome.
    pub(crate) fn new(experiment: Arc<Experiment>, outcome: Outcome) -> PyResult<Result> {
        let scenario = &experiment.scenario;
        let manifest = Manifest::new(&experiment, &outcome);
        let results = experiment.results(&outcome).map_err(refusal)?;
        let pairs = results.pairs(&Streams::new(scenario.seed, 0));
        Ok(Result { experiment, manifest, results, pairs })
    }
}

#[pymethods]
impl Result {
    /// The tables for readers.
    fn text(&self) -> String {
        format!("{}{}", self.results.table(WIDTH), self.results.order(&self.pairs, WIDTH))
    }

    /// A table by its name.
    fn table(&self, name: &str) -> PyResult<Table> {
        match name {
            "summary" => Table::of(&self.results.summary()),
            "compare" => Table::of(&self.results.compare()),
            "pairs" => Table::of(&self.pairs),
            "finals" => Table::of(&self.results.final_rows()),
            "series" => Table::of(&self.results.series_rows()),
            other => Err(refusal(format!("no table is called `{other}`"))),
        }
    }

    /// Writes the report, one HTML file that needs no network.
    fn report(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let html = py.detach(|| {
            let (experiment, manifest) = (&*self.experiment, &self.manifest);
            let page = Page { experiment, manifest, events: None, name, registry: experiment.registry() };
            page.html(&self.results, self.pairs.clone(), None)
        });
        let written = std::fs::write(&path, html.map_err(refusal)?);
        written.map_err(|problem| refusal(format!("cannot write {}: {problem}", path.display())))
    }

    /// The hash over all events of all policies and replications.
    #[getter]
    fn digest(&self) -> &str {
        &self.manifest.digest
    }

    /// Replications that ran.
    #[getter]
    fn replications(&self) -> usize {
        self.results.replications().len()
    }

    /// Why the run ended, where a rule was to end it.
    #[getter]
    fn until(&self) -> Vec<String> {
        self.manifest.until.as_ref().map(UntilRecord::sentences).unwrap_or_default()
    }

    /// Policy, replication and message of each policy that failed.
    #[getter]
    fn failures(&self) -> Vec<(String, u32, String)> {
        self.manifest
            .failures
            .iter()
            .map(|failure| (failure.policy.clone(), failure.replication, failure.problem.clone()))
            .collect()
    }

    /// What ran, exactly enough to run it again, as JSON.
    #[getter]
    fn manifest(&self) -> String {
        self.manifest.to_json()
    }
}

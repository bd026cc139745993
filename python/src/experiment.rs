//! Experiments: policies x replications, with policies of Python.

use crate::data::Dataset;
use crate::policy::factory;
use crate::refusal;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use recmirror::environment::add_own;
use recmirror::experiment::{Experiment, NoProgress, Outcome, Results, RunOptions, TableFormat, TableRow, write_table};
use recmirror::log::Digest;
use recmirror::metrics;
use recmirror::policy::Registry;
use recmirror::random::Streams;
use recmirror::scenario::Scenario;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Width of the printed table.
const WIDTH: usize = 100;

/// Runs a scenario file, with policies of Python beside its own, and gives tables as columns by name.
#[pyfunction]
#[pyo3(signature = (scenario, policies, settings, data=None, allow_external=false))]
pub fn run<'py>(
    py: Python<'py>,
    scenario: PathBuf,
    policies: Vec<(String, Py<PyAny>)>,
    settings: Vec<(String, String)>,
    data: Option<&Dataset>,
    allow_external: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let mut registry = Registry::builtin();
    let names: Vec<String> = policies.iter().map(|(name, _)| name.clone()).collect();
    for (name, object) in policies {
        registry = registry.with_policy(&name, factory(object));
    }
    let data = data.map(|data| data.inner.clone());
    let experiment = py.detach(|| {
        let mut scenario = Scenario::load(&scenario, &registry, &settings).map_err(refusal)?;
        allow(&scenario, allow_external)?;
        add_own(&mut scenario, &names);
        let experiment = match data {
            Some(data) => Experiment::with_data(scenario, (*data).clone(), registry),
            None => Experiment::prepare(scenario, registry),
        };
        experiment.map_err(refusal)
    })?;
    let outcome = interruptible(py, &experiment)?;
    tables(py, &experiment, &outcome)
}

/// Refuses a scenario that starts programs, unless that is allowed.
fn allow(scenario: &Scenario, allow_external: bool) -> PyResult<()> {
    match scenario.programs().first() {
        Some(program) if !allow_external => {
            Err(refusal(format!("{program}; look at it, and pass allow_external=True if you trust it")))
        }
        _ => Ok(()),
    }
}

/// Runs with the interpreter free; Ctrl-C is looked for ten times a second and stops the run.
fn interruptible(py: Python<'_>, experiment: &Experiment) -> PyResult<Outcome> {
    let stop = AtomicBool::new(false);
    let options = RunOptions { events: None, progress: &NoProgress, stop: &stop, stopped: None };
    let (outcome, signal) = py.detach(|| {
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| experiment.run(&options));
            let mut signal = Ok(());
            while !worker.is_finished() {
                std::thread::sleep(Duration::from_millis(20));
                if signal.is_ok() {
                    signal = Python::attach(|py| py.check_signals());
                    stop.store(signal.is_err(), Ordering::Relaxed);
                }
            }
            (worker.join(), signal)
        })
    });
    signal?;
    outcome.map_err(|_| refusal("the run panicked, which is a defect of recmirror"))?.map_err(refusal)
}

fn tables<'py>(py: Python<'py>, experiment: &Experiment, outcome: &Outcome) -> PyResult<Bound<'py, PyDict>> {
    let scenario = &experiment.scenario;
    let kinds = metrics::named(&scenario.metrics).map_err(refusal)?;
    let ran = outcome.arms.iter().any(|arm| arm.policy == scenario.baseline);
    let baseline =
        if ran { &scenario.baseline } else { outcome.arms.first().map_or(&scenario.baseline, |arm| &arm.policy) };
    let results = Results::new(kinds, baseline, outcome.arms.clone()).map_err(refusal)?.looked_at(outcome.until.is_some());
    let pairs = results.pairs(&Streams::new(scenario.seed, 0));
    let digests = outcome.arms.iter().filter_map(|arm| Digest::parse(&arm.digest));
    let dict = PyDict::new(py);
    dict.set_item("text", format!("{}{}", results.table(WIDTH), results.order(&pairs, WIDTH)))?;
    dict.set_item("digest", Digest::combine(digests).to_string())?;
    dict.set_item("summary", json(&results.summary())?)?;
    dict.set_item("compare", json(&results.compare())?)?;
    dict.set_item("pairs", json(&pairs)?)?;
    dict.set_item("finals", json(&results.final_rows())?)?;
    dict.set_item("series", json(&results.series_rows())?)?;
    let failures = outcome.failures.iter().map(|failure| (&failure.policy, failure.replication, &failure.problem));
    dict.set_item("failures", failures.collect::<Vec<_>>())?;
    Ok(dict)
}

/// A table as a JSON list of rows.
fn json<R: TableRow>(rows: &[R]) -> PyResult<String> {
    let mut text = Vec::new();
    write_table(&mut text, TableFormat::Json, rows).map_err(refusal)?;
    String::from_utf8(text).map_err(refusal)
}

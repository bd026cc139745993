//! Experiments: policies x replications, with policies of Python.

use crate::data::Dataset;
use crate::errors::{of_dataset, of_experiment, of_scenario, of_settings, refusal};
use crate::interrupt::interruptible;
use crate::names::Names;
use crate::policy::factory;
use crate::result::Result as RunResult;
use crate::threads::free;
use crate::users::OwnUsers;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use recmirror::Registry;
use recmirror::environment::add_own;
use recmirror::experiment as native;
use recmirror::experiment::{NoProgress, Outcome, Part, RunOptions, Until};
use recmirror::scenario::{Scenario, to_toml};
use recmirror::user::UserModel;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A scenario with its data, user model and policies, ready to run.
#[pyclass(frozen, module = "recmirror._native")]
pub struct Experiment {
    inner: Arc<native::Experiment>,
}

#[pymethods]
impl Experiment {
    /// Prepares the scenario of a text, whose relative paths begin at `origin`, with policies of Python beside its own.
    #[new]
    #[pyo3(signature = (text, origin, policies, settings, data=None, users=None, allow_external=false))]
    #[expect(clippy::too_many_arguments, reason = "keywords of Python")]
    fn new(
        py: Python<'_>,
        text: String,
        origin: PathBuf,
        policies: Vec<(String, Py<PyAny>)>,
        settings: Vec<(String, String)>,
        data: Option<&Dataset>,
        users: Option<Py<PyAny>>,
        allow_external: bool,
    ) -> PyResult<Experiment> {
        let mut registry = Registry::builtin();
        let data = data.map(|data| data.inner.clone());
        let users_by_name = Names::new(data.as_ref());
        let names: Vec<String> = policies.iter().map(|(name, _)| name.clone()).collect();
        for (name, object) in policies {
            registry = registry.with_policy(&name, factory(object, users_by_name.clone()));
        }
        let users = users.map(|users| OwnUsers::new(py, users, users_by_name.clone())).transpose()?;
        interruptible(py, |_| {
            let mut scenario = Scenario::parse(&text, &origin, &registry, &settings).map_err(of_scenario)?;
            allow(&scenario, allow_external)?;
            add_own(&mut scenario, &names);
            let family = Some(scenario.data.format.as_str()).filter(|name| *name != "auto");
            let data = match data {
                Some(data) => (*data).clone(),
                None => registry.read(&scenario.data.path, family).map_err(of_dataset)?,
            };
            let users = users.map(|users| Arc::new(users) as Arc<dyn UserModel>);
            let experiment = native::Experiment::with_model(scenario, data, registry, users);
            let inner = Arc::new(experiment.map_err(of_experiment)?);
            users_by_name.learn(&inner);
            Ok(Experiment { inner })
        })?
    }

    /// Runs all replications, or as many as the rule `until` asks for.
    #[pyo3(signature = (until=None, events=None))]
    fn run(&self, py: Python<'_>, until: Option<&str>, events: Option<PathBuf>) -> PyResult<RunResult> {
        let until = self.rule(until)?;
        let outcome = interruptible(py, |stop| {
            let options = RunOptions { events: events.as_deref(), progress: &NoProgress, stop, stopped: None };
            match &until {
                Some(until) => self.inner.run_until(until, &options),
                None => self.inner.run(&options),
            }
        })?;
        RunResult::new(self.inner.clone(), outcome.map_err(of_experiment)?)
    }

    /// Runs all policies in one replication, and gives what came of it as bytes.
    #[pyo3(signature = (replication, events=None))]
    fn run_part<'py>(
        &self,
        py: Python<'py>,
        replication: u32,
        events: Option<PathBuf>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let part = interruptible(py, |stop: &AtomicBool| {
            let options = RunOptions { events: events.as_deref(), progress: &NoProgress, stop, stopped: None };
            self.inner.run_part(replication, &options)
        })?;
        match part.map_err(of_experiment)? {
            Some(part) => Ok(PyBytes::new(py, &postcard::to_stdvec(&part).map_err(refusal)?)),
            None => Err(PyKeyboardInterrupt::new_err("the replication was stopped")),
        }
    }

    /// The result of replications that were run elsewhere, without a gap from the first one on.
    #[pyo3(signature = (parts, until=None))]
    fn put_together(&self, py: Python<'_>, parts: Vec<Vec<u8>>, until: Option<&str>) -> PyResult<RunResult> {
        let until = self.rule(until)?;
        let outcome = free(py, || self.gathered(&parts, until.as_ref()))?;
        RunResult::new(self.inner.clone(), outcome)
    }

    /// Returns true if the rule is met by replications that were run elsewhere, without a gap from the first one on.
    fn is_enough(&self, py: Python<'_>, parts: Vec<Vec<u8>>, until: &str) -> PyResult<bool> {
        let until = self.rule(Some(until))?;
        let outcome = free(py, || self.gathered(&parts, until.as_ref()))?;
        Ok(outcome.until.is_some_and(|record| record.met))
    }

    /// The folder of the user model, where it has one.
    #[getter]
    fn model_path(&self) -> PyResult<Option<String>> {
        let written: toml::Table = to_toml(&self.inner.scenario).parse().map_err(refusal)?;
        let user = |key: &str| written.get("user")?.get(key)?.as_str();
        let path = user("path").filter(|_| user("kind") == Some("mirror"));
        Ok(path.map(str::to_owned))
    }

    /// Names of the policies, in the order of the scenario.
    #[getter]
    fn policies(&self) -> Vec<&str> {
        self.inner.scenario.policies.iter().map(|policy| policy.name.as_str()).collect()
    }

    /// Replications of the scenario.
    #[getter]
    fn replications(&self) -> u32 {
        self.inner.scenario.replications
    }

    /// Root of all random draws.
    #[getter]
    fn seed(&self) -> u64 {
        self.inner.scenario.seed
    }

    /// What a reader should know before the run begins.
    #[getter]
    fn forecast(&self) -> Vec<String> {
        self.inner.forecast().to_vec()
    }

    /// The data set.
    fn data(&self) -> Dataset {
        Dataset { inner: Arc::new(self.inner.data.clone()) }
    }
}

impl Experiment {
    fn gathered(&self, parts: &[Vec<u8>], until: Option<&Until>) -> PyResult<Outcome> {
        let parts: std::result::Result<Vec<Part>, _> = parts.iter().map(|part| postcard::from_bytes(part)).collect();
        let parts = parts.map_err(|problem| refusal(format!("a replication came damaged: {problem}")))?;
        self.inner.put_together(parts, until).map_err(of_experiment)
    }

    fn rule(&self, until: Option<&str>) -> PyResult<Option<Until>> {
        until
            .map(|text| Until::parse(text, &self.inner.scenario, self.inner.registry()))
            .transpose()
            .map_err(of_settings)
    }
}

/// Refuses a scenario that starts programs, unless that is allowed.
fn allow(scenario: &Scenario, allow_external: bool) -> PyResult<()> {
    match scenario.programs().first() {
        Some(program) if !allow_external => {
            Err(of_settings(format!("{program}; look at it, and pass allow_external=True if you trust it")))
        }
        _ => Ok(()),
    }
}

/// The policy, by its place in the scenario, and the event log of each trial of a replication that has one.
#[pyfunction]
pub fn part_files(part: &[u8]) -> PyResult<Vec<(usize, String)>> {
    let part: Part = postcard::from_bytes(part).map_err(refusal)?;
    Ok(part.files().map(|(policy, file)| (policy, file.to_owned())).collect())
}

//! Policies: built-in ones for Python, and Python's own ones for experiments.

use crate::asking::ask;
use crate::environment::Environment;
use crate::errors::{of_policy, refusal};
use crate::lock::{Held, Lock};
use crate::names::Names;
use crate::observation::{HISTORY, Observation, Shown};
use crate::slates;
use crate::threads::free;
use crate::training::Log;
use numpy::{PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyType;
use recmirror::log::EventBatch;
use recmirror::policy::{Factory, Histories, Policy, PolicyContext, PolicyError, Requests, Slates};
use std::sync::Arc;

/// A built-in policy, fitted to the log before the first step of an environment.
#[pyclass(frozen, module = "recmirror")]
pub struct BuiltinPolicy {
    inner: Lock<Box<dyn Policy>>,
}

impl BuiltinPolicy {
    pub(crate) fn new(inner: Box<dyn Policy>) -> BuiltinPolicy {
        BuiltinPolicy { inner: Lock::new("policy", inner) }
    }

    /// Whoever holds an environment and a policy holds the environment first.
    pub(crate) fn hold(&self, py: Python<'_>) -> PyResult<Held<'_, Box<dyn Policy>>> {
        self.inner.hold(py)
    }
}

#[pymethods]
impl BuiltinPolicy {
    /// `[n, slate]`: slates for the users who want one now, -1 in empty slots.
    fn recommend<'py>(&self, py: Python<'py>, environment: &Environment) -> PyResult<Bound<'py, PyArray2<i64>>> {
        let (environment, policy) = (&*environment.hold(py)?, &mut **self.hold(py)?);
        let slates = free(py, || policy.slates(&environment.observation()));
        let slates = slates.map_err(|problem| of_policy(problem.to_string()))?;
        let items = slates.items.iter().map(|item| if item.is_some() { i64::from(item.0) } else { -1 });
        let shape = [slates.items.len() / slates.slate.max(1), slates.slate];
        numpy::PyArray1::from_iter(py, items).reshape(shape)
    }

    /// Learns from the last step of the environment.
    fn observe(&self, py: Python<'_>, environment: &Environment) -> PyResult<()> {
        let (environment, policy) = (&*environment.hold(py)?, &mut **self.hold(py)?);
        let learned = free(py, || policy.observe(environment.events()));
        learned.map_err(|problem| of_policy(problem.to_string()))
    }
}

/// A policy that is a Python object with `recommend(observation)`, and `observe(events)` where it learns.
struct Outside {
    object: Py<PyAny>,
    histories: Histories,
    names: Names,
}

impl Outside {
    fn answer(&self, requests: &Requests<'_>) -> Result<Slates, String> {
        let entries = |row: usize| {
            let user = requests.users[row];
            self.histories.of(user).skip(self.histories.len_of(user).saturating_sub(HISTORY))
        };
        let shown = Shown::new(requests.len(), entries);
        ask(|py| {
            let object = self.object.bind(py);
            let observation = Bound::new(py, Observation::new(py, requests, shown, None));
            let observation = observation.map_err(|problem| problem.to_string())?;
            let answer = if object.hasattr("recommend").unwrap_or(false) {
                object.call_method1("recommend", (observation,))
            } else {
                object.call1((observation,))
            };
            let answer = answer.map_err(|problem| traceback(py, &problem))?;
            let slates = slates::read(&answer, requests, &self.names)?;
            slates::check(&slates, requests, &self.names)?;
            Ok(slates)
        })
    }
}

impl Policy for Outside {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError> {
        *slates = self.answer(requests).map_err(PolicyError::new)?;
        Ok(())
    }

    fn observe(&mut self, events: &EventBatch) -> Result<(), PolicyError> {
        self.histories.observe(events, |_, _, _| ());
        let learned = ask(|py| -> PyResult<()> {
            let object = self.object.bind(py);
            if !object.hasattr("observe")? {
                return Ok(());
            }
            let outcome = crate::outcome::Outcome::of(py, events, Vec::new(), false)?;
            object.call_method1("observe", (outcome,)).map(|_| ()).map_err(|problem| refusal(traceback(py, &problem)))
        });
        learned.map_err(PolicyError::of)
    }
}

/// The error with the place where it was raised.
pub(crate) fn traceback(py: Python<'_>, problem: &PyErr) -> String {
    let trace = problem.traceback(py).and_then(|trace| trace.format().ok()).unwrap_or_default();
    format!("{problem}\n{trace}").trim_end().to_owned()
}

/// Builds a Python policy once a replication: `object` is a policy, or a class without arguments that makes one. Where it has
/// `fit`, it is given the log before the start.
pub(crate) fn factory(object: Py<PyAny>, names: Names) -> Factory {
    Arc::new(move |context: &PolicyContext| {
        let made =
            ask(|py| made(py, object.bind(py), context).map_err(|problem| PolicyError::new(traceback(py, &problem))));
        let (histories, names) = (Histories::new(context), names.clone());
        Ok(Box::new(Outside { object: made?, histories, names }) as Box<dyn Policy>)
    })
}

fn made(py: Python<'_>, object: &Bound<'_, PyAny>, context: &PolicyContext) -> PyResult<Py<PyAny>> {
    let made = if object.is_instance_of::<PyType>() {
        object.call0()?
    } else {
        // Replications run side by side: each needs a state of its own.
        py.import("copy")?.call_method1("deepcopy", (object,)).map_err(|problem| {
            of_policy(format!(
                "each replication needs a copy of the policy, which fails ({problem}); pass its class instead"
            ))
        })?
    };
    if made.hasattr("fit")? {
        let log = Log::of(py, &context.log, &context.sources, context.slate);
        made.call_method1("fit", (Bound::new(py, log)?,))?;
    }
    if !made.hasattr("recommend")? && !made.is_callable() {
        let name = made.get_type().name()?;
        return Err(of_policy(format!(
            "a policy is an object with recommend(observation), a class of such objects, or a function of the observation; \
             this is a {name}"
        )));
    }
    Ok(made.unbind())
}

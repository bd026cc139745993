//! Policies: built-in ones for Python, and Python's own ones for experiments.

use crate::environment::Environment;
use crate::observation::Observation;
use crate::{refusal, slates};
use numpy::{PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use recmirror::log::EventBatch;
use recmirror::policy::{Factory, Histories, Policy, PolicyContext, PolicyError, Requests, Slates};
use std::sync::{Arc, Mutex, PoisonError};

/// A built-in policy, fitted to the log before the first step of an environment.
#[pyclass(frozen, module = "recmirror")]
pub struct BuiltinPolicy {
    inner: Mutex<Box<dyn Policy>>,
}

impl BuiltinPolicy {
    pub(crate) fn new(inner: Box<dyn Policy>) -> BuiltinPolicy {
        BuiltinPolicy { inner: Mutex::new(inner) }
    }
}

#[pymethods]
impl BuiltinPolicy {
    /// `[n, slate]`: slates for the users who want one now, -1 in empty slots.
    fn recommend<'py>(&self, py: Python<'py>, environment: &Environment) -> PyResult<Bound<'py, PyArray2<i64>>> {
        let slates = py.detach(|| {
            let mut policy = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            let environment = environment.inner();
            policy.slates(&environment.observation())
        });
        let slates = slates.map_err(|problem| refusal(problem.to_string()))?;
        let items = slates.items.iter().map(|item| if item.is_some() { i64::from(item.0) } else { -1 });
        let shape = [slates.items.len() / slates.slate.max(1), slates.slate];
        numpy::PyArray1::from_iter(py, items).reshape(shape)
    }

    /// Learns from the last step of the environment.
    fn observe(&self, py: Python<'_>, environment: &Environment) -> PyResult<()> {
        let learned = py.detach(|| {
            let mut policy = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            policy.observe(environment.inner().events())
        });
        learned.map_err(|problem| refusal(problem.to_string()))
    }
}

/// A policy that is a Python object with `recommend(observation)`, and `observe(events)` where it learns.
struct Outside {
    object: Py<PyAny>,
    histories: Histories,
}

impl Outside {
    fn answer(&self, requests: &Requests<'_>) -> Result<Slates, String> {
        Python::attach(|py| {
            let history = |row: usize| self.histories.of(requests.users[row]).collect();
            let observation = Observation::new(py, requests, history);
            let object = self.object.bind(py);
            let observation = Bound::new(py, observation).map_err(|problem| problem.to_string())?;
            let answer = if object.hasattr("recommend").unwrap_or(false) {
                object.call_method1("recommend", (observation,))
            } else {
                object.call1((observation,))
            };
            slates::read(&answer.map_err(|problem| traceback(py, &problem))?, requests)
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
        let told = Python::attach(|py| -> PyResult<()> {
            let object = self.object.bind(py);
            if !object.hasattr("observe")? {
                return Ok(());
            }
            let outcome = crate::environment::Outcome::of(py, events, Vec::new(), false)?;
            object.call_method1("observe", (outcome,)).map(|_| ()).map_err(|problem| refusal(traceback(py, &problem)))
        });
        told.map_err(PolicyError::of)
    }
}

/// The error with the place where it was raised.
pub(crate) fn traceback(py: Python<'_>, problem: &PyErr) -> String {
    let trace = problem.traceback(py).and_then(|trace| trace.format().ok()).unwrap_or_default();
    format!("{problem}\n{trace}").trim_end().to_owned()
}

/// Builds a Python policy once a replication: `object` is a policy, or a class or function without arguments that makes one.
pub(crate) fn factory(object: Py<PyAny>) -> Factory {
    Arc::new(move |context: &PolicyContext| {
        let made = Python::attach(|py| -> PyResult<Py<PyAny>> {
            let bound = object.bind(py);
            let is_class = bound.is_instance_of::<pyo3::types::PyType>();
            if is_class {
                return Ok(bound.call0()?.unbind());
            }
            // Replications run side by side: each needs a state of its own.
            let copy = py.import("copy")?;
            Ok(copy.call_method1("deepcopy", (bound,))?.unbind())
        });
        let object = made.map_err(PolicyError::of)?;
        Ok(Box::new(Outside { object, histories: Histories::new(context) }) as Box<dyn Policy>)
    })
}

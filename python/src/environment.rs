//! The environment.

use crate::data::Dataset;
use crate::observation::{HISTORY, Observation};
use crate::policy::BuiltinPolicy;
use crate::users::OwnUsers;
use crate::{refusal, slates};
use numpy::ndarray::Array2;
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray2, ToPyArray};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use recmirror::environment as native;
use recmirror::ids::{ItemId, UserId};
use recmirror::log::{EventBatch, REJECTED};
use recmirror::policy::Requests;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Simulated users, a catalogue and what changes, stepped from outside.
#[pyclass(frozen, module = "recmirror")]
pub struct Environment {
    inner: Mutex<native::Environment>,
}

impl Environment {
    pub(crate) fn inner(&self) -> MutexGuard<'_, native::Environment> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A table of a policy or a dynamic: its kind, and its keys as text.
pub(crate) type Table = (String, BTreeMap<String, String>);

/// Settings as `KEY`, `VALUE` in the words of scenario files.
pub(crate) fn builder(
    data: &Dataset,
    settings: Vec<(String, String)>,
    policies: Vec<Table>,
    dynamics: Vec<Table>,
) -> native::EnvironmentBuilder {
    let mut builder = native::Environment::builder(&data.inner);
    for (key, value) in settings {
        builder = builder.set(&key, value);
    }
    for (kind, keys) in policies {
        builder = builder.policy(&kind, &pairs(&keys));
    }
    for (kind, keys) in dynamics {
        builder = builder.dynamic(&kind, &pairs(&keys));
    }
    builder
}

/// Slates, and how many items each lost.
type Kept<'py> = (Bound<'py, PyArray2<i64>>, Bound<'py, PyArray1<i64>>);

fn pairs(keys: &BTreeMap<String, String>) -> Vec<(&str, &dyn Display)> {
    keys.iter().map(|(key, value)| (key.as_str(), value as &dyn Display)).collect()
}

#[pymethods]
impl Environment {
    #[new]
    #[pyo3(signature = (data, settings, policies, dynamics, users=None))]
    fn new(
        py: Python<'_>,
        data: &Dataset,
        settings: Vec<(String, String)>,
        policies: Vec<Table>,
        dynamics: Vec<Table>,
        users: Option<Py<PyAny>>,
    ) -> PyResult<Environment> {
        let mut builder = builder(data, settings, policies, dynamics);
        if let Some(users) = users {
            builder = builder.users(OwnUsers::new(py, users)?);
        }
        let inner = py.detach(|| builder.build()).map_err(refusal)?;
        Ok(Environment { inner: Mutex::new(inner) })
    }

    /// Begins again at step 0 of another replication: other users and draws of the same settings.
    #[pyo3(signature = (replication=0))]
    fn reset(&self, py: Python<'_>, replication: u32) -> PyResult<Observation> {
        py.detach(|| self.inner().reset(replication)).map_err(refusal)?;
        Ok(self.observation(py))
    }

    /// Who wants a slate now.
    fn observation(&self, py: Python<'_>) -> Observation {
        let environment = self.inner();
        let observation = environment.observation();
        let history = |row: usize| observation.history(row).map(|entry| (entry.item, entry.rating)).collect();
        Observation::new(py, &observation, history)
    }

    /// Shows slates to the users of the observation and gives what they did.
    fn step(&self, py: Python<'_>, slates: &Bound<'_, PyAny>) -> PyResult<Outcome> {
        let outcome = self._close(py, slates)?;
        self._open(py);
        Ok(outcome)
    }

    /// The first half of a step: shows slates and takes the responses.
    fn _close(&self, py: Python<'_>, slates: &Bound<'_, PyAny>) -> PyResult<Outcome> {
        let slates = {
            let environment = self.inner();
            slates::read(slates, &environment.observation()).map_err(refusal)?
        };
        py.detach(|| self.inner().close(&slates)).map_err(refusal)?;
        let environment = self.inner();
        let left = environment.left().iter().map(|user| user.0).collect();
        Outcome::of(py, environment.events(), left, environment.is_done())
    }

    /// The second half of a step: users arrive.
    fn _open(&self, py: Python<'_>) {
        py.detach(|| self.inner().open());
    }

    /// Opens the step once more, so that users who restarted in it come.
    fn _open_again(&self, py: Python<'_>) {
        py.detach(|| self.inner().open_again());
    }

    /// Brings users back to the start.
    fn _restart(&self, users: BTreeSet<u32>) {
        self.inner().restart(users.into_iter().map(UserId));
    }

    /// Lets users leave for good.
    fn _retire(&self, users: BTreeSet<u32>) {
        self.inner().retire(users.into_iter().map(UserId));
    }

    /// History `[users, 20]` and its ratings of all users, those who are away included.
    fn _histories<'py>(&self, py: Python<'py>) -> (Bound<'py, PyArray2<i64>>, Bound<'py, PyArray2<f32>>) {
        let environment = self.inner();
        let mut items = Array2::from_elem((environment.users(), HISTORY), -1i64);
        let mut ratings = Array2::zeros((environment.users(), HISTORY));
        for user in 0..environment.users() {
            for (place, entry) in environment.history(UserId(user as u32)).enumerate() {
                items[[user, place]] = i64::from(entry.item.0);
                ratings[[user, place]] = if entry.rating.is_nan() { 0.0 } else { entry.rating };
            }
        }
        (items.to_pyarray(py), ratings.to_pyarray(py))
    }

    /// `[users, items]`: 1 where a user may be shown an item, those who are away included.
    fn _masks<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray2<i8>> {
        let environment = self.inner();
        let (users, items) = (environment.users(), environment.data().items.len());
        let observation = environment.observation();
        let words = Requests::words(items);
        let mut mask = Array2::ones((users, items));
        let mut fill = |user: usize, bits: &[u64]| {
            for (word, &bits) in bits.iter().enumerate() {
                let mut left = bits;
                while left != 0 {
                    let item = word * 64 + left.trailing_zeros() as usize;
                    left &= left - 1;
                    if item < items {
                        mask[[user, item]] = 0;
                    }
                }
            }
        };
        for user in 0..users {
            if let Some(bits) = environment.seen(UserId(user as u32)) {
                fill(user, bits);
            }
        }
        for (row, user) in observation.users.iter().enumerate() {
            fill(user.index(), &observation.blocked[row * words..(row + 1) * words]);
        }
        mask.to_pyarray(py)
    }

    /// Slates `[n, slate]` of the visitors without what is repeated, unknown or no candidate, and how many were left out.
    fn _keep_allowed<'py>(&self, py: Python<'py>, slates: PyReadonlyArray2<'py, i64>) -> PyResult<Kept<'py>> {
        let environment = self.inner();
        let observation = environment.observation();
        let slates = slates.as_array();
        if slates.dim() != (observation.len(), observation.slate) {
            let wanted = (observation.len(), observation.slate);
            return Err(refusal(format!("slates have the shape {:?}; expected {wanted:?}", slates.dim())));
        }
        let mut kept = Array2::from_elem(slates.dim(), -1i64);
        let mut left_out = vec![0i64; observation.len()];
        for (row, slate) in slates.outer_iter().enumerate() {
            let request = observation.get(row);
            let mut next = 0;
            for &item in slate {
                let known = (0..observation.items as i64).contains(&item);
                let repeated = kept.row(row).iter().take(next).any(|&held| held == item);
                if known && !repeated && request.allows(ItemId(item as u32)) {
                    kept[[row, next]] = item;
                    next += 1;
                } else {
                    left_out[row] += 1;
                }
            }
        }
        Ok((kept.to_pyarray(py), PyArray1::from_vec(py, left_out)))
    }

    /// A built-in policy that was named when the environment was made.
    fn policy(&self, py: Python<'_>, name: &str) -> PyResult<BuiltinPolicy> {
        let policy = py.detach(|| self.inner().policy(name)).map_err(refusal)?;
        Ok(BuiltinPolicy::new(policy))
    }

    /// Steps done since the last reset.
    #[getter]
    fn time_step(&self) -> u32 {
        self.inner().time_step()
    }

    /// Steps in all.
    #[getter]
    fn steps(&self) -> u32 {
        self.inner().steps()
    }

    /// Simulated users, those who left included.
    #[getter]
    fn users(&self) -> usize {
        self.inner().users()
    }

    /// Items of the catalogue.
    #[getter]
    fn items(&self) -> usize {
        self.inner().data().items.len()
    }

    /// Whether the last step is done.
    #[getter]
    fn is_done(&self) -> bool {
        self.inner().is_done()
    }

    /// The hash over all events so far: that of an experiment in which a policy gave the same slates.
    #[getter]
    fn digest(&self) -> String {
        self.inner().digest().to_string()
    }

    /// Name and value of each metric over the steps so far; `None` where it is undefined.
    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let values = PyDict::new(py);
        for (name, value) in self.inner().metrics() {
            values.set_item(name, value)?;
        }
        Ok(values)
    }

    fn __repr__(&self) -> String {
        let environment = self.inner();
        format!(
            "Environment({} users, step {} of {})",
            environment.users(),
            environment.time_step(),
            environment.steps()
        )
    }
}

/// What users did with their slates in one step.
#[pyclass(frozen, module = "recmirror")]
pub struct Outcome {
    /// The step, from 0.
    #[pyo3(get)]
    step: u32,
    /// `[n]`: numbers of the users, ascending.
    #[pyo3(get)]
    users: Py<PyArray1<u32>>,
    /// `[n, slate]`: what was shown, -1 in empty slots.
    #[pyo3(get)]
    slates: Py<PyArray2<i64>>,
    /// `[n]`: the accepted slot, -1 for none.
    #[pyo3(get)]
    accepted: Py<PyArray1<i64>>,
    /// `[n]`: the accepted item, -1 for none.
    #[pyo3(get)]
    accepted_items: Py<PyArray1<i64>>,
    /// `[n]`: the rating of the accepted item, NaN for none.
    #[pyo3(get)]
    ratings: Py<PyArray1<f32>>,
    /// `[n]`: 1 where an item was accepted, else 0.
    #[pyo3(get)]
    rewards: Py<PyArray1<f32>>,
    /// Numbers of the users who left for good: terminated.
    #[pyo3(get)]
    left: Py<PyArray1<u32>>,
    /// Whether this was the last step: truncated.
    #[pyo3(get)]
    is_done: bool,
}

impl Outcome {
    pub(crate) fn of(py: Python<'_>, events: &EventBatch, left: Vec<u32>, is_done: bool) -> PyResult<Outcome> {
        let number = |item: recmirror::ids::ItemId| if item.is_some() { i64::from(item.0) } else { -1 };
        let slot = |&slot: &u8| if slot == REJECTED { -1 } else { i64::from(slot) };
        let rows = 0..events.len();
        let items = rows.clone().map(|row| events.accepted_item(row).map_or(-1, number));
        let rewards = rows.map(|row| if events.accepted_item(row).is_some() { 1.0 } else { 0.0 });
        let slates = PyArray1::from_iter(py, events.items.iter().map(|&item| number(item)));
        Ok(Outcome {
            step: events.tick,
            users: PyArray1::from_iter(py, events.users.iter().map(|user| user.0)).unbind(),
            slates: slates.reshape([events.len(), events.slate])?.unbind(),
            accepted: PyArray1::from_iter(py, events.accepted.iter().map(slot)).unbind(),
            accepted_items: PyArray1::from_iter(py, items).unbind(),
            ratings: PyArray1::from_iter(py, events.ratings.iter().copied()).unbind(),
            rewards: PyArray1::from_iter(py, rewards).unbind(),
            left: PyArray1::from_vec(py, left).unbind(),
            is_done,
        })
    }
}

#[pymethods]
impl Outcome {
    fn __len__(&self, py: Python<'_>) -> usize {
        numpy::PyUntypedArrayMethods::len(self.users.bind(py))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("Outcome(step {}: {} users were shown a slate)", self.step, self.__len__(py))
    }
}

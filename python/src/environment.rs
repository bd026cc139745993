//! The environment.

use crate::data::Dataset;
use crate::errors::{of_environment, of_policy, of_slates};
use crate::interrupt::interruptible;
use crate::observation::{Observation, Shown};
use crate::outcome::Outcome;
use crate::policy::BuiltinPolicy;
use crate::slates;
use crate::threads::free;
use crate::users::OwnUsers;
use numpy::ndarray::Array2;
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2, ToPyArray};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use recmirror::environment as native;
use recmirror::ids::{ItemId, UserId};
use recmirror::policy::Slates;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::atomic::Ordering;
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

/// What went wrong without the interpreter.
enum Wrong {
    Slates(String),
    Environment(native::EnvironmentError),
}

fn contiguous<'a>(array: &'a PyReadonlyArray2<'_, f32>) -> PyResult<&'a [f32]> {
    array.as_slice().map_err(|_| of_slates("the array is not contiguous; pass numpy.ascontiguousarray(...)"))
}

impl Environment {
    /// What the users did in the step that closed last.
    fn outcome(&self, py: Python<'_>) -> PyResult<Outcome> {
        let environment = self.inner();
        let left = environment.left().iter().map(|user| user.0).collect();
        Outcome::of(py, environment.events(), left, environment.is_done())
    }
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
        let inner = free(py, || builder.build()).map_err(of_environment)?;
        Ok(Environment { inner: Mutex::new(inner) })
    }

    /// Begins again at step 0 of another replication: other users and draws of the same settings.
    #[pyo3(signature = (replication=0))]
    fn reset(&self, py: Python<'_>, replication: u32) -> PyResult<Observation> {
        free(py, || self.inner().reset(replication)).map_err(of_environment)?;
        Ok(self.observation(py))
    }

    /// Who wants a slate now.
    fn observation(&self, py: Python<'_>) -> Observation {
        let environment = self.inner();
        let observation = environment.observation();
        let entries = |row: usize| observation.history(row).map(|entry| (entry.item, entry.rating));
        let shown = Shown::new(observation.len(), entries);
        Observation::new(py, &observation, shown, Some(observation.time()))
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
            slates::read(slates, &environment.observation()).map_err(of_slates)?
        };
        free(py, || self.inner().close(&slates)).map_err(of_environment)?;
        self.outcome(py)
    }

    /// The first half of a step with the candidates that are nearest to a vector for each visitor, by inner product.
    fn _close_nearest(
        &self,
        py: Python<'_>,
        wanted: PyReadonlyArray2<'_, f32>,
        vectors: PyReadonlyArray2<'_, f32>,
    ) -> PyResult<Outcome> {
        let (rows, width) = wanted.as_array().dim();
        let (wanted, vectors) = (contiguous(&wanted)?, contiguous(&vectors)?);
        let closed = free(py, || {
            let mut environment = self.inner();
            let observation = environment.observation();
            if rows != observation.len() || vectors.len() != observation.items * width {
                return Err(Wrong::Slates(format!(
                    "{rows} vectors of {width} numbers for {} users and {} items",
                    observation.len(),
                    observation.items
                )));
            }
            let slates = slates::nearest(wanted, vectors, width, &observation).map_err(Wrong::Slates)?;
            environment.close(&slates).map_err(Wrong::Environment)
        });
        match closed {
            Ok(()) => self.outcome(py),
            Err(Wrong::Slates(problem)) => Err(of_slates(problem)),
            Err(Wrong::Environment(problem)) => Err(of_environment(problem)),
        }
    }

    /// The second half of a step: users arrive.
    fn _open(&self, py: Python<'_>) {
        free(py, || self.inner().open());
    }

    /// Opens the step once more, so that users who restarted in it come.
    fn _open_again(&self, py: Python<'_>) {
        free(py, || self.inner().open_again());
    }

    /// Brings users back to the start.
    fn _restart(&self, users: PyReadonlyArray1<'_, i64>) {
        self.inner().restart(users.as_array().iter().map(|&user| UserId(user as u32)));
    }

    /// Lets users leave for good.
    fn _retire(&self, users: PyReadonlyArray1<'_, i64>) {
        self.inner().retire(users.as_array().iter().map(|&user| UserId(user as u32)));
    }

    /// Numbers of the users who want a slate now, and the milliseconds since 1970.
    fn _visitors<'py>(&self, py: Python<'py>) -> (Bound<'py, PyArray1<i64>>, i64) {
        let environment = self.inner();
        let observation = environment.observation();
        (PyArray1::from_iter(py, observation.users.iter().map(|user| i64::from(user.0))), observation.time())
    }

    /// History `[users, 20]` and its ratings of all users, those who are away included.
    fn _histories<'py>(&self, py: Python<'py>) -> (Bound<'py, PyArray2<i64>>, Bound<'py, PyArray2<f32>>) {
        let (items, ratings) = free(py, || {
            let environment = self.inner();
            let entries =
                |user: usize| environment.history(UserId(user as u32)).map(|entry| (entry.item, entry.rating));
            Shown::new(environment.users(), entries).arrays(0.0)
        });
        (items.into_pyarray(py), ratings.into_pyarray(py))
    }

    /// `[users, items]`: 1 where a user may be shown an item, those who are away included.
    fn _masks<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray2<i8>> {
        let environment = self.inner();
        let (users, items) = (environment.users(), environment.data().items.len());
        let observation = environment.observation();
        let mut mask = Array2::ones((users, items));
        for user in 0..users {
            environment.seen(UserId(user as u32)).for_each(|item| mask[[user, item.index()]] = 0);
        }
        for (row, user) in observation.users.iter().enumerate() {
            observation.get(row).blocked().for_each(|item| mask[[user.index(), item.index()]] = 0);
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
            return Err(of_slates(format!("slates have the shape {:?}; expected {wanted:?}", slates.dim())));
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

    /// `[users]`: the user of the data set whom each simulated user mirrors.
    fn sources<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u32>> {
        PyArray1::from_iter(py, self.inner().sources().iter().map(|user| user.0))
    }

    /// A built-in policy that was named when the environment was made.
    fn policy(&self, py: Python<'_>, name: &str) -> PyResult<BuiltinPolicy> {
        let policy = free(py, || self.inner().policy(name)).map_err(of_environment)?;
        Ok(BuiltinPolicy::new(policy))
    }

    /// Steps a built-in policy to the end, or so many steps; the mean reward of each, NaN where nobody came.
    #[pyo3(signature = (policy, most=None))]
    fn _run<'py>(
        &self,
        py: Python<'py>,
        policy: &BuiltinPolicy,
        most: Option<u32>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let rewards = interruptible(py, |stop| -> PyResult<Vec<f64>> {
            let (mut environment, mut policy) = (self.inner(), policy.inner());
            let (mut rewards, mut slates) = (Vec::new(), Slates::default());
            let most = most.map_or(usize::MAX, |most| most as usize);
            while !environment.is_done() && rewards.len() < most && !stop.load(Ordering::Relaxed) {
                policy.recommend(&environment.observation(), &mut slates).map_err(of_policy)?;
                let outcome = environment.step(&slates).map_err(of_environment)?;
                let (sum, count) =
                    outcome.rewards().fold((0.0, 0.0), |(sum, count), reward| (sum + f64::from(reward), count + 1.0));
                rewards.push(sum / count);
                policy.observe(outcome.events()).map_err(of_policy)?;
            }
            Ok(rewards)
        })??;
        Ok(PyArray1::from_vec(py, rewards))
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

    /// Returns true if the last step is done.
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

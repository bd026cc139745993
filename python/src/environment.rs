//! The environment.

use crate::building::{Table, builder};
use crate::data::Dataset;
use crate::errors::{of_environment, of_experiment, of_policy, of_slates};
use crate::interrupt::{Finished, interruptible, patiently};
use crate::lock::{Held, Lock};
use crate::names::Names;
use crate::observation::{Observation, Shown};
use crate::outcome::Outcome;
use crate::policy::BuiltinPolicy;
use crate::slates;
use crate::threads::free;
use crate::training::Log;
use crate::users::OwnUsers;
use numpy::ndarray::Array2;
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2, ToPyArray};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use recmirror::environment as native;
use recmirror::experiment::Experiment;
use recmirror::ids::{ItemId, UserId};
use recmirror::policy::Slates;
use recmirror::simulation::TickError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Simulated users, a catalogue and what changes, stepped from outside.
#[pyclass(frozen, module = "recmirror")]
pub struct Environment {
    inner: Lock<native::Environment>,
    names: Names,
    experiment: Arc<Experiment>,
    /// The replication that began last.
    replication: AtomicU32,
    /// Whether the users are a model of Python, which may take long.
    asks_python: bool,
}

impl Environment {
    pub(crate) fn hold(&self, py: Python<'_>) -> PyResult<Held<'_, native::Environment>> {
        self.inner.hold(py)
    }
}

/// Slates, and how many items each lost.
type Kept<'py> = (Bound<'py, PyArray2<i64>>, Bound<'py, PyArray1<i64>>);

/// Items, and their ratings.
type Histories<'py> = (Bound<'py, PyArray2<i64>>, Bound<'py, PyArray2<f32>>);

fn contiguous<'a>(array: &'a PyReadonlyArray2<'_, f32>) -> PyResult<&'a [f32]> {
    array.as_slice().map_err(|_| of_slates("the array is not contiguous; pass numpy.ascontiguousarray(...)"))
}

impl Environment {
    /// Shows slates that were read, and gives what the users did. After Ctrl-C the step is done as a whole, or not at all.
    fn show(
        &self,
        py: Python<'_>,
        environment: &mut native::Environment,
        slates: &Slates,
        extent: Extent,
    ) -> PyResult<Outcome> {
        let work = || match extent {
            Extent::Half => environment.close(slates),
            Extent::Whole => environment.step(slates).map(|_| ()),
        };
        let Finished { value, pressed } = patiently(py, self.asks_python, work)?;
        pressed?;
        if let Err(problem) = value {
            let is_of_slates = matches!(problem, native::EnvironmentError::Step(TickError::Policy { .. }));
            let checked = slates::check(slates, &environment.observation(), &self.names);
            return Err(checked.err().filter(|_| is_of_slates).map_or_else(|| of_environment(problem), of_slates));
        }
        let left = environment.left().iter().map(|user| user.0).collect();
        Outcome::of(py, environment.events(), left, environment.is_done())
    }
}

/// How much of a step is done.
#[derive(Clone, Copy)]
enum Extent {
    /// The users respond.
    Half,
    /// The users of the next step arrive, too.
    Whole,
}

/// Who wants a slate now.
fn observed(py: Python<'_>, environment: &native::Environment) -> Observation {
    let observation = environment.observation();
    let entries = |row: usize| observation.history(row).map(|entry| (entry.item, entry.rating));
    let shown = Shown::new(observation.len(), entries);
    Observation::new(py, &observation, shown, Some(observation.time()))
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
        let names = Names::new(Some(&data.inner));
        let asks_python = users.is_some();
        if let Some(users) = users {
            builder = builder.users(OwnUsers::new(py, users, names.clone())?);
        }
        let made = patiently(py, asks_python, || -> Result<_, native::EnvironmentError> {
            let experiment = Arc::new(builder.experiment()?);
            names.learn(&experiment);
            Ok((experiment.clone(), native::Environment::of(experiment, 0)?))
        });
        let Finished { value, pressed } = made?;
        pressed?;
        let (experiment, environment) = value.map_err(of_environment)?;
        let (inner, replication) = (Lock::new("environment", environment), AtomicU32::new(0));
        Ok(Environment { inner, names, experiment, replication, asks_python })
    }

    /// Begins again at step 0 of another replication: other users and draws of the same settings.
    #[pyo3(signature = (replication=0))]
    fn reset(&self, py: Python<'_>, replication: u32) -> PyResult<Observation> {
        let environment = &mut *self.hold(py)?;
        let Finished { value, pressed } = patiently(py, self.asks_python, || environment.reset(replication))?;
        if value.is_ok() {
            self.replication.store(replication, Ordering::Relaxed);
        }
        pressed?;
        value.map_err(of_environment)?;
        Ok(observed(py, environment))
    }

    /// Who wants a slate now.
    fn observation(&self, py: Python<'_>) -> PyResult<Observation> {
        Ok(observed(py, &*self.hold(py)?))
    }

    /// Shows slates to the users of the observation and gives what they did.
    fn step(&self, py: Python<'_>, slates: &Bound<'_, PyAny>) -> PyResult<Outcome> {
        let environment = &mut *self.hold(py)?;
        let slates = slates::read(slates, &environment.observation(), &self.names).map_err(of_slates)?;
        self.show(py, environment, &slates, Extent::Whole)
    }

    /// The first half of a step: shows slates and takes the responses.
    fn _close(&self, py: Python<'_>, slates: &Bound<'_, PyAny>) -> PyResult<Outcome> {
        let environment = &mut *self.hold(py)?;
        let slates = slates::read(slates, &environment.observation(), &self.names).map_err(of_slates)?;
        self.show(py, environment, &slates, Extent::Half)
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
        let environment = &mut *self.hold(py)?;
        let slates = {
            let observation = environment.observation();
            if rows != observation.len() || vectors.len() != observation.items * width {
                return Err(of_slates(format!(
                    "{rows} vectors of {width} numbers for {} users and {} items",
                    observation.len(),
                    observation.items
                )));
            }
            free(py, || slates::nearest(wanted, vectors, width, &observation, &self.names)).map_err(of_slates)?
        };
        self.show(py, environment, &slates, Extent::Half)
    }

    /// The second half of a step: users arrive.
    fn _open(&self, py: Python<'_>) -> PyResult<()> {
        let environment = &mut *self.hold(py)?;
        free(py, || environment.open());
        Ok(())
    }

    /// Opens the step once more, so that users who restarted in it come.
    fn _open_again(&self, py: Python<'_>) -> PyResult<()> {
        let environment = &mut *self.hold(py)?;
        free(py, || environment.open_again());
        Ok(())
    }

    /// Brings users back to the start.
    fn _restart(&self, py: Python<'_>, users: PyReadonlyArray1<'_, i64>) -> PyResult<()> {
        self.hold(py)?.restart(users.as_array().iter().map(|&user| UserId(user as u32)));
        Ok(())
    }

    /// Lets users leave for good.
    fn _retire(&self, py: Python<'_>, users: PyReadonlyArray1<'_, i64>) -> PyResult<()> {
        self.hold(py)?.retire(users.as_array().iter().map(|&user| UserId(user as u32)));
        Ok(())
    }

    /// True after a failure that left part of a step done.
    fn _is_broken(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.hold(py)?.is_broken())
    }

    /// Numbers of the users who want a slate now, and the milliseconds since 1970.
    fn _visitors<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyArray1<i64>>, i64)> {
        let environment = self.hold(py)?;
        let observation = environment.observation();
        Ok((PyArray1::from_iter(py, observation.users.iter().map(|user| i64::from(user.0))), observation.time()))
    }

    /// History `[users, 20]` and its ratings of all users, those who are away included.
    fn _histories<'py>(&self, py: Python<'py>) -> PyResult<Histories<'py>> {
        let environment = &*self.hold(py)?;
        let (items, ratings) = free(py, || {
            let entries =
                |user: usize| environment.history(UserId(user as u32)).map(|entry| (entry.item, entry.rating));
            Shown::new(environment.users(), entries).arrays(0.0)
        });
        Ok((items.into_pyarray(py), ratings.into_pyarray(py)))
    }

    /// `[users, items]`: 1 where a user may be shown an item, those who are away included.
    fn _masks<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<i8>>> {
        let environment = self.hold(py)?;
        let (users, items) = (environment.users(), environment.data().items.len());
        let observation = environment.observation();
        let mut mask = Array2::ones((users, items));
        for user in 0..users {
            environment.seen(UserId(user as u32)).for_each(|item| mask[[user, item.index()]] = 0);
        }
        for (row, user) in observation.users.iter().enumerate() {
            observation.get(row).blocked().for_each(|item| mask[[user.index(), item.index()]] = 0);
        }
        Ok(mask.to_pyarray(py))
    }

    /// Slates `[n, slate]` of the visitors without what is repeated, unknown or no candidate, and how many were left out.
    fn _keep_allowed<'py>(&self, py: Python<'py>, slates: PyReadonlyArray2<'py, i64>) -> PyResult<Kept<'py>> {
        let environment = self.hold(py)?;
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
    fn sources<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<u32>>> {
        Ok(PyArray1::from_iter(py, self.hold(py)?.sources().iter().map(|user| user.0)))
    }

    /// The log before the first step, as a policy of an experiment is given it.
    fn log(&self, py: Python<'_>) -> PyResult<Log> {
        let users = self.experiment.users(self.replication.load(Ordering::Relaxed)).map_err(of_experiment)?;
        let slate = self.experiment.scenario.slate;
        Ok(match &users.known {
            None => Log::of(py, &self.experiment.start().log, &users.sources, slate),
            Some(known) => Log::of(py, &known.log, &known.sources, slate),
        })
    }

    /// A built-in policy that was named when the environment was made.
    fn policy(&self, py: Python<'_>, name: &str) -> PyResult<BuiltinPolicy> {
        let environment = &*self.hold(py)?;
        let policy = free(py, || environment.policy(name)).map_err(of_environment)?;
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
        let (environment, policy) = (&mut *self.hold(py)?, &mut **policy.hold(py)?);
        let rewards = interruptible(py, |stop| -> PyResult<Vec<f64>> {
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
    fn time_step(&self, py: Python<'_>) -> PyResult<u32> {
        Ok(self.hold(py)?.time_step())
    }

    /// Steps in all.
    #[getter]
    fn steps(&self, py: Python<'_>) -> PyResult<u32> {
        Ok(self.hold(py)?.steps())
    }

    /// Simulated users, those who left included.
    #[getter]
    fn users(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.hold(py)?.users())
    }

    /// Items of the catalogue.
    #[getter]
    fn items(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.hold(py)?.data().items.len())
    }

    /// Returns true if the last step is done.
    #[getter]
    fn is_done(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.hold(py)?.is_done())
    }

    /// The hash over all events so far: that of an experiment in which a policy gave the same slates.
    #[getter]
    fn digest(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.hold(py)?.digest().to_string())
    }

    /// Name and value of each metric over the steps so far; `None` where it is undefined.
    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let values = PyDict::new(py);
        for (name, value) in self.hold(py)?.metrics() {
            values.set_item(name, value)?;
        }
        Ok(values)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let environment = self.hold(py)?;
        let (users, step, steps) = (environment.users(), environment.time_step(), environment.steps());
        Ok(format!("Environment({users} users, step {step} of {steps})"))
    }
}

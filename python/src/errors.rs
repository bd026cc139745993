//! Errors as exceptions: one class for each part of the program that refuses something, with the program's own message.

use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use recmirror::dataset::DataError;
use recmirror::environment::EnvironmentError;
use recmirror::experiment::ExperimentError;
use recmirror::scenario::ScenarioError;
use recmirror::simulation::TickError;
use std::fmt::Display;

create_exception!(recmirror, Error, PyException, "What recmirror refuses, with its message.");
create_exception!(recmirror, DataError_, Error, "A data set that cannot be read or understood.");
create_exception!(
    recmirror,
    ScenarioError_,
    Error,
    "Settings or a scenario file that are wrong: all problems at once."
);
create_exception!(recmirror, SlateError, Error, "Slates, scores or actions that break the contract.");
create_exception!(recmirror, PolicyError, Error, "A policy that cannot be built, fails, or breaks the contract.");
create_exception!(recmirror, UserModelError, Error, "A user model that cannot be loaded or fitted, or fails.");

/// Adds the classes to the module.
pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let classes = [
        ("Error", py.get_type::<Error>()),
        ("DataError", py.get_type::<DataError_>()),
        ("ScenarioError", py.get_type::<ScenarioError_>()),
        ("SlateError", py.get_type::<SlateError>()),
        ("PolicyError", py.get_type::<PolicyError>()),
        ("UserModelError", py.get_type::<UserModelError>()),
    ];
    for (name, class) in classes {
        class.setattr("__name__", name)?;
        class.setattr("__qualname__", name)?;
        module.add(name, class)?;
    }
    Ok(())
}

/// An error of no particular part.
pub(crate) fn refusal(problem: impl Display) -> PyErr {
    Error::new_err(problem.to_string())
}

/// What is wrong with slates that Python gave.
pub(crate) fn of_slates(problem: impl Display) -> PyErr {
    SlateError::new_err(problem.to_string())
}

/// What is wrong with a policy.
pub(crate) fn of_policy(problem: impl Display) -> PyErr {
    PolicyError::new_err(problem.to_string())
}

/// What is wrong with a user model.
pub(crate) fn of_users(problem: impl Display) -> PyErr {
    UserModelError::new_err(problem.to_string())
}

/// What is wrong with data.
pub(crate) fn of_data(problem: impl Display) -> PyErr {
    DataError_::new_err(problem.to_string())
}

/// What is wrong with settings.
pub(crate) fn of_settings(problem: impl Display) -> PyErr {
    ScenarioError_::new_err(problem.to_string())
}

/// A scenario that is refused.
pub(crate) fn of_scenario(problem: ScenarioError) -> PyErr {
    of_settings(problem)
}

/// A data set that is refused.
pub(crate) fn of_dataset(problem: DataError) -> PyErr {
    of_data(problem)
}

/// An experiment that is refused, by the part that refuses it.
pub(crate) fn of_experiment(problem: ExperimentError) -> PyErr {
    match &problem {
        ExperimentError::Data(_) | ExperimentError::Cut(_) => of_data(problem),
        ExperimentError::User(_) | ExperimentError::Tick(TickError::User { .. }) => of_users(problem),
        ExperimentError::Field(_)
        | ExperimentError::NoUsers { .. }
        | ExperimentError::SlateTooLong { .. }
        | ExperimentError::Dynamic { .. }
        | ExperimentError::NoDrift { .. }
        | ExperimentError::Metric(_) => of_settings(problem),
        _ if problem.is_of_policy() => of_policy(problem),
        _ => refusal(problem),
    }
}

/// An environment that is refused, by the part that refuses it.
pub(crate) fn of_environment(problem: EnvironmentError) -> PyErr {
    match problem {
        EnvironmentError::Settings(problem) => of_scenario(problem),
        EnvironmentError::Experiment(problem) => of_experiment(problem),
        EnvironmentError::Step(TickError::Policy { .. }) => of_slates(problem),
        EnvironmentError::Step(TickError::User { .. }) => of_users(problem),
        EnvironmentError::NoPolicy { .. } => of_settings(problem),
        other => refusal(other),
    }
}

//! The native half of the Python package `recmirror`: data sets, environments and experiments, as the Rust library has them.

mod data;
mod environment;
mod experiment;
mod observation;
mod policy;
mod slates;
mod users;

use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

create_exception!(recmirror, RecmirrorError, PyException, "What the recmirror program would refuse, with its message.");

/// An error with the library's own message.
fn refusal(problem: impl std::fmt::Display) -> PyErr {
    RecmirrorError::new_err(problem.to_string())
}

/// Runs the command line with these arguments, the name of the program first, and gives its exit code.
#[pyfunction]
fn main(py: Python<'_>, arguments: Vec<String>) -> u8 {
    py.detach(|| recmirror::cli::run_arguments(arguments))
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("RecmirrorError", module.py().get_type::<RecmirrorError>())?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<data::Dataset>()?;
    module.add_class::<environment::Environment>()?;
    module.add_class::<environment::Outcome>()?;
    module.add_class::<observation::Observation>()?;
    module.add_class::<policy::BuiltinPolicy>()?;
    module.add_class::<users::Scenes>()?;
    module.add_function(wrap_pyfunction!(experiment::run, module)?)?;
    module.add_function(wrap_pyfunction!(main, module)?)?;
    Ok(())
}

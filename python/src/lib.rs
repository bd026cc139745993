//! The native half of the Python package `recmirror`: data sets, environments and experiments, as the Rust library has them.

mod arrow;
mod asking;
mod building;
mod data;
mod environment;
mod errors;
mod experiment;
mod fit;
mod interrupt;
mod lock;
mod names;
mod observation;
mod outcome;
mod policy;
mod result;
mod slates;
mod table;
mod threads;
mod training;
mod users;

use pyo3::prelude::*;

/// Runs the command line with these arguments, the name of the program first, and gives its exit code.
#[pyfunction]
fn main(py: Python<'_>, arguments: Vec<String>) -> u8 {
    py.detach(|| recmirror::cli::run_arguments(arguments))
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    errors::add(module)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<data::Dataset>()?;
    module.add_class::<environment::Environment>()?;
    module.add_class::<experiment::Experiment>()?;
    module.add_class::<outcome::Outcome>()?;
    module.add_class::<observation::Observation>()?;
    module.add_class::<policy::BuiltinPolicy>()?;
    module.add_class::<result::Result>()?;
    module.add_class::<table::Table>()?;
    module.add_class::<training::Log>()?;
    module.add_class::<users::Scenes>()?;
    module.add_function(wrap_pyfunction!(experiment::part_files, module)?)?;
    module.add_function(wrap_pyfunction!(fit::fit, module)?)?;
    module.add_function(wrap_pyfunction!(threads::use_threads, module)?)?;
    module.add_function(wrap_pyfunction!(main, module)?)?;
    Ok(())
}

//! Calls into user models and policies of Python from the program's own threads.

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The present calls, by their numbers.
static CALLS: Mutex<Calls> = Mutex::new(Calls { process: 0, last: 0, threads: BTreeMap::new() });

struct Calls {
    /// The process whose threads these are.
    process: u32,
    last: u64,
    threads: BTreeMap<u64, Thread>,
}

struct Thread {
    /// The number by which Python knows it.
    ident: u64,
    is_interrupted: bool,
}

thread_local! {
    /// How many calls this thread is inside of.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// The calls of this process: a forked process has none of its parent's threads.
fn calls() -> MutexGuard<'static, Calls> {
    let mut calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if calls.process != process {
        calls.process = process;
        calls.threads.clear();
    }
    calls
}

/// A call for as long as it lasts, a panic included.
struct Call(u64);

impl Call {
    fn begin(ident: u64) -> Call {
        DEPTH.set(DEPTH.get() + 1);
        let mut calls = calls();
        calls.last += 1;
        let number = calls.last;
        calls.threads.insert(number, Thread { ident, is_interrupted: false });
        Call(number)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        calls().threads.remove(&self.0);
    }
}

fn thread_of(py: Python<'_>) -> PyResult<u64> {
    py.import("threading")?.call_method0("get_ident")?.extract()
}

/// Calls a user model or a policy of Python.
pub(crate) fn ask<T>(work: impl for<'py> FnOnce(Python<'py>) -> T) -> T {
    Python::attach(|py| {
        let _call = Call::begin(thread_of(py).unwrap_or_default());
        work(py)
    })
}

/// Returns true if a user model or a policy of Python called this function.
pub(crate) fn is_asked() -> bool {
    DEPTH.get() > 0
}

/// Returns true if a user model or a policy of Python is being called, on whatever thread.
pub(crate) fn is_asking() -> bool {
    !calls().threads.is_empty()
}

/// Raises `KeyboardInterrupt` inside the present calls, in each once unless `again`. It comes when Python code runs
/// again, and so not in the middle of a long call of another library.
pub(crate) fn interrupt(py: Python<'_>, again: bool) -> PyResult<()> {
    let mut idents = Vec::new();
    for thread in calls().threads.values_mut().filter(|thread| again || !thread.is_interrupted) {
        thread.is_interrupted = true;
        idents.push(thread.ident);
    }
    if idents.is_empty() {
        return Ok(());
    }
    let ctypes = py.import("ctypes")?;
    let raise = ctypes.getattr("pythonapi")?.getattr("PyThreadState_SetAsyncExc")?;
    for ident in idents {
        let ident = ctypes.call_method1("c_ulong", (ident,))?;
        let exception = ctypes.call_method1("py_object", (py.get_type::<PyKeyboardInterrupt>(),))?;
        raise.call1((ident, exception))?;
    }
    Ok(())
}

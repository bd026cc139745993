//! Worker threads that belong to this process: a process that was forked has none of its parent's, and gets its own.

use crate::errors::refusal;
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::{Arc, Mutex, PoisonError};

/// The pool of a process.
struct Owned {
    process: u32,
    pool: Arc<ThreadPool>,
}

static POOL: Mutex<Option<Owned>> = Mutex::new(None);

/// The pool of this process; made again for `threads`, and where the present one is the parent's.
fn pool(threads: Option<usize>) -> Result<Arc<ThreadPool>, String> {
    let mut held = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if let Some(owned) = held.as_ref().filter(|owned| owned.process == process && threads.is_none()) {
        return Ok(owned.pool.clone());
    }
    // Without a number rayon takes one thread for each core.
    let made = ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0)).build();
    let pool = Arc::new(made.map_err(|problem| format!("cannot start worker threads: {problem}"))?);
    let before = held.replace(Owned { process, pool: pool.clone() });
    if let Some(owned) = before.filter(|owned| owned.process != process) {
        // Its threads are not here: nothing would ever end them.
        std::mem::forget(owned);
    }
    Ok(pool)
}

/// Does `work` on the threads of this process.
pub(crate) fn on_threads<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    if rayon::current_thread_index().is_some() {
        return work();
    }
    match pool(None) {
        Ok(pool) => pool.install(work),
        // Where no thread can be started, rayon's own pool says so.
        Err(_) => work(),
    }
}

/// Does `work` on the threads of this process, with the interpreter free.
pub(crate) fn free<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    py.detach(|| on_threads(work))
}

/// Sets the number of worker threads; no result depends on it.
#[pyfunction]
pub fn use_threads(threads: usize) -> PyResult<()> {
    if !(1..=1024).contains(&threads) {
        return Err(refusal(format!("threads is {threads}, expected 1 to 1024")));
    }
    pool(Some(threads)).map(|_| ()).map_err(refusal)
}

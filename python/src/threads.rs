//! Worker threads that belong to this process: a process that was forked has none of its parent's, and gets its own.

use crate::asking::is_asking;
use crate::errors::refusal;
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The pool of a process.
struct Owned {
    process: u32,
    pool: Arc<ThreadPool>,
}

/// Jobs that threads of Python have given to the pool and wait for: the process id above, their number in the lower half.
/// A forked process begins without any, because the threads that wait are its parent's.
static JOBS: AtomicU64 = AtomicU64::new(0);

/// Counts a job for as long as it lasts, a panic included.
struct Job;

/// The state of [`JOBS`] after `change` of this process's number.
fn jobs(state: u64, change: impl Fn(u32) -> u32) -> u64 {
    let process = u64::from(std::process::id());
    let number = if state >> 32 == process { state as u32 } else { 0 };
    process << 32 | u64::from(change(number))
}

fn count(change: impl Fn(u32) -> u32) {
    let mut state = JOBS.load(Ordering::SeqCst);
    while let Err(newer) = JOBS.compare_exchange_weak(state, jobs(state, &change), Ordering::SeqCst, Ordering::SeqCst) {
        state = newer;
    }
}

impl Job {
    fn begin() -> Job {
        count(|number| number + 1);
        Job
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        count(|number| number.saturating_sub(1));
    }
}

/// Returns true if threads of Python wait for no more than one job.
pub(crate) fn is_alone() -> bool {
    jobs(JOBS.load(Ordering::SeqCst), |number| number) as u32 <= 1
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
    let _job = Job::begin();
    let Ok(pool) = pool(None) else {
        // Where no thread can be started, rayon's own pool says so.
        return work();
    };
    if is_asking() {
        // A user model or a policy of Python holds one of the threads, and may be waiting for this work.
        if let Ok(other) = ThreadPoolBuilder::new().num_threads(pool.current_num_threads()).build() {
            return other.install(work);
        }
    }
    pool.install(work)
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

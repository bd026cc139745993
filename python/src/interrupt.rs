//! Long work with the interpreter free: Ctrl-C is looked for many times a second and stops it.

use crate::asking::interrupt;
use crate::errors::refusal;
use crate::threads::{free, is_alone, on_threads};
use pyo3::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often Ctrl-C is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// Finished work, and the exception of a signal that came meanwhile.
pub(crate) struct Finished<T> {
    pub(crate) value: T,
    pub(crate) pressed: PyResult<()>,
}

/// Does `work`, which looks at the flag it is given and ends soon after it is set. Ctrl-C discards its value.
pub(crate) fn interruptible<T: Send>(py: Python<'_>, work: impl FnOnce(&AtomicBool) -> T + Send) -> PyResult<T> {
    let Finished { value, pressed } = finish(py, work)?;
    pressed?;
    Ok(value)
}

/// Does `work` as [`interruptible`], and keeps its value, for work that changes something that outlives the call.
pub(crate) fn finish<T: Send>(py: Python<'_>, work: impl FnOnce(&AtomicBool) -> T + Send) -> PyResult<Finished<T>> {
    let stop = AtomicBool::new(false);
    if rayon::current_thread_index().is_some() {
        // A user model or a policy of Python calls. Its thread does the work: another one may never be free.
        return Ok(Finished { value: py.detach(|| work(&stop)), pressed: Ok(()) });
    }
    let is_done = AtomicBool::new(false);
    let waiting = std::thread::current();
    let (done, pressed) = py.detach(|| {
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let done = on_threads(|| work(&stop));
                is_done.store(true, Ordering::Release);
                waiting.unpark();
                done
            });
            let mut pressed = Ok(());
            // A panic leaves the flag as it was.
            while !is_done.load(Ordering::Acquire) && !worker.is_finished() {
                std::thread::park_timeout(LOOK);
                Python::attach(|py| {
                    let signal = py.check_signals();
                    let again = signal.is_err();
                    if again {
                        stop.store(true, Ordering::Relaxed);
                        pressed = signal;
                    }
                    // Other work that asks Python continues: whose call is whose is not known.
                    if pressed.is_err() && is_alone() {
                        let _ = interrupt(py, again);
                    }
                });
            }
            (worker.join(), pressed)
        })
    });
    let value = done.map_err(|_| refusal("the work panicked, which is a defect of recmirror"))?;
    Ok(Finished { value, pressed })
}

/// Does `work` with the interpreter free; where it asks Python, Ctrl-C ends what it asks.
pub(crate) fn patiently<T: Send>(
    py: Python<'_>,
    asks_python: bool,
    work: impl FnOnce() -> T + Send,
) -> PyResult<Finished<T>> {
    if asks_python { finish(py, |_| work()) } else { Ok(Finished { value: free(py, work), pressed: Ok(()) }) }
}

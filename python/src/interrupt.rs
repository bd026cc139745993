//! Long work with the interpreter free: Ctrl-C is looked for many times a second and stops it.

use crate::asking::interrupt;
use crate::errors::refusal;
use crate::threads::{is_alone, on_threads};
use pyo3::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often Ctrl-C is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// Does `work`, which looks at the flag it is given and ends soon after it is set.
pub(crate) fn interruptible<T: Send>(py: Python<'_>, work: impl FnOnce(&AtomicBool) -> T + Send) -> PyResult<T> {
    let stop = AtomicBool::new(false);
    if rayon::current_thread_index().is_some() {
        // A user model or a policy of Python calls. Its thread does the work: another one may never be free.
        return Ok(py.detach(|| work(&stop)));
    }
    let is_done = AtomicBool::new(false);
    let waiting = std::thread::current();
    let (done, signal) = py.detach(|| {
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let done = on_threads(|| work(&stop));
                is_done.store(true, Ordering::Release);
                waiting.unpark();
                done
            });
            let mut signal = Ok(());
            // A panic leaves the flag as it was.
            while !is_done.load(Ordering::Acquire) && !worker.is_finished() {
                std::thread::park_timeout(LOOK);
                Python::attach(|py| {
                    let pressed = py.check_signals();
                    let again = pressed.is_err();
                    if again {
                        stop.store(true, Ordering::Relaxed);
                        signal = pressed;
                    }
                    // Other work that asks Python continues: whose call is whose is not known.
                    if signal.is_err() && is_alone() {
                        let _ = interrupt(py, again);
                    }
                });
            }
            (worker.join(), signal)
        })
    });
    signal?;
    done.map_err(|_| refusal("the work panicked, which is a defect of recmirror"))
}

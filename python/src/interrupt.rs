//! Long work with the interpreter free: Ctrl-C is looked for many times a second and stops it.

use crate::errors::refusal;
use crate::threads::on_threads;
use pyo3::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often Ctrl-C is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// Does `work`, which looks at the flag it is given and ends soon after it is set.
pub(crate) fn interruptible<T: Send>(py: Python<'_>, work: impl FnOnce(&AtomicBool) -> T + Send) -> PyResult<T> {
    let stop = AtomicBool::new(false);
    let (done, signal) = py.detach(|| {
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| on_threads(|| work(&stop)));
            let mut signal = Ok(());
            while !worker.is_finished() {
                std::thread::park_timeout(LOOK);
                if signal.is_ok() {
                    signal = Python::attach(|py| py.check_signals());
                    stop.store(signal.is_err(), Ordering::Relaxed);
                }
            }
            (worker.join(), signal)
        })
    });
    signal?;
    done.map_err(|_| refusal("the work panicked, which is a defect of recmirror"))
}

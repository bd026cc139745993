//! Locks around what Python may use from several threads.
//!
//! Nothing waits for a lock with the interpreter held: the holder may need the interpreter to continue. A call from inside a user
//! model or a policy never waits either, because the holder may be the very call that asks that model or policy. A
//! thread that the model starts is no such call: if the model waits for it, both wait for ever.

use crate::asking::is_asked;
use crate::errors::refusal;
use pyo3::prelude::*;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::Duration;

/// The longest pause between two looks at a lock that another thread holds.
const LONGEST_PAUSE: Duration = Duration::from_millis(5);

static THREADS: AtomicU64 = AtomicU64::new(1);

thread_local! {
    /// A number of this thread's own, above 0.
    static THREAD: u64 = THREADS.fetch_add(1, Ordering::Relaxed);
}

/// A value that one call at a time uses.
pub(crate) struct Lock<T> {
    value: Mutex<T>,
    /// The thread that holds the value, 0 for none.
    holder: AtomicU64,
    name: &'static str,
}

/// The value of a [`Lock`], for as long as this is kept.
pub(crate) struct Held<'a, T> {
    value: MutexGuard<'a, T>,
    holder: &'a AtomicU64,
}

impl<T> Lock<T> {
    /// `name` is what messages call the value.
    pub(crate) fn new(name: &'static str, value: T) -> Lock<T> {
        Lock { value: Mutex::new(value), holder: AtomicU64::new(0), name }
    }

    /// Waits, with the interpreter free, until no other thread holds the value. Ctrl-C ends the wait.
    ///
    /// # Errors
    /// When the call comes from inside a call that holds the value, or may do so.
    pub(crate) fn hold(&self, py: Python<'_>) -> PyResult<Held<'_, T>> {
        let mut pause = Duration::from_micros(50);
        let me = THREAD.with(|&number| number);
        loop {
            let value = match self.value.try_lock() {
                Ok(value) => Some(value),
                Err(TryLockError::Poisoned(value)) => Some(value.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            };
            if let Some(value) = value {
                self.holder.store(me, Ordering::Relaxed);
                return Ok(Held { value, holder: &self.holder });
            }
            if is_asked() || self.holder.load(Ordering::Relaxed) == me {
                return Err(refusal(format!(
                    "the {0} is in the middle of another call; a user model or a policy cannot use the {0} that asks it, nor one \
                     that another thread uses: give it a {0} of its own",
                    self.name
                )));
            }
            py.detach(|| std::thread::sleep(pause));
            py.check_signals()?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T> Drop for Held<'_, T> {
    fn drop(&mut self) {
        self.holder.store(0, Ordering::Relaxed);
    }
}

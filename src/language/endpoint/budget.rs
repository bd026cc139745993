//! The token budget of requests.

use std::sync::{Condvar, Mutex, MutexGuard};

/// Bytes of a token without a tokenizer: the common estimate for English text.
const BYTES_A_TOKEN: u64 = 4;

/// Tokens of `bytes` bytes of text, rounded up.
pub fn estimate_tokens(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(BYTES_A_TOKEN)
}

#[derive(Default)]
struct State {
    used: u64,
    reserved: u64,
}

/// Counts tokens and blocks requests that could exceed the limit.
pub(super) struct Budget {
    limit: Option<u64>,
    state: Mutex<State>,
    settled: Condvar,
}

impl Budget {
    pub(super) fn new(limit: Option<u64>) -> Budget {
        Budget { limit, state: Mutex::default(), settled: Condvar::new() }
    }

    /// Reserves `tokens` for a request. If concurrent requests hold what it needs, it waits for them.
    ///
    /// # Errors
    /// The limit and the tokens used, if the request does not fit and no other is active.
    pub(super) fn reserve(&self, tokens: u64) -> Result<(), (u64, u64)> {
        let mut state = self.state();
        if let Some(limit) = self.limit {
            while state.used + state.reserved + tokens > limit {
                if state.reserved == 0 {
                    return Err((limit, state.used));
                }
                state = self.settled.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner());
            }
        }
        state.reserved += tokens;
        Ok(())
    }

    /// Returns the reservation and counts the tokens used.
    pub(super) fn settle(&self, reserved: u64, used: u64) {
        let mut state = self.state();
        state.reserved -= reserved.min(state.reserved);
        state.used += used;
        self.settled.notify_all();
    }

    /// Tokens used so far.
    pub(super) fn used(&self) -> u64 {
        self.state().used
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_could_exceed_the_limit_does_not_start() {
        let budget = Budget::new(Some(100));
        assert_eq!(budget.reserve(60), Ok(()));
        budget.settle(60, 50);
        assert_eq!(budget.reserve(51), Err((100, 50)));
        assert_eq!(budget.reserve(50), Ok(()));
        assert_eq!(Budget::new(None).reserve(u64::MAX / 2), Ok(()));
    }

    #[test]
    fn a_request_waits_for_the_reservations_of_others() {
        let budget = Budget::new(Some(100));
        budget.reserve(90).expect("room");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| budget.reserve(80));
            budget.settle(90, 10);
            assert_eq!(waiting.join().expect("no panic"), Ok(()));
        });
        assert_eq!((budget.used(), estimate_tokens(9)), (10, 3));
    }
}

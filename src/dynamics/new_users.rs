//! `new_users`: part of the users join during the run, unknown to everybody.
//!
//! Each user joins late with probability `share`, at a tick drawn uniformly from 1 to below `until`, and does not come
//! before. Policies have no data of such a user: the rows of the log are removed, and the history starts empty. The
//! taste is that of the mirrored user. This is the cold-start problem of users: Schein, Popescul, Ungar and Pennock
//! (2002), "Methods and metrics for cold-start recommendations".

use super::{BuildDynamic, Dynamic, DynamicContext, DynamicError};
use crate::ids::UserId;
use crate::params::parameters;
use crate::random::{Purpose, Streams, below, unit};

parameters! {
    /// part of the users join during the run, without a known past (Schein et al. 2002)
    pub(super) struct NewUsersSpec = "new_users" {
        /// probability that a user joins during the run; 0 = all users are present from the start
        #[range(0.0..=1.0)]
        share: f64,
        /// tick before which all users have joined, evenly spread; 0 = the horizon
        #[range(0..=100_000)]
        until: u32 = 0,
    }
}

impl BuildDynamic for NewUsersSpec {
    fn build(self, context: &DynamicContext) -> Result<Box<dyn Dynamic>, DynamicError> {
        let until = if self.until > 0 { self.until } else { context.ticks };
        Ok(Box::new(NewUsers { share: self.share, until, streams: context.streams }))
    }
}

struct NewUsers {
    share: f64,
    until: u32,
    streams: Streams,
}

impl Dynamic for NewUsers {
    fn joins(&self, user: UserId) -> u32 {
        let mut rng = self.streams.derive(Purpose::Joining, u64::from(user.0), 0);
        if unit(&mut rng) < self.share { 1 + below(&mut rng, self.until.saturating_sub(1).max(1)) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_joins_evenly_spread() {
        let joining = NewUsers { share: 0.25, until: 11, streams: Streams::new(3, 0) };
        let ticks: Vec<u32> = (0..10_000).map(|user| joining.joins(UserId(user))).filter(|&tick| tick > 0).collect();
        // Standard deviations 43 and 15.
        assert!((ticks.len() as i64 - 2_500).abs() < 217, "{}", ticks.len());
        for tick in 1..=10 {
            let count = ticks.iter().filter(|&&found| found == tick).count() as i64;
            assert!((count - 250).abs() < 77, "{count} at {tick}");
        }
        assert!(ticks.iter().all(|&tick| tick < 11));
    }
}

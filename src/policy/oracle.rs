//! `oracle`: the items most likely to be accepted.
//!
//! No recommender can do this. It is the upper reference for other policies, and the zero of regret: the only policy
//! with [`OracleAccess`](super::OracleAccess). The score is the probability that the user accepts the item when it is
//! shown alone. For user models that score each slot independently, as both that ship do, the slate of the best items,
//! best first, has the largest probability of any acceptance at this tick; effects of an acceptance on later ticks are
//! ignored.

use super::{BuildPolicy, Policy, PolicyContext, PolicyError, Requests, Slates, rank_candidates};
use crate::ids::ItemId;
use crate::params::parameters;
use std::sync::Mutex;

parameters! {
    /// the items that the user model is most likely to accept: an upper reference, no recommender
    pub(super) struct OracleSpec = "oracle" {}
}

impl BuildPolicy for OracleSpec {
    fn build(self, context: &PolicyContext) -> Result<Box<dyn Policy>, PolicyError> {
        Ok(Box::new(Oracle { items: (0..context.log.items as u32).map(ItemId).collect() }))
    }
}

struct Oracle {
    /// All items.
    items: Vec<ItemId>,
}

impl Policy for Oracle {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError> {
        let Some(oracle_access) = requests.oracle_access else {
            return Err(PolicyError::new("the oracle works inside a simulation only"));
        };
        // The failure of the smallest row, so that the message does not depend on threads.
        let failure: Mutex<Option<(usize, String)>> = Mutex::new(None);
        slates.fill_with(requests, Vec::new, |scores, request, slate| {
            match oracle_access.acceptance(request.row, &self.items, scores) {
                Ok(()) => rank_candidates(&request, scores, slate),
                Err(problem) => {
                    let mut failure = failure.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                    if failure.as_ref().is_none_or(|held| request.row < held.0) {
                        *failure = Some((request.row, problem));
                    }
                }
            }
        });
        if let Some((row, problem)) = failure.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
            return Err(PolicyError::of_user(requests.users[row], problem));
        }
        slates.mark_certain();
        Ok(())
    }

    fn needs_oracle_access(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{World, build};

    #[test]
    fn shows_what_is_most_likely() {
        // The test world accepts even items with an even user: share by item number.
        let world = World::new(4, 20).slate(3);
        let (users, blocked) = world.everyone();
        let mut oracle = build("oracle", &world.context());
        let slates = world.recommend(oracle.as_mut(), 0, &users, &blocked);
        for (row, (user, items)) in users.iter().zip(slates.items.chunks(3)).enumerate() {
            let allowed = |item: &u32| blocked[row][0] >> item & 1 == 0 && item % 2 == user.0 % 2;
            let wanted: Vec<u32> = (0..20).rev().filter(allowed).take(3).collect();
            assert_eq!(items.iter().map(|item| item.0).collect::<Vec<_>>(), wanted);
        }
    }

    #[test]
    fn alone_it_says_so() {
        let world = World::new(2, 10);
        let mut oracle = build("oracle", &world.context());
        let users = world.users();
        let requests = Requests {
            tick: 0,
            slate: 5,
            items: 10,
            users: &users,
            blocked: crate::policy::Blocked::NOTHING,
            streams: world.context().streams,
            oracle_access: None,
        };
        let problem = oracle.slates(&requests).expect_err("no slates").to_string();
        assert!(problem.contains("inside a simulation only"), "{problem}");
    }
}

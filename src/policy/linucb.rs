//! `linucb`: a linear contextual bandit.
//!
//! Upper confidence bounds, Li, Chu, Langford and Schapire (2010).
//!
//! The paper's hybrid model without the separate part of each item: one ridge regression ([`super::ridge`]) for all
//! users and items. The score is `theta' x + alpha sqrt(x' A^-1 x)`. It learns online, after each tick.

use super::attributes::TRAITS;
use super::ridge::{FACTORS, REGULARISATION, Ridge, UpperBound};
use super::{BuildPolicy, Policy, PolicyContext, PolicyError, Requests, Slates, rank_candidates};
use crate::log::EventBatch;
use crate::params::parameters;

parameters! {
    /// contextual linear bandit with upper confidence bounds (Li et al. 2010)
    pub(super) struct LinucbSpec = "linucb" {
        /// standard deviations added to the expected reward for exploration
        #[range(0.0..=1e3)]
        alpha: f64 = 0.3,
        #[key(TRAITS)]
        field: String,
        #[key(REGULARISATION)]
        regularisation: f64,
        #[key(FACTORS)]
        factors: usize,
    }
}

impl BuildPolicy for LinucbSpec {
    fn build(self, context: &PolicyContext) -> Result<Box<dyn Policy>, PolicyError> {
        Ok(Box::new(LinUcb {
            alpha: self.alpha as f32,
            ridge: Ridge::new(&self.field, self.regularisation, self.factors, context)?,
        }))
    }
}

struct LinUcb {
    alpha: f32,
    ridge: Ridge,
}

impl Policy for LinUcb {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError> {
        self.ridge.refresh(requests.users);
        let (ridge, alpha) = (&self.ridge, self.alpha);
        slates.fill_with(requests, Vec::new, |scores, request, slate| {
            ridge.score(request.user, request.items, scores, UpperBound { model: ridge.model(), alpha });
            rank_candidates(&request, scores, slate);
        });
        slates.mark_certain();
        Ok(())
    }

    fn observe(&mut self, events: &EventBatch) -> Result<(), PolicyError> {
        self.ridge.observe(events);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::testing::World;

    #[test]
    fn learns_the_planted_clusters() {
        let world = World::new(60, 160);
        assert!(world.share_in_cluster("linucb", 12) > 0.8);
    }
}

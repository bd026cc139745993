//! `linucb`: a linear contextual bandit.
//!
//! Upper confidence bounds, Li, Chu, Langford and Schapire (2010).
//!
//! The paper's hybrid model without the separate part of each item: one ridge regression ([`super::ridge`]) for all
//! users and items. The score is `theta' x + alpha sqrt(x' A^-1 x)`. It learns online, after each tick.

use super::attributes::traits_key;
use super::linear_bandit::{Exploration, LinearBandit};
use super::ridge::{Ridge, UpperBound, factors_key, regularisation_key};
use super::{BuildPolicy, Policy, PolicyContext, PolicyError, Request};
use crate::params::parameters;

parameters! {
    /// contextual linear bandit with upper confidence bounds (Li et al. 2010)
    pub struct LinucbParameters = "linucb" {
        /// standard deviations added to the expected reward for exploration
        #[range(0.0..=1e3)]
        alpha: f64 = 0.3,
        #[key(traits_key)]
        field: String,
        #[key(regularisation_key)]
        regularisation: f64,
        #[key(factors_key)]
        factors: usize,
    }
}

impl BuildPolicy for LinucbParameters {
    fn build(self, context: &PolicyContext) -> Result<Box<dyn Policy>, PolicyError> {
        let ridge = Ridge::new(&self.field, self.regularisation, self.factors, context)?;
        Ok(Box::new(LinearBandit { ridge, exploration: Upper { alpha: self.alpha as f32 } }))
    }
}

/// Upper confidence bounds.
struct Upper {
    alpha: f32,
}

impl Exploration for Upper {
    const CERTAIN: bool = true;

    fn score(&self, ridge: &Ridge, request: &Request<'_>, scores: &mut Vec<f32>) {
        let bound = UpperBound { model: ridge.model(), alpha: self.alpha };
        ridge.score(request.user, request.items, scores, bound);
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

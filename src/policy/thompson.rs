//! `thompson`: a linear contextual bandit.
//!
//! Posterior sampling (Agrawal and Goyal 2013, "Thompson Sampling for
//! Contextual Bandits with Linear Payoffs").
//!
//! The regression of `linucb` ([`super::ridge`]) serves as a posterior: for each request coefficients are drawn from
//! `N(theta, scale^2 A^-1)`, and the score is their product with the features. It learns online, after each tick. The
//! probability of a slate has no closed form, so propensities are unknown.

use super::attributes::traits_key;
use super::linear_bandit::{Exploration, LinearBandit};
use super::ridge::{Linear, Ridge, factors_key, regularisation_key};
use super::{BuildPolicy, Policy, PolicyContext, PolicyError, Request};
use crate::params::parameters;
use crate::random::unit;
use rand_chacha::rand_core::Rng;

parameters! {
    /// contextual linear bandit with posterior sampling (Agrawal and Goyal 2013)
    pub struct ThompsonParameters = "thompson" {
        /// standard deviations of the drawn coefficients around the expected ones; 0 = no exploration
        #[range(0.0..=1e3)]
        scale: f64 = 0.3,
        #[key(traits_key)]
        field: String,
        #[key(regularisation_key)]
        regularisation: f64,
        #[key(factors_key)]
        factors: usize,
    }
}

impl BuildPolicy for ThompsonParameters {
    fn build(self, context: &PolicyContext) -> Result<Box<dyn Policy>, PolicyError> {
        let ridge = Ridge::new(&self.field, self.regularisation, self.factors, context)?;
        Ok(Box::new(LinearBandit { ridge, exploration: Sampled { scale: self.scale as f32 } }))
    }
}

/// Coefficients drawn from the posterior.
struct Sampled {
    scale: f32,
}

impl Exploration for Sampled {
    const CERTAIN: bool = false;

    fn score(&self, ridge: &Ridge, request: &Request<'_>, scores: &mut Vec<f32>) {
        let z = normals(&mut request.rng(), ridge.model().len());
        let theta = ridge.model().shifted(&z, self.scale);
        ridge.score(request.user, request.items, scores, Linear(&theta));
    }
}

/// Standard normal numbers (Box and Muller 1958).
fn normals<R: Rng>(rng: &mut R, count: usize) -> Vec<f32> {
    let mut normals = Vec::with_capacity(count + 1);
    while normals.len() < count {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - unit(rng)));
        let (sine, cosine) = libm::sincos(std::f64::consts::TAU * unit(rng));
        normals.extend([(radius * cosine) as f32, (radius * sine) as f32]);
    }
    normals.truncate(count);
    normals
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{World, build_with};
    use crate::random::{Purpose, Streams};

    #[test]
    fn normals_have_mean_0_and_variance_1() {
        let mut rng = Streams::new(8, 0).derive(Purpose::Policy, 0, 0);
        let drawn = normals(&mut rng, 40_001);
        let mean = drawn.iter().map(|&z| f64::from(z)).sum::<f64>() / 40_001.0;
        let variance = drawn.iter().map(|&z| f64::from(z * z)).sum::<f64>() / 40_001.0;
        // Five standard errors: 1 / 200 and sqrt(2) / 200.
        assert!(mean.abs() < 0.025 && (variance - 1.0).abs() < 0.036, "{mean} {variance}");
    }

    #[test]
    fn without_scale_it_is_linucb_without_alpha() {
        let world = World::new(20, 60);
        let (users, blocked) = world.everyone();
        let zero = |key: &str| toml::Table::from_iter([(key.to_owned(), 0.0.into())]);
        let mut thompson = build_with("thompson", zero("scale"), &world.context());
        let mut linucb = build_with("linucb", zero("alpha"), &world.context());
        for tick in 0..3 {
            let slates = world.recommend(thompson.as_mut(), tick, &users, &blocked);
            assert_eq!(slates.items, world.recommend(linucb.as_mut(), tick, &users, &blocked).items);
            let events = world.respond(tick, &users, &slates, |user, item| (user.0 + item.0) % 3 == 0);
            [&mut thompson, &mut linucb]
                .into_iter()
                .for_each(|policy| policy.observe(&events).expect("a policy that learns"));
        }
    }

    #[test]
    fn learns_the_planted_clusters() {
        let world = World::new(60, 160);
        assert!(world.share_in_cluster("thompson", 12) > 0.8);
    }
}

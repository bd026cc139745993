//! `thompson`: a linear contextual bandit.
//!
//! Posterior sampling (Agrawal and Goyal 2013, "Thompson Sampling for
//! Contextual Bandits with Linear Payoffs").
//!
//! The regression of `linucb` ([`super::ridge`]) serves as a posterior: for each request coefficients are drawn from
//! `N(theta, scale^2 A^-1)`, and the score is their product with the features. It learns online, after each tick. The
//! probability of a slate has no closed form, so propensities are unknown.

use super::attributes::TRAITS;
use super::ridge::{FACTORS, Linear, REGULARISATION, Ridge};
use super::{BuildPolicy, Policy, PolicyContext, PolicyError, Requests, Slates, rank_candidates};
use crate::log::EventBatch;
use crate::params::parameters;
use crate::random::unit;
use rand_chacha::rand_core::Rng;

parameters! {
    /// contextual linear bandit with posterior sampling (Agrawal and Goyal 2013)
    pub(super) struct ThompsonSpec = "thompson" {
        /// standard deviations of the drawn coefficients around the expected ones; 0 = no exploration
        #[range(0.0..=1e3)]
        scale: f64 = 0.3,
        #[key(TRAITS)]
        field: String,
        #[key(REGULARISATION)]
        regularisation: f64,
        #[key(FACTORS)]
        factors: usize,
    }
}

impl BuildPolicy for ThompsonSpec {
    fn build(self, context: &PolicyContext) -> Result<Box<dyn Policy>, PolicyError> {
        Ok(Box::new(Thompson {
            scale: self.scale as f32,
            ridge: Ridge::new(&self.field, self.regularisation, self.factors, context)?,
        }))
    }
}

struct Thompson {
    scale: f32,
    ridge: Ridge,
}

impl Policy for Thompson {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError> {
        self.ridge.refresh(requests.users);
        let (ridge, scale) = (&self.ridge, self.scale);
        slates.fill_with(requests, Vec::new, |scores, request, slate| {
            let z = normals(&mut request.rng(), ridge.model().len());
            let theta = ridge.model().shifted(&z, scale);
            ridge.score(request.user, request.items, scores, Linear(&theta));
            rank_candidates(&request, scores, slate);
        });
        Ok(())
    }

    fn observe(&mut self, events: &EventBatch) -> Result<(), PolicyError> {
        self.ridge.observe(events);
        Ok(())
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

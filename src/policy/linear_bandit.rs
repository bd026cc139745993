//! Contextual linear bandits: what `linucb` and `thompson` share.
//!
//! Both rank by a ridge regression ([`super::ridge`]) that learns online, after each tick; they differ in how they explore.

use super::ridge::Ridge;
use super::{Policy, PolicyError, Request, Requests, Slates, rank_candidates};
use crate::log::EventBatch;

/// How a bandit turns its regression into scores.
pub(super) trait Exploration: Send + Sync {
    /// True if it draws nothing, so that every slate is certain.
    const CERTAIN: bool;

    /// Writes the scores of all items for one request.
    fn score(&self, ridge: &Ridge, request: &Request<'_>, scores: &mut Vec<f32>);
}

/// A bandit that ranks by the scores of an exploration.
pub(super) struct LinearBandit<E> {
    pub ridge: Ridge,
    pub exploration: E,
}

impl<E: Exploration> Policy for LinearBandit<E> {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError> {
        self.ridge.refresh(requests.users);
        let (ridge, exploration) = (&self.ridge, &self.exploration);
        slates.fill_with(requests, Vec::new, |scores, request, slate| {
            exploration.score(ridge, &request, scores);
            rank_candidates(&request, scores, slate);
        });
        if E::CERTAIN {
            slates.mark_certain();
        }
        Ok(())
    }

    fn observe(&mut self, events: &EventBatch) -> Result<(), PolicyError> {
        self.ridge.observe(events);
        Ok(())
    }
}

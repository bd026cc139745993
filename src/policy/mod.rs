//! Recommender policies: slates for the users who arrived, learning from their responses.
//!
//! A policy has the information of a real recommender: the catalogue, the log before the start, and the responses of
//! its own users. It never sees the user model. One policy is one file plus one line in [`all`].
//!
//! ```
//! use recmirror::policy::{Policy, PolicyError, Requests, Slates};
//!
//! /// Shows every user the candidates with the smallest ids.
//! struct First;
//!
//! impl Policy for First {
//!     fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError> {
//!         slates.fill(requests, |request, slot| {
//!             for item in request.candidates().take(request.slate) {
//!                 slot.push(item, 0.0);
//!             }
//!         });
//!         Ok(())
//!     }
//! }
//! ```
//!
//! The doc of every kind that learns says when: `retrain_every` ticks on the log and all responses of its own users so
//! far (0 = on the log alone), or online after each tick. It fits to the log before the start in
//! [`PolicyContext::fit`], so that trials with the same log share the fit. A user without history gets the method's
//! result for an empty history. Draws come from [`Request::rng`]; a policy that knows the probability of a drawn item
//! reports it ([`SlateRow::push_drawn`], [`Slates::mark_certain`]) for off-policy evaluation, and [`Policy::chances`]
//! reports the probability of slates that it did not draw.

mod attributes;
mod best;
mod biased_mf;
mod blocked;
mod bpr;
mod calibrated;
#[cfg(test)]
mod contract;
mod ease;
mod epsilon_greedy;
mod error;
mod explored;
mod external;
mod factors;
mod features;
mod feedback;
mod fits;
mod histories;
mod ials;
mod inner;
mod item_knn;
mod item_mean;
mod item_table;
mod kind;
mod levels;
mod linucb;
mod markov;
mod mix;
mod mmr;
mod onnx;
mod oracle;
mod popular;
mod random;
#[cfg(test)]
#[path = "../../tests/fixtures/recipes/newest.rs"]
mod recipe;
mod request;
mod ridge;
mod slates;
#[cfg(test)]
mod testing;
mod thompson;
mod ucb;
mod user_knn;

pub use self::blocked::{Blocked, SeenItems};
pub use self::error::PolicyError;
pub use self::fits::Fits;
pub use self::histories::Histories;
pub use self::kind::{BuildPolicy, Factory, PolicyContext, PolicyKind, PolicySpec, all, factory};
pub(crate) use self::onnx::note_on_kind;
pub use self::request::{Chance, OracleAccess, Request, Requests};
pub use self::slates::{SlateRow, Slates, rank_candidates};

use crate::ids::ItemId;
use crate::log::EventBatch;

/// A recommender policy.
pub trait Policy: Send + Sync {
    /// Fills one slate for each request, best item first. The result must not depend on the order of the requests or on
    /// their batches. `slates` is a reused buffer, whose content is overwritten.
    ///
    /// # Errors
    /// When it has no slates: the policy is not called again, and the content of `slates` is ignored.
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError>;

    /// Like [`Policy::recommend`], in new slates.
    ///
    /// # Errors
    /// As [`Policy::recommend`].
    fn slates(&mut self, requests: &Requests<'_>) -> Result<Slates, PolicyError> {
        let mut slates = Slates::default();
        self.recommend(requests, &mut slates)?;
        Ok(slates)
    }

    /// True if it needs [`Requests::oracle_access`]: what the users would accept. No real recommender has it; only the
    /// `oracle` and policies around it do.
    fn needs_oracle_access(&self) -> bool {
        false
    }

    /// The probability of showing `shown`, another policy's slate, to the user of `request`: writes the chance of each
    /// filled slot and leaves empty ones unchanged. Called after [`Policy::recommend`] with the same requests, and only
    /// on policies that draw: a slate of propensity 1 is evident. `false`: unknown.
    fn chances(&self, request: &Request<'_>, shown: &[ItemId], chances: &mut [Chance]) -> bool {
        let _ = (request, shown, chances);
        false
    }

    /// Learns from the responses to the slates of one tick. Called once a tick, after all responses.
    ///
    /// # Errors
    /// When it cannot learn: the policy is not called again.
    fn observe(&mut self, events: &EventBatch) -> Result<(), PolicyError> {
        let _ = events;
        Ok(())
    }
}

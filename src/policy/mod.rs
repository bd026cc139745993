//! Recommender policies: slates for the users who arrived, learning from their responses.
//!
//! A policy sees what a real recommender would see: the catalogue, the log before the start, and the
//! responses of its own users. It never sees the user model. One policy is one file plus one line in
//! [`Registry::builtin`].
//!
//! ```
//! use recmirror::policy::{Policy, Requests, Slates};
//!
//! /// Shows every user the candidates with the smallest ids.
//! struct First;
//!
//! impl Policy for First {
//!     fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) {
//!         slates.fill(requests, |request, slot| {
//!             for item in request.candidates().take(request.slate) {
//!                 slot.push(item, 0.0);
//!             }
//!         });
//!     }
//! }
//! ```

#[cfg(test)]
mod contract;
mod factors;
mod features;
mod feedback;
mod histories;
mod ials;
mod item_knn;
mod linucb;
mod popular;
mod random;
mod registry;
mod request;
mod slates;
#[cfg(test)]
mod testing;

pub use self::histories::Histories;
pub use self::registry::{PolicyContext, PolicyError, PolicyKind, Registry};
pub use self::request::{Request, Requests};
pub use self::slates::{SlateRow, Slates, rank_candidates};

use crate::log::EventBatch;

/// A recommender policy.
pub trait Policy: Send + Sync {
    /// Fills one slate for each request, best item first. The result must not depend on the order of
    /// the requests or on how they are batched.
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates);

    /// Learns from what its users did with the slates of one tick. Called once a tick, after all responses.
    fn observe(&mut self, events: &EventBatch) {
        let _ = events;
    }
}

//! Dynamics: changes of users and catalogue during a run.
//!
//! Without a `[[dynamic]]` table nothing of this exists. A dynamic is one file and one line in [`KINDS`]. It acts
//! beside the user model and does not depend on which one it is: it shifts the logits of a choice, multiplies the
//! probability of coming, ends sessions, lets users leave, pulls tastes, or changes what is on offer.
//!
//! Its state of a user is a row of numbers that it receives, as a user model receives a memory: it cannot read
//! another user's row, so the order and the batches in which users are visited cannot change a result. Only what
//! concerns the catalogue may be kept in the dynamic itself ([`Dynamic::supply`], [`Dynamic::observe`]). The engine
//! draws arrivals and departures; a dynamic that draws something itself takes [`DynamicContext::streams`] with a
//! [`crate::random::Purpose`] of its own, by the id of a user or item and the tick, so that all policies meet the same
//! random numbers. docs/reference/dynamics.md has the formulas and sources of all kinds.
//!
//! ```
//! use recmirror::dynamics::{Dynamic, Shown};
//!
//! /// Who has rejected `n` slates of a session rejects the next one more easily.
//! struct Sulking;
//!
//! impl Dynamic for Sulking {
//!     fn width(&self) -> usize {
//!         1
//!     }
//!     fn begin(&self, _: &recmirror::dynamics::Moment, _: recmirror::ids::UserId, state: &mut [f32]) {
//!         state[0] = 0.0;
//!     }
//!     fn shift(&self, _: &Shown<'_>, state: &[f32], logits: &mut [f32]) {
//!         if let Some(reject) = logits.last_mut() {
//!             *reject += 0.1 * state[0];
//!         }
//!     }
//!     fn remember(&self, step: &recmirror::dynamics::Step<'_>, state: &mut [f32]) {
//!         state[0] += f32::from(u8::from(step.accepted.is_none()));
//!     }
//! }
//!
//! let mut logits = [1.0, 2.0, 0.0];
//! let items = [recmirror::ids::ItemId(3), recmirror::ids::ItemId(4)];
//! let shown = Shown { tick: 0, user: recmirror::ids::UserId(0), items: &items };
//! Sulking.shift(&shown, &[2.0], &mut logits);
//! assert_eq!(logits, [1.0, 2.0, 0.2]);
//! ```

mod churn;
#[cfg(test)]
mod contract;
mod ensemble;
mod fatigue;
mod interest_drift;
mod kind;
mod new_users;
mod offer;
mod provider_exit;
#[cfg(test)]
#[path = "../../tests/fixtures/recipes/sulking.rs"]
mod recipe;
mod releases;
mod retirement;
mod return_time;
mod rhythm;
mod satiation;
mod satisfaction;
#[cfg(test)]
mod testing;
mod time_budget;

pub use self::ensemble::Dynamics;
pub use self::kind::{BuildDynamic, DynamicContext, DynamicError, DynamicFault, DynamicKind, DynamicSpec};
pub use self::offer::Offer;
pub use self::provider_exit::ExitBy;
pub use self::releases::ReleaseOrder;
pub use self::rhythm::Day;
pub use self::satiation::SatiatedBy;

use crate::ids::{ItemId, UserId};
use crate::log::EventBatch;
use crate::params::builtin_kinds;

builtin_kinds! {
    /// All kinds that ship with the crate, in the order of the reference file. A new one is a file and a line.
    KINDS: DynamicKind;
    self::satiation::SatiationParameters,
    self::fatigue::FatigueParameters,
    self::time_budget::TimeBudgetParameters,
    self::interest_drift::InterestDriftParameters,
    self::rhythm::RhythmParameters,
    self::return_time::ReturnTimeParameters,
    self::churn::ChurnParameters,
    self::new_users::NewUsersParameters,
    self::releases::ReleasesParameters,
    self::retirement::RetirementParameters,
    self::provider_exit::ProviderExitParameters,
}

/// When something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The tick.
    pub tick: u32,
    /// Milliseconds since 1970 at the beginning of the tick, by the calendar of the log.
    pub time: i64,
    /// Seconds of the tick.
    pub seconds: i64,
}

/// The input of a user model about one user.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The tick.
    pub tick: u32,
    /// The user.
    pub user: UserId,
    /// The slots; [`ItemId::NONE`] in empty ones.
    pub items: &'a [ItemId],
}

/// The response of one user to a slate.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// The tick.
    pub tick: u32,
    /// The user.
    pub user: UserId,
    /// The slots; [`ItemId::NONE`] in empty ones.
    pub items: &'a [ItemId],
    /// The accepted item.
    pub accepted: Option<ItemId>,
    /// Its rating, 1 to 5; NaN when nothing was accepted or it has none.
    pub rating: f32,
    /// Slates of this session, this one included.
    pub slates: u32,
}

/// An item that draws a user's taste towards itself without having been accepted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pull {
    /// The item.
    pub item: ItemId,
    /// How far, as a share of the whole way (0 = not at all).
    pub rate: f32,
}

/// Something that changes during a run. Every hook does nothing unless it is written. Hooks with `&self` are given the
/// user's own row of `width` numbers and nothing else of the run.
pub trait Dynamic: Send + Sync {
    /// Numbers that it keeps of each user.
    fn width(&self) -> usize {
        0
    }

    /// Writes the row of a user before the first tick; it holds zeros.
    fn start(&self, user: UserId, state: &mut [f32]) {
        let _ = (user, state);
    }

    /// The first tick at which the user can come; 0: there from the start. Nobody knows the past of a user who joins
    /// later.
    fn joins(&self, user: UserId) -> u32 {
        let _ = user;
        0
    }

    /// The first tick at which the item is on offer; 0: there from the start. Nobody has interacted with an item before.
    fn released(&self, item: ItemId) -> u32 {
        let _ = item;
        0
    }

    /// Factor on the probability that an absent user starts a session at this tick. A run ends with an error where it is not a
    /// number of at least 0.
    fn arrival(&self, moment: &Moment, user: UserId, state: &[f32]) -> f64 {
        let _ = (moment, user, state);
        1.0
    }

    /// A session begins.
    fn begin(&self, moment: &Moment, user: UserId, state: &mut [f32]) {
        let _ = (moment, user, state);
    }

    /// Adds to the logits of a choice, `[slate + 1]`: one a slot, then "reject all". It may be asked about slates that
    /// are never shown (the oracle asks), hence it changes nothing else.
    fn shift(&self, shown: &Shown<'_>, state: &[f32], logits: &mut [f32]) {
        let _ = (shown, state, logits);
    }

    /// Takes note of a response.
    fn remember(&self, step: &Step<'_>, state: &mut [f32]) {
        let _ = (step, state);
    }

    /// Returns true if the session ends with this response. Called after [`Dynamic::remember`].
    fn ends(&self, step: &Step<'_>, state: &[f32]) -> bool {
        let _ = (step, state);
        false
    }

    /// The probability that a user whose session ends with this response never returns. A run ends with an error where it is
    /// not 0 to 1.
    fn leaving(&self, step: &Step<'_>, state: &[f32]) -> f64 {
        let _ = (step, state);
        0.0
    }

    /// Returns true if [`Dynamic::pull`] may give something: then the user model must know how tastes drift.
    fn pulls(&self) -> bool {
        false
    }

    /// What draws the user's taste towards itself at this response. A run ends with an error where its rate is not a number of
    /// at least 0.
    fn pull(&self, step: &Step<'_>) -> Option<Pull> {
        let _ = step;
        None
    }

    /// Changes what is on offer, at the beginning of each tick.
    fn supply(&mut self, moment: &Moment, offer: &mut Offer) {
        let _ = (moment, offer);
    }

    /// Sees the events of a tick at its end.
    fn observe(&mut self, events: &EventBatch) {
        let _ = events;
    }
}

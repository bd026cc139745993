//! Dynamics: changes of users and catalogue during a run.
//!
//! Without a `[[dynamic]]` table there are no dynamics. A dynamic is one file and one line in [`all`]. It acts beside
//! any user model: it shifts the logits of a choice, multiplies the probability of coming, ends sessions, lets users
//! leave, pulls tastes, or changes the offer.
//!
//! Its state of a user is a row of numbers that it receives, like the memory of a user model: it cannot read another
//! user's row, so the order and the batches of users cannot change a result. Only state about the catalogue may be
//! stored in the dynamic itself ([`Dynamic::supply`], [`Dynamic::observe`]). The engine draws arrivals and departures;
//! a dynamic that draws itself uses [`DynamicContext::streams`] with a [`crate::random::Purpose`] of its own, by the id
//! of a user or item and the tick, so that all policies have the same random numbers. docs/reference/dynamics.md has
//! the formulas and sources of all kinds.
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

use crate::ids::{ItemId, UserId};
use crate::log::EventBatch;

/// The kinds that a scenario may name, in the order of the reference file: one line each.
pub fn all() -> &'static [DynamicKind] {
    static ALL: &[DynamicKind] = &[
        DynamicKind::of::<satiation::SatiationSpec>(),
        DynamicKind::of::<fatigue::FatigueSpec>(),
        DynamicKind::of::<time_budget::TimeBudgetSpec>(),
        DynamicKind::of::<interest_drift::InterestDriftSpec>(),
        DynamicKind::of::<rhythm::RhythmSpec>(),
        DynamicKind::of::<return_time::ReturnTimeSpec>(),
        DynamicKind::of::<churn::ChurnSpec>(),
        DynamicKind::of::<new_users::NewUsersSpec>(),
        DynamicKind::of::<releases::ReleasesSpec>(),
        DynamicKind::of::<retirement::RetirementSpec>(),
        DynamicKind::of::<provider_exit::ProviderExitSpec>(),
    ];
    ALL
}

/// The kind with this name.
pub fn get(name: &str) -> Option<&'static DynamicKind> {
    all().iter().find(|kind| kind.name == name)
}

/// The time of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The tick.
    pub tick: u32,
    /// Milliseconds since 1970 at the start of the tick, by the calendar of the log.
    pub time: i64,
    /// Seconds of the tick.
    pub seconds: i64,
}

/// The slate shown to one user.
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
    /// Its rating, 1 to 5; NaN if nothing was accepted or it has none.
    pub rating: f32,
    /// Slates of this session, this one included.
    pub slates: u32,
}

/// An item that pulls a user's taste towards itself without an acceptance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pull {
    /// The item.
    pub item: ItemId,
    /// The share of the distance (0 = none).
    pub rate: f32,
}

/// A change of users or catalogue during a run. The default of every hook does nothing. Hooks with `&self` receive only
/// the user's own row of `width` numbers.
pub trait Dynamic: Send + Sync {
    /// Numbers of its state for each user.
    fn width(&self) -> usize {
        0
    }

    /// Writes the row of a user before the first tick; the row is zero before.
    fn start(&self, user: UserId, state: &mut [f32]) {
        let _ = (user, state);
    }

    /// The first tick at which the user can come; 0: present from the start. A user who joins later has no known past.
    fn joins(&self, user: UserId) -> u32 {
        let _ = user;
        0
    }

    /// The first tick at which the item is on offer; 0: on offer from the start. An item has no interactions before its
    /// release.
    fn released(&self, item: ItemId) -> u32 {
        let _ = item;
        0
    }

    /// Factor on the probability that an absent user starts a session at this tick. A number that is negative or not
    /// finite ends the run with an error.
    fn arrival(&self, moment: &Moment, user: UserId, state: &[f32]) -> f64 {
        let _ = (moment, user, state);
        1.0
    }

    /// Called when a session begins.
    fn begin(&self, moment: &Moment, user: UserId, state: &mut [f32]) {
        let _ = (moment, user, state);
    }

    /// Adds to the logits of a choice, `[slate + 1]`: one for each slot, then "reject all". The oracle also calls it
    /// for slates that are never shown, so it must not change state.
    fn shift(&self, shown: &Shown<'_>, state: &[f32], logits: &mut [f32]) {
        let _ = (shown, state, logits);
    }

    /// Updates the state after a response.
    fn remember(&self, step: &Step<'_>, state: &mut [f32]) {
        let _ = (step, state);
    }

    /// True if the session ends with this response. Called after [`Dynamic::remember`].
    fn ends(&self, step: &Step<'_>, state: &[f32]) -> bool {
        let _ = (step, state);
        false
    }

    /// The probability that a user whose session ends with this response never returns. A number outside 0 to 1 ends
    /// the run with an error.
    fn leaving(&self, step: &Step<'_>, state: &[f32]) -> f64 {
        let _ = (step, state);
        0.0
    }

    /// True if [`Dynamic::pull`] may return a pull: then the user model must support drifting tastes.
    fn pulls(&self) -> bool {
        false
    }

    /// The pull on the user's taste at this response. A rate that is negative or not finite ends the run with an error.
    fn pull(&self, step: &Step<'_>) -> Option<Pull> {
        let _ = step;
        None
    }

    /// Changes the offer, at the start of each tick.
    fn supply(&mut self, moment: &Moment, offer: &mut Offer) {
        let _ = (moment, offer);
    }

    /// Receives the events of a tick at its end.
    fn observe(&mut self, events: &EventBatch) {
        let _ = events;
    }
}

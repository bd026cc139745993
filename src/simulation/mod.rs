//! The users of one replication.
//!
//! Users are entities with components, and shared data are resources, spawned from a [`Population`]. A [`Simulation`]
//! holds the users and no policy: it returns the users who want a slate, and receives the slates. A [`Trial`] is a
//! simulation that one policy serves; any other source of the same slates gets the same events. Nothing outside this
//! module names `bevy_ecs`.

mod arrive;
mod candidates;
mod components;
mod decide;
mod drift;
mod error;
mod evolve;
mod expose;
mod known;
mod oracle;
mod population;
mod resources;
mod respond;
mod spawn;
mod stages;
mod steps;
mod trial;

pub use self::components::{Engagement, History, HistoryEntry, Interest, Profile, Status, User};
pub(crate) use self::error::FirstFault;
pub use self::error::TickError;
pub use self::known::Known;
pub use self::oracle::Sight;
pub use self::population::{Population, StartingPoint};
pub use self::resources::{
    Begun, Candidates, Choices, Clock, Events, Fault, Forces, Habits, Model, Popularity, Proposals, Recorded, Scenes,
    Seen, ShortSlates, Surroundings, Visits,
};
pub use self::respond::{accepted_slot, response_draws};
pub use self::spawn::{restart, spawn};
pub use self::stages::{Stage, install_closing, install_opening};
pub use self::steps::{Setup, Simulation};
pub use self::trial::{Training, Trial};

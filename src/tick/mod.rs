//! One step of simulated time: the stages in running order, one file each.

mod arrive;
mod candidates;
mod decide;
mod drift;
mod error;
mod evolve;
mod expose;
mod learn;
mod recommend;
mod record;
mod respond;
mod simulation;

pub use self::error::TickError;
pub use self::respond::{accepted_slot, luck};
pub use self::simulation::{Setup, Simulation};

use crate::world::Fault;
use bevy_ecs::prelude::{IntoScheduleConfigs, Res, Schedule, SystemSet};

/// The stages of a tick. Their order is the order of [`Stage::ALL`] and stands nowhere else; other systems hook in by
/// stage, never by the name of a system.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Users start a session or are in one.
    Arrive,
    /// Which items each may be shown.
    Candidates,
    /// The policy proposes slates.
    Recommend,
    /// Slates are checked and become scenes.
    Expose,
    /// The user model gives probabilities.
    Decide,
    /// Behaviour is drawn from them; no other stage draws behaviour.
    Respond,
    /// Users remember, tire, go.
    Evolve,
    /// The policy learns.
    Learn,
    /// Events are handed over.
    Record,
}

impl Stage {
    /// All stages, in running order.
    pub const ALL: [Stage; 9] = [
        Stage::Arrive,
        Stage::Candidates,
        Stage::Recommend,
        Stage::Expose,
        Stage::Decide,
        Stage::Respond,
        Stage::Evolve,
        Stage::Learn,
        Stage::Record,
    ];
}

/// Adds all stages to `schedule`, chained; after an error the rest of the tick is skipped.
pub fn install(schedule: &mut Schedule) {
    let [arrive, candidates, recommend, expose, decide, respond, evolve, learn, record] = Stage::ALL;
    let sets = (arrive, candidates, recommend, expose, decide, respond, evolve, learn, record);
    schedule.configure_sets(sets.chain());
    for stage in Stage::ALL {
        schedule.configure_sets(stage.run_if(|fault: Res<Fault>| fault.0.is_none()));
    }
    schedule.add_systems((
        arrive::arrive.in_set(arrive),
        candidates::candidates.in_set(candidates),
        recommend::recommend.in_set(recommend),
        expose::expose.in_set(expose),
        decide::decide.in_set(decide),
        respond::respond.in_set(respond),
        (evolve::evolve, drift::drift).chain().in_set(evolve),
        learn::learn.in_set(learn),
        record::record.in_set(record),
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use bevy_ecs::prelude::World;
    use bevy_ecs::schedule::{LogLevel, ScheduleBuildSettings};

    #[test]
    fn no_two_systems_conflict_without_an_order() {
        let mut schedule = Schedule::default();
        install(&mut schedule);
        let settings = ScheduleBuildSettings { ambiguity_detection: LogLevel::Error, ..Default::default() };
        schedule.set_build_settings(settings);
        assert!(schedule.initialize(&mut World::new()).is_ok());
    }

    #[test]
    fn the_ambiguity_check_would_see_one() {
        let mut schedule = Schedule::default();
        install(&mut schedule);
        schedule.add_systems(|_: bevy_ecs::prelude::ResMut<crate::world::Visits>| {});
        let settings = ScheduleBuildSettings { ambiguity_detection: LogLevel::Error, ..Default::default() };
        schedule.set_build_settings(settings);
        assert!(schedule.initialize(&mut World::new()).is_err());
    }
}

//! The stages of a step in running order, one file each.

use super::{Begun, Fault, arrive, candidates, decide, drift, evolve, expose, respond};
use bevy_ecs::prelude::{IntoScheduleConfigs, Res, ResMut, Schedule, SystemSet};

/// The stages of a tick. Their order is that of [`Stage::OPENING`] and [`Stage::CLOSING`], and is defined nowhere else;
/// other systems hook in by stage, never by the name of a system. The policy acts between the two halves.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Users start a session or are in one.
    Arrive,
    /// The items that each may be shown.
    Candidates,
    /// Slates are checked and become scenes.
    Expose,
    /// The user model computes probabilities.
    Decide,
    /// Behaviour is drawn from them; no other stage draws behaviour.
    Respond,
    /// Users remember, tire, go.
    Evolve,
}

impl Stage {
    /// The stages before the policy acts, in running order.
    pub const OPENING: [Stage; 2] = [Stage::Arrive, Stage::Candidates];
    /// The stages after it, in running order.
    pub const CLOSING: [Stage; 4] = [Stage::Expose, Stage::Decide, Stage::Respond, Stage::Evolve];
}

/// Adds the stages before the policy acts to `schedule`, chained.
pub fn install_opening(schedule: &mut Schedule) {
    let [arrive, candidates] = Stage::OPENING;
    schedule.configure_sets((arrive, candidates).chain());
    schedule.add_systems((arrive::arrive.in_set(arrive), candidates::candidates.in_set(candidates)));
}

/// Adds the stages after it to `schedule`, chained; after an error the rest of the tick is skipped.
pub fn install_closing(schedule: &mut Schedule) {
    let [expose, decide, respond, evolve] = Stage::CLOSING;
    schedule.configure_sets((expose, decide, respond, evolve).chain());
    for stage in Stage::CLOSING {
        schedule.configure_sets(stage.run_if(|fault: Res<Fault>| fault.0.is_none()));
    }
    schedule.add_systems((
        expose::expose.in_set(expose),
        decide::decide.in_set(decide),
        respond::respond.in_set(respond),
        (|mut begun: ResMut<Begun>| begun.0 = true, evolve::evolve, drift::drift).chain().in_set(evolve),
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use bevy_ecs::prelude::World;
    use bevy_ecs::schedule::{LogLevel, ScheduleBuildSettings};

    #[test]
    fn no_two_systems_conflict_without_an_order() {
        for install in [install_opening, install_closing] {
            let mut schedule = Schedule::default();
            install(&mut schedule);
            let settings = ScheduleBuildSettings { ambiguity_detection: LogLevel::Error, ..Default::default() };
            schedule.set_build_settings(settings);
            assert!(schedule.initialize(&mut World::new()).is_ok());
        }
    }

    #[test]
    fn the_ambiguity_check_would_see_one() {
        let mut schedule = Schedule::default();
        install_opening(&mut schedule);
        schedule.add_systems(|_: bevy_ecs::prelude::ResMut<crate::simulation::Visits>| {});
        let settings = ScheduleBuildSettings { ambiguity_detection: LogLevel::Error, ..Default::default() };
        schedule.set_build_settings(settings);
        assert!(schedule.initialize(&mut World::new()).is_err());
    }
}

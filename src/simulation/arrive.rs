//! Arrive: the users who want a slate.

use super::FirstFault;
use super::{Clock, Engagement, Fault, Forces, Status, User, Visits};
use crate::random::{Purpose, unit};
use bevy_ecs::entity::Entity;
use bevy_ecs::prelude::{Query, Res, ResMut};

pub(super) fn arrive(
    clock: Res<Clock>,
    mut forces: ResMut<Forces>,
    mut visits: ResMut<Visits>,
    mut fault: ResMut<Fault>,
    mut users: Query<(Entity, &User, &mut Engagement)>,
) {
    let mut here: Vec<(crate::ids::UserId, Entity)> = Vec::with_capacity(visits.users.len());
    let forces = &mut forces.0;
    let moment = forces.moment(clock.tick);
    let changes = !forces.is_empty();
    let mut problem = FirstFault::default();
    for (entity, user, mut engagement) in &mut users {
        let away = engagement.status == Status::Away;
        let factor = if away && changes { forces.arrival(&moment, user.id) } else { Ok(1.0) };
        let factor = factor.unwrap_or_else(|source| {
            // The tick reports the first user's fault when it closes.
            problem.keep(clock.tick, source);
            0.0
        });
        if away && starts(&clock, user, engagement.rate * factor) {
            if changes {
                forces.begin(&moment, user.id);
            }
            engagement.status = Status::Here;
            engagement.sessions += 1;
            (engagement.slates, engagement.rejected, engagement.accepted) = (0, 0, 0);
        }
        if engagement.status == Status::Here {
            here.push((user.id, entity));
        }
    }
    problem.report(&mut fault.0);
    // The order of a query is the ECS's own business; the order of visitors is part of the contract.
    if !here.is_sorted_by_key(|visit| visit.0) {
        here.sort_unstable_by_key(|visit| visit.0);
    }
    visits.users.clear();
    visits.entities.clear();
    visits.users.extend(here.iter().map(|visit| visit.0));
    visits.entities.extend(here.iter().map(|visit| visit.1));
}

fn starts(clock: &Clock, user: &User, rate: f64) -> bool {
    // A certain event needs no draw.
    rate >= 1.0
        || (rate > 0.0 && {
            let mut rng = clock.streams.derive(Purpose::Arrival, u64::from(user.id.0), clock.tick);
            unit(&mut rng) < rate
        })
}

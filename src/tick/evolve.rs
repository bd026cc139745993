//! Evolve: visitors remember what they accepted, tire, end their session, leave.

use super::TickError;
use crate::ids::UserId;
use crate::scenario::SessionSpec;
use crate::user::Memorised;
use crate::world::{
    Clock, Engagement, Events, Fault, Habits, History, HistoryEntry, Interest, Model, Popularity, Seen, Status, User,
    Visits,
};
use bevy_ecs::prelude::{Query, Res, ResMut};

#[expect(clippy::too_many_arguments, reason = "each argument is one resource that the stage reads or writes")]
pub(super) fn evolve(
    clock: Res<Clock>,
    habits: Res<Habits>,
    model: Res<Model>,
    visits: Res<Visits>,
    events: Res<Events>,
    mut popularity: ResMut<Popularity>,
    mut fault: ResMut<Fault>,
    mut engagements: Query<&mut Engagement>,
    mut memories: Query<(&User, &mut History, &mut Seen, &mut Interest)>,
) {
    let mut row = 0;
    let mut visitors = engagements.iter_many_mut(&visits.entities);
    // Users are never despawned, so every visitor is found.
    while let Some(Ok(mut engagement)) = visitors.fetch_next() {
        tire(&mut engagement, &habits.0, events.0.accepted_item(row).is_some());
        row += 1;
    }
    let mut accepted: Vec<(UserId, Memorised)> = Vec::new();
    for (row, &user) in visits.users.iter().enumerate() {
        if let Some(item) = events.0.accepted_item(row) {
            popularity.0.accept(item);
            accepted.push((user, Memorised { item, rating: events.0.ratings[row] }));
        }
    }
    if let Err(source) = remember(&clock, &model, &accepted, &mut memories) {
        fault.0 = Some(TickError::User { tick: clock.tick, source });
    }
}

/// Counts one slate and ends the session where it is over.
fn tire(engagement: &mut Engagement, habits: &SessionSpec, accepted: bool) {
    engagement.slates += 1;
    engagement.accepted += u32::from(accepted);
    engagement.rejected = if accepted { 0 } else { engagement.rejected + 1 };
    let impatient = habits.patience > 0 && engagement.rejected >= habits.patience;
    if engagement.slates < habits.slates && !impatient {
        return;
    }
    engagement.fruitless = if engagement.accepted > 0 { 0 } else { engagement.fruitless + 1 };
    let gives_up = habits.leave_after > 0 && engagement.fruitless >= habits.leave_after;
    engagement.status = if gives_up { Status::Left } else { Status::Away };
}

/// Brings the accepted items (by ascending user) into the histories and the user model's memories, all in one batch.
fn remember(
    clock: &Clock,
    model: &Model,
    accepted: &[(UserId, Memorised)],
    users: &mut Query<(&User, &mut History, &mut Seen, &mut Interest)>,
) -> Result<(), crate::user::UserError> {
    let mut found: Vec<(usize, &mut [f32])> = Vec::with_capacity(accepted.len());
    // One pass in storage order gives each memory once and mutably, so that all are updated in place.
    let mut next = 0;
    for (user, mut history, mut seen, interest) in users.iter_mut() {
        if accepted.get(next).is_none_or(|entry| entry.0 != user.id) {
            next = accepted.partition_point(|entry| entry.0 < user.id);
        }
        let Some(&(_, Memorised { item, rating })) = accepted.get(next).filter(|entry| entry.0 == user.id) else {
            continue;
        };
        history.push(HistoryEntry { item, rating, tick: Some(clock.tick) });
        seen.insert(item);
        found.push((next, &mut interest.into_inner().0[..]));
        next += 1;
    }
    // The order of a query is the ECS's own business.
    found.sort_unstable_by_key(|entry| entry.0);
    let events: Vec<Memorised> = found.iter().map(|entry| accepted[entry.0].1).collect();
    let mut memories: Vec<&mut [f32]> = found.into_iter().map(|entry| entry.1).collect();
    model.0.model().update(&mut memories, &events)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HABITS: SessionSpec = SessionSpec { slates: 4, patience: 2, leave_after: 2 };

    fn live(responses: &[bool]) -> Engagement {
        let mut engagement = Engagement { status: Status::Here, ..Engagement::default() };
        for &accepted in responses {
            if engagement.status == Status::Away {
                engagement.status = Status::Here;
                (engagement.slates, engagement.rejected, engagement.accepted) = (0, 0, 0);
            }
            assert_eq!(engagement.status, Status::Here);
            tire(&mut engagement, &HABITS, accepted);
        }
        engagement
    }

    #[test]
    fn sessions_end_by_length_or_impatience() {
        assert_eq!(live(&[true, false, true]).status, Status::Here);
        assert_eq!(live(&[true, false, true, true]).status, Status::Away, "four slates");
        assert_eq!(live(&[true, false, false]).status, Status::Away, "two rejections in a row");
    }

    #[test]
    fn fruitless_sessions_in_a_row_make_a_user_leave() {
        assert_eq!(live(&[false, false, false, false]).status, Status::Left);
        assert_eq!(live(&[false, false, true, false, false, false, false]).status, Status::Away, "one was fruitful");
    }
}

//! Evolve: users remember, tire, end sessions, leave.

use super::TickError;
use super::{
    Clock, Engagement, Events, Fault, FirstFault, Forces, Habits, History, HistoryEntry, Interest, Model, Popularity,
    Seen, Status, Surroundings, User, Visits,
};
use crate::dynamics::{DynamicFault, Dynamics, Step};
use crate::ids::UserId;
use crate::random::{Purpose, unit};
use crate::scenario::SessionSpec;
use crate::user::{Memorised, UserError, UserModel};
use bevy_ecs::prelude::{Query, Res, ResMut};
use rayon::prelude::*;

/// Rows that one parallel task brings into histories.
const ROWS_PER_TASK: usize = 128;

#[expect(clippy::too_many_arguments, reason = "each argument is one resource that the stage reads or writes")]
pub(super) fn evolve(
    clock: Res<Clock>,
    surroundings: Res<Surroundings>,
    habits: Res<Habits>,
    model: Res<Model>,
    visits: Res<Visits>,
    mut events: ResMut<Events>,
    mut popularity: ResMut<Popularity>,
    mut forces: ResMut<Forces>,
    mut fault: ResMut<Fault>,
    mut seen: ResMut<Seen>,
    mut users: Query<(&User, &mut Engagement, &mut History, &mut Interest)>,
) {
    let mut accepted: Vec<Acceptance<'_>> = Vec::with_capacity(visits.users.len());
    let time = surroundings.time(clock.tick);
    let (mut next, mut problem) = (0, FirstFault::default());
    let mut sessions = std::mem::take(&mut events.0.sessions);
    sessions.clear();
    sessions.resize(visits.users.len(), 0);
    // One pass in storage order: it reads memory sequentially, and borrows each user once and mutably.
    for (user, mut engagement, history, interest) in users.iter_mut() {
        let Some(row) = position(&visits.users, next, user.id) else { continue };
        next = row + 1;
        sessions[row] = engagement.sessions;
        let item = events.0.accepted_item(row);
        if forces.0.is_empty() {
            tire(&mut engagement, &habits.0, item.is_some(), false);
        } else {
            let step = step(&events, row, engagement.slates + 1);
            if let Err(source) = live(&clock, &habits.0, &mut forces.0, &step, &mut engagement) {
                problem.keep(clock.tick, source);
            }
        }
        if let Some(item) = item {
            popularity.0.accept(item);
            let event = Memorised { item, rating: events.0.ratings[row], time };
            let (history, interest) = (history.into_inner(), interest.into_inner());
            accepted.push(Acceptance { row, event, history, memory: &mut interest.0 });
        }
    }
    let rows = 0..events.0.len();
    seen.0.insert(rows.filter_map(|row| Some((events.0.users[row], events.0.accepted_item(row)?))));
    problem.report(&mut fault.0);
    if let Err(source) = remember(clock.tick, model.0.model(), accepted) {
        fault.0 = Some(TickError::User { tick: clock.tick, source });
    }
    events.0.sessions = sessions;
}

/// The response in one row; `slates` are those of the session.
pub(super) fn step<'a>(events: &'a Events, row: usize, slates: u32) -> Step<'a> {
    let (events, user) = (&events.0, events.0.users[row]);
    let (items, accepted) = (events.slate_of(row), events.accepted_item(row));
    Step { tick: events.tick, user, items, accepted, rating: events.ratings[row], slates }
}

/// Lets the dynamics take note of a response, and counts it.
fn live(
    clock: &Clock,
    habits: &SessionSpec,
    forces: &mut Dynamics,
    step: &Step<'_>,
    engagement: &mut Engagement,
) -> Result<(), DynamicFault> {
    let over = forces.remember(step);
    tire(engagement, habits, step.accepted.is_some(), over);
    let hazard = if engagement.status == Status::Away { forces.leaving(step)? } else { 0.0 };
    // An impossible event needs no draw.
    if hazard > 0.0 && unit(&mut clock.streams.derive(Purpose::Leaving, u64::from(step.user.0), clock.tick)) < hazard {
        engagement.status = Status::Left;
    }
    Ok(())
}

/// A visitor who accepted an item, with the components that remember it.
struct Acceptance<'w> {
    row: usize,
    event: Memorised,
    history: &'w mut History,
    memory: &'w mut [f32],
}

/// The index of `user` among `visitors`, which are in ascending order; `next` is the expected index.
fn position(visitors: &[UserId], next: usize, user: UserId) -> Option<usize> {
    if visitors.get(next) == Some(&user) {
        return Some(next);
    }
    let (before, after) = visitors.split_at(next.min(visitors.len()));
    let absent = before.last().is_none_or(|&last| last < user) && after.first().is_none_or(|&first| first > user);
    if absent { None } else { visitors.binary_search(&user).ok() }
}

/// Counts one slate and ends the session if it is too long, the user is impatient, or a dynamic ends it.
fn tire(engagement: &mut Engagement, habits: &SessionSpec, accepted: bool, over: bool) {
    engagement.slates += 1;
    engagement.accepted += u32::from(accepted);
    engagement.rejected = if accepted { 0 } else { engagement.rejected + 1 };
    let impatient = habits.patience > 0 && engagement.rejected >= habits.patience;
    if engagement.slates < habits.slates && !impatient && !over {
        return;
    }
    engagement.fruitless = if engagement.accepted > 0 { 0 } else { engagement.fruitless + 1 };
    let gives_up = habits.leave_after > 0 && engagement.fruitless >= habits.leave_after;
    engagement.status = if gives_up { Status::Left } else { Status::Away };
}

/// Brings the accepted items into the histories and the user model's memories, all in one batch.
fn remember(tick: u32, model: &dyn UserModel, mut accepted: Vec<Acceptance<'_>>) -> Result<(), UserError> {
    // The order of a query is the ECS's own business.
    if !accepted.is_sorted_by_key(|entry| entry.row) {
        accepted.sort_unstable_by_key(|entry| entry.row);
    }
    accepted.par_iter_mut().with_min_len(ROWS_PER_TASK).for_each(|entry| {
        let Memorised { item, rating, .. } = entry.event;
        entry.history.push(HistoryEntry { item, rating, tick: Some(tick) });
    });
    let events: Vec<Memorised> = accepted.iter().map(|entry| entry.event).collect();
    let mut memories: Vec<&mut [f32]> = accepted.into_iter().map(|entry| entry.memory).collect();
    model.update(&mut memories, &events)
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
            tire(&mut engagement, &HABITS, accepted, false);
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

    #[test]
    fn visitors_are_found_whatever_the_order_of_users() {
        let visitors: Vec<UserId> = [2, 5, 9].map(UserId).to_vec();
        let find = |next, user| position(&visitors, next, UserId(user));
        assert_eq!((find(0, 2), find(1, 5), find(2, 9)), (Some(0), Some(1), Some(2)), "as expected");
        assert_eq!((find(3, 2), find(0, 9), find(0, 5)), (Some(0), Some(2), Some(1)), "elsewhere");
        for next in 0..=4 {
            for absent in [0, 3, 7, 10] {
                assert_eq!(find(next, absent), None, "user {absent} expected at {next}");
            }
        }
        assert_eq!(position(&[], 0, UserId(1)), None);
    }
}

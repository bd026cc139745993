//! Memories of users with a history.
//!
//! The log is played through [`UserModel::update`].

use super::{Memorised, UserError, UserModel};
use crate::dataset::{Interaction, TrainingLog};
use crate::ids::LogUserId;

/// The most histories played at once: their memories are held in full.
const AT_ONCE: usize = 16_384;

/// `[users, total]`: the memory of every user of `log` after all of that user's interactions.
///
/// # Errors
/// When the model fails.
pub fn memories_of(model: &dyn UserModel, log: &TrainingLog) -> Result<Vec<f32>, UserError> {
    let mut memory = vec![0.0; log.users() * model.memory().total];
    let users: Vec<LogUserId> = (0..log.users() as u32).map(LogUserId).collect();
    let histories: Vec<&[Interaction]> = users.iter().map(|&user| log.of(user)).collect();
    play(model, &users, &histories, &mut memory, |_, _, _| {})?;
    Ok(memory)
}

/// `[scenes, read]`: the readable memory of a user just before the interaction at `(user, position)`.
///
/// # Errors
/// When the model fails.
pub fn memories_at(
    model: &dyn UserModel,
    log: &TrainingLog,
    moments: &[(LogUserId, usize)],
) -> Result<Vec<f32>, UserError> {
    let shape = model.memory();
    let mut found = vec![0.0; moments.len() * shape.read];
    let mut by_user: Vec<(LogUserId, usize, usize)> =
        moments.iter().enumerate().map(|(place, &(user, position))| (user, position, place)).collect();
    by_user.sort_unstable();
    let groups: Vec<&[(LogUserId, usize, usize)]> = by_user.chunk_by(|a, b| a.0 == b.0).collect();
    for groups in groups.chunks(AT_ONCE) {
        let users: Vec<LogUserId> = groups.iter().map(|group| group[0].0).collect();
        // Interactions after the last scene of a user are not played.
        let last = |group: &[(LogUserId, usize, usize)]| group.iter().map(|moment| moment.1).max().unwrap_or(0);
        let histories: Vec<&[Interaction]> = groups
            .iter()
            .map(|group| log.of(group[0].0))
            .zip(groups)
            .map(|(rows, group)| &rows[..last(group).min(rows.len())])
            .collect();
        let mut wanted: Vec<(usize, usize, usize)> = Vec::new();
        for (row, group) in groups.iter().enumerate() {
            wanted.extend(group.iter().map(|&(_, position, place)| (position.min(histories[row].len()), row, place)));
        }
        wanted.sort_unstable();
        let mut next = 0;
        let mut memory = vec![0.0; users.len() * shape.total];
        play(model, &users, &histories, &mut memory, |position, memory, done| {
            while next < wanted.len() && (wanted[next].0 <= position || done) {
                let (_, row, place) = wanted[next];
                let start = row * shape.total;
                found[place * shape.read..(place + 1) * shape.read].copy_from_slice(&memory[start..start + shape.read]);
                next += 1;
            }
        })?;
    }
    Ok(found)
}

/// `[histories, read]`: the readable memory of each user after the interactions beside it.
///
/// # Errors
/// When the model fails.
pub fn memories_after(
    model: &dyn UserModel,
    users: &[LogUserId],
    histories: &[Vec<Interaction>],
) -> Result<Vec<f32>, UserError> {
    let shape = model.memory();
    let mut found = Vec::with_capacity(users.len() * shape.read);
    for (users, histories) in users.chunks(AT_ONCE).zip(histories.chunks(AT_ONCE)) {
        let histories: Vec<&[Interaction]> = histories.iter().map(Vec::as_slice).collect();
        let mut memory = vec![0.0; users.len() * shape.total];
        play(model, users, &histories, &mut memory, |_, _, _| {})?;
        for row in 0..users.len() {
            found.extend_from_slice(&memory[row * shape.total..row * shape.total + shape.read]);
        }
    }
    Ok(found)
}

/// Plays histories in parallel: first every user's first interaction, then every second one, and so on. Calls `before`
/// with all memories before each step, and once more at the end.
fn play(
    model: &dyn UserModel,
    users: &[LogUserId],
    histories: &[&[Interaction]],
    memory: &mut [f32],
    mut before: impl FnMut(usize, &[f32], bool),
) -> Result<(), UserError> {
    let total = model.memory().total;
    model.start(users, memory)?;
    if total == 0 {
        return Ok(());
    }
    let longest = histories.iter().map(|rows| rows.len()).max().unwrap_or(0);
    for position in 0..longest {
        before(position, memory, false);
        let (mut active, mut events) = (Vec::new(), Vec::new());
        for (rows, memory) in histories.iter().zip(memory.chunks_exact_mut(total)) {
            if let Some(row) = rows.get(position) {
                active.push(memory);
                events.push(Memorised { item: row.item, rating: row.rating, time: row.time });
            }
        }
        model.update(&mut active, &events)?;
    }
    before(longest, memory, true);
    Ok(())
}

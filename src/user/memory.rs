//! Memories of users who already have a history: the log is played through [`UserModel::update`].

use super::{Memorised, UserError, UserModel};
use crate::dataset::TrainingLog;
use crate::ids::UserId;

/// `[users, total]`: the memory of every user of `log` after all of that user's interactions.
///
/// # Errors
/// When the model fails.
pub fn memories_of(model: &dyn UserModel, log: &TrainingLog) -> Result<Vec<f32>, UserError> {
    let mut memory = vec![0.0; log.users() * model.memory().total];
    play(model, log, &mut memory, |_, _, _| {})?;
    Ok(memory)
}

/// `[moments, read]`: the readable memory of a user just before the interaction at `(user, position)`.
///
/// # Errors
/// When the model fails.
pub fn memories_at(
    model: &dyn UserModel,
    log: &TrainingLog,
    moments: &[(UserId, usize)],
) -> Result<Vec<f32>, UserError> {
    let shape = model.memory();
    let mut wanted: Vec<(usize, UserId, usize)> =
        moments.iter().enumerate().map(|(place, &(user, position))| (position, user, place)).collect();
    wanted.sort_unstable();
    let mut found = vec![0.0; moments.len() * shape.read];
    let mut next = 0;
    let mut memory = vec![0.0; log.users() * shape.total];
    play(model, log, &mut memory, |position, memory, done| {
        while next < wanted.len() && (wanted[next].0 <= position || done) {
            let (_, user, place) = wanted[next];
            let start = user.index() * shape.total;
            found[place * shape.read..(place + 1) * shape.read].copy_from_slice(&memory[start..start + shape.read]);
            next += 1;
        }
    })?;
    Ok(found)
}

/// Plays all histories in step: first every user's first interaction, then every second one, and so on.
/// `before` sees all memories before each step, and once more at the end.
fn play(
    model: &dyn UserModel,
    log: &TrainingLog,
    memory: &mut [f32],
    mut before: impl FnMut(usize, &[f32], bool),
) -> Result<(), UserError> {
    let total = model.memory().total;
    let users: Vec<UserId> = (0..log.users() as u32).map(UserId).collect();
    model.start(&users, memory)?;
    if total == 0 {
        return Ok(());
    }
    let longest = users.iter().map(|&user| log.of(user).len()).max().unwrap_or(0);
    for position in 0..longest {
        before(position, memory, false);
        let (mut active, mut events) = (Vec::new(), Vec::new());
        for (user, memory) in users.iter().zip(memory.chunks_exact_mut(total)) {
            if let Some(row) = log.of(*user).get(position) {
                active.push(memory);
                events.push(Memorised { item: row.item, rating: row.rating, time: row.time });
            }
        }
        model.update(&mut active, &events)?;
    }
    before(longest, memory, true);
    Ok(())
}

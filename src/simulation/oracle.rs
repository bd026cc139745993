//! Oracle access to the user model.

use super::{Clock, Forces, Interest, Model, Popularity, Surroundings, Visits};
use crate::dynamics::{Dynamics, Shown};
use crate::ids::ItemId;
use crate::policy::OracleAccess;
use crate::scene::{CONTEXT, PopularityClock, SceneBatch};
use crate::user::{Calibrated, Probabilities, Shift};
use bevy_ecs::prelude::World;

/// The user model's own answer about items for the visitors of a step.
pub struct Sight<'w> {
    tick: u32,
    model: &'w Calibrated,
    forces: &'w Dynamics,
    popularity: &'w PopularityClock,
    visits: &'w Visits,
    world: &'w World,
    time: i64,
}

impl<'w> Sight<'w> {
    /// The visitors of the tick that is open. Popularity must be up to date.
    pub(super) fn new(world: &'w World) -> Sight<'w> {
        let tick = world.resource::<Clock>().tick;
        Sight {
            tick,
            model: &world.resource::<Model>().0,
            forces: &world.resource::<Forces>().0,
            popularity: &world.resource::<Popularity>().0,
            visits: world.resource::<Visits>(),
            world,
            time: world.resource::<Surroundings>().time(tick),
        }
    }

    fn interest(&self, row: usize) -> Result<&Interest, String> {
        let found = self.visits.entities.get(row).and_then(|&visitor| self.world.get::<Interest>(visitor));
        found.ok_or_else(|| format!("row {row} is no request of this tick"))
    }
}

impl OracleAccess for Sight<'_> {
    fn acceptance(&self, row: usize, items: &[ItemId], out: &mut Vec<f32>) -> Result<(), String> {
        let width = self.model.model().memory().read;
        let interest = self.interest(row)?;
        let mut scenes = SceneBatch::default();
        scenes.reset(items.len(), 1, width);
        scenes.items.copy_from_slice(items);
        scenes.set_time(self.time);
        for (place, &item) in items.iter().enumerate() {
            scenes.memory[place * width..(place + 1) * width].copy_from_slice(&interest.0[..width]);
            scenes.context[place * CONTEXT..(place + 1) * CONTEXT].copy_from_slice(self.popularity.context(item));
        }
        let mut found = Probabilities::default();
        let user = self.visits.users[row];
        let shift = |place: usize, logits: &mut [f32]| {
            self.forces.shift(&Shown { tick: self.tick, user, items: &items[place..=place] }, logits);
        };
        let shift: Option<&Shift<'_>> = if self.forces.is_empty() { None } else { Some(&shift) };
        self.model.choices(&scenes, shift, &mut found).map_err(|problem| problem.to_string())?;
        out.clear();
        out.extend((0..items.len()).map(|place| found.choice(place)[0]));
        Ok(())
    }

    fn slates(&self, slate: usize, slates: &[ItemId], out: &mut Vec<f64>) -> Result<(), String> {
        let (width, rows) = (self.model.model().memory().read, slates.len() / slate.max(1));
        let mut scenes = SceneBatch::default();
        scenes.reset(rows, slate, width);
        scenes.items.copy_from_slice(slates);
        scenes.set_time(self.time);
        for row in 0..rows.min(self.visits.entities.len()) {
            let interest = self.interest(row)?;
            scenes.memory[row * width..(row + 1) * width].copy_from_slice(&interest.0[..width]);
        }
        for (target, &item) in scenes.context.chunks_exact_mut(CONTEXT).zip(slates).filter(|(_, item)| item.is_some()) {
            target.copy_from_slice(self.popularity.context(item));
        }
        let mut found = Probabilities::default();
        let shift = |row: usize, logits: &mut [f32]| {
            let (user, items) = (self.visits.users[row], &slates[row * slate..(row + 1) * slate]);
            self.forces.shift(&Shown { tick: self.tick, user, items }, logits);
        };
        let shift: Option<&Shift<'_>> = if self.forces.is_empty() { None } else { Some(&shift) };
        self.model.choices(&scenes, shift, &mut found).map_err(|problem| problem.to_string())?;
        let accepted = |row| found.choice(row)[..slate].iter().copied().map(f64::from).sum::<f64>();
        out.clear();
        out.extend((0..rows).map(accepted));
        Ok(())
    }
}

//! The users of a replication and their initial state.

use super::Known;
use crate::dataset::{Catalogue, TrainingLog};
use crate::dynamics::Dynamics;
use crate::ids::{ItemSet, LogUserId};
use crate::policy::SeenItems;
use crate::random::{Purpose, Streams, below};
use crate::scenario::{ArrivalSpec, PopulationSpec};
use crate::user::{UserError, UserModel, memories_of};
use std::sync::Arc;

/// The data shared by all replications: the log before the start, and the memory and seen items of each data-set user.
pub struct StartingPoint {
    /// The items.
    pub catalogue: Arc<Catalogue>,
    /// The log before the start.
    pub log: Arc<TrainingLog>,
    memory: Vec<f32>,
    width: usize,
    seen: Arc<[ItemSet]>,
    rated: bool,
}

impl StartingPoint {
    /// Plays the log through the user model.
    ///
    /// # Errors
    /// When the model fails.
    pub fn new(
        model: &dyn UserModel,
        catalogue: Arc<Catalogue>,
        log: Arc<TrainingLog>,
    ) -> Result<StartingPoint, UserError> {
        let memory = memories_of(model, &log)?;
        let seen = SeenItems::of_log(&log);
        let rated = log.rows.iter().any(|row| !row.rating.is_nan());
        Ok(StartingPoint { catalogue, log, memory, width: model.memory().total, seen, rated })
    }

    /// The memory of a data-set user at the start.
    pub fn memory_of(&self, source: LogUserId) -> &[f32] {
        &self.memory[source.index() * self.width..(source.index() + 1) * self.width]
    }

    /// True if the log has ratings. Users of a log without ratings give none, because those of a user model would be
    /// meaningless.
    pub fn is_rated(&self) -> bool {
        self.rated
    }

    /// The items that each data-set user has in the log.
    pub fn seen(&self) -> &Arc<[ItemSet]> {
        &self.seen
    }

    /// The items that a data-set user has in the log.
    pub fn seen_by(&self, source: LogUserId) -> &ItemSet {
        &self.seen[source.index()]
    }
}

/// The users of one replication.
#[derive(Clone, Debug)]
pub struct Population {
    /// The data-set user whom each simulated user mirrors.
    pub sources: Arc<[LogUserId]>,
    /// Each user's probability of starting a session at a tick.
    pub rates: Vec<f64>,
    /// Users of the log whom one simulated user represents.
    pub weight: f64,
    /// The part of the log about users and catalogue at the first step; `None`: the complete log.
    pub known: Option<Known>,
}

impl Population {
    /// Every user of the log with enough history once, or as many as asked for, drawn with replacement.
    /// `None` when no user of the log has enough history.
    pub fn draw(
        log: &TrainingLog,
        spec: &PopulationSpec,
        arrival: &ArrivalSpec,
        streams: &Streams,
    ) -> Option<Population> {
        let enough = |user: &LogUserId| log.of(*user).len() >= spec.min_history as usize;
        let eligible: Vec<LogUserId> = (0..log.users() as u32).map(LogUserId).filter(enough).collect();
        if eligible.is_empty() {
            return None;
        }
        let one = |number: u32| {
            let mut rng = streams.derive(Purpose::Population, u64::from(number), 0);
            eligible[below(&mut rng, eligible.len() as u32) as usize]
        };
        let sources: Vec<LogUserId> = match spec.users {
            None => eligible.clone(),
            Some(count) => (0..count).map(one).collect(),
        };
        let weight = eligible.len() as f64 / sources.len().max(1) as f64;
        let mean = sources.iter().map(|&user| log.of(user).len() as f64).sum::<f64>() / sources.len().max(1) as f64;
        let rate = |user: &LogUserId| {
            let relative = log.of(*user).len() as f64 / mean.max(1e-9);
            if arrival.rate == "log" { (arrival.probability * relative).min(1.0) } else { arrival.probability }
        };
        Some(Population { rates: sources.iter().map(rate).collect(), sources: sources.into(), weight, known: None })
    }

    /// The same users in a world where some join and some items come out later.
    pub fn changing(self, log: &TrainingLog, dynamics: &Dynamics) -> Population {
        let known = Known::new(log, &self.sources, dynamics.joins(), dynamics.releases());
        Population { known, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Interaction;
    use crate::ids::ItemId;

    fn log() -> TrainingLog {
        let row = |user, item| Interaction { user: LogUserId(user), item: ItemId(item), rating: 4.0, time: 0 };
        TrainingLog::from_sorted(vec![row(0, 0), row(0, 1), row(0, 2), row(1, 0), row(3, 1), row(3, 2)], 4, 3)
    }

    fn arrival(rate: &str) -> ArrivalSpec {
        ArrivalSpec { probability: 0.4, rate: rate.to_owned() }
    }

    #[test]
    fn all_users_with_enough_history_once() {
        let spec = PopulationSpec { users: None, min_history: 2 };
        let found = Population::draw(&log(), &spec, &arrival("log"), &Streams::new(1, 0)).unwrap();
        assert_eq!(*found.sources, [LogUserId(0), LogUserId(3)]);
        // 3 and 2 interactions, mean 2.5
        assert!((found.rates[0] - 0.48).abs() < 1e-12 && (found.rates[1] - 0.32).abs() < 1e-12);
        assert_eq!(found.weight, 1.0);
        let spec = PopulationSpec { users: None, min_history: 4 };
        assert!(Population::draw(&log(), &spec, &arrival("log"), &Streams::new(1, 0)).is_none());
    }

    #[test]
    fn a_sample_differs_between_replications_and_not_otherwise() {
        let spec = PopulationSpec { users: Some(50), min_history: 1 };
        let draw = |replication| {
            Population::draw(&log(), &spec, &arrival("uniform"), &Streams::new(1, replication)).unwrap().sources
        };
        assert_eq!(draw(0), draw(0));
        assert_ne!(draw(0), draw(1));
        assert_eq!(draw(0).len(), 50);
    }
}

//! A repeated trial of a run, with the target policy observing.

use super::OffPolicyError;
use super::passenger::{Found, Passenger, Problem};
use super::replay::Replay;
use crate::experiment::{Experiment, ExperimentError, Progress, TickDone, TrialRecord};
use crate::log::{DigestState, EventBatch, EventSink, LogError};
use crate::scenario::PolicySpec;
use std::sync::PoisonError;

/// Repeats a trial with the target policy observing.
pub(super) fn ride(
    experiment: &Experiment,
    from: &PolicySpec,
    target: &PolicySpec,
    draws: u32,
    record: &TrialRecord,
    progress: &dyn Progress,
) -> Result<Replay, OffPolicyError> {
    let replication = record.replication;
    let Some(population) = experiment.population(replication) else { return Ok(Replay::default()) };
    let build = |spec| experiment.policy(spec, replication, &population);
    let (passenger, found) = Passenger::new(build(from)?, build(target)?, draws);
    let mut digest = DigestSink::default();
    let mut trial = experiment.trial_of(Box::new(passenger), &from.name, replication, &population, &mut digest)?;
    for tick in 0..record.ticks {
        trial.tick().map_err(ExperimentError::from)?;
        if let Some(problem) = found.lock().unwrap_or_else(PoisonError::into_inner).problem.take() {
            return Err(refusal(problem, from, target, replication));
        }
        let steps = trial.events().len() as u64;
        progress.tick(&TickDone { policy: &from.name, replication, tick, steps });
    }
    drop(trial);
    let digest = digest.0.finish().to_string();
    if digest != record.digest {
        let (policy, stored) = (from.name.clone(), record.digest.clone());
        return Err(OffPolicyError::Differs { policy, replication, stored, found: digest });
    }
    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
    let Found { replay, .. } = std::mem::take(&mut *found);
    Ok(replay)
}

fn refusal(problem: Problem, from: &PolicySpec, target: &PolicySpec, replication: u32) -> OffPolicyError {
    match problem {
        Problem::LogUnknown => OffPolicyError::LogUnknown { policy: from.name.clone() },
        Problem::TargetUnknown => OffPolicyError::TargetUnknown { policy: target.name.clone() },
        Problem::TargetFailed { tick, user, problem } => {
            OffPolicyError::TargetFailed { policy: target.name.clone(), replication, tick, user, problem }
        }
    }
}

/// Hashes events and drops them.
#[derive(Default)]
struct DigestSink(DigestState);

impl EventSink for DigestSink {
    fn write(&mut self, batch: &EventBatch) -> Result<(), LogError> {
        self.0.update(batch);
        Ok(())
    }
}

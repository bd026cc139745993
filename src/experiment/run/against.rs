//! Metrics relative to a policy, such as regret.

use super::{TrialOutcome, TrialResult};
use crate::experiment::prepare::Experiment;
use crate::metrics::regret::subtracted;
use std::collections::BTreeMap;

impl Experiment {
    /// Completes the metrics that are measured against a policy, now that its trials are done.
    pub(super) fn set_against(&self, trials: &mut [TrialOutcome]) {
        for (metric, kind) in self.metrics().iter().enumerate() {
            let Some(wanted) = kind.against else { continue };
            let policy = self.scenario.policies.iter().position(|spec| spec.kind == wanted);
            let is_it = |trial: &&TrialOutcome| Some(trial.policy) == policy;
            let parts: BTreeMap<u32, Part> = trials
                .iter()
                .filter(is_it)
                .filter_map(|trial| Some((trial.replication, trial.part(metric)?)))
                .collect();
            for trial in trials.iter_mut() {
                let part = parts.get(&trial.replication).cloned().unwrap_or_default();
                if let Some(Ok(finished)) = &mut trial.finished {
                    part.set_against(&mut finished.result, metric);
                }
            }
        }
    }
}

impl TrialOutcome {
    /// The values of a metric.
    fn part(&self, metric: usize) -> Option<Part> {
        let result = &self.finished.as_ref()?.as_ref().ok()?.result;
        let of_metric = result.ticks.iter().filter(|value| value.metric == metric);
        let ticks = of_metric.map(|value| (value.tick, value.value)).collect();
        Some(Part { ticks, last: result.finals.get(metric).copied().flatten() })
    }
}

/// The values of one metric in one trial, from which those of other trials are subtracted.
#[derive(Clone, Default)]
struct Part {
    ticks: BTreeMap<u32, Option<f64>>,
    last: Option<f64>,
}

impl Part {
    fn set_against(&self, result: &mut TrialResult, metric: usize) {
        for value in result.ticks.iter_mut().filter(|value| value.metric == metric) {
            value.value = subtracted(self.ticks.get(&value.tick).copied().flatten(), value.value);
        }
        if let Some(last) = result.finals.get_mut(metric) {
            *last = subtracted(self.last, *last);
        }
    }
}

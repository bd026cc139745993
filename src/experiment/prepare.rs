//! From a checked scenario to the shared inputs of its replications.

use super::acceptance::{AcceptanceRecord, Settled, settle};
use super::budget::{Budget, TooLarge, free_memory};
use super::probe::probe;
use super::providers;
use super::rankers::{RankerRecord, rankers};
use crate::dataset::{Catalogue, CutError, DataError, Dataset, FieldError, TrainingLog, categories_named};
use crate::dynamics::{DynamicContext, DynamicError, Dynamics};
use crate::metrics::{Background, MetricKind, Past};
use crate::policy::{Fits, PolicyError};
use crate::random::Streams;
use crate::registry::Registry;
use crate::scenario::Scenario;
use crate::simulation::{Population, StartingPoint, TickError};
use crate::user::{Calibrated, Card, UserContext, UserError, UserModel};
use std::sync::Arc;

/// An experiment that cannot be prepared or run.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// The data set cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The run needs more memory than there is.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The log cannot be cut as requested.
    #[error(transparent)]
    Cut(#[from] CutError),
    /// A field that the data do not have, or have with another type.
    #[error("{0} (`data.item_field`, `data.user_field`, `data.provider_field`)")]
    Field(#[from] FieldError),
    /// The user model cannot be loaded or failed on the probe.
    #[error(transparent)]
    User(#[from] UserError),
    /// No user can take part.
    #[error(
        "no user of {data} has `population.min_history` = {min_history} interactions before the cut; the most is {most}"
    )]
    NoUsers {
        /// The data set.
        data: String,
        /// The scenario's value.
        min_history: u32,
        /// The longest history.
        most: usize,
    },
    /// The slate is longer than the catalogue.
    #[error("`slate` is {slate}, but {data} has only {items} items")]
    SlateTooLong {
        /// The scenario's value.
        slate: usize,
        /// The data set.
        data: String,
        /// Its items.
        items: usize,
    },
    /// A policy cannot be built.
    #[error("policy `{policy}`: {source}")]
    Policy {
        /// Name of the policy.
        policy: String,
        /// The reason.
        source: PolicyError,
    },
    /// A dynamic cannot be built.
    #[error("dynamic `{dynamic}`: {source}")]
    Dynamic {
        /// Name of the dynamic.
        dynamic: String,
        /// The reason.
        source: DynamicError,
    },
    /// The user model has no tastes that could drift.
    #[error(
        "`interest_drift` and similar dynamics need a user model with drifting tastes, and `{kind}` has none; remove \
         the [[dynamic]] table, or set `user.kind` to \"parametric\" or \"mirror\""
    )]
    NoDrift {
        /// The user model.
        kind: &'static str,
    },
    /// A trial panicked: a defect of the policy, or of recmirror.
    #[error("policy `{policy}` panicked, which is a defect in its code or in recmirror's: {problem}")]
    Panic {
        /// Name of the policy.
        policy: String,
        /// The message of the panic.
        problem: String,
    },
    /// A policy failed in a replication that ran elsewhere.
    #[error("{problem}")]
    Elsewhere {
        /// The error message.
        problem: String,
    },
    /// Replications that ran elsewhere have a gap.
    #[error("replication {replication} is missing: the others cannot be compared without it")]
    Missing {
        /// The first missing replication.
        replication: u32,
    },
    /// A replication that ran elsewhere has other policies.
    #[error("replication {replication} has {found} policies and not {wanted}: it is of another scenario")]
    OtherExperiment {
        /// The replication.
        replication: u32,
        /// Its policies.
        found: usize,
        /// Policies of the scenario.
        wanted: usize,
    },
    /// The logs of a stopped run differ from its manifest.
    #[error(
        "policy `{policy}`, replication {replication}: the {what} that are stored are not those of the stopped run (another \
         digest); run the scenario again"
    )]
    Stopped {
        /// Name of the policy.
        policy: String,
        /// The replication.
        replication: u32,
        /// Events or decisions.
        what: &'static str,
    },
    /// A metric that does not exist.
    #[error(transparent)]
    Metric(#[from] crate::metrics::MetricError),
    /// A replication stopped.
    #[error(transparent)]
    Tick(#[from] TickError),
    /// Events cannot be stored.
    #[error(transparent)]
    Log(#[from] crate::log::LogError),
}

impl ExperimentError {
    /// True for a failure of a single policy: the others can continue.
    pub fn is_of_policy(&self) -> bool {
        matches!(
            self,
            ExperimentError::Policy { .. }
                | ExperimentError::Elsewhere { .. }
                | ExperimentError::Panic { .. }
                | ExperimentError::Tick(TickError::Policy { .. })
        )
    }
}

/// A scenario with its data, user model and starting point.
pub struct Experiment {
    /// The checked scenario.
    pub scenario: Scenario,
    /// The data set.
    pub data: Dataset,
    pub(super) registry: Arc<Registry>,
    pub(super) start: StartingPoint,
    pub(super) model: Arc<Calibrated>,
    forecast: Vec<String>,
    /// The share of facts about other users that is later than a user's own cut.
    pub(super) later_share: Option<f64>,
    /// The data that metrics may read.
    pub(super) past: Arc<Past>,
    card: Option<Card>,
    acceptance: AcceptanceRecord,
    /// The networks of policies, as they were before the run.
    pub(super) rankers: Vec<RankerRecord>,
    /// Models that policies fitted to the log.
    pub(super) fits: Fits,
    kinds: Vec<&'static MetricKind>,
}

impl Experiment {
    /// Reads the data, loads the user model, plays the log through it and sets the acceptance level.
    ///
    /// # Errors
    /// When the files do not fit the scenario.
    pub fn prepare(scenario: Scenario, registry: Registry) -> Result<Experiment, ExperimentError> {
        let family = Some(scenario.data.format.as_str()).filter(|name| *name != "auto");
        let data = registry.read(&scenario.data.path, family)?;
        Experiment::with_data(scenario, data, registry)
    }

    /// Like [`Experiment::prepare`], with a data set in memory; `data.path` is ignored.
    ///
    /// # Errors
    /// When the data do not fit the scenario.
    pub fn with_data(scenario: Scenario, data: Dataset, registry: Registry) -> Result<Experiment, ExperimentError> {
        Experiment::with_model(scenario, data, registry, None)
    }

    /// Like [`Experiment::with_data`], with users who follow `model`, if given; `user.kind` is then ignored.
    ///
    /// # Errors
    /// When the data do not fit the scenario.
    pub fn with_model(
        scenario: Scenario,
        data: Dataset,
        registry: Registry,
        model: Option<Arc<dyn UserModel>>,
    ) -> Result<Experiment, ExperimentError> {
        let budget = Budget::of(&scenario, &data, rayon::current_num_threads());
        let mut forecast = budget.check(scenario.engine.memory_mb, free_memory())?;
        let catalogue = Arc::new(catalogue(&scenario, &data)?);
        let split = data.split_by(scenario.data.holdout, scenario.data.cut)?;
        let later_share = split.later_share();
        let log = Arc::new(split.before);
        check_sizes(&scenario, &data, &log)?;
        let model = match model {
            Some(model) => model,
            None => user_model(&scenario, &registry, &data, &catalogue, &log)?,
        };
        let card = model.card().cloned();
        let start = StartingPoint::new(model.as_ref(), catalogue.clone(), log)?;
        let streams = Streams::new(scenario.seed, 0);
        let probe = probe(&scenario, &start, model.as_ref(), &streams);
        let Settled { model, record: acceptance } =
            settle(&scenario.user, scenario.slate, &data, &start, model, &probe, &streams)?;
        let (kinds, registry) = (registry.metrics_named(&scenario.metrics)?, Arc::new(registry));
        let mut past = Past::new(start.log.clone(), catalogue, data.user_fields.clone());
        past.like_level = acceptance.like_level;
        if !scenario.data.user_field.is_empty() {
            let named = categories_named(&data.user_fields, "users", &scenario.data.user_field)?;
            past.user_field = Some(named.name.clone());
        }
        let (rankers, notes) = rankers(&scenario);
        forecast.extend(notes);
        let (model, past) = (Arc::new(model), Arc::new(past));
        let experiment = Experiment {
            scenario,
            data,
            registry,
            start,
            model,
            later_share,
            forecast,
            past,
            card,
            rankers,
            acceptance,
            fits: Fits::default(),
            kinds,
        };
        // An error in a dynamic is reported before the run.
        if experiment.dynamics(0, 0)?.pulls() && !experiment.model.model().drifts() {
            return Err(ExperimentError::NoDrift { kind: experiment.model.model().kind() });
        }
        Ok(experiment)
    }

    /// Notes before the run: slow steps, large memory, and names of earlier versions.
    pub fn forecast(&self) -> &[String] {
        &self.forecast
    }

    /// The items with the roles that the scenario gives to their fields.
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.start.catalogue
    }

    /// The kinds that the scenario may name.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// The metrics of the scenario, in its order.
    pub fn metrics(&self) -> &[&'static MetricKind] {
        &self.kinds
    }

    /// The user model with its temperature and acceptance level.
    pub fn model(&self) -> &Calibrated {
        &self.model
    }

    /// The meaning of "accepted" in this experiment, and its level.
    pub fn acceptance(&self) -> &AcceptanceRecord {
        &self.acceptance
    }

    /// The users and the log at the start.
    pub fn start(&self) -> &StartingPoint {
        &self.start
    }

    /// The card of the user model, if it is a mirror.
    pub fn card(&self) -> Option<&Card> {
        self.card.as_ref()
    }

    /// The users of one replication.
    pub fn population(&self, replication: u32) -> Option<Population> {
        let streams = Streams::new(self.scenario.seed, replication);
        let spec = &self.scenario;
        let population = Population::draw(&self.start.log, &spec.population, &spec.arrival, &streams)?;
        if spec.dynamics.is_empty() {
            return Some(population);
        }
        // They were built before with the same parameters.
        let dynamics = self.dynamics(replication, population.sources.len()).ok()?;
        Some(population.changing(&self.start.log, &dynamics))
    }

    /// The dynamics of one replication at its start.
    ///
    /// # Errors
    /// When a dynamic cannot be built for this data.
    pub fn dynamics(&self, replication: u32, users: usize) -> Result<Dynamics, ExperimentError> {
        let context = DynamicContext {
            catalogue: self.start.catalogue.clone(),
            users,
            acceptance: self.acceptance.on_random_slates,
            ticks: self.scenario.ticks,
            tick_seconds: self.scenario.tick_seconds as i64,
            start: self.start.log.end(),
            streams: Streams::new(self.scenario.seed, replication),
        };
        let problem = |(dynamic, source)| ExperimentError::Dynamic { dynamic, source };
        Dynamics::new(&self.scenario.dynamics, self.registry.dynamics(), &context).map_err(problem)
    }

    /// The data that the metrics of a replication with these users may read before the first event.
    pub fn background(&self, population: &Population) -> Background {
        Background::new(population.sources.clone(), self.past.clone())
    }
}

/// The catalogue with the roles that the scenario names.
fn catalogue(scenario: &Scenario, data: &Dataset) -> Result<Catalogue, ExperimentError> {
    let mut catalogue = Catalogue::of(data);
    if !scenario.data.item_field.is_empty() {
        catalogue.set_category(&scenario.data.item_field)?;
    }
    providers::assign(&mut catalogue, &scenario.data.providers, scenario.seed)?;
    Ok(catalogue)
}

fn check_sizes(scenario: &Scenario, data: &Dataset, log: &TrainingLog) -> Result<(), ExperimentError> {
    if scenario.slate > data.items.len() {
        let (slate, items) = (scenario.slate, data.items.len());
        return Err(ExperimentError::SlateTooLong { slate, data: data.name.clone(), items });
    }
    let most = (0..log.users()).map(|user| log.of(crate::ids::LogUserId(user as u32)).len()).max().unwrap_or(0);
    let min_history = scenario.population.min_history;
    if most < min_history as usize || log.users() == 0 {
        return Err(ExperimentError::NoUsers { data: data.name.clone(), min_history, most });
    }
    Ok(())
}

fn user_model(
    scenario: &Scenario,
    registry: &Registry,
    data: &Dataset,
    catalogue: &Arc<Catalogue>,
    log: &Arc<TrainingLog>,
) -> Result<Arc<dyn UserModel>, UserError> {
    let spec = &scenario.user.model;
    let unknown = || UserError::Setup(format!("`user.kind` is `{}`, but no registered kind has this name", spec.kind));
    let kind = registry.user(&spec.kind).ok_or_else(unknown)?;
    let (slate, chunk, cache) = (scenario.slate, scenario.engine.chunk, scenario.engine.cache_mb << 20);
    kind.build(&spec.params, &UserContext { data, catalogue, log, slate, chunk, cache })
}

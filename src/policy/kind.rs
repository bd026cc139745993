//! The registry of policy kinds.

use super::{Fits, Policy, PolicyError};
use crate::dataset::{Catalogue, TrainingLog};
use crate::ids::LogUserId;
use crate::params::{Key, Parameters};
use crate::random::Streams;
use std::sync::Arc;

/// The data that a policy may read before the first step.
#[derive(Clone)]
pub struct PolicyContext {
    /// The items.
    pub catalogue: Arc<Catalogue>,
    /// The log before the start, by users of the data set.
    pub log: Arc<TrainingLog>,
    /// The data-set user whose history each simulated user starts with, indexed by [`UserId`](crate::ids::UserId).
    pub sources: Arc<[LogUserId]>,
    /// Slots of a slate.
    pub slate: usize,
    /// Seconds of one tick.
    pub tick_seconds: i64,
    /// The kinds of policy that may be inner policies.
    pub kinds: Arc<[PolicyKind]>,
    /// Random streams for initialisation; draws for users come from [`super::Request::rng`].
    pub streams: Streams,
    /// Models fitted to the log by the trials of an experiment, see [`PolicyContext::fit`].
    pub fits: Fits,
}

/// The parameters of a kind of policy, and its constructor.
pub trait BuildPolicy: Parameters {
    /// Builds the policy.
    ///
    /// # Errors
    /// When these parameters, or these data, do not allow such a policy.
    fn build(self, context: &PolicyContext) -> Result<Box<dyn Policy>, PolicyError>;
}

/// Builds a policy from the parameters of a scenario file.
type PolicyMaker = fn(&toml::Table, &PolicyContext) -> Result<Box<dyn Policy>, PolicyError>;

/// A kind of policy: its name in scenario files, its parameters, and how to build one.
#[derive(Clone, Copy, Debug)]
pub struct PolicyKind {
    /// The value of `kind`.
    pub name: &'static str,
    /// One line: what it does and the source.
    pub summary: &'static str,
    /// Its parameters with types, ranges and defaults.
    pub keys: &'static [Key],
    build: PolicyMaker,
}

impl PolicyKind {
    /// The kind with these parameters.
    pub const fn of<P: BuildPolicy>() -> PolicyKind {
        let build =
            |table: &toml::Table, context: &PolicyContext| P::read(table).map_err(PolicyError::of)?.build(context);
        PolicyKind { name: P::NAME, summary: P::SUMMARY, keys: P::KEYS, build }
    }

    /// Builds a policy from a table of its keys; missing keys have their defaults.
    ///
    /// # Errors
    /// When a key without a default is absent, a value has another type, or these parameters and data do not allow a
    /// policy.
    pub fn build(&self, table: &toml::Table, context: &PolicyContext) -> Result<Box<dyn Policy>, PolicyError> {
        (self.build)(table, context)
    }
}

impl PolicyContext {
    /// Builds an inner policy from its table: `kind` and its keys.
    ///
    /// # Errors
    /// When there is no such kind, or it cannot be built.
    pub fn inner(&self, table: &toml::Table) -> Result<Box<dyn Policy>, PolicyError> {
        let name = table.get("kind").and_then(toml::Value::as_str).unwrap_or_default();
        let kind = self
            .kinds
            .iter()
            .find(|kind| kind.name == name)
            .ok_or_else(|| PolicyError::new(format!("kind `{name}` is not registered")))?;
        kind.build(table, self).map_err(|problem| problem.inside(format_args!("`{name}`")))
    }
}

/// Builds a policy of the embedding program, once a replication.
pub type Factory = Arc<dyn Fn(&PolicyContext) -> Result<Box<dyn Policy>, PolicyError> + Send + Sync>;

/// A [`Factory`] from a function: `factory(|context| Ok(Newest::new(context)))`.
pub fn factory<P: Policy + 'static>(
    build: impl Fn(&PolicyContext) -> Result<P, PolicyError> + Send + Sync + 'static,
) -> Factory {
    Arc::new(move |context| Ok(Box::new(build(context)?)))
}

/// One `[[policy]]` table.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicySpec {
    /// Unique name; by default the kind.
    pub name: String,
    /// A kind of the registry.
    pub kind: String,
    /// Its parameters, defaults filled in.
    pub params: toml::Table,
}

/// All kinds that ship with the crate, in the order of the reference file. A new one is a file and a line.
pub fn all() -> &'static [PolicyKind] {
    static ALL: &[PolicyKind] = &[
        PolicyKind::of::<super::random::RandomSpec>(),
        PolicyKind::of::<super::popular::PopularSpec>(),
        PolicyKind::of::<super::item_mean::ItemMeanSpec>(),
        PolicyKind::of::<super::item_knn::ItemKnnSpec>(),
        PolicyKind::of::<super::user_knn::UserKnnSpec>(),
        PolicyKind::of::<super::ease::EaseSpec>(),
        PolicyKind::of::<super::ials::IalsSpec>(),
        PolicyKind::of::<super::biased_mf::BiasedMfSpec>(),
        PolicyKind::of::<super::bpr::BprSpec>(),
        PolicyKind::of::<super::markov::MarkovSpec>(),
        PolicyKind::of::<super::linucb::LinucbSpec>(),
        PolicyKind::of::<super::thompson::ThompsonSpec>(),
        PolicyKind::of::<super::ucb::UcbSpec>(),
        PolicyKind::of::<super::epsilon_greedy::EpsilonGreedySpec>(),
        PolicyKind::of::<super::mmr::MmrSpec>(),
        PolicyKind::of::<super::calibrated::CalibratedSpec>(),
        PolicyKind::of::<super::mix::MixSpec>(),
        PolicyKind::of::<super::oracle::OracleSpec>(),
        PolicyKind::of::<super::onnx::OnnxSpec>(),
        PolicyKind::of::<super::external::ExternalSpec>(),
    ];
    ALL
}

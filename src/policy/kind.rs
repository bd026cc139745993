//! The registry of policy kinds.

use super::{Fits, Policy, PolicyError};
use crate::dataset::{Catalogue, TrainingLog};
use crate::ids::LogUserId;
use crate::params::{Key, Params};
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
    /// Seconds that one tick stands for.
    pub tick_seconds: i64,
    /// The kinds of policy that may be inside a policy.
    pub kinds: Arc<[PolicyKind]>,
    /// Random streams for initialisation; draws for users come from [`super::Request::rng`].
    pub streams: Streams,
    /// What the trials of an experiment have learned from the log, see [`PolicyContext::fit`].
    pub fits: Fits,
}

/// Builds a policy from checked parameters.
pub type Build = fn(&Params<'_>, &PolicyContext) -> Result<Box<dyn Policy>, PolicyError>;

/// A kind of policy: its name in scenario files, its parameters, and how to build one.
#[derive(Clone)]
pub struct PolicyKind {
    /// The value of `kind`.
    pub name: &'static str,
    /// One line: what it does and the source.
    pub summary: &'static str,
    /// Its parameters with types, ranges and defaults.
    pub keys: &'static [Key],
    /// Builds it.
    pub build: Build,
}

impl PolicyKind {
    /// Parameters that hold the default of every key; a key that must be given is absent.
    pub fn defaults(&self) -> toml::Table {
        let value_of = |key: &Key| Some((key.name.to_owned(), key.kind.default_value()?));
        self.keys.iter().filter_map(value_of).collect()
    }
}

impl PolicyContext {
    /// Builds a policy inside a policy from its table: `kind` and its keys.
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
        let mut params = kind.defaults();
        params.extend(table.iter().map(|(key, value)| (key.clone(), value.clone())));
        (kind.build)(&Params::new(&params), self).map_err(|problem| problem.inside(format_args!("`{name}`")))
    }
}

/// Builds a policy of the program that embeds the simulator, once a replication.
pub type Factory = Arc<dyn Fn(&PolicyContext) -> Result<Box<dyn Policy>, PolicyError> + Send + Sync>;

/// A [`Factory`] of a function: `factory(|context| Ok(Newest::new(context)))`.
pub fn factory<P: Policy + 'static>(
    build: impl Fn(&PolicyContext) -> Result<P, PolicyError> + Send + Sync + 'static,
) -> Factory {
    Arc::new(move |context| Ok(Box::new(build(context)?)))
}

/// One `[[policy]]` table.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicySpec {
    /// Unique name; the kind when not given.
    pub name: String,
    /// A kind of the registry.
    pub kind: String,
    /// Its parameters, defaults filled in.
    pub params: toml::Table,
}

/// All kinds that ship with the crate, in the order of the reference file. A new one is a file and a line.
pub fn all() -> &'static [PolicyKind] {
    static ALL: &[PolicyKind] = &[
        super::random::KIND,
        super::popular::KIND,
        super::item_mean::KIND,
        super::item_knn::KIND,
        super::user_knn::KIND,
        super::ease::KIND,
        super::ials::KIND,
        super::biased_mf::KIND,
        super::bpr::KIND,
        super::markov::KIND,
        super::linucb::KIND,
        super::thompson::KIND,
        super::ucb::KIND,
        super::epsilon_greedy::KIND,
        super::mmr::KIND,
        super::calibrated::KIND,
        super::mix::KIND,
        super::oracle::KIND,
        super::onnx::KIND,
        super::external::KIND,
    ];
    ALL
}

//! Which kinds of policy there are and how a scenario's `[[policy]]` table becomes one.

use super::Policy;
use crate::dataset::{Catalogue, TrainingLog};
use crate::ids::UserId;
use crate::random::Streams;
use crate::scenario::{Key, Params};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a policy may know before the first tick.
#[derive(Clone)]
pub struct PolicyContext {
    /// The items.
    pub catalogue: Arc<Catalogue>,
    /// What happened before the start, by users of the data set.
    pub log: Arc<TrainingLog>,
    /// The data-set user whose history each simulated user starts with, indexed by simulated [`UserId`].
    pub sources: Arc<[UserId]>,
    /// Slots of a slate.
    pub slate: usize,
    /// Seconds that one tick stands for.
    pub tick_seconds: i64,
    /// The kinds of policy that may stand inside a policy.
    pub registry: Arc<Registry>,
    /// Random streams for initialisation; draws for users come from [`super::Request::rng`].
    pub streams: Streams,
}

/// A policy that cannot be built from its parameters.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PolicyError(pub String);

impl PolicyError {
    /// Another error as the reason.
    pub fn of(problem: impl std::fmt::Display) -> PolicyError {
        PolicyError(problem.to_string())
    }
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
        let kind = self.registry.get(name).ok_or_else(|| PolicyError(format!("kind `{name}` is not registered")))?;
        let mut params = kind.defaults();
        params.extend(table.iter().map(|(key, value)| (key.clone(), value.clone())));
        (kind.build)(&Params::new(&params), self)
            .map_err(|PolicyError(problem)| PolicyError(format!("`{name}`: {problem}")))
    }
}

/// Builds a policy of the program that embeds the simulator, once a replication.
pub type Factory = Arc<dyn Fn(&PolicyContext) -> Result<Box<dyn Policy>, PolicyError> + Send + Sync>;

/// The kinds of policy that a scenario may name, and the policies of the program that embeds the simulator.
#[derive(Clone)]
pub struct Registry {
    kinds: Vec<PolicyKind>,
    own: BTreeMap<String, Factory>,
}

impl Registry {
    /// All kinds that ship with the crate.
    pub fn builtin() -> Registry {
        Registry {
            kinds: vec![
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
            ],
            own: BTreeMap::new(),
        }
    }

    /// Adds a policy that code builds and no scenario file can name; one of the same name is replaced.
    pub fn with_policy(mut self, name: &str, factory: Factory) -> Registry {
        self.own.insert(name.to_owned(), factory);
        self
    }

    /// What builds the policy that [`Registry::with_policy`] added under this name.
    pub fn own(&self, name: &str) -> Option<&Factory> {
        self.own.get(name)
    }

    /// Adds a kind of your own; a kind of the same name is replaced.
    pub fn with(mut self, kind: PolicyKind) -> Registry {
        self.kinds.retain(|known| known.name != kind.name);
        self.kinds.push(kind);
        self
    }

    /// The kind with this name.
    pub fn get(&self, name: &str) -> Option<&PolicyKind> {
        self.kinds.iter().find(|kind| kind.name == name)
    }

    /// All kinds, in the order of registration.
    pub fn kinds(&self) -> &[PolicyKind] {
        &self.kinds
    }
}

impl Default for Registry {
    fn default() -> Self {
        Registry::builtin()
    }
}

//! A kind of dynamic: its name, its parameters, and its constructor.

use super::Dynamic;
use crate::dataset::Catalogue;
use crate::params::{Key, Kind, Parameters};
use crate::random::Streams;
use std::sync::Arc;

/// The parameters of a kind of dynamic, and how they become one. A number without a default is a strength: its range begins
/// at 0, and with all strengths at 0 the dynamic changes nothing.
pub trait BuildDynamic: Parameters {
    /// Builds the dynamic.
    ///
    /// # Errors
    /// When these parameters, or this data, make no such dynamic.
    fn build(self, context: &DynamicContext) -> Result<Box<dyn Dynamic>, DynamicError>;
}

/// Builds a dynamic from the parameters of a scenario file.
type DynamicMaker = fn(&toml::Table, &DynamicContext) -> Result<Box<dyn Dynamic>, DynamicError>;

/// A kind of dynamic.
#[derive(Clone, Copy, Debug)]
pub struct DynamicKind {
    /// The value of `kind`.
    pub name: &'static str,
    /// One line: what it does and the source.
    pub summary: &'static str,
    /// Its parameters with types, ranges and defaults.
    pub keys: &'static [Key],
    build: DynamicMaker,
}

impl DynamicKind {
    /// The kind with these parameters.
    pub const fn of<P: BuildDynamic>() -> DynamicKind {
        let build = |table: &toml::Table, context: &DynamicContext| {
            P::read(table).map_err(|problem| DynamicError(problem.to_string()))?.build(context)
        };
        DynamicKind { name: P::NAME, summary: P::SUMMARY, keys: P::KEYS, build }
    }

    /// Builds a dynamic from a table of its keys; what the table does not have takes its default.
    ///
    /// # Errors
    /// When a strength is absent, a value has another type, or these parameters and this data make no dynamic.
    pub fn build(&self, table: &toml::Table, context: &DynamicContext) -> Result<Box<dyn Dynamic>, DynamicError> {
        (self.build)(table, context)
    }

    /// The numbers that say how much of it there is: those without a default.
    pub fn strengths(&self) -> impl Iterator<Item = &'static str> + use<> {
        let is_strength = |key: &&Key| matches!(key.kind, Kind::Number { default: None, .. });
        self.keys.iter().filter(is_strength).map(|key| key.name)
    }
}

/// The data that a dynamic may read before the first step.
#[derive(Clone)]
pub struct DynamicContext {
    /// The items.
    pub catalogue: Arc<Catalogue>,
    /// Simulated users.
    pub users: usize,
    /// The scenario's acceptance level: how often users accept something from a random slate.
    pub acceptance: f64,
    /// Horizon.
    pub ticks: u32,
    /// Seconds of a tick.
    pub tick_seconds: i64,
    /// Milliseconds since 1970 at tick 0.
    pub start: i64,
    /// Random streams of this dynamic.
    pub streams: Streams,
}

/// A number of a dynamic that cannot be what it should be.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("dynamic `{dynamic}`, user {user}: {what} is {value}, expected {expected}")]
pub struct DynamicFault {
    /// The dynamic's name in the scenario.
    pub dynamic: String,
    /// The user, numbered within the population.
    pub user: u32,
    /// The name of the number.
    pub what: &'static str,
    /// The number.
    pub value: f64,
    /// The allowed numbers.
    pub expected: &'static str,
}

/// A dynamic that cannot be built from its parameters, or not for this data.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DynamicError(pub String);

/// One `[[dynamic]]` table.
#[derive(Clone, Debug, PartialEq)]
pub struct DynamicSpec {
    /// Unique name; the kind when not given.
    pub name: String,
    /// A kind of [`crate::Registry::dynamics`].
    pub kind: String,
    /// Its parameters, defaults filled in.
    pub params: toml::Table,
}

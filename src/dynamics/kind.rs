//! A kind of dynamic: its name, its parameters, and its constructor.

use super::Dynamic;
use crate::dataset::Catalogue;
use crate::params::{Key, Params};
use crate::random::Streams;
use std::sync::Arc;

/// Builds a dynamic from checked parameters.
pub type Build = fn(&Params<'_>, &DynamicContext) -> Result<Box<dyn Dynamic>, DynamicError>;

/// A kind of dynamic.
#[derive(Clone, Debug)]
pub struct DynamicKind {
    /// The value of `kind`.
    pub name: &'static str,
    /// One line: what it does and the source.
    pub summary: &'static str,
    /// Its parameters with types, ranges and defaults.
    pub keys: &'static [Key],
    /// The numbers among the keys that say how much of it there is: with all of them at 0 the kind changes nothing. They
    /// have no default other than 0.
    pub strengths: &'static [&'static str],
    /// Builds it.
    pub build: Build,
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
    /// What it says.
    pub what: &'static str,
    /// What it says it is.
    pub value: f64,
    /// What it may be.
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

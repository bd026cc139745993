//! Evaluation of recommender policies on simulated users.
//!
//! A feedback log becomes users, items and a user model; policies serve the users; responses, metrics and comparisons
//! come back. The same seed gives the same digest on one machine, whatever the number of threads and whether the crate,
//! Python or the command line runs it.
//!
//! # An environment, stepped from outside
//!
//! An [`environment::Environment`] asks for slates and returns the users' responses:
//!
//! ```
#![doc = include_str!("../examples/environment.rs")]
//! ```
//!
//! # An experiment: policies x replications
//!
//! An [`experiment::Experiment`] lets policies meet the same users with the same random numbers, and `report::write` makes
//! the folder of the run with tables and a report:
//!
#![cfg_attr(feature = "all", doc = "```")]
#![cfg_attr(not(feature = "all"), doc = "```ignore")]
#![doc = include_str!("../examples/experiment.rs")]
//! ```
//!
//! # Kinds of your own
//!
//! Policies, user models, dynamics, metrics and readers of data sets are in one [`Registry`]. A program adds a kind of each
//! sort in a file and a line, and scenario files, `--set`, the JSON Schema and messages know it: `examples/custom_policy.rs`,
//! `custom_user.rs`, `custom_dynamic.rs`, `custom_metric.rs`, `custom_reader.rs`.
//!
//! # Modules
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`environment`], [`experiment`] | what a program drives, and `report` for readers |
//! | [`dataset`] | feedback logs of any form, read into one type |
//! | [`policy`] | recommender policies |
//! | [`user`] | user models: parametric, mirror (ONNX), language |
//! | [`dynamics`] | what changes during a run |
//! | [`metrics`] | what a run is judged by |
//! | [`scenario`] | the same settings as files |
//! | [`log`] | events: what was shown and what came back |
//! | [`registry`], [`params`] | kinds, and their keys |
//! | `fit`, `align`, `validate`, `off_policy` | learning a user model, and how far to trust it |
//! | `pipeline`, `language` | the pipeline that makes training data for language models |
//! | [`simulation`] | the users of a replication, and the stages of one step |
//! | [`scene`], [`onnx`], [`random`], [`files`], [`ids`] | what the rest is on |
//!
//! With `default-features = false` the crate is the environment, experiments, policies, metrics, dynamics, and parametric and
//! mirror users, without the client of servers, tokenizers, templates, reports and the command line.

// The few helpers that only the left-out modules call.
#![cfg_attr(not(feature = "all"), allow(dead_code, unused_imports))]

// The macros of `params` name the crate as programs do.
extern crate self as recmirror;

#[cfg(feature = "all")]
pub mod align;
#[cfg(feature = "all")]
mod augment;
mod card_header;
#[cfg(feature = "all")]
pub mod cli;
pub mod dataset;
pub mod dynamics;
pub mod environment;
pub mod experiment;
pub mod files;
#[cfg(feature = "all")]
pub mod fit;
mod guard;
pub mod ids;
#[cfg(feature = "all")]
mod jinja;
#[cfg(feature = "all")]
pub mod language;
mod linalg;
pub mod log;
pub mod metrics;
#[cfg(feature = "all")]
pub mod off_policy;
pub mod onnx;
pub mod params;
#[cfg(feature = "all")]
pub mod pipeline;
pub mod policy;
pub mod random;
pub mod registry;
#[cfg(feature = "all")]
pub mod report;
pub mod scenario;
pub mod scene;
pub mod simulation;
#[cfg(feature = "all")]
mod story;
pub mod user;
#[cfg(feature = "all")]
pub mod validate;

pub use self::registry::Registry;

/// The Rust of the guides, run as doc tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/guides/own-policy.md")]
pub struct OwnPolicyGuide;

/// The Rust of the guide on embedding.
#[cfg(doctest)]
#[doc = include_str!("../docs/guides/embedding.md")]
pub struct EmbeddingGuide;

/// The usual imports of a program: `use recmirror::prelude::*`.
pub mod prelude {
    pub use crate::Registry;
    pub use crate::dataset::Dataset;
    pub use crate::environment::{Environment, EnvironmentError, Observation, Outcome};
    pub use crate::experiment::{Experiment, Results, Run, RunEvent, RunFolder};
    pub use crate::ids::{ItemId, LogUserId, UserId};
    pub use crate::log::EventBatch;
    pub use crate::policy::{
        Policy, PolicyContext, PolicyError, Request, Requests, SlateRow, Slates, factory, rank_candidates,
    };
}

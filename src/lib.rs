//! Evaluates recommender policies over long horizons on simulated users that mirror real ones.

pub mod align;
mod card;
pub mod cli;
pub mod dataset;
pub mod dynamics;
pub mod environment;
pub mod experiment;
pub mod files;
pub mod fit;
pub mod ids;
pub mod language;
pub mod linalg;
pub mod log;
pub mod metrics;
pub mod mirror;
pub mod off_policy;
pub mod onnx;
pub mod policy;
pub mod random;
pub mod report;
pub mod scenario;
pub mod scene;
pub mod story;
pub mod tick;
pub mod user;
pub mod world;

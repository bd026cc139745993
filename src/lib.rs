//! Evaluates recommender policies over long horizons on simulated users that mirror real ones.

pub mod dataset;
pub mod experiment;
pub mod ids;
pub mod log;
pub mod metrics;
pub mod policy;
pub mod random;
pub mod report;
pub mod scenario;

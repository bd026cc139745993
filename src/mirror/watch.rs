//! How far a stage is: `files` has it, so that `dataset` can tell of its progress too.

pub use crate::files::{Quiet, Watch};

//! Scenes: the memory of a user (profile and history) and a slate.
//!
//! The simulation builds scenes from live state, the pipeline builds them from logs; both use the
//! features of this module, so training and simulation cannot drift apart.

mod basis;
mod batch;
mod encoding;
mod features;
mod field_features;
mod neighbours;
mod sampled_lists;
mod unit;
mod vectors;

pub use self::basis::{VectorBasis, VectorCoverage};
pub use self::batch::{SceneBatch, SceneDraws};
pub use self::encoding::{
    Drift, Encoded, Encoding, EncodingError, EncodingOptions, FieldEncoding, LIMIT, SkippedField,
};
pub use self::features::{CONTEXT, context};
pub(crate) use self::features::{LogClock, PopularityClock};
pub(crate) use self::field_features::FieldFeatures;
pub(crate) use self::neighbours::CoOccurrence;
pub use self::sampled_lists::{ListBuilder, ListKind, ListScene, ListShape, SeenInLog};
pub(crate) use self::unit::unit_fields;
pub use self::vectors::item_vectors;
pub(crate) use self::vectors::{FOLDS, fold_of, vector_tables};

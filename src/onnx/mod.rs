//! The interface to ONNX Runtime.
//!
//! Nothing outside this module names `ort`.

#[cfg(feature = "all")]
mod causal;
mod elf;
#[cfg(feature = "all")]
mod encoder;
mod graph;
mod inspection;
mod layout;
mod memory;
mod model_file;
mod model_proto;
mod operators;
mod protobuf;
mod prune;
mod row_rule;
mod runtime;
#[cfg(test)]
pub(crate) mod testing_graphs;
mod values;
mod watch;

#[cfg(feature = "all")]
pub(crate) use self::causal::{CausalGraph, Piece, Sequences};
#[cfg(feature = "all")]
pub(crate) use self::encoder::Encoder;
pub use self::graph::{Graph, GraphSpec, Port};
pub use self::model_file::weights_of;
pub(crate) use self::model_proto::{Axis, GraphWriter};
pub(crate) use self::row_rule::{check_rows, row_bits};
pub use self::runtime::{Attempt, Runtime, library_name};
pub(crate) use self::watch::on_hang;

/// Errors between a model file and its numbers.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// No usable runtime library.
    #[error("ONNX Runtime cannot be loaded; run `make runtime` (fetches the pinned version), then `recmirror doctor`\n{}", attempts.iter().map(|attempt| format!("  {attempt}")).collect::<Vec<_>>().join("\n"))]
    NoRuntime {
        /// The places searched, and the problem with each.
        attempts: Vec<Attempt>,
    },
    /// A model file cannot be loaded.
    #[error("cannot load {}: {problem}", path.display())]
    Load {
        /// The file.
        path: std::path::PathBuf,
        /// The reason.
        problem: String,
    },
    /// A graph's inputs or outputs differ from its card.
    #[error("{}: {problem}", path.display())]
    Contract {
        /// The file.
        path: std::path::PathBuf,
        /// The tensor and the difference.
        problem: String,
    },
    /// Inference failed.
    #[error("inference in {} failed: {problem}", path.display())]
    Run {
        /// The file.
        path: std::path::PathBuf,
        /// The reason.
        problem: String,
    },
}

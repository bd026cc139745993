//! A graph with its external weights.
//!
//! ONNX Runtime would search the current folder for weights, where others may put files. Here weights must be in the
//! graph's folder, and the hashed bytes are the bytes that run.

use super::inspection::inspect;
use super::prune::prune;
use super::watch::{OF_GRAPH, WatchedSession};
use super::{OnnxError, Runtime};
use crate::files::{read_bounded, sha256};
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The most bytes of a graph and its weights that are read into memory.
const MOST_BYTES: u64 = 1 << 30;

/// The most bytes of a graph whose weights ONNX Runtime reads itself: the limit of protocol buffers.
const MOST_OF_GRAPH: u64 = (1 << 31) - 1;

/// A graph and its weights.
pub(super) struct ModelFile {
    path: PathBuf,
    graph: Vec<u8>,
    /// By their names in the graph.
    weights: BTreeMap<String, Arc<[u8]>>,
}

impl ModelFile {
    /// Reads the graph at `path` and its weights.
    ///
    /// # Errors
    /// When a file cannot be read, lies outside the graph's folder, or the graph is refused.
    pub(super) fn read(path: &Path) -> Result<ModelFile, OnnxError> {
        let fail = |path: &Path, problem: String| OnnxError::Load { path: path.to_owned(), problem };
        let graph = read_bounded(path, MOST_BYTES).map_err(|problem| fail(path, problem.to_string()))?;
        let (mut weights, mut left) = (BTreeMap::new(), MOST_BYTES - graph.len() as u64);
        for name in inspect(&graph).map_err(|problem| fail(path, problem))? {
            let file = beside(path, &name).map_err(|problem| fail(path, problem))?;
            let bytes = read_bounded(&file, left).map_err(|problem| fail(&file, problem.to_string()))?;
            left -= bytes.len() as u64;
            weights.insert(name, bytes.into());
        }
        Ok(ModelFile { path: path.to_owned(), graph, weights })
    }

    /// The file of the graph.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The same graph with these outputs alone; `None` if it cannot be cut.
    pub(super) fn part(&self, outputs: &[&str]) -> Option<ModelFile> {
        let graph = prune(&self.graph, outputs).ok().flatten()?;
        Some(ModelFile { path: self.path.clone(), graph, weights: self.weights.clone() })
    }

    /// The sha256 of each weight file, by its name.
    pub(super) fn hashes(&self) -> BTreeMap<String, String> {
        self.weights.iter().map(|(name, bytes)| (name.clone(), sha256(bytes))).collect()
    }

    /// A session with one thread.
    ///
    /// # Errors
    /// When the runtime refuses the graph.
    pub(super) fn open(&self, runtime: &Runtime) -> Result<WatchedSession, OnnxError> {
        self.open_within(runtime, OF_GRAPH)
    }

    /// Like [`ModelFile::open`], with a limit in seconds for the load and each call.
    pub(super) fn open_within(&self, runtime: &Runtime, seconds: u64) -> Result<WatchedSession, OnnxError> {
        let prepare = || -> ort::Result<SessionBuilder> {
            let builder = Session::builder(&runtime.environment)?.with_intra_threads(1)?.with_inter_threads(1)?;
            // Their memory is bounded.
            let mut builder = builder.with_env_allocators()?.with_optimization_level(GraphOptimizationLevel::All)?;
            for (name, bytes) in &self.weights {
                builder = builder.with_external_initializer_file_in_memory(name, Arc::clone(bytes))?;
            }
            Ok(builder)
        };
        let fail = |problem: ort::Error| OnnxError::Load { path: self.path.clone(), problem: problem.to_string() };
        let builder = prepare().map_err(fail)?;
        WatchedSession::open(&self.path, seconds, builder, |builder| builder.commit_from_memory(&self.graph))
    }
}

/// The names of the weight files of the graph at `path`, in its folder. The graph is inspected.
///
/// # Errors
/// When the graph cannot be read or is refused, or a file lies outside the folder.
pub fn weights_of(path: &Path) -> Result<Vec<String>, OnnxError> {
    let fail = |problem: String| OnnxError::Load { path: path.to_owned(), problem };
    let graph = read_bounded(path, MOST_OF_GRAPH).map_err(|problem| fail(problem.to_string()))?;
    let names = inspect(&graph).map_err(fail)?;
    names.into_iter().map(|name| beside(path, &name).map(|_| name).map_err(fail)).collect()
}

/// The file `name` in the folder of the graph.
fn beside(graph: &Path, name: &str) -> Result<PathBuf, String> {
    let inside = |part: Component<'_>| matches!(part, Component::Normal(_));
    if name.is_empty() || !Path::new(name).components().all(inside) {
        return Err(format!("it keeps weights in `{name}`, which is not a file in its folder"));
    }
    let folder = graph.parent().unwrap_or(Path::new(""));
    let path = folder.join(name);
    let real = |path: &Path| path.canonicalize().map_err(|problem| format!("it keeps weights in `{name}`: {problem}"));
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    if real(&path)?.starts_with(real(here)?) {
        return Ok(path);
    }
    Err(format!("it keeps weights in `{name}`, a link that leaves its folder; copy the file into the folder"))
}

//! One ONNX graph: checked against its contract at load, run by any thread in chunks of fixed size.

use super::{OnnxError, Runtime};
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session, SessionInputValue};
use ort::value::{TensorElementType, TensorRef, ValueType};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, TryLockError};

/// A tensor of a graph: its name and its size after the batch dimension (-1 = any).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The tensor's name.
    pub name: String,
    /// Its dimensions after the first.
    pub shape: Vec<i64>,
}

/// What a graph must look like. All tensors are `f32` and start with the batch dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphSpec {
    /// Inputs, in the order of the arguments of [`Graph::run`].
    pub inputs: Vec<Port>,
    /// Outputs, in the order in which [`Graph::run`] gives them.
    pub outputs: Vec<Port>,
}

/// A loaded graph with one session for each worker thread.
pub struct Graph {
    path: PathBuf,
    spec: GraphSpec,
    sessions: Vec<Mutex<Session>>,
}

impl Graph {
    /// Loads `path` and checks it against `spec`.
    ///
    /// # Errors
    /// No runtime, an unreadable file, or a tensor that differs from the contract.
    pub fn load(path: &Path, spec: GraphSpec, workers: usize) -> Result<Graph, OnnxError> {
        let runtime = Runtime::get()?;
        let fail = |problem: String| OnnxError::Load { path: path.to_owned(), problem };
        let bytes = std::fs::read(path).map_err(|problem| fail(problem.to_string()))?;
        let mut sessions = Vec::with_capacity(workers.max(1));
        for _ in 0..workers.max(1) {
            let session = open(runtime, &bytes).map_err(fail)?;
            sessions.push(Mutex::new(session));
        }
        let graph = Graph { path: path.to_owned(), spec, sessions };
        graph.check()?;
        Ok(graph)
    }

    fn check(&self) -> Result<(), OnnxError> {
        let session = self.lock(0);
        for (kind, ports, outlets) in
            [("input", &self.spec.inputs, session.inputs()), ("output", &self.spec.outputs, session.outputs())]
        {
            for port in ports {
                let outlet = outlets.iter().find(|outlet| outlet.name() == port.name);
                let known = || outlets.iter().map(|outlet| outlet.name()).collect::<Vec<_>>().join(", ");
                let outlet = outlet
                    .ok_or_else(|| self.broken(format!("no {kind} `{}`; the graph has: {}", port.name, known())))?;
                check_type(port, outlet.dtype()).map_err(|problem| self.broken(format!("{kind} {problem}")))?;
            }
            if let Some(extra) = outlets.iter().find(|outlet| ports.iter().all(|port| port.name != outlet.name())) {
                return Err(self.broken(format!("unexpected {kind} `{}`", extra.name())));
            }
        }
        Ok(())
    }

    fn broken(&self, problem: String) -> OnnxError {
        OnnxError::Contract { path: self.path.clone(), problem }
    }

    /// A session that is free, the worker's own first: workers of several pools have the same numbers.
    fn lock(&self, worker: usize) -> std::sync::MutexGuard<'_, Session> {
        let (own, count) = (worker % self.sessions.len(), self.sessions.len());
        for place in (0..count).map(|step| (own + step) % count) {
            match self.sessions[place].try_lock() {
                Ok(session) => return session,
                // It only says that another thread panicked; a session keeps no state between runs.
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.sessions[own].lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Runs the graph on one chunk. `inputs` are the tensors in the order of the contract, each with its shape;
    /// `read` gets the outputs in the order of the contract.
    ///
    /// # Errors
    /// When the runtime refuses or fails.
    pub fn run<R>(&self, inputs: &[(&[i64], &[f32])], read: impl FnOnce(&[&[f32]]) -> R) -> Result<R, OnnxError> {
        let fail = |problem: ort::Error| OnnxError::Run { path: self.path.clone(), problem: problem.to_string() };
        let mut values: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = Vec::with_capacity(inputs.len());
        for (port, &(shape, data)) in self.spec.inputs.iter().zip(inputs) {
            let tensor = TensorRef::from_array_view((shape, data)).map_err(fail)?;
            values.push((Cow::Borrowed(port.name.as_str()), tensor.into()));
        }
        let mut session = self.lock(rayon::current_thread_index().unwrap_or(0));
        let outputs = session.run(values).map_err(fail)?;
        let mut slices = Vec::with_capacity(self.spec.outputs.len());
        for port in &self.spec.outputs {
            let value = outputs.get(&port.name).ok_or_else(|| self.broken(format!("no output `{}`", port.name)))?;
            slices.push(value.try_extract_tensor::<f32>().map_err(fail)?.1);
        }
        Ok(read(&slices))
    }
}

pub(super) fn open(runtime: &Runtime, bytes: &[u8]) -> Result<Session, String> {
    let builder = Session::builder(&runtime.environment).map_err(|problem| problem.to_string())?;
    let builder = builder.with_intra_threads(1).map_err(|problem| problem.to_string())?;
    let builder = builder.with_inter_threads(1).map_err(|problem| problem.to_string())?;
    let mut builder =
        builder.with_optimization_level(GraphOptimizationLevel::All).map_err(|problem| problem.to_string())?;
    builder.commit_from_memory(bytes).map_err(|problem| problem.to_string())
}

fn check_type(port: &Port, found: &ValueType) -> Result<(), String> {
    let ValueType::Tensor { ty, shape, .. } = found else {
        return Err(format!("`{}` is not a tensor", port.name));
    };
    if *ty != TensorElementType::Float32 {
        return Err(format!("`{}` has type {ty:?}, expected Float32", port.name));
    }
    let rank = port.shape.len() + 1;
    let agrees = |(wanted, found): (&i64, &i64)| *wanted < 0 || *found < 0 || wanted == found;
    if shape.len() != rank || !port.shape.iter().zip(shape[1..].iter()).all(agrees) {
        let wanted =
            port.shape.iter().map(|size| format!(", {}", if *size < 0 { "any".to_owned() } else { size.to_string() }));
        let wanted: String = wanted.collect();
        return Err(format!("`{}` has shape {:?}, expected [batch{wanted}]", port.name, &shape[..]));
    }
    Ok(())
}

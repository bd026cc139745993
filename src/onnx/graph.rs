//! One ONNX graph, checked against its contract.

use super::model_file::ModelFile;
use super::watch::WatchedSession;
use super::{OnnxError, Runtime};
use ort::session::SessionInputValue;
use ort::value::{TensorElementType, TensorRef, ValueType};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, TryLockError};

/// A tensor of a graph: its name and its size after the batch dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The tensor's name.
    pub name: String,
    /// Its dimensions after the first: a size, [`Port::SLOTS`] or [`Port::SLOTS_AND_NONE`].
    pub shape: Vec<i64>,
}

impl Port {
    /// A dimension of any size, equal in all tensors of a call.
    pub const SLOTS: i64 = -1;
    /// One more than [`Port::SLOTS`].
    pub const SLOTS_AND_NONE: i64 = -2;
}

/// The required signature of a graph. All tensors are `f32` and start with the batch dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphSpec {
    /// Inputs, in the order of the arguments of [`Graph::run`].
    pub inputs: Vec<Port>,
    /// Outputs, in the order in which [`Graph::run`] passes them.
    pub outputs: Vec<Port>,
}

/// A loaded graph with one session for each worker thread.
pub struct Graph {
    path: PathBuf,
    spec: GraphSpec,
    weights: BTreeMap<String, String>,
    sessions: Vec<Mutex<WatchedSession>>,
}

impl Graph {
    /// Loads `path` and checks it against `spec`.
    ///
    /// # Errors
    /// No runtime, an unreadable file, or a tensor that differs from the contract.
    pub fn load(path: &Path, spec: GraphSpec, workers: usize) -> Result<Graph, OnnxError> {
        Graph::open(&ModelFile::read(path)?, spec, workers)
    }

    /// Loads `path`, checks it against `spec`, and also loads a part for each of its outputs, which computes that output
    /// alone. No parts if the graph cannot be cut.
    ///
    /// # Errors
    /// Those of [`Graph::load`].
    pub(crate) fn load_with_parts(
        path: &Path,
        spec: GraphSpec,
        workers: usize,
    ) -> Result<(Graph, Vec<Graph>), OnnxError> {
        let file = ModelFile::read(path)?;
        let part = |output: &Port| {
            let spec = GraphSpec { inputs: spec.inputs.clone(), outputs: vec![output.clone()] };
            file.part(&[&output.name]).and_then(|part| Graph::open(&part, spec, workers).ok())
        };
        let graph = Graph::open(&file, spec.clone(), workers)?;
        let parts: Option<Vec<Graph>> = spec.outputs.iter().map(part).collect();
        Ok((graph, parts.unwrap_or_default()))
    }

    fn open(file: &ModelFile, spec: GraphSpec, workers: usize) -> Result<Graph, OnnxError> {
        let runtime = Runtime::get()?;
        let sessions = (0..workers.max(1)).map(|_| Ok(Mutex::new(file.open(runtime)?)));
        let sessions = sessions.collect::<Result<Vec<_>, OnnxError>>()?;
        let graph = Graph { path: file.path().to_owned(), spec, weights: file.hashes(), sessions };
        graph.check()?;
        Ok(graph)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The weight files beside it, each with its sha256.
    pub fn weights(&self) -> &BTreeMap<String, String> {
        &self.weights
    }

    fn check(&self) -> Result<(), OnnxError> {
        let opened = self.lock(0);
        let session = opened.session();
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

    /// A free session, the worker's own first: workers of several pools share numbers.
    fn lock(&self, worker: usize) -> std::sync::MutexGuard<'_, WatchedSession> {
        let (own, count) = (worker % self.sessions.len(), self.sessions.len());
        for place in (0..count).map(|step| (own + step) % count) {
            match self.sessions[place].try_lock() {
                Ok(session) => return session,
                // A poisoned lock only means that another thread panicked; a session has no state between runs.
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.sessions[own].lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Runs the graph on one chunk. `inputs` are the tensors in the order of the contract, each with its shape; `read`
    /// receives the outputs in the order of the contract, each of the contract's size.
    ///
    /// # Errors
    /// When the runtime fails, or an output has another shape than in the contract.
    pub fn run<R>(&self, inputs: &[(&[i64], &[f32])], read: impl FnOnce(&[&[f32]]) -> R) -> Result<R, OnnxError> {
        let failed = |problem: String| OnnxError::Run { path: self.path.clone(), problem };
        let fail = |problem: ort::Error| failed(super::memory::error_message(&problem.to_string()));
        let mut values: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = Vec::with_capacity(inputs.len());
        for (port, &(shape, data)) in self.spec.inputs.iter().zip(inputs) {
            let tensor = TensorRef::from_array_view((shape, data)).map_err(fail)?;
            values.push((Cow::Borrowed(port.name.as_str()), tensor.into()));
        }
        let mut session = self.lock(rayon::current_thread_index().unwrap_or(0));
        let outputs = session.run(values).map_err(failed)?;
        let mut slices = Vec::with_capacity(self.spec.outputs.len());
        for port in &self.spec.outputs {
            let value = outputs.get(&port.name).ok_or_else(|| self.broken(format!("no output `{}`", port.name)))?;
            let (shape, data) = value.try_extract_tensor::<f32>().map_err(fail)?;
            let wanted = self.promised(port, inputs);
            if shape[..] != wanted[..] || data.len() as i64 != wanted.iter().product::<i64>() {
                let found = &shape[..];
                return Err(self.broken(format!("output `{}` has shape {found:?}, expected {wanted:?}", port.name)));
            }
            slices.push(data);
        }
        Ok(read(&slices))
    }

    /// Like [`Graph::run`], for a graph whose outputs are finite numbers.
    ///
    /// # Errors
    /// Those of [`Graph::run`], and a number that is not finite.
    pub fn run_finite<R>(
        &self,
        inputs: &[(&[i64], &[f32])],
        read: impl FnOnce(&[&[f32]]) -> R,
    ) -> Result<R, OnnxError> {
        self.run(inputs, |outputs| {
            for (port, data) in self.spec.outputs.iter().zip(outputs) {
                if let Some(place) = data.iter().position(|value| !value.is_finite()) {
                    let rows = inputs.first().and_then(|(shape, _)| shape.first()).map_or(1, |&rows| rows.max(1));
                    let row = place / (data.len() / rows as usize).max(1);
                    let problem =
                        format!("output `{}` has {} in row {row}, expected finite numbers", port.name, data[place]);
                    return Err(self.broken(problem));
                }
            }
            Ok(read(outputs))
        })?
    }

    /// The expected shape of an output for these inputs.
    fn promised(&self, port: &Port, inputs: &[(&[i64], &[f32])]) -> Vec<i64> {
        let rows = inputs.first().and_then(|(shape, _)| shape.first()).copied().unwrap_or(0);
        let given = self.spec.inputs.iter().zip(inputs);
        let mut sizes = given.flat_map(|(port, (shape, _))| port.shape.iter().zip(shape.iter().skip(1)));
        let slots = sizes.find(|(wanted, _)| **wanted == Port::SLOTS).map_or(0, |(_, &size)| size);
        let size = |&wanted: &i64| match wanted {
            Port::SLOTS => slots,
            Port::SLOTS_AND_NONE => slots + 1,
            size => size,
        };
        std::iter::once(rows).chain(port.shape.iter().map(size)).collect()
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::testing_graphs::has_runtime;
    use crate::onnx::testing_graphs::{GraphBuilder, INT64, floats, inside, int, outside, tensor};

    fn port(name: &str, shape: &[i64]) -> Port {
        Port { name: name.to_owned(), shape: shape.to_vec() }
    }

    /// `x` [n, k] in, `y` of this shape out.
    fn spec(shape: &[i64]) -> GraphSpec {
        GraphSpec { inputs: vec![port("x", &[Port::SLOTS])], outputs: vec![port("y", shape)] }
    }

    fn load(graph: &GraphBuilder, spec: GraphSpec) -> Result<Graph, OnnxError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("g.onnx");
        graph.write(&path);
        Graph::load(&path, spec, 1)
    }

    fn run(graph: &Graph, rows: usize, slots: usize) -> Result<Vec<f32>, OnnxError> {
        let data: Vec<f32> = (0..rows * slots).map(|place| place as f32).collect();
        graph.run(&[(&[rows as i64, slots as i64], &data)], |found| found[0].to_vec())
    }

    #[test]
    fn an_output_of_another_shape_is_an_error_at_every_call() {
        if !has_runtime() {
            return;
        }
        let base = || GraphBuilder::default().input("x", &[-1, -2]).output("y", &[-1, -3]);
        let same = load(&base().node("Relu", &["x"], "y"), spec(&[Port::SLOTS])).expect("a graph");
        assert_eq!(run(&same, 2, 3).expect("an answer"), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        let more = |axis: i64| base().node_with("Concat", &["x", "x"], "y", &[int("axis", axis)]);
        for (graph, wanted, expected) in [
            (more(1), vec![Port::SLOTS], "[2, 6], expected [2, 3]"),
            (more(1), vec![Port::SLOTS_AND_NONE], "[2, 6], expected [2, 4]"),
            (more(1), vec![5], "[2, 6], expected [2, 5]"),
            (more(0), vec![Port::SLOTS], "[4, 3], expected [2, 3]"),
            // The expected number of values, in another order.
            (base().node("Transpose", &["x"], "y"), vec![Port::SLOTS], "[3, 2], expected [2, 3]"),
        ] {
            let graph = load(&graph, spec(&wanted)).expect("a graph");
            for _ in 0..2 {
                let problem = run(&graph, 2, 3).expect_err("another shape").to_string();
                assert!(problem.contains(&format!("g.onnx: output `y` has shape {expected}")), "{problem}");
            }
            // For one slot the doubled size equals the expected "slots + 1".
            assert_eq!(run(&graph, 2, 1).is_ok(), wanted == [Port::SLOTS_AND_NONE], "{expected}");
        }
    }

    #[test]
    fn numbers_that_are_not_finite_are_an_error_with_their_row() {
        if !has_runtime() {
            return;
        }
        let graph = GraphBuilder::default().input("x", &[-1, -2]).output("y", &[-1, -2]).node("Log", &["x"], "y");
        let graph = load(&graph, spec(&[Port::SLOTS])).expect("a graph");
        for (value, expected) in [(-1.0_f32, "NaN in row 1"), (0.0, "-inf in row 1"), (f32::INFINITY, "inf in row 1")] {
            let data = [1.0, 2.0, 3.0, value];
            let problem = graph.run_finite(&[(&[2, 2], &data)], |_| ()).expect_err("not finite").to_string();
            assert!(problem.contains(&format!("g.onnx: output `y` has {expected}")), "{problem}");
        }
        assert!(graph.run_finite(&[(&[2, 2], &[1.0; 4])], |_| ()).is_ok());
    }

    /// A graph that adds the numbers of a file, and a folder for both.
    fn with_weights(location: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let graph = GraphBuilder::default().input("x", &[-1, 2]).output("y", &[-1, 2]);
        let path = folder.path().join("model/g.onnx");
        std::fs::create_dir(folder.path().join("model")).expect("a folder");
        graph.tensor(&outside("w", &[2], location)).node("Add", &["x", "w"], "y").write(&path);
        (folder, path)
    }

    fn spec_of_two() -> GraphSpec {
        GraphSpec { inputs: vec![port("x", &[2])], outputs: vec![port("y", &[2])] }
    }

    #[test]
    fn weights_are_read_beside_the_graph_and_nowhere_else() {
        if !has_runtime() {
            return;
        }
        let (folder, path) = with_weights("w.bin");
        let weights = floats(&[10.0, 20.0]);
        // A file in the current folder does not belong to the model.
        let own = std::path::Path::new("w.bin");
        assert!(!own.exists());
        let problem = Graph::load(&path, spec_of_two(), 1).err().expect("no weights").to_string();
        assert!(problem.contains("g.onnx: it keeps weights in `w.bin`"), "{problem}");
        std::fs::write(folder.path().join("model/w.bin"), &weights).expect("written");
        let graph = Graph::load(&path, spec_of_two(), 2).expect("a graph");
        let found = graph.run(&[(&[1, 2], &[1.0, 2.0])], |found| found[0].to_vec()).expect("an answer");
        assert_eq!(found, [11.0, 22.0]);
        let wanted = [("w.bin".to_owned(), crate::files::sha256(&weights))];
        assert_eq!(graph.weights(), &wanted.into());
    }

    #[test]
    fn weights_outside_the_folder_are_refused() {
        if !has_runtime() {
            return;
        }
        let weights = floats(&[10.0, 20.0]);
        for location in ["../w.bin", "/etc/hostname", "", ".", "a/../../w.bin"] {
            let (folder, path) = with_weights(location);
            std::fs::write(folder.path().join("w.bin"), &weights).expect("written");
            let problem = Graph::load(&path, spec_of_two(), 1).err().expect("outside").to_string();
            assert!(problem.contains("which is not a file in its folder"), "{location}: {problem}");
            assert!(crate::onnx::weights_of(&path).is_err(), "{location}");
        }
        #[cfg(unix)]
        {
            let (folder, path) = with_weights("w.bin");
            std::fs::write(folder.path().join("w.bin"), &weights).expect("written");
            std::os::unix::fs::symlink("../w.bin", folder.path().join("model/w.bin")).expect("a link");
            let problem = Graph::load(&path, spec_of_two(), 1).err().expect("outside").to_string();
            assert!(problem.contains("a link that leaves its folder"), "{problem}");
            let (_folder, path) = with_weights("w.bin");
            std::os::unix::fs::symlink("/dev/zero", path.with_file_name("w.bin")).expect("a link");
            assert!(Graph::load(&path, spec_of_two(), 1).is_err());
        }
    }

    #[test]
    fn memory_has_a_limit_at_load_and_at_a_call() {
        if !has_runtime() {
            return;
        }
        let base = || GraphBuilder::default().input("x", &[-1, -2]).output("y", &[-1, -2]);
        // 2^20 x 2^20 floats: 4 TiB.
        let one = inside("", 1, &[1], &floats(&[1.0]));
        let at_load = base()
            .ints("size", &[1 << 20, 1 << 20])
            .node_with("ConstantOfShape", &["size"], "big", &[tensor("value", &one)])
            .ints("axes", &[0, 1])
            .node_with("ReduceSum", &["big", "axes"], "sum", &[int("keepdims", 0)])
            .node("Add", &["x", "sum"], "y");
        let problem = load(&at_load, spec(&[Port::SLOTS])).and_then(|graph| run(&graph, 2, 2)).expect_err("too large");
        assert!(problem.to_string().contains("RECMIRROR_GRAPH_MEMORY_MB"), "{problem}");
        let at_a_call = base()
            .node_with("Cast", &["x"], "i", &[int("to", INT64 as i64)])
            .ints("flat", &[-1])
            .node("Reshape", &["i", "flat"], "size")
            .node("ConstantOfShape", &["size"], "big")
            .ints("axes", &[0, 1])
            .node_with("ReduceSum", &["big", "axes"], "sum", &[int("keepdims", 0)])
            .node("Add", &["x", "sum"], "y");
        let graph = load(&at_a_call, spec(&[Port::SLOTS])).expect("a graph");
        let ask = |size: f32| graph.run(&[(&[1, 2], &[size, size])], |found| found[0].to_vec());
        assert_eq!(ask(3.0).expect("a small one"), [3.0, 3.0]);
        let problem = ask(1_048_576.0).expect_err("too large").to_string();
        assert!(problem.contains("RECMIRROR_GRAPH_MEMORY_MB"), "{problem}");
        assert_eq!(ask(3.0).expect("it goes on"), [3.0, 3.0]);
    }
}

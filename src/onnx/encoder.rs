//! Text encoders: tokens to one vector each.

use super::model_file::ModelFile;
use super::watch::WatchedSession;
use super::{OnnxError, Runtime};
use ort::session::{Session, SessionInputValue};
use ort::value::{TensorElementType, TensorRef, ValueType};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

const IDS: &str = "input_ids";
const MASK: &str = "attention_mask";
const KINDS: &str = "token_type_ids";
const OUTPUT: &str = "last_hidden_state";

/// A loaded encoder with one session for each worker thread: `input_ids`, `attention_mask` and, if the graph has it,
/// `token_type_ids` (all `i64`, `[batch, tokens]`) -> `last_hidden_state` (`f32`, `[batch, tokens, width]`).
pub struct Encoder {
    path: PathBuf,
    width: usize,
    kinds: bool,
    weights: BTreeMap<String, String>,
    sessions: Vec<Mutex<WatchedSession>>,
}

impl Encoder {
    /// Loads `path` and checks its tensors.
    ///
    /// # Errors
    /// No runtime, an unreadable file, or a graph that is no such encoder.
    pub fn load(path: &Path, workers: usize) -> Result<Encoder, OnnxError> {
        let runtime = Runtime::get()?;
        let file = ModelFile::read(path)?;
        let sessions = (0..workers.max(1)).map(|_| file.open(runtime)).collect::<Result<Vec<_>, OnnxError>>()?;
        let broken = |problem: String| OnnxError::Contract { path: path.to_owned(), problem };
        let (width, kinds) = check(sessions[0].session()).map_err(broken)?;
        let sessions = sessions.into_iter().map(Mutex::new).collect();
        Ok(Encoder { path: path.to_owned(), width, kinds, weights: file.hashes(), sessions })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The weight files beside it, each with its sha256.
    pub fn weights(&self) -> &BTreeMap<String, String> {
        &self.weights
    }

    /// Numbers in a token's vector.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Runs `rows` texts of `tokens` tokens each; `read` gets `[rows, tokens, width]`.
    ///
    /// # Errors
    /// When the runtime fails, or the output has another shape or numbers that are not finite.
    pub fn run<R>(
        &self,
        rows: usize,
        ids: &[i64],
        mask: &[i64],
        read: impl FnOnce(&[f32]) -> R,
    ) -> Result<R, OnnxError> {
        let failed = |problem: String| OnnxError::Run { path: self.path.clone(), problem };
        let fail = |problem: ort::Error| failed(super::memory::error_message(&problem.to_string()));
        let shape = [rows as i64, (ids.len() / rows.max(1)) as i64];
        let kinds = vec![0; ids.len()];
        let mut values: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = Vec::with_capacity(3);
        for (name, data) in [(IDS, ids), (MASK, mask), (KINDS, &kinds)] {
            if name != KINDS || self.kinds {
                let tensor = TensorRef::from_array_view((&shape[..], data)).map_err(fail)?;
                values.push((Cow::Borrowed(name), tensor.into()));
            }
        }
        let mut session = self.lock();
        let outputs = session.run(values).map_err(failed)?;
        let broken = |problem: String| OnnxError::Contract { path: self.path.clone(), problem };
        let output = outputs.get(OUTPUT).ok_or_else(|| broken(format!("no output `{OUTPUT}`")))?;
        let (found_shape, found) = output.try_extract_tensor::<f32>().map_err(fail)?;
        let wanted = [shape[0], shape[1], self.width as i64];
        if found_shape[..] != wanted || found.len() != ids.len() * self.width {
            return Err(broken(format!("output `{OUTPUT}` has shape {:?}, expected {wanted:?}", &found_shape[..])));
        }
        if let Some(value) = found.iter().find(|value| !value.is_finite()) {
            return Err(broken(format!("output `{OUTPUT}` has {value}, expected finite numbers")));
        }
        Ok(read(found))
    }

    fn lock(&self) -> MutexGuard<'_, WatchedSession> {
        let worker = rayon::current_thread_index().unwrap_or(0);
        // A poisoned lock only means that another thread panicked; a session has no state between runs.
        self.sessions[worker % self.sessions.len()].lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The width of the output, and true if the graph takes token types.
fn check(session: &Session) -> Result<(usize, bool), String> {
    let inputs = session.inputs();
    for name in [IDS, MASK] {
        if !inputs.iter().any(|input| input.name() == name) {
            let known: Vec<&str> = inputs.iter().map(|input| input.name()).collect();
            return Err(format!("no input `{name}`; the graph has: {}", known.join(", ")));
        }
    }
    for input in inputs {
        if ![IDS, MASK, KINDS].contains(&input.name()) {
            return Err(format!("unexpected input `{}`", input.name()));
        }
        if !matches!(input.dtype(), ValueType::Tensor { ty: TensorElementType::Int64, .. }) {
            return Err(format!("input `{}` is {}, expected a tensor of Int64", input.name(), input.dtype()));
        }
    }
    let output = session.outputs().iter().find(|output| output.name() == OUTPUT);
    let output = output.ok_or_else(|| format!("no output `{OUTPUT}`"))?;
    let ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } = output.dtype() else {
        return Err(format!("output `{OUTPUT}` is {}, expected a tensor of Float32", output.dtype()));
    };
    match shape[..] {
        [_, _, width] if width > 0 => Ok((width as usize, inputs.iter().any(|input| input.name() == KINDS))),
        _ => Err(format!("output `{OUTPUT}` has shape {:?}, expected [batch, tokens, a fixed width]", &shape[..])),
    }
}

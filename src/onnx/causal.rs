//! A causal language model: tokens to logits.
//!
//! Any export with the names of Hugging Face Optimum runs; missing or additional tensors are reported at load. The
//! runtime reads weights from files in the graph's folder.
//!
//! Each worker has one session with one thread. The bits of a token depend only on the tokens before it, if the number
//! of rows of a call, texts times tokens, is a multiple of [`CausalGraph::STEP`] (prompts) or of [`CausalGraph::ROWS`]
//! (a token for each of several texts): the kernels of the runtime process rows in blocks, and another kernel computes
//! a single row or a remainder. This is checked here and tested.

use super::layout::{Layout, past, present};
use super::watch::{OF_LANGUAGE_MODEL, WatchedSession};
use super::{OnnxError, Runtime};
use half::f16;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionInputValue, SessionOutputs};
use ort::value::{DynValue, Tensor, TensorRef, ValueType};
use std::borrow::Cow;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

/// A loaded graph.
pub struct CausalGraph {
    path: PathBuf,
    layout: Layout,
    /// Logits of a token; set after the first run.
    vocabulary: OnceLock<usize>,
    sessions: Vec<Mutex<WatchedSession>>,
}

/// The keys and values of texts of equal length.
pub struct Sequences {
    /// Keys and values of each layer, `[rows, heads, tokens, size]`.
    values: Vec<DynValue>,
    rows: usize,
    tokens: usize,
}

/// Keys and values of some tokens, from [`CausalGraph::read`], and the number of leading tokens to use.
#[derive(Clone, Copy)]
pub struct Piece<'a> {
    /// `[layers and parts, heads, tokens, size]`.
    pub data: &'a [f32],
    /// Tokens in it.
    pub tokens: usize,
    /// Leading tokens to use.
    pub taken: usize,
}

impl Sequences {
    /// Tokens of each text.
    pub fn tokens(&self) -> usize {
        self.tokens
    }
}

impl CausalGraph {
    /// The tokens of a prompt come in multiples of this.
    pub const STEP: usize = 16;
    /// Texts that grow by a token each come in multiples of this.
    pub const ROWS: usize = 4;

    /// Loads `path` with a session for each of `workers`.
    ///
    /// # Errors
    /// No runtime, an unreadable file, a refused graph, or one that is no causal language model.
    pub fn load(path: &Path, workers: usize) -> Result<CausalGraph, OnnxError> {
        let runtime = Runtime::get()?;
        super::weights_of(path)?;
        let open = || open(runtime, path);
        let first = open()?;
        let layout = Layout::of(first.session());
        let layout = layout.map_err(|problem| OnnxError::Contract { path: path.to_owned(), problem })?;
        let mut sessions = vec![Mutex::new(first)];
        for _ in 1..workers {
            sessions.push(Mutex::new(open()?));
        }
        Ok(CausalGraph { path: path.to_owned(), layout, vocabulary: OnceLock::new(), sessions })
    }

    /// Numbers in a token's keys and values.
    pub fn token_width(&self) -> usize {
        2 * self.layout.layers * self.layout.heads * self.layout.size
    }

    /// Sessions, and so concurrent calls.
    pub fn workers(&self) -> usize {
        self.sessions.len()
    }

    /// `rows` texts, each of the same `pieces`.
    ///
    /// # Errors
    /// When the runtime fails.
    pub fn sequences(&self, pieces: &[Piece<'_>], rows: usize) -> Result<Sequences, OnnxError> {
        let Layout { layers, heads, size, .. } = self.layout;
        let tokens: usize = pieces.iter().map(|piece| piece.taken).sum();
        let shape = [rows as i64, heads as i64, tokens as i64, size as i64];
        let mut values = Vec::with_capacity(2 * layers);
        for part in 0..2 * layers {
            let mut data = Vec::with_capacity(rows * heads * tokens * size);
            for head in 0..heads {
                for piece in pieces {
                    let start = (part * heads + head) * piece.tokens * size;
                    data.extend_from_slice(piece.data.get(start..start + piece.taken * size).unwrap_or_default());
                }
            }
            for _ in 1..rows {
                data.extend_from_within(..heads * tokens * size);
            }
            values.push(self.value(shape, data)?);
        }
        Ok(Sequences { values, rows, tokens })
    }

    fn value(&self, shape: [i64; 4], data: Vec<f32>) -> Result<DynValue, OnnxError> {
        let made = if self.layout.half[0] {
            let data: Vec<f16> = data.into_iter().map(f16::from_f32).collect();
            Tensor::from_array((shape, data)).map(Tensor::into_dyn)
        } else {
            Tensor::from_array((shape, data)).map(Tensor::into_dyn)
        };
        made.map_err(|problem| self.failed(&problem))
    }

    /// The keys and values of the first text at these tokens: `[layers and parts, heads, tokens, size]`.
    ///
    /// # Errors
    /// When the runtime fails, or there are not so many tokens.
    pub fn read(&self, sequences: &Sequences, range: Range<usize>) -> Result<Vec<f32>, OnnxError> {
        let Layout { heads, size, .. } = self.layout;
        let mut all = Vec::with_capacity(self.token_width() * range.len());
        for value in &sequences.values {
            let (_, data) = self.floats(value, self.layout.half[0])?;
            for head in 0..heads {
                let start = head * sequences.tokens;
                let wanted = (start + range.start) * size..(start + range.end) * size;
                let found = data.get(wanted).filter(|_| range.end <= sequences.tokens);
                all.extend_from_slice(
                    found.ok_or_else(|| self.broken("keys and values of fewer tokens than asked for"))?,
                );
            }
        }
        Ok(all)
    }

    /// Reads the next `tokens`, `[rows, n]`, after those in `before`. Returns the logits after the `wanted` ones of the
    /// n tokens, `[rows, wanted, vocabulary]`, and the keys and values of all.
    ///
    /// # Errors
    /// When the runtime fails, or a shape differs from the expected one.
    pub fn run(
        &self,
        before: &Sequences,
        tokens: &[i64],
        wanted: Range<usize>,
    ) -> Result<(Vec<f32>, Sequences), OnnxError> {
        let rows = before.rows.max(1);
        let count = tokens.len() / rows;
        debug_assert!(count.is_multiple_of(Self::STEP) || count == 1 && rows.is_multiple_of(Self::ROWS));
        let total = before.tokens + count;
        let ids = [rows as i64, count as i64];
        let mask = vec![1_i64; rows * total];
        let places: Vec<i64> = (0..rows).flat_map(|_| before.tokens as i64..total as i64).collect();
        // The rows of the final product must be complete blocks, too.
        let kept = (count - wanted.start).next_multiple_of(Self::ROWS).min(count);
        let fail = |problem: ort::Error| self.failed(&problem);
        let tensor = |shape, data| TensorRef::from_array_view((shape, data)).map(SessionInputValue::from).map_err(fail);
        let mut inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = Vec::with_capacity(before.values.len() + 4);
        inputs.push(("input_ids".into(), tensor(&ids[..], tokens)?));
        let shape = [rows as i64, total as i64];
        if self.layout.mask {
            inputs.push(("attention_mask".into(), tensor(&shape[..], &mask)?));
        }
        if self.layout.positions {
            inputs.push(("position_ids".into(), tensor(&ids[..], &places)?));
        }
        let number = [kept as i64];
        if self.layout.keep {
            inputs.push(("num_logits_to_keep".into(), tensor(&[], &number)?));
        }
        for (place, value) in before.values.iter().enumerate() {
            inputs.push((past(place / 2, place % 2).into(), value.into()));
        }
        let mut session = self.lock();
        let failed = |problem| OnnxError::Run { path: self.path.clone(), problem };
        let mut outputs = session.run(inputs).map_err(failed)?;
        let logits = self.logits(&outputs, rows, if self.layout.keep { kept } else { count }, count, wanted)?;
        let values = self.presents(&mut outputs, [rows, total])?;
        Ok((logits, Sequences { values, rows, tokens: total }))
    }

    /// The logits of the wanted tokens, from those of the last `kept` of `count`.
    fn logits(
        &self,
        outputs: &SessionOutputs<'_>,
        rows: usize,
        kept: usize,
        count: usize,
        wanted: Range<usize>,
    ) -> Result<Vec<f32>, OnnxError> {
        let value = outputs.get("logits").ok_or_else(|| self.broken("no output `logits`"))?;
        let (shape, all) = self.floats(value, self.layout.half[1])?;
        let last = shape.last().map_or(0, |&size| size.max(0) as usize);
        let vocabulary = *self.vocabulary.get_or_init(|| last);
        if shape != [rows as i64, kept as i64, vocabulary as i64] || vocabulary == 0 {
            let wanted = format!(
                "[{rows}, {kept}, {}]",
                if vocabulary == 0 { "vocabulary".into() } else { vocabulary.to_string() }
            );
            return Err(self.broken(&format!("output `logits` has shape {shape:?}, expected {wanted}")));
        }
        let mut logits = Vec::with_capacity(rows * wanted.len() * vocabulary);
        for row in 0..rows {
            let place = |token: usize| (row * kept + token + kept - count) * vocabulary;
            let found = all.get(place(wanted.start)..place(wanted.end));
            logits.extend_from_slice(found.ok_or_else(|| self.broken("`logits` of fewer tokens than were given"))?);
        }
        Ok(logits)
    }

    fn presents(
        &self,
        outputs: &mut SessionOutputs<'_>,
        [rows, tokens]: [usize; 2],
    ) -> Result<Vec<DynValue>, OnnxError> {
        let Layout { layers, heads, size, .. } = self.layout;
        let wanted = [rows as i64, heads as i64, tokens as i64, size as i64];
        let one = |place: usize| {
            let name = present(place / 2, place % 2);
            let value = outputs.remove(&name).ok_or_else(|| self.broken(&format!("no output `{name}`")))?;
            let found = match value.dtype() {
                ValueType::Tensor { shape, .. } => &shape[..],
                _ => &[],
            };
            if found == wanted {
                return Ok(value);
            }
            Err(self.broken(&format!("output `{name}` has shape {found:?}, expected {wanted:?}")))
        };
        (0..2 * layers).map(one).collect()
    }

    /// The shape and the numbers of a tensor.
    fn floats<'a>(&self, value: &'a DynValue, half: bool) -> Result<(&'a [i64], Cow<'a, [f32]>), OnnxError> {
        let fail = |problem: ort::Error| self.failed(&problem);
        if half {
            let (shape, data) = value.try_extract_tensor::<f16>().map_err(fail)?;
            return Ok((shape, data.iter().map(|number| number.to_f32()).collect()));
        }
        let (shape, data) = value.try_extract_tensor::<f32>().map_err(fail)?;
        Ok((shape, Cow::Borrowed(data)))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, WatchedSession> {
        let worker = rayon::current_thread_index().unwrap_or(0);
        // A poisoned lock only means that another thread panicked; a session has no state between runs.
        self.sessions[worker % self.sessions.len()].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, problem: &ort::Error) -> OnnxError {
        OnnxError::Run { path: self.path.clone(), problem: problem.to_string() }
    }

    fn broken(&self, problem: &str) -> OnnxError {
        OnnxError::Contract { path: self.path.clone(), problem: problem.to_owned() }
    }
}

fn open(runtime: &Runtime, path: &Path) -> Result<WatchedSession, OnnxError> {
    let prepare = || -> ort::Result<SessionBuilder> {
        let builder = Session::builder(&runtime.environment)?.with_intra_threads(1)?.with_inter_threads(1)?;
        Ok(builder.with_optimization_level(GraphOptimizationLevel::All)?)
    };
    let fail = |problem: ort::Error| OnnxError::Load { path: path.to_owned(), problem: problem.to_string() };
    let builder = prepare().map_err(fail)?;
    WatchedSession::open(path, OF_LANGUAGE_MODEL, builder, |builder| builder.commit_from_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::testing_graphs::{GraphBuilder, INT64, has_runtime, int};

    /// A model of one layer, one head of 2 numbers and 8 tokens; `end` makes its outputs of `l`, `k` and `v`.
    fn load(end: impl Fn(GraphBuilder) -> GraphBuilder) -> CausalGraph {
        let numbers = |count: usize| (0..count).map(|place| (place * 7 % 5) as f32).collect::<Vec<f32>>();
        let graph = GraphBuilder::default()
            .typed_input("input_ids", INT64, &[-1, -2])
            .input("past_key_values.0.key", &[-1, 1, -3, 2])
            .input("past_key_values.0.value", &[-1, 1, -3, 2])
            .output("logits", &[-1, -2, -9])
            .output("present.0.key", &[-1, 1, -4, 2])
            .output("present.0.value", &[-1, 1, -4, 2])
            .floats("e", &[8, 8], &numbers(64))
            .floats("f", &[8, 2], &numbers(16))
            .ints("one", &[1])
            .node("Gather", &["e", "input_ids"], "l")
            .node("Gather", &["f", "input_ids"], "rows")
            .node("Unsqueeze", &["rows", "one"], "new")
            .node_with("Concat", &["past_key_values.0.key", "new"], "k", &[int("axis", 2)])
            .node_with("Concat", &["past_key_values.0.value", "new"], "v", &[int("axis", 2)])
            // Integers that are known only at run time.
            .ints("twice_last", &[1, 1, 2])
            .ints("twice_tokens", &[1, 1, 2, 1])
            .ints("zeros", &[0])
            .node_with("ReduceSum", &["input_ids"], "sum", &[int("keepdims", 0)])
            .node("Mul", &["sum", "zeros"], "zero")
            .node("Add", &["twice_last", "zero"], "repeat_last")
            .node("Add", &["twice_tokens", "zero"], "repeat_tokens");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("model.onnx");
        end(graph).write(&path);
        CausalGraph::load(&path, 1).unwrap_or_else(|problem| panic!("{problem}"))
    }

    fn named(graph: GraphBuilder, [logits, key, value]: [&str; 3]) -> GraphBuilder {
        let graph = graph.node("Identity", &[logits], "logits").node("Identity", &[key], "present.0.key");
        graph.node("Identity", &[value], "present.0.value")
    }

    fn run(graph: &CausalGraph) -> Result<usize, OnnxError> {
        let before = graph.sequences(&[], 1)?;
        let (logits, after) = graph.run(&before, &[3; CausalGraph::STEP], 0..CausalGraph::STEP)?;
        assert_eq!(graph.read(&after, 0..after.tokens())?.len(), graph.token_width() * CausalGraph::STEP);
        Ok(logits.len())
    }

    #[test]
    fn outputs_of_another_shape_are_an_error_at_every_call() {
        if !has_runtime() {
            return;
        }
        let whole = load(|graph| named(graph, ["l", "k", "v"]));
        assert_eq!(run(&whole).expect("an answer"), 8 * CausalGraph::STEP);
        let longer = |graph: GraphBuilder| {
            let graph = graph.node("Tile", &["k", "repeat_tokens"], "k2").node("Tile", &["v", "repeat_tokens"], "v2");
            graph.ints("to", &[1]).ints("from", &[0]).ints("axis", &[1]).node("Add", &["to", "zero"], "end")
        };
        for (names, expected) in [
            (["l", "k2", "v"], "output `present.0.key` has shape [1, 1, 32, 2], expected [1, 1, 16, 2]"),
            (["l", "k", "v2"], "output `present.0.value` has shape [1, 1, 32, 2], expected [1, 1, 16, 2]"),
            (["short", "k", "v"], "output `logits` has shape [1, 1, 8], expected [1, 16, 8]"),
            (["empty", "k", "v"], "output `logits` has shape [1, 16, 0], expected [1, 16, vocabulary]"),
        ] {
            let graph = load(|graph| {
                let graph = longer(graph).node("Slice", &["l", "from", "end", "axis"], "short");
                let graph = graph.ints("last", &[2]).node("Add", &["from", "zero"], "nowhere");
                named(graph.node("Slice", &["l", "from", "nowhere", "last"], "empty"), names)
            });
            for _ in 0..2 {
                let problem = run(&graph).expect_err(expected).to_string();
                assert!(problem.contains(expected), "{problem}");
            }
        }
    }

    #[test]
    fn the_number_of_logits_stays_the_same() {
        if !has_runtime() {
            return;
        }
        // As many logits as the text has earlier tokens, at most twice 8.
        let graph = load(|graph| {
            let graph = graph.node("Shape", &["past_key_values.0.key"], "shape").ints("two", &[2]).ints("eight", &[8]);
            let graph = graph.node("Gather", &["shape", "two"], "tokens").node("Add", &["tokens", "eight"], "count");
            let graph = graph.node("Tile", &["l", "repeat_last"], "wide").ints("start", &[0]);
            named(graph.node("Slice", &["wide", "start", "count", "two"], "growing"), ["growing", "k", "v"])
        });
        let tokens = [3; CausalGraph::STEP];
        let first = graph.sequences(&[], 1).expect("nothing");
        let (_, next) = graph.run(&first, &tokens, 0..1).expect("8 logits");
        let problem = graph.run(&next, &tokens, 0..1).err().expect("16 logits").to_string();
        assert!(problem.contains("output `logits` has shape [1, 16, 16], expected [1, 16, 8]"), "{problem}");
    }
}

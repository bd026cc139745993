//! Sentence embeddings by an ONNX model.
//!
//! The mean of the token vectors of a text, scaled to length 1 (the pooling of Reimers and Gurevych, "Sentence-BERT",
//! EMNLP 2019). A text is cut at 256 tokens.
//!
//! A text's vector depends on that text alone: it is padded to a length that follows from its own tokens, and runs in a
//! chunk of 32 rows, whatever the other rows are.

use super::super::spill::Record;
use crate::files::{FileError, MOST_OF_TEXT, MOST_OF_TOKENIZER, Partial, npy, read_bounded};
use crate::language::SafeTokenizer;
use crate::onnx::{Encoder, OnnxError, check_rows, row_bits};
use crate::pipeline::Watch;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Padded lengths in tokens; a text gets the smallest that holds it.
const LENGTHS: [usize; 5] = [16, 32, 64, 128, 256];
/// Rows of a chunk; the last is padded with copies.
const ROWS: usize = 32;
/// The most bytes of the model.
const MOST_OF_FILE: u64 = 1 << 30;
/// The most bytes of stored vectors.
const MOST_OF_VECTORS: u64 = 1 << 36;
/// Part of the key of stored vectors; increase it when the computation changes.
const VERSION: &str = "mean-pooling/1";

/// A failure to embed.
#[derive(Debug, thiserror::Error)]
pub enum EmbedderError {
    /// The folder has no embedder.
    #[error("{}: {problem}; `make embedder` builds one under .recmirror/embedder", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// A problem of the model or the runtime.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// A problem of a file of stored vectors.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A sentence encoder: a folder with `model.onnx` and `tokenizer.json`.
pub struct Embedder {
    encoder: Encoder,
    tokenizer: SafeTokenizer,
    /// The tokenizer's file.
    words: PathBuf,
    /// Hash of both files.
    hash: String,
}

/// The label beside stored vectors that identifies their texts.
#[derive(PartialEq, Serialize, Deserialize)]
struct Label {
    key: String,
    rows: usize,
    width: usize,
    blake3: String,
}

impl Embedder {
    /// Loads the model of a folder, with one session for each of `workers` threads.
    ///
    /// # Errors
    /// When a file is missing or wrong, the model mixes the rows of a call, or there is no ONNX Runtime.
    pub fn load(folder: &Path, workers: usize) -> Result<Embedder, EmbedderError> {
        let (model, words) = (folder.join("model.onnx"), folder.join("tokenizer.json"));
        let mut hasher = blake3::Hasher::new();
        let read =
            |path: &Path, most: u64| read_bounded(path, most).map_err(|problem| broken(path, problem.to_string()));
        hasher.update(&read(&model, MOST_OF_FILE)?);
        let bytes = read(&words, MOST_OF_TOKENIZER)?;
        hasher.update(&bytes);
        let tokenizer = SafeTokenizer::parse(&bytes, LENGTHS.last().copied());
        let tokenizer = tokenizer.map_err(|problem| broken(&words, problem))?;
        let encoder = Encoder::load(&model, workers)?;
        for (name, sha256) in encoder.weights() {
            hasher.update(name.as_bytes()).update(sha256.as_bytes());
        }
        let embedder = Embedder { encoder, tokenizer, words, hash: hasher.finalize().to_hex().to_string() };
        embedder.try_rows()?;
        Ok(embedder)
    }

    /// Refuses a model that mixes the rows of a call, or whose results change when they are repeated.
    fn try_rows(&self) -> Result<(), OnnxError> {
        // Every vocabulary has some tokens.
        let most = self.tokenizer.count().clamp(1, 100) as i64;
        let text = |row: usize| (0..1 + row % LENGTHS[0]).map(|place| (row * 7 + place) as i64 % most).collect();
        let texts: Vec<Vec<i64>> = (0..ROWS).map(text).collect();
        check_rows(self.encoder.path(), ROWS, |places| {
            Ok(row_bits(&self.chunk(LENGTHS[0], places, &texts)?, self.encoder.width()))
        })
    }

    /// The hash of the model and its tokenizer.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The vectors of `texts`, `[texts, width]`, and true if they were stored in `folder`.
    ///
    /// # Errors
    /// When the model fails, or the vectors cannot be stored.
    pub(super) fn kept(
        &self,
        folder: &Path,
        name: &str,
        texts: &[String],
        watch: &dyn Watch,
    ) -> Result<(usize, Vec<f32>, bool), EmbedderError> {
        let (width, key) = (self.encoder.width(), self.key(texts));
        let (file, label) = (folder.join(format!("{name}_items.npy")), folder.join(format!("{name}_items.json")));
        if let Some(rows) = read_kept(&file, &label, &key, texts.len(), width) {
            return Ok((width, rows, true));
        }
        let rows = self.embed(texts, watch)?;
        let bytes = npy(rows.iter().copied(), &[rows.len() / width.max(1), width]);
        let blake3 = blake3::hash(&bytes).to_hex().to_string();
        write(&file, &bytes)?;
        let json =
            serde_json::to_string(&Label { key, rows: texts.len(), width, blake3 }).map_err(std::io::Error::from);
        write(&label, json.map_err(|source| FileError::write(&label, source))?.as_bytes())?;
        Ok((width, rows, false))
    }

    fn key(&self, texts: &[String]) -> String {
        let mut hasher = blake3::Hasher::new();
        for text in [VERSION, &self.hash].into_iter().chain(texts.iter().map(String::as_str)) {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }

    /// The vectors of `texts`, `[texts, width]`, each of length 1.
    ///
    /// # Errors
    /// When a text cannot be cut into tokens, or the model fails.
    pub fn embed(&self, texts: &[String], watch: &dyn Watch) -> Result<Vec<f32>, EmbedderError> {
        watch.begin("embedding item texts", texts.len() as u64);
        let encode = |text: &String| self.tokenizer.encode(text, true);
        let tokens: Result<Vec<Vec<i64>>, _> =
            texts.par_iter().map(|text| encode(text).map(|found| found.into_iter().map(i64::from).collect())).collect();
        let tokens =
            tokens.map_err(|problem| broken(&self.words, format!("a text cannot be split into tokens: {problem}")))?;
        let mut chunks: Vec<(usize, Vec<usize>)> = Vec::new();
        for (place, &length) in LENGTHS.iter().enumerate() {
            let above = if place == 0 { 0 } else { LENGTHS[place - 1] };
            let fits = |row: &usize| tokens[*row].len() <= length && (place == 0 || tokens[*row].len() > above);
            let rows: Vec<usize> = (0..tokens.len()).filter(fits).collect();
            chunks.extend(rows.chunks(ROWS).map(|rows| (length, rows.to_vec())));
        }
        let vectors: Vec<Vec<f32>> = chunks
            .par_iter()
            .map(|(length, rows)| {
                let found = self.chunk(*length, rows, &tokens);
                watch.advance(rows.len() as u64);
                found
            })
            .collect::<Result<_, _>>()?;
        let width = self.encoder.width();
        let mut all = vec![0.0; texts.len() * width];
        for ((_, rows), vectors) in chunks.iter().zip(&vectors) {
            for (&row, vector) in rows.iter().zip(vectors.chunks_exact(width)) {
                all[row * width..(row + 1) * width].copy_from_slice(vector);
            }
        }
        Ok(all)
    }

    fn chunk(&self, length: usize, rows: &[usize], tokens: &[Vec<i64>]) -> Result<Vec<f32>, OnnxError> {
        let (mut ids, mut mask) = (vec![0; ROWS * length], vec![0; ROWS * length]);
        for place in 0..ROWS {
            let mine = &tokens[rows[place.min(rows.len() - 1)]];
            ids[place * length..place * length + mine.len()].copy_from_slice(mine);
            mask[place * length..place * length + mine.len()].fill(1);
        }
        let width = self.encoder.width();
        self.encoder.run(ROWS, &ids, &mask, |hidden| {
            let texts = hidden.chunks_exact(length * width).zip(rows);
            texts.flat_map(|(text, &row)| pooled(&text[..tokens[row].len() * width], width)).collect()
        })
    }
}

/// The mean of token vectors, scaled to length 1.
fn pooled(tokens: &[f32], width: usize) -> Vec<f32> {
    let mut sum = vec![0.0f64; width];
    for token in tokens.chunks_exact(width) {
        sum.iter_mut().zip(token).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    let length = sum.iter().map(|value| value * value).sum::<f64>().sqrt().max(1e-12);
    sum.iter().map(|value| (value / length) as f32).collect()
}

fn broken(path: &Path, problem: String) -> EmbedderError {
    EmbedderError::Folder { path: path.to_owned(), problem }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut output = Partial::create(path)?;
    output.write_all(bytes).map_err(|source| FileError::write(path, source))?;
    output.finish()
}

/// The vectors in `file`, if `label` has the key `key` and the hash of these bytes.
fn read_kept(file: &Path, label: &Path, key: &str, rows: usize, width: usize) -> Option<Vec<f32>> {
    let label: Label = serde_json::from_slice(&read_bounded(label, MOST_OF_TEXT).ok()?).ok()?;
    let bytes = read_bounded(file, MOST_OF_VECTORS).ok()?;
    let blake3 = blake3::hash(&bytes).to_hex().to_string();
    if label != (Label { key: key.to_owned(), rows, width, blake3 }) {
        return None;
    }
    let data = bytes.get(bytes.len().checked_sub(rows * width * 4)?..)?;
    Some(data.chunks_exact(4).map(|value| f32::from_bits(u32::get(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::Runtime;
    use crate::onnx::testing_graphs::{GraphBuilder, INT64, has_runtime, ints};
    use crate::pipeline::Quiet;

    fn embedder() -> Option<Embedder> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/embedder");
        Runtime::get().is_ok().then(|| Embedder::load(&folder, 2).expect("an embedder"))
    }

    #[test]
    fn a_vector_depends_on_its_text_alone() {
        let Some(embedder) = embedder() else { return };
        let long = ["the great game"; 40].join(" ");
        let texts: Vec<String> = (0..75)
            .map(|place| match place % 3 {
                0 => format!("a film of the {} day", ["red", "blue", "new"][place % 7 % 3]),
                1 => "drama".to_owned(),
                _ => long[..long.len() - place].to_owned(),
            })
            .collect();
        let together = embedder.embed(&texts, &Quiet).expect("vectors");
        let width = embedder.encoder.width();
        for place in [0, 1, 2, 40, 74] {
            let alone = embedder.embed(&texts[place..=place], &Quiet).expect("a vector");
            assert_eq!(alone, together[place * width..(place + 1) * width], "{place}");
            let length: f32 = alone.iter().map(|value| value * value).sum();
            assert!((length - 1.0).abs() < 1e-5);
        }
        assert_ne!(together[..width], together[width..2 * width]);
    }

    /// An embedder of `[tokens, 2]` numbers `h`; `end` makes its output.
    fn small(end: impl Fn(GraphBuilder) -> GraphBuilder) -> Result<Embedder, EmbedderError> {
        let folder = tempfile::tempdir().expect("a folder");
        let words = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/embedder/tokenizer.json");
        std::fs::copy(words, folder.path().join("tokenizer.json")).expect("a copy");
        let numbers: Vec<f32> = (0..2_000).map(|place| (place * 37 % 11) as f32).collect();
        let graph = GraphBuilder::default()
            .typed_input("input_ids", INT64, &[-1, -2])
            .typed_input("attention_mask", INT64, &[-1, -2])
            .output("last_hidden_state", &[-1, -2, 2])
            .floats("e", &[1_000, 2], &numbers)
            .node("Gather", &["e", "input_ids"], "h");
        end(graph).write(&folder.path().join("model.onnx"));
        Embedder::load(folder.path(), 1)
    }

    #[test]
    fn a_model_that_mixes_rows_or_draws_is_refused() {
        if !has_runtime() {
            return;
        }
        assert!(small(|graph| graph.node("Identity", &["h"], "last_hidden_state")).is_ok());
        let mixed = small(|graph| {
            let graph = graph.ints("rows", &[0]).node("ReduceMean", &["h", "rows"], "mean");
            graph.node("Add", &["h", "mean"], "last_hidden_state")
        });
        let drawn = small(|graph| graph.node("RandomNormalLike", &["h"], "last_hidden_state"));
        for (outcome, expected) in [(mixed, "mixes the rows of a call"), (drawn, "draws random numbers")] {
            let problem = outcome.err().expect("refused").to_string();
            assert!(problem.contains("model.onnx") && problem.contains(expected), "{problem}");
        }
    }

    #[test]
    fn numbers_that_are_not_finite_and_other_shapes_are_refused() {
        if !has_runtime() {
            return;
        }
        for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let outcome = small(|graph| {
                graph.floats("broken", &[1], &[number]).node("Add", &["h", "broken"], "last_hidden_state")
            });
            let problem = outcome.err().expect("refused").to_string();
            assert!(problem.contains("model.onnx") && problem.contains("expected finite numbers"), "{problem}");
        }
        let turned =
            small(|graph| graph.node_with("Transpose", &["h"], "last_hidden_state", &[ints("perm", &[1, 0, 2])]));
        let problem = turned.err().expect("refused").to_string();
        assert!(problem.contains("has shape [16, 32, 2], expected [32, 16, 2]"), "{problem}");
    }
}

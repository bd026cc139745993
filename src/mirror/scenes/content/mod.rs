//! How alike the texts of items are: words (TF-IDF) or sentence embeddings.
//!
//! A text is what the item template says of the item outside any scene. No interaction enters.

mod embedder;
mod words;

pub use self::embedder::{Embedder, EmbedderError};
pub(super) use self::words::Words;

use super::nearest::{Nearest, dot, top};
use crate::mirror::{Project, Watch};

/// By what the content candidates of a list are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ContentKind {
    /// Words of the items' texts (TF-IDF); needs no model.
    #[default]
    Tfidf,
    /// Sentence embeddings of the items' texts by the model of `--embedder`.
    Embedder,
    /// No content candidates.
    None,
}

impl ContentKind {
    /// The name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            ContentKind::Tfidf => "tfidf",
            ContentKind::Embedder => "embedder",
            ContentKind::None => "none",
        }
    }
}

/// Vectors of length 1 of all items' texts.
pub(super) struct Sentences {
    width: usize,
    rows: Vec<f32>,
}

impl Sentences {
    /// Embeds the texts, or takes what an earlier run kept in `embeddings/`.
    pub(super) fn of(
        embedder: &Embedder,
        project: &Project,
        name: &str,
        texts: &[String],
        watch: &dyn Watch,
    ) -> Result<(Sentences, bool), EmbedderError> {
        let (width, rows, kept) = embedder.kept(&project.embeddings(), name, texts, watch)?;
        Ok((Sentences { width, rows }, kept))
    }

    fn row(&self, item: u32) -> &[f32] {
        &self.rows[item as usize * self.width..(item as usize + 1) * self.width]
    }

    /// The cosine of two items' texts.
    pub(super) fn cosine(&self, a: u32, b: u32) -> f32 {
        dot(self.row(a), self.row(b))
    }

    /// The `count` items whose texts are most like that of `item`.
    pub(super) fn near(&self, item: u32, count: usize) -> Vec<u32> {
        let others = (0..(self.rows.len() / self.width.max(1)) as u32).filter(|&other| other != item);
        top(others.map(|other| Nearest { score: self.cosine(item, other), item: other }), count)
    }
}

//! Similarity of item texts: TF-IDF or sentence embeddings.
//!
//! A text is the item template's text of the item outside any scene. Interactions do not affect it.

mod embedder;
mod tf_idf;

pub use self::embedder::{Embedder, EmbedderError};

pub(crate) use self::tf_idf::TfIdf;
use super::nearest::{Nearest, dot, top};
use super::raws::Raws;
use super::{SceneOptions, ScenesError, ScenesMade};
use crate::pipeline::{Project, Watch};
use rayon::prelude::*;

/// The source of a list's content candidates.
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

/// The measure of similarity between texts of items.
pub(super) struct Texts {
    /// The audit uses words, whatever the source of candidates.
    pub(super) words: TfIdf,
    pub(super) sentences: Option<Sentences>,
}

/// The source of content candidates.
pub(super) enum Content<'a> {
    TfIdf(&'a TfIdf),
    Sentences(&'a Sentences),
    None,
}

impl Texts {
    /// Reads the texts of all items, and records the source in `made`.
    pub(super) fn of(
        project: &Project,
        name: &str,
        options: &SceneOptions<'_>,
        raws: &Raws,
        made: &mut ScenesMade,
        watch: &dyn Watch,
    ) -> Result<Texts, ScenesError> {
        let items = (0..raws.items.len()).into_par_iter();
        let texts: Vec<String> = items.map(|item| raws.text(item)).collect::<Result<_, ScenesError>>()?;
        let words = TfIdf::of(&texts);
        let (Some(embedder), ContentKind::Embedder) = (options.embedder, options.content) else {
            return Ok(Texts { words, sentences: None });
        };
        let (width, rows, kept) = embedder.kept(&project.embeddings(), name, &texts, watch)?;
        made.vectors = Some(if kept { "kept in embeddings/" } else { "computed now" });
        made.content = format!("embedder {}", &embedder.hash()[..16]);
        Ok(Texts { words, sentences: Some(Sentences { width, rows }) })
    }

    /// The source of candidates.
    pub(super) fn content(&self, kind: ContentKind) -> Content<'_> {
        match (kind, &self.sentences) {
            (ContentKind::None, _) => Content::None,
            (_, Some(sentences)) => Content::Sentences(sentences),
            (_, None) => Content::TfIdf(&self.words),
        }
    }
}

/// Vectors of length 1 of all items' texts.
pub(super) struct Sentences {
    width: usize,
    rows: Vec<f32>,
}

impl Sentences {
    fn row(&self, item: u32) -> &[f32] {
        &self.rows[item as usize * self.width..(item as usize + 1) * self.width]
    }

    /// The cosine of two items' texts.
    pub(super) fn cosine(&self, a: u32, b: u32) -> f32 {
        dot(self.row(a), self.row(b))
    }

    /// The `count` items whose texts are most similar to that of `item`.
    pub(super) fn near(&self, item: u32, count: usize) -> Vec<u32> {
        let others = (0..(self.rows.len() / self.width.max(1)) as u32).filter(|&other| other != item);
        top(others.map(|other| Nearest { score: self.cosine(item, other), item: other }), count)
    }
}

//! The layout of a project's files.

use std::path::{Path, PathBuf};

/// One of the two language models whose decisions are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
pub enum Strength {
    /// The larger model.
    Strong,
    /// The smaller model.
    Weak,
}

impl Strength {
    /// Both, the strong one first.
    pub const BOTH: [Strength; 2] = [Strength::Strong, Strength::Weak];

    /// `strong` or `weak`.
    pub fn name(self) -> &'static str {
        match self {
            Strength::Strong => "strong",
            Strength::Weak => "weak",
        }
    }
}

/// A folder with `raws/`, `datasets/`, `embeddings/`, `decisions/` and `probs/`.
#[derive(Clone, Debug)]
pub struct Project {
    root: PathBuf,
}

impl Project {
    /// The project in `root`. Nothing is created or checked: a stage reports its missing files.
    pub fn new(root: impl Into<PathBuf>) -> Project {
        Project { root: root.into() }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `raws/`: the data sets in the unified form.
    pub fn raws(&self) -> PathBuf {
        self.root.join("raws")
    }

    /// `embeddings/`: vectors that can be recomputed.
    pub fn embeddings(&self) -> PathBuf {
        self.root.join("embeddings")
    }

    /// `datasets/NAME_train.jsonl`: the scenes for decisions.
    pub fn train(&self, dataset: &str) -> PathBuf {
        self.root.join("datasets").join(format!("{dataset}_train.jsonl"))
    }

    /// `datasets/NAME_eval.jsonl`: the scenes for alignment.
    pub fn eval(&self, dataset: &str) -> PathBuf {
        self.root.join("datasets").join(format!("{dataset}_eval.jsonl"))
    }

    /// `datasets/NAME_audit.json`: how the scenes were made, and what rules that ignore the user find in them.
    pub fn audit(&self, dataset: &str) -> PathBuf {
        self.root.join("datasets").join(format!("{dataset}_audit.json"))
    }

    /// `datasets/NAME_pref.jsonl`: the distilled pairs.
    pub fn pairs(&self, name: &str) -> PathBuf {
        self.root.join("datasets").join(format!("{name}_pref.jsonl"))
    }

    /// `decisions/NAME_decisions_STRENGTH.jsonl`: answers in the form of OpenAI batch output.
    pub fn decisions(&self, dataset: &str, strength: Strength) -> PathBuf {
        self.root.join("decisions").join(format!("{dataset}_decisions_{}.jsonl", strength.name()))
    }

    /// `probs/NAME_probs_STRENGTH.jsonl`: behaviour probabilities for each decision.
    pub fn probs(&self, dataset: &str, strength: Strength) -> PathBuf {
        self.root.join("probs").join(format!("{dataset}_probs_{}.jsonl", strength.name()))
    }

    /// `probs/NAME_ifd.jsonl`: the difficulty of each of the strong model's decisions.
    pub fn difficulties(&self, dataset: &str) -> PathBuf {
        self.root.join("probs").join(format!("{dataset}_ifd.jsonl"))
    }
}

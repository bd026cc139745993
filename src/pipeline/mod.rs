//! The pipeline of the paper.
//!
//! Feedback logs -> scenes -> decisions by two language models -> behaviour probabilities -> uncertainty -> distilled
//! preference pairs -> training files.
//!
//! Each stage is a function over a [`Project`], a folder in the layout of the paper's reference code, and reads and
//! writes one JSONL file for each data set. Source: "Mirroring Users: Towards Building Preference-aligned User
//! Simulator with User Feedback in Recommendation" (arXiv 2508.18142).

mod answer_journal;
pub mod audit;
pub mod compose;
pub mod decide;
mod difficulty;
pub mod distill;
pub mod export;
pub mod judge;
mod overlap;
mod project;
mod record;
mod scene_file;
pub mod scenes;

pub use self::difficulty::{DifficultyError, DifficultyRecord};
pub use self::project::{Project, Strength};
pub(crate) use self::record::turned_place;
pub use self::record::{DecisionRecord, PairRecord, ProbsRecord, SceneRecord};
pub use crate::files::{Quiet, Watch};
pub use crate::language::{BEHAVIOR, PromptError, PromptKind, Prompts, SceneText};

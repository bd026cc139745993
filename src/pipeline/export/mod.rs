//! Training files for language models.
//!
//! Distilled pairs, or the choices of users in scenes, in the columns that trainers read, as JSON lines or Parquet.
//!
//! `reference` has the columns of the paper's reference code; `trl` is the conversational form of Hugging Face TRL:
//! `prompt`, `chosen`, `rejected` for preferences, `prompt`, `completion` for supervised fine-tuning.

mod parquet;
mod row;

pub use self::row::{Cell, Row};

use self::parquet::ParquetRows;
use super::scene_file::each_scene;
use super::{PairRecord, PromptError, Prompts, Watch};
use crate::files::{FileError, Jsonl, JsonlWriter};
use std::path::Path;

/// The form of the columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// Those of the paper's reference code.
    Reference,
    /// Those of Hugging Face TRL.
    #[default]
    Trl,
}

/// The training task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Task {
    /// Supervised fine-tuning on the chosen decisions.
    Sft,
    /// Preference optimisation on chosen and rejected decisions.
    Preference,
    /// Supervised fine-tuning on the real choices of the scenes' users, without a decision.
    Choice,
}

impl Task {
    /// The task's name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Task::Sft => "sft",
            Task::Preference => "preference",
            Task::Choice => "choice",
        }
    }
}

/// The storage of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Storage {
    /// JSON, one row on each line.
    #[default]
    Jsonl,
    /// Parquet with nested columns.
    Parquet,
}

impl Storage {
    /// The ending of a file's name.
    pub fn ending(self) -> &'static str {
        match self {
            Storage::Jsonl => "jsonl",
            Storage::Parquet => "parquet",
        }
    }
}

/// Reads the pairs of `from` and writes them to `to`; returns the number of rows.
///
/// # Errors
/// When a pair is unreadable or invalid, or the file cannot be written.
pub fn export(
    from: &Path,
    to: &Path,
    form: Form,
    task: Task,
    storage: Storage,
    watch: &dyn Watch,
) -> Result<u64, FileError> {
    let mut pairs = Jsonl::<PairRecord>::open(from, "`recmirror distill --name` makes it")?;
    watch.begin("exporting", 0);
    let mut writer = Writer::create(to, form, task, storage)?;
    let mut rows = 0;
    while let Some((_, pair)) = pairs.step()? {
        writer.push(row::of(pair, form, task).map_err(|problem| pairs.error(problem))?)?;
        watch.advance(1);
        rows += 1;
    }
    if rows == 0 {
        return Err(FileError::whole(from, "the file holds no pairs; see what `recmirror distill` dropped and why"));
    }
    writer.finish()?;
    Ok(rows)
}

/// A failure to export scenes.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A problem of a file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A template fails on a scene.
    #[error(transparent)]
    Prompt(#[from] PromptError),
}

/// Reads the scenes of `from` and writes each user's choice to `to`, worded by `prompts` and without a decision;
/// returns the number of rows. With `rotations` each list occurs in all its rotations, so that no item's label is taken
/// more often.
///
/// # Errors
/// When a scene cannot be read or rendered, or the file cannot be written.
pub fn export_choices(
    from: &Path,
    to: &Path,
    form: Form,
    storage: Storage,
    prompts: &Prompts,
    rotations: bool,
    watch: &dyn Watch,
) -> Result<u64, ExportError> {
    watch.begin("exporting", 0);
    let mut writer = Writer::create(to, form, Task::Choice, storage)?;
    let mut rows = 0;
    each_scene::<ExportError>(from, &mut |_, scene| {
        let turns = if rotations { scene.choice_cnt } else { 1 };
        for by in 0..turns {
            writer.push(row::of_scene(&scene.turned(by), form, prompts)?)?;
            rows += 1;
        }
        watch.advance(1);
        Ok(())
    })?;
    if rows == 0 {
        return Err(FileError::whole(from, "there is no scene in it; `recmirror scenes` makes it").into());
    }
    writer.finish()?;
    Ok(rows)
}

enum Writer {
    Jsonl(JsonlWriter),
    Parquet(Box<ParquetRows>),
}

impl Writer {
    fn create(to: &Path, form: Form, task: Task, storage: Storage) -> Result<Writer, FileError> {
        Ok(match storage {
            Storage::Jsonl => Writer::Jsonl(JsonlWriter::create(to)?),
            Storage::Parquet => Writer::Parquet(Box::new(ParquetRows::create(to, &row::columns(form, task))?)),
        })
    }

    fn push(&mut self, row: Row) -> Result<(), FileError> {
        match self {
            Writer::Jsonl(writer) => writer.push(&row),
            Writer::Parquet(writer) => writer.push(row),
        }
    }

    fn finish(self) -> Result<(), FileError> {
        match self {
            Writer::Jsonl(writer) => writer.finish(),
            Writer::Parquet(writer) => writer.finish(),
        }
    }
}

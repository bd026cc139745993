//! `recmirror export`: training files for language models.
//!
//! Exports distilled pairs, or the choices of users in scenes.

use super::project::check_name;
use super::stage_bar::StageBar;
use super::{Failure, print};
use crate::pipeline::export::{Form, Storage, Task, export, export_choices};
use crate::pipeline::{Project, Prompts};
use std::path::{Path, PathBuf};

/// Arguments of `export`.
#[derive(clap::Args)]
pub struct Export {
    /// The project's folder.
    #[arg(long, value_name = "DIR")]
    project: PathBuf,
    /// Reads `datasets/NAME_pref.jsonl`, which `distill --name NAME` writes; for the task `choice` the scenes
    /// `datasets/NAME_train.jsonl`, NAME being a data set.
    #[arg(long, default_value = "recmirror")]
    name: String,
    /// For the task `choice`: another file of `scenes`.
    #[arg(long, value_name = "FILE")]
    scenes: Option<PathBuf>,
    /// The prompts for the task `choice`: a file in the form of `src/language/prompts/ekb.toml`.
    #[arg(long, value_name = "FILE")]
    prompts: Option<PathBuf>,
    /// For the task `choice`: each list in all its rotations, one row each, so that no option label is correct
    /// more often.
    #[arg(long)]
    rotations: bool,
    /// The training task.
    #[arg(long, value_enum)]
    task: Task,
    /// The form of the columns.
    #[arg(long, value_enum, default_value_t)]
    form: Form,
    /// The storage of rows.
    #[arg(long, value_enum, default_value_t)]
    storage: Storage,
    /// The file; by default `datasets/NAME_TASK.jsonl` or `.parquet` in the project.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Report what would be written, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// No progress on stderr.
    #[arg(long, short)]
    quiet: bool,
}

impl Export {
    pub(super) fn run(self) -> Result<(), Failure> {
        check_name(&self.name)?;
        let from = self.source()?;
        let own = || {
            let file = format!("{}_{}.{}", self.name, self.task.name(), self.storage.ending());
            from.with_file_name(file)
        };
        let to = self.out.clone().unwrap_or_else(own);
        if self.dry_run {
            if !from.is_file() {
                let maker = if self.task == Task::Choice { "scenes" } else { "distill --name" };
                return Err(Failure::input(format!("{} does not exist; `recmirror {maker}` makes it", from.display())));
            }
            print(&format!("would read {} and write {}\n", from.display(), to.display()));
            return Ok(());
        }
        if from == to {
            return Err(Failure::input(format!("--out is the file that is read: {}", to.display())));
        }
        let bar = StageBar::new(self.quiet);
        let rows = self.rows(&from, &to, &bar);
        bar.finish();
        let rows = rows?;
        print(&format!("wrote {} rows to {}\n", rows, to.display()));
        Ok(())
    }

    /// The file to read.
    fn source(&self) -> Result<PathBuf, Failure> {
        let project = Project::new(&self.project);
        match (&self.scenes, self.task) {
            (Some(scenes), Task::Choice) => Ok(scenes.clone()),
            (None, Task::Choice) => Ok(project.train(&self.name)),
            (None, _) if self.prompts.is_none() && !self.rotations => Ok(project.pairs(&self.name)),
            _ => Err(Failure::input("--scenes, --prompts and --rotations go with `--task choice` only")),
        }
    }

    fn rows(&self, from: &Path, to: &Path, bar: &StageBar) -> Result<u64, Failure> {
        if self.task == Task::Choice {
            let prompts = Prompts::load(self.prompts.as_deref()).map_err(Failure::input)?;
            return export_choices(from, to, self.form, self.storage, &prompts, self.rotations, bar)
                .map_err(Failure::input);
        }
        export(from, to, self.form, self.task, self.storage, bar).map_err(Failure::input)
    }
}

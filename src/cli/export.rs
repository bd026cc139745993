//! `recmirror export`: distilled pairs as training files.

use super::project::check_name;
use super::stage_bar::StageBar;
use super::{Failure, print};
use crate::mirror::Project;
use crate::mirror::export::{Form, Storage, Task, export};
use std::path::PathBuf;

/// Arguments of `export`.
#[derive(clap::Args)]
pub struct Export {
    /// The project's folder.
    #[arg(long, value_name = "DIR")]
    project: PathBuf,
    /// Reads `datasets/NAME_pref.jsonl`, which `distill --name NAME` writes.
    #[arg(long, default_value = "recmirror")]
    name: String,
    /// What is trained.
    #[arg(long, value_enum)]
    task: Task,
    /// The names of the columns.
    #[arg(long, value_enum, default_value_t)]
    form: Form,
    /// How rows are stored.
    #[arg(long, value_enum, default_value_t)]
    storage: Storage,
    /// The file; `datasets/NAME_TASK.jsonl` or `.parquet` in the project unless given.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Say what would be written, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// No progress on stderr.
    #[arg(long, short)]
    quiet: bool,
}

impl Export {
    pub(super) fn run(self) -> Result<(), Failure> {
        check_name(&self.name)?;
        let from = Project::new(&self.project).pairs(&self.name);
        let own = || {
            let file = format!("{}_{}.{}", self.name, self.task.name(), self.storage.ending());
            from.with_file_name(file)
        };
        let to = self.out.clone().unwrap_or_else(own);
        if self.dry_run {
            if !from.is_file() {
                return Err(Failure::input(format!(
                    "{} does not exist; `recmirror distill --name` makes it",
                    from.display()
                )));
            }
            print(&format!("would read {} and write {}\n", from.display(), to.display()));
            return Ok(());
        }
        if from == to {
            return Err(Failure::input(format!("--out is the file that is read: {}", to.display())));
        }
        let bar = StageBar::new(self.quiet);
        let rows = export(&from, &to, self.form, self.task, self.storage, &bar).map_err(Failure::input)?;
        bar.finish();
        print(&format!("wrote {} rows to {}\n", rows, to.display()));
        Ok(())
    }
}

//! Arguments shared by the stages of the pipeline.
//!
//! Folder, data sets, seed, threads and dry run.

use super::{Failure, use_threads};
use crate::pipeline::Project;
use std::path::PathBuf;

/// Arguments of every stage.
#[derive(clap::Args)]
pub(super) struct ProjectArgs {
    /// The project's folder: `raws/`, `datasets/`, `embeddings/`, `decisions/` and `probs/` are in it.
    #[arg(long, value_name = "DIR")]
    pub(super) project: PathBuf,
    /// The data sets, by name. All of them are processed.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(super) datasets: Vec<String>,
    /// Root of the random streams: the same seed gives the same bytes.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Worker threads; by default one for each core. They change no result.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Report what the stage would do, and write nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// No progress on stderr.
    #[arg(long, short)]
    pub(super) quiet: bool,
}

impl ProjectArgs {
    /// The project, after the arguments are checked; sets the number of threads of the process.
    pub(super) fn open(&self) -> Result<Project, Failure> {
        if self.datasets.is_empty() {
            return Err(Failure::input("no data set is named; name those of the project: --datasets A,B"));
        }
        if !self.project.is_dir() {
            return Err(Failure::input(format!(
                "the project folder {} does not exist; `recmirror import` makes it",
                self.project.display()
            )));
        }
        for (place, name) in self.datasets.iter().enumerate() {
            check_name(name)?;
            if self.datasets[..place].contains(name) {
                return Err(Failure::input(format!("--datasets names `{name}` twice")));
            }
        }
        use_threads(self.threads)?;
        Ok(Project::new(&self.project))
    }
}

/// A data set's name is part of file names.
pub(super) fn check_name(name: &str) -> Result<(), Failure> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.starts_with('.') || !name.bytes().all(allowed) {
        return Err(Failure::input(format!(
            "`{name}` is not a valid name of a data set; use letters, digits, `-`, `_` and `.`"
        )));
    }
    Ok(())
}

//! `recmirror tensors`: arrays for the training of rankers in Python.

use super::{Failure, print};
use crate::cli::terminal::say;
use crate::dataset::{Dataset, write_arrays};
use crate::files::OutputFolder;
use std::path::PathBuf;

/// Arguments of `tensors`.
#[derive(clap::Args)]
pub struct Tensors {
    /// The data set.
    #[arg(long)]
    data: PathBuf,
    /// Folder to write; it must not exist yet.
    #[arg(long)]
    out: PathBuf,
    /// Share of each user's latest interactions that is held out.
    #[arg(long, default_value_t = 0.2)]
    holdout: f64,
}

impl Tensors {
    pub(super) fn run(self) -> Result<(), Failure> {
        if !(0.0..=0.9).contains(&self.holdout) {
            return Err(Failure::input(format!("--holdout is {}, expected 0 to 0.9", self.holdout)));
        }
        let folder = OutputFolder::create(&self.out, None, "").map_err(Failure::input)?;
        let data = Dataset::read(&self.data).map_err(Failure::input)?;
        say!("{}: {}", data.name, data.cleanup);
        let fail = |problem: std::io::Error| Failure::input(format!("cannot write {}: {problem}", self.out.display()));
        write_arrays(&data, self.holdout, folder.path()).map_err(fail)?;
        folder.finish().map_err(Failure::input)?;
        print(&format!("{}\n", self.out.display()));
        Ok(())
    }
}

//! `recmirror tensors`: what the training of the mirror model reads.

use super::{Failure, print};
use crate::align::scenes::read_soft;
use crate::cli::terminal::say;
use crate::dataset::Dataset;
use crate::files::OutputFolder;
use crate::scene::{TensorOptions, write_tensors};
use std::path::PathBuf;

/// Arguments of `tensors`.
#[derive(clap::Args)]
pub struct Tensors {
    /// Folder of the data set.
    #[arg(long)]
    data: PathBuf,
    /// Folder to write; it must not exist yet.
    #[arg(long)]
    out: PathBuf,
    /// Root of the random streams.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Passes over the training rows, each with fresh negatives.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=64))]
    passes: u32,
    /// Dimensions of the item vectors.
    #[arg(long, default_value_t = 48, value_parser = clap::value_parser!(u16).range(1..=512))]
    rank: u16,
    /// Share of each user's latest interactions that is held out.
    #[arg(long, default_value_t = 0.2)]
    holdout: f64,
    /// A language model's answers to scenes of the data set, `answers.jsonl` of `recmirror align --out`: labels for training
    /// besides what people did.
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Whose answers, where the file has those of several models.
    #[arg(long, value_name = "MODEL", requires = "answers")]
    of: Option<String>,
}

impl Tensors {
    pub(super) fn run(self) -> Result<(), Failure> {
        if !(0.0..=0.9).contains(&self.holdout) {
            return Err(Failure::input(format!("--holdout is {}, expected 0 to 0.9", self.holdout)));
        }
        let folder = OutputFolder::create(&self.out, None, "").map_err(Failure::input)?;
        let data = Dataset::read(&self.data).map_err(Failure::input)?;
        say!("{}: {}", data.name, data.cleanup);
        let soft = self.answers.as_ref().map(|path| read_soft(path, self.of.as_deref(), &data));
        let soft = soft.transpose().map_err(Failure::input)?;
        let fail = |problem: std::io::Error| Failure::input(format!("cannot write {}: {problem}", self.out.display()));
        let options =
            TensorOptions { seed: self.seed, passes: self.passes, rank: usize::from(self.rank), holdout: self.holdout };
        let tally = write_tensors(&data, options, soft.as_ref(), folder.path()).map_err(fail)?;
        folder.finish().map_err(Failure::input)?;
        if let (Some(soft), Some(tally)) = (soft, tally) {
            say!("{}", tally.told(&soft.model));
        }
        print(&format!("{}\n", self.out.display()));
        Ok(())
    }
}

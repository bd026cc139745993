//! `recmirror fit`: a user model of one's own log.

use super::stage_bar::StageBar;
use super::terminal::say;
use super::{Failure, print, use_threads};
use crate::dataset::Dataset;
use crate::files::OutputFolder;
use crate::fit::{CardTexts, FitOptions, fit};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Arguments of `fit`.
#[derive(clap::Args)]
pub struct Fit {
    /// The data set: a publisher's folder or a log of your own.
    #[arg(value_name = "DATA")]
    data: PathBuf,
    /// Folder of the model; it must not exist yet.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Root of the random streams.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Share of each user's latest interactions that is held out and never learned.
    #[arg(long, default_value_t = 0.2)]
    holdout: f64,
    /// Passes over the log; unless given, its size and the loss on later interactions decide.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    epochs: Option<u32>,
    /// Terms of the data, and so of the model: they go into its card. Nobody else can say them.
    #[arg(long, value_name = "TEXT", default_value = "")]
    licence: String,
    /// Worker threads; one for each core unless given. They change no result.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// No progress on stderr.
    #[arg(long, short)]
    quiet: bool,
}

impl Fit {
    pub(super) fn run(self) -> Result<(), Failure> {
        if !(0.01..=0.9).contains(&self.holdout) {
            return Err(Failure::input(format!("--holdout is {}, expected 0.01 to 0.9", self.holdout)));
        }
        use_threads(self.threads.map(usize::from))?;
        let folder = OutputFolder::create(&self.out, None, "").map_err(Failure::input)?;
        let data = Dataset::read(&self.data).map_err(Failure::input)?;
        say!("{}: {}", data.name, data.cleanup);
        let stop = Arc::new(AtomicBool::new(false));
        let handler = Arc::clone(&stop);
        ctrlc::set_handler(move || handler.store(true, Ordering::Relaxed)).map_err(Failure::other)?;
        let options =
            FitOptions { seed: self.seed, holdout: self.holdout, epochs: self.epochs, ..FitOptions::default() };
        let bar = StageBar::new(self.quiet);
        let fitted = fit(&data, options, &bar, &stop);
        bar.finish();
        let fitted = fitted.map_err(Failure::input)?;
        let name = self.out.file_name().map_or_else(|| data.name.clone(), |name| name.to_string_lossy().into_owned());
        fitted.write(&data, &CardTexts { name, licence: self.licence }, folder.path()).map_err(Failure::input)?;
        folder.finish().map_err(Failure::input)?;
        print(&format!("{}\n", self.out.display()));
        Ok(())
    }
}

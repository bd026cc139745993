//! `recmirror fit`: a user model from your own log.

use super::data_format::DataFormat;
use super::stage_bar::StageBar;
use super::terminal::say;
use super::{Failure, print, use_threads};
use crate::align::{AlignOptions, Alignment, measure};
use crate::dataset::Dataset;
use crate::files::{Listing, OutputFolder};
use crate::fit::{CardTexts, Control, FitError, FitOptions, Fitted, Propensities, REPLICATES, fit, own_files};
use crate::registry::Registry;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const REMEDY: &str = "; --force replaces a model that `fit` has written";

/// Arguments of `fit`.
#[derive(clap::Args)]
pub struct Fit {
    /// The data set: a publisher's folder or a log of your own.
    #[arg(value_name = "DATA")]
    data: PathBuf,
    #[command(flatten)]
    format: DataFormat,
    /// Folder of the model. An interrupted fit continues from `DIR.fit`.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace the model in DIR.
    #[arg(long)]
    force: bool,
    /// Root of the random streams.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Share of each user's latest interactions that is held out and never learned.
    #[arg(long, default_value_t = 0.2)]
    holdout: f64,
    /// Maximum number of passes over the log; by default its size and the loss on later interactions decide.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    epochs: Option<u32>,
    /// Dimensions of the item vectors from the log; by default the number of items decides.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    rank: Option<u16>,
    /// Use of logged propensities: `inverse` weighs lists as if items had been shown at random.
    #[arg(long, value_name = "HOW", default_value = "ignore", value_parser = ["ignore", "inverse"])]
    propensities: String,
    /// Fit further models to users drawn with replacement, into DIR/replicates; `recmirror run --trust` uses them.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    replicates: u32,
    /// Name of the model in its card; by default the name of DIR.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Terms of the data, and so of the model. They go into the card; only the owner of the data knows them.
    #[arg(long, value_name = "TEXT", default_value = "")]
    licence: String,
    /// Held-out scenes of each list type on which the model is measured; 0 measures nothing.
    #[arg(long, value_name = "N", default_value_t = 8_000, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    scenes: u32,
    /// Worker threads; by default one for each core. They change no result.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// No progress on stderr.
    #[arg(long, short)]
    quiet: bool,
}

impl Fit {
    pub(super) fn run(self, registry: &Registry) -> Result<(), Failure> {
        if !(0.01..=0.9).contains(&self.holdout) {
            return Err(Failure::input(format!("--holdout is {}, expected 0.01 to 0.9", self.holdout)));
        }
        use_threads(self.threads.map(usize::from))?;
        let replaces = self.force.then_some(own_files as Listing);
        let folder = OutputFolder::create(&self.out, replaces, REMEDY).map_err(Failure::input)?;
        let data = registry.read(&self.data, self.format.family()).map_err(Failure::input)?;
        say!("{}: {}", data.name, data.cleanup);
        data.notes.iter().for_each(|note| say!("note: {note}"));
        let stop = stop_on_interrupt()?;
        let bar = StageBar::new(self.quiet);
        let outcome = self.fit_all(&data, folder.path(), &bar, &stop);
        bar.finish();
        let fitted = outcome.map_err(|problem| match problem {
            FitError::Stopped { .. } => {
                Failure::other(format!("{problem}; the same command continues from {}", self.state().display()))
            }
            problem => Failure::input(problem),
        })?;
        let found = self.measure(&data, &fitted, folder.path())?;
        folder.finish().map_err(Failure::input)?;
        self.print_summary(&fitted, found.as_ref())
    }

    /// A path beside the folder of the model.
    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.out.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{ending}"));
        self.out.with_file_name(name)
    }

    /// The path of an interrupted fit.
    fn state(&self) -> PathBuf {
        self.beside("fit")
    }

    /// Fits the model and its replicates into the partial folder.
    fn fit_all(&self, data: &Dataset, partial: &Path, bar: &StageBar, stop: &AtomicBool) -> Result<Fitted, FitError> {
        let options = FitOptions {
            seed: self.seed,
            holdout: self.holdout,
            epochs: self.epochs,
            rank: self.rank.map(usize::from),
            propensities: if self.propensities == "inverse" { Propensities::Inverse } else { Propensities::Ignore },
            ..FitOptions::default()
        };
        let folder_name = || self.out.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = self.name.clone().unwrap_or_else(folder_name);
        let texts = |name: String| CardTexts { name, licence: self.licence.clone() };
        let state = self.state();
        let fitted = fit(data, options, Control { watch: bar, stop, state: Some(&state) })?;
        let make = |folder: &Path| {
            std::fs::create_dir_all(folder).map_err(|source| crate::files::FileError::write(folder, source))
        };
        fitted.write(data, &texts(name.clone()), partial)?;
        for number in 1..=self.replicates {
            let options = FitOptions {
                epochs: Some(fitted.course.schedule),
                last: Some(fitted.course.epochs),
                decay: Some(fitted.course.decay),
                rating_decay: fitted.course.rating_decay,
                replicate: Some(number),
                ..options
            };
            let replicate =
                fit(data, options, Control { watch: bar, stop, state: Some(&self.beside(&format!("fit-{number}"))) })?;
            let folder = partial.join(REPLICATES).join(format!("bootstrap-{number}"));
            make(&folder)?;
            replicate.write(data, &texts(format!("{name}, replicate {number}")), &folder)?;
        }
        Ok(fitted)
    }

    /// Measures the model on held-out users and writes the figures into its card.
    fn measure(&self, data: &Dataset, fitted: &Fitted, folder: &Path) -> Result<Option<Alignment>, Failure> {
        if self.scenes == 0 {
            return Ok(None);
        }
        let options = AlignOptions { scenes: self.scenes as usize, seed: self.seed, holdout: fitted.options().holdout };
        let found = measure(folder, data, options).map_err(Failure::input)?;
        Ok(Some(found))
    }

    fn print_summary(&self, fitted: &Fitted, found: Option<&Alignment>) -> Result<(), Failure> {
        if self.json {
            let out = serde_json::json!({
                "model": self.out, "epochs": fitted.course.epochs, "steps": fitted.course.steps,
                "parameters": fitted.parameters(), "alignment": found,
                "verdict": found.map(Alignment::verdict),
            });
            print(&format!("{out:#}\n"));
            return Ok(());
        }
        let mut text = format!(
            "{}: fitted to {} interactions in {} epochs, {} steps\n",
            self.out.display(),
            fitted.rows,
            fitted.course.epochs,
            fitted.course.steps
        );
        if let Some(lists) = &fitted.lists {
            let [count, items, taken] = lists.counts;
            let _ = writeln!(
                text,
                "learned from {count} lists that were shown: {items} items, {taken} taken; {}",
                lists.rule
            );
            let _ = writeln!(text, "{}", lists.looks.reason);
            if let Some(effective) = lists.effective {
                let _ = writeln!(
                    text,
                    "weighed by inverse propensities they are worth {effective:.1} lists of equal weight"
                );
            }
            if lists.long > 0 {
                let _ = writeln!(
                    text,
                    "{} lists are long: each epoch samples a part of the items that were not taken",
                    lists.long
                );
            }
        }
        for field in fitted.skipped.iter().flatten() {
            let _ = writeln!(text, "field `{}` is left out: it {}", field.field, field.reason);
        }
        if let Some(found) = found {
            text += &super::align::table(found);
        }
        if self.licence.is_empty() {
            text += "the card states no licence: give the terms of the data with --licence\n";
        }
        print(&text);
        Ok(())
    }
}

/// Sets a flag on the first Ctrl-C; the second one ends the process.
fn stop_on_interrupt() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        say!("\nstopping after this batch; the last whole epoch is kept (Ctrl-C again ends at once)");
    };
    ctrlc::set_handler(handler).map_err(Failure::other)?;
    Ok(stop)
}

//! `recmirror scenes`: from feedback logs to scenes.

use super::import::name_of;
use super::project::ProjectArgs;
use super::stage_bar::StageBar;
use super::{Failure, print};
use crate::dataset::UnifiedFiles;
use crate::dataset::import::{ImportOptions, import};
use crate::pipeline::scenes::{ContentKind, Embedder, ListMix, SceneOptions, ScenesMade, Span, scenes};
use crate::pipeline::{Project, audit};
use std::fmt::Write;
use std::path::PathBuf;

/// Arguments of `scenes`.
#[derive(clap::Args)]
pub struct Scenes {
    /// Data sets to import first, in any form that `recmirror data` reads: a publisher's folder, your own tables.
    #[arg(value_name = "DATA")]
    data: Vec<PathBuf>,
    #[command(flatten)]
    project: ProjectArgs,
    /// Training scenes of each data set, at most.
    #[arg(long, default_value_t = 1_024, value_name = "N")]
    train: usize,
    /// Evaluation scenes of each data set, at most.
    #[arg(long, default_value_t = 256, value_name = "N")]
    eval: usize,
    /// Items of a training list, drawn uniformly.
    #[arg(long, default_value = "2-12", value_name = "N-M")]
    train_lists: Span,
    /// Items of an evaluation list.
    #[arg(long, default_value = "5", value_name = "N-M")]
    eval_lists: Span,
    /// Earlier interactions in a memory, drawn uniformly.
    #[arg(long, default_value = "2-10", value_name = "N-M")]
    history: Span,
    /// List builders with weights, for interactions without a real list: reference, random, popularity-matched,
    /// anchored, history-similar.
    #[arg(long, default_value = "reference", value_name = "KIND:WEIGHT,...")]
    lists: ListMix,
    /// Content by which candidates are found; by default `embedder` with --embedder, else `tfidf`.
    #[arg(long, value_enum)]
    content: Option<ContentKind>,
    /// A sentence encoder: a folder with `model.onnx` and `tokenizer.json`.
    #[arg(long, value_name = "DIR")]
    embedder: Option<PathBuf>,
    /// Share of additional scenes whose list lacks the real item. "None of these" is then offered in every scene.
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    reject_share: f64,
    /// Share of the log, by time, after which evaluation begins.
    #[arg(long, default_value_t = 0.8, value_name = "SHARE")]
    eval_from: f64,
    /// Snapshots, spread evenly over the log, at which item vectors are computed; scenes begin at the first.
    #[arg(long, default_value_t = 4, value_name = "N")]
    snapshots: usize,
}

impl Scenes {
    pub(super) fn run(mut self) -> Result<(), Failure> {
        let bar = StageBar::new(self.project.quiet);
        self.bring_in(&bar)?;
        let project = self.project.open()?;
        let workers = rayon::current_num_threads();
        let given = if self.embedder.is_some() { ContentKind::Embedder } else { ContentKind::Tfidf };
        let content = self.content.unwrap_or(given);
        let embedder = self.embedder.as_deref().map(|folder| Embedder::load(folder, workers));
        let embedder = embedder.transpose().map_err(Failure::input)?;
        let options = SceneOptions {
            wanted: [self.train, self.eval],
            lengths: [self.train_lists, self.eval_lists],
            history: self.history,
            lists: self.lists,
            content,
            embedder: embedder.as_ref(),
            reject_share: self.reject_share,
            eval_from: self.eval_from,
            snapshots: self.snapshots,
            seed: self.project.seed,
            dry_run: self.project.dry_run,
        };
        if let Some(fault) = options.fault() {
            return Err(Failure::input(fault));
        }
        let mut failed: Vec<(&str, String)> = Vec::new();
        for name in &self.project.datasets {
            let made = scenes(&project, name, &options, &bar);
            bar.finish();
            match made {
                Ok(made) => print(&summary(name, &made, &options)),
                Err(problem) => failed.push((name, problem.to_string())),
            }
        }
        outcome(&failed, self.project.datasets.len())
    }
}

/// A data set without scenes does not prevent those of others; the command fails nevertheless.
fn outcome(failed: &[(&str, String)], of: usize) -> Result<(), Failure> {
    match failed {
        [] => Ok(()),
        [(_, problem)] if of == 1 => Err(Failure::input(problem)),
        _ => {
            let each: Vec<String> = failed.iter().map(|(name, problem)| format!("{name}: {problem}")).collect();
            Err(Failure::input(format!("no scenes of {} of {of} data sets\n{}", failed.len(), each.join("\n"))))
        }
    }
}

impl Scenes {
    /// Imports data sets given by path, and adds their names to those of the project.
    fn bring_in(&mut self, bar: &StageBar) -> Result<(), Failure> {
        for source in &self.data {
            let name = name_of(source).ok_or_else(|| {
                let message = format!("{} has no name that may name a data set", source.display());
                Failure::input(message + "; import it first: recmirror import auto SOURCE --name NAME --project DIR")
            })?;
            let files = UnifiedFiles::of(&Project::new(&self.project.project).raws(), &name);
            let options = ImportOptions {
                family: None,
                source,
                format: None,
                files: &files,
                least: None,
                latest: None,
                examples: 1,
                force: false,
                dry_run: false,
            };
            let imported = import(&options, bar).map_err(Failure::input);
            bar.finish();
            print(&super::import::summary(&imported?, &name, &files, false));
            self.project.datasets.push(name);
        }
        Ok(())
    }
}

fn summary(name: &str, made: &ScenesMade, options: &SceneOptions<'_>) -> String {
    let vectors = made.vectors.map(|vectors| format!(" (vectors {vectors})")).unwrap_or_default();
    let mut text = format!("{name}: lists {}, content {}{vectors}\n{}", options.lists, made.content, made.tally);
    for file in &made.files {
        let _ = writeln!(text, "  {} {}", if options.dry_run { "would write" } else { "wrote" }, file.display());
    }
    for (file, findings) in &made.audit {
        let file = file.file_name().map(|file| file.to_string_lossy().into_owned()).unwrap_or_default();
        text.push_str(&audit::summary(&file, findings));
    }
    text
}

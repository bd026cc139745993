//! `recmirror scenes`: from feedback logs in the unified form to scenes.

use super::project::ProjectArgs;
use super::stage_bar::StageBar;
use super::{Failure, print};
use crate::mirror::audit;
use crate::mirror::scenes::{ContentKind, Embedder, ListMix, SceneOptions, ScenesMade, Span, scenes};
use std::fmt::Write;
use std::path::PathBuf;

/// Arguments of `scenes`.
#[derive(clap::Args)]
pub struct Scenes {
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
    /// Earlier interactions that a memory tells, drawn uniformly.
    #[arg(long, default_value = "2-10", value_name = "N-M")]
    history: Span,
    /// How lists are built where the log tells none, with weights: reference, random, popularity-matched, anchored,
    /// history-similar.
    #[arg(long, default_value = "reference", value_name = "KIND:WEIGHT,...")]
    lists: ListMix,
    /// By what content candidates are found; `embedder` where --embedder is given, else `tfidf`.
    #[arg(long, value_enum)]
    content: Option<ContentKind>,
    /// A sentence encoder: a folder with `model.onnx` and `tokenizer.json`.
    #[arg(long, value_name = "DIR")]
    embedder: Option<PathBuf>,
    /// Share of the scenes whose list does not hold the real item, on top of the others. "None of these" is then
    /// offered in every scene.
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    reject_share: f64,
    /// Share of the log, by time, after which evaluation begins.
    #[arg(long, default_value_t = 0.8, value_name = "SHARE")]
    eval_from: f64,
    /// Moments, spread evenly over the log, at which item vectors are computed; scenes begin at the first.
    #[arg(long, default_value_t = 4, value_name = "N")]
    snapshots: usize,
}

impl Scenes {
    pub(super) fn run(self) -> Result<(), Failure> {
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
        let bar = StageBar::new(self.project.quiet);
        let mut failed: Vec<(&str, String)> = Vec::new();
        for name in &self.project.datasets {
            let made = scenes(&project, name, &options, &bar);
            bar.finish();
            match made {
                Ok(made) => print(&told(name, &made, &options)),
                Err(problem) => failed.push((name, problem.to_string())),
            }
        }
        outcome(&failed, self.project.datasets.len())
    }
}

/// One data set that gives no scenes does not keep the others from theirs; the command fails all the same.
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

fn told(name: &str, made: &ScenesMade, options: &SceneOptions<'_>) -> String {
    let vectors = made.vectors.map(|vectors| format!(" (vectors {vectors})")).unwrap_or_default();
    let mut text = format!("{name}: lists {}, content {}{vectors}\n{}", options.lists, made.content, made.tally);
    for file in &made.files {
        let _ = writeln!(text, "  {} {}", if options.dry_run { "would write" } else { "wrote" }, file.display());
    }
    for (file, findings) in &made.audit {
        let file = file.file_name().map(|file| file.to_string_lossy().into_owned()).unwrap_or_default();
        text.push_str(&audit::told(&file, findings));
    }
    text
}

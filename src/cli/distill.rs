//! `recmirror distill`: from judged decisions to preference pairs.

use super::project::{ProjectArgs, check_name};
use super::stage_bar::StageBar;
use super::{Failure, print};
use crate::pipeline::distill::{DistillOptions, Distillation, Rank, distill};
use crate::pipeline::{Project, Prompts};
use crate::random::Streams;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Arguments of `distill`.
#[derive(clap::Args)]
pub struct Distill {
    #[command(flatten)]
    project: ProjectArgs,
    /// Maximum number of pairs.
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    keep: usize,
    /// The order of scenes.
    #[arg(long, value_enum, default_value_t)]
    rank: Rank,
    /// Writes `datasets/NAME_pref.jsonl`.
    #[arg(long, default_value = "recmirror")]
    name: String,
    /// Also write the measures of every scene in which a decision hits, one a line.
    #[arg(long, value_name = "FILE")]
    metrics_out: Option<PathBuf>,
    /// The prompts; by default the built-in ones.
    #[arg(long, value_name = "FILE")]
    prompts: Option<PathBuf>,
}

impl Distill {
    pub(super) fn run(self) -> Result<(), Failure> {
        check_name(&self.name)?;
        let project = self.project.open()?;
        let prompts = Prompts::load(self.prompts.as_deref()).map_err(Failure::input)?;
        let streams = Streams::new(self.project.seed, 0);
        let options = DistillOptions { datasets: &self.project.datasets, keep: self.keep, rank: self.rank, streams };
        let bar = StageBar::new(self.project.quiet);
        let found = distill(&project, &options, &bar).map_err(Failure::input)?;
        let path = project.pairs(&self.name);
        if !self.project.dry_run {
            self.write(&project, &found, &prompts, &path, &bar)?;
        }
        bar.finish();
        print(&summary(&found, &path, self.project.dry_run));
        Ok(())
    }

    fn write(
        &self,
        project: &Project,
        found: &Distillation,
        prompts: &Prompts,
        path: &Path,
        bar: &StageBar,
    ) -> Result<(), Failure> {
        let streams = Streams::new(self.project.seed, 0);
        found.write_pairs(project, prompts, streams, path, self.metrics_out.as_deref(), bar).map_err(Failure::input)?;
        Ok(())
    }
}

fn summary(found: &Distillation, path: &Path, dry: bool) -> String {
    let mut text = format!("{} {}\n{}", if dry { "would write" } else { "wrote" }, path.display(), found.tally);
    let _ = writeln!(text, "  {:<20} {:>7} {:>8} {:>8}", "data set", "length", "offered", "kept");
    for group in &found.groups {
        let _ = writeln!(text, "  {:<20} {:>7} {:>8} {:>8}", group.dataset, group.length, group.offered, group.kept);
    }
    text
}

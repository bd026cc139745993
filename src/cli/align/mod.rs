//! `recmirror align`: how well a user model mirrors users.

mod data_set;
mod measured_card;
mod models;
mod order;
mod scenes;

pub(super) use self::data_set::table;
use super::allow::AllowArgs;

use super::language::ServerArgs;
use super::{Failure, use_threads};
use crate::language::endpoint::LetterStyle;
use crate::registry::Registry;
use std::path::PathBuf;

/// Arguments of `align`.
#[derive(clap::Args)]
#[command(override_usage = "recmirror align [OPTIONS] <MODEL> <SCENES>...\n       \
    recmirror align [OPTIONS] --endpoint <URL> --model <NAME> <SCENES>...\n       \
    recmirror align [OPTIONS] <MIRROR> <DATA>")]
pub struct Align {
    /// The model: the folder of a language model or of a mirror, or `parametric`. Omit it with --endpoint.
    #[arg(value_name = "MODEL")]
    subject: PathBuf,
    /// Files of scenes: `datasets/NAME_eval.jsonl`, or the reference code's. With a data set's folder instead, lists are built
    /// from its latest interactions; that is for a mirror.
    #[arg(value_name = "SCENES")]
    over: Vec<PathBuf>,
    /// Scenes of each file at most, the first ones; of a data set, scenes of each list type (8,000).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    scenes: Option<u32>,
    /// Root of the random streams.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The data set of the scenes: a mirror and `parametric` need it, and ratings come from it.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Share of each user's latest interactions of the data set that no model was trained on.
    #[arg(long, default_value_t = 0.2)]
    holdout: f64,
    /// A further model to ask about the same scenes. Repeatable.
    #[arg(long, value_name = "MODEL")]
    beside: Vec<PathBuf>,
    /// Prompts for language models without a `prompts.toml` in their folder; by default the built-in ones.
    #[arg(long, value_name = "FILE")]
    prompts: Option<PathBuf>,
    /// The graph in a language model's folder; by default the one that its card names.
    #[arg(long, value_name = "FILE")]
    graph: Option<String>,
    /// Also ask each list in all its rotations.
    #[arg(long)]
    rotations: bool,
    /// Ask less: the first 128 scenes of each file (or --scenes), and of the variations only another user's
    /// memory.
    #[arg(long, conflicts_with = "rotations")]
    quick: bool,
    /// Also run this scenario with the model as its users, and compare the order of its policies with that on
    /// held-out interactions.
    #[arg(long, value_name = "SCENARIO")]
    policy_order: Option<PathBuf>,
    #[command(flatten)]
    allow: AllowArgs,
    /// Drawn answers to each scene.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    repeats: u32,
    /// Answers are drawn from the most probable options that together have this probability.
    #[arg(long, value_name = "P", default_value_t = 0.9)]
    top_p: f64,
    /// How a server is asked for the option label: `continue` if it continues an unfinished turn of the model.
    #[arg(long, value_enum, default_value_t, help_heading = "Server")]
    letter: LetterStyle,
    /// Number of most likely tokens to request from a server.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=1000), help_heading = "Server")]
    top_logprobs: u32,
    #[command(flatten)]
    server: ServerArgs,
    /// Rows of one inference call of a mirror.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(2..=65_536))]
    chunk: u32,
    /// Worker threads; by default one for each core. They change no result.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Write align.json, align.csv, align.html and answers.jsonl into this folder, which must not exist yet.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace the folder of an earlier `align --out`.
    #[arg(long, requires = "out")]
    force: bool,
    /// Write the figures into the model's card.
    #[arg(long)]
    write_card: bool,
    /// Fail with exit code 3 when the choice accuracy is lower: on popularity-matched lists where there are such, else on all.
    #[arg(long, value_name = "X")]
    min_accuracy: Option<f64>,
    /// No progress on stderr.
    #[arg(long, short)]
    quiet: bool,
}

impl Align {
    pub(super) fn run(mut self, registry: &Registry) -> Result<(), Failure> {
        if !(0.01..=0.9).contains(&self.holdout) {
            return Err(Failure::input(format!("--holdout is {}, expected 0.01 to 0.9", self.holdout)));
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return Err(Failure::input(format!("--top-p is {}, expected more than 0 and at most 1", self.top_p)));
        }
        use_threads(self.threads.map(usize::from))?;
        if !self.server.is_none() {
            let first = std::mem::take(&mut self.subject);
            self.over.insert(0, first);
            return scenes::run(&self, registry);
        }
        let folder = self.over.iter().find(|path| path.is_dir());
        match (self.over.as_slice(), folder) {
            ([], _) => Err(Failure::input(
                "no data: name files of scenes (`recmirror scenes` makes datasets/NAME_eval.jsonl), or the folder of \
                 a data set",
            )),
            ([folder], Some(_)) => self.check_lists().and_then(|()| data_set::run(&self, registry, folder)),
            (_, Some(folder)) => Err(Failure::input(format!(
                "{} is a folder: give files of scenes, or a single folder",
                folder.display()
            ))),
            (_, None) => scenes::run(&self, registry),
        }
    }

    /// Refuses options that have no effect on lists built from a data set.
    fn check_lists(&self) -> Result<(), Failure> {
        let given = [
            ("--data", self.data.is_some()),
            ("--beside", !self.beside.is_empty()),
            ("--prompts", self.prompts.is_some()),
            ("--graph", self.graph.is_some()),
            ("--rotations", self.rotations),
            ("--quick", self.quick),
            ("--out", self.out.is_some()),
        ];
        match given.iter().find(|(_, is_given)| *is_given) {
            Some((option, _)) => Err(Failure::input(format!("{option} is for files of scenes; leave it out"))),
            None => Ok(()),
        }
    }
}

/// The check of --min-accuracy.
fn gate(least: Option<f64>, accuracy: f64, lists: &str) -> Result<(), Failure> {
    match least {
        // An undefined accuracy does not pass either.
        Some(least) if accuracy.is_nan() || accuracy < least => {
            Err(Failure::Check(format!("choice accuracy on {lists} is {accuracy:.3}, less than {least}")))
        }
        _ => Ok(()),
    }
}

//! `recmirror judge`: behaviour probabilities of decisions.

use super::language::{LanguageArgs, LetterArgs, Model, failure, stop_flag, usage_summary};
use super::project::ProjectArgs;
use super::stage_bar::StageBar;
use super::{Failure, print};
use crate::language::endpoint::{LetterStyle, estimate_tokens};
use crate::pipeline::judge::{
    JudgeError, JudgeOptions, LetterForm, Plan, Predictor, judge, judge_difficulty, plan, write_requests,
};
use crate::pipeline::{Project, Prompts, Strength};
use std::path::PathBuf;

/// Arguments of `judge`.
#[derive(clap::Args)]
pub struct Judge {
    #[command(flatten)]
    project: ProjectArgs,
    /// Decisions of the strong or the weak model: `probs/NAME_probs_STRENGTH.jsonl` is written.
    #[arg(long, value_enum, required_unless_present = "ifd")]
    strength: Option<Strength>,
    /// Write `probs/NAME_ifd.jsonl`: instruction-following difficulty, how little the scene helps the model to
    /// predict the strong model's decisions.
    #[arg(long, conflicts_with_all = ["strength", "overlap", "batch_out", "batch_in"])]
    ifd: bool,
    /// Use no model: compute probabilities from the words that decisions and options share, without understanding.
    #[arg(long, group = "backend", help_heading = "Back end")]
    overlap: bool,
    #[command(flatten)]
    language: LanguageArgs,
    /// How a server is asked for the option label: `continue` if it continues an unfinished turn of the model.
    #[arg(long, value_enum, default_value_t, help_heading = "Server")]
    letter: LetterStyle,
    /// Number of most likely tokens to request from a server.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=1000), help_heading = "Server")]
    top_logprobs: u32,
    /// The prompts; by default the built-in ones.
    #[arg(long, value_name = "FILE")]
    prompts: Option<PathBuf>,
}

impl Judge {
    pub(super) fn run(self) -> Result<(), Failure> {
        if !self.overlap && self.language.is_none() {
            return Err(Failure::input(
                "no back end is named; give one of --overlap, --endpoint URL --model NAME, --local DIR, --batch-out \
                 FILE or --batch-in FILE",
            ));
        }
        let project = self.project.open()?;
        let prompts = Prompts::load(self.prompts.as_deref()).map_err(Failure::input)?;
        let stop = stop_flag()?;
        let settings = self.settings();
        let options = JudgeOptions {
            strength: self.strength.unwrap_or(Strength::Strong),
            prompts: &prompts,
            settings: &settings,
            restart: self.language.restart,
            skip_failed: self.language.skip_failed,
            stop: &stop,
        };
        if let (Some(path), false) = (&self.language.batch_out, self.project.dry_run) {
            let extra = self.language.extra();
            let form = LetterForm {
                model: self.language.model_name(),
                style: self.letter,
                top: self.top_logprobs,
                extra: &extra,
            };
            let rows = write_requests(&project, &self.project.datasets, &options, form, path);
            let rows = rows.map_err(|error| failed(&error, options.restart))?;
            print(&format!("wrote {rows} requests to {}\n", path.display()));
            return Ok(());
        }
        let letter = LetterArgs { style: self.letter, top: self.top_logprobs };
        let model = self.language.open(self.project.seed, letter, &stop)?;
        let done = self.each(&project, &options, model.as_ref());
        if let Some(usage) = model.as_ref().and_then(Model::usage).filter(|usage| usage.requests > 0) {
            print(&usage_summary(usage));
        }
        done
    }

    fn each(&self, project: &Project, options: &JudgeOptions<'_>, model: Option<&Model>) -> Result<(), Failure> {
        let predictor = match model {
            Some(model) => Predictor::Model(model.get()),
            None if self.overlap => Predictor::Overlap,
            None => Predictor::Batch { model: self.language.model_name(), files: &self.language.batch_in },
        };
        for dataset in &self.project.datasets {
            let path = if self.ifd { project.difficulties(dataset) } else { project.probs(dataset, options.strength) };
            if self.project.dry_run {
                let planned = match self.ifd {
                    true => String::new(),
                    false => planned(
                        plan(project, dataset, options, predictor).map_err(|error| failed(&error, options.restart))?,
                        self.overlap,
                    ),
                };
                print(&format!("would write {}\n{planned}", path.display()));
                continue;
            }
            let bar = StageBar::new(self.project.quiet);
            let tally = match model {
                Some(model) if self.ifd => judge_difficulty(project, dataset, options, model.get(), &bar),
                _ => judge(project, dataset, options, predictor, &bar),
            };
            bar.finish();
            print(&format!("{}\n{}", path.display(), tally.map_err(|error| failed(&error, options.restart))?));
        }
        Ok(())
    }

    /// The settings that change a server's answers.
    fn settings(&self) -> String {
        if self.overlap {
            return String::new();
        }
        let style = match self.letter {
            LetterStyle::Continue => "continue",
            LetterStyle::Ask => "ask",
        };
        format!("letter {style}, top {} {}", self.top_logprobs, self.language.settings()).trim().to_owned()
    }
}

fn planned(plan: Plan, overlap: bool) -> String {
    if plan.complete {
        return format!("  {} usable decisions, all are judged: nothing to do\n", plan.decisions);
    }
    let mut text =
        format!("  {} usable decisions, {} are judged, {} to judge\n", plan.decisions, plan.have, plan.requests);
    if !overlap {
        text.push_str(&format!(
            "  {} requests\n  about {} tokens of prompts, one for each 4 bytes, and one token of each answer\n",
            plan.requests,
            estimate_tokens(plan.bytes as usize)
        ));
    }
    text
}

fn failed(error: &JudgeError, restart: bool) -> Failure {
    match error {
        JudgeError::Language(language) => failure(language, error.to_string(), restart),
        JudgeError::Stopped { .. } | JudgeError::Incomplete { .. } => Failure::other(error),
        _ => Failure::input(error),
    }
}

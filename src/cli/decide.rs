//! `recmirror decide`: decisions of a language model.
//!
//! A strong or a weak language model decides in each scene.

use super::language::{LanguageArgs, LetterArgs, Model, failure, stop_flag, usage_summary};
use super::project::ProjectArgs;
use super::stage_bar::StageBar;
use super::{Failure, print};
use crate::language::Sampling;
use crate::language::endpoint::estimate_tokens;
use crate::pipeline::compose::Wording;
use crate::pipeline::decide::{DecideError, DecideOptions, Decider, Plan, decide, plan, write_requests};
use crate::pipeline::{Project, Prompts, Strength};
use std::path::PathBuf;

/// The assumed tokens of an answer in a dry run.
const EXPECTED_ANSWER: u64 = 256;

/// Arguments of `decide`.
#[derive(clap::Args)]
pub struct Decide {
    #[command(flatten)]
    project: ProjectArgs,
    /// The model's role, strong or weak: `decisions/NAME_decisions_STRENGTH.jsonl` is written.
    #[arg(long, value_enum)]
    strength: Strength,
    /// Use no model: compose decisions from each scene's own facts. Their model name is `composed`.
    #[arg(long, group = "backend", help_heading = "Back end")]
    composed: bool,
    #[command(flatten)]
    language: LanguageArgs,
    /// Decisions for each scene.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    decisions: u32,
    /// Divides the logits; 0 takes the most likely token.
    #[arg(long, value_name = "T", default_value_t = 1.0, value_parser = temperature)]
    temperature: f64,
    /// Draws from the smallest set of tokens with this probability.
    #[arg(long, value_name = "P", default_value_t = 0.9, value_parser = share)]
    top_p: f64,
    /// Maximum number of tokens of an answer.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: u32,
    /// The prompts; by default the built-in ones.
    #[arg(long, value_name = "FILE")]
    prompts: Option<PathBuf>,
    /// The wording of composed decisions; by default the built-in one.
    #[arg(long, value_name = "FILE", requires = "composed")]
    wording: Option<PathBuf>,
}

impl Decide {
    pub(super) fn run(self) -> Result<(), Failure> {
        if !self.composed && self.language.is_none() {
            return Err(Failure::input(
                "no back end is named; give one of --composed, --endpoint URL --model NAME, --local DIR, --batch-out \
                 FILE or --batch-in FILE",
            ));
        }
        let project = self.project.open()?;
        let prompts = Prompts::load(self.prompts.as_deref()).map_err(Failure::input)?;
        let wording = Wording::load(self.wording.as_deref()).map_err(Failure::input)?;
        let stop = stop_flag()?;
        let settings = self.language.settings();
        let options = DecideOptions {
            strength: self.strength,
            decisions: self.decisions,
            sampling: self.sampling(),
            prompts: &prompts,
            seed: self.project.seed,
            settings: &settings,
            restart: self.language.restart,
            skip_failed: self.language.skip_failed,
            stop: &stop,
        };
        if let (Some(path), false) = (&self.language.batch_out, self.project.dry_run) {
            let (model, extra, names) = (self.language.model_name(), self.language.extra(), &self.project.datasets);
            let rows = write_requests(&project, names, &options, model, &extra, path);
            let rows = rows.map_err(|error| failed(&error, options.restart))?;
            print(&format!("wrote {rows} requests to {}\n", path.display()));
            return Ok(());
        }
        let model = self.language.open(self.project.seed, LetterArgs::default(), &stop)?;
        let decider = match &model {
            Some(model) => Decider::Model(model.get()),
            None if self.composed => Decider::Composed(&wording),
            None => Decider::Batch { model: self.language.model_name(), files: &self.language.batch_in },
        };
        let done = self.each(&project, &options, decider);
        if let Some(usage) = model.as_ref().and_then(Model::usage).filter(|usage| usage.requests > 0) {
            print(&usage_summary(usage));
        }
        done
    }

    fn each(&self, project: &Project, options: &DecideOptions<'_>, decider: Decider<'_>) -> Result<(), Failure> {
        for dataset in &self.project.datasets {
            let path = project.decisions(dataset, self.strength);
            if self.project.dry_run {
                let plan = plan(project, dataset, options, decider).map_err(|error| failed(&error, options.restart))?;
                print(&format!("would write {}\n{}", path.display(), self.planned(plan)));
                continue;
            }
            let bar = StageBar::new(self.project.quiet);
            let tally = decide(project, dataset, options, decider, &bar);
            bar.finish();
            print(&format!("{}\n{}", path.display(), tally.map_err(|error| failed(&error, options.restart))?));
        }
        Ok(())
    }

    fn sampling(&self) -> Sampling {
        Sampling { temperature: self.temperature, top_p: self.top_p, max_tokens: self.max_tokens as usize }
    }

    /// The expected requests and tokens; each line names its rule.
    fn planned(&self, plan: Plan) -> String {
        if plan.complete {
            return format!("  {} scenes, all answers are there: nothing to do\n", plan.scenes);
        }
        let mut text = format!(
            "  {} scenes, {} answers each, {} answers are there, {} to ask for\n",
            plan.scenes, self.decisions, plan.have, plan.missing
        );
        if self.composed {
            return text;
        }
        let most = u64::from(self.max_tokens);
        let expected = most.min(EXPECTED_ANSWER);
        let prompts = estimate_tokens(plan.bytes as usize);
        text.push_str(&format!(
            "  {} requests; {} where the server gives one answer at a time\n\
             \x20 about {prompts} tokens of prompts, one for each 4 bytes (up to {} one at a time)\n\
             \x20 about {} tokens of answers, {expected} each (at most {} with --max-tokens {most})\n",
            plan.requests,
            plan.missing,
            prompts.saturating_mul(plan.missing.div_ceil(plan.requests.max(1))),
            plan.missing * expected,
            plan.missing * most,
        ));
        text
    }
}

fn failed(error: &DecideError, restart: bool) -> Failure {
    match error {
        DecideError::Language(language) => failure(language, error.to_string(), restart),
        DecideError::Stopped { .. } | DecideError::Incomplete { .. } => Failure::other(error),
        _ => Failure::input(error),
    }
}

fn temperature(text: &str) -> Result<f64, String> {
    within(text, 0.0..=10.0)
}

fn share(text: &str) -> Result<f64, String> {
    within(text, 1e-6..=1.0)
}

fn within(text: &str, range: std::ops::RangeInclusive<f64>) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("`{text}` is not a number from {} to {}", range.start(), range.end()))
}

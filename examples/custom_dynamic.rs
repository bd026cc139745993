//! A dynamic of your own, entered into an experiment: every rejected slate of a session makes the next one harder to accept.
//!
//! The kind has keys like every other, so scenario files, `--set`, the JSON Schema and messages know `[[dynamic]]` tables of
//! it. Run it with `cargo run --example custom_dynamic`; with arguments it is the whole `recmirror` command with one kind more.

use recmirror::dynamics::{BuildDynamic, Dynamic, DynamicContext, DynamicError, DynamicKind, Moment, Shown, Step};
use recmirror::prelude::*;
use std::process::ExitCode;

recmirror::parameters! {
    /// rejected slates make the next one harder
    struct SulkingParameters = "sulking" {
        /// logits that "reject all" gains with each rejected slate of the session; 0 = nobody sulks
        #[range(0.0..=100.0)]
        strength: f64,
    }
}

impl BuildDynamic for SulkingParameters {
    fn build(self, _: &DynamicContext) -> Result<Box<dyn Dynamic>, DynamicError> {
        Ok(Box::new(Sulking { strength: self.strength as f32 }))
    }
}

struct Sulking {
    strength: f32,
}

impl Dynamic for Sulking {
    /// Slates rejected in this session.
    fn width(&self) -> usize {
        1
    }

    fn begin(&self, _: &Moment, _: UserId, state: &mut [f32]) {
        state[0] = 0.0;
    }

    fn shift(&self, _: &Shown<'_>, state: &[f32], logits: &mut [f32]) {
        if let Some(reject) = logits.last_mut() {
            *reject += self.strength * state[0];
        }
    }

    fn remember(&self, step: &Step<'_>, state: &mut [f32]) {
        state[0] += f32::from(u8::from(step.accepted.is_none()));
    }
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let registry = Registry::builtin().with(DynamicKind::of::<SulkingParameters>());
    if std::env::args().len() > 1 {
        return Ok(recmirror::cli::main_with(&registry));
    }
    let row = |n: i64| ((n % 40).to_string(), ((n * 7 + n / 40) % 60).to_string(), None, Some(n));
    let data = Dataset::from_rows("shop", (0..600).map(row))?;
    for strength in [0.0, 1.0] {
        let settings = Experiment::builder(&data).dynamic_of(&SulkingParameters { strength });
        let settings = settings.population(500).slate(5).steps(20).replications(2).policy("popular", &[]);
        let run = settings.experiment()?.run_observed(None, &mut |_| ())?;
        let summary = run.results.summary();
        for row in summary.iter().filter(|row| row.metric == "acceptance_rate") {
            println!("strength {strength}: {} {:.3}", row.policy, row.mean.unwrap_or(f64::NAN));
        }
    }
    Ok(ExitCode::SUCCESS)
}

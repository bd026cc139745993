//! A metric of your own, entered into an experiment: the share of slates whose first slot was accepted.
//!
//! Scenario files, `--set metrics=...`, the JSON Schema and messages know it, and so do tables, intervals and the report.
//! Run it with `cargo run --example custom_metric`; with arguments it is the whole `recmirror` command with one metric more.

use recmirror::dataset::Catalogue;
use recmirror::metrics::{Better, Format, Metric, MetricKind, Window, accumulator};
use recmirror::prelude::*;
use std::process::ExitCode;

static FIRST_SLOT: MetricKind = MetricKind {
    name: "first_slot",
    title: "First slot accepted",
    formula: "slates whose first slot was accepted / slates",
    format: Format::Percent { digits: 1 },
    better: Better::Higher,
    window: Window::Tick,
    against: None,
    make: |_| accumulator(FirstSlot::default()),
};

#[derive(Default)]
struct FirstSlot {
    slates: u64,
    first: u64,
}

impl Metric for FirstSlot {
    fn fold(&mut self, batch: &EventBatch, _: &Catalogue) {
        self.slates += batch.len() as u64;
        self.first += batch.accepted.iter().filter(|&&slot| slot == 0).count() as u64;
    }

    fn merge(&mut self, other: &Self) {
        self.slates += other.slates;
        self.first += other.first;
    }

    /// Undefined, not 0, where nobody came.
    fn value(&self) -> Option<f64> {
        (self.slates > 0).then(|| self.first as f64 / self.slates as f64)
    }
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let registry = Registry::builtin().with(&FIRST_SLOT);
    if std::env::args().len() > 1 {
        return Ok(recmirror::cli::main_with(&registry));
    }
    let row = |n: i64| ((n % 40).to_string(), ((n * 7 + n / 40) % 60).to_string(), None, Some(n));
    let data = Dataset::from_rows("shop", (0..600).map(row))?;
    let settings = Experiment::builder(&data).register(&FIRST_SLOT).metrics(&["acceptance_rate", "first_slot"]);
    let settings = settings.population(500).slate(5).steps(20).replications(3);
    let experiment = settings.policy("popular", &[]).policy("random", &[]).experiment()?;
    let run = experiment.run_observed(None, &mut |_| ())?;
    println!("{}", run.results.table(100));
    Ok(ExitCode::SUCCESS)
}

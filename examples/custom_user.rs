//! A user model of your own, entered into an experiment: users who take what is like the last thing that they took.
//!
//! The kind has keys like every other, so scenario files, `--set`, the JSON Schema and messages know `user.kind = "loyal"`.
//! Run it with `cargo run --example custom_user`; with arguments it is the whole `recmirror` command with one kind more.

use recmirror::prelude::*;
use recmirror::scene::SceneBatch;
use recmirror::user::{
    BuildUser, EMPTY_SLOT, Memorised, MemoryShape, Responses, UserContext, UserError, UserKind, UserModel,
};
use std::process::ExitCode;
use std::sync::Arc;

recmirror::parameters! {
    /// takes what is of the same part of the catalogue as the last thing taken.
    struct LoyalParameters = "loyal" {
        /// Logits of an item of the category that was taken last.
        #[range(0.0..=10.0)]
        loyalty: f64 = 2.0,
    }
}

impl BuildUser for LoyalParameters {
    fn build(self, context: &UserContext<'_>) -> Result<Arc<dyn UserModel>, UserError> {
        // Without categories, ten neighbours in the catalogue are a part of it.
        let part_of = (0..context.catalogue.len()).map(|item| item / 10).collect();
        Ok(Arc::new(Loyal { loyalty: self.loyalty as f32, part_of }))
    }
}

struct Loyal {
    loyalty: f32,
    part_of: Vec<usize>,
}

impl UserModel for Loyal {
    fn kind(&self) -> &'static str {
        LoyalParameters::NAME
    }

    /// One number: the part of the catalogue of the item that was taken last.
    fn memory(&self) -> MemoryShape {
        MemoryShape { read: 1, total: 1 }
    }

    fn start(&self, _: &[LogUserId], memory: &mut [f32]) -> Result<(), UserError> {
        memory.fill(-1.0);
        Ok(())
    }

    fn update(&self, memories: &mut [&mut [f32]], events: &[Memorised]) -> Result<(), UserError> {
        for (memory, event) in memories.iter_mut().zip(events) {
            memory[0] = self.part_of[event.item.index()] as f32;
        }
        Ok(())
    }

    fn respond(&self, scenes: &SceneBatch, out: &mut Responses) -> Result<(), UserError> {
        out.reset(scenes.len(), scenes.slate);
        let rows = out.choice.chunks_mut(scenes.slate + 1).zip(scenes.items.chunks(scenes.slate));
        for ((logits, items), memory) in rows.zip(&scenes.memory) {
            for (logit, item) in logits.iter_mut().zip(items) {
                *logit = match item.is_some() {
                    false => EMPTY_SLOT,
                    true if self.part_of[item.index()] as f32 == *memory => self.loyalty,
                    true => 0.0,
                };
            }
        }
        Ok(())
    }
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let registry = Registry::builtin().with(UserKind::of::<LoyalParameters>());
    if std::env::args().len() > 1 {
        return Ok(recmirror::cli::main_with(&registry));
    }
    let row = |n: i64| ((n % 40).to_string(), ((n * 7 + n / 40) % 60).to_string(), None, Some(n));
    let data = Dataset::from_rows("shop", (0..600).map(row))?;
    for loyalty in [0.0, 4.0] {
        let settings = Experiment::builder(&data).user_of(&LoyalParameters { loyalty });
        let settings = settings.population(500).slate(5).steps(20).replications(2).policy("popular", &[]);
        let run = settings.policy("item_knn", &[]).experiment()?.run_observed(None, &mut |_| ())?;
        let summary = run.results.summary();
        for row in summary.iter().filter(|row| row.metric == "acceptance_rate") {
            println!("loyalty {loyalty}: {} {:.3}", row.policy, row.mean.unwrap_or(f64::NAN));
        }
    }
    Ok(ExitCode::SUCCESS)
}

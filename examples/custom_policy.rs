//! A policy of your own: the newest items of each user's favourite category.
//!
//! A policy is a type that implements [`Policy`], and a struct of parameters that says how a scenario's `[[policy]]` table
//! becomes one. Register the kind, and scenario files may name it:
//!
//! ```toml
//! [[policy]]
//! kind = "fresh_favourites"
//! memory = 20
//! ```
//!
//! Run it with `cargo run --example custom_policy`; with arguments it is the whole `recmirror` command with one kind more:
//! `cargo run --example custom_policy -- run my_scenario.toml --out runs/mine`.

use recmirror::dataset::{Catalogue, Column, DataError, Field, Fields, ItemCategories};
use recmirror::policy::{BuildPolicy, Histories, PolicyKind};
use recmirror::prelude::*;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

// The keys of the policy in scenario files.
recmirror::parameters! {
    /// the newest items of the user's favourite category
    struct FreshFavouritesParameters = "fresh_favourites" {
        /// latest items of the history that decide the favourite category
        #[range(1..=1000)]
        memory: usize = 20,
    }
}

impl BuildPolicy for FreshFavouritesParameters {
    fn build(self, context: &PolicyContext) -> Result<Box<dyn Policy>, PolicyError> {
        Ok(Box::new(FreshFavourites {
            memory: self.memory,
            catalogue: context.catalogue.clone(),
            // An empty name means the category field of the scenario.
            categories: context.catalogue.categories("").map_err(PolicyError::of)?,
            histories: Histories::new(context),
        }))
    }
}

struct FreshFavourites {
    memory: usize,
    catalogue: Arc<Catalogue>,
    categories: Arc<ItemCategories>,
    histories: Histories,
}

impl FreshFavourites {
    /// The most frequent category of the user's latest items; the first of several.
    fn favourite(&self, user: UserId) -> Option<u32> {
        let latest: Vec<ItemId> = self.histories.of(user).rev().take(self.memory).map(|(item, _)| item).collect();
        let count = |code: u32| latest.iter().filter(|&&item| self.categories.of(item).contains(&code)).count();
        let codes = 0..self.categories.len() as u32;
        codes.rev().max_by_key(|&code| count(code)).filter(|&code| count(code) > 0)
    }

    /// Newer items score higher, and any item of the favourite category higher than all others.
    fn score(&self, item: ItemId, favourite: Option<u32>) -> f32 {
        let year = self.catalogue.year(item);
        let liked = favourite.is_some_and(|code| self.categories.of(item).contains(&code));
        if year.is_nan() { 0.0 } else { year + if liked { 10_000.0 } else { 0.0 } }
    }
}

impl Policy for FreshFavourites {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError> {
        let policy = &*self;
        // `fill_with` runs in parallel; the second argument makes a buffer that many requests reuse.
        slates.fill_with(requests, Vec::new, |scores, request, slate| {
            let favourite = policy.favourite(request.user);
            scores.clear();
            scores.extend((0..request.items as u32).map(|item| policy.score(ItemId(item), favourite)));
            rank_candidates(&request, scores, slate);
        });
        Ok(())
    }

    fn observe(&mut self, events: &EventBatch) -> Result<(), PolicyError> {
        self.histories.observe(events, |_, _, _| ());
        Ok(())
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let registry = Registry::builtin().with(PolicyKind::of::<FreshFavouritesParameters>());
    if std::env::args().len() > 1 {
        return Ok(recmirror::cli::main_with(&registry));
    }
    let data = films()?;
    let settings = Experiment::builder(&data).population(200).slate(5).steps(10).replications(3);
    let settings = settings.policy_of(&FreshFavouritesParameters { memory: 10 }).policy("popular", &[]);
    let run = settings.policy("random", &[]).experiment()?.run_observed(None, &mut |_| ())?;
    println!("{}", run.results.table(100));
    Ok(ExitCode::SUCCESS)
}

/// 60 films with a category and a year each, and what 40 users saw of them.
fn films() -> Result<Dataset, DataError> {
    let row = |n: i64| ((n % 40).to_string(), ((n * 7 + n / 40) % 60).to_string(), None, Some(n));
    let mut data = Dataset::from_rows("films", (0..600).map(row))?;
    let films = data.items.len();
    data.item_fields = Fields::new(vec![
        Field {
            name: "genre".to_owned(),
            column: Column::of_names((0..films).map(|film| [["Comedy", "Drama", "War"][film % 3]])),
        },
        Field {
            name: "year".to_owned(),
            column: Column::Number((0..films).map(|film| 1960.0 + film as f32).collect()),
        },
    ]);
    data.released = Some("year".to_owned());
    Ok(data)
}

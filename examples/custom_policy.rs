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
//! Run it with `cargo run --example custom_policy`.

use recmirror::Registry;
use recmirror::dataset::{Catalogue, Column, Field, Fields, Interaction, ItemCategories, TrainingLog};
use recmirror::ids::{ItemId, LogUserId, UserId};
use recmirror::log::EventBatch;
use recmirror::policy::{
    Blocked, BuildPolicy, Fits, Histories, Policy, PolicyContext, PolicyError, PolicyKind, Requests, SeenItems, Slates,
    rank_candidates,
};
use recmirror::random::Streams;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

// The keys of the policy in scenario files.
recmirror::parameters! {
    /// the newest items of the user's favourite category
    struct FreshFavouritesSpec = "fresh_favourites" {
        /// latest items of the history that decide the favourite category
        #[range(1..=1000)]
        memory: usize = 20,
    }
}

impl BuildPolicy for FreshFavouritesSpec {
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
    let registry = Registry::builtin().with(PolicyKind::of::<FreshFavouritesSpec>());
    // With arguments this is the whole `recmirror` command with one policy more:
    // cargo run --example custom_policy -- run my_scenario.toml --out runs/mine
    if std::env::args().len() > 1 {
        return Ok(recmirror::cli::main_with(&registry));
    }
    let context = small_world();
    let mut policy = FreshFavouritesSpec { memory: 20 }.build(&context)?;

    let users: Vec<UserId> = (0..context.sources.len() as u32).map(UserId).collect();
    // Nobody is shown an item of the own log.
    let seen = SeenItems::new(SeenItems::of_log(&context.log), context.sources.clone(), context.log.items);
    let requests = Requests {
        tick: 0,
        slate: context.slate,
        items: context.catalogue.len(),
        users: &users,
        blocked: Blocked::seen(&seen),
        streams: context.streams,
        oracle_access: None,
    };
    let slates = policy.slates(&requests)?;
    for (user, slate) in users.iter().zip(slates.items.chunks(slates.slate)) {
        let titles: Vec<&str> =
            slate.iter().filter(|item| item.is_some()).map(|item| context.catalogue.title(*item)).collect();
        println!("user {}: {}", user.0, titles.join(", "));
    }
    Ok(ExitCode::SUCCESS)
}

/// Six films and two users: one of them likes comedies, the other one dramas.
fn small_world() -> PolicyContext {
    let films = [
        ("Old Comedy", 1931.0, "Comedy"),
        ("Old Drama", 1941.0, "Drama"),
        ("Comedy", 1983.0, "Comedy"),
        ("Drama", 1985.0, "Drama"),
        ("New Comedy", 1996.0, "Comedy"),
        ("New Drama", 1997.0, "Drama"),
    ];
    let fields = Fields::new(vec![
        Field { name: "genres".to_owned(), column: Column::of_names(films.iter().map(|film| [film.2])) },
        Field { name: "year".to_owned(), column: Column::Number(films.iter().map(|film| film.1).collect()) },
    ]);
    let mut catalogue = Catalogue::new(films.iter().map(|film| film.0.to_owned()).collect(), fields);
    catalogue.set_released(Some("year"));
    let seen = |user, item| Interaction { user: LogUserId(user), item: ItemId(item), rating: f32::NAN, time: 0 };
    let log = TrainingLog::from_sorted(vec![seen(0, 0), seen(1, 1)], 2, catalogue.len());
    PolicyContext {
        catalogue: Arc::new(catalogue),
        log: Arc::new(log),
        sources: Arc::new([LogUserId(0), LogUserId(1)]),
        slate: 3,
        tick_seconds: 86_400,
        kinds: Registry::builtin().policies().clone(),
        streams: Streams::new(1, 0),
        fits: Fits::default(),
    }
}

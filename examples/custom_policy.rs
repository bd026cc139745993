//! A policy of your own: the newest items of each user's favourite genre.
//!
//! A policy is a type that implements [`Policy`] and a [`PolicyKind`] that says how a scenario's
//! `[[policy]]` table becomes one. Register the kind, and scenario files may name it:
//!
//! ```toml
//! [[policy]]
//! kind = "fresh_favourites"
//! memory = 20
//! ```
//!
//! Run it with `cargo run --example custom_policy`.

use recmirror::dataset::{Catalogue, GenreSet, Interaction, TrainingLog};
use recmirror::ids::{ItemId, UserId};
use recmirror::log::EventBatch;
use recmirror::policy::{Histories, Policy, PolicyContext, PolicyKind, Registry, Requests, Slates, rank_candidates};
use recmirror::random::Streams;
use recmirror::scenario::{Key, Kind, Params};
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

/// What scenario files may say about the policy, and how it is built.
const KIND: PolicyKind = PolicyKind {
    name: "fresh_favourites",
    summary: "the newest items of the user's favourite genre",
    keys: &[Key {
        name: "memory",
        kind: Kind::Integer { min: 1, max: 1000, default: Some(20) },
        doc: "latest items of the history that decide the favourite genre",
    }],
    build: |params, context| Ok(Box::new(FreshFavourites::new(params, context))),
};

struct FreshFavourites {
    memory: usize,
    catalogue: Arc<Catalogue>,
    histories: Histories,
}

impl FreshFavourites {
    fn new(params: &Params<'_>, context: &PolicyContext) -> FreshFavourites {
        FreshFavourites {
            memory: params.integer("memory") as usize,
            catalogue: context.catalogue.clone(),
            histories: Histories::new(context),
        }
    }

    /// The most frequent genre of the user's latest items; the first of several.
    fn favourite(&self, user: UserId) -> Option<u32> {
        let latest: Vec<GenreSet> =
            self.histories.of(user).rev().take(self.memory).map(|(item, _)| self.catalogue.genres_of(item)).collect();
        let count = |genre: u32| latest.iter().filter(|set| set.contains(genre)).count();
        let genres = 0..self.catalogue.genre_names.len() as u32;
        genres.rev().max_by_key(|&genre| count(genre)).filter(|&genre| count(genre) > 0)
    }

    /// Newer items score higher, and any item of the favourite genre higher than all others.
    fn score(&self, item: ItemId, favourite: Option<u32>) -> f32 {
        let year = f32::from(self.catalogue.years[item.index()].unwrap_or(0));
        let liked = favourite.is_some_and(|genre| self.catalogue.genres_of(item).contains(genre));
        year + if liked { 10_000.0 } else { 0.0 }
    }
}

impl Policy for FreshFavourites {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) {
        let policy = &*self;
        // `fill_with` runs in parallel; the second argument makes a buffer that many requests reuse.
        slates.fill_with(requests, Vec::new, |scores, request, slate| {
            let favourite = policy.favourite(request.user);
            scores.clear();
            scores.extend((0..request.items as u32).map(|item| policy.score(ItemId(item), favourite)));
            rank_candidates(&request, scores, slate);
        });
    }

    fn observe(&mut self, events: &EventBatch) {
        self.histories.observe(events, |_, _, _| ());
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let registry = Registry::builtin().with(KIND);
    // With arguments this is the whole `recmirror` command with one policy more:
    // cargo run --example custom_policy -- run my_scenario.toml --out runs/mine
    if std::env::args().len() > 1 {
        return Ok(recmirror::cli::main_with(&registry));
    }
    let context = small_world();
    let kind = registry.get("fresh_favourites").ok_or("the kind was just registered")?;
    let mut policy = (kind.build)(&Params::new(&kind.defaults()), &context)?;

    let users: Vec<UserId> = (0..context.sources.len() as u32).map(UserId).collect();
    // Nobody is shown an item of the own log: one bit for each item.
    let blocked: Vec<u64> = users
        .iter()
        .map(|&user| context.log.of(user).iter().fold(0, |bits, row| bits | 1 << row.item.index()))
        .collect();
    let requests = Requests {
        tick: 0,
        slate: context.slate,
        items: context.catalogue.len(),
        users: &users,
        blocked: &blocked,
        streams: context.streams,
        foresight: None,
    };
    let mut slates = Slates::default();
    policy.recommend(&requests, &mut slates);
    for (user, slate) in users.iter().zip(slates.items.chunks(slates.slate)) {
        let titles: Vec<&str> = slate
            .iter()
            .filter(|item| item.is_some())
            .map(|item| context.catalogue.titles[item.index()].as_str())
            .collect();
        println!("user {}: {}", user.0, titles.join(", "));
    }
    Ok(ExitCode::SUCCESS)
}

/// Six films and two users: one of them likes comedies, the other one dramas.
fn small_world() -> PolicyContext {
    let films = [
        ("Old Comedy", 1931, "Comedy"),
        ("Old Drama", 1941, "Drama"),
        ("Comedy", 1983, "Comedy"),
        ("Drama", 1985, "Drama"),
        ("New Comedy", 1996, "Comedy"),
        ("New Drama", 1997, "Drama"),
    ];
    let mut catalogue = Catalogue::default();
    for (title, year, genre) in films {
        let mut genres = GenreSet::default();
        if let Some(bit) = catalogue.genre_bit(genre) {
            genres.insert(bit);
        }
        catalogue.titles.push(title.to_owned());
        catalogue.years.push(Some(year));
        catalogue.genres.push(genres);
    }
    let seen = |user, item| Interaction { user: UserId(user), item: ItemId(item), rating: f32::NAN, time: 0 };
    let log = TrainingLog::from_sorted(vec![seen(0, 0), seen(1, 1)], 2, catalogue.len());
    PolicyContext {
        catalogue: Arc::new(catalogue),
        log: Arc::new(log),
        sources: Arc::new([UserId(0), UserId(1)]),
        slate: 3,
        tick_seconds: 86_400,
        registry: Arc::new(Registry::builtin()),
        streams: Streams::new(1, 0),
    }
}

//! A small seeded environment for policy tests.

use super::{Blocked, Chance, Fits, OracleAccess, Policy, PolicyContext, PolicyError, Requests, Slates};
use crate::dataset::{Catalogue, Column, Field, Fields, Interaction, TrainingLog};
use crate::files::sha256;
use crate::ids::{ItemId, LogUserId, UserId};
use crate::log::{EventBatch, REJECTED};
pub(super) use crate::onnx::testing_graphs::has_runtime;
use crate::random::{Purpose, Streams, below, unit};
use std::sync::Arc;

/// Users of the data set are also the simulated users, one to one.
#[derive(Clone)]
pub(super) struct World {
    log: Arc<TrainingLog>,
    catalogue: Arc<Catalogue>,
    sources: Arc<[LogUserId]>,
    slate: usize,
    streams: Streams,
}

impl World {
    /// Two clusters of items by parity; user `u` prefers the parity of `u`. Each user has 12 interactions, 11 of them
    /// with the own cluster. Genres and years are independent of the cluster.
    pub fn new(users: usize, items: usize) -> World {
        let streams = Streams::new(77, 0);
        let mut rows: Vec<Vec<u32>> = Vec::new();
        for user in 0..users as u32 {
            let mut rng = streams.derive(Purpose::Scenes, u64::from(user), 0);
            let mut seen = Vec::new();
            for _ in 0..12.min(items / 2) {
                let own = if unit(&mut rng) < 11.0 / 12.0 { user % 2 } else { 1 - user % 2 };
                let item = below(&mut rng, items as u32 / 2) * 2 + own;
                if !seen.contains(&item) {
                    seen.push(item);
                }
            }
            rows.push(seen);
        }
        let rows: Vec<&[u32]> = rows.iter().map(Vec::as_slice).collect();
        World::with_log(users, items, &rows)
    }

    /// A world in which each user has these items in the log.
    pub fn with_log(users: usize, items: usize, log: &[&[u32]]) -> World {
        let row = |user: usize, place: usize, item: u32| Interaction {
            user: LogUserId(user as u32),
            item: ItemId(item),
            rating: (item % 5) as f32 + 1.0,
            time: place as i64 * 1_000,
        };
        let rows = log.iter().enumerate();
        let rows = rows.flat_map(|(user, seen)| seen.iter().enumerate().map(move |(at, &item)| row(user, at, item)));
        World {
            log: Arc::new(TrainingLog::from_sorted(rows.collect(), users, items)),
            catalogue: Arc::new(catalogue(items)),
            sources: (0..users as u32).map(LogUserId).collect(),
            slate: 5,
            streams: Streams::new(5, 1),
        }
    }

    /// The same world with slates of `slate` slots.
    pub fn slate(mut self, slate: usize) -> World {
        self.slate = slate;
        self
    }

    /// The same world with `copies` simulated users for each user of the data set.
    pub fn cloned(mut self, copies: usize) -> World {
        let users = self.log.users();
        self.sources = (0..users * copies).map(|user| LogUserId((user % users) as u32)).collect();
        self
    }

    pub fn context(&self) -> PolicyContext {
        PolicyContext {
            catalogue: self.catalogue.clone(),
            log: self.log.clone(),
            sources: self.sources.clone(),
            slate: self.slate,
            tick_seconds: 1,
            kinds: super::all().into(),
            streams: self.streams,
            fits: Fits::default(),
        }
    }

    pub fn users(&self) -> Vec<UserId> {
        (0..self.sources.len() as u32).map(UserId).collect()
    }

    /// All users, and for each the items of the log as blocked.
    pub fn everyone(&self) -> (Vec<UserId>, Vec<Vec<u64>>) {
        let seen = |source: &LogUserId| self.log.of(*source).iter().map(|row| row.item.0).collect::<Vec<_>>();
        let rows = self.sources.iter().map(|source| mask(self.log.items, &seen(source)));
        (self.users(), rows.collect())
    }

    pub fn recommend(&self, policy: &mut dyn Policy, tick: u32, users: &[UserId], blocked: &[Vec<u64>]) -> Slates {
        self.ask(policy, tick, users, blocked).expect("slates")
    }

    /// The reason why a policy has no slates.
    pub fn refusal(&self, policy: &mut dyn Policy, users: &[UserId], blocked: &[Vec<u64>]) -> PolicyError {
        self.ask(policy, 0, users, blocked).expect_err("no slates")
    }

    fn ask(
        &self,
        policy: &mut dyn Policy,
        tick: u32,
        users: &[UserId],
        blocked: &[Vec<u64>],
    ) -> Result<Slates, PolicyError> {
        let blocked = blocked.concat();
        let (slate, items, streams) = (self.slate, self.log.items, self.streams);
        let likes = Likes { users };
        let oracle_access: Option<&dyn OracleAccess> = if policy.needs_oracle_access() { Some(&likes) } else { None };
        let requests =
            Requests { tick, slate, items, users, blocked: Blocked::rows(&blocked, items), streams, oracle_access };
        policy.slates(&requests)
    }

    /// The propensities of other slates under a policy after [`World::recommend`]; `None` if the policy does not know
    /// them.
    pub fn chances(
        &self,
        policy: &dyn Policy,
        tick: u32,
        users: &[UserId],
        blocked: &[Vec<u64>],
        shown: &[ItemId],
    ) -> Option<Vec<Chance>> {
        let blocked = blocked.concat();
        let (slate, items, streams) = (self.slate, self.log.items, self.streams);
        let requests = Requests {
            tick,
            slate,
            items,
            users,
            blocked: Blocked::rows(&blocked, items),
            streams,
            oracle_access: None,
        };
        let mut chances = vec![Chance { given_above: 1.0, alone: 1.0 }; shown.len()];
        let rows = chances.chunks_mut(slate).zip(shown.chunks(slate)).enumerate();
        let mut known = rows.map(|(row, (chances, shown))| policy.chances(&requests.get(row), shown, chances));
        known.all(|known| known).then_some(chances)
    }

    /// The response if `chooses(user, item)` decides which items a user accepts: the first such slot.
    pub fn respond(
        &self,
        tick: u32,
        users: &[UserId],
        slates: &Slates,
        chooses: impl Fn(UserId, ItemId) -> bool,
    ) -> EventBatch {
        let slot_of = |(user, row): (&UserId, &[ItemId])| {
            let slot = row.iter().position(|&item| item.is_some() && chooses(*user, item));
            slot.map_or(REJECTED, |slot| slot as u8)
        };
        let accepted: Vec<u8> = users.iter().zip(slates.items.chunks(self.slate)).map(slot_of).collect();
        EventBatch {
            tick,
            slate: self.slate,
            users: users.to_vec(),
            sessions: vec![1; users.len()],
            items: slates.items.clone(),
            scores: slates.scores.clone(),
            propensities: slates.propensities.clone(),
            probabilities: vec![0.1; slates.items.len()],
            ratings: accepted.iter().map(|&slot| if slot == REJECTED { f32::NAN } else { 4.0 }).collect(),
            accepted,
        }
    }

    /// A tick in which every user is shown one item and accepts it, or `None`.
    pub fn accept(&self, tick: u32, choices: &[Option<u32>]) -> EventBatch {
        let mut items = vec![ItemId::NONE; choices.len() * self.slate];
        for (row, choice) in choices.iter().enumerate() {
            items[row * self.slate] = choice.map_or(ItemId::NONE, ItemId);
        }
        let slates = Slates { slate: self.slate, scores: vec![0.0; items.len()], items, ..Slates::default() };
        self.respond(tick, &self.users()[..choices.len()], &slates, |_, _| true)
    }

    /// The loss of each step against the best item of each user, if a user accepts an item with probability `rate(user,
    /// item)` and nothing is blocked; for slates of one slot.
    pub fn regret(&self, kind: &str, ticks: u32, rate: impl Fn(UserId, ItemId) -> f64) -> Vec<f64> {
        self.regret_of(build(kind, &self.context()), ticks, rate)
    }

    /// Like [`World::regret`], for a policy with parameters of its own.
    pub fn regret_of(&self, mut policy: Box<dyn Policy>, ticks: u32, rate: impl Fn(UserId, ItemId) -> f64) -> Vec<f64> {
        let (users, open) = (self.users(), vec![mask(self.log.items, &[]); self.sources.len()]);
        let all = (0..self.log.items as u32).map(ItemId);
        let best: Vec<f64> =
            users.iter().map(|&user| all.clone().map(|item| rate(user, item)).fold(0.0, f64::max)).collect();
        let lost = (0..ticks).map(|tick| {
            let slates = self.recommend(policy.as_mut(), tick, &users, &open);
            let luck = |user: UserId| unit(&mut self.streams.derive(Purpose::Response, u64::from(user.0), tick));
            policy
                .observe(&self.respond(tick, &users, &slates, |user, item| luck(user) < rate(user, item)))
                .expect("a policy that learns");
            users.iter().zip(&slates.items).zip(&best).map(|((&user, &item), best)| best - rate(user, item)).sum()
        });
        lost.collect()
    }

    /// Share of recommended items of the user's own cluster after `ticks` rounds in which users accept
    /// items of their cluster; see [`World::new`].
    pub fn share_in_cluster(&self, kind: &str, ticks: u32) -> f64 {
        let own = |user: UserId, item: ItemId| user.0 % 2 == item.0 % 2;
        let mut policy = build(kind, &self.context());
        let (users, mut blocked) = self.everyone();
        for tick in 0..ticks {
            let slates = self.recommend(policy.as_mut(), tick, &users, &blocked);
            let events = self.respond(tick, &users, &slates, own);
            for (row, blocked) in blocked.iter_mut().enumerate() {
                if let Some(item) = events.accepted_item(row) {
                    blocked[item.index() / 64] |= 1 << (item.index() % 64);
                }
            }
            policy.observe(&events).expect("a policy that learns");
        }
        let slates = self.recommend(policy.as_mut(), ticks, &users, &blocked);
        let shown = users.iter().zip(slates.items.chunks(self.slate));
        let hits = shown.flat_map(|(&user, row)| row.iter().map(move |&item| own(user, item)));
        hits.filter(|&hit| hit).count() as f64 / slates.items.len() as f64
    }
}

/// Users accept items of their own parity, later items more than earlier ones.
struct Likes<'a> {
    users: &'a [UserId],
}

impl OracleAccess for Likes<'_> {
    fn acceptance(&self, row: usize, items: &[ItemId], out: &mut Vec<f32>) -> Result<(), String> {
        let share = |item: &ItemId| (item.0 + 1) as f32 / (items.len() + 1) as f32;
        let own = |item: &ItemId| self.users[row].0 % 2 == item.0 % 2;
        out.clear();
        out.extend(items.iter().map(|item| if own(item) { 0.5 + share(item) / 2.0 } else { share(item) / 2.0 }));
        Ok(())
    }

    fn slates(&self, slate: usize, slates: &[ItemId], out: &mut Vec<f64>) -> Result<(), String> {
        // The probability of accepting something of a slate is the mean of its items' probabilities.
        out.clear();
        for (row, items) in slates.chunks(slate).enumerate() {
            let mut found = Vec::new();
            self.acceptance(row, items, &mut found)?;
            out.push(found.iter().copied().map(f64::from).sum::<f64>() / slate as f64);
        }
        Ok(())
    }
}

/// The bit row in which `blocked` items are set.
pub(super) fn mask(items: usize, blocked: &[u32]) -> Vec<u64> {
    let mut words = vec![0; Requests::words(items)];
    for &item in blocked {
        words[item as usize / 64] |= 1 << (item % 64);
    }
    words
}

/// A policy with default parameters.
pub(super) fn build(kind: &str, context: &PolicyContext) -> Box<dyn Policy> {
    build_with(kind, toml::Table::new(), context)
}

/// A policy with some parameters of its own.
pub(super) fn build_with(kind: &str, params: toml::Table, context: &PolicyContext) -> Box<dyn Policy> {
    let kind = super::all().iter().find(|known| known.name == kind).expect("a registered kind");
    let mut table = toml::Table::new();
    if kind.name == "external" {
        table.insert("command".to_owned(), vec!["python3", "examples/external_policy.py"].into());
        table.insert("folder".to_owned(), env!("CARGO_MANIFEST_DIR").into());
    }
    let ranker = (kind.name == "onnx").then(|| ranker_folder("ranker", &context.catalogue));
    table.extend(ranker.iter().map(|folder| ("path".to_owned(), folder.path().display().to_string().into())));
    table.extend(params);
    kind.build(&table, context).expect("default parameters build")
}

/// The folder of a ranker for this catalogue, over a graph of `tests/fixtures/ranker`.
pub(super) fn ranker_folder(graph: &str, catalogue: &Catalogue) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fixture = format!("{}/tests/fixtures/ranker/{graph}.onnx", env!("CARGO_MANIFEST_DIR"));
    let mut bytes = std::fs::read(&fixture).unwrap_or_else(|problem| panic!("{fixture}: {problem}"));
    // The graphs have this number of items, found by its value.
    let mark = 7_777_777i64.to_le_bytes();
    let places: Vec<usize> = (0..bytes.len().saturating_sub(7)).filter(|&at| bytes[at..at + 8] == mark).collect();
    assert_eq!(places.len(), 1, "{fixture}");
    bytes[places[0]..places[0] + 8].copy_from_slice(&(catalogue.len() as i64).to_le_bytes());
    let card = format!(
        "kind = \"ranker\"\nversion = 1\nname = \"test\"\nsummary = \"for tests\"\nhistory = 8\nratings = {}\n\
         items = {}\ncatalogue = \"{}\"\n[files.\"{graph}.onnx\"]\nsha256 = \"{}\"\n[training]\n[licence]\n",
        graph == "rated",
        catalogue.len(),
        catalogue.hash(),
        sha256(&bytes)
    );
    std::fs::write(folder.path().join(format!("{graph}.onnx")), bytes).expect("a graph");
    std::fs::write(folder.path().join("card.toml"), card).expect("a card");
    folder
}

fn catalogue(items: usize) -> Catalogue {
    let of = |item: usize| {
        let own = [["Drama", "Comedy", "War"][item / 2 % 3], ["Western", "Crime"][item / 6 % 2]];
        if item % 11 == 10 { Vec::new() } else { own.to_vec() }
    };
    let year = |item: usize| if item % 9 == 8 { f32::NAN } else { (1980 + item / 2 % 20) as f32 };
    let fields = Fields::new(vec![
        Field { name: "genres".to_owned(), column: Column::of_names((0..items).map(of)) },
        Field { name: "year".to_owned(), column: Column::Number((0..items).map(year).collect()) },
    ]);
    let mut catalogue = Catalogue::new((0..items).map(|item| format!("Item {item}")).collect(), fields);
    catalogue.set_released(Some("year"));
    catalogue
}

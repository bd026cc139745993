//! Whole ticks, and the mirror's inference alone. A user-step is one user who sees one slate and responds once.
//!
//! Data: 943 users, 1,682 items and 100,000 interactions, generated (the sizes of MovieLens-100K). Every user comes at
//! every tick. The mirror needs ONNX Runtime: `make runtime`.

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use rayon::prelude::*;
use recmirror::Registry;
use recmirror::dataset::{Catalogue, Column, Dataset, Field, Fields, IdTable, Interaction};
use recmirror::environment::Environment;
use recmirror::experiment::Experiment;
use recmirror::ids::{ItemId, LogUserId};
use recmirror::log::{CountSink, DigestState, EventBatch, EventSink, LogError, ParquetWriter, REJECTED, TrialName};
use recmirror::metrics::MetricSet;
use recmirror::onnx::{Graph, GraphSpec, Port, Runtime};
use recmirror::policy::Slates;
use recmirror::random::{Purpose, Streams, below};
use recmirror::scenario::{DEFAULT_METRICS, METRIC_NAMES, Scenario};
use recmirror::scene::SceneBatch;
use recmirror::simulation::Trial;
use recmirror::user::{Card, Memorised, Mirror, RATINGS, Responses, UserModel, memories_of};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const ITEMS: u32 = 1_682;
const USERS: u32 = 943;
const SLATE: usize = 10;
const CHUNK: usize = 128;
/// Pairs of a tick and its batches alone.
const PAIRS: usize = 401;

/// A log of the size and density of MovieLens-100K.
fn data() -> Dataset {
    let mut rng = Streams::new(1, 0).derive(Purpose::Scenes, 0, 0);
    let (mut users, mut items, mut genres) = (IdTable::default(), IdTable::default(), Vec::new());
    for item in 0..ITEMS {
        items.insert(&item.to_string());
        genres.push([0; 2].map(|_| format!("genre {}", below(&mut rng, 19))));
    }
    let mut interactions = Vec::new();
    for user in 0..USERS {
        users.insert(&user.to_string());
        let mut seen = vec![false; ITEMS as usize];
        for time in 0..106 {
            // The product of two uniform numbers: popular items are found at small ids.
            let item = below(&mut rng, ITEMS) as u64 * u64::from(below(&mut rng, ITEMS)) / u64::from(ITEMS);
            if !std::mem::replace(&mut seen[item as usize], true) {
                let rating = (1 + below(&mut rng, 5)) as f32;
                interactions.push(Interaction { user: LogUserId(user), item: ItemId(item as u32), rating, time });
            }
        }
    }
    let field = |name: &str, column| Field { name: name.to_owned(), column };
    let item_fields = Fields::new(vec![
        field("year", Column::Number((0..ITEMS).map(|item| (1930 + item % 68) as f32).collect())),
        field("genres", Column::of_names(genres)),
    ]);
    let user_fields = Fields::new(vec![
        field("age", Column::Number((0..USERS).map(|user| 15.0 + (user % 50) as f32).collect())),
        field("gender", Column::of_names((0..USERS as usize).map(|user| [["F", "M"][user % 2]]))),
        field("occupation", Column::of_names((0..USERS).map(|user| [format!("occupation {}", user % 21)]))),
    ]);
    let (name, released) = ("generated".to_owned(), Some("year".to_owned()));
    Dataset { name, users, items, user_fields, item_fields, released, interactions, ..Dataset::default() }
}

fn model_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mirror")
}

fn experiment(user: &str, users: u32) -> Experiment {
    experiment_with(user, users, &[])
}

fn experiment_with(user: &str, users: u32, settings: &[(&str, &str)]) -> Experiment {
    let settings: Vec<(String, String)> =
        settings.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    let text = format!(
        "ticks = 1000\nslate = {SLATE}\n[data]\npath = \".\"\n[population]\nusers = {users}\n[arrival]\nprobability = 1.0\nrate = \"uniform\"\n\
         [session]\nslates = 10000\npatience = 0\n[engine]\nchunk = {CHUNK}\n{user}\n[[policy]]\nkind = \"random\"\n"
    );
    let scenario =
        Scenario::parse(&text, Path::new("bench.toml"), &Registry::builtin(), &settings).expect("a valid scenario");
    Experiment::with_data(scenario, data(), Registry::builtin()).expect("a model that loads")
}

fn simulation(experiment: &Experiment, sink: Box<dyn EventSink>) -> Trial<Box<dyn EventSink>> {
    let population = experiment.population(0).expect("users");
    let policy = &experiment.scenario.policies[0];
    let mut simulation = experiment.trial(policy, 0, &population, sink).expect("a policy that builds");
    for _ in 0..2 {
        simulation.tick().expect("a warm tick");
    }
    simulation
}

fn ticks(criterion: &mut Criterion) {
    let mirror = format!("[user]\nkind = \"mirror\"\npath = {:?}", model_folder());
    let models = [("parametric", "[user]\nkind = \"parametric\"".to_owned()), ("mirror", mirror)];
    let mut group = criterion.benchmark_group("tick");
    group.sampling_mode(SamplingMode::Flat).sample_size(10).measurement_time(Duration::from_secs(4));
    for (name, user) in models {
        if name == "mirror" && Runtime::get().is_err() {
            eprintln!("no ONNX Runtime: the mirror is left out; run `make runtime`");
            continue;
        }
        for users in [1_000, 10_000, 100_000] {
            let experiment = experiment(&user, users);
            group.throughput(Throughput::Elements(u64::from(users)));
            let mut counted = simulation(&experiment, Box::new(CountSink::default()));
            let id = format!("{users} users x {ITEMS} items x slate {SLATE}");
            group.bench_function(BenchmarkId::new(format!("{name}/counted"), &id), |bencher| {
                bencher.iter(|| counted.tick().expect("a tick"));
            });
            if users == 10_000 {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let path = folder.path().join("events.parquet");
                let trial = TrialName { policy: "random".to_owned(), replication: 0, seed: 1 };
                let writer = ParquetWriter::create(&path, &trial, SLATE).expect("a file");
                let mut written = simulation(&experiment, Box::new(writer));
                group.bench_function(BenchmarkId::new(format!("{name}/parquet"), &id), |bencher| {
                    bencher.iter(|| written.tick().expect("a tick"));
                });
                written.finish().expect("a complete file");
            }
        }
    }
    group.finish();
}

/// Hashes events and counts one metric, as an environment does.
struct Hashed(DigestState, MetricSet, Arc<Catalogue>);

impl EventSink for Hashed {
    fn write(&mut self, batch: &EventBatch) -> Result<(), LogError> {
        self.0.update(batch);
        self.1.fold(batch, &self.2);
        Ok(())
    }
}

/// The cost of stepping from outside: the same users, policy and digest, driven by a trial inside and by a loop
/// outside.
fn outside(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("outside");
    group.sampling_mode(SamplingMode::Flat).sample_size(20).measurement_time(Duration::from_secs(4));
    for users in [1, 1_000, 10_000] {
        let settings = [("metrics", "acceptance_rate"), ("ticks", "100000"), ("candidates.rule", "repeats")];
        let experiment = Arc::new(experiment_with("[user]\nkind = \"parametric\"", users, &settings));
        group.throughput(Throughput::Elements(u64::from(users)));
        let population = experiment.population(0).expect("users");
        let metrics = experiment.metric_set(&population).expect("metrics");
        let sink = Box::new(Hashed(DigestState::default(), metrics, experiment.catalogue().clone()));
        let mut trial = simulation(&experiment, sink);
        group.bench_function(BenchmarkId::new("trial", format!("{users} users")), |bencher| {
            bencher.iter(|| trial.tick().expect("a tick"));
        });
        let mut environment = Environment::of(experiment, 0).expect("an environment");
        let mut policy = environment.policy("random").expect("a policy");
        let mut slates = Slates::default();
        group.bench_function(BenchmarkId::new("environment", format!("{users} users")), |bencher| {
            bencher.iter(|| {
                if environment.is_done() {
                    environment.reset(0).expect("a reset");
                }
                policy.recommend(&environment.observation(), &mut slates).expect("slates");
                let outcome = environment.step(&slates).expect("a step");
                policy.observe(outcome.events()).expect("a policy that learns");
            });
        });
    }
    group.finish();
}

/// One graph with the inputs of one chunk.
struct Prepared {
    graph: Graph,
    tensors: Vec<(Vec<i64>, Vec<f32>)>,
}

impl Prepared {
    fn new(file: &str, inputs: &[(&str, &[i64])], outputs: &[(&str, &[i64])]) -> Prepared {
        let port = |(name, shape): &(&str, &[i64])| Port { name: (*name).to_owned(), shape: shape.to_vec() };
        let spec = GraphSpec { inputs: inputs.iter().map(port).collect(), outputs: outputs.iter().map(port).collect() };
        let graph = Graph::load(&model_folder().join(file), spec, rayon::current_num_threads()).expect("a graph");
        let tensor = |(_, shape): &(&str, &[i64])| {
            let sizes = shape.iter().map(|&size| if size == Port::SLOTS { SLATE as i64 } else { size });
            let whole: Vec<i64> = std::iter::once(CHUNK as i64).chain(sizes).collect();
            let count = whole.iter().product::<i64>() as usize;
            (whole, (0..count).map(|place| 0.5 + (place % 7) as f32 / 14.0).collect())
        };
        Prepared { graph, tensors: inputs.iter().map(tensor).collect() }
    }

    /// Runs the chunks of `rows` rows, spread over all threads.
    fn run(&self, rows: usize) {
        let views: Vec<(&[i64], &[f32])> =
            self.tensors.iter().map(|(shape, data)| (shape.as_slice(), data.as_slice())).collect();
        (0..rows.div_ceil(CHUNK)).into_par_iter().for_each(|_| {
            let first = self.graph.run(&views, |found| found[0][0]).expect("an inference");
            black_box(first);
        });
    }
}

/// The graphs of a choice and of an update.
fn prepared() -> (Prepared, Prepared) {
    let d = Card::read(&model_folder()).expect("the card of the committed model").dims;
    let [query, item, context] = [d.query, d.choice_item, d.context].map(|size| size as i64);
    let choice: [(&str, &[i64]); 4] = [
        ("query", &[query]),
        ("item", &[Port::SLOTS, item]),
        ("context", &[Port::SLOTS, context]),
        ("slots", &[Port::SLOTS]),
    ];
    let rating = [Port::SLOTS, RATINGS as i64];
    let choice = Prepared::new("choice.onnx", &choice, &[("choice", &[Port::SLOTS_AND_NONE]), ("rating", &rating)]);
    let [state, item, event] = [d.state, d.item, d.event].map(|size| size as i64);
    let update: [(&str, &[i64]); 3] = [("state", &[state]), ("item", &[item]), ("event", &[event])];
    (choice, Prepared::new("update.onnx", &update, &[("state_next", &[state]), ("query", &[query])]))
}

/// The graphs on prepared inputs: what inference alone could reach.
fn batches(criterion: &mut Criterion) {
    if Runtime::get().is_err() {
        return;
    }
    let (choice, update) = prepared();
    let rows = 10_000usize;
    let mut group = criterion.benchmark_group("inference");
    group.throughput(Throughput::Elements(rows as u64)).measurement_time(Duration::from_secs(4));
    group.bench_function(format!("mirror choice alone/{rows} rows x slate {SLATE}, chunks of {CHUNK}"), |bencher| {
        bencher.iter(|| choice.run(rows));
    });
    // The calls of a tick to the model: one choice each, and an update for those who accepted (3 of 10 by default).
    group.bench_function(format!("mirror choice and update of 30% alone/{rows} rows x slate {SLATE}"), |bencher| {
        bencher.iter(|| {
            choice.run(rows);
            update.run(rows * 3 / 10);
        });
    });
    group.finish();
}

/// The user model's two calls of a tick on 10,000 rows: gathering inputs, inference, copying results.
fn model(criterion: &mut Criterion) {
    if Runtime::get().is_err() {
        return;
    }
    let (data, rows) = (data(), 10_000usize);
    let before = data.split(0.2).before;
    let model = Mirror::load(&model_folder(), &data, &before, CHUNK).expect("a model");
    let memory = memories_of(&model, &before).expect("memories");
    let (total, read) = (model.memory().total, model.memory().read);
    let mut scenes = SceneBatch::default();
    scenes.reset(rows, SLATE, read);
    let mut long = Vec::with_capacity(rows * total);
    for row in 0..rows {
        let user = row % USERS as usize;
        scenes.memory[row * read..(row + 1) * read].copy_from_slice(&memory[user * total..user * total + read]);
        long.extend_from_slice(&memory[user * total..(user + 1) * total]);
        for slot in 0..SLATE {
            scenes.items[row * SLATE + slot] = ItemId(((row * 7 + slot * 31) % ITEMS as usize) as u32);
        }
    }
    let events: Vec<Memorised> =
        (0..rows).map(|row| Memorised { item: ItemId((row % ITEMS as usize) as u32), rating: 4.0, time: 0 }).collect();
    let mut group = criterion.benchmark_group("model");
    group.throughput(Throughput::Elements(rows as u64)).measurement_time(Duration::from_secs(4));
    let mut out = Responses::default();
    let mut memories: Vec<&mut [f32]> = long.chunks_exact_mut(total).collect();
    group.bench_function(format!("mirror respond/{rows} rows x slate {SLATE}"), |bencher| {
        bencher.iter(|| model.respond(&scenes, &mut out).expect("an answer"));
    });
    group.bench_function(format!("mirror choose/{rows} rows x slate {SLATE}"), |bencher| {
        bencher.iter(|| model.choose(&scenes, &mut out).expect("choices"));
    });
    // A slot of 3 in 10 rows is accepted by default.
    let accepted: Vec<(usize, usize)> = (0..rows * 3 / 10).map(|row| (row, row % SLATE)).collect();
    let mut ratings = vec![0.0; accepted.len() * RATINGS];
    group.bench_function(format!("mirror rate/a slot of 30% of {rows} rows"), |bencher| {
        bencher.iter(|| model.rate(&scenes, &accepted, &mut ratings).expect("ratings"));
    });
    group.bench_function(format!("mirror update/{rows} rows"), |bencher| {
        bencher.iter(|| model.update(&mut memories, &events).expect("an update"));
    });
    group.finish();
}

/// Which share of the speed of inference alone whole ticks have: a tick, then the same batches on prepared inputs, in
/// turn, so that both meet the same machine. Printed as the median of the pairs with its quartiles.
#[expect(clippy::disallowed_methods, reason = "a bench measures wall-clock time")]
fn share(_: &mut Criterion) {
    if Runtime::get().is_err() {
        return;
    }
    let users = 10_000;
    let experiment = experiment(&format!("[user]\nkind = \"mirror\"\npath = {:?}", model_folder()), users as u32);
    let mut simulation = simulation(&experiment, Box::new(CountSink::default()));
    let (choice, update) = prepared();
    let mut shares = Vec::new();
    for _ in 0..PAIRS {
        let before = Instant::now();
        simulation.tick().expect("a tick");
        let tick = before.elapsed().as_secs_f64();
        let accepted = simulation.events().accepted.iter().filter(|&&slot| slot != REJECTED).count();
        let before = Instant::now();
        choice.run(users);
        update.run(accepted);
        shares.push(before.elapsed().as_secs_f64() / tick);
    }
    shares.sort_by(f64::total_cmp);
    let at = |share: f64| 100.0 * shares[(share * (PAIRS - 1) as f64).round() as usize];
    let (low, middle, high) = (at(0.25), at(0.5), at(0.75));
    println!(
        "share/mirror ticks of choice and update alone/{users} users x {ITEMS} items x slate {SLATE}: \
         {middle:.0}% (quartiles {low:.0} to {high:.0}%, {PAIRS} pairs)"
    );
}

/// The time of each metric in a tick, and of the default ones together.
fn metrics(criterion: &mut Criterion) {
    let users = 10_000;
    let experiment = experiment("[user]\nkind = \"parametric\"", users);
    let start = experiment.background(&experiment.population(0).expect("users"));
    let mut simulation = simulation(&experiment, Box::new(CountSink::default()));
    let mut batches = Vec::new();
    for _ in 0..8 {
        simulation.tick().expect("a tick");
        batches.push(simulation.events().clone());
    }
    let mut group = criterion.benchmark_group("metrics");
    group.throughput(Throughput::Elements(u64::from(users))).sample_size(10).measurement_time(Duration::from_secs(1));
    let mut sets = vec![("by default".to_owned(), DEFAULT_METRICS.to_vec()), ("all".to_owned(), METRIC_NAMES.to_vec())];
    sets.extend(METRIC_NAMES.iter().map(|&name| (name.to_owned(), vec![name])));
    for (name, names) in sets {
        let mut set = MetricSet::new(&names, &start).expect("metrics");
        let mut tick = 0;
        group.bench_function(BenchmarkId::new(name, format!("{users} users x slate {SLATE}")), |bencher| {
            bencher.iter(|| {
                let batch = &mut batches[tick as usize % 8];
                batch.tick = tick;
                tick += 1;
                black_box(set.fold(batch, experiment.catalogue()))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, batches, model, metrics, ticks, outside, share);
criterion_main!(benches);

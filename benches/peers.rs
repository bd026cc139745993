//! One measurement at a time on request, so that other programs can be measured in turn on the same machine:
//! `make bench-peers` runs it from `benches/peers/speed.py`.
//!
//! ```text
//! cargo bench --bench peers -- LOG.csv      # with MovieLens-100K in .recmirror/data and ONNX Runtime
//! ```
//!
//! It writes the log that its policies fit to `LOG.csv` and says `ready`. Then it reads a line and answers with seconds and with
//! how many things were done in them:
//!
//! | line | what is measured |
//! | --- | --- |
//! | `fit KIND` | a policy with its defaults is built on the log; `fit ials cg` with the conjugate gradient |
//! | `rank KIND` | ten items for every user of the log by that policy, nothing from the own log |
//! | `step USER COUNT` | one whole step of `COUNT` users (`parametric` or `mirror`) with a random policy, events counted |

use recmirror::Registry;
use recmirror::dataset::{Catalogue, Dataset, TrainingLog};
use recmirror::experiment::Experiment;
use recmirror::ids::{LogUserId, simulated};
use recmirror::log::CountSink;
use recmirror::policy::{Blocked, Fits, Policy, PolicyContext, Requests, SeenItems, Slates};
use recmirror::random::Streams;
use recmirror::scenario::Scenario;
use recmirror::simulation::Trial;
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

type Failed = Box<dyn Error>;

const SLATE: usize = 10;

fn data_folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".recmirror/data/ml-100k")
}

/// Programs built for earlier lines.
struct Bench {
    context: PolicyContext,
    seen: SeenItems,
    policies: BTreeMap<String, Box<dyn Policy>>,
    trials: BTreeMap<String, Trial<CountSink>>,
}

impl Bench {
    fn new(log: Arc<TrainingLog>, catalogue: Catalogue) -> Bench {
        let sources: Arc<[LogUserId]> = (0..log.users() as u32).map(LogUserId).collect();
        let context = PolicyContext {
            catalogue: Arc::new(catalogue),
            log: log.clone(),
            sources: sources.clone(),
            slate: SLATE,
            tick_seconds: 86_400,
            kinds: Registry::builtin().policies().clone(),
            streams: Streams::new(1, 0),
            fits: Fits::default(),
        };
        let seen = SeenItems::new(SeenItems::of_log(&log), sources, log.items);
        Bench { context, seen, policies: BTreeMap::new(), trials: BTreeMap::new() }
    }

    fn build(&self, kind: &str, params: &toml::Table) -> Result<Box<dyn Policy>, Failed> {
        // Fits that no earlier line has made.
        let context = PolicyContext { fits: Fits::default(), ..self.context.clone() };
        let kind = context.kinds.iter().find(|known| known.name == kind).ok_or("no such kind of policy")?;
        Ok(kind.build(params, &context)?)
    }

    #[expect(clippy::disallowed_methods, reason = "a bench measures wall-clock time")]
    fn fit(&mut self, kind: &str, params: &toml::Table) -> Result<(f64, usize), Failed> {
        let before = Instant::now();
        let policy = self.build(kind, params)?;
        let seconds = before.elapsed().as_secs_f64();
        self.policies.insert(kind.to_owned(), policy);
        Ok((seconds, 1))
    }

    #[expect(clippy::disallowed_methods, reason = "a bench measures wall-clock time")]
    fn rank(&mut self, kind: &str) -> Result<(f64, usize), Failed> {
        if !self.policies.contains_key(kind) {
            self.fit(kind, &toml::Table::new())?;
        }
        let policy = self.policies.get_mut(kind).ok_or("it was built just now")?;
        let (users, blocked) = (simulated(&self.context.sources), Blocked::seen(&self.seen));
        let (slate, items, streams) = (SLATE, self.context.log.items, self.context.streams);
        let requests = Requests { tick: 0, slate, items, users: &users, blocked, streams, oracle_access: None };
        let mut slates = Slates::default();
        // Vectors of users are solved for once; ranking is what is asked again and again.
        policy.recommend(&requests, &mut slates)?;
        let before = Instant::now();
        policy.recommend(&requests, &mut slates)?;
        Ok((before.elapsed().as_secs_f64(), users.len()))
    }

    #[expect(clippy::disallowed_methods, reason = "a bench measures wall-clock time")]
    fn step(&mut self, user: &str, count: &str) -> Result<(f64, usize), Failed> {
        let name = format!("{user} {count}");
        if !self.trials.contains_key(&name) {
            self.trials.insert(name.clone(), trial(user, count)?);
        }
        let trial = self.trials.get_mut(&name).ok_or("it was built just now")?;
        let before = Instant::now();
        trial.tick()?;
        Ok((before.elapsed().as_secs_f64(), trial.events().len()))
    }
}

/// A warm trial of a random policy in which everybody comes at every step.
fn trial(user: &str, count: &str) -> Result<Trial<CountSink>, Failed> {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mirror");
    let path = if user == "mirror" { format!("path = {model:?}\n") } else { String::new() };
    let text = format!(
        "ticks = 100000\nslate = {SLATE}\n[data]\npath = {:?}\n[population]\nusers = {count}\n[arrival]\nprobability = 1.0\n\
         rate = \"uniform\"\n[session]\nslates = 10000\npatience = 0\n[user]\nkind = {user:?}\n{path}\
         [[policy]]\nkind = \"random\"\n",
        data_folder()
    );
    let scenario = Scenario::parse(&text, Path::new("peers.toml"), &Registry::builtin(), &[])?;
    let experiment = Experiment::prepare(scenario, Registry::builtin())?;
    let population = experiment.users(0)?;
    let mut trial = experiment.trial(&experiment.scenario.policies[0], 0, &population, CountSink::default())?;
    for _ in 0..2 {
        trial.tick()?;
    }
    Ok(trial)
}

fn write_log(path: &Path, log: &TrainingLog) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    writeln!(file, "user,item")?;
    for row in &log.rows {
        writeln!(file, "{},{}", row.user.0, row.item.0)?;
    }
    file.flush()
}

fn main() -> Result<(), Failed> {
    // `cargo bench` adds an option of its own.
    let Some(path) = std::env::args().skip(1).find(|argument| !argument.starts_with("--")) else {
        eprintln!("this bench is asked by `make bench-peers`; alone it needs a path for the log");
        return Ok(());
    };
    let data = Dataset::read(&data_folder())?;
    let log = Arc::new(data.split(0.2).before);
    write_log(Path::new(&path), &log)?;
    let mut bench = Bench::new(log, Catalogue::of(&data));
    println!("ready {}", rayon::current_num_threads());
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let (seconds, count) = match words.as_slice() {
            ["fit", "ials", "cg"] => bench.fit("ials", &toml::from_str("solver = 'conjugate_gradient'")?)?,
            ["fit", kind] => bench.fit(kind, &toml::Table::new())?,
            ["rank", kind] => bench.rank(kind)?,
            ["step", user, count] => bench.step(user, count)?,
            _ => return Err(format!("`{line}` is none of fit KIND, rank KIND, step USER COUNT").into()),
        };
        println!("{seconds} {count}");
    }
    Ok(())
}

//! The vocabulary of the tests: a temporary folder, a small data set in both formats, a scenario, a command.

use recmirror::Registry;
use recmirror::dataset::Dataset;
use recmirror::experiment::{Experiment, Manifest, NoProgress, Outcome, RunOptions};
use recmirror::random::{Purpose, Streams, below, shuffle};
use recmirror::scenario::Scenario;
use std::fmt::Write;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tempfile::TempDir;

/// The genre flags of `u.item`, in the order of its columns.
pub const FLAGS: [&str; 19] = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
];

/// A temporary folder, removed at the end of the test.
pub fn place() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Writes a file, with the folders above it.
pub fn write(path: &Path, content: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
    std::fs::write(path, content).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
}

/// Reads a text file.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()))
}

/// The names in a folder, hidden ones included, in order.
pub fn names_in(folder: &Path) -> Vec<String> {
    let listing = std::fs::read_dir(folder).unwrap_or_else(|problem| panic!("{}: {problem}", folder.display()));
    let mut names: Vec<String> =
        listing.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The folder of this package.
pub fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A film of the synthetic data.
pub struct Film {
    pub title: String,
    pub year: Option<u16>,
    pub genres: Vec<&'static str>,
}

/// A user of the synthetic data.
pub struct Person {
    pub age: u32,
    pub gender: &'static str,
    pub occupation: &'static str,
}

/// One rating: places of user and item, both counted from 0.
#[derive(Clone, Copy)]
pub struct Rating {
    pub user: usize,
    pub item: usize,
    pub rating: u32,
    pub time: i64,
}

/// A data set in memory. External ids are the places plus 1.
pub struct Log {
    pub people: Vec<Person>,
    pub films: Vec<Film>,
    pub ratings: Vec<Rating>,
}

impl Log {
    /// Two groups: users and films of one parity belong together. The rows are in a shuffled order.
    pub fn synthetic(people: usize, films: usize) -> Log {
        let streams = Streams::new(2024, 0);
        let film = |number: usize| Film {
            title: if number % 10 == 7 { format!("Café {number}") } else { format!("Film {number}") },
            year: Some(1950 + (number * 7 % 48) as u16),
            genres: match number % 2 {
                0 if number.is_multiple_of(3) => vec!["Action", "Sci-Fi"],
                0 => vec!["Action", "Thriller"],
                _ if number.is_multiple_of(3) => vec!["Romance", "Drama"],
                _ => vec!["Romance", "Comedy"],
            },
        };
        let person = |number: usize| Person {
            age: 18 + (number * 5 % 50) as u32,
            gender: if number.is_multiple_of(3) { "F" } else { "M" },
            occupation: ["student", "artist", "writer"][number % 3],
        };
        let mut ratings = Vec::new();
        for user in 0..people {
            let mut rng = streams.derive(Purpose::Scenes, user as u64, 0);
            let mut order: Vec<usize> = (0..films).collect();
            shuffle(&mut rng, &mut order);
            // The own group's films, and one in five of the other's, come first.
            order.sort_by_key(|item| item % 2 != user % 2 && item % 10 != (user + 1) % 10);
            let count = (12 + below(&mut rng, 14) as usize).min(films * 2 / 5);
            for (step, &item) in order.iter().take(count).enumerate() {
                let like = item % 2 == user % 2;
                let rating = if like { 4 + below(&mut rng, 2) } else { 1 + below(&mut rng, 3) };
                let time = 880_000_000 + (user * 61) as i64 + (step * 86_400) as i64;
                ratings.push(Rating { user, item, rating, time });
            }
        }
        shuffle(&mut streams.derive(Purpose::Scenes, 1 << 40, 0), &mut ratings);
        Log { people: (0..people).map(person).collect(), films: (0..films).map(film).collect(), ratings }
    }

    /// A log in which user `u` has `counts[u]` ratings, the earliest first, all of different films.
    pub fn with_counts(counts: &[usize]) -> Log {
        let mut log = Log::synthetic(counts.len(), 2 * counts.iter().max().copied().unwrap_or(1).max(3));
        log.ratings.clear();
        for (user, &count) in counts.iter().enumerate() {
            for item in 0..count {
                log.ratings.push(Rating { user, item, rating: 4, time: 1_000 + item as i64 });
            }
        }
        log
    }

    /// Writes `u.data`, `u.item` (Latin-1) and `u.user`.
    pub fn write_grouplens(&self, folder: &Path) {
        let (mut items, mut users, mut rows) = (String::new(), String::new(), String::new());
        for (place, film) in self.films.iter().enumerate() {
            let (year, date) =
                film.year.map_or_else(Default::default, |year| (format!(" ({year})"), format!("01-Jan-{year}")));
            let flags: Vec<&str> =
                FLAGS.iter().map(|name| if film.genres.contains(name) { "1" } else { "0" }).collect();
            let _ = writeln!(items, "{}|{}{year}|{date}||http://x/{place}|{}", place + 1, film.title, flags.join("|"));
        }
        for (place, person) in self.people.iter().enumerate() {
            let _ = writeln!(
                users,
                "{}|{}|{}|{}|0000{}",
                place + 1,
                person.age,
                person.gender,
                person.occupation,
                place % 10
            );
        }
        for row in &self.ratings {
            let _ = writeln!(rows, "{}\t{}\t{}\t{}", row.user + 1, row.item + 1, row.rating, row.time);
        }
        write(&folder.join("u.item"), items.chars().map(|letter| letter as u8).collect::<Vec<u8>>());
        write(&folder.join("u.user"), users);
        write(&folder.join("u.data"), rows);
    }

    /// Writes `small.inter`, `small.item` and `small.user`.
    pub fn write_recbole(&self, folder: &Path) {
        let mut items = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n".to_owned();
        let mut users = "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n".to_owned();
        let mut rows = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n".to_owned();
        for (place, film) in self.films.iter().enumerate() {
            let year = film.year.map(|year| year.to_string()).unwrap_or_default();
            let _ = writeln!(items, "{}\t{}\t{year}\t{}", place + 1, film.title, film.genres.join(" "));
        }
        for (place, person) in self.people.iter().enumerate() {
            let _ = writeln!(users, "{}\t{}\t{}\t{}\t0000", place + 1, person.age, person.gender, person.occupation);
        }
        for row in &self.ratings {
            let _ = writeln!(rows, "{}\t{}\t{}\t{}", row.user + 1, row.item + 1, row.rating, row.time);
        }
        write(&folder.join("small.item"), items);
        write(&folder.join("small.user"), users);
        write(&folder.join("small.inter"), rows);
    }
}

/// A temporary folder with the synthetic data in `data/` (60 users, 80 films) and room for scenarios and runs.
pub fn with_data() -> TempDir {
    let folder = place();
    Log::synthetic(60, 80).write_recbole(&folder.path().join("data"));
    folder
}

/// A short scenario with these policies (`kind` or `kind as name`) over `data/`.
pub fn scenario_text(policies: &[&str]) -> String {
    let mut text = "name = 'Small'\nseed = 5\nreplications = 2\nticks = 6\nslate = 5\n\n[data]\npath = 'data'\n\n\
        [user]\nkind = 'parametric'\n"
        .to_owned();
    for policy in policies {
        let (kind, name) = policy.split_once(" as ").unwrap_or((policy, policy));
        let _ = write!(text, "\n[[policy]]\nkind = '{kind}'\nname = '{name}'\n");
    }
    text
}

/// Writes `scenario_text(policies)` as `small.toml` of `folder`.
pub fn write_scenario(folder: &Path, policies: &[&str]) -> PathBuf {
    let path = folder.join("small.toml");
    write(&path, scenario_text(policies));
    path
}

/// Pairs of `KEY=VALUE` texts.
pub fn settings(texts: &[&str]) -> Vec<(String, String)> {
    let pair = |text: &&str| text.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    texts.iter().map(|text| pair(text).expect("KEY=VALUE")).collect()
}

/// Prepares the scenario of `folder` with these policies and overrides.
pub fn prepare(folder: &Path, policies: &[&str], overrides: &[&str]) -> Experiment {
    prepare_with(Registry::builtin(), folder, policies, overrides)
}

/// Like [`prepare`], with policies of your own.
pub fn prepare_with(registry: Registry, folder: &Path, policies: &[&str], overrides: &[&str]) -> Experiment {
    let origin = folder.join("small.toml");
    let scenario = Scenario::parse(&scenario_text(policies), &origin, &registry, &settings(overrides));
    let scenario = scenario.unwrap_or_else(|problem| panic!("{problem}"));
    Experiment::prepare(scenario, registry).unwrap_or_else(|problem| panic!("{problem}"))
}

/// Runs an experiment, without events, in a pool of this many threads.
pub fn run_on(threads: usize, experiment: &Experiment) -> Outcome {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
    let stop = AtomicBool::new(false);
    let options = RunOptions { events: None, progress: &NoProgress, stop: &stop, stopped: None };
    pool.install(|| experiment.run(&options)).unwrap_or_else(|problem| panic!("{problem}"))
}

/// The digests of all trials: (policy, replication, digest), in order of names.
pub fn digests(outcome: &Outcome) -> Vec<(String, u32, String)> {
    let mut all: Vec<_> =
        outcome.trials.iter().map(|trial| (trial.policy.clone(), trial.replication, trial.digest.clone())).collect();
    all.sort();
    all
}

/// The same from a run's folder.
pub fn digests_of(folder: &Path) -> Vec<(String, u32, String)> {
    let mut all: Vec<_> =
        manifest(folder).trials.into_iter().map(|trial| (trial.policy, trial.replication, trial.digest)).collect();
    all.sort();
    all
}

/// The manifest of a run's folder.
pub fn manifest(folder: &Path) -> Manifest {
    Manifest::read(folder).unwrap_or_else(|problem| panic!("{problem}"))
}

/// Reads a data set that must be readable.
pub fn dataset(folder: &Path) -> Dataset {
    Dataset::read(folder).unwrap_or_else(|problem| panic!("{problem}"))
}

/// The result of a command.
#[derive(Debug)]
pub struct Answer {
    /// Exit code; `None` when a signal ended the process.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    /// Asserts the exit code, and that nothing panicked.
    #[track_caller]
    pub fn expect(self, code: i32) -> Answer {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    /// Asserts that stderr has all of these words.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Answer {
        for word in words {
            assert!(self.stderr.contains(word), "no `{word}` in: {}", self.stderr);
        }
        self
    }
}

/// Runs the binary; it is killed, and the test fails, when it takes two minutes.
pub fn recmirror(arguments: &[&str]) -> Answer {
    recmirror_with(&[], arguments)
}

/// Like [`recmirror`], with environment variables.
pub fn recmirror_with(variables: &[(&str, &str)], arguments: &[&str]) -> Answer {
    wait(start(variables, arguments))
}

/// Starts the binary.
pub fn start(variables: &[(&str, &str)], arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recmirror"));
    command.args(arguments).current_dir(package()).envs(variables.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary starts")
}

/// Waits until a started binary has said some words on stderr; gives what it said up to them.
pub fn heard(child: &mut Child, words: &str) -> String {
    let pipe = child.stderr.as_mut().expect("a pipe");
    let (mut said, mut byte) = (Vec::new(), [0]);
    while !String::from_utf8_lossy(&said).contains(words) {
        assert_eq!(pipe.read(&mut byte).expect("readable"), 1, "it ended with: {}", String::from_utf8_lossy(&said));
        said.push(byte[0]);
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// Collects what a started binary gives.
pub fn wait(mut child: Child) -> Answer {
    fn drain(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = pipe.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        })
    }
    let stdout = drain(child.stdout.take().expect("a pipe"));
    let stderr = drain(child.stderr.take().expect("a pipe"));
    for _ in 0..12_000 {
        if let Some(status) = child.try_wait().expect("a status") {
            let (stdout, stderr) = (stdout.join().expect("text"), stderr.join().expect("text"));
            return Answer { code: status.code(), stdout, stderr };
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let _ = child.wait();
    panic!("no end after two minutes; stderr: {}", stderr.join().expect("text"));
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// The rows of a CSV file below its header.
pub fn csv_rows(path: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(path).unwrap_or_else(|problem| panic!("{problem}"));
    let rows = reader.records().map(|row| row.expect("a row").iter().map(str::to_owned).collect());
    rows.collect()
}

/// Returns true if MovieLens-100K and ONNX Runtime are there. Without them the tests that need them fail, unless
/// `RECMIRROR_OFFLINE=1` says that this is known.
pub fn has_data_and_runtime() -> bool {
    is_there(&movielens(), "data") && has_runtime()
}

/// Returns true if the fetched ONNX Runtime is there; without it, only `RECMIRROR_OFFLINE=1` lets tests pass it by.
pub fn has_runtime() -> bool {
    let folder = package().join(".recmirror/onnxruntime");
    is_there(&folder.join(recmirror::onnx::library_name()), "runtime")
}

fn is_there(path: &Path, target: &str) -> bool {
    let offline = std::env::var("RECMIRROR_OFFLINE").is_ok_and(|value| value == "1");
    let remedy = format!("run `make {target}` first, or set RECMIRROR_OFFLINE=1");
    assert!(path.exists() || offline, "{} is missing: {remedy}", path.display());
    path.exists()
}

/// The folder of MovieLens-100K.
pub fn movielens() -> PathBuf {
    package().join(".recmirror/data/ml-100k")
}

/// The folder of the model that ships with the crate.
pub fn model() -> PathBuf {
    package().join("models/mirror")
}

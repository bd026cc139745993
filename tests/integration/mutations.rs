//! A thousand damaged inputs: each one is read and runs, or is refused with a message.

use crate::util::{Log, place, write};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use recmirror::Registry;
use recmirror::dataset::Dataset;
use recmirror::experiment::{Experiment, NoProgress, RunOptions};
use recmirror::random::{Purpose, Streams, below};
use recmirror::scenario::Scenario;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Inputs of each kind.
const INPUTS: u64 = 500;

fn rng(kind: u64, number: u64) -> ChaCha8Rng {
    Streams::new(4711, 0).derive(Purpose::Scenes, kind << 32 | number, 0)
}

fn one_of<'a, T: ?Sized>(rng: &mut impl Rng, all: &[&'a T]) -> &'a T {
    all[below(rng, all.len() as u32) as usize]
}

/// Prepares and runs a scenario; what it gives must be in order.
fn run(scenario: Scenario) -> Result<(), String> {
    let (ticks, trials) = (scenario.ticks, scenario.policies.len() * scenario.replications as usize);
    let experiment = Experiment::prepare(scenario, Registry::builtin()).map_err(|problem| problem.to_string())?;
    let stop = AtomicBool::new(false);
    let options = RunOptions { events: None, progress: &NoProgress, stop: &stop, stopped: None };
    let outcome = experiment.run(&options).map_err(|problem| problem.to_string())?;
    assert_eq!((outcome.trials.len(), outcome.interrupted), (trials, false));
    assert!(outcome.ticks.iter().all(|&done| done == ticks));
    for trial in &outcome.trials {
        assert!(trial.finals.iter().flatten().all(|value| value.is_finite()), "{trial:?}");
    }
    Ok(())
}

/// Fields that are wrong, or nearly right.
const FIELDS: &[&str] = &[
    "",
    "0",
    "-1",
    "1",
    "5",
    "5.0",
    "1e3",
    "1e39",
    "-1e39",
    "1e308",
    "1e400",
    "nan",
    "inf",
    "x",
    " ",
    "1|2",
    "99999999999",
    "18446744073709551616",
    "00000000000000000000000000000000000000000000000001",
    "é",
    "\u{0}",
    "\"",
    "unknown",
];

fn mutate_bytes(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    let at = |rng: &mut ChaCha8Rng, bytes: &[u8]| below(rng, bytes.len().max(1) as u32) as usize;
    if bytes.is_empty() {
        return;
    }
    let lines =
        |bytes: &[u8]| -> Vec<Vec<u8>> { bytes.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect() };
    let place = at(rng, bytes);
    match below(rng, 11) {
        0 => bytes[place] ^= 1 << below(rng, 8),
        1 => bytes[place] = rng.next_u32() as u8,
        2 => bytes.truncate(place),
        3 => bytes.clear(),
        4 => bytes.insert(place, [0, 0xff, b'\t', b'|', b'\n', b'\r', b':', 0xc3][below(rng, 8) as usize]),
        5 => drop(bytes.splice(place..place, std::iter::repeat_n(b'9', 400))),
        6 => drop(bytes.drain(place..(place + 30).min(bytes.len()))),
        7 => {
            let mut lines = lines(bytes);
            drop(lines.remove(at(rng, bytes) % lines.len()));
            *bytes = lines.concat();
        }
        8 => {
            let mut lines = lines(bytes);
            let line = lines[at(rng, bytes) % lines.len()].clone();
            lines.insert(at(rng, bytes) % lines.len(), line);
            *bytes = lines.concat();
        }
        kind => {
            // One field of one line becomes another.
            let mut lines = lines(bytes);
            let line = at(rng, bytes) % lines.len();
            let separator = if lines[line].contains(&b'\t') { b'\t' } else { b'|' };
            let mut fields: Vec<Vec<u8>> = lines[line].split(|&byte| byte == separator).map(<[u8]>::to_vec).collect();
            let (a, b) = (at(rng, bytes) % fields.len(), at(rng, bytes) % fields.len());
            if kind == 9 {
                fields.swap(a, b)
            } else {
                fields[a] = one_of(rng, FIELDS).as_bytes().to_vec()
            }
            lines[line] = fields.join(&separator);
            *bytes = lines.concat();
        }
    }
}

#[test]
fn damaged_data_is_read_or_refused() {
    let folder = place();
    let data = folder.path().join("data");
    let log = Log::synthetic(8, 24);
    let (mut read, mut ran) = (0, 0);
    for number in 0..INPUTS {
        let _ = std::fs::remove_dir_all(&data);
        let names = if number % 2 == 0 {
            log.write_grouplens(&data);
            ["u.data", "u.data", "u.item", "u.user"]
        } else {
            log.write_recbole(&data);
            ["small.inter", "small.inter", "small.item", "small.user"]
        };
        let mut rng = rng(1, number);
        for _ in 0..=below(&mut rng, 3) {
            let path = data.join(one_of(&mut rng, &names));
            let mut bytes = std::fs::read(&path).expect("a file");
            mutate_bytes(&mut bytes, &mut rng);
            write(&path, bytes);
        }
        match Dataset::read(&data) {
            Err(problem) => assert!(problem.to_string().contains(data.to_str().expect("a path")), "{problem}"),
            Ok(found) => {
                read += 1;
                assert!(found.interactions.iter().all(|row| row.rating.is_nan() || row.rating.is_finite()));
                let text = "ticks = 2\nreplications = 1\nslate = 3\npopulation.min_history = 1\ndata.path = 'data'\n\
                    policy = [{ kind = 'random' }]";
                let origin = folder.path().join("small.toml");
                let scenario = Scenario::parse(text, &origin, &Registry::builtin(), &[]).expect("a scenario");
                ran += u32::from(run(scenario).is_ok());
            }
        }
    }
    // The numbers say that the test reaches both ends.
    assert!(read > INPUTS / 10 && read < INPUTS * 9 / 10, "{read} of {INPUTS} were read");
    assert!(ran > 30, "{ran} ran");
}

/// A scenario with every section, over the data set in `data`.
const WHOLE: &str = "name = 'All'
question = 'Does it hold?'
seed = 3
replications = 2
ticks = 3
tick_seconds = 86400
slate = 4
baseline = 'popular'
metrics = ['acceptance_rate', 'gini', 'coverage', 'mean_rating', 'accepted_per_user', 'intra_list_diversity']

[data]
path = 'data'
format = 'auto'
holdout = 0.2
providers = 'seeded'
provider_count = 5

[population]
users = 12
min_history = 2

[user]
kind = 'parametric'
acceptance = 0.3
temperature = 1.0
taste = 3.0
popularity = 0.3
position = 0.2
learning = 0.05

[arrival]
probability = 0.6
rate = 'log'

[session]
slates = 3
patience = 2
leave_after = 0

[candidates]
rule = 'unseen'

[engine]
chunk = 16
events = false

[[policy]]
kind = 'popular'

[[policy]]
kind = 'random'

[[policy]]
kind = 'item_knn'

[[policy]]
kind = 'linucb'

[[dynamic]]
kind = 'satiation'
strength = 0.5
half_life = 5
by = 'exposure'

[[dynamic]]
kind = 'time_budget'
looking = 0.1
accepting = 0.5
spread = 0.5

[[dynamic]]
kind = 'churn'
hazard = 0.05
sensitivity = 3

[[dynamic]]
kind = 'new_users'
share = 0.2
until = 3

[[dynamic]]
kind = 'releases'
share = 0.2
order = 'newest'

[[dynamic]]
kind = 'retirement'
hazard = 0.05

[[dynamic]]
kind = 'provider_exit'
need = 0.5
period = 2
";

/// Numbers at the ends of what is legal, and beyond.
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "5",
    "20",
    "99",
    "100",
    "101",
    "1000",
    "100000",
    "65536",
    "-1",
    "0.0",
    "0.5",
    "0.9",
    "0.999",
    "1.0",
    "0.001",
    "0.05",
    "20.0",
    "-10.0",
    "10.0",
    "1e-300",
    "1e300",
    "1e400",
    "nan",
    "-inf",
    "9223372036854775807",
    "9223372036854775808",
    "1000000000",
];

/// Other values, right in some places.
const WORDS: &[&str] = &[
    "''",
    "'all'",
    "'x'",
    "true",
    "false",
    "[]",
    "['gini']",
    "['gini', 'gini']",
    "{}",
    "1979-05-27",
    "'uniform'",
    "'repeats'",
    "'grouplens'",
    "'recbole'",
    "'popular'",
    "'random'",
    "\"\\u0000\"",
    "'../..'",
    "'ials'",
    "'linucb'",
];

const LINES: &[&str] = &[
    "[data]",
    "[policy]",
    "[[policy]]",
    "[[data]]",
    "[engine",
    "policy.kind = 3",
    "= 3",
    "slate = 2",
    "kind = 'random'",
    "name = 'popular'",
    "neighbours = 3",
    "\u{feff}",
    "\"\"\"",
    "session.slates = 1",
    "é = 1",
    "# a remark",
    "[user.kind]",
];

fn mutate_text(text: &str, rng: &mut ChaCha8Rng) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let at = |rng: &mut ChaCha8Rng| below(rng, lines.len() as u32) as usize;
    let (line, other, kind) = (at(rng), at(rng), below(rng, 12));
    match kind {
        0 => drop(lines.remove(line)),
        1 => lines.insert(other, lines[line].clone()),
        2 => lines.swap(line, other),
        3 => lines.insert(line, one_of(rng, LINES).to_owned()),
        4 => {
            let letters: Vec<char> = lines[line].chars().collect();
            lines[line] = letters[..below(rng, letters.len() as u32 + 1) as usize].iter().collect();
        }
        _ => {
            // Most changes are values: they reach furthest.
            let keyed: Vec<usize> = (0..lines.len()).filter(|&line| lines[line].contains(" = ")).collect();
            if let Some(&line) = keyed.get(below(rng, keyed.len().max(1) as u32) as usize) {
                let (key, old) = lines[line].split_once(" = ").map_or(("", ""), |(key, old)| (key, old));
                let numeric = old.parse::<f64>().is_ok() && below(rng, 10) > 0;
                lines[line] = format!("{key} = {}", one_of(rng, if numeric { NUMBERS } else { WORDS }));
            }
        }
    }
    lines.join("\n")
}

/// Returns true if a run of it would take long.
fn is_large(scenario: &Scenario, folder: &Path) -> bool {
    let elsewhere = scenario.data.path != folder.join("data");
    let users = scenario.population.users.number().unwrap_or(0) > 200;
    elsewhere || users || u64::from(scenario.ticks) * u64::from(scenario.replications) > 20
}

#[test]
fn damaged_scenarios_run_or_are_refused() {
    let folder = place();
    Log::synthetic(10, 110).write_recbole(&folder.path().join("data"));
    let origin = folder.path().join("all.toml");
    let (mut valid, mut ran, mut large) = (0, 0, 0);
    for number in 0..INPUTS {
        let mut rng = rng(2, number);
        let mut text = WHOLE.to_owned();
        for _ in 0..=below(&mut rng, 2) {
            text = mutate_text(&text, &mut rng);
        }
        match Scenario::parse(&text, &origin, &Registry::builtin(), &[]) {
            Err(problem) => assert!(problem.to_string().contains("all.toml"), "{problem}"),
            Ok(scenario) => {
                valid += 1;
                if is_large(&scenario, folder.path()) {
                    large += 1;
                } else {
                    ran += u32::from(run(scenario).is_ok());
                }
            }
        }
    }
    assert!(ran > 50, "{valid} valid, {ran} ran, {large} too large");
}

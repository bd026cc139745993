//! Off-policy estimates: equal to the Python package obp 0.4.1, and to the simulator's own truth.

mod runs;

use crate::util::{csv_rows, package, read, recmirror, run_on, settings, text, with_data, write};
use recmirror::Registry;
use recmirror::experiment::{Experiment, Interval, NoProgress, TrainingRecord, TrialRecord};
use recmirror::off_policy::interval::{Groups, bootstrap};
use recmirror::off_policy::{Evaluation, OffPolicyError, Question, Valuation, evaluate, rounds, slates};
use recmirror::scenario::Scenario;
use std::path::{Path, PathBuf};

/// How close numbers must be to those of obp.
const TOLERANCE: f64 = 1e-9;

/// A number in [0, 1) from integers, as in `tests/fixtures/off_policy/make.py`.
fn unit(key: &[u32]) -> f64 {
    let mut state = 0x9E37_79B9_u32;
    for part in key {
        state = (state ^ part).wrapping_mul(0x85EB_CA6B);
        state ^= state >> 13;
        state = state.wrapping_mul(0xC2B2_AE35);
        state ^= state >> 16;
    }
    f64::from(state) / 4_294_967_296.0
}

/// `[7, actions, positions]`: the target's probabilities, by the round modulo 7.
fn target(actions: usize, positions: usize) -> Vec<Vec<Vec<f64>>> {
    let cell = |t: usize, a: usize, k: usize| unit(&[4, t as u32, a as u32, k as u32]);
    let mut table = cube(actions, positions, |t, a, k| cell(t, a, k) * cell(t, a, k));
    for of_round in &mut table {
        for position in 0..positions {
            let total: f64 = of_round.iter().map(|action| action[position]).sum();
            of_round.iter_mut().for_each(|action| action[position] /= total);
        }
    }
    table
}

/// `[7, actions, positions]`: predicted rewards.
fn predictions(actions: usize, positions: usize, scale: f64) -> Vec<Vec<Vec<f64>>> {
    cube(actions, positions, |t, a, k| scale * 0.5 * unit(&[5, t as u32, a as u32, k as u32]))
}

fn cube(actions: usize, positions: usize, cell: impl Fn(usize, usize, usize) -> f64) -> Vec<Vec<Vec<f64>>> {
    let row = |t: usize, a: usize| (0..positions).map(|k| cell(t, a, k)).collect::<Vec<f64>>();
    (0..7).map(|t| (0..actions).map(|a| row(t, a)).collect()).collect()
}

/// Logged rounds of one action each.
#[derive(Default)]
struct Rounds {
    rewards: Vec<f64>,
    actions: Vec<usize>,
    positions: Vec<usize>,
    propensities: Vec<f64>,
}

impl Rounds {
    /// The log `bandit` of the script.
    fn synthetic() -> Rounds {
        let mut rounds = Rounds::default();
        for t in 0..400_u32 {
            let weights: Vec<f64> = (0..5).map(|a| 0.25 + unit(&[1, t, a])).collect();
            let all: f64 = weights.iter().sum();
            let (point, mut total) = (unit(&[2, t]) * all, 0.0);
            let chosen = weights.iter().position(|weight| {
                total += weight;
                point < total
            });
            let chosen = chosen.unwrap_or(4);
            rounds.actions.push(chosen);
            rounds.positions.push(t as usize % 2);
            rounds.propensities.push(weights[chosen] / all);
            rounds.rewards.push(if unit(&[3, t]) < 0.1 + 0.15 * chosen as f64 { 1.0 } else { 0.0 });
        }
        rounds
    }

    /// One file of the Open Bandit sample.
    fn open_bandit(path: &Path) -> Rounds {
        let mut rounds = Rounds::default();
        for row in csv_rows(path) {
            let number = |column: usize| row[column].parse::<f64>().expect("a number");
            rounds.actions.push(number(2) as usize);
            rounds.positions.push(number(3) as usize - 1);
            rounds.rewards.push(number(4));
            rounds.propensities.push(number(5));
        }
        rounds
    }

    fn size(&self) -> (usize, usize) {
        let count = |values: &[usize]| values.iter().max().map_or(0, |last| last + 1);
        (count(&self.actions), count(&self.positions))
    }

    /// The target's probability of each action that was taken.
    fn of_target(&self) -> Vec<f64> {
        let (actions, positions) = self.size();
        let target = target(actions, positions);
        let taken = self.actions.iter().zip(&self.positions).enumerate();
        taken.map(|(t, (&action, &position))| target[t % 7][action][position]).collect()
    }

    fn estimates(&self, scale: f64) -> Vec<(&'static str, Option<Valuation>)> {
        let (actions, positions) = self.size();
        let (target, model) = (target(actions, positions), predictions(actions, positions, scale));
        let weights: Vec<f64> = self.of_target().iter().zip(&self.propensities).map(|(q, p)| q / p).collect();
        let taken = self.actions.iter().zip(&self.positions).enumerate();
        let predicted: Vec<f64> = taken.map(|(t, (&action, &position))| model[t % 7][action][position]).collect();
        let expected = |(t, &position): (usize, &usize)| {
            (0..actions).map(|action| target[t % 7][action][position] * model[t % 7][action][position]).sum()
        };
        let expected: Vec<f64> = self.positions.iter().enumerate().map(expected).collect();
        vec![
            ("ips", rounds::ips(&self.rewards, &weights)),
            ("snips", rounds::snips(&self.rewards, &weights)),
            ("dm", rounds::dm(&expected)),
            ("dr", rounds::dr(&self.rewards, &weights, &predicted, &expected)),
            ("sndr", rounds::sndr(&self.rewards, &weights, &predicted, &expected)),
        ]
    }

    /// Three rows in a row as a slate.
    fn slates(&self) -> Vec<(&'static str, Option<Valuation>)> {
        let kept = self.rewards.len() / 3 * 3;
        let ratios: Vec<f64> =
            self.of_target()[..kept].iter().zip(&self.propensities).map(|(target, logged)| target / logged).collect();
        of_slates(3, &self.rewards[..kept], &ratios, &ratios)
    }
}

fn of_slates(slots: usize, rewards: &[f64], ratios: &[f64], alone: &[f64]) -> Vec<(&'static str, Option<Valuation>)> {
    vec![
        ("ips", slates::weighted(slots, rewards, &slates::whole(slots, ratios))),
        ("iips", slates::weighted(slots, rewards, alone)),
        ("rips", slates::weighted(slots, rewards, &slates::down_to(slots, ratios))),
    ]
}

/// The log `slates` of the script.
fn synthetic_slates() -> Vec<(&'static str, Option<Valuation>)> {
    let grid = || (0..300_u32).flat_map(|t| (0..4_u32).map(move |k| (t, k)));
    let ratio = |above: (f64, f64, u32), below: (f64, f64, u32)| -> Vec<f64> {
        let cell = |part: (f64, f64, u32), t, k| part.0 + part.1 * unit(&[part.2, t, k]);
        grid().map(|(t, k)| cell(above, t, k) / cell(below, t, k)).collect()
    };
    let rewards: Vec<f64> = grid().map(|(t, k)| if unit(&[8, t, k]) < 0.3 { 1.0 } else { 0.0 }).collect();
    of_slates(4, &rewards, &ratio((0.05, 0.9, 7), (0.3, 0.6, 6)), &ratio((0.2, 0.7, 10), (0.2, 0.7, 9)))
}

/// The generator of `numpy.random.RandomState`: MT19937 (Matsumoto and Nishimura 1998), seeded with one number.
struct Twister {
    state: Vec<u32>,
    place: usize,
}

impl Twister {
    fn new(seed: u32) -> Twister {
        let mut state = vec![seed];
        for place in 1..624_u32 {
            let last = state[state.len() - 1];
            state.push((last ^ (last >> 30)).wrapping_mul(1_812_433_253).wrapping_add(place));
        }
        Twister { state, place: 624 }
    }

    fn next(&mut self) -> u32 {
        if self.place == 624 {
            for place in 0..624 {
                let joined = (self.state[place] & 0x8000_0000) | (self.state[(place + 1) % 624] & 0x7FFF_FFFF);
                let twist = if joined & 1 == 1 { 0x9908_B0DF } else { 0 };
                self.state[place] = self.state[(place + 397) % 624] ^ (joined >> 1) ^ twist;
            }
            self.place = 0;
        }
        let mut word = self.state[self.place];
        self.place += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9D2C_5680;
        word ^= (word << 15) & 0xEFC6_0000;
        word ^ (word >> 18)
    }

    /// Below `bound`, as `RandomState.choice` draws: masked bits, drawn again when too large.
    fn below(&mut self, bound: u32) -> u32 {
        let mask = u32::MAX.checked_shr((bound - 1).leading_zeros()).unwrap_or(0);
        loop {
            let value = self.next() & mask;
            if value < bound {
                return value;
            }
        }
    }
}

/// Compares values and intervals with a case of `expected.json`; gives the largest difference.
fn compare(expected: &serde_json::Value, case: &str, found: Vec<(&'static str, Option<Valuation>)>) -> f64 {
    let number = |value: &serde_json::Value| value.as_f64().expect("a number");
    let stored = expected["cases"][case].as_object().unwrap_or_else(|| panic!("no case {case}"));
    assert_eq!(stored.len(), found.len(), "{case}");
    let (resamples, seed) = (number(&expected["resamples"]) as usize, number(&expected["seed"]) as u32);
    let mut largest = 0.0_f64;
    for (name, found) in found {
        let found = found.expect("an estimate");
        let mut twister = Twister::new(seed);
        let groups = Groups::single(found.contributions.len());
        let interval = bootstrap(&found.contributions, &groups, resamples, |bound| twister.below(bound));
        let Interval { low, high } = interval.expect("an interval");
        for (what, found) in [("value", found.value), ("low", low), ("high", high)] {
            let difference = (found - number(&stored[name][what])).abs();
            assert!(difference < TOLERANCE, "{case}, {name}, {what}: {found}, obp has {}", stored[name][what]);
            largest = largest.max(difference);
        }
    }
    largest
}

fn expected() -> serde_json::Value {
    let path = package().join("tests/fixtures/off_policy/expected.json");
    serde_json::from_str(&read(&path)).expect("JSON")
}

#[test]
fn values_and_intervals_are_those_of_obp() {
    let expected = expected();
    let rounds = compare(&expected, "bandit", Rounds::synthetic().estimates(1.0));
    let slates = compare(&expected, "slates", synthetic_slates());
    eprintln!("largest difference from obp: {rounds:e} on rounds, {slates:e} on slates");
}

/// The sample of the Open Bandit data that obp has inside: in the folder that `RECMIRROR_OPEN_BANDIT` names, else where
/// a Python has obp installed.
fn open_bandit() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("RECMIRROR_OPEN_BANDIT") {
        return Some(PathBuf::from(folder));
    }
    // It is looked for and not imported: that would need all that obp needs.
    let script = "import importlib.util as u\nprint(u.find_spec('obp').submodule_search_locations[0])";
    let asked = |python: PathBuf| std::process::Command::new(python).args(["-c", script]).output().ok();
    let pythons = [package().join(".recmirror/peers/bin/python"), PathBuf::from("python3")];
    let answers = pythons.into_iter().filter_map(asked).filter(|answer| answer.status.success());
    let mut folders =
        answers.map(|answer| PathBuf::from(String::from_utf8_lossy(&answer.stdout).trim()).join("dataset/obd"));
    folders.find(|folder| folder.is_dir())
}

#[test]
fn values_and_intervals_on_the_open_bandit_sample_are_those_of_obp() {
    let Some(folder) = open_bandit() else {
        eprintln!("skipped: no Open Bandit sample; it is where obp 0.4.1 is installed, as `make peers` does it");
        return;
    };
    let (expected, mut largest) = (expected(), 0.0_f64);
    for case in ["random/all", "random/men", "random/women", "bts/all", "bts/men", "bts/women"] {
        let (_, campaign) = case.split_once('/').expect("two parts");
        let log = Rounds::open_bandit(&folder.join(case).join(format!("{campaign}.csv")));
        assert_eq!(log.rewards.len(), 10_000, "{case}");
        largest = largest.max(compare(&expected, case, log.estimates(0.02)));
        largest = largest.max(compare(&expected, &format!("{case} slates"), log.slates()));
    }
    eprintln!("largest difference from obp on the Open Bandit sample: {largest:e}");
}

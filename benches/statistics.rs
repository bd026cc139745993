//! Whether the statistics of a run hold what they promise, by simulation: how often the 95% intervals hold the true mean,
//! how often policies without a difference are told apart, and what looking after every replication does to that.
//!
//! Prints two tables; nothing is timed. `cargo bench --bench statistics`

#[path = "statistics/shapes.rs"]
mod shapes;

use rayon::prelude::*;
use recmirror::experiment::{bootstrap, confidence_sequence, estimate, holm, sign_flip};
use recmirror::random::{Purpose, Streams, unit};
use shapes::Shape;

/// Samples of each shape and size; the standard error of a coverage of 95% is 0.49 points.
const SIMULATIONS: u64 = 2_000;
const SIZES: [usize; 4] = [5, 7, 10, 20];
/// Looks are taken from the fourth to this replication.
const LONGEST: usize = 50;
/// Policies of an experiment in which all are the same.
const POLICIES: usize = 4;

/// Shares of the simulations in which something happened, computed in parallel and counted in order.
fn shares<const N: usize>(what: impl Fn(&Streams) -> [bool; N] + Sync) -> [f64; N] {
    let simulation = |number: u64| what(&Streams::new(20_261, 0).fork(number as u32));
    let happened: Vec<[bool; N]> = (0..SIMULATIONS).into_par_iter().map(simulation).collect();
    std::array::from_fn(|place| {
        happened.iter().filter(|simulation| simulation[place]).count() as f64 / SIMULATIONS as f64
    })
}

fn sample(shape: Shape, count: usize, streams: &Streams, policy: u64) -> Vec<f64> {
    let mut rng = streams.derive(Purpose::Scenes, policy, 0);
    shape.sample(count, &mut || unit(&mut rng))
}

fn t_covers(sample: &[f64]) -> bool {
    let found = estimate(sample.iter().copied().map(Some)).and_then(|found| found.interval);
    found.is_some_and(|interval| interval.contains(0.0))
}

fn p_value(sample: &[f64], streams: &Streams) -> Option<f64> {
    sign_flip(sample, &mut streams.derive(Purpose::SignFlips, sample.len() as u64, 0))
}

/// Whether one of six comparisons between four equal policies has a p value of at most 0.05 after Holm.
fn family_fails(shape: Shape, count: usize, streams: &Streams) -> bool {
    let policies: Vec<Vec<f64>> = (0..POLICIES as u64).map(|policy| sample(shape, count, streams, policy)).collect();
    let mut p_values = Vec::new();
    for (place, a) in policies.iter().enumerate() {
        for b in &policies[place + 1..] {
            let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
            p_values.push(p_value(&differences, streams));
        }
    }
    holm(&p_values).into_iter().flatten().any(|adjusted| adjusted <= 0.05)
}

fn fixed(shape: Shape, count: usize) -> [f64; 4] {
    shares(|streams| {
        let differences = sample(shape, count, streams, 0);
        let resampled = bootstrap(&differences, &mut streams.derive(Purpose::Bootstrap, count as u64, 0));
        [
            t_covers(&differences),
            resampled.is_some_and(|interval| interval.contains(0.0)),
            p_value(&differences, streams).is_some_and(|p_value| p_value <= 0.05),
            family_fails(shape, count, streams),
        ]
    })
}

/// Ever excluded 0, looking from the fourth replication on: t intervals, confidence sequence.
fn peeking(shape: Shape) -> [f64; 2] {
    shares(|streams| {
        let differences = sample(shape, LONGEST, streams, 0);
        let looks = || (4..=LONGEST).map(|count| &differences[..count]);
        let excludes = |some: &[f64]| confidence_sequence(some).is_some_and(|interval| !interval.contains(0.0));
        [looks().any(|some| !t_covers(some)), looks().any(excludes)]
    })
}

fn main() {
    println!("{SIMULATIONS} simulations each; in percent\n");
    println!("shape                replications   t covers   bootstrap covers   A/A permutation   A/A Holm, 6 pairs");
    for (shape, name) in Shape::ALL {
        for count in SIZES {
            let [t, resampled, permutation, family] = fixed(shape, count).map(|share| 100.0 * share);
            println!("{name:<20} {count:>12} {t:>10.1} {resampled:>18.1} {permutation:>17.1} {family:>19.1}");
        }
    }
    println!("\nA/A, looked at after each of {LONGEST} replications: 0 was ever excluded\n");
    println!("shape                t interval   confidence sequence");
    for (shape, name) in Shape::ALL {
        let [t, sequence] = peeking(shape).map(|share| 100.0 * share);
        println!("{name:<20} {t:>10.1} {sequence:>21.1}");
    }
}

//! True if the statistics of a run hold what they promise, by simulation: how often the 95% intervals hold the true mean,
//! how often policies without a difference are distinguished, and what looking after every replication does to that.
//!
//! Prints tables; nothing is timed. `cargo bench --bench statistics`, or some of them: `cargo bench --bench statistics -- together users`

#[path = "statistics/shapes.rs"]
mod shapes;
#[path = "statistics/users.rs"]
mod users;

use rayon::prelude::*;
use recmirror::experiment::{Family, bootstrap, confidence_sequence, estimate, sign_flip};
use recmirror::random::{Purpose, Streams, unit};
use shapes::Shape;

/// Samples of each shape and size; the standard error of a coverage of 95% is 0.49 points.
const SIMULATIONS: u64 = 2_000;
const SIZES: [usize; 5] = [3, 5, 7, 10, 20];
/// Looks are taken from the second to this replication.
const LONGEST: usize = 50;
/// Policies of an experiment.
const POLICIES: [usize; 3] = [3, 5, 12];

/// Shares of the simulations in which something happened, computed in parallel and counted in order.
fn shares<const N: usize>(what: impl Fn(&Streams) -> [bool; N] + Sync) -> [f64; N] {
    let simulation = |number: u64| what(&Streams::new(20_261, 0).fork(number as u32));
    let happened: Vec<[bool; N]> = (0..SIMULATIONS).into_par_iter().map(simulation).collect();
    std::array::from_fn(|place| {
        100.0 * happened.iter().filter(|simulation| simulation[place]).count() as f64 / SIMULATIONS as f64
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

/// The differences of all pairs of equal policies. All share the random numbers of the replication; where `uneven`, policy `p` has
/// `1 + p` times the spread of the first, and half of the policies are nearly the same as their neighbour.
fn pairs(shape: Shape, policies: usize, count: usize, uneven: bool, streams: &Streams) -> Vec<Vec<f64>> {
    let mut values: Vec<Vec<f64>> = (0..policies as u64).map(|policy| sample(shape, count, streams, policy)).collect();
    for policy in (0..policies).filter(|_| uneven) {
        let neighbour = values[policy ^ 1 & (policies - 1)].clone();
        let own = &mut values[policy];
        for (value, other) in own.iter_mut().zip(neighbour) {
            *value = if policy % 2 == 1 { other + *value / 10.0 } else { *value * (1 + policy) as f64 };
        }
    }
    let differences = |(a, b): (usize, usize)| values[a].iter().zip(&values[b]).map(|(a, b)| a - b).collect();
    (0..policies).flat_map(|a| (a + 1..policies).map(move |b| (a, b))).map(differences).collect()
}

/// Returns true if any of the pairs of equal policies is distinguished.
fn any_differs(family: &Family, pairs: &[Vec<f64>]) -> bool {
    pairs.iter().any(|sample| family.judge(sample).p_value.is_some_and(|p_value| p_value <= 0.05))
}

fn whole(policies: usize, count: usize) -> Family {
    Family::fixed(&vec![vec![Some(0.0); count]; policies])
}

fn alone(shape: Shape, count: usize) -> [f64; 3] {
    shares(|streams| {
        let differences = sample(shape, count, streams, 0);
        let resampled = bootstrap(&differences, &mut streams.derive(Purpose::Bootstrap, count as u64, 0));
        let p_value = sign_flip(&differences, &mut streams.derive(Purpose::SignFlips, count as u64, 0));
        [
            t_covers(&differences),
            resampled.is_some_and(|interval| interval.contains(0.0)),
            p_value.is_some_and(|p_value| p_value <= 0.05),
        ]
    })
}

/// Any pair distinguished: 3, 5 and 12 equal policies; 5 of different spread, some nearly the same; 5 by each pair's own t.
fn together(shape: Shape, count: usize) -> [f64; 5] {
    let families = POLICIES.map(|policies| whole(policies, count));
    shares(|streams| {
        let even = |place: usize| pairs(shape, POLICIES[place], count, false, streams);
        let five = even(1);
        [
            any_differs(&families[0], &even(0)),
            any_differs(&families[1], &five),
            any_differs(&families[2], &even(2)),
            any_differs(&families[1], &pairs(shape, POLICIES[1], count, true, streams)),
            five.iter().any(|sample| !t_covers(sample)),
        ]
    })
}

/// Ever distinguished, looking from the second replication on: two policies by t and by the sequence, any of ten pairs by theirs.
fn peeking(shape: Shape) -> [f64; 3] {
    let family = Family::sequential(POLICIES[1]);
    shares(|streams| {
        let differences = sample(shape, LONGEST, streams, 0);
        let looks = || (2..=LONGEST).map(|count| &differences[..count]);
        let excludes = |some: &[f64]| confidence_sequence(some).is_some_and(|interval| !interval.contains(0.0));
        let all = pairs(shape, POLICIES[1], LONGEST, false, streams);
        let any = |count: usize| {
            all.iter().any(|sample| family.judge(&sample[..count]).p_value.is_some_and(|p_value| p_value <= 0.05))
        };
        [looks().any(|some| !t_covers(some)), looks().any(excludes), (2..=LONGEST).any(any)]
    })
}

fn print_alone() {
    println!("\nA pair alone\n");
    println!("shape                replications   t covers   bootstrap covers   A/A permutation");
    for (shape, name) in Shape::ALL {
        for count in SIZES {
            let [t, resampled, permutation] = alone(shape, count);
            println!("{name:<20} {count:>12} {t:>10.1} {resampled:>18.1} {permutation:>17.1}");
        }
    }
}

fn print_together() {
    println!(
        "\nEqual policies: share of runs with a false difference (3, 10, 66, 10 pairs; the last without adjustment)\n"
    );
    println!("shape                replications   3 policies   5 policies   12 policies   5 uneven   5, t alone");
    for (shape, name) in Shape::ALL {
        for count in SIZES {
            let [three, five, twelve, uneven, t] = together(shape, count);
            println!("{name:<20} {count:>12} {three:>12.1} {five:>12.1} {twelve:>13.1} {uneven:>10.1} {t:>12.1}");
        }
    }
}

fn print_peeking() {
    println!("\nEqual policies, looked at after each of {LONGEST} replications: ever a false difference\n");
    println!("shape                t interval   sequence, 1 pair   sequences, any of 10 pairs");
    for (shape, name) in Shape::ALL {
        let [t, one, ten] = peeking(shape);
        println!("{name:<20} {t:>10.1} {one:>18.1} {ten:>28.1}");
    }
}

fn main() {
    let tables: [(&str, fn()); 4] =
        [("alone", print_alone), ("together", print_together), ("peeking", print_peeking), ("users", users::print)];
    let named: Vec<String> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    println!("{SIMULATIONS} simulations each; in percent");
    for (name, print) in tables {
        if named.is_empty() || named.iter().any(|other| other == name) {
            print();
        }
    }
}

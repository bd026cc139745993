//! True if the interval for another seed and other users holds the difference that the whole population of users would give.

use super::shares;
use recmirror::experiment::{Results, TrialResult, UserTotals};
use recmirror::metrics;
use recmirror::random::{Purpose, Streams, unit};
use recmirror::simulation::ShortSlates;

/// Steps of a user in a replication.
const STEPS: u32 = 10;
/// Policies; each shifts every user's chance of accepting by an amount of its own, so that users and policies interact.
const POLICIES: usize = 4;
/// The spread over users of what a policy changes.
const SPREAD: f64 = 0.2;

/// A run of policies that are equally good in the whole population, on a sample of its users.
fn run(users: usize, replications: u32, streams: &Streams) -> Results {
    let mut tastes = streams.derive(Purpose::Population, 0, 0);
    let tastes: Vec<[f64; POLICIES]> =
        (0..users).map(|_| std::array::from_fn(|_| 0.3 + SPREAD * (unit(&mut tastes) - 0.5))).collect();
    let mut trials = Vec::new();
    for policy in 0..POLICIES {
        for replication in 0..replications {
            let mut rng = streams.derive(Purpose::Response, policy as u64, replication);
            let accepted: Vec<u32> = tastes
                .iter()
                .map(|taste| (0..STEPS).filter(|_| unit(&mut rng) < taste[policy]).count() as u32)
                .collect();
            let rate = f64::from(accepted.iter().sum::<u32>()) / f64::from(STEPS) / users as f64;
            trials.push(TrialResult {
                policy: format!("policy {policy}"),
                replication,
                ticks: Vec::new(),
                finals: vec![Some(rate)],
                curves: Vec::new(),
                digest: String::new(),
                steps: 0,
                seconds: 0.0,
                short: ShortSlates::default(),
                users: UserTotals { shown: vec![STEPS; users], accepted, ..UserTotals::default() },
            });
        }
    }
    let kinds = metrics::named(&["acceptance_rate"]).expect("it exists");
    Results::new(kinds, "policy 0", trials).expect("the trials are a run")
}

/// Any pair distinguished: by the interval for another seed, by the one for other users, too.
fn told_apart(users: usize, replications: u32) -> [f64; 2] {
    shares(|streams| {
        let results = run(users, replications, streams);
        let names = results.policies().to_vec();
        let pairs = || names.iter().enumerate().flat_map(|(place, a)| names[..place].iter().map(move |b| (a, b)));
        let seed = |(a, b): (&String, &String)| {
            let found = results.paired(a, b, 0).and_then(|found| found.difference.interval);
            found.is_some_and(|interval| !interval.contains(0.0))
        };
        let both =
            |(a, b): (&String, &String)| results.other_users(a, b, 0).is_some_and(|interval| !interval.contains(0.0));
        [pairs().any(seed), pairs().any(both)]
    })
}

/// Prints the table.
pub fn print() {
    println!("\nFour policies that are equal over all users, on a sample of users: any of 6 pairs told apart\n");
    println!("users   replications   by another seed   by another seed and other users");
    for (users, replications) in [(50, 5), (200, 3), (200, 5), (200, 20), (1_000, 5)] {
        let [seed, both] = told_apart(users, replications);
        println!("{users:>5} {replications:>14} {seed:>17.1} {both:>33.1}");
    }
}

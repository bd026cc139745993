//! An environment stepped from outside: a log in memory, a policy of your own, rewards and metrics of 20 steps.
//!
//! Run it with `cargo run --example environment`.

use recmirror::dataset::Dataset;
use recmirror::environment::Environment;
use recmirror::policy::Slates;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    // User, item, rating, and milliseconds since 1970; `Dataset::read` reads files.
    let rows = (0..600i64).map(|n| {
        let (user, item) = (n % 40, (n * 7 + n / 40) % 60);
        (format!("user{user}"), format!("item{item}"), Some(1.0 + ((user + item) % 5) as f32), Some(n * 3_600_000))
    });
    let data = Dataset::from_rows("shop", rows)?;
    let mut environment = Environment::builder(&data).population(1_000).slate(5).steps(20).seed(7).build()?;

    // The policy: the candidates that were accepted most often so far.
    let mut accepted = vec![0.0f32; data.items.len()];
    let mut slates = Slates::default();
    while !environment.is_done() {
        slates.fill(&environment.observation(), |request, slate| {
            let mut best: Vec<_> = request.candidates().collect();
            best.sort_by(|a, b| accepted[b.index()].total_cmp(&accepted[a.index()]));
            best.into_iter().take(request.slate).for_each(|item| slate.push(item, accepted[item.index()]));
        });
        let outcome = environment.step(&slates)?;
        let (rewards, left) = (outcome.rewards().sum::<f32>(), outcome.left().len());
        let events = outcome.events();
        let items = (0..events.len()).filter_map(|row| events.accepted_item(row));
        items.for_each(|item| accepted[item.index()] += 1.0);
        println!("{} slates, {rewards} accepted, {left} users left", events.len());
    }
    for (metric, value) in environment.metrics() {
        println!("{metric}: {}", value.map_or("undefined".to_owned(), |value| format!("{value:.4}")));
    }
    Ok(())
}

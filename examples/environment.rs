//! An environment, stepped from outside by a policy of your own: rewards, events and metrics of 20 steps.
use recmirror::prelude::*;

/// Shows the candidates that were accepted most often so far.
struct Favourites(Vec<f32>);

impl Policy for Favourites {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError> {
        let scores = &self.0;
        slates.fill(requests, |request, slate| rank_candidates(&request, scores, slate));
        Ok(())
    }

    fn observe(&mut self, events: &EventBatch) -> Result<(), PolicyError> {
        let accepted = (0..events.len()).filter_map(|row| events.accepted_item(row));
        accepted.for_each(|item| self.0[item.index()] += 1.0);
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // User, item, rating, milliseconds since 1970; `Dataset::read` reads files.
    let pair = |n: i64| (n % 40, (n * 7 + n / 40) % 60);
    let rows = (0..600).map(|n| (pair(n).0.to_string(), pair(n).1.to_string(), Some((n % 5) as f32), Some(n)));
    let data = Dataset::from_rows("shop", rows)?;
    let mut environment = Environment::builder(&data).population(1_000).slate(5).steps(20).seed(7).build()?;
    let mut policy = Favourites(vec![0.0; data.items.len()]);
    while !environment.is_done() {
        let slates = policy.slates(&environment.observation())?;
        let outcome = environment.step(&slates)?;
        println!("{} slates, {} accepted", outcome.events().len(), outcome.rewards().sum::<f32>());
        policy.observe(outcome.events())?;
    }
    for (metric, value) in environment.metrics() {
        println!("{metric}: {value:?}");
    }
    Ok(())
}

//! A policy of your own beside two that ship, in five replications, and the folder of the run with its report.
use recmirror::prelude::*;

/// Shows the candidates with the smallest numbers.
struct Smallest;

impl Policy for Smallest {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError> {
        slates.fill(requests, |request, slate| request.candidates().for_each(|item| slate.push(item, 0.0)));
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let row = |n: i64| ((n % 40).to_string(), ((n * 7 + n / 40) % 60).to_string(), None, Some(n));
    let data = Dataset::from_rows("shop", (0..600).map(row))?;
    let settings = Experiment::builder(&data).population(500).slate(5).steps(10).replications(5);
    let policies = settings.policy("popular", &[]).policy("item_knn", &[("neighbours", &20)]);
    let experiment = policies.own_policy("smallest", factory(|_| Ok(Smallest))).experiment()?;
    let folder = RunFolder::create(&std::env::temp_dir().join("recmirror-shop"), true)?;
    let run = experiment.run_observed(Some(&folder), &mut |_| ())?;
    run.results.summary().iter().for_each(|row| println!("{} {}: {:?}", row.policy, row.metric, row.mean));
    println!("{}", recmirror::report::write(folder, &experiment, &run)?.display());
    Ok(())
}

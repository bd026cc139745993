//! How well the policies of a scenario rank what was held out: NDCG@10 at the start, without any simulation.
//!
//! ```text
//! cargo run --release --example held_out -- benches/peers/policies.toml runs/held_out
//! ```
//!
//! Each policy trains on the log before the cut and recommends once to every user of the log; the items that the user
//! had after the cut are the relevant ones. Besides the printed table the folder gets the split (`train.csv`,
//! `held_out.csv`) and the slates (`NAME-REPLICATION.csv`), all with numbers as ids, for comparisons with other
//! libraries: `benches/peers/policies.py` makes them.

use recmirror::Registry;
use recmirror::align::{NDCG_DEPTH, ndcg};
use recmirror::dataset::{Catalogue, Dataset, TrainingLog};
use recmirror::ids::{LogUserId, simulated};
use recmirror::policy::{Blocked, Fits, PolicyContext, Requests, SeenItems, Slates};
use recmirror::random::Streams;
use recmirror::scenario::Scenario;
use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(file), Some(out)) = (arguments.next(), arguments.next()) else {
        return Err("usage: held_out SCENARIO FOLDER".into());
    };
    let registry = Registry::builtin();
    let scenario = Scenario::load(&file, &registry, &[])?;
    let data = Dataset::read(&scenario.data.path)?;
    let split = data.split_by(scenario.data.holdout, scenario.data.cut)?;
    std::fs::create_dir_all(&out)?;
    write_log(&out.join("train.csv"), &split.before)?;
    write_log(&out.join("held_out.csv"), &split.held_out)?;
    let users: Vec<LogUserId> = (0..split.before.users() as u32).map(LogUserId).collect();
    let (log, items) = (Arc::new(split.before), data.items.len());
    let seen = SeenItems::new(SeenItems::of_log(&log), users.clone().into(), log.items);
    let fits = Fits::default();
    for spec in &scenario.policies {
        let kind = registry.policy(&spec.kind).ok_or("the scenario was checked")?;
        let mut sum = 0.0;
        for replication in 0..scenario.replications {
            let context = PolicyContext {
                catalogue: Arc::new(Catalogue::of(&data)),
                log: log.clone(),
                sources: users.clone().into(),
                slate: scenario.slate,
                tick_seconds: scenario.tick_seconds as i64,
                kinds: registry.policies().clone(),
                streams: Streams::new(scenario.seed, replication),
                fits: fits.clone(),
            };
            let mut policy = kind.build(&spec.params, &context)?;
            let (slate, streams) = (scenario.slate, context.streams);
            let requests = Requests {
                tick: 0,
                slate,
                items,
                users: &simulated(&users),
                blocked: Blocked::seen(&seen),
                streams,
                oracle_access: None,
            };
            let slates = policy.slates(&requests).map_err(|problem| problem.inside(&spec.name))?;
            write_slates(&out.join(format!("{}-{replication}.csv", spec.name)), &slates)?;
            let found = ndcg(&slates, &split.held_out);
            sum += found.iter().sum::<f64>() / found.len().max(1) as f64;
        }
        println!("{:24} NDCG@{NDCG_DEPTH} {:.4}", spec.name, sum / f64::from(scenario.replications));
    }
    Ok(())
}

fn write_log(path: &Path, log: &TrainingLog) -> std::io::Result<()> {
    let mut text = "user,item\n".to_owned();
    for row in &log.rows {
        let _ = writeln!(text, "{},{}", row.user.0, row.item.0);
    }
    std::fs::write(path, text)
}

fn write_slates(path: &Path, slates: &Slates) -> std::io::Result<()> {
    let mut text = "user,slot,item,score\n".to_owned();
    for (place, (item, score)) in slates.items.iter().zip(&slates.scores).enumerate().filter(|(_, at)| at.0.is_some()) {
        let _ = writeln!(text, "{},{},{},{score}", place / slates.slate, place % slates.slate, item.0);
    }
    std::fs::write(path, text)
}

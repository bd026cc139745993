//! Writes a large feedback log in the unified form, to measure `scenes` on: no benchmark by itself.
//!
//! ```sh
//! cargo bench --bench feedback_log -- --out PROJECT [--interactions 10000000] [--users 100000] [--items 20000]
//! ```
//!
//! Activity of users and popularity of items follow power laws; users and items belong to groups, and more than
//! half of what a user takes is of the user's own group. Rows are in the order of time. The same numbers give the same bytes.

use recmirror::random::{Purpose, Streams, below, unit};
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Result, Write};
use std::path::{Path, PathBuf};

const GROUPS: u32 = 40;
const YEAR: i64 = 31_536_000;
const START: i64 = 1_500_000_000;
const TEMPLATE: &str = "profile = \"Group {{ user.group }}\"\n\
    item = \"{{ item.title }} ({{ item.year }}), {{ item.genre }}\"\n\
    history = \"{{ item.title }}, rated {{ behavior.rating }}{% if ago %}, {{ ago }}{% endif %}\"\n";

struct Sizes {
    users: u32,
    items: u32,
    interactions: u64,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| arguments.iter().position(|given| given == name).and_then(|at| arguments.get(at + 1));
    let number = |name: &str, default: u64| value(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let Some(project) = value("--out").map(PathBuf::from) else {
        println!("feedback_log: nothing written; give --out PROJECT");
        return Ok(());
    };
    let sizes = Sizes {
        users: number("--users", 100_000) as u32,
        items: number("--items", 20_000) as u32,
        interactions: number("--interactions", 10_000_000),
    };
    let raws = project.join("raws");
    std::fs::create_dir_all(&raws)?;
    std::fs::write(raws.join("generated_template.toml"), TEMPLATE)?;
    write_users(&raws, &sizes)?;
    write_items(&raws, &sizes)?;
    let rows = interactions(&sizes);
    let mut out = BufWriter::new(File::create(raws.join("generated_interaction.jsonl"))?);
    for &(time, user, item) in &rows {
        let rating = 1 + (user ^ item) % 5;
        writeln!(
            out,
            "{{\"user_id\":{user},\"item_id\":\"i{item}\",\"timestamp\":{time},\"behavior_features\":{{\"rating\":{rating}}}}}"
        )?;
    }
    out.flush()?;
    println!("wrote {} interactions, {} users, {} items to {}", rows.len(), sizes.users, sizes.items, raws.display());
    Ok(())
}

fn write_users(raws: &Path, sizes: &Sizes) -> Result<()> {
    let mut out = BufWriter::new(File::create(raws.join("generated_user_feature.jsonl"))?);
    for user in 0..sizes.users {
        let group = user % GROUPS;
        writeln!(out, "{{\"user_id\":{user},\"user_description\":{{\"group\":{group}}},\"user_features\":{{}}}}")?;
    }
    out.flush()
}

fn write_items(raws: &Path, sizes: &Sizes) -> Result<()> {
    const WORDS: [&str; 12] = [
        "river", "night", "stone", "garden", "letter", "winter", "mirror", "harbour", "engine", "island", "signal",
        "road",
    ];
    let mut out = BufWriter::new(File::create(raws.join("generated_item_feature.jsonl"))?);
    for item in 0..sizes.items {
        let mut rng = Streams::new(1, 0).derive(Purpose::Scenes, u64::from(item), 2);
        let (first, second) = (WORDS[below(&mut rng, 12) as usize], WORDS[below(&mut rng, 12) as usize]);
        let (year, genre) = (1960 + below(&mut rng, 55), item % GROUPS);
        writeln!(
            out,
            "{{\"item_id\":\"i{item}\",\"item_description\":{{\"title\":\"The {first} of the {second} {item}\",\"year\":{year},\
             \"genre\":\"genre{genre}\"}},\"item_features\":{{\"year\":{year}}}}}"
        )?;
    }
    out.flush()
}

/// `(time, user, item)` by time; no user takes an item twice.
fn interactions(sizes: &Sizes) -> Vec<(i64, u32, u32)> {
    let activity: Vec<f64> = (0..sizes.users).map(|user| 1.0 / f64::from(user + 1).sqrt()).collect();
    let total: f64 = activity.iter().sum();
    let popularity = |ranks: u32| -> Vec<f64> {
        let weights = (0..ranks).map(|rank| libm::pow(f64::from(rank + 10), -0.9));
        weights
            .scan(0.0, |sum, weight| {
                *sum += weight;
                Some(*sum)
            })
            .collect()
    };
    let (all, own) = (popularity(sizes.items), popularity(sizes.items / GROUPS));
    let mut rows = Vec::with_capacity(sizes.interactions as usize);
    for user in 0..sizes.users {
        let mut rng = Streams::new(1, 0).derive(Purpose::Scenes, u64::from(user), 1);
        let wanted = activity[user as usize] / total * sizes.interactions as f64;
        let wanted = (wanted.round() as usize).clamp(5, sizes.items as usize / 8);
        let mut taken = HashSet::with_capacity(wanted);
        let mut time = START + (unit(&mut rng) * 4.0 * YEAR as f64) as i64;
        while taken.len() < wanted {
            let rank =
                |sums: &[f64], share: f64| sums.partition_point(|&sum| sum < share * sums[sums.len() - 1]) as u32;
            let item = match below(&mut rng, 12) {
                0 => below(&mut rng, sizes.items),
                1..=4 => rank(&all, unit(&mut rng)),
                _ => rank(&own, unit(&mut rng)) * GROUPS + user % GROUPS,
            };
            if taken.insert(item) {
                time += 1 + (-libm::log(1.0 - unit(&mut rng)) * YEAR as f64 / wanted as f64) as i64;
                rows.push((time, user, item));
            }
        }
    }
    rows.sort_unstable();
    rows
}

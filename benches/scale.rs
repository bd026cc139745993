//! How time and memory grow with users, items and interactions, and what the largest runs take.
//!
//! ```text
//! cargo bench --bench scale                 # up to a million of each; a few minutes
//! cargo bench --bench scale -- --largest    # up to 10 million users, a million items, 100 million interactions; 20 GiB
//! ```
//!
//! The log is generated: 100 interactions a user of the log, popular items more often. Every cell is a process of its own, so that
//! the peak of its memory is its own; all users come at every step, and events are counted. Behind each axis stands
//! the slope of the logarithm of seconds against that of the size: 1 is in proportion, 0 no growth.

use recmirror::Registry;
use recmirror::dataset::{Column, Dataset, Field, Fields, IdTable, Interaction};
use recmirror::experiment::Experiment;
use recmirror::ids::{ItemId, LogUserId};
use recmirror::log::CountSink;
use recmirror::random::{Purpose, Streams, below};
use recmirror::scenario::Scenario;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

type Failed = Box<dyn Error>;

/// Interactions of a user of the log.
const HISTORY: usize = 100;

/// The measurements of a process.
#[derive(Clone, Copy)]
struct Cell {
    user: &'static str,
    policy: &'static str,
    users: u32,
    items: u32,
    interactions: usize,
    steps: u32,
}

const BASE: Cell =
    Cell { user: "parametric", policy: "random", users: 10_000, items: 1_000, interactions: 100_000, steps: 10 };

/// Cells of which one size grows.
struct Axis {
    name: &'static str,
    size: fn(&Cell) -> f64,
    cells: Vec<Cell>,
}

fn axes(largest: bool) -> Vec<Axis> {
    let sizes =
        |from: u32, to: u32| (0..).map(move |power| from * 10u32.pow(power)).take_while(move |&size| size <= to);
    let most = |small: u32, large: u32| if largest { large } else { small };
    let users = |user, to| sizes(10_000, to).map(move |users| Cell { user, users, ..BASE }).collect::<Vec<_>>();
    let mut mirrored = users("mirror", most(100_000, 1_000_000));
    mirrored.extend(largest.then_some(Cell { user: "mirror", users: 2_000_000, ..BASE }));
    let items = |policy, to| sizes(1_000, to).map(move |items| Cell { policy, items, users: 1_000, ..BASE }).collect();
    let interactions = |policy, to| {
        let cell = move |interactions: u32| Cell { policy, interactions: interactions as usize, items: 10_000, ..BASE };
        sizes(100_000, to).map(cell).collect()
    };
    let axis = |name, size, cells| Axis { name, size, cells };
    vec![
        axis("parametric users", |cell| f64::from(cell.users), users("parametric", most(1_000_000, 10_000_000))),
        axis("mirrored users", |cell| f64::from(cell.users), mirrored),
        axis("items, random", |cell| f64::from(cell.items), items("random", 1_000_000)),
        axis("items, popular", |cell| f64::from(cell.items), items("popular", 1_000_000)),
        axis("items, ials", |cell| f64::from(cell.items), items("ials", most(100_000, 1_000_000))),
        axis("items, item_knn", |cell| f64::from(cell.items), items("item_knn", most(100_000, 1_000_000))),
        axis(
            "interactions, popular",
            |cell| cell.interactions as f64,
            interactions("popular", most(1_000_000, 100_000_000)),
        ),
        axis("interactions, ials", |cell| cell.interactions as f64, interactions("ials", most(1_000_000, 10_000_000))),
    ]
}

fn data(cell: &Cell) -> Dataset {
    let mut rng = Streams::new(1, 0).derive(Purpose::Scenes, 0, 0);
    let (mut users, mut items) = (IdTable::default(), IdTable::default());
    let genres: Vec<String> = (0..19).map(|genre| format!("genre {genre}")).collect();
    let mut of_items = Vec::with_capacity(cell.items as usize);
    for item in 0..cell.items {
        items.insert(&item.to_string());
        of_items.push([0; 2].map(|_| genres[below(&mut rng, 19) as usize].as_str()));
    }
    let mut interactions = Vec::with_capacity(cell.interactions);
    for user in 0..(cell.interactions / HISTORY) as u32 {
        users.insert(&user.to_string());
        for time in 0..HISTORY as i64 {
            // The product of two uniform numbers: popular items are found at small ids.
            let place = u64::from(below(&mut rng, cell.items)) * u64::from(below(&mut rng, cell.items));
            let item = ItemId((place / u64::from(cell.items)) as u32);
            let rating = (1 + below(&mut rng, 5)) as f32;
            interactions.push(Interaction { user: LogUserId(user), item, rating, time });
        }
    }
    let field = |name: &str, column| Field { name: name.to_owned(), column };
    let item_fields = Fields::new(vec![
        field("year", Column::Number((0..cell.items).map(|item| (1930 + item % 68) as f32).collect())),
        field("genres", Column::of_names(of_items)),
    ]);
    let people = users.len() as u32;
    let user_fields = Fields::new(vec![
        field("age", Column::Number((0..people).map(|user| 15.0 + (user % 50) as f32).collect())),
        field("gender", Column::of_names((0..people as usize).map(|user| [["F", "M"][user % 2]]))),
        field("occupation", Column::of_names((0..people).map(|user| [format!("occupation {}", user % 21)]))),
    ]);
    let (name, released) = ("generated".to_owned(), Some("year".to_owned()));
    Dataset { name, users, items, user_fields, item_fields, released, interactions, ..Dataset::default() }
}

fn experiment(cell: &Cell) -> Result<Experiment, Failed> {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mirror");
    let path = if cell.user == "mirror" { format!("path = {model:?}\n") } else { String::new() };
    let text = format!(
        "ticks = 100000\nslate = 10\n[data]\npath = \".\"\n[population]\nusers = {}\n[arrival]\nprobability = 1.0\n\
         rate = \"uniform\"\n[session]\nslates = 10000\npatience = 0\n[engine]\nmemory_mb = 1000000\n[user]\nkind = {:?}\n{path}\
         [[policy]]\nkind = {:?}\n",
        cell.users, cell.user, cell.policy
    );
    let scenario = Scenario::parse(&text, Path::new("scale.toml"), &Registry::builtin(), &[])?;
    Ok(Experiment::with_data(scenario, data(cell), Registry::builtin())?)
}

/// The peak of this process's memory in GiB; NaN where the system does not say it.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or(f64::NAN) / f64::from(1 << 20)
}

/// Seconds to prepare (the data included), to fit, and of a step.
#[expect(clippy::disallowed_methods, reason = "a bench measures wall-clock time")]
fn measure(cell: &Cell) -> Result<[f64; 4], Failed> {
    let mut before = Instant::now();
    let mut lap = || std::mem::replace(&mut before, Instant::now()).elapsed().as_secs_f64();
    let experiment = experiment(cell)?;
    let population = experiment.users(0)?;
    let prepared = lap();
    let mut trial = experiment.trial(&experiment.scenario.policies[0], 0, &population, CountSink::default())?;
    let fitted = lap();
    for _ in 0..cell.steps {
        trial.tick()?;
    }
    Ok([prepared, fitted, lap() / f64::from(cell.steps), peak()])
}

/// Measures in a process of its own.
fn apart(axis: usize, cell: usize, largest: bool) -> Result<[f64; 4], Failed> {
    let mut command = std::process::Command::new(std::env::current_exe()?);
    command.args(["--cell", &axis.to_string(), &cell.to_string()]);
    if largest {
        command.arg("--largest");
    }
    let output = command.output()?;
    let text = String::from_utf8(output.stdout)?;
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    numbers.try_into().map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned().into())
}

fn table(axis: usize, Axis { name, size, cells }: &Axis, largest: bool) {
    println!(
        "\n| {name} | users | items | interactions | prepare, s | fit, s | step, s | user-steps a second | peak, GiB |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut found = Vec::new();
    for (place, cell) in cells.iter().enumerate() {
        let row = format!("| {} | {} | {} | {}", cell.policy, cell.users, cell.items, cell.interactions);
        match apart(axis, place, largest) {
            Ok([prepared, fitted, step, peak]) => {
                let speed = f64::from(cell.users) / step;
                println!("{row} | {prepared:.2} | {fitted:.3} | {step:.4} | {speed:.0} | {peak:.2} |");
                found.push((libm::log(size(cell)), [prepared, fitted, step].map(libm::log)));
            }
            Err(problem) => println!("{row} | {} | | | | |", problem.to_string().trim().replace('\n', " ")),
        }
    }
    if let [.., before, last] = found.as_slice() {
        let slope = |which: usize| (last.1[which] - before.1[which]) / (last.0 - before.0);
        println!("\nslopes of the last two: prepare {:.2}, fit {:.2}, step {:.2}", slope(0), slope(1), slope(2));
    }
}

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().collect();
    let largest = arguments.iter().any(|argument| argument == "--largest");
    let axes = axes(largest);
    if let Some(at) = arguments.iter().position(|argument| argument == "--cell") {
        let number = |place: usize| arguments.get(at + place).and_then(|word| word.parse::<usize>().ok());
        let cell = number(1).zip(number(2)).and_then(|(axis, cell)| axes.get(axis)?.cells.get(cell));
        let [prepared, fitted, step, peak] = measure(cell.ok_or("--cell AXIS CELL")?)?;
        println!("{prepared} {fitted} {step} {peak}");
        return Ok(());
    }
    // `cargo bench` names the bench; `cargo test` must not start it.
    if arguments.iter().any(|argument| argument == "--bench") {
        axes.iter().enumerate().for_each(|(place, axis)| table(place, axis, largest));
    }
    Ok(())
}

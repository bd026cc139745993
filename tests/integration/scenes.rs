//! `scenes`: what it makes of small logs, on which it does not depend, and what it says of wrong files.

mod audit;
mod faults;

use crate::util::{Answer, has_data_and_runtime, names_in, package, place, read, recmirror, write};
use recmirror::pipeline::SceneRecord;
use recmirror::random::{Purpose, Streams, below, shuffle};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

const TEMPLATE: &str =
    "profile = \"{{ user.job }}\"\nitem = \"{{ item.title }}\"\nhistory = \"{{ item.title }}|{{ behavior.rating }}\"\n";
const DAY: i64 = 86_400;

/// A log in memory: users 1.., items `i0`.., each row `(user, item, time, behaviour)`.
#[derive(Clone)]
struct Raws {
    users: usize,
    items: usize,
    rows: Vec<(usize, usize, Option<i64>, Value)>,
}

impl Raws {
    /// Users with 8 to 32 interactions, some at one moment; items come out on days 0 to 99, the log lasts 400 days.
    fn new() -> Raws {
        let (users, items) = (70, 120);
        let mut rows = Vec::new();
        for user in 1..=users {
            let mut rng = Streams::new(6, 0).derive(Purpose::Scenes, user as u64, 0);
            let mut order: Vec<usize> = (0..items).collect();
            shuffle(&mut rng, &mut order);
            let mut time = i64::from(below(&mut rng, 300)) * DAY + 40 * DAY;
            for item in order.into_iter().take(8 + below(&mut rng, 25) as usize) {
                time += i64::from(below(&mut rng, 3)) * DAY;
                rows.push((user, item, Some(time), json!({ "rating": 1 + below(&mut rng, 5) })));
            }
        }
        Raws { users, items, rows }
    }

    fn item(number: usize) -> Value {
        let kind = ["river", "night", "stone", "garden"][number % 4];
        json!({
            "item_id": format!("i{number}"), "item_description": { "title": format!("{kind} saga{} t{number}", number / 6) },
            "item_features": { "time": (number % 100) as i64 * DAY },
        })
    }

    fn lines(&self) -> [Vec<String>; 3] {
        let user = |user: usize| json!({ "user_id": user, "user_description": { "job": format!("job {user}") } });
        let row = |row: &(usize, usize, Option<i64>, Value)| {
            let (user, item, time, behavior) = row;
            json!({ "user_id": user, "item_id": format!("i{item}"), "timestamp": time, "behavior_features": behavior })
        };
        [
            (1..=self.users).map(|of| user(of).to_string()).collect(),
            (0..self.items).map(|of| Raws::item(of).to_string()).collect(),
            self.rows.iter().map(|of| row(of).to_string()).collect(),
        ]
    }

    fn write(&self, project: &Path, name: &str) {
        write_lines(project, name, &self.lines());
    }
}

fn write_lines(project: &Path, name: &str, lines: &[Vec<String>; 3]) {
    for (kind, lines) in ["user_feature", "item_feature", "interaction"].iter().zip(lines) {
        write(&project.join("raws").join(format!("{name}_{kind}.jsonl")), lines.join("\n") + "\n");
    }
    write(&project.join("raws").join(format!("{name}_template.toml")), TEMPLATE);
}

fn scenes(project: &Path, names: &str, more: &[&str]) -> Answer {
    let root = project.to_string_lossy().into_owned();
    let mut arguments = vec!["scenes", "--project", &root, "--datasets", names, "--quiet"];
    arguments.extend_from_slice(more);
    recmirror(&arguments)
}

fn records(project: &Path, file: &str) -> Vec<SceneRecord> {
    let text = read(&project.join("datasets").join(file));
    text.lines().map(|line| serde_json::from_str(line).expect("a scene")).collect()
}

/// The number of an item from its text `kind sagaNUMBER tNUMBER`.
fn number(text: &str) -> usize {
    text.split('t').next_back().expect("a number").split('|').next().expect("a number").parse().expect("a number")
}

fn number_of_id(scene: &SceneRecord) -> usize {
    scene.item_id.to_string()[1..].parse().expect("a number")
}

fn user(scene: &SceneRecord) -> usize {
    scene.user_id.to_string().parse().expect("a number")
}

#[test]
fn scenes_have_the_past_and_a_list_of_available_items() {
    let (folder, raws) = (place(), Raws::new());
    raws.write(folder.path(), "x");
    for builder in ["reference", "random", "popularity-matched", "anchored", "history-similar"] {
        let more = ["--train", "150", "--eval", "60", "--lists", builder, "--train-lists", "2-8"];
        scenes(folder.path(), "x", &more).expect(0);
        let (train, eval) = (records(folder.path(), "x_train.jsonl"), records(folder.path(), "x_eval.jsonl"));
        assert_eq!((train.len(), eval.len()), (150, 60), "{builder}");
        let latest = train.iter().map(|scene| scene.timestamp).max();
        assert!(latest < eval.iter().map(|scene| scene.timestamp).min(), "{builder}: disjoint by time");
        assert!(eval.iter().all(|scene| scene.choice_cnt == 5));
        let lengths: BTreeSet<usize> = train.iter().map(|scene| scene.choice_cnt).collect();
        assert_eq!(lengths, (2..=8).collect());
        let mut memories = BTreeSet::new();
        for scene in train.iter().chain(&eval) {
            assert_eq!(scene.fault(), None);
            assert_eq!((scene.dataset.as_str(), scene.builder.as_deref()), ("x", Some(builder)));
            memories.insert(check_scene(scene, &raws));
        }
        assert_eq!(memories, (2..=10).collect(), "{builder}");
        // The real item is at every place, the last included, about equally often.
        let last = train.iter().chain(&eval).filter(|scene| scene.item_pos + 1 == scene.choice_cnt).count();
        let expected: f64 = train.iter().chain(&eval).map(|scene| 1.0 / scene.choice_cnt as f64).sum();
        assert!((last as f64 - expected).abs() < 3.5 * expected.sqrt(), "{builder}: {last} of {expected}");
    }
    assert_eq!(names_in(folder.path()), ["datasets", "raws"], "no scratch file stays");
}

/// Checks one scene against the log; gives the length of its memory.
fn check_scene(scene: &SceneRecord, raws: &Raws) -> usize {
    let now = scene.timestamp.expect("a time").0 / 1_000;
    let shown: Vec<usize> = scene.text.action_list.iter().map(|text| number(text)).collect();
    assert_eq!(shown[scene.item_pos], number_of_id(scene));
    assert_eq!(shown.iter().collect::<HashSet<_>>().len(), shown.len(), "no item twice");
    let mine = || raws.rows.iter().filter(|row| row.0 == user(scene));
    let taken: HashSet<usize> = mine().filter(|row| row.2 <= Some(now)).map(|row| row.1).collect();
    for (slot, item) in shown.iter().enumerate() {
        assert!(slot == scene.item_pos || !taken.contains(item), "a negative that the user had taken");
        assert!((item % 100) as i64 * DAY <= now, "released later, the real item too");
    }
    let history: Vec<usize> = scene.text.history.lines().map(number).collect();
    let before: Vec<i64> = history
        .iter()
        .map(|item| mine().find(|row| row.1 == *item).and_then(|row| row.2).expect("a row of the user"))
        .collect();
    assert!(before.is_sorted() && before.iter().all(|&time| time < now), "the past in order, nothing of the moment");
    assert!(mine().filter(|row| row.2 < Some(now)).count() >= 3, "three earlier ones");
    assert!(!history.contains(&number_of_id(scene)));
    assert_eq!(scene.text.profile, format!("job {}", user(scene)));
    let earlier = mine().filter(|row| row.2 < Some(now)).map(|row| row.1);
    let missed = earlier.filter(|item| !history.contains(item)).map(|item| mine().find(|row| row.1 == item));
    let latest_missed = missed.flatten().filter_map(|row| row.2).max();
    assert!(latest_missed <= before.first().copied(), "the last things that the user did");
    history.len()
}

#[test]
fn neither_the_order_of_files_nor_threads_change_a_byte() {
    let (folder, mut raws) = (place(), Raws::new());
    // Half of the rows come again at the same time with another rating.
    let again: Vec<_> = raws.rows.iter().step_by(2).cloned().collect();
    for (user, item, time, behavior) in again {
        let other = 1 + behavior["rating"].as_u64().expect("a rating") % 5;
        raws.rows.push((user, item, time, json!({ "rating": other })));
    }
    let mut lines = raws.lines();
    write_lines(folder.path(), "x", &lines);
    let options =
        ["--train", "80", "--eval", "30", "--lists", "reference,anchored,popularity-matched", "--reject-share", "0.2"];
    let made = |threads: &str, seed: &str| {
        let more: Vec<&str> = options.iter().copied().chain(["--threads", threads, "--seed", seed]).collect();
        scenes(folder.path(), "x", &more).expect(0);
        let files = ["x_train.jsonl", "x_eval.jsonl", "x_audit.json"];
        let [train, eval, audit] = files.map(|file| read(&folder.path().join("datasets").join(file)));
        let mut audit: Value = serde_json::from_str(&audit).expect("an audit");
        // Where something was dropped first is recognised by its line.
        audit["counts"]["dropped"].take();
        (train, eval, audit)
    };
    let first = made("1", "1");
    assert!(first == made("2", "1"), "threads");
    let mut rng = Streams::new(8, 0).derive(Purpose::Scenes, 0, 0);
    lines.iter_mut().for_each(|lines| shuffle(&mut rng, lines));
    write_lines(folder.path(), "x", &lines);
    assert!(first == made("2", "1"), "order");
    assert!(first.0 != made("2", "2").0, "seed");
}

#[test]
fn nothing_that_happens_later_changes_a_scene() {
    let (folder, raws) = (place(), Raws::new());
    let options =
        ["--train", "4000", "--eval", "1", "--lists", "reference,anchored,popularity-matched,history-similar"];
    let made = |raws: &Raws| -> BTreeMap<(usize, usize), SceneRecord> {
        raws.write(folder.path(), "x");
        scenes(folder.path(), "x", &options).expect(0);
        let all = records(folder.path(), "x_train.jsonl");
        all.into_iter().map(|scene| ((user(&scene), number_of_id(&scene)), scene)).collect()
    };
    let before = made(&raws);
    let mut times: Vec<i64> = before.values().map(|scene| scene.timestamp.expect("a time").0 / 1_000).collect();
    times.sort_unstable();
    let moment = times[times.len() / 2];
    // From `moment` on everybody takes what they took later first: the same rows, other items at other times.
    let mut changed = raws.clone();
    for user in 1..=raws.users {
        let late: Vec<usize> =
            (0..raws.rows.len()).filter(|&row| raws.rows[row].0 == user && raws.rows[row].2 >= Some(moment)).collect();
        for (&to, &from) in late.iter().zip(late.iter().rev()) {
            changed.rows[to].1 = raws.rows[from].1;
        }
    }
    let after = made(&changed);
    let early = |scenes: &BTreeMap<(usize, usize), SceneRecord>| -> BTreeMap<(usize, usize), SceneRecord> {
        let early = |scene: &SceneRecord| scene.timestamp.expect("a time").0 / 1_000 < moment;
        scenes.iter().filter(|(_, scene)| early(scene)).map(|(key, scene)| (*key, scene.clone())).collect()
    };
    assert!(early(&before).len() > 100);
    assert_eq!(early(&before), early(&after));
    assert_ne!(before, after);
}

#[test]
fn every_data_set_named_is_processed() {
    let (folder, raws) = (place(), Raws::new());
    ["a", "b", "c"].iter().for_each(|name| raws.write(folder.path(), name));
    let answer = scenes(folder.path(), "b,a,c", &["--train", "20", "--eval", "10"]).expect(0);
    for name in ["a", "b", "c"] {
        assert_eq!(records(folder.path(), &format!("{name}_train.jsonl")).len(), 20);
        assert!(answer.stdout.contains(&format!("{name}: lists reference:1, content tfidf")));
    }
    // The name is part of the draws: equal rows of another data set are other scenes.
    assert_ne!(
        read(&folder.path().join("datasets/a_train.jsonl")),
        read(&folder.path().join("datasets/b_train.jsonl"))
    );
}

#[test]
fn a_data_set_without_scenes_does_not_keep_the_others_from_theirs() {
    let (folder, raws) = (place(), Raws::new());
    let mut flat = raws.clone();
    // Everybody but three has one time for all.
    flat.rows.iter_mut().filter(|row| row.0 > 3).for_each(|row| row.2 = Some(40 * DAY));
    ["a", "c"].iter().for_each(|name| raws.write(folder.path(), name));
    flat.write(folder.path(), "b");
    let answer = scenes(folder.path(), "a,b,gone,c", &["--train", "20", "--eval", "10"]).expect(2);
    for name in ["a", "c"] {
        assert_eq!(records(folder.path(), &format!("{name}_train.jsonl")).len(), 20);
        assert!(answer.stdout.contains(&format!("{name}: lists reference:1")), "{}", answer.stdout);
    }
    assert!(!answer.stderr.contains("move --eval-from"), "another cause: {}", answer.stderr);
    answer.says(&[
        "no scenes of 2 of 4 data sets",
        "b: ",
        "b_interaction.jsonl: no interaction ",
        "67 of 70 users have all their interactions at one moment",
        "gone: ",
    ]);
    assert!(!folder.path().join("datasets/b_train.jsonl").exists());
}

#[test]
fn lists_of_the_log_are_unchanged() {
    let (folder, mut raws) = (place(), Raws::new());
    for (line, row) in raws.rows.iter_mut().enumerate() {
        let other = (row.1 + 1 + line % 50) % 120;
        let shown = [other, row.1, (other + 1) % 120].map(|item| format!("i{item}"));
        row.3 = match line % 40 {
            1 => json!({ "impression_list": shown, "item_pos": 2 }),
            2 => json!({ "impression_list": ["i1", "gone", "i2"], "item_pos": 0 }),
            3 => json!({ "impression_list": [shown[0], shown[1], shown[0]], "item_pos": 1 }),
            4 => json!({ "rating": 3 }),
            _ => json!({ "impression_list": shown, "item_pos": 1 }),
        };
    }
    // Rows of which the real item is beside itself are of no use here.
    raws.rows.retain(|row| row.3["impression_list"].as_array().is_none_or(|shown| shown[2] != format!("i{}", row.1)));
    raws.write(folder.path(), "x");
    let answer = scenes(folder.path(), "x", &["--train", "500", "--eval", "20"]).expect(0);
    for reason in [
        "a row whose `item_pos` is not the place of its item in `impression_list` (first: ",
        "a row that shows an item without a row (first: ",
        "a row that shows an item twice (first: ",
    ] {
        assert!(answer.stdout.contains(reason), "{reason} in {}", answer.stdout);
    }
    let train = records(folder.path(), "x_train.jsonl");
    let (shown, sampled): (Vec<_>, Vec<_>) =
        train.iter().partition(|scene| scene.builder.as_deref() == Some("impression"));
    assert!(shown.len() > 100 && !sampled.is_empty());
    assert!(sampled.iter().all(|scene| scene.builder.as_deref() == Some("reference")));
    for scene in shown {
        let items: Vec<usize> = scene.text.action_list.iter().map(|text| number(text)).collect();
        assert_eq!((items.len(), scene.item_pos, items[1]), (3, 1, number_of_id(scene)));
        assert_eq!(items[2], (items[0] + 1) % 120);
    }
    scenes(folder.path(), "x", &["--train", "50", "--eval", "20", "--reject-share", "0.5"]).expect(0);
    let train = records(folder.path(), "x_train.jsonl");
    let shown = || train.iter().filter(|scene| scene.builder.as_deref() == Some("impression"));
    let (without, with): (Vec<_>, Vec<_>) = shown().partition(|scene| scene.item_pos == scene.choice_cnt);
    let lengths =
        |scenes: &[&SceneRecord]| -> BTreeSet<usize> { scenes.iter().map(|scene| scene.choice_cnt).collect() };
    assert!(without.len() > 20 && lengths(&without) == lengths(&with), "{} {:?}", without.len(), lengths(&without));
    for scene in without {
        let items: Vec<usize> = scene.text.action_list.iter().map(|text| number(text)).collect();
        let now = scene.timestamp.expect("a time").0 / 1_000;
        let mine = raws.rows.iter().filter(|row| row.0 == user(scene) && row.2 <= Some(now));
        assert!(mine.map(|row| row.1).all(|item| items[1] != item), "what takes its slot is new to the user");
        assert!((items[1] % 100) as i64 * DAY <= now && items[1] != items[0] && items[1] != items[2]);
    }
}

#[test]
fn lists_that_no_scene_can_show_are_never_drawn() {
    let (folder, mut raws) = (place(), Raws::new());
    for (line, row) in raws.rows.iter_mut().enumerate() {
        let length = if line % 10 == 0 { 3 } else { [1, 27][line % 2] };
        let shown: Vec<String> = (0..length).map(|step| format!("i{}", (row.1 + step) % 120)).collect();
        row.3 = json!({ "impression_list": shown, "item_pos": 0 });
    }
    raws.write(folder.path(), "x");
    let answer = scenes(folder.path(), "x", &["--train", "60", "--eval", "5"]).expect(0);
    assert_eq!(records(folder.path(), "x_train.jsonl").len(), 60);
    for reason in ["a row that shows fewer than two items", "a row that shows more items than there are option labels"]
    {
        assert!(answer.stdout.contains(reason), "{reason} in {}", answer.stdout);
    }
    assert!(!answer.stdout.contains("wanted"), "{}", answer.stdout);
    let answer = scenes(folder.path(), "x", &["--train", "4000", "--eval", "5"]).expect(0);
    let made = records(folder.path(), "x_train.jsonl").len();
    assert!(answer.stdout.contains(&format!(" {made} of 4000 wanted train scenes")), "{}", answer.stdout);
}

#[test]
fn scenes_without_the_real_item_are_not_betrayed_by_the_offer_of_none() {
    let (folder, raws) = (place(), Raws::new());
    raws.write(folder.path(), "x");
    let more = ["--train", "120", "--eval", "40", "--reject-share", "0.25", "--lists", "reference,anchored,random"];
    scenes(folder.path(), "x", &more).expect(0);
    for (file, with, without) in [("x_train.jsonl", 120, 40), ("x_eval.jsonl", 40, 13)] {
        let all = records(folder.path(), file);
        assert!(all.iter().all(|scene| scene.offers_none), "offered in every scene");
        let rejects: Vec<_> = all.iter().filter(|scene| scene.item_pos == scene.choice_cnt).collect();
        assert_eq!((all.len() - rejects.len(), rejects.len()), (with, without));
        for scene in &rejects {
            let shown = scene.text.action_list.iter().map(|text| number(text));
            assert!(shown.into_iter().all(|item| item != number_of_id(scene)));
        }
        // The lengths of the lists do not say either: four standard errors of lengths that are uniform from 2 to 12.
        let mean = |scenes: &[&SceneRecord]| {
            scenes.iter().map(|scene| scene.choice_cnt).sum::<usize>() as f64 / scenes.len() as f64
        };
        let others: Vec<_> = all.iter().filter(|scene| scene.item_pos < scene.choice_cnt).collect();
        let error = if file == "x_eval.jsonl" { 0.0 } else { 10f64.sqrt() * (1.0 / 120.0 + 1.0f64 / 40.0).sqrt() };
        let gap = (mean(&rejects) - mean(&others)).abs();
        assert!(gap <= 4.0 * error, "{file}: {gap}");
    }
    scenes(folder.path(), "x", &["--train", "20", "--eval", "20"]).expect(0);
    assert!(records(folder.path(), "x_train.jsonl").iter().all(|scene| !scene.offers_none));
}

#[test]
fn a_log_without_times_is_divided_by_place_in_the_sequence() {
    let (folder, mut raws) = (place(), Raws::new());
    raws.rows.iter_mut().for_each(|row| row.2 = None);
    raws.write(folder.path(), "x");
    scenes(folder.path(), "x", &["--train", "300", "--eval", "60", "--eval-from", "0.7"]).expect(0);
    let place_of = |scene: &SceneRecord| {
        let mine: Vec<usize> = raws.rows.iter().filter(|row| row.0 == user(scene)).map(|row| row.1).collect();
        let place = mine.iter().position(|&item| item == number_of_id(scene)).expect("a row");
        let history: Vec<usize> = scene.text.history.lines().map(number).collect();
        assert_eq!(history, mine[place - history.len()..place]);
        place as f64 / mine.len() as f64
    };
    let (train, eval) = (records(folder.path(), "x_train.jsonl"), records(folder.path(), "x_eval.jsonl"));
    assert!(train.iter().chain(&eval).all(|scene| scene.timestamp.is_none()));
    let latest = train.iter().map(place_of).fold(0.0, f64::max);
    let earliest = eval.iter().map(place_of).fold(1.0, f64::min);
    assert!(latest < earliest, "{latest} {earliest}");
}

#[test]
fn a_dry_run_counts_and_writes_nothing() {
    let (folder, raws) = (place(), Raws::new());
    raws.write(folder.path(), "x");
    let answer = scenes(folder.path(), "x", &["--dry-run"]).expect(0);
    assert!(answer.stdout.contains("would write") && answer.stdout.contains("eligible for train"), "{}", answer.stdout);
    assert_eq!(names_in(folder.path()), ["raws"]);
}

//! `recmirror validate` on small logs with exposures of which everything is known, and the order of slates for all user models.

use crate::language_user::model as language_model;
use crate::util::{Log, Rating, has_runtime, names_in, place, read, recmirror, text, write};
use recmirror::dataset::Dataset;
use recmirror::environment::Environment;
use recmirror::experiment::Experiment;
use recmirror::ids::ItemId;
use recmirror::policy::Slates;
use recmirror::random::{Purpose, Streams, below, unit};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

const PEOPLE: usize = 60;
const FILMS: usize = 40;

/// A log, and random lists of five films: those of the own group are taken by most who see them, the others by few.
struct Shop {
    folder: TempDir,
    log: Log,
}

impl Shop {
    fn new() -> Shop {
        let (folder, log) = (place(), Log::synthetic(PEOPLE, FILMS));
        log.write_recbole(&folder.path().join("shop"));
        Shop { folder, log }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes lists of `length` films; `show` picks a film, the first slots are looked at more.
    fn lists(&self, name: &str, seed: u64, length: usize, show: impl Fn(usize, f64) -> usize) -> PathBuf {
        let mut rows = "user_id,item_id,position,clicked,rating,impression_id,propensity\n".to_owned();
        for list in 0..PEOPLE * 12 {
            let user = list % PEOPLE;
            let mut rng = Streams::new(seed, 0).derive(Purpose::Scenes, list as u64, 0);
            for slot in 0..length {
                let film = show(user, unit(&mut rng));
                let is_own = film % 2 == user % 2;
                let liked = unit(&mut rng) < if is_own { 0.7 } else { 0.1 };
                let taken = liked && unit(&mut rng) < 1.0 / (slot as f64 + 1.0);
                let rating = if liked { 5 } else { 1 + below(&mut rng, 3) };
                let _ = writeln!(
                    rows,
                    "{},{},{},{},{rating},{list},{}",
                    user + 1,
                    film + 1,
                    slot + 1,
                    u8::from(taken),
                    1.0 / FILMS as f64
                );
            }
        }
        let path = self.path(name);
        write(&path, rows);
        path
    }

    fn random(&self, name: &str, length: usize) -> PathBuf {
        self.lists(name, 7, length, |_, share| (share * FILMS as f64) as usize)
    }

    fn validate(&self, exposures: &Path, more: &[&str]) -> crate::util::Answer {
        let data = self.path("shop");
        let fixed = ["validate", "parametric", "--data", text(&data), "--exposures", text(exposures)];
        recmirror(&[&fixed[..], &["--resamples", "100"], more].concat())
    }
}

#[test]
fn a_user_model_is_held_to_lists_that_were_shown() {
    let shop = Shop::new();
    assert!(shop.log.ratings.iter().any(|Rating { rating, .. }| *rating > 3));
    let exposures = shop.random("shown.csv", 5);
    let out = shop.path("found");
    let output = shop.validate(&exposures, &["--out", text(&out), "--best", "2"]).expect(0).stdout;
    for word in ["AUC", "log loss of the base rate", "by popularity in the log", "by slot", "pairs separated", "naive"]
    {
        assert!(output.contains(word), "no `{word}` in: {output}");
    }
    assert_eq!(names_in(&out), ["validate.csv", "validate.html", "validate.json"]);
    let found: serde_json::Value = serde_json::from_str(&read(&out.join("validate.json"))).expect("JSON");
    assert!(found["auc"]["estimate"].as_f64().expect("a number") > 0.6, "{}", found["auc"]);
    assert!(found["loss"]["high"].as_f64() < found["loss_of_base_rate"].as_f64());
    let slots: Vec<f64> = found["examination"]["weights"]
        .as_array()
        .expect("slots")
        .iter()
        .filter_map(serde_json::Value::as_f64)
        .collect();
    assert!((slots[1] - 0.5).abs() < 0.15 && (slots[4] - 0.2).abs() < 0.1, "{slots:?}");
    let json: serde_json::Value =
        serde_json::from_str(&shop.validate(&exposures, &["--json", "--best", "2"]).expect(0).stdout).expect("JSON");
    assert_eq!(json, found, "the same on stdout");
    shop.validate(&exposures, &["--out", text(&out)]).expect(2).says(&["found", "--force"]);
    shop.validate(&exposures, &["--out", text(&out), "--force"]).expect(0);
}

#[test]
fn liking_is_held_to_ratings() {
    let shop = Shop::new();
    let exposures = shop.random("shown.csv", 5);
    let output = shop.validate(&exposures, &["--accept", "like", "--like-at", "4"]).expect(0).stdout;
    assert!(output.contains("rates it 4 or more on 1 to 5"), "{output}");
    shop.validate(&exposures, &["--accept", "like", "--like-at", "9"]).expect(2).says(&["like_at", "from 1 to 5"]);
}

#[test]
fn targets_are_valued_from_logged_propensities() {
    let shop = Shop::new();
    let exposures = shop.random("shown.csv", 1);
    // Films of even numbers alone, whatever the user: half of those who see one belong to its group.
    let even = |_: usize, share: f64| 2 * (share * FILMS as f64 / 2.0) as usize;
    let own_log = shop.lists("even.csv", 8, 1, even);
    let mut table = "item_id,probability\n".to_owned();
    (0..FILMS).step_by(2).for_each(|film| table += &format!("{},{}\n", film + 1, 2.0 / FILMS as f64));
    write(&shop.path("table.csv"), &table);
    let targets = [format!("evens={}", own_log.display()), shop.path("table.csv").display().to_string()];
    let more = ["--target", &targets[0], "--target", &targets[1], "--set", "candidates.rule=repeats", "--json"];
    let found: serde_json::Value =
        serde_json::from_str(&shop.validate(&exposures, &more).expect(0).stdout).expect("JSON");
    let value = |policy: &str, estimator: &str| {
        let rows = found["logged"].as_array().expect("rows");
        let row = rows.iter().find(|row| row["policy"] == policy && row["estimator"] == estimator);
        row.unwrap_or_else(|| panic!("{policy} {estimator}")).clone()
    };
    for (policy, estimators) in [("evens", &["observed", "ips", "snips", "dr"][..]), ("table", &["ips", "snips", "dr"])]
    {
        for estimator in estimators {
            let row = value(policy, estimator);
            let (low, high) = (row["low"].as_f64().expect("an end"), row["high"].as_f64().expect("an end"));
            assert!(low < 0.4 && 0.4 < high && high - low < 0.25, "{row}");
        }
    }
    let verdict = found["verdict"].as_array().expect("sentences");
    assert!(verdict.iter().any(|said| said.as_str().is_some_and(|said| said.contains("of what `evens` showed"))));
}

#[test]
fn exposures_and_targets_that_do_not_fit_say_what_to_do() {
    let shop = Shop::new();
    let exposures = shop.random("shown.csv", 1);
    shop.validate(&shop.path("nowhere.csv"), &[]).expect(2).says(&["nowhere.csv"]);
    let strangers = shop.path("strangers.csv");
    write(&strangers, "user_id,item_id,clicked\nx,y,1\n");
    shop.validate(&strangers, &[]).expect(2).says(&["no row is of a user and an item of the log", "strangers.csv"]);
    shop.validate(&exposures, &["--target", "gone.csv"])
        .expect(2)
        .says(&["gone.csv", "the target's log or its probabilities"]);
    let short = shop.path("short.csv");
    write(&short, "item_id,probability\n1,0.3\n2,0.3\n");
    shop.validate(&exposures, &["--target", text(&short)]).expect(2).says(&["short.csv", "add up to 0.6000"]);
    shop.validate(&exposures, &["--set", "user.examination_weights=log"]).expect(2).says(&["is \"log\"", "position"]);
}

/// The mean probability of accepting something from random slates, and from the reversed slates.
fn accepted(experiment: &Arc<Experiment>) -> [f64; 2] {
    [false, true].map(|turned| {
        let mut environment = Environment::of(experiment.clone(), 0).expect("an environment");
        let mut policy = environment.policy("popular").expect("a policy");
        let mut slates = Slates::default();
        policy.recommend(&environment.observation(), &mut slates).expect("slates");
        if turned {
            slates.items.chunks_mut(4).for_each(<[ItemId]>::reverse);
        }
        let events = environment.step(&slates).expect("a step").events();
        events.probabilities.iter().map(|&share| f64::from(share)).sum::<f64>() / events.len() as f64
    })
}

#[test]
fn the_order_of_a_slate_counts_for_every_user_model_that_looks_by_place() {
    let shop = Shop::new();
    let data = Dataset::read(&shop.path("shop")).expect("a data set");
    let base = || {
        let builder = Environment::builder(&data).slate(4).steps(1).policy("popular", &[]);
        builder.set("arrival.probability", 1).set("arrival.rate", "uniform").set("candidates.rule", "repeats")
    };
    let mut models = vec![vec![("user.kind", "parametric".to_owned()), ("user.position", "0".to_owned())]];
    let mirror = shop.path("mirror");
    let language = language_model("llama");
    if has_runtime() {
        let (data, epochs) = (shop.path("shop"), ["--epochs", "2", "--scenes", "0", "--quiet"]);
        recmirror(&[&["fit", text(&data), "--out", text(&mirror)], &epochs[..]].concat()).expect(0);
        models.push(vec![("user.kind", "mirror".to_owned()), ("user.path", mirror.display().to_string())]);
        let small = [("user.kind", "language"), ("user.history", "6"), ("user.probe", "5"), ("population.users", "12")];
        let mut keys: Vec<_> = small.map(|(key, value)| (key, value.to_owned())).into();
        keys.push(("user.path", language.path().display().to_string()));
        models.push(keys);
    }
    for keys in models {
        for examination in ["none", "position", "cascade"] {
            let builder = keys.iter().fold(base(), |builder, (key, value)| builder.set(key, value));
            let experiment =
                Arc::new(builder.set("user.examination", examination).experiment().expect("an experiment"));
            let [there, back] = accepted(&experiment);
            let context = format!("{:?} {examination}: {there} {back}", keys[0]);
            if examination != "none" {
                assert!((there - back).abs() > 1e-4, "{context}");
            } else if keys[0].1 != "language" {
                // A language model reads the list, and may care for the order itself.
                assert!((there - back).abs() < 1e-6, "{context}");
            }
        }
    }
}

//! `run --trust`: the policies meet again in sensitivity scenarios.

use crate::language_user::model;
use crate::util::{
    csv_rows, digests_of, has_runtime, manifest, names_in, package, read, recmirror, settings, text, with_data, write,
    write_scenario,
};
use recmirror::Registry;
use recmirror::experiment::SensitivityScenario;
use recmirror::scenario::Scenario;
use recmirror::user::Card;
use serde_json::Value;

#[test]
fn policies_run_in_sensitivity_scenarios_and_the_run_is_unchanged() {
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["popular", "random", "item_knn"]);
    let (plain, trusted) = (folder.path().join("plain"), folder.path().join("trusted"));
    recmirror(&["run", text(&scenario), "--out", text(&plain), "--quiet"]).expect(0);
    let sensitivity = "one slate: session.slates=1, arrival.probability=0.9";
    let arguments =
        ["run", text(&scenario), "--out", text(&trusted), "--quiet", "--trust", "--sensitivity", sensitivity];
    let output = recmirror(&arguments).expect(0).stdout;
    for words in ["trust: ", "sensitivity scenarios have exactly the run's order", "one slate"] {
        assert!(output.contains(words), "no `{words}` in {output}");
    }
    assert_eq!(digests_of(&plain), digests_of(&trusted));
    let names: Vec<String> = names_in(&trusted).into_iter().filter(|name| !names_in(&plain).contains(name)).collect();
    assert_eq!(names, ["trust.csv", "trust.json"]);
    let trust: Value = serde_json::from_str(&read(&trusted.join("trust.json"))).expect("JSON");
    let scenarios: Vec<&str> = trust["scenarios"]
        .as_array()
        .expect("scenarios")
        .iter()
        .filter_map(|sensitivity| sensitivity["name"].as_str())
        .collect();
    assert_eq!(
        scenarios,
        [
            "half the acceptance",
            "twice the acceptance",
            "half the temperature",
            "twice the temperature",
            "accepting means liking",
            "slots examined by position",
            "one slate"
        ]
    );
    let means = |sensitivity: &Value| {
        sensitivity["means"].as_array().expect("means").iter().map(|mean| mean.as_f64().expect("a number")).sum::<f64>()
    };
    let sums: Vec<f64> = trust["scenarios"].as_array().expect("scenarios").iter().map(means).collect();
    assert!(sums[0] < means(&trust) && means(&trust) < sums[1], "acceptance follows its level: {sums:?}");
    let claims = trust["claims"].as_array().expect("claims");
    assert_eq!(csv_rows(&trusted.join("trust.csv")).len(), claims.len() * scenarios.len());
    // A run that is there already is asked in the same way.
    let later =
        recmirror(&["compare", text(&plain), "--trust", "--sensitivity", sensitivity, "--quiet"]).expect(0).stdout;
    assert!(output.contains(later.trim()), "{later}");
    assert_eq!(read(&plain.join("trust.json")), read(&trusted.join("trust.json")));
    recmirror(&["compare", text(&plain), text(&trusted), "--trust"]).expect(2).says(&["name one folder"]);
    for run in [&trusted, &plain] {
        let report = read(&run.join("report.html"));
        assert!(
            report.contains("The same policies in sensitivity scenarios") && report.contains("one slate"),
            "{}",
            run.display()
        );
        assert!(report.contains("id=\"life\""), "the events of the run are told, too");
    }
}

#[test]
fn a_run_that_is_there_is_asked_where_its_scenario_was() {
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["popular", "random"]);
    let moved = folder.path().join("scenarios/small.toml");
    write(&moved, read(&scenario).replace("path = 'data'", "path = '../data'"));
    let run = folder.path().join("runs/there/one");
    recmirror(&["run", text(&moved), "--out", text(&run), "--quiet"]).expect(0);
    // Beside the scenario there is a mirror now, which cannot be read.
    write(&folder.path().join("models/mirror/card.toml"), "kind = 3");
    recmirror(&["compare", text(&run), "--trust"])
        .expect(2)
        .says(&["sensitivity scenario `mirrored users`", "card.toml"]);
}

#[test]
fn few_users_run_the_policies_as_language_users_too() {
    if !has_runtime() {
        return;
    }
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["popular", "random"]);
    let moved = folder.path().join("scenarios/small.toml");
    write(&moved, read(&scenario).replace("path = 'data'", "path = '../data'"));
    std::fs::create_dir(folder.path().join("models")).expect("a folder");
    std::fs::rename(model("llama").keep(), folder.path().join("models/lm")).expect("a model");
    let run = folder.path().join("run");
    let arguments = ["run", text(&moved), "--out", text(&run), "--quiet", "--set", "slate=3"];
    recmirror(&[&arguments[..], &["--trust", "--language-users", "4"]].concat()).expect(0);
    let trust: Value = serde_json::from_str(&read(&run.join("trust.json"))).expect("JSON");
    let scenarios = trust["scenarios"].as_array().expect("scenarios");
    let names: Vec<&str> = scenarios.iter().filter_map(|sensitivity| sensitivity["name"].as_str()).collect();
    assert_eq!(names[names.len() - 2..], ["4 users", "4 language users"]);
    let [people, language] = [scenarios.len() - 2, scenarios.len() - 1].map(|place| &scenarios[place]["means"]);
    assert_ne!(people, language, "other users");
    // And nothing but the users is another.
    let registry = Registry::builtin();
    let scenario = Scenario::load(&moved, &registry, &settings(&["ticks=40"])).expect("a scenario");
    let [people, language] = SensitivityScenario::language(4, &scenario, &moved, &registry).expect("scenarios");
    assert_eq!(
        (people.scenario.ticks, people.scenario.population.users.number()),
        (10, Some(4)),
        "for ten ticks at most"
    );
    assert!(language.scenario.user.model.is("language"));
    assert_eq!(language.scenario.user.model.params["graph"].as_str(), Some(""));
    assert_eq!(Scenario { user: people.scenario.user.clone(), ..language.scenario }, people.scenario);
}

#[test]
fn a_run_that_cannot_be_repeated_is_reported() {
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["popular", "random"]);
    let run = folder.path().join("run");
    recmirror(&["run", text(&scenario), "--out", text(&run), "--quiet"]).expect(0);
    let (path, report) = (run.join("manifest.json"), read(&run.join("report.html")));
    write(&path, read(&path).replace(&manifest(&run).digest, "0123"));
    recmirror(&["compare", text(&run), "--trust"]).expect(2).says(&["has the digest", "but its repetition has"]);
    write(&path, read(&path).replace("\"complete\"", "\"interrupted\""));
    recmirror(&["compare", text(&run), "--trust"]).expect(2).says(&["was interrupted"]);
    assert_eq!(read(&run.join("report.html")), report);
    assert!(!run.join("trust.json").exists());
}

#[test]
fn a_run_is_kept_when_a_sensitivity_scenario_fails() {
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["popular", "random"]);
    let run = folder.path().join("run");
    // A folder that is there, with nothing in it.
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).expect("a folder");
    let sensitivity = format!("gone: data.path={}", empty.display());
    let arguments = ["run", text(&scenario), "--out", text(&run), "--trust", "--sensitivity", &sensitivity];
    let answer = recmirror(&arguments).expect(2).says(&["sensitivity scenario `gone`", text(&empty)]);
    assert!(answer.stdout.contains(&manifest(&run).digest), "its tables are printed: {}", answer.stdout);
    assert!(run.join("report.html").is_file());
    let trust = read(&run.join("trust.json"));
    assert!(
        trust.contains("half the acceptance") && !trust.contains("gone"),
        "the sensitivity scenarios are kept, too"
    );
}

#[test]
fn invalid_sensitivity_scenarios_are_reported_before_anything_runs() {
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["popular", "random"]);
    let out = folder.path().join("out");
    let run = |sensitivity: &str| {
        recmirror(&["run", text(&scenario), "--out", text(&out), "--trust", "--sensitivity", sensitivity])
    };
    run("no colon").expect(2).says(&["--sensitivity is `no colon`", "expected a name and changes"]);
    // The option's earlier name.
    let earlier = ["run", text(&scenario), "--out", text(&out), "--trust", "--world", "no colon"];
    recmirror(&earlier).expect(2).says(&["`--world` is now `--sensitivity`", "--sensitivity is `no colon`"]);
    run("odd: user.acceptence=0.2").expect(2).says(&["odd", "user.acceptence", "did you mean"]);
    run("kind: user.kind=mirrors").expect(2).says(&["mirrors"]);
    run("gone: data.path=/no/such")
        .expect(2)
        .says(&["sensitivity scenario `gone`: data.path: there is nothing to use in /no/such"]);
    // The folder of a model that is not made yet.
    let moved = folder.path().join("scenarios/small.toml");
    write(&moved, read(&scenario).replace("path = 'data'", "path = '../data'"));
    write(&folder.path().join("models/lm/README.md"), "to be made");
    let few = ["run", text(&moved), "--out", text(&out), "--trust", "--language-users", "3"];
    recmirror(&few)
        .expect(2)
        .says(&["sensitivity scenario `3 language users`: user.path: there is nothing to use in", "models/lm"]);
    recmirror(&[&few[..6], &["0"]].concat()).expect(2).says(&["--language-users"]);
    assert!(!out.exists());
    recmirror(&["run", text(&scenario), "--out", text(&out), "--sensitivity", "a: ticks=2"])
        .expect(2)
        .says(&["--trust"]);
}

#[test]
fn a_mirror_is_compared_with_those_of_other_samples_of_users() {
    let registry = Registry::builtin();
    let origin = package().join("scenarios/movielens.toml");
    let scenario = Scenario::load(&origin, &registry, &[]).expect("a scenario");
    let own = Card::read(&package().join("models/mirror")).expect("a card");
    let scenarios = SensitivityScenario::usual(&scenario, &origin, &registry).expect("scenarios");
    let mirrors: Vec<_> = scenarios.iter().filter(|sensitivity| sensitivity.name.starts_with("mirror ")).collect();
    assert_eq!(mirrors.len(), 2, "{:?}", scenarios.iter().map(|sensitivity| &sensitivity.name).collect::<Vec<_>>());
    for sensitivity in mirrors {
        assert!(sensitivity.scenario.user.model.is("mirror"), "{}", sensitivity.name);
        let path = sensitivity.scenario.user.model.path().expect("a folder");
        let card = Card::read(path).expect("a card");
        assert_eq!(card.features, own.features);
        assert_ne!(card.files["choice"].sha256, own.files["choice"].sha256, "trained on other people");
    }
}

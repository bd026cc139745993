//! Logs of anything: policies, metrics, dynamics and users read the fields that a scenario names, and where there are none,
//! what needs them says so and nothing is 0 that is undefined.

use crate::util::{dataset, run_on, scenario_text, settings, with_data};
use recmirror::Registry;
use recmirror::dataset::{Column, Dataset, Field, Fields, RatingScale};
use recmirror::experiment::{Experiment, ExperimentError, Manifest, Outcome};
use recmirror::scenario::Scenario;

/// The small log without anything known about users, items and ratings.
fn bare() -> Dataset {
    let folder = with_data();
    let mut data = dataset(&folder.path().join("data"));
    (data.user_fields, data.item_fields) = (Fields::default(), Fields::default());
    (data.title, data.released, data.provider, data.scale) = (None, None, None, None);
    data.interactions.iter_mut().for_each(|row| row.rating = f32::NAN);
    data
}

/// The same with a shop for each item and a price.
fn shops() -> Dataset {
    let data = bare();
    let items = data.items.len();
    let shop = (0..items).map(|item| [["north", "south", "east"][item % 3]]);
    let item_fields = Fields::new(vec![
        Field { name: "price".to_owned(), column: Column::Number((0..items).map(|item| (item % 7) as f32).collect()) },
        Field { name: "shop".to_owned(), column: Column::of_names(shop) },
    ]);
    let region = (0..data.users.len()).map(|user| [["city", "country"][user % 2]]);
    let user_fields = Fields::new(vec![Field { name: "region".to_owned(), column: Column::of_names(region) }]);
    Dataset { item_fields, user_fields, ..data }
}

fn prepare(data: Dataset, policies: &[&str], tables: &str, more: &[&str]) -> Result<Experiment, ExperimentError> {
    let folder = with_data();
    let text = scenario_text(policies) + tables;
    let all = [&["metrics=all"], more].concat();
    let scenario = Scenario::parse(&text, &folder.path().join("small.toml"), &Registry::builtin(), &settings(&all));
    Experiment::with_data(scenario.unwrap_or_else(|problem| panic!("{problem}")), data, Registry::builtin())
}

fn final_of(experiment: &Experiment, outcome: &Outcome, metric: &str) -> Vec<Option<f64>> {
    let place = experiment.scenario.metrics.iter().position(|name| name == metric).expect("a metric");
    outcome.trials.iter().map(|trial| trial.finals[place]).collect()
}

#[test]
fn missing_fields_are_reported_and_undefined_values_are_not_0() {
    let experiment = prepare(bare(), &["random", "popular", "mmr", "calibrated", "linucb"], "", &[]).expect("prepared");
    let outcome = run_on(2, &experiment);
    let failed: Vec<&str> = outcome.failures.iter().map(|failure| failure.policy.as_str()).collect();
    assert_eq!(failed, ["mmr", "calibrated", "linucb"]);
    for failure in &outcome.failures {
        assert!(failure.problem.contains("field"), "{}: {}", failure.policy, failure.problem);
    }
    for metric in ["mean_rating", "reward", "intra_list_diversity", "miscalibration", "provider_coverage"] {
        assert!(final_of(&experiment, &outcome, metric).iter().all(Option::is_none), "{metric}");
    }
    assert!(final_of(&experiment, &outcome, "acceptance_rate").iter().all(Option::is_some));
    let manifest = Manifest::new(&experiment, &outcome);
    assert!(manifest.user.notes.iter().any(|note| note.contains("no field that distinguishes them")));
    assert_eq!((manifest.data.item_field, manifest.data.user_field, manifest.data.scale), (None, None, None));
    let problem = prepare(bare(), &["random"], "\n[[dynamic]]\nkind = 'satiation'\nstrength = 1.0\n", &[]);
    let problem = problem.err().expect("nothing can bore").to_string();
    assert!(problem.contains("data.item_field"), "{problem}");
}

#[test]
fn fields_of_any_name_serve_and_the_manifest_names_them() {
    let tables = "\n[[dynamic]]\nkind = 'satiation'\nstrength = 1.0\n";
    let more = ["data.providers=column", "data.provider_field=shop"];
    let experiment = prepare(shops(), &["random", "mmr", "calibrated", "linucb"], tables, &more).expect("prepared");
    let outcome = run_on(2, &experiment);
    assert!(outcome.failures.is_empty(), "{:?}", outcome.failures.iter().map(|it| &it.problem).collect::<Vec<_>>());
    let defined =
        ["intra_list_diversity", "miscalibration", "provider_coverage", "provider_gini", "acceptance_gap_field"];
    for metric in defined {
        assert!(final_of(&experiment, &outcome, metric).iter().all(Option::is_some), "{metric}");
    }
    let diversity = final_of(&experiment, &outcome, "intra_list_diversity");
    assert!(diversity[2] > diversity[0], "mmr is more diverse in its shops than chance: {diversity:?}");
    let data = Manifest::new(&experiment, &outcome).data;
    assert_eq!((data.item_field.as_deref(), data.user_field.as_deref()), (Some("shop"), Some("region")));
    assert_eq!(data.provider_field.as_deref(), Some("shop"));
    let problem = prepare(shops(), &["random"], "", &["data.item_field=genres"]).err().expect("no such field");
    assert!(problem.to_string().contains("`price` (number), `shop` (categories)"), "{problem}");
    let problem = prepare(shops(), &["random"], "", &["data.user_field=shop"]).err().expect("no such field");
    assert!(problem.to_string().contains("`region` (categories)"), "{problem}");
}

#[test]
fn the_scale_of_ratings_changes_nothing() {
    let folder = with_data();
    let stars = || dataset(&folder.path().join("data"));
    let scaled = |min: f32, max: f32| {
        let (mut data, scale) = (stars(), RatingScale { min, max });
        data.interactions.iter_mut().for_each(|row| row.rating = scale.rating(row.rating));
        data.scale = Some(scale);
        data
    };
    let digests = |data: Dataset| {
        let experiment = prepare(data, &["random", "popular", "item_mean"], "", &[]).expect("prepared");
        crate::util::digests(&run_on(2, &experiment))
    };
    let wanted = digests(stars());
    for (min, max) in [(0.0, 1.0), (-10.0, 10.0), (0.0, 100.0), (1000.0, 5000.0)] {
        assert_eq!(digests(scaled(min, max)), wanted, "{min} to {max}");
    }
}

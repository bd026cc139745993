//! Round trips of scenarios through TOML.

use super::*;
use proptest::prelude::*;

fn again(scenario: &Scenario) -> Scenario {
    let text = to_toml(scenario);
    let back = Scenario::parse(&text, Path::new("/elsewhere/manifest.toml"), &registry(), &[]);
    let back = back.unwrap_or_else(|error| panic!("{error}\n{text}"));
    // Only the folder differs.
    assert_eq!(back.folder, Path::new("/elsewhere"));
    Scenario { folder: scenario.folder.clone(), ..back }
}

#[test]
fn every_key_is_written() {
    for model in ["parametric", "mirror", "language"] {
        let scenario = parse_with(VALID, &[&format!("user.kind={model}")]).unwrap();
        for section in SECTIONS {
            let values = write::values(&scenario, section.name);
            let chosen = section.variants.iter().find(|variant| variant.name == model);
            let wanted = section.keys.iter().chain(chosen.map_or(&[][..], |variant| variant.keys));
            let mut wanted: Vec<&str> = wanted.map(|key| key.name).collect();
            wanted.sort_unstable();
            assert_eq!(values.keys().collect::<Vec<_>>(), wanted, "[{}]", section.name);
        }
    }
}

#[test]
fn the_text_reads_like_a_scenario_file() {
    let scenario = parse_with(VALID, &["user.kind=mirror", "population.users=500", "metrics=gini,coverage"]).unwrap();
    insta::assert_snapshot!(to_toml(&scenario), @r#"
    name = "s"
    question = ""
    seed = 1
    replications = 5
    ticks = 50
    tick_seconds = 86400
    slate = 10
    baseline = "popular"
    metrics = ["coverage", "gini"]

    [data]
    path = "/project/d"
    format = "auto"
    holdout = 0.2
    cut = "user"
    item_field = ""
    user_field = ""
    providers = "column"
    provider_field = ""
    provider_count = 100

    [population]
    users = 500
    min_history = 5

    [user]
    kind = "mirror"
    accept = "take"
    like_at = "auto"
    examination = "none"
    examination_weights = []
    acceptance = 0.3
    temperature = 1.0
    path = "/project/../models/mirror"

    [arrival]
    probability = 0.5
    rate = "log"

    [session]
    slates = 5
    patience = 3
    leave_after = 0

    [candidates]
    rule = "unseen"

    [engine]
    chunk = 128
    events = true
    memory_mb = 0
    cache_mb = 1024

    [[policy]]
    kind = "popular"
    name = "popular"
    half_life = 0.0
    learn = true
    window = 0
    "#);
}

#[test]
fn words_numbers_and_lists_of_numbers_are_written() {
    let settings = [
        "user.accept=like",
        "user.like_at=-3",
        "user.examination=cascade",
        "user.examination_weights=[1, 0.5]",
        "user.acceptance=log",
    ];
    let scenario = parse_with(VALID, &settings).unwrap();
    let given = ExaminationWeights::Given(vec![1.0, 0.5]);
    assert_eq!(scenario.user.acceptance, AcceptanceSpec::Log);
    assert_eq!((scenario.user.like_at, &scenario.user.examination_weights), (Some(-3.0), &given));
    assert_eq!(again(&scenario), scenario);
    let learned = parse_with(VALID, &["user.examination=position", "user.examination_weights=log"]).unwrap();
    assert_eq!(learned.user.examination_weights, ExaminationWeights::Log);
    assert_eq!(again(&learned), learned);
    let found = problems_with(VALID, &["user.examination_weights=logs"]);
    assert!(found.contains("must be \"log\" or a list of numbers from 0 to 1, found \"logs\""), "{found}");
    let found = problems_with(VALID, &["user.examination_weights=[1, 2, 'a']", "user.like_at=often"]);
    assert!(
        found.contains("each number of `user.examination_weights` must be a number from 0 to 1, found 2"),
        "{found}"
    );
    assert!(found.contains("found \"a\""), "{found}");
    assert!(found.contains("`user.like_at` must be \"auto\" or a number"), "{found}");
}

#[test]
fn dynamics_are_written() {
    let text = format!("{VALID}[[dynamic]]\nkind = 'satiation'\nname = 'bored'\nstrength = 2\n");
    let scenario = parse(&text);
    assert_eq!(again(&scenario), scenario);
    insta::assert_snapshot!(to_toml(&scenario).split("[[dynamic]]").nth(1).unwrap(), @r#"
    kind = "satiation"
    name = "bored"
    by = "acceptance"
    field = ""
    half_life = 5.0
    strength = 2.0
    "#);
}

proptest! {
    #[test]
    fn scenarios_survive_the_round_trip(
        texts in prop::array::uniform3(".{1,12}"),
        wholes in (0..i64::MAX, 1..1000i64, 1..100_000i64, 2..65_536i64, prop::option::of(1..10_000_000i64)),
        numbers in (0.0..0.9f64, 0.001..0.999f64, 0.05..20f64, 0.0..1e300f64),
        model in 0..3,
        events in any::<bool>(),
        metrics in prop::sample::subsequence(METRIC_NAMES, 1..=METRIC_NAMES.len()),
    ) {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let model = match model {
            0 => format!("learning = {:?}", numbers.0),
            1 => "kind = 'mirror'\npath = 'm'".to_owned(),
            _ => format!("kind = 'language'\npath = 'm'\nmode = 'rationale'\nrationale_temperature = {:?}", numbers.0),
        };
        let users = wholes.4.map_or("'all'".to_owned(), |users| users.to_string());
        let text = format!(
            "name = {}\nquestion = {}\nseed = {}\nreplications = {}\nticks = {}\nmetrics = {metrics:?}\n\
             [data]\npath = {}\nholdout = {:?}\n[population]\nusers = {users}\n\
             [user]\nacceptance = {:?}\ntemperature = {:?}\n{model}\n[candidates]\nrule = 'repeats'\n\
             [engine]\nchunk = {}\nevents = {events}\n\
             [[policy]]\nkind = 'test_knn'\nname = {}\nshrinkage = {:?}\n[[policy]]\nkind = 'test_file'\nscores = {}\n",
            quoted(&texts[0]), quoted(&texts[1]), wholes.0, wholes.1, wholes.2,
            quoted(&texts[2]), numbers.0, numbers.1, numbers.2, wholes.3,
            quoted(&texts[0]), numbers.3, quoted(&texts[1]),
        );
        let scenario = parse(&text);
        prop_assert_eq!(&again(&scenario), &scenario);
        prop_assert_eq!(to_toml(&again(&scenario)), to_toml(&scenario));
    }
}

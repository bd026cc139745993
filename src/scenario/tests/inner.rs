//! Inner policies.

use super::*;

const WRAPPED: &str = "data.path = 'd'
[[policy]]
kind = 'epsilon_greedy'
name = 'a.b'
epsilon = 0.2
[policy.inner]
kind = 'test_knn'
neighbours = 7
[[policy]]
kind = 'mix'
[[policy.parts]]
kind = 'random'
weight = 3
[[policy.parts]]
kind = 'mmr'
[policy.parts.inner]
kind = 'test_file'
scores = 'x/y.csv'
";

#[test]
fn tables_of_their_own_and_inline_tables_are_the_same() {
    let inline = "data.path = 'd'
[[policy]]
kind = 'epsilon_greedy'
name = 'a.b'
epsilon = 0.2
inner = { kind = 'test_knn', neighbours = 7 }
[[policy]]
kind = 'mix'
parts = [{ kind = 'random', weight = 3.0 }, { kind = 'mmr', inner = { kind = 'test_file', scores = 'x/y.csv' } }]
";
    let scenario = parse(WRAPPED);
    assert_eq!(parse(inline), scenario);
    let inner = scenario.policies[0].params["inner"].as_table().unwrap();
    let wanted: toml::Table =
        toml::from_str("kind = 'test_knn'\nneighbours = 7\nshrinkage = 10.0\nweights = 'none'").unwrap();
    assert_eq!(*inner, wanted, "defaults are filled in");
    let parts = scenario.policies[1].params["parts"].as_array().unwrap();
    assert_eq!((parts[0]["weight"].as_float(), parts[1]["weight"].as_float()), (Some(3.0), Some(1.0)));
    // Paths start from the folder of the file at any depth.
    assert_eq!(parts[1]["inner"]["scores"].as_str(), Some("/project/x/y.csv"));
    let back = Scenario::parse(&to_toml(&scenario), Path::new("/elsewhere/m.toml"), &registry(), &[]);
    assert_eq!(Scenario { folder: scenario.folder.clone(), ..back.unwrap() }, scenario);
}

#[test]
fn defaults_are_complete_policies() {
    let scenario = parse("data.path = 'd'\npolicy = [{ kind = 'epsilon_greedy' }, { kind = 'mix' }]");
    let inner = scenario.policies[0].params["inner"].as_table().unwrap();
    assert_eq!((inner["kind"].as_str(), inner["window"].as_integer()), (Some("popular"), Some(0)));
    let parts = scenario.policies[1].params["parts"].as_array().unwrap();
    assert_eq!((parts[0]["neighbours"].as_integer(), parts[1]["weight"].as_float()), (Some(50), Some(1.0)));
}

#[test]
fn errors_inside_are_named_with_their_line() {
    let text = "data.path = 'd'
[[policy]]
kind = 'epsilon_greedy'
[policy.inner]
kind = 'test_kn'
[[policy]]
kind = 'mmr'
inner = 'random'
[[policy]]
kind = 'calibrated'
[policy.inner]
kind = 'test_knn'
name = 'x'
neighbours = 0
scores = 'x'
[[policy]]
kind = 'mix'
[[policy.parts]]
weight = 0
[[policy.parts]]
kind = 'test_knn'
neigbours = 3
[[policy]]
kind = 'mix'
name = 'other'
parts = []
[[policy]]
kind = 'mix'
name = 'third'
parts = [1]
";
    let found = problems(text);
    for wanted in [
        ":5: unknown policy kind `test_kn`; did you mean `test_knn`? (there are POLICIES)",
        ":8: `policy.mmr.inner` must be a policy: a table with a `kind` and the keys of that kind, found \"random\"",
        ":13: unknown key `name` in `policy.calibrated.inner`; a policy inside a policy has no name of its own",
        ":14: `policy.calibrated.inner.neighbours` must be a whole number from 1 to 1000, found 0",
        ":15: `policy.calibrated.inner.scores` is a key of kind `test_file`, not of `test_knn`; remove it or change `kind`",
        ":18: `policy.mix.parts.1.kind` is missing; it must be one of POLICIES",
        ":19: `policy.mix.parts.1.weight` must be a number from 0.000001 to 1000000, found 0",
        ":22: unknown key `neigbours` in `policy.mix.parts.2`; did you mean `neighbours`?",
        ":26: `policy.other.parts` must be a list of policies: tables with a `kind`, its keys, and a `weight`, found a list",
        ":30: `policy.third.parts.1` must be a policy: a table with a `kind` and the keys of that kind, found 1",
        "10 problems in",
    ] {
        assert!(found.contains(wanted), "no `{wanted}` in\n{found}");
    }
}

#[test]
fn settings_reach_inside() {
    let settings = [
        "policy.a.b.inner.neighbours=9",
        "policy.mix.parts.1.weight=5",
        "policy.mix.parts.2.inner.sorted=true",
        "policy.a.b.epsilon=0.5",
    ];
    let scenario = parse_with(WRAPPED, &settings).unwrap();
    let inner = scenario.policies[0].params["inner"].as_table().unwrap();
    assert_eq!(inner["neighbours"].as_integer(), Some(9));
    let parts = scenario.policies[1].params["parts"].as_array().unwrap();
    assert_eq!((parts[0]["weight"].as_float(), parts[1]["inner"]["sorted"].as_bool()), (Some(5.0), Some(true)));
    let whole = parse_with(WRAPPED, &["policy.a.b.inner={kind='random'}"]).unwrap();
    assert_eq!(whole.policies[0].params["inner"].as_table().unwrap().len(), 1);

    let wrong = [
        "policy.a.b.inner.neighbours=0",
        "policy.a.b.iner.neighbours=3",
        "policy.mix.parts.3.weight=1",
        "policy.mix.parts.weight=1",
    ];
    let found = problems_with(WRAPPED, &wrong);
    for wanted in [
        "neighbours=0: `policy.a.b.inner.neighbours` must be a whole number from 1 to 1000, found 0",
        "iner.neighbours=3: `iner` is no policy inside the policy; write its table into the file first",
        "parts.3.weight=1: `parts` is a list; name one of its 2 policies: parts.1.KEY",
        "parts.weight=1: `parts` is a list; name one of its 2 policies: parts.1.KEY",
    ] {
        assert!(found.contains(wanted), "no `{wanted}` in\n{found}");
    }
    let found = problems_with(WRAPPED, &["policy.a.b.inner=random"]);
    let wanted = "inner=random: `policy.a.b.inner` must be a policy: a table with a `kind` and the keys of that kind";
    assert!(found.contains(wanted), "{found}");
}

//! The exact message of every kind of problem.

use super::*;
use insta::assert_snapshot;

#[test]
fn an_empty_file_lacks_the_keys_without_defaults() {
    assert_snapshot!(problems(""), @r"
    /project/s.toml:1: `data.path` is missing; it must be a path in quotes
    /project/s.toml:1: there is no policy; add a [[policy]] table with a `kind` out of POLICIES
    2 problems in /project/s.toml
    ");
}

#[test]
fn a_missing_key_names_the_line_of_its_table() {
    let text = "ticks = 3\n[data]\nformat = 'auto'\n[[policy]]\nkind = 'test_file'\n[[policy]]\nname = 'a'\n";
    assert_snapshot!(problems(text), @r"
    /project/s.toml:2: `data.path` is missing; it must be a path in quotes
    /project/s.toml:4: `policy.test_file.scores` is missing; it must be a path in quotes
    /project/s.toml:6: `policy.a.kind` is missing; it must be one of POLICIES
    3 problems in /project/s.toml
    ");
}

#[test]
fn unknown_keys_come_with_the_right_one() {
    let text = format!(
        "{VALID}tics = 3\nTick-Seconds = 5\nqwertz = 1\n[dat]\nx = 1\n[sessions]\n[session]\nticks = 4\nrate = 'log'\nqwertz = 1\n"
    );
    assert_snapshot!(problems(&text), @r"
    /project/s.toml:3: unknown key `tics` at the top of the file; did you mean `ticks`?
    /project/s.toml:4: unknown key `Tick-Seconds` at the top of the file; did you mean `tick_seconds`?
    /project/s.toml:5: unknown key `qwertz` at the top of the file; the keys are `name`, `question`, `seed`, `replications`, `ticks`, `tick_seconds`, `slate`, `baseline`, `metrics`
    /project/s.toml:6: unknown section `dat`; did you mean `data`?
    /project/s.toml:8: unknown section `sessions`; did you mean `session`?
    /project/s.toml:10: unknown key `ticks` in [session]; it belongs at the top of the file, before the first [section]
    /project/s.toml:11: unknown key `rate` in [session]; it is a key of [arrival]
    /project/s.toml:12: unknown key `qwertz` in [session]; the keys are `slates`, `patience`, `leave_after`
    8 problems in /project/s.toml
    ");
}

#[test]
fn values_of_the_wrong_type_or_out_of_range() {
    let text = "policy = [{ kind = 'popular' }]\nseed = -1\nticks = 0.5\nname = 3\nslate = '10'\nreplications = 1979-05-27\n\
        tick_seconds = 99999999999999999999\nquestion = ['why']\n[data]\npath = ''\nformat = 'csv'\nholdout = nan\n\
        [user]\ntaste = 1e400\nacceptance = inf\n[population]\nusers = 'most'\nmin_history = { a = 1 }\n\
        [arrival]\nprobability = 1.5\nrate = 'lgo'\n[engine]\nchunk = 1\nevents = 'true'\n";
    assert_snapshot!(problems(text), @r#"
    /project/s.toml:2: `seed` must be a whole number from 0 to 9223372036854775807, found -1
    /project/s.toml:3: `ticks` must be a whole number from 1 to 100000, found 0.5
    /project/s.toml:4: `name` must be text in quotes, found 3
    /project/s.toml:5: `slate` must be a whole number from 1 to 100, found "10"; remove the quotes
    /project/s.toml:6: `replications` must be a whole number from 1 to 1000, found the date 1979-05-27
    /project/s.toml:7: `tick_seconds` must be a whole number from 1 to 1000000000, found 99999999999999999999
    /project/s.toml:8: `question` must be text in quotes, found a list
    /project/s.toml:10: `data.path` must be a path in quotes, found an empty text
    /project/s.toml:11: `data.format` must be one of "auto", "movielens", "steam", "amazon", "mind", "kuairec", "lastfm", "goodreads", "mobilerec", "custom", "coat", "recbole", "tables", "grouplens", found "csv"
    /project/s.toml:12: `data.holdout` must be a number from 0 to 0.9, found nan
    /project/s.toml:14: `user.taste` must be a number from 0 to 100, found 1e400
    /project/s.toml:15: `user.acceptance` must be "log" or a number from 0.001 to 0.999, found inf
    /project/s.toml:17: `population.users` must be "all" or a whole number from 1 to 10000000, found "most"
    /project/s.toml:18: `population.min_history` must be a whole number from 0 to 1000000, found a table
    /project/s.toml:20: `arrival.probability` must be a number from 0 to 1, found 1.5
    /project/s.toml:21: `arrival.rate` must be one of "uniform", "log", found "lgo"; did you mean `log`?
    /project/s.toml:23: `engine.chunk` must be a whole number from 2 to 65536, found 1
    /project/s.toml:24: `engine.events` must be true or false, found "true"; remove the quotes
    18 problems in /project/s.toml
    "#);
}

#[test]
fn metrics_are_known_and_occur_once() {
    let text = format!("{VALID}metrics = [\n  'gini',\n  'ginni',\n  'gini',\n  3,\n]\n");
    assert_snapshot!(problems(&text), @r#"
    /project/s.toml:5: each word of `metrics` must be one of METRICS, "all", found "ginni"; did you mean `gini`?
    /project/s.toml:6: `metrics` lists "gini" twice; each word counts once
    /project/s.toml:7: each word of `metrics` must be one of METRICS, "all", found 3
    3 problems in /project/s.toml
    "#);
    assert_snapshot!(problems(&format!("{VALID}metrics = []")), @r#"
    /project/s.toml:3: `metrics` must be a list of at least one of METRICS, "all", found an empty list
    1 problem in /project/s.toml
    "#);
}

#[test]
fn tables_have_the_right_shape() {
    assert_snapshot!(problems("data = 3\n[[user]]\nkind = 'mirror'\n[policy]\nkind = 'popular'\n"), @r"
    /project/s.toml:1: `data` must be one table, written [data], found 3
    /project/s.toml:2: `user` must be one table, written [user], found a list of tables
    /project/s.toml:4: policies are written [[policy]], one table each; found a table
    3 problems in /project/s.toml
    ");
    assert_snapshot!(problems("data.path.x = 3\npolicy = [1, { kind = 'popular' }]\n[seed]\n[[ticks]]\n"), @r"
    /project/s.toml:1: `data.path` must be a path in quotes, found a table
    /project/s.toml:2: policies are written [[policy]], one table each; found 1
    /project/s.toml:3: `seed` must be a whole number from 0 to 9223372036854775807, found a table
    /project/s.toml:4: `ticks` must be a whole number from 1 to 100000, found a list of tables
    4 problems in /project/s.toml
    ");
}

#[test]
fn dynamics_have_their_own_keys() {
    let text = format!(
        "{VALID}[[dynamic]]\nkind = 'satiaton'\n[[dynamic]]\nkind = 'churn'\nhazard = 2\n[[dynamic]]\nkind = 'churn'\n\
         hazzard = 0.1\n[[dynamic]]\nkind = 'fatigue'\nstrength = 1\nrate = 0.1\n"
    );
    assert_snapshot!(problems_with(&text, &["dynamic.churn.memory=x", "dynamic.bored.strength=1", "dynamic=3"]), @r#"
    /project/s.toml:4: unknown dynamic kind `satiaton`; did you mean `satiation`? (there are DYNAMICS)
    /project/s.toml:7: `dynamic.churn.hazard` must be a number from 0 to 1, found 2
    /project/s.toml:8: `dynamic.churn.hazard` is missing; it must be a number from 0 to 1
    /project/s.toml:8: dynamic name `churn` is taken by line 5; give this one another `name`
    /project/s.toml:10: unknown key `hazzard` in [[dynamic]] `churn`; did you mean `hazard`?
    /project/s.toml:14: `dynamic.fatigue.rate` is a key of kind `interest_drift`, not of `fatigue`; remove it or change `kind`
    --set dynamic.bored.strength=1: no dynamic is called `bored` (there are `satiaton`, `churn`, `churn`, `fatigue`)
    --set dynamic.churn.memory=x: `dynamic.churn.memory` must be a number from 0 to 1, found "x"
    --set dynamic=3: name the dynamic and its key: --set dynamic.NAME.KEY=VALUE
    9 problems in /project/s.toml
    "#);
    assert_snapshot!(problems(&format!("dynamic = 3\n{VALID}")), @r"
    /project/s.toml:1: dynamics are written [[dynamic]], one table each; found 3
    1 problem in /project/s.toml
    ");
    assert_snapshot!(problems_with(VALID, &["dynamic.churn.hazard=0.1"]), @r"
    --set dynamic.churn.hazard=0.1: the file has no [[dynamic]] table; write it into the file first
    1 problem in /project/s.toml
    ");
}

#[test]
fn keys_of_another_kind_say_so() {
    let text = "data.path = 'd'\n[user]\nkind = 'mirror'\ntaste = 3\n[[policy]]\nkind = 'test_knn'\nscores = 'x'\n\
        ticks = 3\nneighbors = 3\n";
    assert_snapshot!(problems(text), @r"
    /project/s.toml:4: `user.taste` is a key of kind `parametric`, not of `mirror`; remove it or change `kind`
    /project/s.toml:7: `policy.test_knn.scores` is a key of kind `test_file`, not of `test_knn`; remove it or change `kind`
    /project/s.toml:8: unknown key `ticks` in [[policy]] `test_knn`; it belongs at the top of the file, before the first [section]
    /project/s.toml:9: unknown key `neighbors` in [[policy]] `test_knn`; did you mean `neighbours`?
    4 problems in /project/s.toml
    ");
}

#[test]
fn a_wrong_kind_is_one_problem() {
    let text = "data.path = 'd'\n[user]\nkind = 'miror'\ntaste = 3\npath = 'p'\n[[policy]]\nkind = 'test_kn'\nneighbours = 3\n";
    assert_snapshot!(problems(text), @r#"
    /project/s.toml:3: `user.kind` must be one of "parametric", "mirror", "language", found "miror"; did you mean `mirror`?
    /project/s.toml:7: unknown policy kind `test_kn`; did you mean `test_knn`? (there are POLICIES)
    2 problems in /project/s.toml
    "#);
}

#[test]
fn policies_have_their_own_names() {
    let text = "baseline = 'poplar'\ndata.path = 'd'\n[[policy]]\nkind = 'popular'\n[[policy]]\nkind = 'random'\n\
        name = 'popular'\n[[policy]]\nkind = 'popular'\n[[policy]]\nkind = 'random'\n";
    assert_snapshot!(problems(text), @r#"
    /project/s.toml:1: `baseline` must be the name of a policy, found "poplar"; did you mean `popular`? (there are `popular`, `random`)
    /project/s.toml:7: policy name `popular` is taken by line 3; give this one another `name`
    /project/s.toml:8: policy name `popular` is taken by line 3; give this one another `name`
    3 problems in /project/s.toml
    "#);
}

#[test]
fn syntax_errors_do_not_hide_other_problems() {
    let text = "seed = = 3\nticks =\nslate = 9999\nslate = 5\nname = 'x\nbaseline = 'elsewhere'\n[engine]\nchunk = 0\n";
    assert_snapshot!(problems(text), @r"
    /project/s.toml:1: extra `=`, expected nothing
    /project/s.toml:1: unexpected key or value, expected newline, `#`
    /project/s.toml:2: string values must be quoted, expected literal string
    /project/s.toml:3: `slate` must be a whole number from 1 to 100, found 9999
    /project/s.toml:4: `slate` is written twice; remove one of the two
    /project/s.toml:5: invalid literal string, expected `'`
    /project/s.toml:8: `engine.chunk` must be a whole number from 2 to 65536, found 0
    7 problems in /project/s.toml
    ");
}

#[test]
fn nothing_is_guessed_below_a_broken_header() {
    assert_snapshot!(problems("[data\npath = 'x'\nticks = 0\n"), @r"
    /project/s.toml:1: unclosed table, expected `]`
    1 problem in /project/s.toml
    ");
    assert_snapshot!(problems("[data]\npath = 'x'\n[data]\nholdout = 2\n"), @r"
    /project/s.toml:3: `data` is written twice; remove one of the two
    1 problem in /project/s.toml
    ");
}

#[test]
fn long_and_strange_texts_stay_on_one_short_line() {
    let text = format!("{VALID}\"a\\nb\\u0007\" = 1\nquestion = 3\n{} = 2\n", "x".repeat(500));
    assert_snapshot!(problems(&text), @r"
    /project/s.toml:3: unknown key `a\nb\u{7}` at the top of the file; the keys are `name`, `question`, `seed`, `replications`, `ticks`, `tick_seconds`, `slate`, `baseline`, `metrics`
    /project/s.toml:4: `question` must be text in quotes, found 3
    /project/s.toml:5: unknown key `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...` at the top of the file; the keys are `name`, `question`, `seed`, `replications`, `ticks`, `tick_seconds`, `slate`, `baseline`, `metrics`
    3 problems in /project/s.toml
    ");
}

#[test]
fn settings_are_checked_like_the_file() {
    let text = "policy = [{ kind = 'test_knn', name = 'my.knn' }]\ndata.path = 'd'\ntics = 1\n";
    let settings = [
        "seed=x",
        "tics=3",
        "arrival.probabilty=3",
        "arrival.probability=3",
        "foo.bar=3",
        "=3",
        "data=4",
        "policy=3",
        "policy.x=3",
        "policy.my.kn.neighbours=3",
        "policy.my.knn.neighbours=0",
        "policy.my.knn.neigbours=1",
        "metrics=ginni,gini",
        "population.users=",
        "user.kind=mirro",
        "engine.events=yes",
    ];
    assert_snapshot!(problems_with(text, &settings), @r#"
    --set =3: the key is empty; write --set KEY=VALUE
    --set arrival.probability=3: `arrival.probability` must be a number from 0 to 1, found 3
    --set arrival.probabilty=3: unknown key `probabilty` in [arrival]; did you mean `probability`?
    --set data=4: `data` is a section; set one of its keys: --set data.KEY=VALUE
    --set engine.events=yes: `engine.events` must be true or false, found "yes"
    --set foo.bar=3: unknown section `foo`; the sections are `data`, `population`, `user`, `arrival`, `session`, `candidates`, `engine`, `policy`, `dynamic`
    --set metrics=ginni,gini: each word of `metrics` must be one of METRICS, "all", found "ginni"; did you mean `gini`?
    --set policy.my.kn.neighbours=3: no policy is called `my.kn`; did you mean `my.knn`? (there are `my.knn`)
    --set policy.my.knn.neigbours=1: unknown key `neigbours` in [[policy]] `my.knn`; did you mean `neighbours`?
    --set policy.my.knn.neighbours=0: `policy.my.knn.neighbours` must be a whole number from 1 to 1000, found 0
    --set policy.x=3: name the policy and its key: --set policy.NAME.KEY=VALUE
    --set policy=3: name the policy and its key: --set policy.NAME.KEY=VALUE
    --set population.users=: `population.users` must be "all" or a whole number from 1 to 10000000, found ""
    --set seed=x: `seed` must be a whole number from 0 to 9223372036854775807, found "x"
    --set tics=3: unknown key `tics` at the top of the file; did you mean `ticks`?
    --set user.kind=mirro: `user.kind` must be one of "parametric", "mirror", "language", found "mirro"; did you mean `mirror`?
    16 problems in /project/s.toml
    "#);
}

#[test]
fn settings_replace_what_the_file_says() {
    let text = "ticks = 0\npolicy = [{ kind = 'test_knn', name = 'my.knn' }]\ndata.path = 'd'\n";
    let settings = [
        "ticks=7",
        "seed=4",
        "seed = 5",
        "name=7",
        "question=\"Who wins?\"",
        "metrics=[gini, \"coverage\"]",
        "user.kind=mirror",
        "user.path=/models/x",
        "policy.my.knn.neighbours=20",
        "policy.my.knn.shrinkage=3",
        "policy.my.knn.weights=idf",
        "population.users=17",
        "engine.events=false",
    ];
    let scenario = parse_with(text, &settings).unwrap();
    assert_eq!((scenario.ticks, scenario.seed, scenario.name.as_str()), (7, 5, "7"));
    assert_eq!(scenario.question, "Who wins?");
    assert_eq!(scenario.metrics, ["coverage", "gini"]);
    assert_eq!(
        (scenario.user.model.kind.as_str(), scenario.user.model.path()),
        ("mirror", Some(Path::new("/models/x")))
    );
    assert_eq!((scenario.population.users.number(), scenario.engine.events), (Some(17), false));
    let params = KnnParameters::read(&scenario.policies[0].params).unwrap();
    assert_eq!(params, KnnParameters { neighbours: 20, shrinkage: 3.0, weights: Weights::Idf });
}

#[test]
fn all_means_every_metric() {
    for text in ["metrics=all", "metrics=[\"gini\", \"all\"]"] {
        assert_eq!(parse_with(VALID, &[text]).unwrap().metrics, METRIC_NAMES);
    }
}

#[test]
fn defaults_are_filled_in() {
    let scenario = parse("data.path = '../d'\npolicy = [{ kind = 'test_knn' }, { kind = 'popular', name = 'all' }]");
    assert_eq!((scenario.name.as_str(), scenario.baseline.as_str()), ("s", "test_knn"));
    assert_eq!(scenario.metrics, DEFAULT_METRICS);
    assert_eq!(scenario.population, PopulationSpec::default());
    assert_eq!(scenario.policies[1].name, "all");
    let wanted: toml::Table = toml::from_str("neighbours = 50\nshrinkage = 10.0\nweights = 'none'").unwrap();
    assert_eq!(scenario.policies[0].params, wanted);
}

#[test]
fn a_setting_that_chooses_other_users_drops_the_keys_of_the_files_kind() {
    let text = "policy = [{ kind = 'popular' }]\ndata.path = 'd'\nuser = { kind = 'parametric', taste = 3, acceptance = 0.4 }\n";
    for settings in [["user.kind=mirror", "user.path=/models/x"], ["user.path=/models/x", "user.kind=\"mirror\""]] {
        let user = parse_with(text, &settings).unwrap().user;
        assert_eq!((user.model.kind.as_str(), user.model.path()), ("mirror", Some(Path::new("/models/x"))));
        assert_eq!(user.acceptance, AcceptanceSpec::Share(0.4), "a key of every kind stays");
    }
    let wrong = text.replace("taste", "tastes");
    for (text, setting, expected) in [
        (&*wrong, "user.kind=mirror", "unknown key `tastes`"),
        (text, "user.path=x", "`user.path` is a key of kind `mirror`"),
    ] {
        let problem = parse_with(text, &[setting]).unwrap_err().to_string();
        assert!(problem.contains(expected), "{setting}: {problem}");
    }
}

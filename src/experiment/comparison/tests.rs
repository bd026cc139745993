use super::*;

fn run(label: &str, seed: u64, facts: &[(&str, &str)], policies: &[(&str, &[f64])]) -> FinishedRun {
    let scenario = facts.iter().filter(|(name, _)| *name != "data set");
    let lines: String = scenario.map(|(name, value)| format!("{name} = {value}\n")).collect();
    let manifest = manifest(seed, facts.iter().find(|(name, _)| *name == "data set").map_or("h", |fact| fact.1));
    let value = |policy: &str, replication, value| FinalValue {
        policy: policy.to_owned(),
        replication,
        metric: "coverage".to_owned(),
        value: Some(value),
    };
    let values = policies.iter().flat_map(|(policy, values)| (0..).zip(*values).map(|(n, v)| value(policy, n, *v)));
    FinishedRun {
        label: label.to_owned(),
        folder: label.into(),
        setting: RunSetting::new(&manifest, &lines.parse().unwrap()),
        baseline: policies[0].0.to_owned(),
        policies: policies.iter().map(|policy| policy.0.to_owned()).collect(),
        finals: values.collect(),
        looked: false,
        known: crate::metrics::all().iter().collect(),
    }
}

fn manifest(seed: u64, data: &str) -> Manifest {
    let text = serde_json::json!({
        "version": 1, "recmirror": "0.1.0", "status": "complete", "scenario": "", "seed": seed, "trials": [], "digest": "",
        "data": {"name": "d", "format": "recbole", "hash": data, "users": 1, "items": 1, "interactions": 1, "cleanup": ""},
        "user": {"kind": "parametric", "name": "parametric", "hash": "", "reject_shift": 0.5, "runtime": ""},
        "machine": {"platform": "x", "cpu_features": [], "threads": 1, "chunk": 2},
    });
    serde_json::from_value(text).unwrap()
}

fn first() -> FinishedRun {
    run("first", 7, &[("ticks", "5")], &[("a", &[0.1, 0.2, 0.3]), ("b", &[0.2, 0.4, 0.6])])
}

#[test]
fn common_random_numbers_are_paired() {
    let other = run("other", 7, &[("ticks", "5")], &[("c", &[0.2, 0.3, 0.5, 0.9])]);
    let found = Comparison::new(vec![first(), other], None, false).unwrap();
    assert!(found.warnings.is_empty(), "{:?}", found.warnings);
    assert_eq!(found.baseline, ("first".to_owned(), "a".to_owned()));
    let rows = &found.rows;
    assert_eq!((rows[0].pairing, rows[0].difference, rows[0].p_adjusted), ("", None, None));
    // b - a: 0.1, 0.2, 0.3. c - a over the three replications that both have: 0.1, 0.1, 0.2.
    assert_eq!((rows[1].pairing, rows[2].pairing, rows[2].replications), ("paired", "paired", 4));
    assert!((rows[1].difference.unwrap() - 0.2).abs() < 1e-12);
    assert!((rows[2].difference.unwrap() - 0.4 / 3.0).abs() < 1e-12);
    // Three policies are three pairs, and c has another number of replications: t at 0.05 / 3 with 2 degrees of freedom.
    let reach = 7.648_804 * 0.1 / 3.0_f64.sqrt();
    assert!((rows[1].difference_high.unwrap() - 0.2 - reach).abs() < 1e-6);
    // b has t = 2 sqrt(3) and P(|T| > t) = 1 - t / sqrt(2 + t^2), three times.
    let t = 2.0 * 3.0_f64.sqrt();
    assert!((rows[1].p_adjusted.unwrap() - 3.0 * (1.0 - t / (2.0 + t * t).sqrt())).abs() < 1e-9);
    assert!(rows[2].p_adjusted < rows[1].p_adjusted, "t = 4");
}

#[test]
fn one_run_is_judged_as_in_its_own_tables_and_looks_are_paid_for() {
    let policies: &[(&str, &[f64])] =
        &[("a", &[0.1, 0.2, 0.3, 0.2, 0.1]), ("b", &[0.2, 0.4, 0.6, 0.4, 0.3]), ("c", &[0.3, 0.4, 0.4, 0.4, 0.2])];
    let fixed = Comparison::new(vec![run("one", 7, &[], policies)], None, false).unwrap();
    let finals: Vec<Vec<Option<f64>>> =
        policies.iter().map(|(_, values)| values.iter().copied().map(Some).collect()).collect();
    let sample: Vec<f64> = policies[1].1.iter().zip(policies[0].1).map(|(b, a)| b - a).collect();
    assert_eq!(fixed.rows[1].p_adjusted, Family::fixed(&finals).judge(&sample).p_value);
    let looked = FinishedRun { looked: true, ..run("one", 7, &[], policies) };
    let looked = Comparison::new(vec![looked], None, false).unwrap();
    assert_eq!(looked.rows[1].p_adjusted, Family::sequential(3).judge(&sample).p_value);
    assert!(looked.rows[1].p_adjusted > fixed.rows[1].p_adjusted);
}

#[test]
fn another_seed_is_reported_and_not_paired() {
    let other = run("other", 8, &[("ticks", "5")], &[("a", &[0.1, 0.2, 0.3])]);
    let found = Comparison::new(vec![first(), other], Some("other/a"), false).unwrap();
    assert_eq!(found.warnings, ["seed: 7 in first, 8 in other; their policies are not paired with each other"]);
    assert_eq!(found.rows[0].pairing, "unpaired");
    // Equal samples of variance 0.01: difference 0, error sqrt(0.02 / 3), four degrees of freedom.
    assert_eq!((found.rows[0].difference, found.rows[0].p_adjusted), (Some(0.0), Some(1.0)));
    // t at 0.05 / 3.
    let reach = 3.960_786 * (0.02_f64 / 3.0).sqrt();
    assert!((found.rows[0].difference_high.unwrap() - reach).abs() < 1e-6);
}

#[test]
fn other_data_and_other_users_are_refused() {
    let policies: &[(&str, &[f64])] = &[("a", &[0.1, 0.2])];
    for (facts, words) in [
        (vec![("ticks", "5"), ("data set", "x")], "data set: d (h) in first, d (x) in other"),
        (vec![("ticks", "5"), ("user", "{ acceptance = 0.5 }")], "user.acceptance: none in first, 0.5 in other"),
    ] {
        let other = || run("other", 7, &facts, policies);
        let error = Comparison::new(vec![first(), other()], None, false).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains("--anyway"), "{error}");
        let found = Comparison::new(vec![first(), other()], None, true).unwrap();
        assert!(found.warnings[0].contains(words));
        assert_eq!(found.rows[2].pairing, "unpaired");
    }
}

#[test]
fn other_keys_are_no_part_of_the_setting() {
    let facts = [("ticks", "5"), ("replications", "9"), ("name", "'x'"), ("data", "{ path = '/y' }")];
    let other = run("other", 7, &facts, &[("a", &[0.1, 0.2])]);
    assert!(first().setting.is_paired_with(&other.setting));
    let longer = run("longer", 7, &[("ticks", "6")], &[("a", &[0.1, 0.2])]);
    let found = Comparison::new(vec![first(), longer], None, false).unwrap();
    assert_eq!(found.warnings.len(), 1, "{:?}", found.warnings);
    assert!(found.warnings[0].starts_with("ticks: 5 in first, 6 in longer"));
}

#[test]
fn names_are_checked() {
    let error = Comparison::new(vec![first()], Some("z"), false).unwrap_err().to_string();
    assert!(error.contains("`z`") && error.contains("`first/a`, `first/b`"), "{error}");
    assert!(matches!(Comparison::new(vec![first(), first()], None, false), Err(CompareError::Twice { .. })));
    let (mut one, mut two) = (first(), first());
    (one.folder, two.folder) = ("x/first".into(), "y/first".into());
    let found = Comparison::new(vec![one, two], None, false).unwrap();
    assert_eq!((found.rows[0].run.as_str(), found.rows[2].run.as_str()), ("x/first", "y/first"));
}

#[test]
fn text_for_a_terminal() {
    let other = run("other", 8, &[("ticks", "5")], &[("c", &[0.2, 0.3, 0.5])]);
    let found = Comparison::new(vec![first(), other], None, false).unwrap();
    insta::assert_snapshot!(found.table(100), @r"
    Mean ± half of the 95% interval over replications

    policy        coverage
    first/a   20.0% ± 24.8
    first/b   40.0% ± 49.7
    other/c   33.3% ± 37.9

    Difference from `first/a` [95% interval, for all 3 pairs of policies at once]; * excludes 0; ~ is
    not paired

    policy           coverage (pp)
    first/b   +20.0 [-24.2, +64.2]
    other/c   +13.3 [-32.6, +59.3]  ~
    ");
    assert!(found.table(60).lines().all(|line| line.chars().count() <= 60));
}

#[test]
fn replications_for_a_given_difference() {
    let other = run("other", 8, &[("ticks", "5")], &[("c", &[0.2, 0.3, 0.5])]);
    let found = Comparison::new(vec![first(), other], None, false).unwrap();
    // b - a: 0.1, 0.2, 0.3; c is of another seed.
    assert!((found.rows[1].difference_deviation.unwrap() - 0.1).abs() < 1e-12);
    assert_eq!((found.rows[0].difference_deviation, found.rows[2].difference_deviation), (None, None));
    // Half a deviation takes 45 replications for one of three pairs: the noncentral t distribution at 0.05 / 3.
    let text = found.needed(ToSee::parse("5%", &found.metrics).unwrap(), 100);
    let words: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(text.contains("a difference of 5 pp in coverage from `first/a`"), "{text}");
    assert!(words.contains(&vec!["first/b", "10.0", "45"]), "{text}");
    assert!(words.contains(&vec!["other/c", "–", "–"]), "{text}");
    assert!(found.needed(ToSee::parse("coverage 0.1", &found.metrics).unwrap(), 100).contains(" 14\n"));
    let problem = |text: &str| ToSee::parse(text, &found.metrics).unwrap_err();
    for wrong in ["", "x", "0", "-1%", "coverage 1 2", "inf", "nan"] {
        assert!(problem(wrong).contains("is no difference; write `0.5%`"), "{wrong}");
    }
    assert!(problem("gini 0.1").contains("these runs have no `gini`; they have coverage"));
    let [gini] = crate::metrics::named(&["gini".to_owned()]).unwrap()[..] else { panic!("one metric") };
    assert!(ToSee::parse("1%", &[gini]).unwrap_err().contains("`gini` is not a share"));
}

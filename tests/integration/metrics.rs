//! Metrics recomputed from a run's stored events equal its tables.

use crate::util::{csv_rows, dataset, manifest, recmirror, text, with_data, write_scenario};
use recmirror::experiment::estimate;
use recmirror::log::{EventBatch, REJECTED, read_batches};
use recmirror::metrics::{MetricSet, all};
use std::path::Path;

/// The value of a field; an empty one is undefined.
fn value(field: &str) -> Option<f64> {
    (!field.is_empty()).then(|| field.parse().expect("a number"))
}

/// The batches of one arm, one for each tick; a log has none for a tick without visitors.
fn batches(path: &Path, ticks: u32) -> Vec<EventBatch> {
    let mut stored = Vec::new();
    read_batches(path, |batch| stored.push(batch.clone())).expect("a readable log");
    let mut whole: Vec<EventBatch> =
        (0..ticks).map(|tick| EventBatch { tick, slate: 5, ..EventBatch::default() }).collect();
    stored.into_iter().for_each(|batch| {
        let place = batch.tick as usize;
        whole[place] = batch;
    });
    whole
}

fn check(settings: &[&str]) {
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["popular", "random", "linucb"]);
    let out = folder.path().join("out");
    let overrides: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    recmirror(&[&["run", text(&scenario), "--out", text(&out)], &overrides[..]].concat()).expect(0);
    let catalogue = dataset(&folder.path().join("data")).catalogue;
    let users = csv_rows(&out.join("users.csv")).iter().filter(|row| row[0] == "all" || row[0] == "0").count();
    let names: Vec<&str> = all().iter().map(|kind| kind.name).collect();
    let (ticks, summary) = (csv_rows(&out.join("ticks.csv")), csv_rows(&out.join("summary.csv")));
    let mut row = ticks.iter();
    let mut finals: Vec<(String, Vec<Option<f64>>)> = Vec::new();
    for arm in manifest(&out).arms {
        let mut set = MetricSet::new(&names, users, catalogue.len()).expect("metrics");
        let (mut shown, mut accepted) = (0, 0);
        for batch in batches(&out.join(arm.events.as_deref().expect("a log")), arm.ticks) {
            shown += batch.len();
            accepted += batch.accepted.iter().filter(|&&slot| slot != REJECTED).count();
            for found in set.fold(&batch, &catalogue) {
                let row = row.next().expect("a row");
                let key = [
                    arm.policy.clone(),
                    arm.replication.to_string(),
                    found.tick.to_string(),
                    names[found.metric].into(),
                ];
                assert_eq!(row[..4], key);
                assert_eq!(value(&row[4]).map(f64::to_bits), found.value.map(f64::to_bits), "{row:?}");
            }
        }
        assert_eq!(set.finals()[0], (shown > 0).then(|| accepted as f64 / shown as f64), "acceptance by counting");
        finals.push((arm.policy, set.finals()));
    }
    assert!(row.next().is_none(), "as many rows as values");
    let mut rows = summary.iter();
    for policy in ["popular", "random", "linucb"] {
        for (metric, name) in names.iter().enumerate() {
            let row = rows.next().expect("a row");
            let values = finals.iter().filter(|(known, _)| known == policy).map(|(_, values)| values[metric]);
            let found = estimate(values);
            assert_eq!((row[0].as_str(), row[1].as_str()), (policy, *name));
            assert_eq!(value(&row[2]), found.map(|found| found.mean), "{row:?}");
            let interval = found.and_then(|found| found.interval);
            assert_eq!(
                (value(&row[3]), value(&row[4])),
                (interval.map(|it| it.low), interval.map(|it| it.high)),
                "{row:?}"
            );
            assert_eq!(row[5], found.map_or(0, |found| found.used).to_string());
        }
    }
    assert!(rows.next().is_none());
}

#[test]
fn tables_follow_from_the_stored_events() {
    check(&[]);
}

#[test]
fn also_with_ticks_that_nobody_visits_and_short_slates() {
    check(&["arrival.probability=0.01", "ticks=12"]);
    check(&["slate=75", "population.users=20", "replications=3", "user.acceptance=0.9"]);
}

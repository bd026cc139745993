use super::*;
use crate::dataset::Cut;
use crate::registry::Registry;
use crate::scenario::Scenario;
use std::path::Path;

/// Two kinds of users who like the items of their own half, `item % 2 == user % 2`.
fn experiment(folder: &Path) -> Experiment {
    let mut text = "user_id,item_id,rating,timestamp\n".to_owned();
    for user in 0..24u32 {
        for step in 0..10u32 {
            let item = 2 * ((user * 7 + step * 3) % 30) + user % 2;
            text += &format!("{user},{item},{},{}\n", 3 + (item % 3), 1_000 + step);
        }
    }
    std::fs::write(folder.join("interactions.csv"), text).unwrap();
    let scenario = format!(
        "slate = 4\nreplications = 1\n[data]\npath = {:?}\n[user]\nkind = \"parametric\"\n[[policy]]\nkind = \"popular\"\n[[policy]]\n\
         kind = \"item_knn\"\n",
        folder
    );
    let scenario = Scenario::parse(&scenario, Path::new("s.toml"), &Registry::builtin(), &[]).unwrap();
    Experiment::prepare(scenario, Registry::builtin()).unwrap()
}

#[test]
fn additions_are_new_items_and_as_many_as_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = experiment(folder.path());
    let split = experiment.data.split_by(0.2, Cut::User).unwrap();
    let mut of = Augmentation::new(&experiment, &split, "popular");
    for kind in AdditionKind::ALL {
        let added = of.additions(kind, 0.5, 0).unwrap();
        assert_eq!((added.rows(), added.missing), (24 * 4, 0), "{kind:?}: half of 8 rows each");
        for (user, rows) in (0..).map(LogUserId).zip(&added.accepted) {
            let own: BTreeSet<ItemId> = split.before.of(user).iter().map(|row| row.item).collect();
            let new: BTreeSet<ItemId> = rows.iter().map(|row| row.item).collect();
            assert!(new.len() == rows.len() && new.is_disjoint(&own), "{kind:?} {user:?}");
            assert!(rows.iter().all(|row| (1.0..=5.0).contains(&row.rating) && row.time > 1_007), "{kind:?}");
        }
        assert_eq!(added, of.additions(kind, 0.5, 0).unwrap(), "{kind:?} is the same each time");
        assert_eq!(added.added_to(&split.before).rows.len(), 24 * 12);
        assert_eq!(added.slates > 0, kind == AdditionKind::Simulated);
    }
    let draws = [0, 1].map(|seed| of.additions(AdditionKind::Simulated, 0.5, seed).unwrap());
    assert_ne!(draws[0].accepted, draws[1].accepted, "another seed draws other answers");
    assert!(
        draws[0]
            .rejected
            .iter()
            .zip(&draws[0].accepted)
            .all(|(rejected, accepted)| { accepted.iter().all(|row| !rejected.contains(&row.item)) })
    );
}

#[test]
fn fewer_additions_are_the_first_of_more() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = experiment(folder.path());
    let split = experiment.data.split_by(0.2, Cut::User).unwrap();
    let mut of = Augmentation::new(&experiment, &split, "popular");
    for kind in [AdditionKind::Simulated, AdditionKind::Swapped] {
        for amount in [2.0, 0.25, 1.0, 10.0, 0.5] {
            let apart = Augmentation::new(&experiment, &split, "popular").additions(kind, amount, 0).unwrap();
            assert_eq!(of.additions(kind, amount, 0).unwrap(), apart, "{kind:?} {amount}: after other amounts");
        }
    }
}

#[test]
fn additions_outside_the_lists_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = experiment(folder.path());
    let split = experiment.data.split_by(0.2, Cut::User).unwrap();
    let mut of = Augmentation::new(&experiment, &split, "popular");
    let items = experiment.data.items.len();
    let added = of.additions(AdditionKind::Policy, 10.0, 0).unwrap();
    assert_eq!((added.rows(), added.missing as usize), (24 * (items - 8), 24 * (80 - (items - 8))));
}

#[test]
fn items_of_the_own_kind_help_and_random_ones_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = experiment(folder.path());
    let split = experiment.data.split_by(0.2, Cut::User).unwrap();
    let mut of = Augmentation::new(&experiment, &split, "popular");
    let ask = Measurement {
        targets: vec!["item_knn".to_owned(), "popular".to_owned()],
        amounts: vec![0.5],
        kinds: vec![AdditionKind::Simulated, AdditionKind::Random],
        seeds: 2,
    };
    let mut trained = 0;
    let rows = measure(&mut of, &ask, |_| trained += 1).unwrap();
    assert_eq!((rows.len(), trained), (2 * 2 * 6, 4));
    for row in &rows {
        assert!((row.gain - (row.augmented - row.plain)).abs() < 1e-12 && row.users == 24);
        assert!((0.0..=1.0).contains(&row.plain) && (0.0..=1.0).contains(&row.augmented));
    }
    let plain: Vec<f64> =
        rows.iter().filter(|row| row.measure == "ndcg@5" && row.policy == "item_knn").map(|row| row.plain).collect();
    assert_eq!(plain[0], plain[1], "the same policy without additions");
}

#[test]
fn files_of_both_formats() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = experiment(folder.path());
    let split = experiment.data.split_by(0.2, Cut::User).unwrap();
    let added = Augmentation::new(&experiment, &split, "popular").additions(AdditionKind::Simulated, 0.25, 0).unwrap();
    let out = tempfile::tempdir().unwrap();
    write_log(out.path(), &experiment.data, &split, &added).unwrap();
    write_recbole(out.path(), "x", &experiment.data, &split, &added).unwrap();
    let lines = |name: &str| std::fs::read_to_string(out.path().join(name)).unwrap().lines().count() - 1;
    assert_eq!(lines("interactions.csv"), 24 * 10);
    assert_eq!((lines("held_out.csv"), lines("x.test.inter")), (24 * 2, 24 * 2));
    assert_eq!((lines("x.train.inter"), lines("x.valid.inter")), (24 * 9, 24));
    assert!(lines("rejected.csv") > 0);
}

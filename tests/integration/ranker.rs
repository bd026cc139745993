//! The policy `onnx` with the ranker that ships: it runs on MovieLens-100K, is as good as its card says, and refuses
//! what it was not made for.

use crate::util::{
    csv_rows, dataset, digests_of, has_data_and_runtime, manifest, movielens, names_in, package, place, read,
    recmirror, text, with_data, write,
};
use recmirror::Registry;
use recmirror::dataset::{Catalogue, TrainingLog};
use recmirror::files::sha256;
use recmirror::ids::{ItemId, LogUserId, simulated};
use recmirror::policy::{Blocked, Fits, PolicyContext, Requests};
use recmirror::random::Streams;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder of the ranker that ships.
fn sasrec() -> PathBuf {
    package().join("models/sasrec")
}

/// A scenario over `data` with `random`, the ranker in `model`, and the ranker inside `mmr`.
fn scenario(folder: &Path, data: &Path, model: &Path) -> PathBuf {
    let path = folder.join("ranker.toml");
    let model = model.display();
    let content = format!(
        "name = 'Ranker'\nseed = 5\nreplications = 1\nticks = 4\nslate = 5\n[data]\npath = '{}'\n[population]\nusers = 150\n\
         [arrival]\nprobability = 0.6\n[user]\nkind = 'parametric'\n[[policy]]\nkind = 'random'\n[[policy]]\nkind = 'onnx'\n\
         path = '{model}'\n[[policy]]\nkind = 'mmr'\n[policy.inner]\nkind = 'onnx'\npath = '{model}'\n",
        data.display()
    );
    write(&path, content);
    path
}

#[test]
fn the_ranker_runs_on_movielens_and_repeats() {
    if !has_data_and_runtime() {
        return;
    }
    let folder = place();
    let path = scenario(folder.path(), &movielens(), &sasrec());
    let run = |name: &str, threads: &str| {
        let out = folder.path().join(name);
        recmirror(&["run", text(&path), "--out", text(&out), "--threads", threads]).expect(0);
        out
    };
    let (one, two) = (run("one", "1"), run("two", "2"));
    assert_eq!(digests_of(&one), digests_of(&two));
    assert_eq!(names_in(&one.join("events")).len(), 3);
    let recorded = manifest(&one);
    let named: Vec<(&str, &str)> = recorded.rankers.iter().map(|it| (it.policy.as_str(), it.hash.as_str())).collect();
    let hash = sha256(&std::fs::read(sasrec().join("card.toml")).expect("a card"));
    assert_eq!(named, [("onnx", hash.as_str()), ("mmr", hash.as_str())]);
    assert!(!recorded.user.runtime.is_empty(), "the users need no runtime, the policies do");
    assert_eq!(manifest(&one).trials.iter().map(|trial| trial.short_slates).sum::<u64>(), 0);
    recmirror(&["replay", text(&one)]).expect(0);
    // The next items of users of MovieLens are taken more often than others.
    let mean = |policy: &str| {
        let rows = csv_rows(&one.join("summary.csv"));
        let row = rows.iter().find(|row| row[0] == policy && row[1] == "acceptance_rate").expect("a row");
        row[2].parse::<f64>().expect("a number")
    };
    assert!(mean("onnx") > mean("random"), "{} against {}", mean("onnx"), mean("random"));
}

#[test]
fn another_catalogue_leaves_the_policy_out_and_keeps_the_others() {
    if !has_data_and_runtime() {
        return;
    }
    let folder = with_data();
    let path = scenario(folder.path(), &folder.path().join("data"), &sasrec());
    let out = folder.path().join("out");
    let answer =
        recmirror(&["run", text(&path), "--out", text(&out), "--quiet", "--set", "population.users=20"]).expect(2);
    answer.says(&["policy `onnx`", "policy `mmr`", "card.toml: the ranker knows 1682 items, the catalogue has 80"]);
    let manifest = manifest(&out);
    assert_eq!((manifest.status.as_str(), manifest.failures.len()), ("partial", 2));
    assert_eq!(manifest.trials.iter().map(|trial| trial.policy.as_str()).collect::<Vec<_>>(), ["random"]);
}

/// NDCG@10 of the ranker that ships for the users of MovieLens-100K, on what each of them did after the cut.
fn ndcg() -> f64 {
    let data = dataset(&movielens());
    let split = data.split(0.2);
    let users: Vec<LogUserId> = (0..split.before.users() as u32).map(LogUserId).collect();
    let words = Requests::words(data.items.len());
    let mut blocked = vec![0; users.len() * words];
    for row in &split.before.rows {
        blocked[row.user.index() * words + row.item.index() / 64] |= 1 << (row.item.index() % 64);
    }
    let context = PolicyContext {
        catalogue: Arc::new(Catalogue::of(&data)),
        log: Arc::new(split.before),
        sources: users.clone().into(),
        slate: 10,
        tick_seconds: 86_400,
        kinds: Registry::builtin().policies().clone(),
        streams: Streams::new(1, 0),
        fits: Fits::default(),
    };
    let params = toml::Table::from_iter([("path".to_owned(), text(&sasrec()).into())]);
    let kind = context.kinds.iter().find(|kind| kind.name == "onnx").expect("a kind");
    let mut policy = kind.build(&params, &context).unwrap_or_else(|problem| panic!("{problem}"));
    let (streams, items) = (context.streams, data.items.len());
    let requests = Requests {
        tick: 0,
        slate: 10,
        items,
        users: &simulated(&users),
        blocked: Blocked::rows(&blocked, items),
        streams,
        oracle_access: None,
    };
    let slates = policy.slates(&requests).expect("slates");
    mean_ndcg(&slates.items, &split.held_out)
}

/// The mean over users with held-out items of `sum_k hit_k / log2(k + 2)` over its largest value.
fn mean_ndcg(slates: &[ItemId], held_out: &TrainingLog) -> f64 {
    let gain = |slot: usize| 1.0 / libm::log2(slot as f64 + 2.0);
    let one = |(user, slate): (usize, &[ItemId])| {
        let wanted: Vec<ItemId> = held_out.of(LogUserId(user as u32)).iter().map(|row| row.item).collect();
        let best: f64 = (0..wanted.len().min(10)).map(gain).sum();
        let hits = slate.iter().enumerate().filter(|(_, item)| wanted.contains(item));
        (!wanted.is_empty()).then(|| hits.map(|(slot, _)| gain(slot)).sum::<f64>() / best)
    };
    let values: Vec<f64> = slates.chunks(10).enumerate().filter_map(one).collect();
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn the_ranker_is_as_good_as_its_card_says() {
    if !has_data_and_runtime() {
        return;
    }
    let card: toml::Table = toml::from_str(&read(&sasrec().join("card.toml"))).expect("a card");
    let stated = |policy: &str| card["measured"]["ndcg_at_10"][policy].as_float().expect("a figure");
    let found = ndcg();
    // The rows of one time were ordered by the file when the model was trained, and are ordered by item ids now: 2.4% of the
    // held-out rows are others.
    assert!((found - stated("onnx")).abs() <= 0.005, "{found}, the card says {}", stated("onnx"));
    assert!(found > stated("popular"), "{found}");
}

#[test]
fn the_ranker_is_small() {
    let bytes: u64 = names_in(&sasrec()).iter().map(|name| sasrec().join(name).metadata().expect("a file").len()).sum();
    assert!(bytes > 0 && bytes <= 4 << 20, "{bytes} bytes");
}

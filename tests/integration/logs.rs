//! Small logs that were once read wrong: each is read right as data of a scenario, and by `import` where it can be imported.

use crate::util::{Log, digests, package, place, prepare, read, recmirror, run_on, text};
use recmirror::Registry;
use recmirror::dataset::{Cleaner, Dataset};
use recmirror::ids::ItemId;
use std::path::PathBuf;

fn fixture(name: &str) -> PathBuf {
    package().join("tests/fixtures/logs").join(name)
}

fn data(name: &str) -> Dataset {
    Dataset::read(&fixture(name)).unwrap_or_else(|problem| panic!("{problem}"))
}

/// The rows as (user, item, rating, time in milliseconds).
fn rows(data: &Dataset) -> Vec<(&str, &str, f32, i64)> {
    let row = |row: &recmirror::dataset::Interaction| {
        (data.users.external(row.user.0), data.items.external(row.item.0), row.rating, row.time)
    };
    data.interactions.iter().map(row).collect()
}

/// The interactions that an import writes, and what it prints.
fn imported(name: &str) -> (Vec<serde_json::Value>, String) {
    let folder = place();
    let project = folder.path().join("p");
    let source = fixture(name);
    let output =
        recmirror(&["import", "custom", text(&source), "--project", text(&project), "--name", "x"]).expect(0).stdout;
    let lines = read(&project.join("raws/x_interaction.jsonl"));
    (lines.lines().map(|line| serde_json::from_str(line).expect("a row")).collect(), output)
}

#[test]
fn a_mark_at_the_beginning_is_no_part_of_a_name() {
    let data = data("bom");
    assert_eq!((data.users.len(), data.items.len(), rows(&data)[0]), (2, 2, ("u1", "i1", 4.0, 1_577_934_245_000)));
}

#[test]
fn of_two_ratings_at_one_time_the_highest_is_kept() {
    let data = data("dup");
    assert_eq!(rows(&data)[0], ("u1", "a", 5.0, 1_577_934_245_000));
    assert_eq!((data.interactions.len(), data.cleanup.of(Cleaner::ContradictingRow)), (3, 1));
}

#[test]
fn items_without_a_file_have_their_ids() {
    let data = data("noitems");
    assert_eq!((data.title_of(ItemId(0)), data.title_of(ItemId(4))), ("a", "e"));
    let (_, output) = imported("noitems");
    assert!(output.contains("history: item ") && output.contains("item:    item "), "{output}");
}

#[test]
fn ratings_of_any_scale_are_read() {
    let hundred = data("ratings/hundred_interaction.csv");
    let scale = hundred.scale.expect("a scale");
    assert_eq!((scale.min, scale.max, scale.level(87.5), scale.level(0.0)), (0.0, 100.0, 4.5, 1.0));
    let fine = data("ratings/milliseconds_interaction.csv");
    assert_eq!(
        rows(&fine).iter().map(|row| row.3).collect::<Vec<_>>(),
        [1_577_934_245_000, 1_577_934_246_500, 1_577_934_247_000]
    );
    let commas = data("ratings/semicolon_interaction.csv");
    assert_eq!(rows(&commas)[0], ("u1", "7", 4.5, 1_577_934_245_000));
    let (written, _) = imported("ratings/milliseconds_interaction.csv");
    assert_eq!(written[1]["timestamp"], serde_json::json!(1_577_934_246.5), "a fraction of a second stays");
}

#[test]
fn zones_order_rows() {
    let items: Vec<_> = rows(&data("zones")).iter().map(|row| (row.1.to_owned(), row.3)).collect();
    assert_eq!(items, [("first".to_owned(), 1_577_836_800_000), ("second".to_owned(), 1_577_872_800_000)]);
    let (written, _) = imported("zones");
    assert_eq!(written[0]["timestamp"], serde_json::json!(1_577_836_800));
}

#[test]
fn the_order_of_lines_changes_no_digest_of_any_policy() {
    let all = Registry::builtin();
    let able = all.policies().iter().filter(|kind| kind.keys.iter().all(|key| !key.is_required()));
    let kinds: Vec<&str> = able.map(|kind| kind.name).collect();
    let mut log = Log::synthetic(30, 40);
    // Many rows share their second, also where each user's rows are cut.
    log.ratings.iter_mut().for_each(|row| row.time -= row.time % 400_000);
    let digests_of = |log: &Log| {
        let folder = place();
        log.write_recbole(&folder.path().join("data"));
        digests(&run_on(2, &prepare(folder.path(), &kinds, &[])))
    };
    let base = digests_of(&log);
    log.ratings.reverse();
    assert_eq!(digests_of(&log), base, "reversed");
    let half = log.ratings.len() / 2;
    log.ratings.rotate_left(half);
    log.ratings[..half].sort_by_key(|row| (row.item, row.user));
    assert_eq!(digests_of(&log), base, "half of it by item");
}

//! The mirror on its training log, and on logs that are not its own.

use super::*;

#[test]
fn the_shipped_vectors_are_those_of_the_training_log() {
    if !has_data_and_runtime() {
        return;
    }
    let (data, before) = data();
    let card = Card::read(&model()).expect("a card");
    let basis = card.basis(&model()).expect("readable").expect("item vectors");
    let (found, coverage) = basis.vectors(before, &data.items);
    assert_eq!((coverage.known, coverage.folded, coverage.without), (data.items.len(), 0, 0));
    let expected = item_vectors(before, card.features.rank);
    assert_eq!(bits(found.as_slice().expect("a table")), bits(expected.as_slice().expect("a table")));
    assert!(mirror().notes().is_empty(), "nothing to say of the log of its training");
}

/// One user more, who takes an item that training did not know.
fn grown_log(folder: &Path) {
    for ending in ["inter", "item", "user"] {
        let more = match ending {
            "inter" => "944\t50\t5\t880000000\n944\t1683\t4\t880000001\n944\t181\t5\t880000002\n",
            "item" => "1683\tA new one\t1998\tDrama\n",
            _ => "944\t30\tM\tother\t00000\n",
        };
        let name = format!("ml-100k.{ending}");
        write(&folder.join(&name), read(&movielens().join(&name)).trim_end().to_owned() + "\n" + more);
    }
}

#[test]
fn a_log_that_is_not_the_training_log_is_named_and_its_report_claims_no_figure_of_the_card() {
    if !has_data_and_runtime() {
        return;
    }
    let folder = place();
    let figures = Card::read(&model()).expect("a card").measured;
    let figure = figures["figure"][0]["value"].as_str().expect("a figure").to_owned();
    grown_log(folder.path());
    let scenario = folder.path().join("grown.toml");
    let of = |data: &Path| {
        let (data, model) = (text(data), model());
        let head = format!("ticks = 1\nreplications = 1\n[data]\npath = '{data}'\n[population]\nusers = 20\n");
        write(
            &scenario,
            head + &format!("[user]\nkind = \"mirror\"\npath = '{}'\n[[policy]]\nkind = \"random\"\n", text(&model)),
        );
        let out = folder.path().join(Path::new(data).file_name().expect("a name")).with_extension("run");
        let said = recmirror(&["run", text(&scenario), "--out", text(&out), "--quiet"]).expect(0);
        let report = read(&out.join("report.html"));
        (
            said.stdout.contains("was trained on another"),
            report.contains("was trained on another log"),
            report.contains(&figure),
            out,
        )
    };
    let (said, reported, claims, out) = of(folder.path());
    assert!(said && reported && !claims, "{said} {reported} {claims}");
    let notes = manifest(&out).user.notes;
    assert!(
        notes.iter().any(|note| note.contains("1682 from the model's training, 1 folded in from this log, 0 without")),
        "{notes:?}"
    );
    let (said, reported, claims, out) = of(&movielens());
    assert!(!said && !reported && claims, "{said} {reported} {claims}");
    assert!(manifest(&out).user.notes.is_empty());
}

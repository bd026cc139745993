//! Names and texts that others choose: nothing in them steers a terminal, is a formula in a spreadsheet, or breaks another
//! program's rules.

use crate::util::{csv_rows, read, recmirror, scenario_text, text, with_data, write};
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::fs::File;
use std::path::Path;

/// The text columns of a Parquet file, row by row.
fn parquet_rows(path: &Path) -> Vec<String> {
    let reader = SerializedFileReader::new(File::open(path).expect("a file")).expect("Parquet");
    reader.get_row_iter(None).expect("rows").map(|row| row.expect("a row").to_string()).collect()
}

#[test]
fn nothing_steers_a_terminal() {
    let folder = with_data();
    let items = folder.path().join("data/small.item");
    let listing = read(&items);
    let title = listing.lines().nth(1).and_then(|line| line.split('\t').nth(1)).expect("a title").to_owned();
    write(&items, listing.replace(&title, &format!("{title}\u{1b}]0;owned\u{7}\u{9b}31m")));
    let scenario = folder.path().join("small.toml");
    // TOML has its own form for such characters.
    write(
        &scenario,
        scenario_text(&["popular", "random"]).replace("name = 'random'", "name = \"\\u001b[31mred\\u001b[0m\""),
    );
    let out = folder.path().join("out");
    let first = recmirror(&["run", text(&scenario), "--out", text(&out)]).expect(0);
    let mut said = vec![first.stdout, first.stderr];
    for user in ["0", "1", "2", "3"] {
        let story = ["story", text(&out), "--user", user, "--policy", "\u{1b}[31mred\u{1b}[0m"];
        said.push(recmirror(&story).expect(0).stdout);
    }
    said.push(recmirror(&["story", text(&out), "--user", "0", "--policy", "\u{1b}[2Jnobody"]).expect(2).stderr);
    said.push(recmirror(&["compare", text(&out)]).expect(0).stdout);
    for text in &said {
        assert!(!text.contains(|letter: char| letter.is_control() && !"\n\t".contains(letter)), "{text:?}");
    }
    let all = said.concat();
    assert!(all.contains("\\u001b[31mred\\u001b[0m") && all.contains("\\u001b]0;owned\\u0007\\u009b31m"), "{all}");
    assert!(all.contains("\\u001b[2Jnobody"), "{all}");
}

#[test]
fn names_are_no_formulas_and_are_read_back() {
    let folder = with_data();
    let scenario = folder.path().join("small.toml");
    let formula = "=HYPERLINK(1)";
    let plain = scenario_text(&["popular", "random"]);
    write(&scenario, plain.replace("name = 'random'", &format!("name = '{formula}'")));
    let path = folder.path().join("data/small.item");
    let listing = read(&path);
    let title = listing.lines().nth(1).and_then(|line| line.split('\t').nth(1)).expect("a title").to_owned();
    write(&path, listing.replacen(&format!("\t{title}\t"), "\t-1+1\t", 1));
    let out = folder.path().join("out");
    recmirror(&["run", text(&scenario), "--out", text(&out), "--quiet"]).expect(0);
    assert_eq!(csv_rows(&out.join("items.csv"))[0][2], "'-1+1");
    let stories = (0..60).map(|user| recmirror(&["story", text(&out), "--user", &user.to_string()]).expect(0).stdout);
    let output: String = stories.collect();
    assert!(output.contains("-1+1") && !output.contains("'-1+1"), "the title is read back as it was");
    for name in ["ticks", "series", "finals", "summary", "compare", "pairs", "curves", "policies", "items", "users"] {
        let rows = csv_rows(&out.join(format!("{name}.csv")));
        for cell in rows.iter().flatten() {
            let is_number = cell.parse::<f64>().is_ok();
            assert!(is_number || !cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{name}: {cell}");
        }
    }
    assert!(csv_rows(&out.join("finals.csv")).iter().any(|row| row[0] == format!("'{formula}")));
    let finals: serde_json::Value = serde_json::from_str(&read(&out.join("tables/finals.json"))).expect("JSON");
    assert!(finals.as_array().expect("rows").iter().any(|row| row["policy"] == formula), "JSON has the name itself");
    let compared = recmirror(&["compare", text(&out), "--baseline", formula]).expect(0);
    assert!(
        compared.stdout.contains(formula) && !compared.stdout.contains(&format!("'{formula}")),
        "{}",
        compared.stdout
    );
    let keys: Vec<Vec<String>> = csv_rows(&out.join("policies.csv"));
    assert_eq!(keys, [["popular", "popular"], [&format!("'{formula}"), "_HYPERLINK_1_"]]);
}

/// A row whose first field, or first two, begin with zeros.
fn padded(line: &str, both: bool) -> String {
    let fields = line.split('\t').enumerate();
    let pad = |(place, field): (usize, &str)| {
        if place == 0 || both && place == 1 { format!("00{field}") } else { field.to_owned() }
    };
    fields.map(pad).collect::<Vec<_>>().join("\t")
}

#[test]
fn external_ids_stay_text_and_providers_are_in_a_file() {
    let folder = with_data();
    // Ids of the data set as a publisher may write them.
    for name in ["small.inter", "small.item", "small.user"] {
        let path = folder.path().join("data").join(name);
        let rows: Vec<String> = read(&path)
            .lines()
            .enumerate()
            .map(|(place, line)| if place == 0 { line.to_owned() } else { padded(line, name == "small.inter") })
            .collect();
        write(&path, rows.join("\n") + "\n");
    }
    let scenario = folder.path().join("small.toml");
    write(
        &scenario,
        scenario_text(&["random"]).replace("path = 'data'", "path = 'data'\nproviders = 'seeded'\nprovider_count = 3"),
    );
    let out = folder.path().join("out");
    let answer = recmirror(&["run", text(&scenario), "--out", text(&out), "--quiet"]);
    answer.expect(0);
    let users = parquet_rows(&out.join("tables/users.parquet"));
    assert_eq!(users[0], "{replication: \"all\", user: 0, external_id: \"001\"}");
    assert_eq!(users.len(), csv_rows(&out.join("users.csv")).len());
    let items = csv_rows(&out.join("items.csv"));
    assert_eq!(parquet_rows(&out.join("tables/items.parquet")).len(), items.len());
    let providers: std::collections::BTreeSet<&str> = items.iter().map(|row| row[3].as_str()).collect();
    assert_eq!(providers.into_iter().collect::<Vec<_>>(), ["provider 1", "provider 2", "provider 3"]);
}

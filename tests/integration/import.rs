//! `import`: small files in each publisher's own form, through the binary, to the unified form and its texts.

mod reviews;
mod shelves;

use crate::util::{Answer, names_in, place, read, recmirror, text, write};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder with a publisher's files in `from/` and a project beside it.
struct Import {
    folder: TempDir,
}

impl Import {
    fn of(files: &[(&str, &str)]) -> Import {
        let import = Import { folder: place() };
        for (name, content) in files {
            write(&import.from().join(name), content);
        }
        import
    }

    fn from(&self) -> PathBuf {
        self.folder.path().join("from")
    }

    fn raws(&self) -> PathBuf {
        self.folder.path().join("project/raws")
    }

    fn try_it(&self, family: &str, more: &[&str]) -> Answer {
        self.try_from(family, &self.from(), more)
    }

    fn try_from(&self, family: &str, source: &Path, more: &[&str]) -> Answer {
        let project = self.folder.path().join("project");
        let mut arguments = vec!["import", family, text(source), "--project", text(&project), "--name", "x", "-q"];
        arguments.extend_from_slice(more);
        recmirror(&arguments)
    }

    fn run(&self, family: &str) -> Answer {
        self.try_it(family, &[]).expect(0)
    }

    fn rows(&self, kind: &str) -> Vec<Value> {
        let lines = read(&self.raws().join(format!("x_{kind}.jsonl")));
        lines.lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
    }

    fn interactions(&self) -> Vec<Value> {
        self.rows("interaction")
    }

    /// User, item and time of each interaction.
    fn triples(&self) -> Vec<(Value, Value, Value)> {
        let row = |row: Value| (row["user_id"].clone(), row["item_id"].clone(), row["timestamp"].clone());
        self.interactions().into_iter().map(row).collect()
    }
}

/// Asserts that stdout has all of these lines, without the space around them.
#[track_caller]
fn shows(answer: &Answer, lines: &[&str]) {
    for line in lines {
        assert!(answer.stdout.lines().any(|shown| shown.trim() == *line), "no `{line}` in: {}", answer.stdout);
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(bytes).expect("packed");
    writer.finish().expect("packed")
}

/// Two users in the columns of `u.data`: one with five ratings, out of order, and one with four.
const RATINGS: [[u32; 4]; 9] = [
    [7, 1, 5, 900_000_400],
    [7, 2, 3, 900_000_100],
    [7, 3, 1, 900_000_200],
    [8, 1, 4, 900_000_000],
    [7, 4, 4, 900_000_300],
    [7, 5, 2, 900_000_500],
    [8, 2, 4, 900_000_000],
    [8, 3, 4, 900_000_000],
    [8, 4, 4, 900_000_000],
];

fn lines<'a>(separator: &str, rows: impl IntoIterator<Item = &'a [u32; 4]>) -> String {
    let row = |row: &[u32; 4]| row.map(|field| field.to_string()).join(separator) + "\n";
    rows.into_iter().map(row).collect()
}

const FILMS: [(u32, &str, u32, &str); 6] = [
    (1, "Café Noir", 1995, "Comedy|Drama"),
    (2, "Heat, The", 1996, "Drama"),
    (3, "Long (Way)", 1998, "Comedy"),
    (4, "Four", 1997, ""),
    (5, "Five", 1990, "Drama"),
    (6, "Unseen", 1991, "Drama"),
];

fn u_item() -> Vec<u8> {
    let film = |(id, title, year, genres): &(u32, &str, u32, &str)| {
        let flags = crate::util::FLAGS.map(|flag| if genres.split('|').any(|genre| genre == flag) { "1" } else { "0" });
        format!("{id}|{title} ({year})|01-Jan-{year}||http://x|{}\n", flags.join("|"))
    };
    FILMS.iter().map(film).collect::<String>().chars().map(|letter| letter as u8).collect()
}

#[test]
fn movielens_is_the_same_in_each_of_its_forms() {
    let mut seen: Vec<(Vec<Value>, Vec<Value>)> = Vec::new();
    for form in ["100k", "colons", "csv", "recbole"] {
        let import = Import::of(&[]);
        let at = |name: &str| import.from().join(name);
        let film = |separator: &str, (id, title, year, genres): &(u32, &str, u32, &str)| {
            format!("{id}{separator}{title} ({year}){separator}{genres}\n")
        };
        match form {
            "100k" => {
                write(&at("u.data"), lines("\t", &RATINGS));
                write(&at("u.item"), u_item());
                write(&at("u.user"), "7|30|F|writer|55105\n8|20|M|student|00000\n");
            }
            "colons" => {
                write(&at("ratings.dat"), lines("::", &RATINGS));
                let films: String = FILMS.iter().map(|of| film("::", of)).collect();
                write(&at("movies.dat"), films.chars().map(|letter| letter as u8).collect::<Vec<u8>>());
                write(&at("users.dat"), "7::F::25::20::55105\n8::M::1::4::00000\n");
            }
            "csv" => {
                write(&at("ratings.csv"), format!("userId,movieId,rating,timestamp\n{}", lines(",", &RATINGS)));
                let quoted = |of: &(u32, &str, u32, &str)| film(",", of).replacen(of.1, &format!("\"{}", of.1), 1);
                let films: String = FILMS.iter().map(quoted).map(|line| line.replace("),", ")\",")).collect();
                write(&at("movies.csv"), format!("movieId,title,genres\n{films}"));
            }
            _ => {
                let head = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n";
                write(&at("a.inter"), format!("{head}{}", lines("\t", &RATINGS)));
                let item = |(id, title, year, genres): &(u32, &str, u32, &str)| {
                    format!("{id}\t{title}\t{year}\t{}\n", genres.replace('|', " "))
                };
                let films: String = FILMS.iter().map(item).collect();
                write(
                    &at("a.item"),
                    format!("item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n{films}"),
                );
                write(
                    &at("a.user"),
                    "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n7\t30\tF\twriter\t55105\n",
                );
            }
        }
        let answer = import.run("movielens");
        assert!(answer.stdout.contains(&format!("(movielens, {form})")), "{}", answer.stdout);
        shows(
            &answer,
            &[
                "9 rows read, 5 interactions kept, 1 of them earlier than their user's row before, 5 items, 1 users",
                "dropped         1  item that no kept interaction names (first: FILE:6)"
                    .replace(
                        "FILE:6",
                        match form {
                            "100k" => "u.item:6",
                            "colons" => "movies.dat:6",
                            "csv" => "movies.csv:7",
                            _ => "a.item:7",
                        },
                    )
                    .as_str(),
                "history: Café Noir (1995); genres: Comedy, Drama; rated 5 of 5; 1 minute ago",
                "item:    Café Noir (1995); genres: Comedy, Drama",
            ],
        );
        let profile = match form {
            "100k" | "recbole" => "female, age 30, occupation: writer, living at US postal code 55105.",
            "colons" => "female, age 25-34, occupation: writer, living at US postal code 55105.",
            _ => "Nothing is known of this person but what they watched.",
        };
        shows(&answer, &[&format!("profile: {profile}")]);
        seen.push((import.interactions(), import.rows("item_feature")));
    }
    let (interactions, items) = &seen[0];
    assert!(seen.iter().all(|other| other == &seen[0]), "{seen:#?}");
    assert_eq!(interactions.iter().map(|row| row["item_id"].as_i64()).collect::<Vec<_>>(), [1, 2, 3, 4, 5].map(Some));
    let first = json!({"user_id": 7, "item_id": 1, "timestamp": 900_000_400, "behavior_features": {"rating": 5, "best_rating": 5}});
    assert_eq!(interactions[0], first);
    let third = json!({"item_id": 3, "item_description": {"title": "Long (Way)", "year": 1998, "genres": ["Comedy"]}, "item_features": {"year": 1998}});
    assert_eq!(items[2], third);
}

#[test]
fn movietweetings_has_its_own_scale_and_keeps_its_ids() {
    let ratings: String = (1..=5).map(|film| format!("1::000{film}::{}::136502910{film}\n", 5 + film)).collect();
    let films: String = (1..=5).map(|film| format!("000{film}::Film {film} (2013)::Drama\n")).collect();
    let import = Import::of(&[("ratings.dat", &ratings), ("movies.dat", &films), ("users.dat", "1::177651718\n")]);
    let answer = import.run("movielens");
    shows(
        &answer,
        &[
            "history: Film 1 (2013); genres: Drama; rated 6 of 10; just now",
            "item:    [New release] Film 1 (2013); genres: Drama",
        ],
    );
    assert_eq!(import.triples()[0], (json!(1), json!("0001"), json!(1_365_029_101)));
}

const BEHAVIORS: &str = "1\tU1\t11/13/2019 9:00:00 AM\tN1 N2 N3 N4 N5\tN6-0 N7-1\n\
    2\tU1\t11/13/2019 8:00:00 PM\tN1 N2 N3 N4 N5\tN7-0 N8-0 N6-1\n\
    3\tU2\t11/12/2019 12:00:01 AM\tN1 N2 N3 N4\tN6-1 N7-0\n\
    4\tU3\t11/14/2019 9:00:00 AM\tN1 N2 N3 N4 N5\tN6-1 N7-1\n\
    5\tU4\t11/14/2019 9:00:00 AM\tN1 N2 N3 N4 N5\tN1-1 N2-0 N3-0 N4-0 N5-0 N6-0 N7-0 N8-0 N9-0 N10-0 N11-0\n";

#[test]
fn mind_keeps_real_impressions_and_earlier_clicks() {
    let news: String =
        (1..=9).map(|news| format!("N{news}\tsports\tgolf\tTitle {news}\tAbout {news}\thttps://x\t[]\t[]\n")).collect();
    let import = Import::of(&[("behaviors.tsv", BEHAVIORS), ("news.tsv", &news)]);
    let answer = import.run("mind");
    shows(
        &answer,
        &[
            "10 rows read, 7 interactions kept, 8 items, 1 users",
            "dropped         1  impression of more than 10 articles (first: behaviors.tsv:5)",
            "dropped         1  impression with fewer than 5 clicks before it (first: behaviors.tsv:3)",
            "dropped         1  impression without exactly one click (first: behaviors.tsv:4)",
            "dropped         1  item that no kept interaction names (first: news.tsv:9)",
            "history: Title 1; category: sports / golf",
            "note: interactions without a time: 5; they count as earlier than all that have one, in the order of the file",
        ],
    );
    let before: Vec<_> = (1..=5).map(|news| (json!("U1"), json!(format!("N{news}")), Value::Null)).collect();
    assert_eq!(import.triples()[..5], before);
    let click = json!({"user_id": "U1", "item_id": "N7", "timestamp": 1_573_635_600, "behavior_features": {"impression_list": ["N6", "N7"], "item_pos": 1}});
    assert_eq!(import.interactions()[5], click);
    // An article's time is that of its first impression, also of one that is left out; N8 was shown but never read.
    let items = import.rows("item_feature");
    let times: Vec<&Value> = items.iter().map(|item| &item["item_features"]["time"]).collect();
    let first = json!(1_573_516_801);
    let last = json!(1_573_675_200);
    assert_eq!(times[5..], [&first, &first, &last]);
    assert!(times[0].is_number(), "shown on the last day only");
}

#[test]
fn mind_works_without_its_news_and_says_so() {
    let import = Import::of(&[("behaviors.tsv", BEHAVIORS)]);
    shows(
        &import.run("mind"),
        &[
            "note: there is no `news.tsv`: 11 articles have no title and no category, only their number",
            "history: news article N1",
        ],
    );
    let news = "N6\tsports\tgolf\tTitle\tAbout\thttps://x\t[]\t[]\n";
    write(&import.from().join("news.tsv"), news);
    import.try_it("mind", &[]).expect(2).says(&[
        "no interaction is left",
        "row whose impression_list shows an item that is not among the items",
        "dropped         6  row of an item that is not among the items (first: behaviors.tsv:1)",
    ]);
}

#[test]
fn custom_reads_the_unified_form_as_jsonl_and_as_csv() {
    let import = Import::of(&[
        (
            "shop_interaction.csv",
            "user_id,item_id,timestamp,rating,note,impression_list,item_pos\nu1,7,2020-01-02 03:04:05,4.5,ok,8 7,1\nu1,8,2020-01-03,,,,\nu2,7,86400,1,,7 9,0\nu2,8,x,1,,,\n",
        ),
        ("shop_item_feature.csv", "item_id,title,colour,year\n7,Cup,red,2019\n8,Plate,,\n"),
        ("shop_user_feature.csv", "user_id,city\nu1,Oslo\nu2,\n"),
    ]);
    let answer = import.run("custom");
    shows(
        &answer,
        &[
            "4 rows read, 2 interactions kept, 2 items, 1 users",
            "dropped         1  row whose impression_list shows an item that is not among the items (first: shop_interaction.csv:4)",
            "dropped         1  row whose time cannot be read (first: shop_interaction.csv:5)",
            "profile: city: Oslo",
            "item:    Cup; colour: red; year: 2019",
            "history: Cup; note: ok; rating: 4.5; 20 hours ago",
        ],
    );
    let first = json!({"user_id": "u1", "item_id": 7, "timestamp": 1_577_934_245, "behavior_features": {"impression_list": [8, 7], "item_pos": 1, "note": "ok", "rating": 4.5}});
    assert_eq!(import.interactions()[0], first);
    assert_eq!(import.rows("item_feature")[0]["item_features"], json!({"year": 2019}));

    // A missing time among times is an error of the row; a column without any is a log without times.
    let times = |times: [&str; 3]| {
        let rows: String = times.iter().zip(1..).map(|(time, item)| format!("u,{item},{time}\n")).collect();
        let import = Import::of(&[("y_interaction.csv", &format!("user_id,item_id,timestamp\n{rows}"))]);
        let answer = import.run("custom");
        (answer.stdout, import.interactions().len())
    };
    let (output, kept) = times(["2020-01-03", "", "2020-01-05"]);
    assert!(output.contains("dropped         1  row without a time (first: y_interaction.csv:3)"), "{output}");
    assert_eq!(kept, 2);
    let (output, kept) = times(["", "", ""]);
    assert!(output.contains("the log has no times") && !output.contains("dropped"), "{output}");
    assert_eq!(kept, 3);

    // Zones, units and decimal commas are read as in every other table.
    let other = Import::of(&[(
        "z_interaction.csv",
        "user_id;item_id;timestamp;rating\nu;late;2020-01-01 02:00:00-08:00;4,5\nu;early;2020-01-01 09:00:00+09:00;2,0\n",
    )]);
    other.run("custom");
    let times_and_ratings: Vec<_> = other
        .interactions()
        .iter()
        .map(|row| (row["timestamp"].clone(), row["behavior_features"]["rating"].clone()))
        .collect();
    assert_eq!(times_and_ratings, [(json!(1_577_872_800), json!(4.5)), (json!(1_577_836_800), json!(2.0))]);
    shows(&other.run("custom"), &["item:    item late", "history: item late; rating: 4.5; just now"]);
    let other =
        Import::of(&[("m_interaction.csv", "user_id,item_id,timestamp\nu,a,1577934245000\nu,b,1577934246500\n")]);
    shows(&other.run("custom"), &["note: `timestamp` holds milliseconds since 1970"]);
    assert_eq!(other.interactions()[0]["timestamp"], json!(1_577_934_245));

    // The written files read back unchanged, including templates.
    let again = Import::of(&[]);
    for kind in ["interaction", "item_feature", "user_feature"] {
        let name = format!("x_{kind}.jsonl");
        write(&again.from().join(&name), read(&import.raws().join(&name)));
    }
    let own = "profile = \"\"\nitem = \"{{ item.title }}!\"\nhistory = \"{{ item.title }}?\"\n";
    write(&again.from().join("x_template.toml"), own);
    shows(&again.run("custom"), &["item:    Cup!", "history: Cup?"]);
    for name in names_in(&again.from()) {
        assert_eq!(read(&again.from().join(&name)), read(&again.raws().join(&name)), "{name}");
    }
    // A row that says itself that it has no time is the past of the others, and that is reported.
    let log = again.from().join("x_interaction.jsonl");
    write(&log, read(&log) + "{\"user_id\":\"u1\",\"item_id\":8,\"timestamp\":null}\n");
    let note =
        "note: interactions without a time: 1; they count as earlier than all that have one, in the order of the file";
    shows(&again.run("custom"), &[note]);
}

#[test]
fn the_same_files_give_the_same_bytes_packed_or_not() {
    let import = Import::of(&[("ratings.csv", &format!("userId,movieId,rating,timestamp\n{}", lines(",", &RATINGS)))]);
    let bytes = |import: &Import| -> Vec<String> {
        names_in(&import.raws()).iter().map(|name| read(&import.raws().join(name))).collect()
    };
    import.run("movielens");
    let plain = bytes(&import);
    import.run("movielens");
    assert_eq!(bytes(&import), plain);
    let packed = gzip(read(&import.from().join("ratings.csv")).as_bytes());
    std::fs::remove_file(import.from().join("ratings.csv")).expect("removed");
    write(&import.from().join("ratings.csv.gz"), packed);
    import.run("movielens");
    assert_eq!(bytes(&import), plain);
}

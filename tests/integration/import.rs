//! `import`: small files in each publisher's own form, through the binary, to the unified form and its texts.

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
    fn told(&self) -> Vec<(Value, Value, Value)> {
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

/// Two people in the columns of `u.data`: one with five ratings, out of order, and one with four.
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
    assert_eq!(import.told()[0], (json!(1), json!("0001"), json!(1_365_029_101)));
}

/// Reviews of `user` for these games, as Python literals.
fn steam_reviews(user: &str, games: &[u32]) -> String {
    let review = |game: &u32| {
        format!(
            "{{u'username': u'{user}', u'hours': 2.5, u'products': 41, u'product_id': u'{game}', u'date': u'2017-12-{:02}', u'text': u'it\\'s\\n\"fine\"', u'early_access': False, u'compensation': None}}\n",
            10 + game % 22
        )
    };
    games.iter().map(review).collect()
}

#[test]
fn steam_takes_the_first_review_of_users_with_five_to_twenty() {
    let games: String = (1..=21)
        .map(|game| format!("{{u'id': u'{game}', u'app_name': u'G{game}', u'title': u'Game {game}', u'genres': [u'Action', u'Indie'], u'tags': [u'Fun'], u'specs': [], u'developer': u'Dev', u'publisher': u'Pub', u'release_date': u'2016-01-04', u'price': {}, u'sentiment': u'Mixed'}}\n", if game == 1 { "u'Free To Play'" } else { "4.99" }))
        .collect();
    let many: Vec<u32> = (1..=21).collect();
    // Ann has five games and one of them twice; Bob has four and one twice; Cy has 21; Dan's last game is unknown.
    let mut reviews = steam_reviews("Ann", &[2, 1, 3, 2, 4, 5]);
    reviews += &steam_reviews("Bob", &[1, 2, 3, 4, 1]);
    reviews += &steam_reviews("Cy", &many);
    reviews += &steam_reviews("Dan", &[1, 2, 3, 4, 99]);
    let import = Import::of(&[("steam_games.json", &games)]);
    write(&import.from().join("steam_reviews.json.gz"), gzip(reviews.as_bytes()));
    let answer = import.run("steam");
    shows(
        &answer,
        &[
            "37 rows read, 5 interactions kept, 1 of them earlier than their user's row before, 5 items, 1 users",
            "dropped         8  row of a user with fewer than 5 (first: steam_reviews.json.gz:7)",
            "dropped        21  row of a user with more than 20 (first: steam_reviews.json.gz:12)",
            "dropped         1  row of an item that is not among the items (first: steam_reviews.json.gz:37)",
            "dropped         2  row with the user and item of an earlier row (first: steam_reviews.json.gz:4)",
            "profile: Owns 41 products on Steam.",
            "history: Game 2; genres: Action, Indie; played 2.5 hours; review: \"it's \"fine\"\"; 3 days ago",
            "item:    Game 2; genres: Action, Indie; developer: Dev; publisher: Pub; released: 2016-01-04; tags: Fun; reviews: Mixed; price: $4.99",
        ],
    );
    assert_eq!(import.told().iter().map(|row| row.1.clone()).collect::<Vec<_>>(), [2, 1, 3, 4, 5].map(|id| json!(id)));
    let items = import.rows("item_feature");
    assert_eq!(items[0]["item_description"]["price"], "Free To Play");
    assert_eq!(items[0]["item_features"]["time"], 1_451_865_600);
}

#[test]
fn steam_reads_csv_too() {
    let rows: String = (1..=5)
        .map(|game| format!("9,{game},2015-12-0{game},{},No ratings yet\n", if game == 1 { "False" } else { "True" }))
        .collect();
    let games: String =
        (1..=5).map(|game| format!("{game},\"Game, {game}\",Action|RPG,,Single-player,Free,1998,,Pub\n")).collect();
    let import = Import::of(&[
        ("user_reviews.csv", &format!("user_id,item_id,posted,recommend,helpful\n{rows}")),
        ("games.csv", &format!("id,app_name,genres,tags,specs,price,release_date,developer,publisher\n{games}")),
    ]);
    let answer = import.run("steam");
    shows(
        &answer,
        &[
            "history: Game, 1; genres: Action, RPG; advised against it; 4 days ago",
            "item:    Game, 1; genres: Action, RPG; publisher: Pub; released: 1998; specs: Single-player; price: Free",
        ],
    );
    assert_eq!(import.rows("item_feature")[0]["item_features"], json!({"year": 1998}));
}

#[test]
fn amazon_2023_uses_the_end_of_the_log_and_products_with_ratings() {
    // Of ten days the last three count; five users and items of five reviews each, and one product with nine ratings.
    let review = |user: u32, item: u32, day: u32| {
        format!(
            "{{\"rating\": 4.0, \"title\": \"Nice\", \"text\": \"word \\n word\", \"images\": [], \"asin\": \"V{item}\", \"parent_asin\": \"P{item}\", \"user_id\": \"U{user}\", \"timestamp\": {}, \"helpful_vote\": 0, \"verified_purchase\": true}}\n",
            86_400_000_u64 * u64::from(day) + 500
        )
    };
    let mut reviews = String::new();
    for user in 0..5 {
        for item in 0..5 {
            reviews += &review(user, item, 17 + (user + item) % 3);
            reviews += &review(user, item, 10 + item);
            reviews += &review(user, item, 15);
        }
    }
    reviews += &review(0, 0, 17);
    reviews += &review(0, 5, 19);
    let meta: String = (0..6)
        .map(|item| format!("{{\"main_category\": \"All Beauty\", \"title\": \"One two three four five six seven eight nine ten eleven {item}\", \"average_rating\": 4.5, \"rating_number\": {}, \"price\": 9.99, \"store\": \"S\", \"categories\": [], \"parent_asin\": \"P{item}\"}}\n", if item == 5 { 9 } else { 10 }))
        .collect();
    let meta = meta + "{\"parent_asin\": \"P6\", \"title\": \"Nobody knows\"}\n";
    let import = Import::of(&[]);
    write(&import.from().join("All_Beauty.jsonl.gz"), gzip(reviews.as_bytes()));
    write(&import.from().join("meta_All_Beauty.jsonl.gz"), gzip(meta.as_bytes()));
    let answer = import.run("amazon");
    shows(
        &answer,
        &[
            "77 rows read, 25 interactions kept, 6 of them earlier than their user's row before, 5 items, 5 users",
            "dropped         2  product with fewer than 10 ratings (first: meta_All_Beauty.jsonl.gz:6)",
            "dropped        50  row before the part of the log that is used (first: All_Beauty.jsonl.gz:2)",
            "dropped         1  row of an item that is not among the items (first: All_Beauty.jsonl.gz:77)",
            "dropped         1  row with the user, item and time of an earlier row (first: All_Beauty.jsonl.gz:76)",
            "history: One two three four five six seven eight nine ten ...; rated 4 of 5; \"Nice\"; review: \"word word\"; 2 days ago",
            "item:    One two three four five six seven eight nine ten ...; category: All Beauty; price: $9.99; average rating: 4.5 (10 ratings)",
        ],
    );
    assert_eq!(import.told()[0], (json!("U0"), json!("P0"), json!(86_400 * 17)));
    let all = import.try_it("amazon", &["--latest", "1", "--least", "1"]).expect(0);
    assert!(all.stdout.contains("75 interactions kept"), "{}", all.stdout);
}

#[test]
fn amazon_5core_tells_items_by_their_style_where_nothing_else_does() {
    let review = |user: u32, item: u32| {
        format!(
            "{{\"overall\": 5.0, \"reviewTime\": \"09 1, 2016\", \"reviewerID\": \"A{user}\", \"asin\": \"B{item}\", \"style\": {{\"Size:\": \" 7 oz\"}}, \"reviewText\": \"good\", \"summary\": \"Five Stars\", \"unixReviewTime\": 14726880{user}{item}}}\n"
        )
    };
    let reviews: String = (0..5).flat_map(|user| (0..5).map(move |item| review(user, item))).collect();
    let import = Import::of(&[("Toys_5.json", &reviews)]);
    let answer = import.run("amazon");
    shows(
        &answer,
        &[
            "note: there is no file of products: items are told by their style and number",
            "item:    product B0; Size: 7 oz",
            "history: product B0; Size: 7 oz; rated 5 of 5; \"Five Stars\"; review: \"good\"; just now",
        ],
    );
    let meta: String = (0..5).map(|item| format!("{{\"asin\": \"B{item}\", \"title\": \"Toy {item}\", \"price\": \"$3.50\", \"category\": [\"Toys\", \"Dolls\"]}}\n")).collect();
    write(&import.from().join("meta_Toys.json"), meta);
    shows(&import.run("amazon"), &["item:    Toy 0; category: Dolls; price: $3.5"]);
    // With a second category in the folder the log must be named.
    write(&import.from().join("Games_5.json"), &reviews);
    import.try_it("amazon", &[]).expect(2).says(&["several logs (Games_5.json, Toys_5.json)", "as SOURCE"]);
    import.try_from("amazon", &import.from().join("Games_5.json"), &[]).expect(0);
}

const BEHAVIORS: &str = "1\tU1\t11/13/2019 9:00:00 AM\tN1 N2 N3 N4 N5\tN6-0 N7-1\n\
    2\tU1\t11/13/2019 8:00:00 PM\tN1 N2 N3 N4 N5\tN7-0 N8-0 N6-1\n\
    3\tU2\t11/12/2019 12:00:01 AM\tN1 N2 N3 N4\tN6-1 N7-0\n\
    4\tU3\t11/14/2019 9:00:00 AM\tN1 N2 N3 N4 N5\tN6-1 N7-1\n\
    5\tU4\t11/14/2019 9:00:00 AM\tN1 N2 N3 N4 N5\tN1-1 N2-0 N3-0 N4-0 N5-0 N6-0 N7-0 N8-0 N9-0 N10-0 N11-0\n";

#[test]
fn mind_keeps_real_impressions_and_what_was_read_before() {
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
    assert_eq!(import.told()[..5], before);
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
fn kuairec_joins_what_its_files_tell() {
    let rows: String = (0..6)
        .map(|video| {
            format!(
                "3,{video},15000,10000,2020-07-05 00:08:23.438,20200705,{},1.5\n",
                if video == 5 { String::new() } else { format!("159387890{video}.438") }
            )
        })
        .collect();
    let matrix = format!("user_id,video_id,play_duration,video_duration,time,date,timestamp,watch_ratio\n{rows}");
    let captions = "video_id,manual_cover_text,caption,topic_tag,first_level_category_id,first_level_category_name,second_level_category_id,second_level_category_name,third_level_category_id,third_level_category_name\n\
        0,Cover,A \rcaption,\"[a,b]\",8,Pets,673,Cats,-124,UNKNOWN\n1,UNKNOWN,,[],1,Food,-124,UNKNOWN,-124,UNKNOWN\n2,broken\n3,UNKNOWN,c,[],1,Food,-124,UNKNOWN,-124,UNKNOWN\n";
    let days = "video_id,date,upload_dt,video_duration,play_cnt,like_cnt,comment_cnt,share_cnt\n\
        0,20200706,2020-07-01,10500.0,99,9,9,9\n0,20200705,2020-07-01,10500.0,20,2,1,0\n4,20200705,2020-07-04,,7,0,0,0\n";
    let import = Import::of(&[
        ("big_matrix.csv", &matrix),
        ("small_matrix.csv", &matrix),
        (
            "user_features.csv",
            "user_id,user_active_degree,is_live_streamer,is_video_author,follow_user_num,fans_user_num,friend_user_num,register_days\n3,full_active,0,1,5,6,7,107\n4,UNKNOWN,0,0,0,0,0,1\n",
        ),
        ("social_network.csv", "user_id,friend_list\n3,\"[4, 9]\"\n"),
        ("item_categories.csv", "video_id,feat\n0,\"[27, 9]\"\n1,[8]\n2,[8]\n3,[8]\n4,[8]\n5,[8]\n"),
        ("item_daily_features.csv", days),
        ("kuairec_caption_category.csv", captions),
    ]);
    let answer = import.run("kuairec");
    shows(
        &answer,
        &[
            "6 rows read, 5 interactions kept, 5 items, 1 users",
            "dropped         1  row without a time (first: big_matrix.csv:7)",
            "dropped         1  user that no kept interaction names (first: user_features.csv:3)",
            "note: 1 rows of captions have a wrong number of fields (first: kuairec_caption_category.csv:4)",
            "profile: Registered for 107 days. Friends: 7. Follows: 5. Fans: 6. Activity: full active. Role: author of videos.",
            "history: A caption; category: Pets / Cats; watched 150% of it; just now",
            "item:    A caption; category: Pets / Cats; cover: Cover; 11 seconds; on its first day 20 plays, 2 likes, 1 comments, 0 shares",
        ],
    );
    assert_eq!(import.rows("user_feature")[0]["user_features"]["friends"], json!([4, 9]));
    assert_eq!(import.rows("item_feature")[0]["item_features"], json!({"categories": [27, 9], "time": 1_593_561_600}));
    let small = import.try_from("kuairec", &import.from().join("small_matrix.csv"), &[]).expect(0);
    assert!(small.stdout.contains("small_matrix.csv"), "{}", small.stdout);
}

#[test]
fn lastfm_takes_the_times_of_tags_where_it_has_them() {
    let plays: String = (1..=6).map(|artist| format!("2\t{artist}\t{}\n", 1_000 - artist)).collect();
    let artists: String = (1..=6).map(|artist| format!("{artist}\tArtist {artist}\n")).collect();
    let import = Import::of(&[
        ("user_artists.dat", &format!("userID\tartistID\tweight\n{plays}")),
        ("artists.dat", &format!("id\tname\n{artists}")),
        ("user_friends.dat", "userID\tfriendID\n2\t3\n3\t2\n2\t5\n"),
    ]);
    let answer = import.run("lastfm");
    shows(
        &answer,
        &[
            "6 rows read, 6 interactions kept, 6 items, 1 users",
            "note: the log has no times: interactions keep the order of the file",
            "profile: Has 2 friends on Last.fm.",
            "history: Artist 1; played 999 times",
        ],
    );
    assert_eq!(import.rows("user_feature")[0]["user_features"]["friends"], json!([3, 5]));
    assert_eq!(import.told()[0].2, Value::Null);

    write(&import.from().join("tags.dat"), b"tagID\ttagValue\n1\tm\xe9tal\n2\tpop\n".as_slice());
    let tagged: String = (2..=6)
        .map(|artist| format!("2\t{artist}\t1\t123853680{artist}000\n2\t{artist}\t2\t1238536700000\n"))
        .collect();
    let tagged =
        format!("userID\tartistID\ttagID\ttimestamp\n{tagged}3\t2\t2\t1238536900000\n3\t1\t2\t-428720400000\n");
    write(&import.from().join("user_taggedartists-timestamps.dat"), tagged);
    let answer = import.run("lastfm");
    shows(
        &answer,
        &[
            "8 rows read, 5 interactions kept, 5 items, 1 users",
            "dropped         1  artist that was played but never tagged: no time (first: user_artists.dat)",
            "dropped         1  row whose time cannot be read (first: user_taggedartists-timestamps.dat:13)",
            "dropped         1  row of a user with fewer than 5 (first: user_taggedartists-timestamps.dat:12)",
            "history: Artist 2; played 998 times; tagged as métal, pop; just now",
            "item:    Artist 2",
        ],
    );
    assert_eq!(import.told()[0], (json!(2), json!(2), json!(1_238_536_700)));
}

#[test]
fn lastfm_shows_tags_that_several_people_gave() {
    let plays: String = (1..=5).map(|user| format!("{user}\t1\t9\n")).collect();
    // Tag 1 by two people, one of them twice; tag 2 by three, tag 3 by one.
    let tagged = [(1, 1), (1, 1), (2, 1), (1, 2), (2, 2), (3, 2), (4, 3)];
    let tagged: String = tagged.iter().map(|(user, tag)| format!("{user}\t1\t{tag}\t1238536800000\n")).collect();
    let import = Import::of(&[
        ("user_artists.dat", &format!("userID\tartistID\tweight\n{plays}")),
        ("artists.dat", "id\tname\n1\tOne\n"),
        ("tags.dat", "tagID\ttagValue\n1\tpop\n2\trock\n3\tmine\n"),
        ("user_taggedartists-timestamps.dat", &format!("userID\tartistID\ttagID\ttimestamp\n{tagged}")),
    ]);
    let answer = import.try_it("lastfm", &["--least", "1"]).expect(0);
    shows(&answer, &["item:    One; tags: rock", "history: One; played 9 times; tagged as pop, rock; just now"]);
    assert_eq!(import.rows("item_feature")[0]["item_description"]["tags"], json!(["rock"]));
}

#[test]
fn goodreads_joins_books_genres_authors_and_reviews() {
    let reading = |book: u32| {
        let day = ["Tue", "Wed", "Thu", "Fri", "Sat"][book as usize - 1];
        format!(
            "{{\"user_id\": \"u\", \"book_id\": \"{book}\", \"review_id\": \"r{book}\", \"is_read\": {}, \"rating\": {}, \"review_text_incomplete\": \"Own words\", \"date_added\": \"{day} Jan 0{book} 14:39:14 -0800 2013\"}}\n",
            book > 1,
            if book == 1 { 0 } else { 4 }
        )
    };
    let readings: String = (1..=5).map(reading).collect();
    let books: String = (1..=5)
        .map(|book| format!("{{\"book_id\": \"{book}\", \"title\": \"Book {book}\", \"authors\": [{{\"author_id\": \"9\", \"role\": \"\"}}], \"publication_year\": \"2001\", \"publisher\": \"Press\", \"num_pages\": \"300\", \"average_rating\": \"3.90\", \"ratings_count\": \"12\", \"description\": \"About it\"}}\n"))
        .collect();
    let import = Import::of(&[
        ("goodreads_books_poetry.json", &books),
        ("goodreads_book_authors.json", "{\"author_id\": \"9\", \"name\": \"A. Writer\"}\n"),
        ("goodreads_book_genres_initial.json", "{\"book_id\": \"1\", \"genres\": {\"fiction\": 2, \"poetry\": 7}}\n"),
        (
            "goodreads_reviews_poetry.json",
            "{\"user_id\": \"u\", \"book_id\": \"2\", \"review_id\": \"r2\", \"review_text\": \"The whole review\"}\n",
        ),
    ]);
    let packed = zstd::encode_all(readings.as_bytes(), 3).expect("packed");
    write(&import.from().join("goodreads_interactions_poetry.json.zst"), packed);
    let answer = import.run("goodreads");
    shows(
        &answer,
        &[
            "5 rows read, 5 interactions kept, 5 items, 1 users",
            "history: Book 1 by A. Writer; genres: poetry, fiction; about: About it; on the shelf, not read yet; review: \"Own words\"; 4 days ago",
            "item:    Book 1 by A. Writer; genres: poetry, fiction; published 2001 by Press; 300 pages; average rating: 3.9 (12 ratings)",
        ],
    );
    assert_eq!(
        import.interactions()[1]["behavior_features"],
        json!({"is_read": true, "rating": 4, "review": "The whole review"})
    );
    assert_eq!(import.told()[0], (json!("u"), json!(1), json!(1_357_079_954)));
}

#[test]
fn goodbooks_has_no_times() {
    let ratings: String = (1..=5).map(|book| format!("9,{book},4\n")).collect();
    let books: String =
        (1..=5).map(|book| format!("{book},\"A. B, C. D\",-750.0,\"Book, {book}\",4.1,100\n")).collect();
    let import = Import::of(&[
        ("ratings.csv", &format!("user_id,book_id,rating\n{ratings}")),
        (
            "books.csv",
            &format!("book_id,authors,original_publication_year,title,average_rating,ratings_count\n{books}"),
        ),
    ]);
    shows(
        &import.run("goodreads"),
        &[
            "note: the log has no times: interactions keep the order of the file",
            "history: Book, 1 by A. B, C. D; rated 4 of 5",
            "item:    Book, 1 by A. B, C. D; published -750; average rating: 4.1 (100 ratings)",
        ],
    );
}

#[test]
fn mobilerec_lies_in_two_folders() {
    let rows: String =
        (1..=5).map(|app| format!("com.a{app},Great app,5,0,\"June 28, 2022\",u1,2022-06-2{app},,Puzzle\n")).collect();
    let apps: String = (1..=5)
        .map(|app| format!("com.a{app},App {app},Maker,Puzzle,\"Long, description\",Everyone,\"1,000\",0,4.2\n"))
        .collect();
    let import = Import::of(&[
        (
            "interactions/mobilerec_final.csv",
            &format!("app_package,review,rating,votes,date,uid,formated_date,unix_timestamp,app_category\n{rows}"),
        ),
        (
            "app_meta/app_meta.csv",
            &format!(
                "app_package,app_name,developer_name,app_category,description,content_rating,num_reviews,price,avg_rating\n{apps}"
            ),
        ),
    ]);
    shows(
        &import.run("mobilerec"),
        &[
            "history: App 1; category: Puzzle; about: Long, description; rated 5 of 5; review: \"Great app\"; 4 days ago",
            "item:    App 1; average rating: 4.2 (1,000 ratings); category: Puzzle; developer: Maker; price: free",
        ],
    );
    assert_eq!(import.told()[0], (json!("u1"), json!("com.a1"), json!(1_655_769_600)));
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
    let (told, kept) = times(["2020-01-03", "", "2020-01-05"]);
    assert!(told.contains("dropped         1  row without a time (first: y_interaction.csv:3)"), "{told}");
    assert_eq!(kept, 2);
    let (told, kept) = times(["", "", ""]);
    assert!(told.contains("the log has no times") && !told.contains("dropped"), "{told}");
    assert_eq!(kept, 3);

    // What was written reads back unchanged, templates that came along included.
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
    // A row that says itself that it has no time is the past of the others, and that is told.
    let log = again.from().join("x_interaction.jsonl");
    write(&log, read(&log) + "{\"user_id\":\"u1\",\"item_id\":8,\"timestamp\":null}\n");
    let told =
        "note: interactions without a time: 1; they count as earlier than all that have one, in the order of the file";
    shows(&again.run("custom"), &[told]);
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

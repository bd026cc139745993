//! Publishers' folders as data sets, each in the form in which it is published.

use crate::util::{Log, dataset, package, place, recmirror, text, write};
use recmirror::dataset::{Catalogue, Cleaner, Column, Dataset, read_exposures};
use recmirror::ids::ItemId;
use std::path::{Path, PathBuf};

/// A data set of these files.
fn read(files: &[(&str, &str)]) -> Dataset {
    let folder = place();
    files.iter().for_each(|(name, text)| write(&folder.path().join(name), text));
    dataset(folder.path())
}

/// The whole year in which an item came out.
fn year(data: &Dataset, item: u32) -> f32 {
    Catalogue::of(data).year(ItemId(item)).floor()
}

/// The rows as (user, item, rating, time in seconds).
fn rows(data: &Dataset) -> Vec<(&str, &str, f32, i64)> {
    let row = |row: &recmirror::dataset::Interaction| {
        (data.users.external(row.user.0), data.items.external(row.item.0), row.rating, row.time.div_euclid(1_000))
    };
    data.interactions.iter().map(row).collect()
}

fn item_fields(data: &Dataset) -> Vec<(&str, &str)> {
    data.item_fields.iter().map(|field| (field.name.as_str(), field.column.kind())).collect()
}

/// A folder beside the package with real rows, where this machine has it.
fn real(name: &str) -> Option<PathBuf> {
    let folder = package().parent()?.join("shared/data").join(name);
    folder.is_dir().then_some(folder)
}

#[test]
fn films_are_the_same_in_each_of_their_forms() {
    let colons = read(&[
        ("ratings.dat", "7::1::5::900000000\n7::2::3::900000100\n"),
        ("movies.dat", "1::Heat (1995)::Drama|Crime\n2::Alien (1979)::Horror\n"),
        ("users.dat", "7::F::25::20::55105\n"),
    ]);
    let csv = read(&[
        ("ratings.csv", "userId,movieId,rating,timestamp\n7,1,5.0,900000000\n7,2,3.0,900000100\n"),
        ("movies.csv", "movieId,title,genres\n1,Heat (1995),Drama|Crime\n2,Alien (1979),Horror\n"),
        ("tags.csv", "userId,movieId,tag,timestamp\n7,1,loud,900000000\n"),
        ("links.csv", "movieId,imdbId,tmdbId\n1,0113277,949\n"),
    ]);
    assert_eq!((colons.family, csv.family), ("movielens", "movielens"));
    assert_eq!(rows(&colons), [("7", "1", 5.0, 900_000_000), ("7", "2", 3.0, 900_000_100)]);
    assert_eq!(rows(&csv), rows(&colons));
    for data in [&colons, &csv] {
        assert_eq!(item_fields(data), [("title", "text"), ("year", "number"), ("genres", "categories")]);
        assert_eq!((data.title_of(ItemId(1)), year(data, 1)), ("Alien", 1979.0));
        assert_eq!(data.scale.map(|scale| (scale.min, scale.max)), Some((1.0, 5.0)));
    }
    let tweets = read(&[("ratings.dat", "1::0114508::8::1365029107\n1::0208092::0::1365029108\n")]);
    assert_eq!(tweets.scale.map(|scale| (scale.min, scale.max)), Some((0.0, 10.0)));
    assert_eq!(tweets.items.external(0), "0114508");
}

#[test]
fn atomic_files_of_any_data_set_keep_all_columns() {
    let data = read(&[
        ("shop.inter", "user_id:token\titem_id:token\trating:float\ttimestamp:float\nu\ti\t2.5\t5\n"),
        (
            "shop.item",
            "item_id:token\tprice:float\tcolour:token\ttags:token_seq\tvec:float_seq\ttitle:token_seq\n\
             i\t4.5\tred\tbig round\t0.5 1\t\"The\" Cup\nj\t\t\t\t\t\n",
        ),
        ("shop.user", "user_id:token\tzip:token\nu\t0123\n"),
    ]);
    let wanted =
        [("price", "number"), ("colour", "category"), ("tags", "categories"), ("vec", "vector"), ("title", "text")];
    assert_eq!(item_fields(&data), wanted);
    assert_eq!((data.title_of(ItemId(0)), data.title_of(ItemId(1))), ("\"The\" Cup", "j"));
    let Column::Vector { width, values } = &data.item_fields.get("vec").expect("vec").column else {
        panic!("no vector")
    };
    assert_eq!((*width, &values[..2], values[2].is_nan()), (2, &[0.5, 1.0][..], true));
    assert!(data.item_fields.iter().all(|field| field.column.filled() == 1));
    assert_eq!(data.user_fields.get("zip").map(|field| field.column.kind()), Some("category"));
}

const BEHAVIORS: &str = "1\tU1\t11/13/2019 9:00:00 AM\tN1 N2\tN6-0 N7-1 N8-1\n\
    2\tU1\t11/13/2019 8:00:00 PM\tN1 N2\tN7-0 N9-0\n\
    3\tU2\t11/12/2019 12:00:01 AM\t\tN6-1\n";

#[test]
fn lists_of_news_are_read_completely() {
    let news = "N6\tsports\tsoccer\tA Title\tWords\thttp://x\t[]\t[]\nN7\tnews\tworld\tOther\tMore\thttp://y\t[]\t[]\n";
    let data = read(&[("behaviors.tsv", BEHAVIORS), ("news.tsv", news)]);
    assert_eq!(data.impressions.counts_by_taken(), [1, 1, 1]);
    let first = data.impressions.get(1);
    let items: Vec<&str> = first.items.iter().map(|item| data.items.external(item.0)).collect();
    assert_eq!((items, first.taken), (vec!["N6", "N7", "N8"], &[false, true, true][..]));
    let taken: Vec<(&str, &str)> = rows(&data).iter().map(|row| (row.0, row.1)).collect();
    assert_eq!(taken, [("U1", "N1"), ("U1", "N2"), ("U1", "N7"), ("U1", "N8"), ("U2", "N6")]);
    assert_eq!(data.cleanup.of(Cleaner::UndatedRow), 2);
    assert_eq!(data.title_of(ItemId(0)), "A Title");
    let bare = read(&[("behaviors.tsv", BEHAVIORS)]);
    assert_eq!((bare.impressions.counts_by_taken(), bare.title.is_none()), ([1, 1, 1], true));
    if let Some(folder) = real("mind") {
        // Counted with another program: lists by clicks, articles shown, clicks.
        let data = dataset(&folder);
        assert_eq!(data.impressions.counts_by_taken(), [0, 822, 378]);
        let taken = data.impressions.taken.iter().filter(|&&taken| taken).count();
        assert_eq!((data.impressions.items.len(), taken), (45_592, 1_966));
    }
}

#[test]
fn rows_of_item_position_click_and_propensity_are_lists() {
    let log = ",timestamp,item_id,position,click,propensity_score,user_feature_0,user_feature_1\n\
        0,2019-11-24 00:00:16.5+00:00,14,1,0,0.0125,a,b\n1,2019-11-24 00:00:16.5+00:00,3,3,1,0.0125,a,b\n\
        2,2019-11-24 00:00:20+00:00,3,2,0,0.0125,a,c\n";
    let items = ",item_id,item_feature_0,item_feature_1\n0,3,-0.5,x\n1,14,0.5,x\n";
    let data = read(&[("all.csv", log), ("item_context.csv", items)]);
    assert_eq!(data.impressions.counts_by_taken(), [1, 1, 0]);
    let first = data.impressions.get(0);
    assert_eq!((first.slots, first.taken), (&[0, 2][..], &[false, true][..]));
    assert!(data.impressions.propensities.iter().all(|&share| share == 0.0125));
    assert_eq!((data.users.len(), data.interactions.len()), (2, 1));
    let kinds: Vec<&str> = data.user_fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(kinds, ["user_feature_0", "user_feature_1"]);
}

#[test]
fn videos_that_play_by_themselves_are_lists_of_one() {
    let log = "user_id,video_id,play_duration,video_duration,time,date,timestamp,watch_ratio\n\
        0,3,2000,10000,x,20200705,1593878903.438,0.2\n0,4,9000,10000,x,20200705,1593878913.4,0.9\n\
        1,3,30000,10000,x,20200705,1593878923.4,3.0\n";
    let data = read(&[("small_matrix.csv", log), ("user_features.csv", "user_id,user_active_degree\n0,high_active\n")]);
    assert_eq!((data.family, data.impressions.counts_by_taken()), ("kuairec", [1, 2, 0]));
    assert_eq!(rows(&data).iter().map(|row| (row.0, row.1)).collect::<Vec<_>>(), [("0", "4"), ("1", "3")]);
    assert_eq!(data.weights, [0.9, 3.0]);
}

#[test]
fn shops_games_books_artists_and_coats_are_known_by_their_files() {
    let review = "{\"overall\": 5.0, \"reviewerID\": \"A1\", \"asin\": \"B1\", \"unixReviewTime\": 1472688000}\n";
    let amazon = read(&[("All_Beauty_5.json", review)]);
    assert_eq!((amazon.family, rows(&amazon)), ("amazon", vec![("A1", "B1", 5.0, 1_472_688_000)]));
    let review = "{\"rating\": 4.0, \"user_id\": \"A1\", \"asin\": \"B2\", \"parent_asin\": \"B1\", \"timestamp\": 1588687728923}\n";
    let newer = read(&[("All_Beauty.jsonl", review)]);
    assert_eq!((newer.family, rows(&newer)), ("amazon", vec![("A1", "B1", 4.0, 1_588_687_728)]));
    let steam = read(&[
        (
            "user_reviews.csv",
            "user_id,item_id,posted,recommend,helpful\n1,70,2010-10-16,True,No\n2,70,2010-10-17,False,No\n",
        ),
        ("games.csv", "id,app_name,genres,price,release_date\n70,Half-Life,Action,9.99,1998-11-08\n"),
    ]);
    assert_eq!((steam.family, rows(&steam)[1].2, steam.title_of(ItemId(0))), ("steam", 0.0, "Half-Life"));
    assert_eq!(year(&steam, 0), 1998.0);
    let books = read(&[
        ("ratings_sample.csv", "user_id,book_id,rating\n1,2,5\n"),
        ("books.csv", "book_id,title,authors,original_publication_year\n2,Emma,\"Austen, Jane\",1815.0\n"),
    ]);
    assert_eq!((books.family, books.title_of(ItemId(0)), books.has_times), ("goodreads", "Emma", false));
    let artists = read(&[
        ("user_artists.dat", "userID\tartistID\tweight\n2\t51\t13883\n"),
        ("artists.dat", "id\tname\n51\tDuran Duran\n"),
    ]);
    assert_eq!(
        (artists.family, artists.weights.clone(), artists.title_of(ItemId(0))),
        ("lastfm", vec![13_883.0], "Duran Duran")
    );
    let apps = read(&[("mobilerec_final.csv", "uid,app_package,unix_timestamp,rating\nu,com.x,1577934245,4\n")]);
    assert_eq!((apps.family, rows(&apps)), ("mobilerec", vec![("u", "com.x", 4.0, 1_577_934_245)]));
    let shelf =
        "{\"user_id\": \"u\", \"book_id\": \"7\", \"rating\": 4, \"date_added\": \"Wed Jan 09 14:39:14 -0800 2013\"}\n";
    let ucsd = read(&[("goodreads_interactions_poetry.json", shelf)]);
    assert_eq!((ucsd.family, rows(&ucsd)), ("goodreads", vec![("u", "7", 4.0, 1_357_771_154)]));
}

#[test]
fn coats_have_a_log_and_exposures_drawn_at_random() {
    let folder = place();
    for (name, text) in [
        ("train.ascii", "5 0 0\n0 2 1\n"),
        ("test.ascii", "0 4 0\n3 0 0\n"),
        ("user_features.ascii", "1 0 1\n0 1 0\n"),
        ("user_features_map.txt", "gender:men\ngender:women\nage:20-30\n"),
    ] {
        write(&folder.path().join(name), text);
    }
    let data = dataset(folder.path());
    let mut ratings = rows(&data);
    ratings.sort_by_key(|row| (row.0, row.1));
    assert_eq!(ratings, [("0", "0", 5.0, 0), ("1", "1", 2.0, 0), ("1", "2", 1.0, 0)]);
    let gender = &data.user_fields.get("gender").expect("a field").column;
    assert_eq!((gender.categories(0).len(), gender.categories(1).len(), gender.filled()), (1, 1, 2));
    let shown = read_exposures(&folder.path().join("test.ascii"), &data).expect("exposures");
    assert_eq!(
        (shown.impressions.ratings.clone(), shown.impressions.items.clone()),
        (vec![4.0, 3.0], vec![ItemId(1), ItemId(0)])
    );
    if let Some(folder) = real("coat") {
        let data = dataset(&folder);
        let shown = read_exposures(&folder.join("test.ascii"), &data).expect("exposures");
        assert_eq!(
            (data.interactions.len(), shown.impressions.items.len(), shown.impressions.len()),
            (6_960, 4_640, 290)
        );
    }
}

#[test]
fn an_imported_project_is_a_data_set_with_its_lists() {
    let project = place();
    let name = |kind: &str| project.path().join("raws").join(format!("shop_{kind}.jsonl"));
    write(&name("user_feature"), "{\"user_id\": \"u\", \"user_description\": {\"city\": \"Oslo\"}}\n");
    write(
        &name("item_feature"),
        "{\"item_id\": 7, \"item_description\": {\"title\": \"Cup\", \"tags\": [\"a\", \"b\"]}, \"item_features\": {\"time\": 1590000000}}\n\
         {\"item_id\": 8, \"item_description\": {\"title\": \"Plate\"}}\n",
    );
    write(
        &name("interaction"),
        "{\"user_id\": \"u\", \"item_id\": 7, \"timestamp\": 1577934245, \"behavior_features\": {\"rating\": 4, \"impression_list\": [8, 7], \"item_pos\": 1}}\n\
         {\"user_id\": \"u\", \"item_id\": 8, \"timestamp\": 1577934246}\n",
    );
    let data = dataset(project.path());
    assert_eq!((data.family, data.impressions.counts_by_taken()), ("custom", [0, 1, 0]));
    assert_eq!(data.impressions.get(0).items, [ItemId(1), ItemId(0)]);
    assert_eq!(item_fields(&data), [("released", "time"), ("tags", "categories"), ("title", "text")]);
    assert_eq!((year(&data, 0), rows(&data)[0].2, rows(&data)[1].2.is_nan()), (2020.0, 4.0, true));
}

#[test]
fn every_family_runs_as_data_of_a_scenario() {
    let folder = place();
    let log = Log::synthetic(20, 30);
    let rows: String =
        log.ratings.iter().map(|row| format!("p{},f{},{},{}\n", row.user, row.item, row.rating, row.time)).collect();
    write(&folder.path().join("data/log.csv"), format!("user_id,item_id,rating,timestamp\n{rows}"));
    let items: String = (0..30).map(|item| format!("f{item},Film {item},{}\n", ["red", "blue"][item % 2])).collect();
    write(&folder.path().join("data/items.csv"), format!("item_id,title,colour\n{items}"));
    write(&folder.path().join("small.toml"), crate::util::scenario_text(&["random", "popular"]));
    let scenario = folder.path().join("small.toml");
    recmirror(&["scenario", "check", text(&scenario)]).expect(0);
    recmirror(&["scenario", "check", text(&scenario), "--set", "data.format=mind"]).expect(2).says(&["behaviors.tsv"]);
    let out = folder.path().join("out");
    recmirror(&["run", text(&folder.path().join("small.toml")), "--out", text(&out)]).expect(0);
    let answer = recmirror(&["data", text(&folder.path().join("data"))]).expect(0);
    for line in ["data (tables)", "colour category", "title  text", "on a scale from 1 to 5"] {
        assert!(answer.stdout.contains(line), "no `{line}` in:\n{}", answer.stdout);
    }
    recmirror(&["data", "nowhere"]).expect(2).says(&["nowhere does not exist"]);
    recmirror(&["data", text(&folder.path().join("data")), "--format", "film"]).expect(2).says(&["`tables`"]);
}

#[test]
fn real_rows_of_each_publisher_are_read() {
    for (name, interactions) in
        [("amazon", 4_092), ("goodbooks", 100_000), ("lastfm", 92_834), ("movietweetings", 100_000), ("steam", 48_362)]
    {
        if let Some(folder) = real(name) {
            let data = Dataset::read(Path::new(&folder)).unwrap_or_else(|problem| panic!("{name}: {problem}"));
            assert_eq!(data.interactions.len(), interactions, "{name}");
        }
    }
}

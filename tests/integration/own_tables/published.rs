//! Tables as others publish them: without a header, with history lists, with many kinds of events.

use super::*;

#[test]
fn numbers_without_a_header_are_user_item_rating_and_time() {
    let data = read(&[("train.txt", "1\t14\t5\n1\t35\t1\n2\t14\t3\n")]);
    assert_eq!(
        rows(&data).iter().map(|row| (row.0, row.1, row.2)).collect::<Vec<_>>(),
        [("1", "14", 5.0), ("1", "35", 1.0), ("2", "14", 3.0)]
    );
    let notes = data.notes.join("\n");
    assert!(notes.contains("no header line: its columns are read as `user_id`, `item_id`, `rating`;"), "{notes}");
    let timed = read(&[("log.csv", "7,8,1577934246\n7,9,1577934240\n")]);
    assert_eq!(
        rows(&timed).iter().map(|row| (row.1, row.3)).collect::<Vec<_>>(),
        [("9", 1_577_934_240), ("8", 1_577_934_246)]
    );
    assert_eq!(timed.scale, None, "a time is no rating");
    let problem = refused(&[("log.csv", "1,2,3,4,5\n1,3,3,4,5\n")]);
    assert!(problem.contains("log.csv:1: the first line is no header") && problem.contains("header = ["), "{problem}");
    let beside = read(&[("log.csv", "user_id,item_id,rating\n1,2,3\n"), ("similar.csv", "7,8,0.5\n8,7,0.5\n")]);
    assert_eq!(rows(&beside).len(), 1, "numbers beside a log are no part of it");
}

#[test]
fn a_header_in_data_toml_names_the_columns() {
    let log = ("UserBehavior.csv", "1,22,c7,pv,1511544070\n1,23,c7,buy,1511544080\n2,22,c7,buy,1511544090\n");
    let spec = "header = [\"user_id\", \"item_id\", \"category\", \"event\", \"timestamp\"]\n";
    let item_fields = "[columns]\nitem_fields = [\"category\"]\n";
    let data = read(&[log, ("data.toml", &format!("{spec}{item_fields}"))]);
    assert_eq!(rows(&data).len(), 3);
    assert!(data.item_fields.get("category").is_some());
    assert!(data.notes.join("\n").contains("without a meaning here: `event`"), "{:?}", data.notes);
    let bought = read(&[log, ("data.toml", &format!("{spec}[where]\nevent = [\"buy\", \"cart\"]\n"))]);
    assert_eq!(rows(&bought).iter().map(|row| (row.0, row.1)).collect::<Vec<_>>(), [("1", "23"), ("2", "22")]);
    let notes = bought.notes.join("\n");
    assert!(notes.contains("without a meaning here: `category`;"), "{notes}");
    assert!(notes.contains("2 of 3 rows of the log count: those where `event` is `buy`, `cart`"), "{notes}");
    let fractions = ("log.csv", "user_id,item_id,organic\n1,2,1.0\n1,3,\n1,4,0.0\n");
    let organic = read(&[fractions, ("data.toml", "[where]\norganic = 1\n")]);
    assert_eq!(rows(&organic).iter().map(|row| row.1).collect::<Vec<_>>(), ["2"]);
    let problem = refused(&[log, ("data.toml", &format!("{spec}[where]\nevent = \"sold\"\n"))]);
    assert!(problem.contains("no row is left where `event` is `sold`") && problem.contains("`buy`, `pv`"), "{problem}");
    let problem = refused(&[log, ("data.toml", &format!("{spec}[where]\nkind = 1\n"))]);
    assert!(problem.contains("no column `kind`, which `where` in data.toml names"), "{problem}");
    let problem = refused(&[log, ("data.toml", "log = \"UserBehavior.csv\"\nheader = [\"user_id\", \"item_id\"]\n")]);
    assert!(problem.contains("names 2 columns, and the first row has 5 fields"), "{problem}");
}

#[test]
fn the_finest_time_counts_and_a_column_of_dates_is_one() {
    let text = "user_id,video_id,date,time_ms,is_click\na,x,20220408,1649400000500,1\na,y,20220408,1649400000100,1\n";
    let data = read(&[("log.csv", text)]);
    assert_eq!(rows(&data).iter().map(|row| row.1).collect::<Vec<_>>(), ["y", "x"]);
    let data = read(&[("log.csv", "t_dat,customer_id,article_id,price\n2020-01-02,a,x,1\n2020-01-01,a,y,2\n")]);
    assert_eq!(rows(&data).iter().map(|row| row.1).collect::<Vec<_>>(), ["y", "x"]);
    assert!(data.notes.join("\n").contains("`t_dat` holds dates: it is taken for the time"), "{:?}", data.notes);
    let data = read(&[("log.csv", "user,item,ordered,sent\na,x,2020-01-02,2020-01-03\na,y,2020-01-01,2020-01-02\n")]);
    assert!(!data.has_times);
    assert!(data.notes.join("\n").contains("`ordered`, `sent` hold dates: name one"), "{:?}", data.notes);
}

#[test]
fn history_lists_come_before_the_log() {
    let behaviors = "{\"user_id\": 1, \"impression_time\": \"2023-05-18 10:00:00\", \"article_ids_inview\": [7, 8, 9], \
                     \"article_ids_clicked\": [8]}\n";
    let history = "{\"user_id\": 1, \"article_id_fixed\": [5, 6], \"impression_time_fixed\": \
                   [\"2023-05-01 10:00:00\", \"2023-05-02 10:00:00\"]}\n{\"user_id\": 2, \"article_id_fixed\": [7], \
                   \"impression_time_fixed\": [\"2023-05-01 10:00:00\"]}\n";
    let data = read(&[("behaviors.jsonl", behaviors), ("history.jsonl", history)]);
    let found: Vec<_> = rows(&data).iter().map(|row| (row.0, row.1)).collect();
    assert_eq!(found, [("1", "5"), ("1", "6"), ("1", "8"), ("2", "7")]);
    assert_eq!((data.impressions.len(), data.user_fields.iter().count()), (1, 0));
    assert!(data.notes.join("\n").contains("history.jsonl holds what users did before the log"), "{:?}", data.notes);
    let wrong = "{\"user_id\": 1, \"article_id_fixed\": [5, 6], \"impression_time_fixed\": [\"2023-05-01\"]}\n";
    let problem = refused(&[("behaviors.jsonl", behaviors), ("history.jsonl", wrong)]);
    assert!(problem.contains("history.jsonl:1") && problem.contains("1 times for 2 items"), "{problem}");
}

#[test]
fn commas_separate_categories_that_repeat() {
    let mut items = "business_id,name,categories\n".to_owned();
    let mut log = "user_id,business_id,stars\n".to_owned();
    let kinds = ["Food", "Bars", "Tea & Coffee", "Music"];
    for number in 0..40 {
        let two = format!("{}, {}", kinds[number % 4], kinds[(number / 4 + number) % 4]);
        items += &format!("b{number},\"Joe, Sam and Partners {number}\",\"{two}, Open {}\"\n", number % 5);
        log += &format!("u,b{number},{}\n", number % 5 + 1);
    }
    let data = read(&[("business.csv", &items), ("review.csv", &log)]);
    let Column::Categories { names, .. } = &data.item_fields.get("categories").expect("a field").column else {
        panic!("not categories")
    };
    assert_eq!(names.len(), 9, "4 kinds and 5 others");
    assert_eq!(data.item_fields.get("name").expect("a field").column.kind(), "text");
}

#[test]
fn exposures_in_rows_of_numbers_are_no_matrix() {
    let folder = place();
    write(&folder.path().join("log/train.txt"), "1\t14\t5\n1\t35\t1\n2\t14\t3\n2\t7\t3\n2\t8\t3\n");
    write(&folder.path().join("test.txt"), "1\t7\t4\n2\t35\t2\n");
    let data = dataset(&folder.path().join("log"));
    let found = read_exposures(&folder.path().join("test.txt"), &data).expect("exposures");
    assert_eq!(found.impressions.ratings, [4.0, 2.0]);
}

#[test]
fn items_that_were_shown_alone_are_one_list_of_a_user() {
    let folder = place();
    write(
        &folder.path().join("log/log.csv"),
        "user_id,video_id,is_click,time_ms\n1,7,1,1649400000000\n1,8,1,1649400000001\n2,8,1,1649400000002\n2,9,1,1649400000003\n",
    );
    let shown = "user_id,video_id,is_click,time_ms\n1,9,1,1649500000000\n2,7,0,1649500000001\n1,8,0,1649500000002\n";
    write(&folder.path().join("random.csv"), shown);
    let data = dataset(&folder.path().join("log"));
    let found = read_exposures(&folder.path().join("random.csv"), &data).expect("exposures");
    assert_eq!((found.impressions.len(), found.impressions.items.len()), (2, 3));
    assert!(found.notes.join("\n").contains("each item was shown alone"), "{:?}", found.notes);
}

#[test]
fn exposures_beside_their_log_are_no_part_of_it() {
    let folder = place();
    let columns = "user_id,item_id,rating\n";
    write(&folder.path().join("chosen.csv"), format!("{columns}1,7,5\n1,8,4\n2,8,2\n2,9,1\n"));
    write(&folder.path().join("random.csv"), format!("{columns}1,9,1\n2,7,5\n"));
    let random = folder.path().join("random.csv");
    let data = Dataset::read_beside(folder.path(), &random).expect("a log");
    assert_eq!(rows(&data).len(), 4);
    assert!(data.notes.join("\n").contains("random.csv holds the exposures: it is no part of the log"));
    assert_eq!(read_exposures(&random, &data).expect("exposures").impressions.items.len(), 2);
    std::fs::remove_file(folder.path().join("chosen.csv")).expect("removed");
    let data = Dataset::read_beside(folder.path(), &random).expect("traffic that is log and exposures");
    assert_eq!(rows(&data).len(), 2);
    assert!(data.notes.join("\n").contains("random.csv is the log and holds the exposures"), "{:?}", data.notes);
    write(&folder.path().join("later.csv"), format!("{columns}2,7,5\n"));
    write(&folder.path().join("data.toml"), "log = \"random.csv\"\n");
    let data = Dataset::read_beside(folder.path(), &random).expect("the log that data.toml names");
    assert!(data.notes.join("\n").contains("random.csv is the log and holds the exposures"), "{:?}", data.notes);
    let named = ("userId,movieId,rating,timestamp\n1,7,5,100\n1,8,4,200\n", "ratings.csv");
    let publisher = place();
    write(&publisher.path().join(named.1), named.0);
    // Other tables of the publisher look like a log and like items.
    write(&publisher.path().join("tags.csv"), "userId,movieId,tag,timestamp\n1,7,dark,100\n2,8,slow,200\n");
    write(&publisher.path().join("movies.csv"), "movieId,title,genres\n7,A (1999),Drama\n8,B (2001),Comedy\n");
    write(&publisher.path().join("links.csv"), "movieId,imdbId,tmdbId\n7,1,2\n8,3,4\n");
    let data = Dataset::read_beside(publisher.path(), &publisher.path().join(named.1)).expect("a publisher's log");
    assert!(data.notes.join("\n").contains("ratings.csv is the log and holds the exposures"), "{:?}", data.notes);
}

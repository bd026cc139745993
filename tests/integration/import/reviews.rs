//! Steam and Amazon: reviews.

use super::*;

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
    assert_eq!(
        import.triples().iter().map(|row| row.1.clone()).collect::<Vec<_>>(),
        [2, 1, 3, 4, 5].map(|id| json!(id))
    );
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
    assert_eq!(import.triples()[0], (json!("U0"), json!("P0"), json!(86_400.0 * 17.0 + 0.5)));
    let all = import.try_it("amazon", &["--latest", "1", "--least", "1"]).expect(0);
    assert!(all.stdout.contains("75 interactions kept"), "{}", all.stdout);
}

#[test]
fn amazon_5core_identifies_items_by_style_without_other_fields() {
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
            "note: there is no file of products: items are identified by style and number",
            "item:    product B0; Size: 7 oz",
            "history: product B0; Size: 7 oz; rated 5 of 5; \"Five Stars\"; review: \"good\"; just now",
        ],
    );
    let meta: String = (0..5).map(|item| format!("{{\"asin\": \"B{item}\", \"title\": \"Toy {item}\", \"price\": \"$3.50\", \"category\": [\"Toys\", \"Dolls\"]}}\n")).collect();
    write(&import.from().join("meta_Toys.json"), meta);
    shows(&import.run("amazon"), &["item:    Toy 0; category: Dolls; price: $3.5"]);
    // With a second category in the folder the log must be named.
    write(&import.from().join("Games_5.json"), &reviews);
    import.try_it("amazon", &[]).expect(2).says(&["several logs (Games_5.json, Toys_5.json)", "instead of the folder"]);
    import.try_from("amazon", &import.from().join("Games_5.json"), &[]).expect(0);
}

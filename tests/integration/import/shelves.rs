//! KuaiRec, Last.FM, Goodreads, goodbooks, MobileRec.

use super::*;

#[test]
fn kuairec_joins_its_files() {
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
    assert_eq!(import.triples()[0].2, Value::Null);

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
    assert_eq!(import.triples()[0], (json!(2), json!(2), json!(1_238_536_700)));
}

#[test]
fn lastfm_shows_tags_that_several_users_gave() {
    let plays: String = (1..=5).map(|user| format!("{user}\t1\t9\n")).collect();
    // Tag 1 by two users, one of them twice; tag 2 by three, tag 3 by one.
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
    assert_eq!(import.triples()[0], (json!("u"), json!(1), json!(1_357_079_954)));
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
fn mobilerec_is_in_two_folders() {
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
    assert_eq!(import.triples()[0], (json!("u1"), json!("com.a1"), json!(1_655_769_600)));
}

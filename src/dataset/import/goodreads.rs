//! Goodreads.
//!
//! UCSD's JSON lines (`goodreads_interactions_GENRE.json`, with books, genres, authors and reviews if present), and
//! goodbooks-10k as CSV (`ratings.csv`, `books.csv`; no times).
//!
//! The texts of reviews are joined from their own file: 50 words of each are held in memory. Leave that file out where
//! this is too much; the log itself has the beginnings of reviews.

use super::super::{ExternalId, ItemRow, Moment};
use super::folder::{Folder, plain_name};
use super::publisher::{Fields, Publisher, RawRow, Verdict, Visit};
use super::records::Records;
use super::table::Table;
use super::values::{
    NO_ID, NO_TIME, WRONG_RATING, WRONG_TIME, date_like, filled, first_words, id, id_at, number, number_at, put,
    put_list, text_at,
};
use super::{Family, Format, ImportError, Opened};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

pub(super) const FAMILY: Family = Family {
    name: "goodreads",
    summary: "books read, rated and reviewed: UCSD's Goodreads, and goodbooks-10k",
    formats: &[
        Format {
            name: "ucsd",
            files: "`goodreads_interactions_GENRE.json`, `goodreads_books_GENRE.json`, `goodreads_reviews_GENRE.json`, ...",
            open: open_ucsd,
        },
        Format { name: "goodbooks", files: "`ratings.csv` or `ratings_sample.csv`, `books.csv`", open: open_goodbooks },
    ],
    template: include_str!("templates/goodreads.toml"),
};

const WORDS: usize = 50;

/// Genres of a book that are shown.
const MOST_GENRES: usize = 4;

struct Ucsd {
    log: PathBuf,
    books: Option<PathBuf>,
    others: Vec<PathBuf>,
    authors: HashMap<ExternalId, String>,
    genres: HashMap<ExternalId, Vec<String>>,
    reviews: HashMap<ExternalId, String>,
    notes: Vec<String>,
}

fn open_ucsd(folder: &Folder) -> Opened {
    let is_log = |name: &str| {
        name.starts_with("goodreads_interactions") && (name.ends_with(".json") || name.ends_with(".jsonl"))
    };
    let Some(log) = folder.one(is_log)? else { return Ok(None) };
    let name = plain_name(&log);
    let beside =
        |kind: &str| folder.find(&[&name.replacen("interactions", kind, 1), &format!("goodreads_{kind}.json")]);
    let mut data = Ucsd {
        books: beside("books"),
        log,
        others: Vec::new(),
        authors: HashMap::new(),
        genres: HashMap::new(),
        reviews: HashMap::new(),
        notes: Vec::new(),
    };
    type Reader = fn(&mut Ucsd, &Fields);
    let readers: [(&str, Option<PathBuf>, Reader); 3] = [
        ("authors", folder.find(&["goodreads_book_authors.json"]), Ucsd::take_author),
        ("genres", folder.find(&["goodreads_book_genres_initial.json"]), Ucsd::take_genres),
        ("reviews", beside("reviews"), Ucsd::take_review),
    ];
    for (kind, path, take) in readers {
        let Some(path) = path else {
            data.notes.push(format!("there is no file of {kind}: its fields are not shown"));
            continue;
        };
        let mut records = Records::open(&path)?;
        while let Some(record) = records.step()? {
            take(&mut data, &record);
        }
        data.others.push(path);
    }
    if data.books.is_none() {
        data.notes.push("there is no file of books: books have no title, only their number".to_owned());
    }
    Ok(Some(Box::new(data)))
}

impl Ucsd {
    fn take_author(&mut self, record: &Fields) {
        if let (Some(author), Some(name)) = (id_at(record, &["author_id"]), text_at(record, &["name"])) {
            self.authors.insert(author, name);
        }
    }

    /// Genres by how many readers filed the book there; a name may list several: "history, historical fiction".
    fn take_genres(&mut self, record: &Fields) {
        let (Some(book), Some(genres)) = (id_at(record, &["book_id"]), record.get("genres").and_then(Value::as_object))
        else {
            return;
        };
        let mut genres: Vec<(i64, &String)> =
            genres.iter().map(|(name, votes)| (-votes.as_i64().unwrap_or(0), name)).collect();
        genres.sort();
        let names = genres.into_iter().take(MOST_GENRES).map(|(_, name)| name.clone()).collect();
        self.genres.insert(book, names);
    }

    fn take_review(&mut self, record: &Fields) {
        let text = text_at(record, &["review_text"]).and_then(|text| first_words(&text, WORDS));
        if let (Some(review), Some(text)) = (id_at(record, &["review_id"]), text) {
            self.reviews.insert(review, text);
        }
    }

    fn book(&self, record: &Fields) -> Verdict<ItemRow> {
        let item_id = id_at(record, &["book_id"]).ok_or("book without an id")?;
        let mut fields = Fields::new();
        put(&mut fields, "title", text_at(record, &["title", "title_without_series"]));
        put_list(&mut fields, "genres", self.genres.get(&item_id).cloned().unwrap_or_default());
        let authors = record.get("authors").and_then(Value::as_array).into_iter().flatten();
        let authors =
            authors.filter_map(|author| self.authors.get(&id_at(author.as_object()?, &["author_id"])?).cloned());
        put_list(&mut fields, "authors", authors.collect());
        let year = number_at(record, &["publication_year"]).map(Value::Number);
        put(&mut fields, "year", year.clone());
        put(&mut fields, "publisher", text_at(record, &["publisher"]));
        put(&mut fields, "pages", number_at(record, &["num_pages"]).map(Value::Number));
        put(&mut fields, "average_rating", number_at(record, &["average_rating"]).map(Value::Number));
        put(&mut fields, "rating_number", number_at(record, &["ratings_count"]).map(Value::Number));
        put(&mut fields, "description", text_at(record, &["description"]).and_then(|text| first_words(&text, WORDS)));
        let mut item_features = Fields::new();
        put(&mut item_features, "year", year);
        Ok(ItemRow { item_id, item_description: fields, item_features })
    }

    fn reading(&self, record: &Fields) -> Verdict<RawRow> {
        let user = id_at(record, &["user_id"]).ok_or(NO_ID)?;
        let item = id_at(record, &["book_id"]).ok_or(NO_ID)?;
        let mut row = RawRow::new(user, item, Some(when(record)?));
        put(
            &mut row.behavior,
            "is_read",
            record.get("is_read").or_else(|| record.get("isRead")).and_then(Value::as_bool),
        );
        // 0 means "no rating".
        let rating = number_at(record, &["rating"]).filter(|rating| rating.as_f64() != Some(0.0));
        put(&mut row.behavior, "rating", rating.map(Value::Number));
        let own = text_at(record, &["review_text_incomplete"]).and_then(|text| first_words(&text, WORDS));
        let review = id_at(record, &["review_id"]).and_then(|review| self.reviews.get(&review).cloned());
        put(&mut row.behavior, "review", review.or(own));
        if self.books.is_none() {
            put(&mut row.item_description, "title", Some(format!("book {}", row.item)));
        }
        Ok(row)
    }
}

/// The time at which the book was put on the shelf, as "Wed Jan 09 14:39:14 -0800 2013".
fn when(record: &Fields) -> Verdict<Moment> {
    let text = text_at(record, &["date_added"]).ok_or(NO_TIME)?;
    date_like("%a %b %d %H:%M:%S %z %Y", &text).ok_or(WRONG_TIME)
}

impl Publisher for Ucsd {
    fn log(&self) -> &Path {
        &self.log
    }

    fn others(&self) -> Vec<PathBuf> {
        self.books.iter().chain(&self.others).cloned().collect()
    }

    fn items(&self, visit: &mut Visit<'_, ItemRow>) -> Result<bool, ImportError> {
        let Some(path) = &self.books else { return Ok(false) };
        let mut records = Records::open(path)?;
        while let Some(record) = records.step()? {
            visit(&records.place(), self.book(&record))?;
        }
        Ok(true)
    }

    fn rows(&self, visit: &mut Visit<'_, RawRow>) -> Result<(), ImportError> {
        let mut records = Records::open(&self.log)?;
        while let Some(record) = records.step()? {
            visit(&records.place(), self.reading(&record))?;
        }
        Ok(())
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}

struct Goodbooks {
    log: PathBuf,
    books: Option<PathBuf>,
}

fn open_goodbooks(folder: &Folder) -> Opened {
    let log = folder.log(&["ratings.csv", "ratings_sample.csv"]);
    let books = folder.find(&["books.csv"]);
    Ok(log.map(|log| Box::new(Goodbooks { log, books }) as Box<dyn Publisher>))
}

impl Publisher for Goodbooks {
    fn log(&self) -> &Path {
        &self.log
    }

    fn others(&self) -> Vec<PathBuf> {
        self.books.iter().cloned().collect()
    }

    fn items(&self, visit: &mut Visit<'_, ItemRow>) -> Result<bool, ImportError> {
        let Some(path) = &self.books else { return Ok(false) };
        let mut table = Table::csv(path)?;
        let (id_at, title_at) = (table.need(&["book_id"])?, table.need(&["title"])?);
        let columns = [
            ("year", "original_publication_year"),
            ("average_rating", "average_rating"),
            ("rating_number", "ratings_count"),
        ];
        let columns: BTreeMap<&str, Option<usize>> =
            columns.iter().map(|&(key, column)| (key, table.find(&[column]))).collect();
        let authors_at = table.find(&["authors"]);
        while table.step()? {
            let mut fields = Fields::new();
            put(&mut fields, "title", filled(table.get(title_at)));
            let authors = table.filled(authors_at).unwrap_or_default();
            put_list(&mut fields, "authors", authors.split(',').filter_map(filled).collect());
            for (&key, &place) in &columns {
                put(&mut fields, key, table.filled(place).and_then(number).map(Value::Number));
            }
            let mut item_features = Fields::new();
            put(&mut item_features, "year", fields.get("year").cloned());
            let row = ItemRow { item_id: id(table.get(id_at)), item_description: fields, item_features };
            visit(&table.place(), if table.get(id_at).is_empty() { Err("book without an id") } else { Ok(row) })?;
        }
        Ok(true)
    }

    fn rows(&self, visit: &mut Visit<'_, RawRow>) -> Result<(), ImportError> {
        let mut table = Table::csv(&self.log)?;
        let (user, book) = (table.need(&["user_id"])?, table.need(&["book_id"])?);
        let rating = table.need(&["rating"])?;
        while table.step()? {
            let verdict = match number(table.get(rating)) {
                _ if table.get(user).is_empty() || table.get(book).is_empty() => Err(NO_ID),
                None => Err(WRONG_RATING),
                Some(rating) => {
                    let mut row = RawRow::new(id(table.get(user)), id(table.get(book)), None);
                    row.behavior.insert("rating".to_owned(), Value::Number(rating));
                    if self.books.is_none() {
                        put(&mut row.item_description, "title", Some(format!("book {}", row.item)));
                    }
                    Ok(row)
                }
            };
            visit(&table.place(), verdict)?;
        }
        Ok(())
    }

    fn notes(&self) -> Vec<String> {
        let missing = || "there is no `books.csv`: books have no title, only their number".to_owned();
        self.books.is_none().then(missing).into_iter().collect()
    }
}

//! Steam.
//!
//! The games and reviews that UCSD collected, one Python literal (or JSON record) a line, and the same kind of
//! data as CSV (`games.csv`, `user_reviews.csv`), in which users recommend games instead of describing them.
//!
//! Filters: the first review of each user and game; users with 5 to 20 of them.

use super::super::ItemRow;
use super::folder::Folder;
use super::publisher::{Fields, Publisher, RawRow, Repeats, Rules, Verdict, Visit};
use super::records::Records;
use super::table::Table;
use super::values::{
    NO_ID, NO_TIME, WRONG_TIME, date, filled, first_words, id, id_at, nameless, number_at, number_or_text, put,
    put_list, text_at, texts_at, year,
};
use super::{Family, Format, ImportError, Opened};
use serde_json::Value;
use std::path::{Path, PathBuf};

pub(super) const FAMILY: Family = Family {
    name: "steam",
    summary: "reviews of computer games",
    formats: &[
        Format { name: "ucsd", files: "`steam_reviews.json`, `steam_games.json`", open: open_ucsd },
        Format { name: "csv", files: "`user_reviews.csv`, `games.csv`", open: open_csv },
    ],
    template: include_str!("templates/steam.toml"),
};

/// Words of a review that are kept; templates may show fewer.
const REVIEW_WORDS: usize = 100;

struct Steam {
    log: PathBuf,
    games: Option<PathBuf>,
    is_csv: bool,
}

fn opened(log: Option<PathBuf>, games: Option<PathBuf>, is_csv: bool) -> Option<Box<dyn Publisher>> {
    log.map(|log| Box::new(Steam { log, games, is_csv }) as Box<dyn Publisher>)
}

fn open_ucsd(folder: &Folder) -> Opened {
    let log = folder.log(&["steam_reviews.json", "steam_new.json"]);
    Ok(opened(log, folder.find(&["steam_games.json"]), false))
}

fn open_csv(folder: &Folder) -> Opened {
    Ok(opened(folder.log(&["user_reviews.csv"]), folder.find(&["games.csv"]), true))
}

impl Publisher for Steam {
    fn log(&self) -> &Path {
        &self.log
    }

    fn others(&self) -> Vec<PathBuf> {
        self.games.iter().cloned().collect()
    }

    fn rules(&self) -> Rules {
        Rules { most_of_user: 20, repeats: Repeats::Pair, ..Rules::FIVE }
    }

    fn items(&self, visit: &mut Visit<'_, ItemRow>) -> Result<bool, ImportError> {
        let Some(path) = &self.games else { return Ok(false) };
        if self.is_csv {
            csv_games(path, visit)?
        } else {
            ucsd_games(path, visit)?
        }
        Ok(true)
    }

    fn rows(&self, visit: &mut Visit<'_, RawRow>) -> Result<(), ImportError> {
        if self.is_csv { self.csv_reviews(visit) } else { self.ucsd_reviews(visit) }
    }

    fn notes(&self) -> Vec<String> {
        let missing = || "there is no file of games: items have no title, only the fields of the log".to_owned();
        self.games.is_none().then(missing).into_iter().collect()
    }
}

impl Steam {
    fn ucsd_reviews(&self, visit: &mut Visit<'_, RawRow>) -> Result<(), ImportError> {
        let mut records = Records::open(&self.log)?;
        while let Some(record) = records.step()? {
            let verdict = ucsd_review(&record).map(|row| self.named(row));
            visit(&records.place(), verdict)?;
        }
        Ok(())
    }

    fn csv_reviews(&self, visit: &mut Visit<'_, RawRow>) -> Result<(), ImportError> {
        let mut table = Table::csv(&self.log)?;
        let [user, item, posted] = [table.need(&["user_id"])?, table.need(&["item_id"])?, table.need(&["posted"])?];
        let (recommend, review) = (table.find(&["recommend"]), table.find(&["review"]));
        let (hours, helpful) = (table.find(&["hours"]), table.find(&["helpful"]));
        while table.step()? {
            let verdict = start(table.get(user), table.get(item), table.get(posted)).map(|mut row| {
                let recommended = table.filled(recommend).map(truth);
                row.rating = rating(recommended.as_ref());
                put(&mut row.behavior, "recommend", recommended);
                put(&mut row.behavior, "hours", table.filled(hours).map(number_or_text));
                put(&mut row.behavior, "review", table.filled(review).and_then(|text| first_words(text, REVIEW_WORDS)));
                put(&mut row.behavior, "helpful", table.filled(helpful).map(str::to_owned));
                self.named(row)
            });
            visit(&table.place(), verdict)?;
        }
        Ok(())
    }

    /// Without a file of games an item has at least its number for a name.
    fn named(&self, mut row: RawRow) -> RawRow {
        if self.games.is_none() {
            row.item_description = nameless(&row.item);
        }
        row
    }
}

fn start(user: &str, item: &str, posted: &str) -> Verdict<RawRow> {
    if user.is_empty() || item.is_empty() {
        return Err(NO_ID);
    }
    if posted.is_empty() {
        return Err(NO_TIME);
    }
    Ok(RawRow::new(id(user), id(item), Some(date(posted).ok_or(WRONG_TIME)?)))
}

fn ucsd_review(record: &Fields) -> Verdict<RawRow> {
    let user = text_at(record, &["username", "user_id"]).unwrap_or_default();
    let item = text_at(record, &["product_id", "item_id"]).unwrap_or_default();
    let mut row = start(&user, &item, &text_at(record, &["date", "posted"]).unwrap_or_default())?;
    put(&mut row.behavior, "hours", number_at(record, &["hours"]).map(Value::Number));
    row.rating = rating(record.get("recommend"));
    put(&mut row.behavior, "recommend", record.get("recommend").filter(|value| value.is_boolean()).cloned());
    let review = text_at(record, &["text", "review"]).and_then(|text| first_words(&text, REVIEW_WORDS));
    put(&mut row.behavior, "review", review);
    put(&mut row.user_description, "products", number_at(record, &["products"]).map(Value::Number));
    Ok(row)
}

fn ucsd_games(path: &Path, visit: &mut Visit<'_, ItemRow>) -> Result<(), ImportError> {
    let mut records = Records::open(path)?;
    while let Some(record) = records.step()? {
        let Some(item_id) = id_at(&record, &["id"]) else {
            visit(&records.place(), Err("game without an id"))?;
            continue;
        };
        let mut fields = Fields::new();
        put(&mut fields, "title", text_at(&record, &["title", "app_name"]));
        for key in ["genres", "tags", "specs"] {
            put_list(&mut fields, key, texts_at(&record, key));
        }
        for key in ["developer", "publisher", "sentiment", "release_date"] {
            put(&mut fields, key, text_at(&record, &[key]));
        }
        put(&mut fields, "price", text_at(&record, &["price"]).map(|price| number_or_text(&price)));
        let row = with_release(item_id, fields);
        visit(&records.place(), Ok(row))?;
    }
    Ok(())
}

fn csv_games(path: &Path, visit: &mut Visit<'_, ItemRow>) -> Result<(), ImportError> {
    let mut table = Table::csv(path)?;
    let (id_at, title_at) = (table.need(&["id", "item_id"])?, table.need(&["app_name", "title"])?);
    let lists = ["genres", "tags", "specs"].map(|key| (key, table.find(&[key])));
    let texts = ["developer", "publisher", "sentiment", "release_date"].map(|key| (key, table.find(&[key])));
    let price_at = table.find(&["price"]);
    while table.step()? {
        if table.get(id_at).is_empty() {
            visit(&table.place(), Err("game without an id"))?;
            continue;
        }
        let mut fields = Fields::new();
        put(&mut fields, "title", table.filled(Some(title_at)).map(str::to_owned));
        for (key, place) in lists {
            let entries = table.filled(place).unwrap_or_default().split('|').filter_map(filled).collect();
            put_list(&mut fields, key, entries);
        }
        for (key, place) in texts {
            put(&mut fields, key, table.filled(place).map(str::to_owned));
        }
        put(&mut fields, "price", table.filled(price_at).map(number_or_text));
        visit(&table.place(), Ok(with_release(id(table.get(id_at)), fields)))?;
    }
    Ok(())
}

/// Adds the release of the game: the day if known, else the year.
fn with_release(item_id: super::super::ExternalId, fields: Fields) -> ItemRow {
    let mut item_features = Fields::new();
    if let Some(release) = fields.get("release_date").and_then(Value::as_str) {
        match date(release) {
            Some(day) => put(&mut item_features, "time", Some(day.0.div_euclid(1_000))),
            None => put(&mut item_features, "year", release.rsplit([' ', ',']).next().and_then(year)),
        }
    }
    ItemRow { item_id, item_description: fields, item_features }
}

/// A recommendation as a rating: 1 for yes, 0 for no.
fn rating(recommended: Option<&Value>) -> Option<f64> {
    recommended.and_then(Value::as_bool).map(|yes| f64::from(u8::from(yes)))
}

fn truth(word: &str) -> Value {
    match word {
        "True" | "true" | "1" => Value::Bool(true),
        "False" | "false" | "0" => Value::Bool(false),
        other => Value::from(other),
    }
}

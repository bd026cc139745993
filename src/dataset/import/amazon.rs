//! Amazon reviews, as UCSD publishes them.
//!
//! Reads the 2023 JSON lines (`CATEGORY.jsonl`, `meta_CATEGORY.jsonl`) and the files of
//! 2018 and before (5-core `CATEGORY_5.json` or all of `CATEGORY.json`, with or without `reviews_` before it, optionally
//! `meta_CATEGORY.json`).
//!
//! Filters: users and items with at least 5 reviews, counted once; repeats of user, item and time are dropped. In 2023
//! also: the last 30% of the log by time, whole days, and products with at least 10 ratings.
//!
//! To know repeats, 16 bytes a review of the part that is used are held: the one exception to "grows with users and
//! items". Without a file of products an item is its style ("Size: 7 oz") and its number.

use super::super::{ExternalId, ItemRow, Moment};
use super::folder::{Folder, plain_name};
use super::publisher::{Fields, Publisher, RawRow, Repeats, Rules, Verdict, Visit};
use super::records::Records;
use super::values::{NO_ID, NO_TIME, WRONG_TIME, filled, first_words, id_at, number_at, put, text_at, texts_at};
use super::{Family, Format, ImportError, Opened};
use serde_json::Value;
use std::path::{Path, PathBuf};

pub(super) const FAMILY: Family = Family {
    name: "amazon",
    summary: "product reviews by category: of 2023, and of 2018 and before",
    formats: &[
        Format { name: "2023", files: "`CATEGORY.jsonl`, `meta_CATEGORY.jsonl`", open: open_2023 },
        Format { name: "2018", files: "`CATEGORY_5.json` or `CATEGORY.json`, `meta_CATEGORY.json`", open: open_2018 },
    ],
    template: include_str!("templates/amazon.toml"),
};

/// Words of a review that are kept; templates may show fewer.
const REVIEW_WORDS: usize = 100;

struct Amazon {
    log: PathBuf,
    meta: Option<PathBuf>,
    is_2023: bool,
}

fn open_2023(folder: &Folder) -> Opened {
    let Some(log) = folder.one(|name| name.ends_with(".jsonl") && !name.starts_with("meta_"))? else {
        return Ok(None);
    };
    let meta = folder.find(&[&format!("meta_{}", plain_name(&log))]);
    Ok(Some(Box::new(Amazon { log, meta, is_2023: true })))
}

fn open_2018(folder: &Folder) -> Opened {
    let is_log = |name: &str| name.ends_with(".json") && !name.starts_with("meta_");
    let Some(log) = folder.one(is_log)? else { return Ok(None) };
    let name = plain_name(&log);
    let category = name.trim_end_matches(".json").trim_end_matches("_5").trim_start_matches("reviews_");
    let meta = folder.find(&[&format!("meta_{category}.json")]);
    Ok(Some(Box::new(Amazon { log, meta, is_2023: false })))
}

impl Publisher for Amazon {
    fn log(&self) -> &Path {
        &self.log
    }

    fn others(&self) -> Vec<PathBuf> {
        self.meta.iter().cloned().collect()
    }

    fn rules(&self) -> Rules {
        let latest = if self.is_2023 { 0.3 } else { 1.0 };
        Rules { least_of_item: 5, repeats: Repeats::Same, latest, ..Rules::FIVE }
    }

    fn items(&self, visit: &mut Visit<'_, ItemRow>) -> Result<bool, ImportError> {
        let Some(path) = &self.meta else { return Ok(false) };
        let mut records = Records::open(path)?;
        while let Some(record) = records.step()? {
            visit(&records.place(), product(&record, self.is_2023))?;
        }
        Ok(true)
    }

    fn rows(&self, visit: &mut Visit<'_, RawRow>) -> Result<(), ImportError> {
        let mut records = Records::open(&self.log)?;
        while let Some(record) = records.step()? {
            let verdict = review(&record).map(|mut row| {
                if self.meta.is_none() {
                    row.item_description = by_style(&row.item, &record);
                }
                row
            });
            visit(&records.place(), verdict)?;
        }
        Ok(())
    }

    fn notes(&self) -> Vec<String> {
        let missing = || "there is no file of products: items are identified by style and number".to_owned();
        self.meta.is_none().then(missing).into_iter().collect()
    }
}

fn review(record: &Fields) -> Verdict<RawRow> {
    let user = id_at(record, &["user_id", "reviewerID"]).ok_or(NO_ID)?;
    let item = id_at(record, &["parent_asin", "asin"]).ok_or(NO_ID)?;
    let mut row = RawRow::new(user, item, Some(time(record)?));
    put(&mut row.behavior, "rating", number_at(record, &["rating", "overall"]).map(Value::Number));
    // 2023 calls the headline `title`.
    put(&mut row.behavior, "summary", text_at(record, &["summary", "title"]).and_then(|text| first_words(&text, 30)));
    let review = text_at(record, &["reviewText", "text"]).and_then(|text| first_words(&text, REVIEW_WORDS));
    put(&mut row.behavior, "review", review);
    put(&mut row.behavior, "style", style(record));
    Ok(row)
}

/// 2023 counts milliseconds, the files before it seconds.
fn time(record: &Fields) -> Verdict<Moment> {
    let read = |key: &str| number_at(record, &[key]).map(|number| number.as_i64().ok_or(WRONG_TIME));
    let milliseconds = match read("timestamp").or_else(|| read("sort_timestamp")) {
        Some(milliseconds) => milliseconds?,
        None => read("unixReviewTime").ok_or(NO_TIME)??.saturating_mul(1_000),
    };
    // The range of the unified form.
    let is_sane = milliseconds.unsigned_abs() <= 100_000_000_000_000;
    is_sane.then_some(Moment(milliseconds)).ok_or(WRONG_TIME)
}

/// A product without a number of ratings counts as one with fewer than 10 in 2023; the files before know none.
fn product(record: &Fields, is_2023: bool) -> Verdict<ItemRow> {
    let item_id = id_at(record, &["parent_asin", "asin"]).ok_or("product without an id")?;
    let ratings = number_at(record, &["rating_number"]);
    let many = ratings.as_ref().and_then(|number| number.as_f64());
    if is_2023 && many.is_none_or(|number| number < 10.0) {
        return Err("product with fewer than 10 ratings");
    }
    let mut fields = Fields::new();
    put(&mut fields, "title", text_at(record, &["title"]));
    let mut categories = texts_at(record, "categories");
    if categories.is_empty() {
        categories = texts_at(record, "category");
    }
    let category = categories.pop().or_else(|| text_at(record, &["main_category", "main_cat"]));
    put(&mut fields, "category", category);
    put(&mut fields, "brand", text_at(record, &["store", "brand"]));
    put(&mut fields, "price", text_at(record, &["price"]).and_then(|price| price_of(&price)));
    put(&mut fields, "average_rating", number_at(record, &["average_rating"]).map(Value::Number));
    put(&mut fields, "rating_number", ratings.map(Value::Number));
    Ok(ItemRow { item_id, item_description: fields, item_features: Fields::new() })
}

/// "$14.99" as a number; a range or a piece of a page's code is no price.
fn price_of(text: &str) -> Option<Value> {
    super::values::number(text.trim_start_matches('$')).map(Value::Number)
}

/// The style of the product bought: "Size: 7 oz, Flavor: Mint".
fn style(record: &Fields) -> Option<String> {
    let style = record.get("style")?.as_object()?;
    let parts: Vec<String> = style
        .iter()
        .filter_map(|(name, value)| {
            Some(format!("{}: {}", name.trim().trim_end_matches(':'), filled(value.as_str()?)?))
        })
        .collect();
    filled(&parts.join(", "))
}

fn by_style(item: &ExternalId, record: &Fields) -> Fields {
    let mut fields = Fields::new();
    put(&mut fields, "title", Some(format!("product {item}")));
    put(&mut fields, "style", style(record));
    fields
}

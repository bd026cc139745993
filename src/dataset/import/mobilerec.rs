//! MobileRec, reviews of apps: `interactions/mobilerec_final.csv` and `app_meta/app_meta.csv`.

use super::super::ItemRow;
use super::folder::Folder;
use super::publisher::{Fields, Publisher, RawRow, Verdict, Visit};
use super::table::Table;
use super::values::{
    NO_ID, NO_TIME, WRONG_RATING, WRONG_TIME, date, first_words, id, number, number_or_text, put, seconds,
};
use super::{Family, Format, ImportError, Opened};
use crate::dataset::Moment;
use serde_json::Value;
use std::path::{Path, PathBuf};

pub(super) const FAMILY: Family = Family {
    name: "mobilerec",
    summary: "reviews of mobile apps",
    formats: &[Format {
        name: "csv",
        files: "`mobilerec_final.csv`, `app_meta.csv`, also in `interactions/` and `app_meta/`",
        open,
    }],
    template: include_str!("templates/mobilerec.toml"),
};

/// Words of a text that are kept; templates may show fewer.
const WORDS: usize = 100;

struct MobileRec {
    log: PathBuf,
    apps: Option<PathBuf>,
}

fn open(folder: &Folder) -> Opened {
    let log = folder.log(&["interactions/mobilerec_final.csv", "mobilerec_final.csv"]);
    let apps = folder.find(&["app_meta/app_meta.csv", "app_meta.csv", "../app_meta/app_meta.csv"]);
    Ok(log.map(|log| Box::new(MobileRec { log, apps }) as Box<dyn Publisher>))
}

/// The positions of the log's columns.
struct Columns {
    user: usize,
    app: usize,
    stamp: Option<usize>,
    day: Option<usize>,
    rating: Option<usize>,
    review: Option<usize>,
    category: Option<usize>,
}

impl Columns {
    fn of(table: &Table) -> Result<Columns, ImportError> {
        let (stamp, day) = (table.find(&["unix_timestamp"]), table.find(&["formated_date", "formatted_date"]));
        if stamp.is_none() && day.is_none() {
            table.need(&["unix_timestamp", "formated_date"])?;
        }
        Ok(Columns {
            user: table.need(&["uid"])?,
            app: table.need(&["app_package"])?,
            stamp,
            day,
            rating: table.find(&["rating"]),
            review: table.find(&["review"]),
            category: table.find(&["app_category"]),
        })
    }

    fn time(&self, table: &Table) -> Verdict<Moment> {
        if let Some(stamp) = table.filled(self.stamp) {
            return seconds(stamp);
        }
        date(table.filled(self.day).ok_or(NO_TIME)?).ok_or(WRONG_TIME)
    }

    fn row(&self, table: &Table) -> Verdict<RawRow> {
        let (user, app) = (table.get(self.user), table.get(self.app));
        if user.is_empty() || app.is_empty() {
            return Err(NO_ID);
        }
        let mut row = RawRow::new(id(user), id(app), Some(self.time(table)?));
        if let Some(rating) = table.filled(self.rating) {
            put(&mut row.behavior, "rating", Some(Value::Number(number(rating).ok_or(WRONG_RATING)?)));
        }
        put(&mut row.behavior, "review", table.filled(self.review).and_then(|text| first_words(text, WORDS)));
        Ok(row)
    }
}

impl Publisher for MobileRec {
    fn log(&self) -> &Path {
        &self.log
    }

    fn others(&self) -> Vec<PathBuf> {
        self.apps.iter().cloned().collect()
    }

    fn items(&self, visit: &mut Visit<'_, ItemRow>) -> Result<bool, ImportError> {
        let Some(path) = &self.apps else { return Ok(false) };
        let mut table = Table::csv(path)?;
        let id_at = table.need(&["app_package"])?;
        let texts = [("title", "app_name"), ("category", "app_category"), ("developer", "developer_name")];
        let texts = texts.map(|(key, column)| (key, table.find(&[column])));
        let values = [("price", "price"), ("average_rating", "avg_rating"), ("rating_number", "num_reviews")];
        let values = values.map(|(key, column)| (key, table.find(&[column])));
        let description = table.find(&["description"]);
        while table.step()? {
            let mut fields = Fields::new();
            for (key, place) in texts {
                put(&mut fields, key, table.filled(place).map(str::to_owned));
            }
            for (key, place) in values {
                put(&mut fields, key, table.filled(place).map(|text| number_or_text(text.trim_start_matches('$'))));
            }
            put(&mut fields, "description", table.filled(description).and_then(|text| first_words(text, WORDS)));
            let row = ItemRow { item_id: id(table.get(id_at)), item_description: fields, item_features: Fields::new() };
            visit(
                &table.place(),
                if table.get(id_at).is_empty() { Err("app without a name of its package") } else { Ok(row) },
            )?;
        }
        Ok(true)
    }

    fn rows(&self, visit: &mut Visit<'_, RawRow>) -> Result<(), ImportError> {
        let mut table = Table::csv(&self.log)?;
        let columns = Columns::of(&table)?;
        while table.step()? {
            let verdict = columns.row(&table).map(|mut row| {
                if self.apps.is_none() {
                    put(&mut row.item_description, "title", Some(row.item.to_string()));
                    put(&mut row.item_description, "category", table.filled(columns.category).map(str::to_owned));
                }
                row
            });
            visit(&table.place(), verdict)?;
        }
        Ok(())
    }

    fn notes(&self) -> Vec<String> {
        let missing = || "there is no `app_meta.csv`: apps are identified by package and category".to_owned();
        self.apps.is_none().then(missing).into_iter().collect()
    }
}

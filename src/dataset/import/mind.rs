//! MIND, Microsoft's news data.
//!
//! `behaviors.tsv` has real impression lists, `news.tsv` the articles.
//!
//! As a data set, everything is read: each list with its clicks, and each user's clicks before the log.
//!
//! Filters of the pipeline: a history of at least 5, a list of at most 10 articles, exactly one click. The click is an
//! interaction with `impression_list` and `item_pos`. The publisher's history of a user, earlier clicks in order but
//! without times, occurs once for each user, before the user's first impression, as interactions without a time. An
//! article's `time` is that of its first impression.

use super::super::clock::Instant;
use super::super::{ExternalId, ItemRow, Moment};
use super::folder::Folder;
use super::publisher::{Fields, Place, Publisher, RawRow, Rules, ShownRow, Verdict, Visit};
use super::table::{Encoding, Table};
use super::values::{WRONG_TIME, date_like, filled, id, put};
use super::{Family, Format, ImportError, Opened};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

pub(super) const FAMILY: Family = Family {
    name: "mind",
    summary: "news articles shown and clicked",
    formats: &[Format { name: "tsv", files: "`behaviors.tsv`, `news.tsv`", open }],
    template: include_str!("templates/mind.toml"),
};

const BEHAVIORS: &[&str] = &["impression", "user", "time", "history", "list"];
const NEWS: &[&str] = &["id", "category", "subcategory", "title", "abstract", "address", "in_title", "in_abstract"];

/// Clicks that a history needs.
const LEAST_HISTORY: usize = 5;
/// Articles that a list may have.
const LONGEST_LIST: usize = 10;

struct Mind {
    log: PathBuf,
    news: Option<PathBuf>,
    /// Articles in the order in which the log first names them, with the time of the first impression.
    articles: Vec<(ExternalId, Option<Moment>)>,
    places: HashMap<ExternalId, usize>,
}

fn open(folder: &Folder) -> Opened {
    let Some(log) = folder.log(&["behaviors.tsv"]) else { return Ok(None) };
    let news = folder.find(&["news.tsv"]);
    let mut mind = Mind { log, news, articles: Vec::new(), places: HashMap::new() };
    mind.read_articles()?;
    Ok(Some(Box::new(mind)))
}

/// One line of `behaviors.tsv`.
struct Impression {
    user: ExternalId,
    time: Option<Moment>,
    history: Vec<ExternalId>,
    list: Vec<ExternalId>,
    /// The places of the articles that were clicked.
    clicked: Vec<usize>,
}

impl Impression {
    fn read(table: &Table) -> Result<Impression, ImportError> {
        let [user, time, history, shown] = [1, 2, 3, 4].map(|place| table.get(place));
        let (mut list, mut clicked) = (Vec::new(), Vec::new());
        for entry in shown.split_whitespace() {
            let (article, mark) = entry.rsplit_once('-').unwrap_or((entry, ""));
            match mark {
                "1" => clicked.push(list.len()),
                "0" => {}
                _ => return Err(table.error(format!("`{entry}` is no article with `-0` or `-1` behind it"))),
            }
            list.push(id(article));
        }
        let history = history.split_whitespace().map(id).collect();
        Ok(Impression { user: id(user), time: date_like("%m/%d/%Y %I:%M:%S %p", time), history, list, clicked })
    }

    /// The click as an interaction, or why the impression is left out.
    fn click(&self) -> Verdict<RawRow> {
        let time = self.time.ok_or(WRONG_TIME)?;
        if self.history.len() < LEAST_HISTORY {
            return Err("impression with fewer than 5 clicks before it");
        }
        if self.list.len() > LONGEST_LIST {
            return Err("impression of more than 10 articles");
        }
        let &[place] = self.clicked.as_slice() else { return Err("impression without exactly one click") };
        let mut row = RawRow::new(self.user.clone(), self.list[place].clone(), Some(time));
        let ids: Vec<Value> = self.list.iter().map(value_of).collect();
        row.behavior.insert("impression_list".to_owned(), Value::Array(ids));
        row.behavior.insert("item_pos".to_owned(), Value::from(place));
        Ok(row)
    }
}

fn value_of(id: &ExternalId) -> Value {
    match id {
        ExternalId::Number(number) => Value::from(*number),
        ExternalId::Text(text) => Value::from(text.as_str()),
    }
}

impl Mind {
    fn table(&self) -> Result<Table, ImportError> {
        Table::bare(&self.log, "\t", Encoding::Utf8, &[BEHAVIORS])
    }

    /// Finds the time at which each article was first shown, in any impression.
    fn read_articles(&mut self) -> Result<(), ImportError> {
        let mut table = self.table()?;
        while table.step()? {
            let Impression { time, history, list, .. } = Impression::read(&table)?;
            let shown = list.into_iter().map(|article| (article, time));
            for (article, time) in history.into_iter().map(|article| (article, None)).chain(shown) {
                let place = *self.places.entry(article.clone()).or_insert(self.articles.len());
                match self.articles.get_mut(place) {
                    None => self.articles.push((article, time)),
                    Some((_, first)) => *first = first.iter().chain(&time).min().copied(),
                }
            }
        }
        Ok(())
    }

    fn article(&self, item_id: ExternalId, fields: Fields) -> ItemRow {
        let first = self.places.get(&item_id).and_then(|&place| self.articles[place].1);
        let mut item_features = Fields::new();
        put(&mut item_features, "time", first.map(|time| time.0.div_euclid(1_000)));
        ItemRow { item_id, item_description: fields, item_features }
    }

    fn read_news(&self, path: &Path, visit: &mut Visit<'_, ItemRow>) -> Result<(), ImportError> {
        let mut table = Table::bare(path, "\t", Encoding::Utf8, &[NEWS])?;
        while table.step()? {
            let mut fields = Fields::new();
            for (key, place) in [("category", 1), ("subcategory", 2), ("title", 3), ("abstract", 4)] {
                put(&mut fields, key, filled(table.get(place)));
            }
            visit(&table.place(), Ok(self.article(id(table.get(0)), fields)))?;
        }
        Ok(())
    }
}

impl Publisher for Mind {
    fn log(&self) -> &Path {
        &self.log
    }

    fn others(&self) -> Vec<PathBuf> {
        self.news.iter().cloned().collect()
    }

    fn rules(&self) -> Rules {
        // The publisher's histories take the place of a least number of interactions.
        Rules { least_of_user: 1, ..Rules::FIVE }
    }

    fn items(&self, visit: &mut Visit<'_, ItemRow>) -> Result<bool, ImportError> {
        if let Some(path) = &self.news {
            self.read_news(path, visit)?;
            return Ok(true);
        }
        for (article, _) in &self.articles {
            let fields = Fields::from_iter([("title".to_owned(), Value::from(format!("news article {article}")))]);
            visit(&Place::file(&self.log), Ok(self.article(article.clone(), fields)))?;
        }
        Ok(true)
    }

    fn rows(&self, visit: &mut Visit<'_, RawRow>) -> Result<(), ImportError> {
        let mut table = self.table()?;
        let mut seen_users: HashSet<ExternalId> = HashSet::new();
        while table.step()? {
            let impression = Impression::read(&table)?;
            let click = impression.click();
            if click.is_ok() && seen_users.insert(impression.user.clone()) {
                for article in &impression.history {
                    let row = RawRow::new(impression.user.clone(), article.clone(), None);
                    visit(&table.place(), Ok(row))?;
                }
            }
            visit(&table.place(), click)?;
        }
        Ok(())
    }

    /// Every click of every list, and before them what users clicked before the log.
    fn all_rows(&self, visit: &mut Visit<'_, RawRow>) -> Result<(), ImportError> {
        let mut table = self.table()?;
        let mut seen_users: HashSet<ExternalId> = HashSet::new();
        while table.step()? {
            let impression = Impression::read(&table)?;
            let Some(time) = impression.time else {
                visit(&table.place(), Err(WRONG_TIME))?;
                continue;
            };
            if seen_users.insert(impression.user.clone()) {
                for article in &impression.history {
                    visit(&table.place(), Ok(RawRow::new(impression.user.clone(), article.clone(), None)))?;
                }
            }
            for &place in &impression.clicked {
                let article = impression.list[place].clone();
                visit(&table.place(), Ok(RawRow::new(impression.user.clone(), article, Some(time))))?;
            }
        }
        Ok(())
    }

    fn shown(&self, visit: &mut Visit<'_, ShownRow>) -> Result<bool, ImportError> {
        let mut table = self.table()?;
        while table.step()? {
            let name = format!("{}/{:012}", table.get(0), table.place().line);
            let impression = Impression::read(&table)?;
            let Some(time) = impression.time else { continue };
            for (place, article) in impression.list.into_iter().enumerate() {
                let taken = impression.clicked.contains(&place);
                let time = Some(Instant::of_moment(time));
                let mut row = ShownRow::new(impression.user.clone(), article, time, taken);
                (row.list, row.slot) = (Some(name.clone()), u16::try_from(place).ok());
                visit(&table.place(), Ok(row))?;
            }
        }
        Ok(true)
    }

    fn notes(&self) -> Vec<String> {
        if self.news.is_some() {
            return Vec::new();
        }
        let articles = self.articles.len();
        vec![format!("there is no `news.tsv`: {articles} articles have no title and no category, only their number")]
    }
}

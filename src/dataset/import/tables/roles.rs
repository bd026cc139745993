//! The meaning of log columns, inferred from their names.

use super::spec::{Columns, NAME, Names};
use crate::files::FileError;
use std::path::Path;

/// Names of columns without case and signs, the surest first.
const USER: &[&str] = &[
    "userid",
    "user",
    "uid",
    "customerid",
    "customer",
    "memberid",
    "visitorid",
    "accountid",
    "reviewerid",
    "userno",
    "clientid",
    "viewerid",
    "listenerid",
    "buyerid",
    "personid",
    "profileid",
    "username",
];
const ITEM: &[&str] = &[
    "itemid",
    "item",
    "iid",
    "movieid",
    "productid",
    "sku",
    "asin",
    "articleid",
    "newsid",
    "videoid",
    "songid",
    "trackid",
    "artistid",
    "bookid",
    "gameid",
    "appid",
    "contentid",
    "offerid",
    "listingid",
    "businessid",
    "recipeid",
    "isbn",
    "animeid",
    "beerid",
    "restaurantid",
    "placeid",
    "venueid",
    "locationid",
    "poiid",
    "podcastid",
    "courseid",
    "jobid",
    "adid",
    "parentasin",
    "movie",
    "product",
];
const TIME: &[&str] = &[
    "timestamp",
    "timestampms",
    "timems",
    "time",
    "datetime",
    "ts",
    "unixreviewtime",
    "date",
    "eventtime",
    "eventtimestamp",
    "impressiontime",
    "createdat",
    "unixtimestamp",
    "unixtime",
    "ratedat",
    "when",
];
const RATING: &[&str] = &[
    "rating",
    "score",
    "stars",
    "star",
    "overall",
    "rate",
    "feedbackscore",
    "bookrating",
    "userrating",
    "reviewscore",
];
const WEIGHT: &[&str] = &["weight", "quantity", "qty", "plays", "playcount", "count"];
const CLICKED: &[&str] = &["clicked", "click", "isclick", "isclicked", "taken", "accepted", "label"];
const POSITION: &[&str] = &["position", "pos", "slot", "rank"];
const IMPRESSION: &[&str] = &["impressionid", "impression", "requestid", "slateid", "listid"];
const PROPENSITY: &[&str] = &["propensity", "propensityscore", "pscore"];
/// Columns of a table that is a policy and no log.
const PROBABILITY: &[&str] = &[
    "probability",
    "prob",
    "actionprobability",
    "actionprob",
    "targetprobability",
    "propensity",
    "propensityscore",
    "pscore",
];
const SHOWN: &[&str] =
    &["articleidsinview", "impressionlist", "shown", "shownitems", "slate", "impressions", "candidates"];
const TAKEN: &[&str] = &["articleidsclicked", "takenitems", "clickeditems", "clicks", "taken"];

/// Columns of interactions before the log.
const HISTORY: &[&str] = &["articleidfixed", "itemhistory", "historyitems", "historyitemids"];
const HISTORY_TIMES: &[&str] = &["impressiontimefixed", "timehistory", "historytimes", "historytimestamps"];

/// The positions of the columns of a log.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    /// The columns that make a user's id.
    pub(super) user: Vec<usize>,
    pub(super) item: Option<usize>,
    pub(super) time: Option<usize>,
    pub(super) rating: Option<usize>,
    pub(super) weight: Option<usize>,
    pub(super) clicked: Option<usize>,
    pub(super) position: Option<usize>,
    pub(super) impression: Option<usize>,
    pub(super) propensity: Option<usize>,
    pub(super) shown: Option<usize>,
    pub(super) taken: Option<usize>,
    pub(super) user_fields: Vec<usize>,
    pub(super) item_fields: Vec<usize>,
    /// The columns that mean nothing here: the context of a row.
    pub(super) rest: Vec<usize>,
}

/// A name without case and signs: `userId`, `user_id` and `User ID` are one.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The column with one of these plain names, the surest first.
fn find(columns: &[String], names: &[&str]) -> Option<usize> {
    names.iter().find_map(|name| columns.iter().position(|column| plain(column) == *name))
}

/// The column of a user's id, recognised by its name.
pub(super) fn user_column(columns: &[String]) -> Option<usize> {
    find(columns, USER)
}

/// The column of an item's id, recognised by its name.
pub(super) fn item_column(columns: &[String]) -> Option<usize> {
    find(columns, ITEM)
}

/// The column with lists of items that users took before the log, recognised by its name.
pub(super) fn history_column(columns: &[String]) -> Option<usize> {
    find(columns, HISTORY)
}

/// The column with their times, recognised by its name.
pub(super) fn history_times_column(columns: &[String]) -> Option<usize> {
    find(columns, HISTORY_TIMES)
}

/// The column of a slot, recognised by its name.
pub(super) fn slot_column(columns: &[String]) -> Option<usize> {
    find(columns, POSITION)
}

/// The column of a policy's probabilities, recognised by its name.
pub(super) fn probability_column(columns: &[String]) -> Option<usize> {
    find(columns, PROBABILITY)
}

/// True if rows have taken items or ratings.
pub(super) fn has_takes(columns: &[String]) -> bool {
    [CLICKED, SHOWN, TAKEN, RATING].iter().any(|names| find(columns, names).is_some())
}

/// True for columns of a log: user and item.
pub(super) fn is_log(columns: &[String]) -> bool {
    let has_user = user_column(columns).is_some() || !features_of_user(columns).is_empty();
    has_user && (item_column(columns).is_some() || find(columns, SHOWN).is_some())
}

/// In a log without user ids: the columns whose values together distinguish users.
fn features_of_user(columns: &[String]) -> Vec<usize> {
    let is_feature = |name: &String| plain(name).strip_prefix("userfeature").is_some_and(|rest| !rest.is_empty());
    (0..columns.len()).filter(|&at| is_feature(&columns[at])).collect()
}

impl Layout {
    /// The layout of a log with these columns: as `given`, else by their names.
    ///
    /// # Errors
    /// When a column that is named is not there, or none is that of users or items.
    pub(super) fn of(columns: &[String], given: &Columns, path: &Path) -> Result<Layout, FileError> {
        let known = || columns.iter().filter(|name| !name.is_empty()).cloned().collect::<Vec<_>>().join("`, `");
        let place = |name: &String| {
            columns.iter().position(|column| column == name).ok_or_else(|| {
                let problem = format!("no column `{name}`, which {NAME} names; the columns are `{}`", known());
                FileError::line(path, 1, problem)
            })
        };
        let one = |given: &Option<String>, names: &[&str]| match given {
            Some(name) => place(name).map(Some),
            None => Ok(find(columns, names)),
        };
        let all = |names: &[String]| names.iter().map(place).collect::<Result<Vec<usize>, FileError>>();
        let mut layout = Layout {
            user: match &given.user {
                Some(names) => all(&Names::list(names))?,
                None => user_column(columns).map_or_else(|| features_of_user(columns), |at| vec![at]),
            },
            item: one(&given.item, ITEM)?,
            time: one(&given.time, TIME)?,
            rating: one(&given.rating, RATING)?,
            weight: one(&given.weight, WEIGHT)?,
            clicked: one(&given.clicked, CLICKED)?,
            position: one(&given.position, POSITION)?,
            impression: one(&given.impression, IMPRESSION)?,
            propensity: one(&given.propensity, PROPENSITY)?,
            shown: one(&given.shown, SHOWN)?,
            taken: one(&given.taken, TAKEN)?,
            user_fields: all(&given.user_fields)?,
            item_fields: all(&given.item_fields)?,
            rest: Vec::new(),
        };
        if given.user.is_none() && layout.user.len() > 1 {
            // The columns that distinguish users are also facts about them.
            layout.user_fields.extend(&layout.user);
        }
        layout.settle(columns);
        let missing = match (layout.user.is_empty(), layout.item.is_none() && layout.shown.is_none()) {
            (true, _) => Some(("user", "user_id")),
            (false, true) => Some(("item", "item_id")),
            _ => None,
        };
        if let Some((role, name)) = missing {
            let problem = format!(
                "no column `{name}`; the columns are `{}`; name the column in {NAME} (`[columns]`, `{role} = \"...\"`)",
                known()
            );
            return Err(FileError::line(path, 1, problem));
        }
        Ok(layout)
    }

    /// Gives each column one meaning, and finds those that have none.
    fn settle(&mut self, columns: &[String]) {
        if self.shown.is_some() {
            // The rows are lists: what was taken of them is in a list, too, or is the item.
            self.clicked = None;
        } else {
            self.taken = None;
        }
        let taken: Vec<usize> = self.used().collect();
        self.rest = (0..columns.len()).filter(|at| !columns[*at].is_empty() && !taken.contains(at)).collect();
    }

    fn used(&self) -> impl Iterator<Item = usize> {
        let single = [
            self.item,
            self.time,
            self.rating,
            self.weight,
            self.clicked,
            self.position,
            self.impression,
            self.propensity,
            self.shown,
            self.taken,
        ];
        let many = [&self.user, &self.user_fields, &self.item_fields];
        single.into_iter().flatten().chain(many.into_iter().flatten().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(columns: &[&str]) -> Layout {
        let columns: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
        Layout::of(&columns, &Columns::default(), Path::new("log.csv")).expect("a layout")
    }

    #[test]
    fn names_are_known_in_any_spelling() {
        let found = layout(&["userId", "Movie ID", "stars", "created_at", "device"]);
        assert_eq!((found.user, found.item, found.rating, found.time), (vec![0], Some(1), Some(2), Some(3)));
        assert_eq!(found.rest, [4]);
        let flat = layout(&[
            "",
            "timestamp",
            "item_id",
            "position",
            "click",
            "propensity_score",
            "user_feature_0",
            "user_feature_1",
        ]);
        assert_eq!((flat.user, flat.clicked, flat.propensity), (vec![6, 7], Some(4), Some(5)));
        assert!(flat.rest.is_empty());
        let lists = layout(&[
            "impression_id",
            "article_id",
            "impression_time",
            "article_ids_inview",
            "article_ids_clicked",
            "user_id",
        ]);
        assert_eq!((lists.shown, lists.taken, lists.time, lists.impression), (Some(3), Some(4), Some(2), Some(0)));
    }

    #[test]
    fn missing_columns_are_reported_with_the_existing_ones() {
        let columns = ["who", "what"].map(str::to_owned);
        let problem = Layout::of(&columns, &Columns::default(), Path::new("log.csv")).expect_err("no user").to_string();
        assert!(problem.contains("no column `user_id`; the columns are `who`, `what`"), "{problem}");
        let given = Columns { user: Some(Names::One("who".into())), item: Some("item".into()), ..Columns::default() };
        let problem = Layout::of(&columns, &given, Path::new("log.csv")).expect_err("no item").to_string();
        assert!(problem.contains("no column `item`, which data.toml names"), "{problem}");
    }
}

//! MovieLens of GroupLens.
//!
//! 100K (`u.data`), 1M and 10M (`ratings.dat`, fields separated by `::`), the CSV form since
//! 20M (`ratings.csv`), and 100K in RecBole's atomic files. MovieTweetings has the `::` form with ratings from 0 to 10.
//!
//! Shown: gender, age, occupation and place of a user; title, year and genres of a film; the rating given.

use super::super::{ItemRow, UserRow};
use super::folder::Folder;
use super::publisher::{Fields, Publisher, RawRow, Roles, Verdict, Visit};
use super::table::{Encoding, Table};
use super::tables::FieldType;
use super::values::{
    NO_ID, WRONG_RATING, filled, id, nameless, number, number_or_text, put, put_list, seconds, title_and_year, year,
};
use super::{Family, Format, ImportError, Opened};
use serde_json::{Number, Value};
use std::path::{Path, PathBuf};

pub(super) const FAMILY: Family = Family {
    name: "movielens",
    summary: "ratings of films: MovieLens 100K, 1M, 10M, latest, and MovieTweetings",
    formats: &[
        Format { name: "100k", files: "`u.data`, `u.item`, `u.user`", open: open_100k },
        Format { name: "colons", files: "`ratings.dat`, `movies.dat`, `users.dat`", open: open_colons },
        Format { name: "csv", files: "`ratings.csv`, `movies.csv`", open: open_csv },
        Format { name: "recbole", files: "`NAME.inter`, `NAME.item`, `NAME.user`", open: open_recbole },
    ],
    template: include_str!("templates/movielens.toml"),
};

/// The genre flags of `u.item`, in the order of its columns.
const GENRES: [&str; 19] = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
];

/// Columns of `u.item` before the genre flags.
const TEXTS: [&str; 5] = ["item_id", "title", "release", "video", "address"];

/// The first column of the genre flags of `u.item`.
const FIRST_FLAG: usize = TEXTS.len();

/// Columns of `u.item`: five texts and the genre flags.
const U_ITEM: [&str; FIRST_FLAG + GENRES.len()] = {
    let mut columns = [""; FIRST_FLAG + GENRES.len()];
    let mut at = 0;
    while at < columns.len() {
        columns[at] = if at < FIRST_FLAG { TEXTS[at] } else { GENRES[at - FIRST_FLAG] };
        at += 1;
    }
    columns
};

const ROW: &[&str] = &["user_id", "item_id", "rating", "timestamp"];

/// The meaning of the codes in `users.dat`, from the README of MovieLens-1M.
const AGES: [(&str, &str); 7] = [
    ("1", "under 18"),
    ("18", "18-24"),
    ("25", "25-34"),
    ("35", "35-44"),
    ("45", "45-49"),
    ("50", "50-55"),
    ("56", "56 or older"),
];

/// As [`AGES`], by number.
const OCCUPATIONS: [&str; 21] = [
    "other",
    "academic/educator",
    "artist",
    "clerical/admin",
    "college/grad student",
    "customer service",
    "doctor/health care",
    "executive/managerial",
    "farmer",
    "homemaker",
    "K-12 student",
    "lawyer",
    "programmer",
    "retired",
    "sales/marketing",
    "scientist",
    "self-employed",
    "technician/engineer",
    "tradesman/craftsman",
    "unemployed",
    "writer",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Bars,
    Colons,
    Csv,
    Recbole,
}

struct MovieLens {
    form: Form,
    log: PathBuf,
    movies: Option<PathBuf>,
    users: Option<PathBuf>,
    /// The best rating that can be given.
    best: u8,
}

fn opened(form: Form, log: Option<PathBuf>, movies: Option<PathBuf>, users: Option<PathBuf>) -> Opened {
    let Some(log) = log else { return Ok(None) };
    let mut data = MovieLens { form, log, movies, users, best: 5 };
    if form == Form::Colons && data.has_rating_above_five()? {
        data.best = 10;
    }
    Ok(Some(Box::new(data)))
}

fn open_100k(folder: &Folder) -> Opened {
    opened(Form::Bars, folder.log(&["u.data"]), folder.find(&["u.item"]), folder.find(&["u.user"]))
}

fn open_colons(folder: &Folder) -> Opened {
    opened(Form::Colons, folder.log(&["ratings.dat"]), folder.find(&["movies.dat"]), folder.find(&["users.dat"]))
}

fn open_csv(folder: &Folder) -> Opened {
    opened(Form::Csv, folder.log(&["ratings.csv"]), folder.find(&["movies.csv"]), None)
}

fn open_recbole(folder: &Folder) -> Opened {
    let Some(log) = folder.one(|name| name.ends_with(".inter"))? else { return Ok(None) };
    let beside = |ending: &str| {
        let name = super::folder::plain_name(&log);
        let stem = name.strip_suffix(".inter").unwrap_or(&name).to_owned();
        folder.find(&[&format!("{stem}.{ending}")])
    };
    let (movies, users) = (beside("item"), beside("user"));
    opened(Form::Recbole, Some(log), movies, users)
}

impl MovieLens {
    /// A file with a header, or with these columns where the form has none.
    fn table(&self, path: &Path, forms: &[&[&str]]) -> Result<Table, ImportError> {
        match self.form {
            Form::Bars => Table::bare(path, if path == self.log { "\t" } else { "|" }, Encoding::OrLatin1, forms),
            Form::Colons => Table::bare(path, "::", Encoding::OrLatin1, forms),
            Form::Csv => Table::csv(path),
            Form::Recbole => Table::headed(path, "\t", Encoding::Utf8),
        }
    }

    /// MovieTweetings and MovieLens share a form but not a scale.
    fn has_rating_above_five(&self) -> Result<bool, ImportError> {
        let mut table = self.table(&self.log, &[ROW])?;
        while table.step()? {
            if number(table.get(2)).and_then(|rating| rating.as_f64()).is_some_and(|rating| rating > 5.0) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Genre flags are 0 or 1.
    fn check_flags(&self, table: &Table) -> Result<(), ImportError> {
        let flags = U_ITEM.iter().enumerate().skip(FIRST_FLAG).filter(|_| self.form == Form::Bars);
        for (place, name) in flags {
            if !matches!(table.get(place), "0" | "1") {
                let flag = table.get(place);
                return Err(table.error(format!("the genre flag `{name}` is `{flag}`, expected 0 or 1")));
            }
        }
        Ok(())
    }

    fn genres(&self, table: &Table, place: Option<usize>) -> Vec<String> {
        if self.form == Form::Bars {
            let flags = U_ITEM.iter().enumerate().skip(FIRST_FLAG);
            return flags.filter(|&(place, _)| table.get(place) == "1").map(|(_, &name)| name.to_owned()).collect();
        }
        let written = table.filled(place).unwrap_or_default();
        if written == "(no genres listed)" {
            return Vec::new();
        }
        // RecBole separates by spaces; no genre of MovieLens has one inside.
        let separator = if self.form == Form::Recbole { ' ' } else { '|' };
        written.split(separator).filter_map(filled).collect()
    }
}

impl Publisher for MovieLens {
    fn log(&self) -> &Path {
        &self.log
    }

    fn others(&self) -> Vec<PathBuf> {
        self.movies.iter().chain(&self.users).cloned().collect()
    }

    fn is_strict(&self) -> bool {
        self.form != Form::Colons
    }

    fn roles(&self) -> Roles {
        let age = ("age".to_owned(), FieldType::Number);
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Roles {
            user_types: if self.form == Form::Bars { [age].into() } else { Default::default() },
            item_order: names(&["title", "year", "genres"]),
            user_order: names(&["age", "gender", "occupation", "zip_code"]),
            ..Roles::default()
        }
    }

    fn items(&self, visit: &mut Visit<'_, ItemRow>) -> Result<bool, ImportError> {
        let Some(path) = &self.movies else { return Ok(false) };
        let mut table = self.table(path, &[&U_ITEM, &["item_id", "title", "genres"]])?;
        let id_at = table.need(&["item_id", "movieId"])?;
        let title_at = table.need(&["title", "movie_title"])?;
        let year_at = table.find(&["release_year"]);
        let genres_at = table.find(&["genres", "class"]);
        let released_at = table.find(&["release"]);
        while table.step()? {
            self.check_flags(&table)?;
            let (title, mut released) = title_and_year(table.get(title_at));
            released = released.or_else(|| year(table.filled(year_at)?));
            released = released.or_else(|| year(table.filled(released_at)?.rsplit('-').next()?));
            let mut item_description = Fields::new();
            put(&mut item_description, "title", filled(title));
            put(&mut item_description, "year", released);
            put_list(&mut item_description, "genres", self.genres(&table, genres_at));
            let mut item_features = Fields::new();
            put(&mut item_features, "year", released);
            let row = ItemRow { item_id: id(table.get(id_at)), item_description, item_features };
            visit(&table.place(), if table.get(id_at).is_empty() { Err(NO_ID) } else { Ok(row) })?;
        }
        Ok(true)
    }

    fn users(&self, visit: &mut Visit<'_, UserRow>) -> Result<bool, ImportError> {
        let Some(path) = &self.users else { return Ok(false) };
        let bars: &[&str] = &["user_id", "age", "gender", "occupation", "zip_code"];
        let colons: &[&str] = &["user_id", "gender", "age", "occupation", "zip_code"];
        let forms: &[&[&str]] = if self.form == Form::Bars { &[bars] } else { &[colons, &["user_id", "twitter_id"]] };
        let mut table = self.table(path, forms)?;
        let id_at = table.need(&["user_id"])?;
        let [gender, age, occupation, zip] =
            ["gender", "age", "occupation", "zip_code"].map(|name| table.find(&[name]));
        while table.step()? {
            let mut fields = Fields::new();
            let coded = self.form == Form::Colons;
            put(&mut fields, "gender", table.filled(gender).map(str::to_owned));
            put(
                &mut fields,
                "age",
                table.filled(age).map(|age| if coded { age_group(age) } else { number_or_text(age) }),
            );
            let job = table.filled(occupation).map(|job| if coded { occupation_of(job) } else { job });
            put(&mut fields, "occupation", job.map(str::to_owned));
            put(&mut fields, "zip_code", table.filled(zip).map(str::to_owned));
            let features = Fields::new();
            let row = UserRow { user_id: id(table.get(id_at)), user_description: fields, user_features: features };
            visit(&table.place(), if table.get(id_at).is_empty() { Err(NO_ID) } else { Ok(row) })?;
        }
        Ok(true)
    }

    fn rows(&self, visit: &mut Visit<'_, RawRow>) -> Result<(), ImportError> {
        let mut table = self.table(&self.log, &[ROW])?;
        let user = table.need(&["user_id", "userId"])?;
        let item = table.need(&["item_id", "movieId"])?;
        let (rating, time) = (table.find(&["rating"]), table.find(&["timestamp"]));
        while table.step()? {
            visit(&table.place(), self.row(&table, (user, item), rating, time))?;
        }
        Ok(())
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.movies.is_none() {
            notes.push("there is no file of films: items have no title, only the fields of the log".to_owned());
        }
        if self.users.is_none() {
            notes.push("there is no file of users: profiles are empty".to_owned());
        }
        notes
    }
}

impl MovieLens {
    fn row(&self, table: &Table, ids: (usize, usize), rating: Option<usize>, time: Option<usize>) -> Verdict<RawRow> {
        let (user, item) = (table.get(ids.0), table.get(ids.1));
        if user.is_empty() || item.is_empty() {
            return Err(NO_ID);
        }
        let time = time.map(|time| seconds(table.get(time))).transpose()?;
        let mut row = RawRow::new(id(user), id(item), time);
        if let Some(rating) = table.filled(rating) {
            row.behavior.insert("rating".to_owned(), Value::Number(number(rating).ok_or(WRONG_RATING)?));
            row.behavior.insert("best_rating".to_owned(), Value::Number(Number::from(self.best)));
        }
        if self.movies.is_none() {
            row.item_description = nameless(&row.item);
        }
        Ok(row)
    }
}

fn age_group(code: &str) -> Value {
    let group = AGES.iter().find(|(known, _)| *known == code);
    group.map_or_else(|| number_or_text(code), |(_, group)| Value::from(*group))
}

fn occupation_of(code: &str) -> &str {
    code.parse::<usize>().ok().and_then(|code| OCCUPATIONS.get(code)).copied().unwrap_or(code)
}

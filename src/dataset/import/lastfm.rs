//! LastFM of HetRec 2011.
//!
//! `user_artists.dat` with play counts, `artists.dat`, `user_friends.dat`, and, if present, `tags.dat` and
//! `user_taggedartists-timestamps.dat` (or `user_taggedartists.dat`).
//!
//! Plays have no times. With the file of tags an interaction is an artist that a user tagged, at the time of the first
//! tag; artists that were played but never tagged are left out, because their time is unknown. Without it every played
//! artist is an interaction without a time. Friends are in `user_features.friends`: the number of those who listened
//! depends on user and item and is left to code.
//!
//! The data set has a fixed size, so its tags and plays are held in memory.

use super::super::{ExternalId, ItemRow, Moment, UserRow};
use super::folder::Folder;
use super::publisher::{Fields, Place, Publisher, RawRow, Visit};
use super::table::{Encoding, Table};
use super::values::{WRONG_TIME, filled, id, number, put, put_list};
use super::{Family, Format, ImportError, Opened};
use jiff::civil::Date;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(super) const FAMILY: Family = Family {
    name: "lastfm",
    summary: "artists played and tagged, with friends (HetRec 2011)",
    formats: &[Format {
        name: "hetrec",
        files: "`user_artists.dat`, `artists.dat`, `user_friends.dat`, `tags.dat`, `user_taggedartists*.dat`",
        open,
    }],
    template: include_str!("templates/lastfm.toml"),
};

/// Tags of an artist that are shown.
const MOST_TAGS: usize = 5;

/// Users who must have given a tag to an artist for it to be shown: tags are those of the whole log, and a tag of a
/// single user would reveal in a list what this user is about to do.
const LEAST_GIVERS: u32 = 3;

/// Earliest time that a tag can have: the service began in 2002. The publisher's data holds a few of 1956 and such.
const EARLIEST: i64 = 1_009_843_200_000;

#[derive(Default)]
struct LastFm {
    plays: PathBuf,
    artists: Option<PathBuf>,
    tagged: Option<PathBuf>,
    others: Vec<PathBuf>,
    friends: BTreeMap<i64, Vec<i64>>,
    tag_names: BTreeMap<i64, String>,
    /// The number of users who gave each tag to an artist.
    tags: BTreeMap<i64, BTreeMap<i64, u32>>,
    counts: BTreeMap<(i64, i64), i64>,
    taggings: Vec<Tagging>,
}

/// A user's tags of an artist: the line, the time of the first tag, the tags.
struct Tagging {
    user: i64,
    artist: i64,
    line: u64,
    time: Option<Moment>,
    tags: Vec<i64>,
}

fn open(folder: &Folder) -> Opened {
    const PLAYS: &str = "user_artists.dat";
    const TAGGED: [&str; 2] = ["user_taggedartists-timestamps.dat", "user_taggedartists.dat"];
    // Tags belong to the plays, so that either may be singled out; of two files of tags the one that was.
    let (named_plays, named_tags) = (folder.log(&[PLAYS]), folder.log(&TAGGED));
    let Some(plays) = named_plays.or_else(|| named_tags.as_ref().and_then(|_| folder.find(&[PLAYS]))) else {
        return Ok(None);
    };
    let tagged = named_tags.or_else(|| folder.find(&TAGGED));
    let mut data = LastFm { plays, artists: folder.find(&["artists.dat"]), tagged, ..LastFm::default() };
    if let Some(path) = folder.find(&["user_friends.dat"]) {
        for (_, [user, friend]) in numbers(&path, ["userID", "friendID"], false)? {
            data.friends.entry(user).or_default().push(friend);
        }
        data.others.push(path);
    }
    if let Some(path) = folder.find(&["tags.dat"]) {
        data.read_tag_names(&path)?;
        data.others.push(path);
    }
    if let Some(path) = data.tagged.clone() {
        data.read_taggings(&path)?;
        for (_, [user, artist, plays]) in numbers(&data.plays, ["userID", "artistID", "weight"], true)? {
            data.counts.insert((user, artist), plays);
        }
    }
    Ok(Some(Box::new(data)))
}

/// Rows of integers with their lines. A file of pairs may lack its header.
fn numbers<const N: usize>(path: &Path, columns: [&str; N], headed: bool) -> Result<Vec<(u64, [i64; N])>, ImportError> {
    let mut rows = Vec::new();
    let mut table = if headed {
        Table::headed(path, "\t", Encoding::OrLatin1)?
    } else {
        Table::bare(path, "\t", Encoding::OrLatin1, &[&columns])?
    };
    let mut places = [0; N];
    for (place, column) in places.iter_mut().zip(columns) {
        *place = table.need(&[column])?;
    }
    while table.step()? {
        if !headed && table.place().line == 1 && table.get(0) == columns[0] {
            continue;
        }
        let mut row = [0; N];
        for ((value, place), column) in row.iter_mut().zip(places).zip(columns) {
            let text = table.get(place);
            let problem = || table.error(format!("{column} `{text}` is not a whole number"));
            *value = text.parse().map_err(|_| problem())?;
        }
        rows.push((table.place().line, row));
    }
    Ok(rows)
}

impl LastFm {
    fn read_tag_names(&mut self, path: &Path) -> Result<(), ImportError> {
        let mut table = Table::headed(path, "\t", Encoding::OrLatin1)?;
        let (id_at, name_at) = (table.need(&["tagID"])?, table.need(&["tagValue"])?);
        while table.step()? {
            let Ok(number) = table.get(id_at).parse() else {
                return Err(table.error(format!("tagID `{}` is not a whole number", table.get(id_at))));
            };
            self.tag_names.insert(number, table.get(name_at).to_owned());
        }
        Ok(())
    }

    fn read_taggings(&mut self, path: &Path) -> Result<(), ImportError> {
        let to_the_second = path.to_string_lossy().contains("timestamps");
        let rows: Vec<(u64, [i64; 3], i64)> = if to_the_second {
            let rows = numbers(path, ["userID", "artistID", "tagID", "timestamp"], true)?;
            rows.into_iter().map(|(line, [user, artist, tag, time])| (line, [user, artist, tag], time)).collect()
        } else {
            let rows = numbers(path, ["userID", "artistID", "tagID", "day", "month", "year"], true)?;
            let rows = rows.into_iter();
            rows.map(|(line, [user, artist, tag, day, month, year])| {
                (line, [user, artist, tag], day_of(day, month, year))
            })
            .collect()
        };
        let mut places: BTreeMap<(i64, i64), usize> = BTreeMap::new();
        for (line, [user, artist, tag], time) in rows {
            let time = (time >= EARLIEST).then_some(Moment(time));
            let place = *places.entry((user, artist)).or_insert(self.taggings.len());
            match self.taggings.get_mut(place) {
                None => self.taggings.push(Tagging { user, artist, line, time, tags: vec![tag] }),
                Some(tagging) => {
                    tagging.time = tagging.time.iter().chain(&time).min().copied();
                    if tagging.tags.contains(&tag) {
                        continue;
                    }
                    tagging.tags.push(tag);
                }
            }
            *self.tags.entry(artist).or_default().entry(tag).or_default() += 1;
        }
        Ok(())
    }

    fn names(&self, tags: impl Iterator<Item = i64>) -> Vec<String> {
        tags.filter_map(|tag| self.tag_names.get(&tag).cloned()).collect()
    }

    /// The tags that most users, and [`LEAST_GIVERS`] at least, gave to an artist; equal ones by number.
    fn top_tags(&self, artist: i64) -> Vec<String> {
        let given = self.tags.get(&artist).into_iter().flatten().map(|(&tag, &count)| (count, tag));
        let mut tags: Vec<(u32, i64)> = given.filter(|&(count, _)| count >= LEAST_GIVERS).collect();
        tags.sort_by_key(|&(count, tag)| (std::cmp::Reverse(count), tag));
        self.names(tags.into_iter().map(|(_, tag)| tag).take(MOST_TAGS))
    }

    fn rows_of_tags(&self, path: &Path, visit: &mut Visit<'_, RawRow>) -> Result<(), ImportError> {
        let mut untagged = self.counts.clone();
        for tagging in &self.taggings {
            let (user, artist) = (ExternalId::Number(tagging.user), ExternalId::Number(tagging.artist));
            let mut row = RawRow::new(user, artist, tagging.time);
            put_list(&mut row.behavior, "tags", self.names(tagging.tags.iter().copied()));
            let plays = untagged.remove(&(tagging.user, tagging.artist));
            row.weight = plays.map(|plays| plays as f64);
            put(&mut row.behavior, "plays", plays);
            let verdict = if tagging.time.is_some() { Ok(row) } else { Err(WRONG_TIME) };
            visit(&Place::new(path, tagging.line, 0), verdict)?;
        }
        for _ in &untagged {
            visit(&Place::file(&self.plays), Err("artist that was played but never tagged: no time"))?;
        }
        Ok(())
    }

    fn rows_of_plays(&self, visit: &mut Visit<'_, RawRow>) -> Result<(), ImportError> {
        let mut table = Table::headed(&self.plays, "\t", Encoding::OrLatin1)?;
        let [user, artist, weight] = [table.need(&["userID"])?, table.need(&["artistID"])?, table.need(&["weight"])?];
        while table.step()? {
            let mut row = RawRow::new(id(table.get(user)), id(table.get(artist)), None);
            let plays = number(table.get(weight));
            row.weight = plays.as_ref().and_then(|plays| plays.as_f64());
            put(&mut row.behavior, "plays", plays.map(Value::Number));
            if self.artists.is_none() {
                put(&mut row.item_description, "name", Some(format!("artist {}", row.item)));
            }
            visit(&table.place(), Ok(row))?;
        }
        Ok(())
    }
}

fn day_of(day: i64, month: i64, year: i64) -> i64 {
    let date = || {
        let (day, month, year) = (i8::try_from(day).ok()?, i8::try_from(month).ok()?, i16::try_from(year).ok()?);
        let date = Date::new(year, month, day).ok()?;
        jiff::tz::TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok().map(|stamp| stamp.as_millisecond())
    };
    date().unwrap_or(i64::MIN)
}

impl Publisher for LastFm {
    fn log(&self) -> &Path {
        self.tagged.as_ref().unwrap_or(&self.plays)
    }

    /// The plays are sorted by user and artist.
    fn is_unordered(&self) -> bool {
        self.tagged.is_none()
    }

    fn others(&self) -> Vec<PathBuf> {
        let plays = self.tagged.as_ref().map(|_| &self.plays);
        plays.into_iter().chain(&self.artists).chain(&self.others).cloned().collect()
    }

    fn items(&self, visit: &mut Visit<'_, ItemRow>) -> Result<bool, ImportError> {
        let Some(path) = &self.artists else { return Ok(false) };
        let mut table = Table::headed(path, "\t", Encoding::OrLatin1)?;
        let (id_at, name_at) = (table.need(&["id"])?, table.need(&["name"])?);
        while table.step()? {
            let mut fields = Fields::new();
            put(&mut fields, "name", filled(table.get(name_at)));
            let number = table.get(id_at).parse().unwrap_or_default();
            put_list(&mut fields, "tags", self.top_tags(number));
            let item_id = id(table.get(id_at));
            visit(&table.place(), Ok(ItemRow { item_id, item_description: fields, item_features: Fields::new() }))?;
        }
        Ok(true)
    }

    fn users(&self, visit: &mut Visit<'_, UserRow>) -> Result<bool, ImportError> {
        if self.friends.is_empty() {
            return Ok(false);
        }
        // Everyone who listened is a user, with friends or without.
        let mut users: BTreeMap<i64, Vec<i64>> = self.friends.clone();
        for (_, [user, _]) in numbers(&self.plays, ["userID", "artistID"], true)? {
            users.entry(user).or_default();
        }
        for tagging in &self.taggings {
            users.entry(tagging.user).or_default();
        }
        for (user, friends) in users {
            let mut fields = Fields::new();
            put(&mut fields, "friends", Some(friends.len()));
            let mut user_features = Fields::new();
            put(&mut user_features, "friends", Some(friends));
            let row = UserRow { user_id: ExternalId::Number(user), user_description: fields, user_features };
            visit(&Place::file(self.log()), Ok(row))?;
        }
        Ok(true)
    }

    fn rows(&self, visit: &mut Visit<'_, RawRow>) -> Result<(), ImportError> {
        match &self.tagged {
            Some(path) => self.rows_of_tags(path, visit),
            None => self.rows_of_plays(visit),
        }
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.tagged.is_none() {
            let reason = "artists have no tags, and plays stand by their number, not by time";
            notes.push(format!("there is no `user_taggedartists-timestamps.dat`: {reason}"));
        }
        if self.friends.is_empty() {
            notes.push("there is no `user_friends.dat`: users have no friends".to_owned());
        }
        if self.artists.is_none() {
            notes.push("there is no `artists.dat`: artists have no name, only their number".to_owned());
        }
        notes
    }
}

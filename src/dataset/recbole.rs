//! RecBole's atomic files: `NAME.inter`, `NAME.item`, `NAME.user`, tab separated, with a typed header
//! (`user_id:token`, `rating:float`, `class:token_seq`, ...). Columns are found by name; those not known are ignored.

use super::adapt::{item_fields, user_fields};
use super::films::{Catalogue, GenreSet};
use super::grouplens::{filled, parse_year};
use super::profile::{Profile, Profiles};
use super::reader::{Lines, Rows, name_of};
use super::{Cleaner, Cleanup, DataError, Dataset, IdTable, Impressions, Interaction, RatingScale};
use crate::ids::{ItemId, UserId};
use std::path::{Path, PathBuf};

/// Who provides the items of which the file does not say it.
const UNKNOWN_PROVIDER: &str = "unknown";

/// The one file of `folder` with this extension.
///
/// # Errors
/// When the folder cannot be read or holds several such files.
pub fn find(folder: &Path, extension: &str) -> Result<Option<PathBuf>, DataError> {
    let listing = std::fs::read_dir(folder).map_err(|source| DataError::Io { path: folder.to_owned(), source })?;
    let mut found = None;
    for entry in listing {
        let path = entry.map_err(|source| DataError::Io { path: folder.to_owned(), source })?.path();
        if path.extension().is_some_and(|ending| ending == extension) && path.is_file() {
            if found.is_some() {
                return Err(DataError::Ambiguous { path: folder.to_owned(), extension: extension.to_owned() });
            }
            found = Some(path);
        }
    }
    Ok(found)
}

/// Reads the three files of `folder`.
///
/// # Errors
/// A missing file, or the first line that cannot be understood.
pub fn read(folder: &Path) -> Result<Dataset, DataError> {
    let mut hasher = blake3::Hasher::new();
    let mut cleanup = Cleanup::default();
    let (items, catalogue) = read_items(need(folder, "item")?, &mut hasher, &mut cleanup)?;
    let (users, profiles) = read_users(need(folder, "user")?, &mut hasher)?;
    let interactions = read_rows(need(folder, "inter")?, &users, &items, &mut hasher, &mut cleanup)?;
    let (user_fields, item_fields) = (user_fields(&profiles), item_fields(&catalogue));
    let field = |name: &str| item_fields.get(name).map(|field| field.name.clone());
    Ok(Dataset {
        name: name_of(folder, "recbole"),
        family: "recbole",
        title: field("title"),
        released: field("year"),
        provider: field("provider"),
        users,
        items,
        user_fields,
        item_fields,
        scale: RatingScale::of(interactions.iter().map(|row| row.rating)),
        impressions: Impressions::default(),
        notes: Vec::new(),
        interactions,
        cleanup,
        hash: hasher.finalize().to_hex().to_string(),
    })
}

fn need(folder: &Path, extension: &str) -> Result<PathBuf, DataError> {
    find(folder, extension)?.ok_or_else(|| DataError::Io {
        path: folder.join(format!("*.{extension}")),
        source: std::io::Error::from(std::io::ErrorKind::NotFound),
    })
}

/// The header of an atomic file: where each column stands.
struct Header(Vec<String>);

impl Header {
    fn read(lines: &mut Lines<'_>) -> Result<Header, DataError> {
        if !lines.advance()? {
            return Err(DataError::Empty { path: lines.path().to_owned() });
        }
        let names = lines.text()?.split('\t').map(|field| field.split(':').next().unwrap_or(field).trim().to_owned());
        Ok(Header(names.collect()))
    }

    fn place(&self, names: &[&str]) -> Option<usize> {
        self.0.iter().position(|column| names.contains(&column.as_str()))
    }

    fn need(&self, lines: &Lines<'_>, names: &[&str]) -> Result<usize, DataError> {
        self.place(names).ok_or_else(|| {
            lines.error(format!("no column `{}` in the header; it has: {}", names.join("` or `"), self.0.join(", ")))
        })
    }

    fn fields<'l>(&self, lines: &'l Lines<'_>) -> Result<Vec<&'l str>, DataError> {
        let fields: Vec<&str> = lines.text()?.split('\t').collect();
        lines.expect_fields(fields.len(), self.0.len(), "tabs")?;
        Ok(fields)
    }
}

fn read_items(
    path: PathBuf,
    hasher: &mut blake3::Hasher,
    cleanup: &mut Cleanup,
) -> Result<(IdTable, Catalogue), DataError> {
    let mut lines = Lines::open(path, hasher)?;
    let header = Header::read(&mut lines)?;
    let id_at = header.need(&lines, &["item_id"])?;
    let title_at = header.place(&["movie_title", "title", "name"]);
    let year_at = header.place(&["release_year", "year"]);
    let genres_at = header.place(&["class", "genre", "genres"]);
    let provider_at = header.place(&["provider", "provider_id", "seller", "publisher", "brand"]);
    let (mut items, mut catalogue) = (IdTable::default(), Catalogue::default());
    let mut providers = IdTable::default();
    while lines.advance()? {
        let fields = header.fields(&lines)?;
        let id = fields[id_at].trim();
        let title = title_at.map_or("", |place| fields[place].trim());
        let year = year_at.and_then(|place| parse_year(fields[place].trim()));
        let genres = genres_at.map_or("", |place| fields[place]);
        if !items.insert(id).1 {
            return Err(lines.error(format!("item id `{id}` stands here for the second time")));
        }
        if year.is_none() {
            cleanup.count(Cleaner::MissingYear);
        }
        // The publisher's own spelling of the one film without a name.
        if matches!(title, "" | "unknown" | "unkonwn") {
            cleanup.count(Cleaner::UntitledItem);
        }
        let untitled = title.is_empty();
        catalogue.titles.push(if untitled { "unknown".to_owned() } else { title.to_owned() });
        catalogue.years.push(year);
        let set = genre_set(&lines, &mut catalogue, genres)?;
        catalogue.genres.push(set);
        if let Some(place) = provider_at {
            let name = fields[place].trim();
            catalogue.providers.push(providers.insert(if name.is_empty() { UNKNOWN_PROVIDER } else { name }).0);
        }
    }
    if items.is_empty() {
        return Err(DataError::Empty { path: lines.path().to_owned() });
    }
    catalogue.provider_names = (0..providers.len() as u32).map(|name| providers.external(name).to_owned()).collect();
    Ok((items, catalogue))
}

fn genre_set(lines: &Lines<'_>, catalogue: &mut Catalogue, names: &str) -> Result<GenreSet, DataError> {
    let mut set = GenreSet::default();
    for name in names.split_whitespace() {
        let bit = catalogue.genre_bit(name);
        set.insert(bit.ok_or_else(|| {
            lines.error(format!("genre `{name}` is one more than the {} that are supported", GenreSet::CAPACITY))
        })?);
    }
    Ok(set)
}

fn read_users(path: PathBuf, hasher: &mut blake3::Hasher) -> Result<(IdTable, Profiles), DataError> {
    let mut lines = Lines::open(path, hasher)?;
    let header = Header::read(&mut lines)?;
    let id_at = header.need(&lines, &["user_id"])?;
    let age_at = header.place(&["age"]);
    let gender_at = header.place(&["gender"]);
    let occupation_at = header.place(&["occupation"]);
    let (mut users, mut profiles) = (IdTable::default(), Vec::new());
    while lines.advance()? {
        let fields = header.fields(&lines)?;
        let id = fields[id_at].trim();
        let text = |place: Option<usize>| place.and_then(|place| filled(fields[place]));
        let age = text(age_at).map(|age| lines.number(&age, "age")).transpose()?;
        let profile =
            Profile { age: age.map(|age| age as f32), gender: text(gender_at), occupation: text(occupation_at) };
        if !users.insert(id).1 {
            return Err(lines.error(format!("user id `{id}` stands here for the second time")));
        }
        profiles.push(profile);
    }
    Ok((users, Profiles(profiles)))
}

fn read_rows(
    path: PathBuf,
    users: &IdTable,
    items: &IdTable,
    hasher: &mut blake3::Hasher,
    cleanup: &mut Cleanup,
) -> Result<Vec<Interaction>, DataError> {
    let mut lines = Lines::open(path, hasher)?;
    let header = Header::read(&mut lines)?;
    let user_at = header.need(&lines, &["user_id"])?;
    let item_at = header.need(&lines, &["item_id"])?;
    let time_at = header.need(&lines, &["timestamp"])?;
    let rating_at = header.place(&["rating"]);
    let mut rows = Rows::default();
    while lines.advance()? {
        let fields = header.fields(&lines)?;
        let (user, item) = (fields[user_at].trim(), fields[item_at].trim());
        let user = users.get(user).ok_or_else(|| lines.error(format!("user id `{user}` is not in the .user file")))?;
        let item = items.get(item).ok_or_else(|| lines.error(format!("item id `{item}` is not in the .item file")))?;
        let rating = match rating_at {
            Some(place) => lines.number(fields[place], "rating")? as f32,
            None => f32::NAN,
        };
        let time = lines.seconds(fields[time_at])?;
        rows.push(Interaction { user: UserId(user), item: ItemId(item), rating, time }, cleanup);
    }
    let path = lines.path().to_owned();
    rows.finish(&path)
}

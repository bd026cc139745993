//! MovieLens-100K as GroupLens publishes it: `u.data` (tab separated: user, item, rating, time),
//! `u.item` (`|` separated, Latin-1, 5 columns and 19 genre flags), `u.user` (`|` separated).

use super::adapt::{item_fields, user_fields};
use super::films::{Catalogue, GenreSet};
use super::profile::{Profile, Profiles};
use super::reader::{Lines, Rows, name_of};
use super::{Cleaner, Cleanup, DataError, Dataset, IdTable, Impressions, Interaction, RatingScale};
use crate::ids::{ItemId, UserId};
use std::path::Path;

/// The genre flags of `u.item`, in the order of its columns.
pub(super) const GENRES: [&str; 19] = [
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

/// Columns of `u.item` before the genre flags: id, title, release date, video release date, address.
const LEADING: usize = 5;

/// Reads `u.item`, `u.user` and `u.data` of `folder`.
///
/// # Errors
/// A missing file, or the first line that cannot be understood.
pub fn read(folder: &Path) -> Result<Dataset, DataError> {
    let mut hasher = blake3::Hasher::new();
    let mut cleanup = Cleanup::default();
    let (items, catalogue) = read_items(folder, &mut hasher, &mut cleanup)?;
    let (users, profiles) = read_users(folder, &mut hasher)?;
    let interactions = read_rows(folder, &users, &items, &mut hasher, &mut cleanup)?;
    let (user_fields, item_fields) = (user_fields(&profiles), item_fields(&catalogue));
    let field = |name: &str| item_fields.get(name).map(|field| field.name.clone());
    Ok(Dataset {
        name: name_of(folder, "grouplens"),
        family: "grouplens",
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

fn read_items(
    folder: &Path,
    hasher: &mut blake3::Hasher,
    cleanup: &mut Cleanup,
) -> Result<(IdTable, Catalogue), DataError> {
    let mut lines = Lines::open(folder.join("u.item"), hasher)?;
    let (mut items, mut catalogue) = (IdTable::default(), Catalogue::default());
    catalogue.genre_names = GENRES.map(str::to_owned).to_vec();
    while lines.advance()? {
        let (text, latin) = lines.lossless();
        if latin {
            cleanup.count(Cleaner::Latin1Title);
        }
        let fields: Vec<&str> = text.split('|').collect();
        lines.expect_fields(fields.len(), LEADING + GENRES.len(), "`|`")?;
        let id = fields[0].trim();
        if !items.insert(id).1 {
            return Err(lines.error(format!("item id `{id}` stands here for the second time")));
        }
        let (title, year) = title_and_year(fields[1].trim());
        let year = year.or_else(|| fields[2].trim().rsplit('-').next().and_then(parse_year));
        if year.is_none() {
            cleanup.count(Cleaner::MissingYear);
        }
        if title.is_empty() || title == "unknown" {
            cleanup.count(Cleaner::UntitledItem);
        }
        catalogue.titles.push(if title.is_empty() { "unknown".to_owned() } else { title.to_owned() });
        catalogue.years.push(year);
        catalogue.genres.push(genre_flags(&lines, &fields[LEADING..])?);
    }
    if items.is_empty() {
        return Err(DataError::Empty { path: lines.path().to_owned() });
    }
    Ok((items, catalogue))
}

fn genre_flags(lines: &Lines<'_>, flags: &[&str]) -> Result<GenreSet, DataError> {
    let mut genres = GenreSet::default();
    for (bit, flag) in flags.iter().enumerate() {
        match flag.trim() {
            "0" => {}
            "1" => genres.insert(bit as u32),
            other => {
                return Err(lines.error(format!(
                    "genre flag {} (`{}`) is `{other}`, expected 0 or 1",
                    bit + 1,
                    GENRES[bit]
                )));
            }
        }
    }
    Ok(genres)
}

fn read_users(folder: &Path, hasher: &mut blake3::Hasher) -> Result<(IdTable, Profiles), DataError> {
    let mut lines = Lines::open(folder.join("u.user"), hasher)?;
    let (mut users, mut profiles) = (IdTable::default(), Vec::new());
    while lines.advance()? {
        let text = lines.text()?;
        let fields: Vec<&str> = text.split('|').collect();
        lines.expect_fields(fields.len(), 5, "`|`")?;
        let id = fields[0].trim();
        let age = lines.number(fields[1], "age")? as f32;
        let profile = Profile { age: Some(age), gender: filled(fields[2]), occupation: filled(fields[3]) };
        if !users.insert(id).1 {
            return Err(lines.error(format!("user id `{id}` stands here for the second time")));
        }
        profiles.push(profile);
    }
    Ok((users, Profiles(profiles)))
}

fn read_rows(
    folder: &Path,
    users: &IdTable,
    items: &IdTable,
    hasher: &mut blake3::Hasher,
    cleanup: &mut Cleanup,
) -> Result<Vec<Interaction>, DataError> {
    let mut lines = Lines::open(folder.join("u.data"), hasher)?;
    let mut rows = Rows::default();
    while lines.advance()? {
        let text = lines.text()?;
        let fields: Vec<&str> = text.split('\t').collect();
        lines.expect_fields(fields.len(), 4, "tabs")?;
        let user = users.get(fields[0].trim());
        let user = user.ok_or_else(|| lines.error(format!("user id `{}` is not in u.user", fields[0])))?;
        let item = items.get(fields[1].trim());
        let item = item.ok_or_else(|| lines.error(format!("item id `{}` is not in u.item", fields[1])))?;
        let rating = lines.number(fields[2], "rating")? as f32;
        let time = lines.seconds(fields[3])?;
        rows.push(Interaction { user: UserId(user), item: ItemId(item), rating, time }, cleanup);
    }
    let path = lines.path().to_owned();
    rows.finish(&path)
}

/// Splits "Toy Story (1995)" into its title and year.
fn title_and_year(text: &str) -> (&str, Option<u16>) {
    let Some((title, year)) = text.strip_suffix(')').and_then(|text| text.rsplit_once('(')) else {
        return (text, None);
    };
    match parse_year(year) {
        Some(year) => (title.trim_end(), Some(year)),
        None => (text, None),
    }
}

pub(super) fn parse_year(text: &str) -> Option<u16> {
    (text.len() == 4).then(|| text.parse().ok()).flatten().filter(|year| (1000..=2999).contains(year))
}

pub(super) fn filled(field: &str) -> Option<String> {
    let field = field.trim();
    (!field.is_empty()).then(|| field.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn year_is_taken_off_the_title() {
        assert_eq!(title_and_year("Toy Story (1995)"), ("Toy Story", Some(1995)));
        assert_eq!(title_and_year("Shanghai Triad (Yao a yao) (1995)"), ("Shanghai Triad (Yao a yao)", Some(1995)));
        assert_eq!(title_and_year("Marvin (live)"), ("Marvin (live)", None));
        assert_eq!(title_and_year("unknown"), ("unknown", None));
        assert_eq!(title_and_year("("), ("(", None));
    }
}

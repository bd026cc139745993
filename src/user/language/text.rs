//! Scenes as text: what the data set knows of users and items, put into words by templates.
//!
//! The templates are those of the mirror flow (`profile`, `item`, `history`), so that a model reads in a simulation what it
//! read in training. In scope are what a simulation knows: the title of an item (its id where the data have none), its year, and
//! every field of items and users by its name, the rating of what was accepted, how long ago that was, and how old an item is.

use super::memory;
use crate::dataset::{
    Catalogue, Column, Dataset, ExternalId, Fields, InteractionRow, ItemRow, Moment, TemplateError, TextTemplates,
    UserRow,
};
use crate::ids::ItemId;
use crate::user::{Memorised, UserError};
use serde_json::{Map, Number, Value};
use std::path::Path;

/// The built-in templates for MovieLens.
const MOVIELENS: &str = include_str!("../../dataset/import/templates/movielens.toml");
/// The built-in templates for anything else.
const PLAIN: &str = include_str!("templates/plain.toml");

/// What readers call a title or a category that is not known.
const UNKNOWN: &str = "unknown";

/// The best rating of all.
const BEST: u8 = 5;

/// Writes the texts of one data set.
pub(super) struct SceneTexts {
    templates: TextTemplates,
    /// A short hash of the templates.
    digest: String,
    catalogue: Catalogue,
    /// The field of titles: it is shown as such, not as a field.
    title: Option<String>,
    /// The profile of each user.
    profiles: Vec<String>,
}

/// The texts of a scene; the lines of the history apart, because a long one loses its oldest.
pub(super) struct Lines {
    pub profile: String,
    pub history: Vec<String>,
    pub list: Vec<String>,
}

impl SceneTexts {
    /// Texts by the templates `own`, which stand in the file `origin`, else by the built-in ones. All profiles and items are
    /// tried: a template that fails on one says so now.
    pub(super) fn new(own: Option<&str>, origin: &Path, data: &Dataset) -> Result<SceneTexts, UserError> {
        let built_in = match data.family {
            "movielens" => (MOVIELENS, "templates/movielens.toml"),
            _ => (PLAIN, "templates/plain.toml"),
        };
        let (text, path) = own.map_or((built_in.0, Path::new(built_in.1)), |own| (own, origin));
        let templates = TextTemplates::parse(text, path)?;
        let profiles = (0..data.users.len()).map(|user| templates.profile(&user_row(&data.user_fields, user)));
        let profiles = profiles.collect::<Result<_, TemplateError>>()?;
        let digest = blake3::hash(text.as_bytes()).to_hex()[..16].to_owned();
        let texts =
            SceneTexts { templates, digest, catalogue: Catalogue::of(data), title: data.title.clone(), profiles };
        for item in (0..data.items.len() as u32).map(ItemId) {
            texts.item(item, Some(0))?;
            texts.entry(&Memorised { item, rating: f32::from(BEST), time: 0 }, Some(0))?;
        }
        Ok(texts)
    }

    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// The texts of a scene at `now`, in seconds since 1970; without it, no text tells how long ago something was.
    pub(super) fn lines(&self, row: &[f32], items: &[ItemId], now: Option<i64>) -> Result<Lines, UserError> {
        let profile = self.profiles.get(memory::user(row).index()).cloned().unwrap_or_default();
        let history = memory::entries(row).map(|entry| self.entry(&entry, now)).collect::<Result<_, UserError>>()?;
        let list = items.iter().map(|&item| self.item(item, now)).collect::<Result<_, UserError>>()?;
        Ok(Lines { profile, history, list })
    }

    fn item(&self, item: ItemId, now: Option<i64>) -> Result<String, UserError> {
        Ok(self.templates.item(&self.item_row(item), now.map(moment))?)
    }

    fn entry(&self, entry: &Memorised, now: Option<i64>) -> Result<String, UserError> {
        let mut behavior_features = Map::new();
        if let Some(rating) = number(entry.rating) {
            behavior_features.insert("rating".to_owned(), rating);
            behavior_features.insert("best_rating".to_owned(), Value::from(BEST));
        }
        let done = InteractionRow {
            user_id: ExternalId::Number(0),
            item_id: ExternalId::Number(i64::from(entry.item.0)),
            timestamp: Some(moment(entry.time)),
            behavior_features,
        };
        Ok(self.templates.history(&self.item_row(entry.item), &done, now.map(moment))?)
    }

    fn item_row(&self, item: ItemId) -> ItemRow {
        let mut item_features = Map::new();
        let mut item_description = described(self.catalogue.fields(), item.index(), self.title.as_deref());
        // Readers of data sets call an item without a title so.
        let title = Some(self.catalogue.title(item)).filter(|title| !title.is_empty() && *title != UNKNOWN);
        if let Some(title) = title {
            item_description.insert("title".to_owned(), Value::from(title));
        }
        let year = self.catalogue.year(item);
        if let Some(year) = number(year.floor()).filter(|_| !year.is_nan()) {
            item_description.insert("year".to_owned(), year.clone());
            item_features.insert("year".to_owned(), year);
        }
        ItemRow { item_id: ExternalId::Number(i64::from(item.0)), item_description, item_features }
    }
}

/// What the fields say of a row, but for the title, vectors, and categories that are called unknown.
fn described(fields: &Fields, row: usize, title: Option<&str>) -> Map<String, Value> {
    let mut told = Map::new();
    for field in fields.iter().filter(|field| title != Some(field.name.as_str())) {
        let column = &field.column;
        let names = || {
            let own = column.categories(row).iter();
            let names = column.names().into_iter().flat_map(move |names| own.clone().map(|&code| names.external(code)));
            names.filter(|name| *name != UNKNOWN)
        };
        let value = match column {
            Column::Category { .. } => names().next().map(Value::from),
            Column::Categories { .. } => {
                Some(names().collect::<Vec<_>>()).filter(|own| !own.is_empty()).map(Value::from)
            }
            Column::Number(values) => number(values[row]),
            Column::Time(times) => times[row]
                .and_then(|time| jiff::Timestamp::from_millisecond(time).ok())
                .map(|time| Value::from(time.strftime("%Y-%m-%d").to_string())),
            Column::Text(texts) => Some(texts[row].as_str()).filter(|text| !text.is_empty()).map(Value::from),
            Column::Vector { .. } => None,
        };
        told.extend(value.map(|value| (field.name.clone(), value)));
    }
    told
}

fn moment(seconds: i64) -> Moment {
    Moment(seconds.saturating_mul(1_000))
}

/// A number as people write it: whole ones without a point.
fn number(value: f32) -> Option<Value> {
    if value.fract() == 0.0 && value.abs() < 1e9 {
        return Some(Value::from(value as i64));
    }
    // By way of the text: 3.7 of 32 bits is not 3.7 of 64.
    value.to_string().parse().ok().and_then(Number::from_f64).map(Value::Number)
}

fn user_row(fields: &Fields, user: usize) -> UserRow {
    let mut told = described(fields, user, None);
    if let Some(gender) = told.get_mut("gender") {
        match gender.as_str() {
            Some("M") => *gender = Value::from("male"),
            Some("F") => *gender = Value::from("female"),
            _ => (),
        }
    }
    UserRow { user_id: ExternalId::Number(0), user_description: told, user_features: Map::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Field, IdTable, NO_CATEGORY};
    use crate::ids::UserId;

    const DAY: i64 = 86_400;

    fn data(family: &'static str) -> Dataset {
        let ids = |count: usize| {
            let mut table = IdTable::default();
            (0..count).for_each(|id| {
                table.insert(&format!("id{id}"));
            });
            table
        };
        let field = |name: &str, column| Field { name: name.to_owned(), column };
        let titles = ["Café Müller", "unknown", "東京物語"].map(str::to_owned).to_vec();
        let genres: [&[&str]; 3] = [&["Drama", "War"], &["unknown"], &[]];
        let mut genders = IdTable::default();
        ["F", "x"].iter().for_each(|name| {
            genders.insert(name);
        });
        Dataset {
            name: "films".to_owned(),
            family,
            users: ids(3),
            items: ids(3),
            user_fields: Fields::new(vec![
                field("age", Column::Number(vec![24.0, f32::NAN, 30.5])),
                field("gender", Column::Category { names: genders, codes: vec![0, NO_CATEGORY, 1] }),
            ]),
            item_fields: Fields::new(vec![
                field("title", Column::Text(titles)),
                field("year", Column::Number(vec![1970.0, f32::NAN, 1953.0])),
                field("genres", Column::of_names(genres)),
            ]),
            title: Some("title".to_owned()),
            released: Some("year".to_owned()),
            ..Dataset::default()
        }
    }

    fn texts(family: &'static str) -> SceneTexts {
        SceneTexts::new(None, Path::new(""), &data(family)).expect("texts")
    }

    #[test]
    fn a_scene_reads_like_one_of_the_mirror_flow() {
        let texts = texts("movielens");
        let mut row = vec![0.0; memory::width(4)];
        memory::start(&mut row, UserId(0));
        memory::push(&mut row, &Memorised { item: ItemId(1), rating: f32::NAN, time: 0 });
        memory::push(&mut row, &Memorised { item: ItemId(0), rating: 4.0, time: 40 * DAY });
        memory::push(&mut row, &Memorised { item: ItemId(2), rating: 3.7, time: 42 * DAY + 5 });
        let found = texts.lines(&row, &[ItemId(0), ItemId(2)], Some(43 * DAY)).expect("lines");
        assert_eq!(found.profile, "female, age 24.");
        let history = [
            "Untitled film; 1 month ago",
            "Café Müller (1970); genres: Drama, War; rated 4 of 5; 3 days ago",
            "東京物語 (1953); rated 3.7 of 5; 23 hours ago",
        ];
        assert_eq!(found.history, history);
        assert_eq!(found.list, ["[New release] Café Müller (1970); genres: Drama, War", "東京物語 (1953)"]);
        let timeless = texts.lines(&row, &[ItemId(0)], None).expect("lines");
        assert_eq!(timeless.history[1], "Café Müller (1970); genres: Drama, War; rated 4 of 5");
        assert_eq!(timeless.list, ["Café Müller (1970); genres: Drama, War"]);
    }

    #[test]
    fn profiles_tell_what_is_known() {
        for (family, unknown) in [
            ("movielens", "Nothing is known of this person but what they watched."),
            ("recbole", "Nothing is known of this person but what they did."),
        ] {
            assert_eq!(texts(family).profiles, ["female, age 24.", unknown, "x, age 30.5."]);
        }
    }

    #[test]
    fn items_without_titles_are_told_apart_by_their_ids() {
        let bare = Dataset { title: None, item_fields: Fields::default(), ..data("recbole") };
        let texts = SceneTexts::new(None, Path::new(""), &bare).expect("texts");
        let row = vec![0.0; memory::width(4)];
        let found = texts.lines(&row, &[ItemId(0), ItemId(2)], None).expect("lines");
        assert_eq!(found.list, ["id0", "id2"]);
    }

    #[test]
    fn a_template_that_fails_on_an_item_is_told() {
        let own = "profile = ''\nhistory = ''\nitem = '{{ item.title|words(1.5) }}'\n";
        let problem = SceneTexts::new(Some(own), Path::new("m/template.toml"), &data("recbole"));
        let problem = problem.err().expect("refused").to_string();
        assert!(problem.starts_with("m/template.toml: `item`"), "{problem}");
    }
}

//! Scenes as text: what the data set knows of users and items, put into words by templates.
//!
//! The templates are those of the mirror flow (`profile`, `item`, `history`), so that a model reads in a simulation what it
//! read in training. In scope are what a simulation knows: title, year and genres of an item, gender, age and occupation of a
//! user, the rating of what was accepted, how long ago that was, and how old an item is.

use super::memory;
use crate::dataset::{
    Catalogue, Dataset, ExternalId, InteractionRow, ItemRow, Moment, Profile, TemplateError, TextTemplates, UserRow,
};
use crate::ids::ItemId;
use crate::user::{Memorised, UserError};
use serde_json::{Map, Number, Value};
use std::path::Path;

/// The built-in templates for MovieLens.
const MOVIELENS: &str = include_str!("../../dataset/import/templates/movielens.toml");
/// The built-in templates for anything else.
const PLAIN: &str = include_str!("templates/plain.toml");

/// The best rating of all.
const BEST: u8 = 5;

/// Writes the texts of one data set.
pub(super) struct SceneTexts {
    templates: TextTemplates,
    /// A short hash of the templates.
    digest: String,
    catalogue: Catalogue,
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
        let profiles = data.profiles.0.iter().map(|profile| templates.profile(&user_row(profile)));
        let profiles = profiles.collect::<Result<_, TemplateError>>()?;
        let digest = blake3::hash(text.as_bytes()).to_hex()[..16].to_owned();
        let texts = SceneTexts { templates, digest, catalogue: data.catalogue.clone(), profiles };
        for item in (0..data.catalogue.len() as u32).map(ItemId) {
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
        let (catalogue, place) = (&self.catalogue, item.index());
        let mut item_description = Map::new();
        let mut item_features = Map::new();
        // Readers of data sets call an item without a title so.
        let title = Some(catalogue.titles[place].as_str()).filter(|title| !title.is_empty() && *title != "unknown");
        if let Some(title) = title {
            item_description.insert("title".to_owned(), Value::from(title));
        }
        if let Some(year) = catalogue.years[place] {
            item_description.insert("year".to_owned(), Value::from(year));
            item_features.insert("year".to_owned(), Value::from(year));
        }
        let genres = catalogue.genres_of(item);
        let names =
            catalogue.genre_names.iter().zip(0..).filter(|(name, bit)| *name != "unknown" && genres.contains(*bit));
        let names: Vec<Value> = names.map(|(name, _)| Value::from(name.as_str())).collect();
        if !names.is_empty() {
            item_description.insert("genres".to_owned(), Value::from(names));
        }
        ItemRow { item_id: ExternalId::Number(i64::from(item.0)), item_description, item_features }
    }
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

fn user_row(profile: &Profile) -> UserRow {
    let mut told = Map::new();
    let gender = profile.gender.as_deref().map(|gender| match gender {
        "M" => "male",
        "F" => "female",
        other => other,
    });
    let pairs = [
        ("gender", gender.map(Value::from)),
        ("age", profile.age.and_then(number)),
        ("occupation", profile.occupation.as_deref().map(Value::from)),
    ];
    for (key, value) in pairs {
        if let Some(value) = value {
            told.insert(key.to_owned(), value);
        }
    }
    UserRow { user_id: ExternalId::Number(0), user_description: told, user_features: Map::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{GenreSet, Profiles};
    use crate::ids::UserId;

    const DAY: i64 = 86_400;

    fn data(family: &'static str) -> Dataset {
        let person = |age, gender: Option<&str>| Profile { age, gender: gender.map(str::to_owned), occupation: None };
        Dataset {
            name: "films".to_owned(),
            family,
            profiles: Profiles(vec![person(Some(24.0), Some("F")), person(None, None), person(Some(30.5), Some("x"))]),
            catalogue: Catalogue {
                titles: ["Café Müller", "unknown", "東京物語"].map(str::to_owned).to_vec(),
                years: vec![Some(1970), None, Some(1953)],
                genre_names: ["unknown", "Drama", "War"].map(str::to_owned).to_vec(),
                genres: vec![GenreSet(0b110), GenreSet(0b1), GenreSet(0)],
                ..Catalogue::default()
            },
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
    fn a_template_that_fails_on_an_item_is_told() {
        let own = "profile = ''\nhistory = ''\nitem = '{{ item.title|words(1.5) }}'\n";
        let problem = SceneTexts::new(Some(own), Path::new("m/template.toml"), &data("recbole"));
        let problem = problem.err().expect("refused").to_string();
        assert!(problem.starts_with("m/template.toml: `item`"), "{problem}");
    }
}

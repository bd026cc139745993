//! Scenes as text, by templates.
//!
//! The templates are those of the pipeline (`profile`, `item`, `history`), so a model reads the same texts in a
//! simulation as in training. They have access to what a simulation knows: every field of items and users by its name,
//! the title of an item (its id if the data have none) and its year, the rating of accepted items, the time since then,
//! and the age of an item.

use super::memory;
use crate::dataset::{
    Dataset, ExternalId, InteractionRow, ItemRow, Moment, RatingScale, TemplateError, TextTemplates, number,
};
use crate::ids::{ItemId, LogUserId};
use crate::user::{Memorised, UserError};
use serde_json::Map;
use std::path::Path;

/// Writes the texts of one data set.
pub(super) struct SceneTexts {
    templates: TextTemplates,
    /// A short hash of the templates.
    digest: String,
    /// The known fields of each item.
    items: Vec<ItemRow>,
    /// The profile of each user.
    profiles: Vec<String>,
    /// The scale of the data's ratings.
    scale: RatingScale,
}

/// The texts of a scene; the lines of the history are separate, because a long one loses its oldest.
pub(super) struct Lines {
    pub profile: String,
    pub history: Vec<String>,
    pub list: Vec<String>,
}

impl SceneTexts {
    /// Texts by the templates `own` from the file `origin`, else by those of the data, else by ones that name every
    /// field. All profiles and items are rendered once, so that a failing template is reported now.
    pub(super) fn new(own: Option<&str>, origin: &Path, data: &Dataset) -> Result<SceneTexts, UserError> {
        let (text, path) = match own {
            Some(own) => (own, origin.to_owned()),
            None => data.text_template(),
        };
        let templates = TextTemplates::parse(text, &path)?;
        let profiles = (0..data.users.len() as u32).map(|user| templates.profile(&data.user_row(LogUserId(user))));
        let profiles = profiles.collect::<Result<_, TemplateError>>()?;
        let digest = blake3::hash(text.as_bytes()).to_hex()[..16].to_owned();
        let items = (0..data.items.len() as u32).map(|item| data.item_row(ItemId(item))).collect();
        let texts = SceneTexts { templates, digest, items, profiles, scale: data.scale.unwrap_or(RatingScale::STARS) };
        for item in (0..data.items.len() as u32).map(ItemId) {
            texts.item(item, Some(0))?;
            texts.entry(&Memorised { item, rating: RatingScale::STARS.max, time: 0 }, Some(0))?;
        }
        Ok(texts)
    }

    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// The texts of a scene at `now`, in milliseconds since 1970; without it, texts do not mention the time since an
    /// event.
    pub(super) fn lines(&self, row: &[f32], items: &[ItemId], now: Option<i64>) -> Result<Lines, UserError> {
        let profile = self.profiles.get(memory::user(row).index()).cloned().unwrap_or_default();
        let history = memory::entries(row).map(|entry| self.entry(&entry, now)).collect::<Result<_, UserError>>()?;
        let list = items.iter().map(|&item| self.item(item, now)).collect::<Result<_, UserError>>()?;
        Ok(Lines { profile, history, list })
    }

    fn item(&self, item: ItemId, now: Option<i64>) -> Result<String, UserError> {
        Ok(self.templates.item(&self.items[item.index()], now.map(Moment))?)
    }

    fn entry(&self, entry: &Memorised, now: Option<i64>) -> Result<String, UserError> {
        let mut behavior_features = Map::new();
        if let Some((rating, best)) = number(self.scale.rating(entry.rating)).zip(number(self.scale.max)) {
            behavior_features.insert("rating".to_owned(), rating);
            behavior_features.insert("best_rating".to_owned(), best);
        }
        let item = &self.items[entry.item.index()];
        let done = InteractionRow {
            user_id: ExternalId::Number(0),
            item_id: item.item_id.clone(),
            timestamp: Some(Moment(entry.time)),
            behavior_features,
        };
        Ok(self.templates.history(item, &done, now.map(Moment))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::import::Family;
    use crate::dataset::{Column, Field, Fields, IdTable, NO_CATEGORY};

    const DAY: i64 = 86_400_000;

    /// Films of a reader with templates of its own, or of one without.
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
            template: Family::find(family).map_or("", |family| family.template()).to_owned(),
            ..Dataset::default()
        }
    }

    fn texts(family: &'static str) -> SceneTexts {
        SceneTexts::new(None, Path::new(""), &data(family)).expect("texts")
    }

    #[test]
    fn a_scene_reads_like_one_of_the_pipeline() {
        let texts = texts("movielens");
        let mut row = vec![0.0; memory::width(4)];
        memory::start(&mut row, LogUserId(0));
        memory::push(&mut row, &Memorised { item: ItemId(1), rating: f32::NAN, time: 0 });
        memory::push(&mut row, &Memorised { item: ItemId(0), rating: 4.0, time: 40 * DAY });
        memory::push(&mut row, &Memorised { item: ItemId(2), rating: 3.7, time: 42 * DAY + 5_000 });
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
    fn profiles_have_the_known_fields() {
        let unknown = "Nothing is known of this person but what they watched.";
        assert_eq!(texts("movielens").profiles, ["female, age 24.", unknown, "x, age 30.5."]);
        let unknown = "Nothing is known of this person but what they did.";
        assert_eq!(texts("memory").profiles, ["age: 24; gender: F", unknown, "age: 30.5; gender: x"]);
    }

    #[test]
    fn every_field_is_written_and_ratings_are_in_the_scale_of_the_data() {
        let mut data = data("memory");
        let mut fields: Vec<Field> = data.item_fields.iter().cloned().collect();
        let (prices, days) = (vec![9.5, f32::NAN, 3.0], vec![None, None, Some(86_400_000)]);
        fields.push(Field { name: "list_price".to_owned(), column: Column::Number(prices) });
        fields.push(Field { name: "seen".to_owned(), column: Column::Time(days) });
        fields.push(Field { name: "taste".to_owned(), column: Column::Vector { width: 1, values: vec![1.0; 3] } });
        (data.item_fields, data.scale) = (Fields::new(fields), Some(RatingScale { min: 0.0, max: 10.0 }));
        let texts = SceneTexts::new(None, Path::new(""), &data).expect("texts");
        let mut row = vec![0.0; memory::width(4)];
        memory::push(&mut row, &Memorised { item: ItemId(0), rating: 4.0, time: 0 });
        let found = texts.lines(&row, &[ItemId(0), ItemId(1), ItemId(2)], None).expect("lines");
        let list = [
            "Café Müller; genres: Drama, War; list price: 9.5; year: 1970",
            "Item",
            "東京物語; list price: 3; seen: 1970-01-02; year: 1953",
        ];
        assert_eq!(found.list, list);
        assert_eq!(found.history, ["Café Müller; rating: 7.5 of 10"]);
    }

    #[test]
    fn items_without_titles_have_their_ids() {
        let bare = Dataset { title: None, released: None, item_fields: Fields::default(), ..data("memory") };
        let texts = SceneTexts::new(None, Path::new(""), &bare).expect("texts");
        let row = vec![0.0; memory::width(4)];
        let found = texts.lines(&row, &[ItemId(0), ItemId(2)], None).expect("lines");
        assert_eq!(found.list, ["id0", "id2"]);
    }

    #[test]
    fn a_template_that_fails_on_an_item_is_reported() {
        let own = "profile = ''\nhistory = ''\nitem = '{{ item.title|words(1.5) }}'\n";
        let problem = SceneTexts::new(Some(own), Path::new("m/template.toml"), &data("memory"));
        let problem = problem.err().expect("refused").to_string();
        assert!(problem.starts_with("m/template.toml: `item`"), "{problem}");
    }
}

//! What a manifest says of the data: which they are, what was made of their fields, and what was guessed.

use super::prepare::Experiment;
use crate::dataset::{ItemCategories, RatingScale};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The data set of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DataRecord {
    /// Its name.
    pub name: String,
    /// The family of its files.
    pub format: String,
    /// Hash over its files.
    pub hash: String,
    /// Users.
    pub users: usize,
    /// Items.
    pub items: usize,
    /// Interactions.
    pub interactions: usize,
    /// What was cleaned up while reading.
    pub cleanup: String,
    /// The field of items whose categories count where a scenario names no other; absent where the items have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_field: Option<String>,
    /// The field of users by whose categories groups are told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_field: Option<String>,
    /// The field of items that says who provides them, or the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_field: Option<String>,
    /// The scale of the log's ratings; absent where it has none. Ratings of events are levels from 1 to 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<RatingScale>,
    /// What was guessed, or is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl DataRecord {
    /// Describes the data of an experiment.
    pub(super) fn of(experiment: &Experiment) -> DataRecord {
        let (data, catalogue) = (&experiment.data, experiment.catalogue());
        let field =
            |categories: Option<&Arc<ItemCategories>>| categories.map(|categories| categories.field().to_owned());
        DataRecord {
            name: data.name.clone(),
            format: data.family.to_owned(),
            hash: data.hash.clone(),
            users: data.users.len(),
            items: data.items.len(),
            interactions: data.interactions.len(),
            cleanup: data.cleanup.to_string(),
            item_field: field(catalogue.category()),
            user_field: experiment.past.user_field.clone(),
            provider_field: field(catalogue.providers()),
            scale: data.scale,
            notes: data.notes.clone(),
        }
    }
}

//! The manifest's record of the data: identity, fields, and guesses.

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
    /// Repairs while reading.
    pub cleanup: String,
    /// `user`: the log is cut for each user apart; `global`: at one moment.
    #[serde(default)]
    pub cut: String,
    /// For a user with held-out rows, the share of facts about other users at the start that is not earlier than these
    /// rows; the mean over users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub later_share: Option<f64>,
    /// The default field of items for categories; absent if the items have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_field: Option<String>,
    /// The field of users whose categories define groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_field: Option<String>,
    /// The field of items with their provider, or the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_field: Option<String>,
    /// The scale of the log's ratings; absent if it has none. Ratings of events are levels from 1 to 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<RatingScale>,
    /// Guesses and gaps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl DataRecord {
    /// How the log was cut, and what that means for statistics over all users; empty for runs of versions that did not
    /// record it.
    pub fn cut_in_words(&self) -> String {
        match (self.cut.as_str(), self.later_share) {
            ("global", _) => "The log is cut at one moment for all users.".to_owned(),
            ("user", Some(share)) => format!(
                "Each user's log is cut separately: of the other users' log at the start, {:.0}% is not earlier than a \
                 user's own cut, the mean over users, and statistics such as popularity and similarity use it (`data.cut = \
                 \"global\"` cuts at one moment).",
                100.0 * share
            ),
            _ => String::new(),
        }
    }

    /// The default fields for categories, groups and providers.
    pub fn fields_in_words(&self) -> String {
        let roles = [
            ("items are distinguished by", &self.item_field),
            ("users by", &self.user_field),
            ("provided by", &self.provider_field),
        ];
        let phrases = roles.iter().filter_map(|(what, field)| Some(format!("{what} `{}`", field.as_deref()?)));
        phrases.collect::<Vec<_>>().join(", ")
    }

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
            cut: experiment.scenario.data.cut.word().to_owned(),
            later_share: experiment.later_share,
            item_field: field(catalogue.category()),
            user_field: experiment.past.user_field.clone(),
            provider_field: field(catalogue.providers()),
            scale: data.scale,
            notes: data.notes.clone(),
        }
    }
}

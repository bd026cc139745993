//! External ids of event logs: `users` and `items`.
//!
//! Written as CSV and as Parquet, where `00` is a text and not 0.

use super::prepare::Experiment;
use super::results::ResultsError;
use super::results::files::{TableFormat, table_row, write_table_file};
use crate::ids::{ItemId, LogUserId};
use serde::Serialize;
use std::path::Path;

/// There may be millions of users, and JSON takes much room.
const FORMATS: &[TableFormat] = &[
    TableFormat::Csv,
    #[cfg(feature = "parquet")]
    TableFormat::Parquet,
];

/// A row of `items`.
#[derive(Serialize)]
struct ItemRow<'a> {
    item: u32,
    external_id: &'a str,
    title: &'a str,
    /// Empty if the provider is unknown.
    provider: &'a str,
}

table_row!(ItemRow<'_> { item: Whole, external_id: Text, title: Text, provider: Text });

/// A row of `users`.
#[derive(Serialize)]
struct UserRow<'a> {
    /// `all` if the population is the same in every replication.
    replication: &'a str,
    user: u32,
    external_id: &'a str,
}

table_row!(UserRow<'_> { replication: Text, user: Whole, external_id: Text });

impl Experiment {
    /// Writes the tables of names into the folder of a run.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_names(&self, folder: &Path) -> Result<(), ResultsError> {
        // A population of all users is the same in every replication.
        let sampled = self.scenario.population.users.number().is_some();
        let name = |replication: u32| if sampled { replication.to_string() } else { "all".to_owned() };
        let names: Vec<String> = (0..if sampled { self.scenario.replications } else { 1 }).map(name).collect();
        let data = &self.data;
        for &format in FORMATS {
            let items = (0..self.data.items.len() as u32).map(ItemId).map(|item| self.item_row(item));
            write_table_file(folder, "items", format, items)?;
            let users = names.iter().zip(0..).flat_map(|(name, replication)| {
                let sources = self.population(replication).map(|population| population.sources).unwrap_or_default();
                let row = move |(user, LogUserId(source)): (u32, LogUserId)| UserRow {
                    replication: name,
                    user,
                    external_id: data.users.external(source),
                };
                (0..).zip(sources.to_vec()).map(row)
            });
            write_table_file(folder, "users", format, users)?;
        }
        Ok(())
    }

    fn item_row(&self, item: ItemId) -> ItemRow<'_> {
        let catalogue = self.catalogue();
        let names = catalogue.providers().map(|providers| providers.names()).unwrap_or_default();
        let provider = catalogue.provider_of(item).and_then(|provider| names.get(provider as usize));
        ItemRow {
            item: item.0,
            external_id: self.data.items.external(item.0),
            title: self.data.title_of(item),
            provider: provider.map_or("", String::as_str),
        }
    }
}

//! Features of users and items of any data set.
//!
//! Fields as columns of numbers, and vectors from the log.

use super::encoding::{Encoded, Encoding, EncodingError, EncodingOptions, SkippedField};
use crate::dataset::{Dataset, RatingScale};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// The features of a model by contract version 2. A card keeps them, so that any other data get the same columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldFeatures {
    /// Dimensions of the vectors from the truncated SVD of the log.
    pub rank: usize,
    /// The scale of the ratings in training; `None` where the log had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<RatingScale>,
    /// The encoding of the fields of items.
    pub items: Encoding,
    /// The encoding of the fields of users.
    pub users: Encoding,
}

impl FieldFeatures {
    /// Columns for all fields of a data set; also the fields of items and of users that get none.
    pub fn of(data: &Dataset, rank: usize) -> (FieldFeatures, [Vec<SkippedField>; 2]) {
        let (items, no_items) = Encoding::fit(data.item_fields.iter(), EncodingOptions::default());
        let (users, no_users) = Encoding::fit(data.user_fields.iter(), EncodingOptions::default());
        (FieldFeatures { rank, scale: data.scale, items, users }, [no_items, no_users])
    }

    /// Columns of an item's fields; at least 1, a column of zeros without fields.
    pub fn attribute_width(&self) -> usize {
        self.items.width().max(1)
    }

    /// Columns of a user's fields; at least 1, a column of zeros without fields.
    pub fn profile_width(&self) -> usize {
        self.users.width().max(1)
    }

    /// Columns of an item's vector: those of the SVD, mean rating, number of interactions.
    pub fn vector_width(&self) -> usize {
        self.rank + 2
    }

    /// `[items, attribute_width]`, and how the fields differ from those of training.
    ///
    /// # Errors
    /// When a field has another type or another vector length than in training.
    pub fn attributes(&self, data: &Dataset) -> Result<Encoded, EncodingError> {
        at_least_one_column(self.items.encode(&data.item_fields, data.items.len())?, data.items.len())
    }

    /// `[users, profile_width]`, and how the fields differ from those of training.
    ///
    /// # Errors
    /// When a field has another type or another vector length than in training.
    pub fn profiles(&self, data: &Dataset) -> Result<Encoded, EncodingError> {
        at_least_one_column(self.users.encode(&data.user_fields, data.users.len())?, data.users.len())
    }
}

fn at_least_one_column(mut encoded: Encoded, rows: usize) -> Result<Encoded, EncodingError> {
    if encoded.table.ncols() == 0 {
        encoded.table = Array2::zeros((rows, 1));
    }
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Column, Field, Fields, IdTable};

    fn ids(count: usize) -> IdTable {
        let mut table = IdTable::default();
        (0..count).for_each(|id| {
            table.insert(&id.to_string());
        });
        table
    }

    #[test]
    fn a_log_without_fields_has_a_column_of_zeros() {
        let data = Dataset { items: ids(3), users: ids(2), ..Dataset::default() };
        let (features, skipped) = FieldFeatures::of(&data, 4);
        assert_eq!((features.attribute_width(), features.profile_width(), features.vector_width()), (1, 1, 6));
        assert_eq!(features.attributes(&data).expect("encoded").table, Array2::<f32>::zeros((3, 1)));
        assert_eq!(features.profiles(&data).expect("encoded").table.dim(), (2, 1));
        assert!(skipped.iter().all(Vec::is_empty));
    }

    #[test]
    fn features_survive_a_card() {
        let price = Field { name: "price".into(), column: Column::Number(vec![1.0, 2.0, f32::NAN]) };
        let same = Field { name: "shop".into(), column: Column::Number(vec![1.0; 3]) };
        let data = Dataset {
            items: ids(3),
            item_fields: Fields::new(vec![price, same]),
            scale: Some(RatingScale { min: 0.0, max: 10.0 }),
            ..Dataset::default()
        };
        let (features, [skipped, _]) = FieldFeatures::of(&data, 4);
        assert_eq!((features.attribute_width(), skipped.len(), skipped[0].field.as_str()), (2, 1, "shop"));
        let text = toml::to_string(&features).expect("a table");
        assert_eq!(toml::from_str::<FieldFeatures>(&text).expect("the same"), features);
    }
}

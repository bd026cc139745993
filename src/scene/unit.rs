//! All fields of items as rows in which every field counts alike.

use super::{Encoding, EncodingError, EncodingOptions};
use crate::dataset::{Field, Fields};
use ndarray::{Array2, s};

/// The columns of the encodings of some fields, each field of a row brought to length 1 (or left at 0). A
/// field with many columns then counts no more than one with few.
///
/// # Errors
/// As [`Encoding::encode`]; of fields that the encoding was made of there are none.
pub fn unit_fields<'a>(fields: impl IntoIterator<Item = &'a Field>, rows: usize) -> Result<Array2<f32>, EncodingError> {
    let chosen: Vec<Field> = fields.into_iter().cloned().collect();
    let (encoding, _) = Encoding::fit(&chosen, EncodingOptions::default());
    let mut table = encoding.encode(&Fields::new(chosen), rows)?.table;
    let mut first = 0;
    for field in &encoding.fields {
        let last = first + field.width();
        for mut row in table.slice_mut(s![.., first..last]).rows_mut() {
            let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
            if length > 0.0 {
                row.iter_mut().for_each(|value| *value /= length);
            }
        }
        first = last;
    }
    Ok(table)
}

//! Fields as dense columns of numbers.
//!
//! [`Encoding::fit`] reads the columns once and writes down how each becomes numbers; a model's card keeps that, and
//! [`Encoding::encode`] applies it to the same or to other data. A row's numbers depend on that row alone.
//!
//! | field | columns |
//! | --- | --- |
//! | category, categories | one for each of the most frequent names, then *other* and *missing*; a row with `k` names has `1 / sqrt(k)` in each of them and `sqrt(o / k)` in *other* for the `o` names that have no column, so that its length is 1 |
//! | number | `(x - mean) / deviation`, or the same of `ln(1 + x)` where the values are skewed; *missing* |
//! | time | years since 1970, standardised; *missing* |
//! | text | words hashed into `width` columns with signs (Weinberger et al. 2009, "Feature hashing for large scale multitask learning"), weight `1 + ln(count)`, length 1; *missing* |
//! | vector | as it is; *missing* |
//!
//! If a value is missing, *missing* is 1 and the other columns of the field are 0. Standardised numbers are cut at
//! [`LIMIT`] deviations, so that one extreme value cannot dominate a row.

mod write;

use self::write::{Writer, years};
use crate::dataset::{Column, Field, Fields};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Standardised numbers lie within this many deviations of the mean.
pub const LIMIT: f64 = 8.0;

/// Skewness above which non-negative numbers are taken as `ln(1 + x)`.
const SKEWED: f64 = 2.0;

/// Options of [`Encoding::fit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodingOptions {
    /// The most names of a category field with a column of their own.
    pub names: usize,
    /// Rows that a name needs for a column of its own.
    pub least: u32,
    /// Columns of a text field.
    pub text_width: usize,
}

impl Default for EncodingOptions {
    fn default() -> Self {
        EncodingOptions { names: 64, least: 2, text_width: 64 }
    }
}

/// The encoding of the fields of users, or of items, as columns of numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoding {
    /// One field after the other, in the order of their columns.
    pub fields: Vec<FieldEncoding>,
}

/// The encoding of one field as columns of numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FieldEncoding {
    /// A field with one or with many categories a row.
    Category {
        /// The field's name.
        field: String,
        /// The names with a column of their own, the most frequent first.
        names: Vec<String>,
    },
    /// A field with a number a row.
    Number {
        /// The field's name.
        field: String,
        /// True if `ln(1 + x)` is standardised instead of `x`; numbers below 0 then count as 0.
        log: bool,
        /// Mean of the rows that have a value.
        mean: f64,
        /// Their standard deviation, above 0.
        deviation: f64,
    },
    /// A field with a point of time a row.
    Time {
        /// The field's name.
        field: String,
        /// Mean in years since 1970.
        mean: f64,
        /// Standard deviation in years, above 0.
        deviation: f64,
    },
    /// A field with a text a row.
    Text {
        /// The field's name.
        field: String,
        /// Columns into which words are hashed.
        width: usize,
    },
    /// A field with a vector a row.
    Vector {
        /// The field's name.
        field: String,
        /// Numbers of a vector.
        width: usize,
    },
}

/// A field that gets no column, because its values distinguish no rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SkippedField {
    /// The field's name.
    pub field: String,
    /// The reason, as a clause without a subject: "has the same value in every row".
    pub reason: &'static str,
}

/// Fields of one data set as numbers.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// `[rows, width]`.
    pub table: Array2<f32>,
    /// Differences of the data from those of the encoding, in the order of the encoding's fields.
    pub drift: Vec<Drift>,
}

/// A difference of a field from that of the encoding, and its treatment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Drift {
    /// The data have no such field: every row counts as missing.
    Absent {
        /// The field's name.
        field: String,
    },
    /// Names without a column of their own: they count as *other*.
    OtherNames {
        /// The field's name.
        field: String,
        /// Different names.
        names: usize,
        /// Rows that have one.
        rows: usize,
        /// The first of them in alphabetical order.
        first: String,
    },
    /// Numbers beyond [`LIMIT`] deviations: they are cut.
    Cut {
        /// The field's name.
        field: String,
        /// Rows that have one.
        rows: usize,
    },
}

impl std::fmt::Display for Drift {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Drift::Absent { field } => write!(out, "the data have no field `{field}`: it counts as missing everywhere"),
            Drift::OtherNames { field, names, rows, first } => write!(
                out,
                "{names} names of `{field}` have no column (`{first}` is the first): they count as other, in {rows} rows"
            ),
            Drift::Cut { field, rows } => {
                write!(out, "{rows} values of `{field}` are more than {LIMIT} deviations from the mean: they are cut")
            }
        }
    }
}

/// Fields that cannot be encoded.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EncodingError {
    /// A field is of another type.
    #[error(
        "the field `{field}` is of type {found}, and the model was made for type {wanted}; set its type in `data.toml`, or \
         fit a model to these data"
    )]
    Kind {
        /// The field's name.
        field: String,
        /// Its type in the data.
        found: &'static str,
        /// Its type in the encoding.
        wanted: &'static str,
    },
    /// Vectors have another length.
    #[error("the vectors of the field `{field}` have {found} numbers, and the model was made for {wanted}")]
    Width {
        /// The field's name.
        field: String,
        /// Numbers of a vector in the data.
        found: usize,
        /// Numbers of a vector in the encoding.
        wanted: usize,
    },
}

impl Encoding {
    /// Chooses the columns for these fields, in their order. The result does not depend on the order of the rows. Fields
    /// whose values distinguish no rows are left out and returned.
    pub fn fit<'a>(
        fields: impl IntoIterator<Item = &'a Field>,
        options: EncodingOptions,
    ) -> (Encoding, Vec<SkippedField>) {
        let (mut encoding, mut skipped) = (Encoding::default(), Vec::new());
        for field in fields {
            match FieldEncoding::fit(field, options) {
                Ok(found) => encoding.fields.push(found),
                Err(reason) => skipped.push(SkippedField { field: field.name.clone(), reason }),
            }
        }
        (encoding, skipped)
    }

    /// Columns of the table.
    pub fn width(&self) -> usize {
        self.fields.iter().map(FieldEncoding::width).sum()
    }

    /// A name for each column: `genre=Drama`, `genre=(other)`, `price`, `price=(missing)`, `text#17`.
    pub fn columns(&self) -> Vec<String> {
        self.fields.iter().flat_map(FieldEncoding::columns).collect()
    }

    /// The fields of `rows` users or items as numbers.
    ///
    /// # Errors
    /// When a field has another type or another vector length than the encoding. A field that is absent is no error.
    pub fn encode(&self, fields: &Fields, rows: usize) -> Result<Encoded, EncodingError> {
        let (mut table, mut drift, mut first) = (Array2::zeros((rows, self.width())), Vec::new(), 0);
        for encoding in &self.fields {
            let width = encoding.width();
            let Some(field) = fields.get(encoding.field()) else {
                table.column_mut(first + width - 1).fill(1.0);
                drift.push(Drift::Absent { field: encoding.field().to_owned() });
                first += width;
                continue;
            };
            encoding.accepts(&field.column)?;
            let mut into = table.slice_mut(ndarray::s![.., first..first + width]);
            let mut writer = Writer::new(encoding, &field.column);
            for (row, mut target) in into.rows_mut().into_iter().enumerate() {
                if let Some(target) = target.as_slice_mut() {
                    writer.write(row, target);
                }
            }
            drift.extend(writer.drift());
            first += width;
        }
        Ok(Encoded { table, drift })
    }
}

impl FieldEncoding {
    /// The encoding of one field, or why it has none.
    fn fit(field: &Field, options: EncodingOptions) -> Result<FieldEncoding, &'static str> {
        let name = field.name.clone();
        match &field.column {
            Column::Category { .. } | Column::Categories { .. } => {
                Ok(FieldEncoding::Category { field: name, names: frequent(&field.column, options)? })
            }
            Column::Number(values) => {
                let values: Vec<f64> =
                    values.iter().copied().filter(|value| value.is_finite()).map(f64::from).collect();
                let plain = Moments::of(values.clone())?;
                let log = values.iter().all(|&value| value >= 0.0) && plain.skewness > SKEWED;
                let log = log.then(|| Moments::of(values.into_iter().map(libm::log1p).collect())).transpose()?;
                let moments = log.unwrap_or(plain);
                let (mean, deviation) = (moments.mean, moments.deviation);
                Ok(FieldEncoding::Number { field: name, log: log.is_some(), mean, deviation })
            }
            Column::Time(values) => {
                let years = values.iter().flatten().map(|&time| years(time)).collect();
                let Moments { mean, deviation, .. } = Moments::of(years)?;
                Ok(FieldEncoding::Time { field: name, mean, deviation })
            }
            Column::Text(texts) => {
                let different: BTreeSet<&String> = texts.iter().collect();
                if different.len() < 2 {
                    return Err(CONSTANT);
                }
                Ok(FieldEncoding::Text { field: name, width: options.text_width.max(1) })
            }
            Column::Vector { width, .. } if *width > 0 && field.column.filled() > 0 => {
                Ok(FieldEncoding::Vector { field: name, width: *width })
            }
            Column::Vector { .. } => Err(EMPTY),
        }
    }

    /// The field's name.
    pub fn field(&self) -> &str {
        match self {
            FieldEncoding::Category { field, .. }
            | FieldEncoding::Number { field, .. }
            | FieldEncoding::Time { field, .. }
            | FieldEncoding::Text { field, .. }
            | FieldEncoding::Vector { field, .. } => field,
        }
    }

    /// Its columns, including the last one, which marks missing values.
    pub fn width(&self) -> usize {
        match self {
            FieldEncoding::Category { names, .. } => names.len() + 2,
            FieldEncoding::Number { .. } | FieldEncoding::Time { .. } => 2,
            FieldEncoding::Text { width, .. } | FieldEncoding::Vector { width, .. } => width + 1,
        }
    }

    fn columns(&self) -> Vec<String> {
        let field = self.field();
        let mut columns: Vec<String> = match self {
            FieldEncoding::Category { names, .. } => {
                let names = names.iter().map(String::as_str).chain(["(other)"]);
                names.map(|name| format!("{field}={name}")).collect()
            }
            FieldEncoding::Number { .. } | FieldEncoding::Time { .. } => vec![field.to_owned()],
            FieldEncoding::Text { width, .. } | FieldEncoding::Vector { width, .. } => {
                (0..*width).map(|place| format!("{field}#{place}")).collect()
            }
        };
        columns.push(format!("{field}=(missing)"));
        columns
    }

    fn accepts(&self, column: &Column) -> Result<(), EncodingError> {
        let wanted = match (self, column) {
            (FieldEncoding::Category { .. }, Column::Category { .. } | Column::Categories { .. })
            | (FieldEncoding::Number { .. }, Column::Number(_))
            | (FieldEncoding::Time { .. }, Column::Time(_))
            | (FieldEncoding::Text { .. }, Column::Text(_)) => return Ok(()),
            (FieldEncoding::Vector { field, width: wanted }, Column::Vector { width, .. }) => {
                let (field, wanted, found) = (field.clone(), *wanted, *width);
                return if found == wanted { Ok(()) } else { Err(EncodingError::Width { field, found, wanted }) };
            }
            (FieldEncoding::Category { .. }, _) => "category",
            (FieldEncoding::Number { .. }, _) => "number",
            (FieldEncoding::Time { .. }, _) => "time",
            (FieldEncoding::Text { .. }, _) => "text",
            (FieldEncoding::Vector { .. }, _) => "vector",
        };
        Err(EncodingError::Kind { field: self.field().to_owned(), found: column.kind(), wanted })
    }
}

const CONSTANT: &str = "has the same value in every row";
const EMPTY: &str = "has no value in any row";
const RARE: &str = "has only names that are in too few rows";

/// The names that get a column: the most frequent, of equals the first in alphabetical order.
fn frequent(column: &Column, options: EncodingOptions) -> Result<Vec<String>, &'static str> {
    let Some(table) = column.names() else { return Err(EMPTY) };
    let mut counts = vec![0u32; table.len()];
    for row in 0..column.len() {
        column.categories(row).iter().for_each(|&code| counts[code as usize] += 1);
    }
    let used = counts.iter().filter(|&&count| count > 0).count();
    match used {
        0 => return Err(EMPTY),
        1 if column.filled() == column.len() => return Err(CONSTANT),
        _ => {}
    }
    let mut names: Vec<(u32, &str)> = (0..table.len() as u32)
        .map(|code| (counts[code as usize], table.external(code)))
        .filter(|(count, _)| *count >= options.least.max(1))
        .collect();
    if names.is_empty() {
        return Err(RARE);
    }
    names.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    names.truncate(options.names.max(1));
    Ok(names.into_iter().map(|(_, name)| name.to_owned()).collect())
}

/// Mean, standard deviation and skewness.
#[derive(Clone, Copy)]
struct Moments {
    mean: f64,
    deviation: f64,
    skewness: f64,
}

impl Moments {
    /// The moments of `values`; summed in ascending order, so that the order of the rows changes no bit.
    fn of(mut values: Vec<f64>) -> Result<Moments, &'static str> {
        values.sort_unstable_by(f64::total_cmp);
        let (Some(&low), Some(&high)) = (values.first(), values.last()) else { return Err(EMPTY) };
        if low == high {
            return Err(CONSTANT);
        }
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let power = |exponent: f64| values.iter().map(|value| libm::pow(value - mean, exponent)).sum::<f64>() / count;
        let deviation = power(2.0).sqrt();
        // Values that differ in the last bit alone.
        if deviation == 0.0 || !deviation.is_finite() {
            return Err(CONSTANT);
        }
        Ok(Moments { mean, deviation, skewness: power(3.0) / (deviation * deviation * deviation) })
    }
}

#[cfg(test)]
mod tests;

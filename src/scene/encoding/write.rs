//! Writes the columns of one field, row by row.

use super::*;

/// Milliseconds of a mean Gregorian year.
const YEAR_MS: f64 = 31_556_952_000.0;

pub(super) fn years(milliseconds: i64) -> f64 {
    milliseconds as f64 / YEAR_MS
}

/// Writes the rows of one field and counts what differs from the encoding.
pub(super) struct Writer<'a> {
    encoding: &'a FieldEncoding,
    column: &'a Column,
    /// The column of each category of the data; that of *other* for names that have none.
    places: Vec<usize>,
    /// Codes of the data that were counted as *other*.
    others: BTreeSet<u32>,
    /// Rows that have one, or a number that was cut.
    rows: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn new(encoding: &'a FieldEncoding, column: &'a Column) -> Writer<'a> {
        let mut places = Vec::new();
        if let (FieldEncoding::Category { names, .. }, Some(table)) = (encoding, column.names()) {
            let known: BTreeMap<&str, usize> = names.iter().map(String::as_str).zip(0..).collect();
            let place = |code| known.get(table.external(code)).copied().unwrap_or(names.len());
            places = (0..table.len() as u32).map(place).collect();
        }
        Writer { encoding, column, places, others: BTreeSet::new(), rows: 0 }
    }

    /// Writes one row into its zeros.
    pub(super) fn write(&mut self, row: usize, target: &mut [f32]) {
        let filled = match (self.encoding, self.column) {
            (FieldEncoding::Category { names, .. }, _) => self.categories(row, names.len(), target),
            (FieldEncoding::Number { log, mean, deviation, .. }, Column::Number(values)) => {
                let value = Some(f64::from(values[row])).filter(|value| value.is_finite());
                let value = value.map(|value| if *log { libm::log1p(value.max(0.0)) } else { value });
                self.standardised(value, *mean, *deviation, target)
            }
            (FieldEncoding::Time { mean, deviation, .. }, Column::Time(values)) => {
                self.standardised(values[row].map(years), *mean, *deviation, target)
            }
            (FieldEncoding::Text { width, .. }, Column::Text(texts)) => hash_words(&texts[row], &mut target[..*width]),
            (FieldEncoding::Vector { width, .. }, Column::Vector { values, .. }) => {
                let vector = &values[row * width..(row + 1) * width];
                let filled = vector.iter().all(|value| value.is_finite());
                if filled {
                    target[..*width].copy_from_slice(vector);
                }
                filled
            }
            _ => false,
        };
        if let (false, Some(missing)) = (filled, target.last_mut()) {
            *missing = 1.0;
        }
    }

    fn categories(&mut self, row: usize, other: usize, target: &mut [f32]) -> bool {
        let codes = self.column.categories(row);
        let mut others = 0;
        for &code in codes {
            let place = self.places[code as usize];
            if place == other {
                self.others.insert(code);
                others += 1;
            } else {
                target[place] = (1.0 / (codes.len() as f64).sqrt()) as f32;
            }
        }
        if others > 0 {
            target[other] = (f64::from(others) / codes.len() as f64).sqrt() as f32;
            self.rows += 1;
        }
        !codes.is_empty()
    }

    fn standardised(&mut self, value: Option<f64>, mean: f64, deviation: f64, target: &mut [f32]) -> bool {
        let Some(value) = value.map(|value| (value - mean) / deviation) else { return false };
        self.rows += usize::from(value.abs() > LIMIT);
        target[0] = value.clamp(-LIMIT, LIMIT) as f32;
        true
    }

    pub(super) fn drift(self) -> Option<Drift> {
        let (field, rows) = (self.encoding.field().to_owned(), self.rows);
        if rows == 0 {
            return None;
        }
        let Some(table) = self.column.names() else { return Some(Drift::Cut { field, rows }) };
        let first = self.others.iter().map(|&code| table.external(code)).min()?.to_owned();
        Some(Drift::OtherNames { field, names: self.others.len(), rows, first })
    }
}

/// Adds the words of a text to their columns and scales the row to length 1; `false` if the text has no word.
pub(super) fn hash_words(text: &str, target: &mut [f32]) -> bool {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for word in words(text) {
        *counts.entry(word).or_insert(0) += 1;
    }
    let mut sums = vec![0.0f64; target.len()];
    for (word, count) in &counts {
        let hash = hash(word);
        let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
        sums[(hash % target.len() as u64) as usize] += sign * (1.0 + libm::log(f64::from(*count)));
    }
    // Words of one column may cancel each other out; the text is there all the same.
    let length = sums.iter().map(|sum| sum * sum).sum::<f64>().sqrt();
    if length > 0.0 {
        target.iter_mut().zip(&sums).for_each(|(target, sum)| *target = (sum / length) as f32);
    }
    !counts.is_empty()
}

/// The words of a text in lower case: runs of letters, digits and `_`.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    words.filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// FNV-1a over the bytes, then the finaliser of SplitMix64, which spreads it over all bits.
pub(super) fn hash(word: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in word.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

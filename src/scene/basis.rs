//! Item vectors of a model's training, by external id.
//!
//! A truncated SVD is defined up to the direction of its axes, and these turn with any change of the log. A network that
//! was trained on one set of axes fails on another one. So a model ships the vectors of its training log, and an item has
//! the same vector on every log. An item that the training log lacks is folded in: with the rows `x_u` of the present log,
//! normalised as in [`super::item_vectors`], and `p_u = sum_i x_ui v_i` over the items `i` that have a vector,
//! `v_jk = sum_u x_uj p_uk / s_k^2` and `s_k^2 = sum_u p_uk^2 / sum_i v_ik^2` (Berry, Dumais and O'Brien 1995, "Using linear
//! algebra for intelligent information retrieval", folding-in).

use super::vectors::{SHRINK, with_statistics};
use crate::dataset::{IdTable, TrainingLog};
use crate::files::{read_bounded, read_matrix};
use crate::ids::{ItemId, LogUserId};
use ndarray::Array2;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

/// Files larger than this are refused before they are read.
const LARGEST: u64 = 1 << 30;

/// Item vectors by external id.
#[derive(Clone, Debug)]
pub struct VectorBasis {
    rows: HashMap<String, usize>,
    /// `[rows, rank]`.
    table: Array2<f32>,
}

/// The sources of the vectors of a catalogue's items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VectorCoverage {
    /// Items with the vector that the model was trained with.
    pub known: usize,
    /// Items that are folded in from the present log.
    pub folded: usize,
    /// Items without a vector: without interactions, or only with users without any known item.
    pub without: usize,
}

impl fmt::Display for VectorCoverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let VectorCoverage { known, folded, without } = self;
        write!(
            f,
            "item vectors: {known} from the model's training, {folded} folded in from this log, {without} without"
        )
    }
}

impl VectorBasis {
    /// Collects the rows of `table`, `[ids, rank]`.
    ///
    /// # Errors
    /// When the sizes differ, an id repeats, or a number is not finite.
    pub fn new(ids: Vec<String>, table: Array2<f32>) -> Result<VectorBasis, String> {
        if ids.len() != table.nrows() {
            return Err(format!("{} item ids for {} rows of vectors", ids.len(), table.nrows()));
        }
        if let Some(((row, _), value)) = table.indexed_iter().find(|(_, value)| !value.is_finite()) {
            return Err(format!("row {row} of the vectors has {value}, expected finite numbers"));
        }
        let mut rows = HashMap::with_capacity(ids.len());
        for (row, id) in ids.into_iter().enumerate() {
            if let Some(first) = rows.insert(id, row) {
                return Err(format!("rows {first} and {row} of the vectors have the same item id"));
            }
        }
        Ok(VectorBasis { rows, table })
    }

    /// Reads `vectors`, an `.npy` file of f32 or f64 `[items, rank]`, and `ids`, a JSON list of the external ids of its rows.
    ///
    /// # Errors
    /// A file that cannot be read, is larger than 1 GiB or of another form. The message names the file.
    pub fn read(vectors: &Path, ids: &Path, rank: usize) -> Result<VectorBasis, String> {
        for path in [vectors, ids] {
            let about =
                std::fs::metadata(path).map_err(|problem| format!("cannot read {}: {problem}", path.display()))?;
            if !about.is_file() || about.len() > LARGEST {
                return Err(format!("{} is not a regular file of at most 1 GiB", path.display()));
            }
        }
        let text = read_bounded(ids, LARGEST).map_err(|problem| format!("cannot read {}: {problem}", ids.display()))?;
        let list: Vec<String> =
            serde_json::from_slice(&text).map_err(|problem| format!("{}: {problem}", ids.display()))?;
        let bytes = read_bounded(vectors, LARGEST)
            .map_err(|problem| format!("cannot read {}: {problem}", vectors.display()))?;
        let table = read_matrix(&bytes).map_err(|problem| format!("{}: {problem}", vectors.display()))?;
        if table.ncols() != rank {
            let found = table.ncols();
            return Err(format!("{} has {found} columns, the card says features.rank = {rank}", vectors.display()));
        }
        VectorBasis::new(list, table).map_err(|problem| format!("{}: {problem}", vectors.display()))
    }

    /// `[items, rank + 2]`: the vectors of all items of a log, as [`super::item_vectors`] lays them out, and their origin.
    /// The last two columns, mean rating and popularity, are those of `log`.
    pub fn vectors(&self, log: &TrainingLog, items: &IdTable) -> (Array2<f32>, VectorCoverage) {
        let rank = self.table.ncols();
        let mut spectral = Array2::zeros((log.items, rank));
        let mut is_known = vec![false; log.items];
        for (item, is_known) in is_known.iter_mut().enumerate() {
            if let Some(&row) = self.rows.get(items.external(item as u32)) {
                spectral.row_mut(item).assign(&self.table.row(row));
                *is_known = true;
            }
        }
        let known = is_known.iter().filter(|&&is| is).count();
        let folded = if known < log.items { fold_in(log, &is_known, &mut spectral) } else { 0 };
        let without = log.items - known - folded;
        (with_statistics(log, &spectral), VectorCoverage { known, folded, without })
    }
}

/// Fills the rows of unknown items; returns how many get a vector.
fn fold_in(log: &TrainingLog, is_known: &[bool], table: &mut Array2<f32>) -> usize {
    let (items, rank) = table.dim();
    let weights: Vec<f64> = log.item_counts().iter().map(|&count| 1.0 / (f64::from(count) + SHRINK).sqrt()).collect();
    let mut projected = vec![0.0; rank];
    let mut squares = vec![0.0; rank];
    let mut sums = Array2::<f64>::zeros((items, rank));
    for user in (0..log.users()).map(|user| LogUserId(user as u32)) {
        let rows = log.of(user);
        let weight = |item: ItemId| weights[item.index()] / (rows.len().max(1) as f64).sqrt();
        projected.fill(0.0);
        for row in rows.iter().filter(|row| is_known[row.item.index()]) {
            for (sum, &value) in projected.iter_mut().zip(table.row(row.item.index())) {
                *sum += weight(row.item) * f64::from(value);
            }
        }
        for (square, value) in squares.iter_mut().zip(&projected) {
            *square += value * value;
        }
        for row in rows.iter().filter(|row| !is_known[row.item.index()]) {
            for (sum, value) in sums.row_mut(row.item.index()).iter_mut().zip(&projected) {
                *sum += weight(row.item) * value;
            }
        }
    }
    for column in 0..rank {
        let length: f64 = table.column(column).iter().map(|&value| f64::from(value) * f64::from(value)).sum();
        let scale = if squares[column] > 0.0 { length / squares[column] } else { 0.0 };
        for item in (0..items).filter(|&item| !is_known[item]) {
            table[(item, column)] = (sums[(item, column)] * scale) as f32;
        }
    }
    let has_vector = |item: &usize| !is_known[*item] && table.row(*item).iter().any(|&value| value != 0.0);
    (0..items).filter(has_vector).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Interaction;
    use crate::random::{Purpose, Streams, below};
    use crate::scene::item_vectors;

    const ITEMS: u32 = 40;
    const RANK: usize = 4;

    /// Users of four tastes, each with ten items, eight of them of the taste; item `i` is of taste `i % 4`.
    fn log(users: u32, number: impl Fn(u32) -> u32) -> TrainingLog {
        let mut rows = Vec::new();
        for user in 0..users {
            let mut rng = Streams::new(3, 0).derive(Purpose::Scenes, u64::from(user), 0);
            let mut taken: Vec<u32> = (0..8).map(|_| below(&mut rng, 10) * 4 + user % 4).collect();
            taken.extend((0..2).map(|_| below(&mut rng, ITEMS)));
            taken.sort_unstable();
            taken.dedup();
            let row =
                |item: u32| Interaction { user: LogUserId(user), item: ItemId(number(item)), rating: 4.0, time: 0 };
            rows.extend(taken.into_iter().map(row));
        }
        TrainingLog::from_sorted(rows, users as usize, ITEMS as usize)
    }

    fn ids(order: impl Iterator<Item = u32>) -> IdTable {
        let mut table = IdTable::default();
        order.for_each(|item| {
            table.insert(&format!("item {item}"));
        });
        table
    }

    fn basis(log: &TrainingLog, keep: impl Fn(u32) -> bool) -> VectorBasis {
        let kept: Vec<u32> = (0..ITEMS).filter(|&item| keep(item)).collect();
        let whole = item_vectors(log, RANK);
        let rows: Vec<usize> = kept.iter().map(|&item| item as usize).collect();
        let table = whole.select(ndarray::Axis(0), &rows).slice(ndarray::s![.., ..RANK]).to_owned();
        VectorBasis::new(kept.iter().map(|item| format!("item {item}")).collect(), table).expect("a basis")
    }

    #[test]
    fn the_training_log_gives_the_vectors_of_training() {
        let log = log(200, |item| item);
        let (found, coverage) = basis(&log, |_| true).vectors(&log, &ids(0..ITEMS));
        assert_eq!(found, item_vectors(&log, RANK));
        assert_eq!(coverage, VectorCoverage { known: 40, folded: 0, without: 0 });
    }

    #[test]
    fn another_log_turns_no_axis() {
        let training = log(200, |item| item);
        let basis = basis(&training, |_| true);
        // Twenty users more, and items numbered from the other end.
        let grown = log(220, |item| ITEMS - 1 - item);
        let (found, _) = basis.vectors(&grown, &ids((0..ITEMS).rev()));
        let whole = item_vectors(&training, RANK);
        for item in 0..ITEMS as usize {
            let place = ITEMS as usize - 1 - item;
            assert_eq!(found.slice(ndarray::s![place, ..RANK]), whole.slice(ndarray::s![item, ..RANK]), "{item}");
        }
        assert_ne!(item_vectors(&grown, RANK).row(0), found.row(0), "its own axes are others");
    }

    #[test]
    fn an_item_that_training_lacked_is_folded_in_beside_its_kind() {
        let log = log(400, |item| item);
        let whole = item_vectors(&log, RANK);
        let (found, coverage) = basis(&log, |item| item != 7 && item != 12).vectors(&log, &ids(0..ITEMS));
        assert_eq!(coverage, VectorCoverage { known: 38, folded: 2, without: 0 });
        for item in [7, 12] {
            let row = |table: &Array2<f32>| table.slice(ndarray::s![item, ..RANK]).to_vec();
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            let (a, b) = (row(&found), row(&whole));
            let cosine = dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt();
            assert!(cosine > 0.95, "{item}: {cosine}");
            let ratio = (dot(&a, &a) / dot(&b, &b)).sqrt();
            assert!((0.7..1.3).contains(&ratio), "{item}: {ratio} times as long");
        }
    }

    #[test]
    fn faults_are_named() {
        let table = |values: &[f32]| Array2::from_shape_vec((2, 1), values.to_vec()).expect("a table");
        let of = |ids: &[&str], values: &[f32]| {
            VectorBasis::new(ids.iter().map(|id| (*id).to_owned()).collect(), table(values)).expect_err("a fault")
        };
        assert!(of(&["a"], &[1.0, 2.0]).contains("1 item ids for 2 rows"));
        assert!(of(&["a", "a"], &[1.0, 2.0]).contains("rows 0 and 1"));
        assert!(of(&["a", "b"], &[1.0, f32::NAN]).contains("row 1 of the vectors has NaN"));
    }
}

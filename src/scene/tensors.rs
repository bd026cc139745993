//! Training tensors: everything that `models/train` needs, computed by the code that the simulator runs.
//!
//! Python trains on these files and computes no feature itself, so training and simulation cannot drift apart.

use super::soft::{SoftScenes, SoftTally, write_soft};
use super::vectors::fold_vectors;
use super::{
    CONTEXT, CoOccurrence, FOLDS, FeatureSpec, ListBuilder, ListKind, ListShape, LogClock, Seen, fold_of, item_vectors,
};
use crate::dataset::{Catalogue, Dataset, Interaction, TrainingLog};
use crate::ids::UserId;
use crate::random::{Purpose, Streams, below, unit};
use ndarray::{Array1, Array2, Array3, Axis, stack};
use ndarray_npy::{WritableElement, write_npy};
use std::path::Path;

/// Slots of a training list at most.
pub(super) const SLOTS: usize = 12;

/// What is written.
#[derive(Clone, Copy, Debug)]
pub struct TensorOptions {
    /// Root of the random streams.
    pub seed: u64,
    /// Passes over the training rows, each with fresh negatives.
    pub passes: u32,
    /// Dimensions of the item vectors.
    pub rank: usize,
    /// Share of each user's latest interactions that is held out.
    pub holdout: f64,
}

/// What part of the log a row belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Fit = 0,
    Validation = 1,
    HeldOut = 2,
}

/// Writes all training tensors of `data` as `.npy` files into `folder`, and what a language model says to some scenes.
///
/// # Errors
/// When a file cannot be written.
pub fn write_tensors(
    data: &Dataset,
    options: TensorOptions,
    soft: Option<&SoftScenes>,
    folder: &Path,
) -> std::io::Result<Option<SoftTally>> {
    let split = data.split(options.holdout);
    let catalogue = Catalogue::of(data);
    let spec = FeatureSpec::of(data, &catalogue, options.rank);
    let streams = Streams::new(options.seed, 0);
    let out = Folder(folder);
    out.write("attributes", &spec.attributes(&catalogue))?;
    out.write("profile", &spec.profiles(&data.user_fields, data.users.len()))?;
    let folds: Vec<i32> = users(data).map(|user| fold_of(&streams, user) as i32).collect();
    let mut tables = Vec::with_capacity(FOLDS + 1);
    for fold in 0..FOLDS {
        tables.push(fold_vectors(&split.before, options.rank, |user| folds[user.index()] != fold as i32));
    }
    tables.push(item_vectors(&split.before, options.rank));
    let views: Vec<_> = tables.iter().map(|table| table.view()).collect();
    out.write("vectors", &stack(Axis(0), &views).map_err(std::io::Error::other)?)?;
    out.write("folds", &Array1::from(folds))?;
    write_basis(data, &tables[FOLDS], options.rank, &out)?;
    let parts = write_rows(data, options.holdout, &out)?;
    let near = CoOccurrence::new(&split.before);
    let maker = SceneMaker {
        whole: data.log(),
        parts,
        builder: ListBuilder::new(&split.before, &near),
        seen: Seen::of(&split.before),
        clock: LogClock::new(&split.before),
        catalogue: &catalogue,
        streams,
    };
    // Validation rows stand in both: training leaves them out while it fits the temperature, then refits on all.
    maker.write(&out, "train", &[Part::Fit, Part::Validation], options.passes)?;
    maker.write(&out, "valid", &[Part::Validation], 1)?;
    let log = (&maker.whole, maker.parts.as_slice());
    let tally = soft.map(|soft| write_soft(soft, log, (&maker.clock, maker.catalogue), &out)).transpose()?;
    write_meta(data, options, &spec, soft.zip(tally), folder)?;
    Ok(tally)
}

/// `item_vectors.npy` and `item_ids.json`: what a model ships, see [`super::VectorBasis`].
fn write_basis(data: &Dataset, whole: &Array2<f32>, rank: usize, out: &Folder<'_>) -> std::io::Result<()> {
    out.write("item_vectors", &whole.slice(ndarray::s![.., ..rank]).to_owned())?;
    let ids: Vec<&str> = (0..data.items.len() as u32).map(|item| data.items.external(item)).collect();
    std::fs::write(out.0.join("item_ids.json"), serde_json::to_string(&ids)? + "\n")
}

/// `meta.json`: what the tensors were made of.
fn write_meta(
    data: &Dataset,
    options: TensorOptions,
    spec: &FeatureSpec,
    soft: Option<(&SoftScenes, SoftTally)>,
    folder: &Path,
) -> std::io::Result<()> {
    let mut meta = serde_json::json!({
        "data": data.name, "data_hash": data.hash, "catalogue": Catalogue::of(data).hash(),
        "users": data.users.len(), "items": data.items.len(),
        "rows": data.interactions.len(), "holdout": options.holdout, "seed": options.seed,
        "passes": options.passes, "slots": SLOTS, "context": CONTEXT, "folds": FOLDS, "features": spec,
        "kinds": KINDS.map(|(kind, _)| kind.name()),
    });
    if let Some((soft, tally)) = soft {
        meta["soft"] = serde_json::json!({ "model": soft.model, "scenes": tally.used });
    }
    std::fs::write(folder.join("meta.json"), format!("{meta:#}\n"))
}

fn users(data: &Dataset) -> impl Iterator<Item = UserId> + use<> {
    (0..data.users.len() as u32).map(UserId)
}

pub(super) struct Folder<'a>(&'a Path);

impl Folder<'_> {
    pub(super) fn write<T: WritableElement, D: ndarray::Dimension>(
        &self,
        name: &str,
        array: &ndarray::Array<T, D>,
    ) -> std::io::Result<()> {
        write_npy(self.0.join(format!("{name}.npy")), array).map_err(std::io::Error::other)
    }
}

/// Writes the rows of the log and returns the part of each.
fn write_rows(data: &Dataset, holdout: f64, out: &Folder<'_>) -> std::io::Result<Vec<Part>> {
    let rows = &data.interactions;
    let whole = TrainingLog::from_sorted(rows.clone(), data.users.len(), data.items.len());
    let mut parts = Vec::with_capacity(rows.len());
    for user in users(data) {
        let count = whole.of(user).len() as f64;
        // The split of `Dataset::split`; validation is the last tenth of what comes before the cut.
        let cut = (count * (1.0 - holdout) - 1e-9).ceil();
        let fit = (count * (1.0 - holdout) * 0.9 - 1e-9).ceil();
        parts.extend((0..whole.of(user).len()).map(|place| match place as f64 {
            place if place < fit => Part::Fit,
            place if place < cut => Part::Validation,
            _ => Part::HeldOut,
        }));
    }
    let column = |value: fn(&Interaction) -> i32| rows.iter().map(value).collect::<Array1<i32>>();
    out.write("rows_user", &column(|row| row.user.0 as i32))?;
    out.write("rows_item", &column(|row| row.item.0 as i32))?;
    out.write("rows_rating", &rows.iter().map(|row| row.rating).collect::<Array1<f32>>())?;
    out.write("rows_time", &rows.iter().map(|row| row.time).collect::<Array1<i64>>())?;
    out.write("rows_split", &parts.iter().map(|part| *part as u8).collect::<Array1<u8>>())?;
    Ok(parts)
}

/// The kinds of training list and how often each is used, in hundredths.
const KINDS: [(ListKind, u32); 6] = [
    (ListKind::Random, 20),
    (ListKind::Mixed, 15),
    (ListKind::MixedAnchored, 15),
    (ListKind::PopularityMatched, 20),
    (ListKind::HistorySimilar, 10),
    (ListKind::Single, 20),
];

/// Lengths of training lists and how often each is used, in hundredths.
const LENGTHS: [(usize, u32); 7] = [(2, 12), (3, 8), (4, 10), (5, 40), (8, 10), (10, 10), (12, 10)];

/// Draws an index with the given weights.
fn weighted<R: rand_chacha::rand_core::Rng>(rng: &mut R, weights: impl Iterator<Item = u32> + Clone) -> usize {
    let mut left = below(rng, weights.clone().sum());
    for (place, weight) in weights.enumerate() {
        if left < weight {
            return place;
        }
        left -= weight;
    }
    0
}

struct SceneMaker<'a> {
    whole: TrainingLog,
    parts: Vec<Part>,
    builder: ListBuilder<'a>,
    seen: Seen,
    clock: LogClock,
    catalogue: &'a Catalogue,
    streams: Streams,
}

impl SceneMaker<'_> {
    fn write(&self, out: &Folder<'_>, name: &str, parts: &[Part], passes: u32) -> std::io::Result<()> {
        let rows: Vec<usize> = (0..self.parts.len()).filter(|&row| parts.contains(&self.parts[row])).collect();
        let count = rows.len() * passes as usize;
        let mut row_of = Array1::<i32>::zeros(count);
        let mut items = Array2::<i32>::from_elem((count, SLOTS), -1);
        let mut contexts = Array3::<f32>::zeros((count, SLOTS, CONTEXT));
        let mut labels = Array1::<i32>::zeros(count);
        let mut kinds = Array1::<u8>::zeros(count);
        let moments = (0..passes).flat_map(|pass| rows.iter().map(move |&row| (pass, row)));
        for (place, (pass, row)) in moments.enumerate() {
            let (kind, list) = self.scene(row, pass);
            (row_of[place], kinds[place]) = (row as i32, kind);
            labels[place] = list.real.map_or(-1, |slot| slot as i32);
            for (slot, &item) in list.items.iter().enumerate() {
                items[(place, slot)] = item.0 as i32;
                let context = self.clock.context(self.catalogue, item, self.whole.rows[row].time);
                for (column, value) in context.into_iter().enumerate() {
                    contexts[(place, slot, column)] = value;
                }
            }
        }
        out.write(&format!("{name}_row"), &row_of)?;
        out.write(&format!("{name}_items"), &items)?;
        out.write(&format!("{name}_context"), &contexts)?;
        out.write(&format!("{name}_label"), &labels)?;
        out.write(&format!("{name}_kind"), &kinds)
    }

    fn scene(&self, row: usize, pass: u32) -> (u8, super::ListScene) {
        let real = &self.whole.rows[row];
        let history = &self.whole.rows[self.whole.offsets[real.user.index()]..row];
        let rng = &mut self.streams.derive(Purpose::Scenes, row as u64, pass);
        let mut place = weighted(rng, KINDS.iter().map(|(_, weight)| *weight));
        if KINDS[place].0 == ListKind::HistorySimilar && history.is_empty() {
            place = 0;
        }
        let kind = KINDS[place].0;
        let single = kind == ListKind::Single;
        let length = if single { 1 } else { LENGTHS[weighted(rng, LENGTHS.iter().map(|(_, weight)| *weight))].0 };
        let with_real = unit(rng) >= if single { 0.5 } else { 0.15 };
        (place as u8, self.builder.build(rng, ListShape { kind, length, with_real }, real, history, &self.seen))
    }
}

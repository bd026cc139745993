//! Everything that training reads of a data set: tables of users and items, and statistics of the log before the cut.

use super::FitError;
use super::network::Inputs;
use super::sampling::{Sampler, folds};
use super::shard::Tables;
use crate::dataset::{Catalogue, Dataset, TrainingLog};
use crate::random::Streams;
use crate::scene::{CONTEXT, CoOccurrence, FOLDS, FieldFeatures, ListBuilder, LogClock, Seen, vector_tables};
use ndarray::Array2;

/// See the module's documentation.
pub(super) struct Material<'a> {
    data: &'a Dataset,
    catalogue: Catalogue,
    log: &'a TrainingLog,
    near: CoOccurrence,
    folds: Vec<usize>,
    tables: Tables,
}

impl<'a> Material<'a> {
    /// `log` is the log before the cut, its ratings as levels.
    pub(super) fn new(
        data: &'a Dataset,
        log: &'a TrainingLog,
        features: &FieldFeatures,
        seed: u64,
    ) -> Result<Material<'a>, FitError> {
        let folds = folds(&Streams::new(seed, 0), data.users.len());
        let vectors = vector_tables(log, features.rank, &folds);
        let mut no_vector = vec![0.0; features.vector_width()];
        // What `scene::vectors` gives an item without interactions: ln(1 + 0) / 2 - 1.2.
        no_vector[features.rank + 1] = -1.2;
        let (attributes, profiles) = (features.attributes(data)?.table, features.profiles(data)?.table);
        let tables = Tables { attributes, vectors, profiles, no_vector };
        Ok(Material { data, catalogue: Catalogue::of(data), log, near: CoOccurrence::new(log), folds, tables })
    }

    pub(super) fn inputs(&self) -> Inputs {
        Inputs {
            attributes: self.tables.attributes.ncols(),
            vectors: self.tables.vector_width(),
            profile: self.tables.profiles.ncols(),
            context: CONTEXT,
        }
    }

    pub(super) fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The vectors of the whole log before the cut.
    pub(super) fn whole_vectors(&self) -> &Array2<f32> {
        &self.tables.vectors[FOLDS]
    }

    pub(super) fn sampler(&self) -> Sampler<'_> {
        Sampler {
            log: self.log,
            builder: ListBuilder::new(self.log, &self.near),
            seen: Seen::empty(self.data.users.len(), self.data.items.len()).with(self.log),
            clock: LogClock::new(self.log),
            catalogue: &self.catalogue,
            folds: &self.folds,
        }
    }
}

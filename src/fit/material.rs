//! The training data of a fit.
//!
//! Tables of users and items, and statistics of the log before the cut.

use super::looks::{Looks, looks};
use super::network::Inputs;
use super::sampling::{Sampler, folds};
use super::shard::Tables;
use super::shown::ShownLists;
use super::{FitError, FitOptions};
use crate::dataset::{Catalogue, Dataset, LearningSplit, TrainingLog};
use crate::random::Streams;
use crate::scene::{CONTEXT, CoOccurrence, FOLDS, FieldFeatures, ListBuilder, LogClock, SeenInLog, vector_tables};
use ndarray::Array2;

/// See the module's documentation.
pub(super) struct Material<'a> {
    catalogue: Catalogue,
    log: &'a TrainingLog,
    near: CoOccurrence,
    folds: Vec<usize>,
    tables: Tables,
    shown: Option<ShownLists<'a>>,
    /// The examination of slots of shown lists.
    pub(super) looks: Looks,
}

impl<'a> Material<'a> {
    /// Of what comes before the cut.
    pub(super) fn new(
        data: &'a Dataset,
        split: &'a LearningSplit,
        features: &FieldFeatures,
        options: FitOptions,
    ) -> Result<Material<'a>, FitError> {
        let log = &split.log.before;
        let seed = options.seed;
        let mut shown = ShownLists::new(&data.impressions, split, log);
        let looks = shown.as_ref().map_or_else(Looks::default, |shown| looks(shown, seed));
        if let Some(shown) = &mut shown {
            shown.looks.clone_from(&looks.weights);
            shown.weigh(options.propensities, &data.name)?;
        }
        let folds = folds(&Streams::new(seed, 0), data.users.len());
        let vectors = vector_tables(log, features.rank, &folds);
        let mut no_vector = vec![0.0; features.vector_width()];
        // The value of `scene::vectors` for an item without interactions: ln(1 + 0) / 2 - 1.2.
        no_vector[features.rank + 1] = -1.2;
        let (attributes, profiles) = (features.attributes(data)?.table, features.profiles(data)?.table);
        let tables = Tables { attributes, vectors, profiles, no_vector };
        let near = CoOccurrence::new(log);
        Ok(Material { catalogue: Catalogue::of(data), log, near, folds, tables, shown, looks })
    }

    /// The lists to learn from; `None` where the log has none.
    pub(super) fn shown(&self) -> Option<&ShownLists<'a>> {
        self.shown.as_ref()
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

    /// The vectors of the complete log before the cut.
    pub(super) fn whole_vectors(&self) -> &Array2<f32> {
        &self.tables.vectors[FOLDS]
    }

    pub(super) fn sampler(&self) -> Sampler<'_> {
        Sampler {
            log: self.log,
            builder: ListBuilder::new(self.log, &self.near),
            seen: SeenInLog::of(self.log),
            clock: LogClock::new(self.log),
            catalogue: &self.catalogue,
            folds: &self.folds,
            shown: self.shown.as_ref(),
        }
    }
}

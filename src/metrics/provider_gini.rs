//! Gini coefficient of the exposure of providers.
//!
//! 0 if each provider was shown equally often, near 1 if one was shown always.
//!
//! ```text
//! G = sum over j of (2 j - m - 1) y_j / (m * sum over j of y_j)
//! ```
//!
//! where `y_1 <= ... <= y_m` are the numbers of times that items of each of the `m` providers were shown so far. The index
//! of Gini over producers is what Mansoury et al. 2021, "A Graph-Based Approach for Mitigating Multi-Sided Exposure Bias
//! in Recommender Systems", report as supplier fairness. The curve is that of Lorenz (see [`gini`](super::gini)).
//! Undefined for a catalogue without providers.
//!
//! ```
//! use recmirror::dataset::{Catalogue, ItemCategories};
//! use recmirror::ids::{ItemId, UserId};
//! use recmirror::log::{EventBatch, REJECTED};
//!
//! let mut catalogue = Catalogue::unknown(3);
//! let names = ["north", "south"].map(str::to_owned).to_vec();
//! catalogue.set_providers(Some(ItemCategories::single("maker", names, [Some(0), Some(0), Some(1)])));
//! let batch = EventBatch {
//!     slate: 2,
//!     users: vec![UserId(0)],
//!     items: vec![ItemId(0), ItemId(1)],
//!     accepted: vec![REJECTED],
//!     ..EventBatch::default()
//! };
//! assert_eq!(recmirror::metrics::value("provider_gini", &[batch], 1, &catalogue).unwrap(), Some(0.5));
//! ```

use super::gini::{gini, lorenz};
use super::{Better, Format, Metric, MetricKind, Window, accumulator};
use crate::dataset::Catalogue;
use crate::log::EventBatch;

/// The metric.
pub const KIND: MetricKind = MetricKind {
    name: "provider_gini",
    title: "Gini of provider exposure",
    formula: "sum of (2j - m - 1) y_j / (m * sum of y_j), y_j the exposures of the m providers in ascending order",
    format: Format::Number { digits: 3 },
    better: Better::Lower,
    window: Window::SoFar,
    against: None,
    make: |_| accumulator(ProviderGini::default()),
};

#[derive(Default)]
struct ProviderGini(Exposures);

/// Times that items of each provider were shown.
#[derive(Default)]
pub(super) struct Exposures(pub Vec<u64>);

impl Exposures {
    pub(super) fn fold(&mut self, batch: &EventBatch, catalogue: &Catalogue) {
        if self.0.is_empty() {
            self.0.resize(catalogue.providers().map_or(0, |providers| providers.len()), 0);
        }
        for &item in &batch.items {
            let provider = catalogue.provider_of(item);
            if let Some(count) = provider.and_then(|provider| self.0.get_mut(provider as usize)) {
                *count += 1;
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Exposures) {
        self.0.resize(self.0.len().max(other.0.len()), 0);
        for (count, others) in self.0.iter_mut().zip(&other.0) {
            *count += others;
        }
    }
}

impl Metric for ProviderGini {
    fn fold(&mut self, batch: &EventBatch, catalogue: &Catalogue) {
        self.0.fold(batch, catalogue);
    }

    fn merge(&mut self, other: &Self) {
        self.0.merge(&other.0);
    }

    fn value(&self) -> Option<f64> {
        gini(&self.0.0)
    }

    fn curve(&self) -> Vec<(f64, f64)> {
        lorenz(&self.0.0)
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::testing::{GAP, batch, catalogue, curve_of, provided, value_of};

    const NAN: f32 = f32::NAN;

    #[test]
    fn by_hand() {
        let items = provided(catalogue(&[1; 4]), &[0, 1, 1, 2]);
        let log = [
            batch(0, 3, &[(0, &[0, 1, 2], None, NAN)]),
            batch(1, 3, &[(0, &[2, GAP, GAP], None, NAN), (1, &[3, 1, GAP], None, NAN)]),
        ];
        // Exposures 1, 2, 0: (-2*0 + 0*1 + 2*2) / (3 * 3).
        assert_eq!(value_of("provider_gini", &log[..1], 2, &items), Some(4.0 / 9.0));
        // Exposures 1, 4, 1: (-2*1 + 0*1 + 2*4) / (3 * 6).
        assert_eq!(value_of("provider_gini", &log, 2, &items), Some(6.0 / 18.0));
        assert_eq!(curve_of("provider_gini", &log, 2, &items).last(), Some(&(1.0, 1.0)));
    }

    #[test]
    fn undefined_without_providers_or_exposure() {
        let events = batch(0, 1, &[(0, &[0], None, NAN)]);
        assert_eq!(value_of("provider_gini", &[events], 1, &catalogue(&[1])), None);
        let items = provided(catalogue(&[1]), &[0]);
        assert_eq!(value_of("provider_gini", &[batch(0, 1, &[(0, &[GAP], None, NAN)])], 1, &items), None);
    }
}

//! Share of the providers with a shown item so far.
//!
//! ```text
//! providers with an item that was shown / providers of the catalogue
//! ```
//!
//! The part of supply that gets any exposure: the coverage of items (Ge et al. 2010) by those who provide them, as in
//! Mansoury et al. 2021, "A Graph-Based Approach for Mitigating Multi-Sided Exposure Bias in Recommender Systems".
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
//! assert_eq!(recmirror::metrics::value("provider_coverage", &[batch], 1, &catalogue).unwrap(), Some(0.5));
//! ```

use super::provider_gini::Exposures;
use super::{Better, Format, Metric, MetricKind, Window, accumulator};
use crate::dataset::Catalogue;
use crate::log::EventBatch;

/// The metric.
pub const KIND: MetricKind = MetricKind {
    name: "provider_coverage",
    title: "Provider coverage",
    formula: "providers with an item that was shown so far / providers of the catalogue",
    format: Format::Percent { digits: 1 },
    better: Better::Higher,
    window: Window::SoFar,
    against: None,
    make: |_| accumulator(ProviderCoverage::default()),
};

#[derive(Default)]
struct ProviderCoverage(Exposures);

impl Metric for ProviderCoverage {
    fn fold(&mut self, batch: &EventBatch, catalogue: &Catalogue) {
        self.0.fold(batch, catalogue);
    }

    fn merge(&mut self, other: &Self) {
        self.0.merge(&other.0);
    }

    fn value(&self) -> Option<f64> {
        let (providers, shown) = (self.0.0.len(), self.0.0.iter().filter(|&&count| count > 0).count());
        (providers > 0).then(|| shown as f64 / providers as f64)
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::testing::{GAP, batch, catalogue, provided, value_of};

    const NAN: f32 = f32::NAN;

    #[test]
    fn by_hand() {
        let items = provided(catalogue(&[1; 4]), &[0, 1, 1, 2]);
        let log = [batch(0, 2, &[(0, &[1, 2], None, NAN)]), batch(1, 2, &[(0, &[0, GAP], None, NAN)])];
        assert_eq!(value_of("provider_coverage", &log[..1], 1, &items), Some(1.0 / 3.0));
        assert_eq!(value_of("provider_coverage", &log, 1, &items), Some(2.0 / 3.0));
        assert_eq!(value_of("provider_coverage", &[batch(0, 2, &[])], 1, &items), Some(0.0));
    }

    #[test]
    fn undefined_without_providers() {
        let events = batch(0, 1, &[(0, &[0], None, NAN)]);
        assert_eq!(value_of("provider_coverage", &[events], 1, &catalogue(&[1])), None);
    }
}

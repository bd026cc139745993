//! The state of a metric, with its type erased.

use crate::dataset::Catalogue;
use crate::log::EventBatch;
use std::any::Any;

/// The state of one metric. This is what the author of a metric writes.
///
/// Laws: the order of rows within a batch does not matter, and folding a log in shards of users and then
/// merging gives the value of the whole.
pub trait Metric: Send + Sync + 'static {
    /// Takes the events of one tick. Items that the catalogue does not have are left out.
    fn fold(&mut self, batch: &EventBatch, catalogue: &Catalogue);

    /// Takes what another state has folded.
    fn merge(&mut self, other: &Self);

    /// The value over everything folded; `None`, or a number that is not finite, if undefined.
    fn value(&self) -> Option<f64>;

    /// The points of a curve over everything folded, with x not negative and ascending. Most
    /// metrics have none.
    fn curve(&self) -> Vec<(f64, f64)> {
        Vec::new()
    }
}

/// A [`Metric`] with its type erased; made by [`accumulator`] only, so that a merge of two different types
/// is found and refused in one place.
pub trait Accumulator: Send + Sync + sealed::Sealed {
    /// See [`Metric::fold`].
    fn fold(&mut self, batch: &EventBatch, catalogue: &Catalogue);

    /// See [`Metric::merge`]. `false`, without a change, if the other has another type.
    #[must_use]
    fn merge(&mut self, other: &dyn Accumulator) -> bool;

    /// See [`Metric::value`].
    fn value(&self) -> Option<f64>;

    /// See [`Metric::curve`].
    fn curve(&self) -> Vec<(f64, f64)>;

    /// For the downcast of a merge.
    fn as_any(&self) -> &dyn Any;
}

/// Erases the type of a metric's state.
pub fn accumulator(metric: impl Metric) -> Box<dyn Accumulator> {
    Box::new(Erased(metric))
}

struct Erased<M>(M);

mod sealed {
    pub trait Sealed {}
    impl<M: super::Metric> Sealed for super::Erased<M> {}
}

impl<M: Metric> Accumulator for Erased<M> {
    fn fold(&mut self, batch: &EventBatch, catalogue: &Catalogue) {
        self.0.fold(batch, catalogue);
    }

    fn merge(&mut self, other: &dyn Accumulator) -> bool {
        let other = other.as_any().downcast_ref::<M>();
        other.map(|other| self.0.merge(other)).is_some()
    }

    fn value(&self) -> Option<f64> {
        self.0.value().filter(|value| value.is_finite())
    }

    fn curve(&self) -> Vec<(f64, f64)> {
        let is_finite = |point: &(f64, f64)| point.0.is_finite() && point.1.is_finite();
        self.0.curve().into_iter().filter(is_finite).collect()
    }

    fn as_any(&self) -> &dyn Any {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(f64);

    impl Metric for Fixed {
        fn fold(&mut self, _: &EventBatch, _: &Catalogue) {}
        fn merge(&mut self, _: &Self) {}
        fn value(&self) -> Option<f64> {
            Some(self.0)
        }
        fn curve(&self) -> Vec<(f64, f64)> {
            vec![(0.0, 1.0), (1.0, self.0)]
        }
    }

    #[test]
    fn a_value_that_is_not_finite_is_undefined() {
        for broken in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let metric = accumulator(Fixed(broken));
            assert_eq!((metric.value(), metric.curve()), (None, vec![(0.0, 1.0)]));
        }
        assert_eq!(accumulator(Fixed(2.0)).value(), Some(2.0));
    }
}

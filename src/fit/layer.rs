//! One dense layer `y = x W + b` with its gradient.

use crate::random::unit;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView2, Axis};
use rand_chacha::rand_core::Rng;

/// Weights `[inputs, outputs]` and biases `[outputs]`; also their gradient, or an average of them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layer {
    pub(super) weights: Array2<f32>,
    pub(super) bias: Array1<f32>,
}

impl Layer {
    /// All zeros.
    pub(super) fn zeros(inputs: usize, outputs: usize) -> Layer {
        Layer { weights: Array2::zeros((inputs, outputs)), bias: Array1::zeros(outputs) }
    }

    /// Sets the weights and biases of some outputs to 1.
    pub(super) fn fill_columns(&mut self, columns: impl Iterator<Item = usize>) {
        for column in columns {
            self.weights.column_mut(column).fill(1.0);
            self.bias[column] = 1.0;
        }
    }

    /// Normal weights with the deviation `scale / sqrt(inputs)`, biases 0.
    pub(super) fn random<R: Rng>(rng: &mut R, inputs: usize, outputs: usize, scale: f64) -> Layer {
        let deviation = scale / (inputs.max(1) as f64).sqrt();
        let mut layer = Layer::zeros(inputs, outputs);
        layer.weights.iter_mut().for_each(|weight| *weight = (normal(rng) * deviation) as f32);
        layer
    }

    /// `x W + b` for the rows of `x`.
    pub(super) fn forward(&self, x: &ArrayView2<'_, f32>) -> Array2<f32> {
        let mut y = Array2::zeros((x.nrows(), self.bias.len()));
        y.rows_mut().into_iter().for_each(|mut row| row.assign(&self.bias));
        general_mat_mul(1.0, x, &self.weights, 1.0, &mut y);
        y
    }

    /// Adds the gradient of this layer, given its input and the gradient of its output.
    pub(super) fn accumulate(&mut self, x: &ArrayView2<'_, f32>, dy: &ArrayView2<'_, f32>) {
        general_mat_mul(1.0, &x.t(), dy, 1.0, &mut self.weights);
        for row in dy.axis_iter(Axis(0)) {
            self.bias += &row;
        }
    }

    /// The gradient of this layer's input, given that of its output.
    pub(super) fn backward(&self, dy: &ArrayView2<'_, f32>) -> Array2<f32> {
        dy.dot(&self.weights.t())
    }

    /// All numbers, weights first.
    pub(super) fn values(&self) -> impl Iterator<Item = &f32> {
        self.weights.iter().chain(self.bias.iter())
    }

    /// All numbers, weights first.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut f32> {
        self.weights.iter_mut().chain(self.bias.iter_mut())
    }
}

/// A standard normal number (Box and Muller 1958).
fn normal<R: Rng>(rng: &mut R) -> f64 {
    let radius = (-2.0 * libm::log(1.0 - unit(rng))).sqrt();
    radius * libm::cos(std::f64::consts::TAU * unit(rng))
}

/// `max(x, 0)` in place.
pub(super) fn relu(values: &mut Array2<f32>) {
    values.mapv_inplace(|value| value.max(0.0));
}

/// Sets the gradient to 0 wherever the rectified output is 0.
pub(super) fn relu_backward(output: &Array2<f32>, gradient: &mut Array2<f32>) {
    gradient.zip_mut_with(output, |gradient, &output| {
        if output <= 0.0 {
            *gradient = 0.0;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_layer_by_hand() {
        let layer = Layer { weights: array![[1.0, 2.0], [3.0, 4.0]], bias: array![10.0, 20.0] };
        let x = array![[1.0, 0.0], [1.0, -1.0]];
        assert_eq!(layer.forward(&x.view()), array![[11.0, 22.0], [8.0, 18.0]]);
        let dy = array![[1.0, 0.0], [0.5, 2.0]];
        assert_eq!(layer.backward(&dy.view()), array![[1.0, 3.0], [4.5, 9.5]]);
        let mut gradient = Layer::zeros(2, 2);
        gradient.accumulate(&x.view(), &dy.view());
        assert_eq!(gradient.weights, array![[1.5, 2.0], [-0.5, -2.0]]);
        assert_eq!(gradient.bias, array![1.5, 2.0]);
    }

    #[test]
    fn what_was_cut_has_no_gradient() {
        let mut output = array![[-1.0, 2.0]];
        relu(&mut output);
        let mut gradient = array![[5.0, 5.0]];
        relu_backward(&output, &mut gradient);
        assert_eq!((output, gradient), (array![[0.0, 2.0]], array![[0.0, 5.0]]));
    }
}

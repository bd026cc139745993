//! The softmax of a row of logits, in a fixed order.
//!
//! Exponentials are those of `libm`, which are the same on every machine. Most of a row's time goes there, so that
//! numbers of the usual size are computed side by side; the operations on each are those of `libm::expf`
//! (FreeBSD's `e_expf.c`), without its branches.

use crate::linalg::{Loop, widest};

/// Numbers that are computed side by side.
const LANES: usize = 16;

/// Exponents below this are left to `libm`: their results have fewer bits.
const LEAST: f32 = -87.0;

/// Turns logits into probabilities in place; `false` if the result is not finite.
pub(crate) fn softmax(logits: &mut [f32]) -> bool {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    logits.iter_mut().for_each(|logit| *logit -= most);
    if logits.iter().all(|exponent| (LEAST..=0.0).contains(exponent)) {
        widest(Exponentials(logits));
    } else {
        logits.iter_mut().for_each(|value| *value = libm::expf(*value));
    }
    let sum = logits.iter().fold(0.0f32, |sum, value| sum + value);
    let scale = 1.0 / sum;
    logits.iter_mut().for_each(|value| *value *= scale);
    scale.is_finite()
}

/// Numbers from [`LEAST`] to 0.
struct Exponentials<'a>(&'a mut [f32]);

impl Loop for Exponentials<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for values in self.0.chunks_mut(LANES) {
            let mut lanes = [0.0; LANES];
            lanes[..values.len()].copy_from_slice(values);
            lanes.iter_mut().for_each(|lane| *lane = exponential(*lane));
            values.copy_from_slice(&lanes[..values.len()]);
        }
    }
}

/// `libm::expf` from [`LEAST`] to 0.
#[inline(always)]
fn exponential(x: f32) -> f32 {
    const LN2_HIGH: f32 = f32::from_bits(0x3f31_7200);
    const LN2_LOW: f32 = f32::from_bits(0x35bf_be8e);
    const INVERSE_OF_LN2: f32 = f32::from_bits(0x3fb8_aa3b);
    const P1: f32 = 1.666_662_5e-1;
    const P2: f32 = -2.766_733_3e-3;
    // Half of ln 2, three halves of it, and 2^-14, as the bits of numbers without a sign.
    let size = x.to_bits() & 0x7fff_ffff;
    let rounded = (INVERSE_OF_LN2 * x - 0.5) as i32;
    let power = if size > 0x3f85_1592 { rounded } else { -i32::from(size > 0x3eb1_7218) };
    let (high, low) = (x - power as f32 * LN2_HIGH, power as f32 * LN2_LOW);
    let rest = high - low;
    let square = rest * rest;
    let c = rest - square * (P1 + square * P2);
    let y = 1.0 + (rest * c / (2.0 - c) - low + high);
    // The smallest power is -126, and the smallest result a number of full precision.
    let scaled = y * f32::from_bits(((power + 127) as u32) << 23);
    if size > 0x3900_0000 { scaled } else { 1.0 + x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_have_the_bits_of_libm() {
        // Every 997th number from -0 to the least one, and the edges of the cases.
        let edges = [0x3900_0000, 0x3eb1_7218, 0x3f85_1592, LEAST.to_bits() & 0x7fff_ffff];
        let edges = edges.into_iter().flat_map(|edge: u32| [edge - 1, edge, edge + 1]);
        let least = LEAST.to_bits() & 0x7fff_ffff;
        for size in (0..=least).step_by(997).chain(edges.filter(|&size| size <= least)) {
            let x = f32::from_bits(size | 1 << 31);
            let (found, wanted) = (exponential(x), libm::expf(x));
            assert_eq!(found.to_bits(), wanted.to_bits(), "{x}: {found} and {wanted}");
        }
    }

    #[test]
    fn rows_of_any_length_have_the_bits_of_the_plain_formula() {
        let plain = |logits: &[f32]| {
            let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let shares: Vec<f32> = logits.iter().map(|logit| libm::expf(logit - most)).collect();
            let scale = 1.0 / shares.iter().fold(0.0, |sum, share| sum + share);
            shares.iter().map(|share| (share * scale).to_bits()).collect::<Vec<u32>>()
        };
        for len in [1, 2, 11, 16, 17, 40] {
            for spread in [0.01f32, 1.0, 30.0, 500.0] {
                let logits: Vec<f32> =
                    (0..len).map(|place| ((place * 7919 % 41) as f32 / 20.0 - 1.0) * spread).collect();
                let mut found = logits.clone();
                assert!(softmax(&mut found));
                assert_eq!(found.iter().map(|share| share.to_bits()).collect::<Vec<u32>>(), plain(&logits));
            }
        }
    }

    #[test]
    fn impossible_and_broken_numbers() {
        let mut some = [0.0, f32::NEG_INFINITY, 0.0];
        assert!(softmax(&mut some));
        assert_eq!(some, [0.5, 0.0, 0.5]);
        for broken in [f32::NAN, f32::INFINITY] {
            assert!(!softmax(&mut [0.0, broken]), "{broken}");
        }
        assert!(!softmax(&mut [f32::NEG_INFINITY; 2]));
    }
}

//! Loops on the widest vector registers of the processor that runs them.
//!
//! The program is compiled for every processor of its family and would otherwise use the narrowest registers. A
//! [`Loop`] is compiled once for each width and the widest one is taken at run time. Registers change no bit: a loop is written
//! so that each number that it computes is one sequence of operations, lanes are different numbers, and multiplication
//! and addition are never fused. So results are equal on processors with AVX-512, with AVX2, and with neither.

/// Work that gains from wide registers: plain loops over slices and arrays, without calls that are not inlined.
pub trait Loop {
    /// The result.
    type Output;

    /// Does it. Implementations are marked `#[inline(always)]`, and so is what they call: a function of its own would be
    /// compiled for the narrowest registers.
    fn run(self) -> Self::Output;
}

/// Runs `work` on the widest registers.
#[inline]
pub fn widest<L: Loop>(work: L) -> L::Output {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        if has!("avx512f") && has!("avx512vl") && has!("avx512bw") && has!("avx512dq") && has!("popcnt") {
            #[expect(unsafe_code, reason = "the compiler cannot know that the processor was asked just now")]
            // SAFETY: the processor has these registers.
            return unsafe { on_avx512(work) };
        }
        if has!("avx2") && has!("popcnt") {
            #[expect(unsafe_code, reason = "the compiler cannot know that the processor was asked just now")]
            // SAFETY: the processor has these registers.
            return unsafe { on_avx2(work) };
        }
    }
    work.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,popcnt")]
fn on_avx512<L: Loop>(work: L) -> L::Output {
    work.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn on_avx2<L: Loop>(work: L) -> L::Output {
    work.run()
}

/// `sum + factor * row`. By value, so that the compiler knows that the two are apart.
#[inline(always)]
pub(super) fn plus_scaled<const N: usize>(mut sum: [f64; N], factor: f64, row: [f64; N]) -> [f64; N] {
    for lane in 0..N {
        sum[lane] += factor * row[lane];
    }
    sum
}

/// The first `N` numbers of a slice; zero for those that it does not have.
#[inline(always)]
pub(super) fn first<const N: usize>(values: &[f64]) -> [f64; N] {
    values.first_chunk().copied().unwrap_or_else(|| {
        let mut some = [0.0; N];
        some[..values.len()].copy_from_slice(values);
        some
    })
}

/// Writes `from` over the start of a slice, up to its length.
#[inline(always)]
pub(super) fn write_first<const N: usize>(values: &mut [f64], from: [f64; N]) {
    match values.first_chunk_mut() {
        Some(values) => *values = from,
        None => values.copy_from_slice(&from[..values.len()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scaled<'a>(&'a mut [f32], f32);

    impl Loop for Scaled<'_> {
        type Output = f32;

        #[inline(always)]
        fn run(self) -> f32 {
            self.0.iter_mut().for_each(|value| *value = *value * self.1 + 0.1);
            self.0[0]
        }
    }

    #[test]
    fn registers_change_no_bit() {
        let start: Vec<f32> = (0..77).map(|place| place as f32 / 7.0).collect();
        let (mut wide, mut narrow) = (start.clone(), start);
        let first = widest(Scaled(&mut wide, 1.3));
        assert_eq!(first.to_bits(), Scaled(&mut narrow, 1.3).run().to_bits());
        assert!(wide.iter().zip(&narrow).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
}

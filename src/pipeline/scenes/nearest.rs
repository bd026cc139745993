//! Dot products with a fixed order of addition.

use std::cmp::Ordering;

/// Parallel sums.
const LANES: usize = 16;

/// The dot product of two vectors of equal length, summed in an order that depends on the length alone.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    let (wide_a, wide_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = wide_a.remainder().iter().zip(wide_b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in wide_a.zip(wide_b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// An item with its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Nearest {
    pub(super) score: f32,
    pub(super) item: u32,
}

fn better(a: &Nearest, b: &Nearest) -> Ordering {
    b.score.total_cmp(&a.score).then(a.item.cmp(&b.item))
}

/// The `count` items of highest score, the best first; the smaller item wins ties.
pub(super) fn top(items: impl Iterator<Item = Nearest>, count: usize) -> Vec<u32> {
    let mut all: Vec<Nearest> = items.collect();
    if count == 0 {
        return Vec::new();
    }
    if all.len() > count {
        all.select_nth_unstable_by(count - 1, better);
        all.truncate(count);
    }
    all.sort_unstable_by(better);
    let mut kept: Vec<u32> = all.into_iter().map(|near| near.item).collect();
    // Collecting in place keeps room for all items.
    kept.shrink_to_fit();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_come_first_and_ties_go_by_number() {
        let scores = [0.5, 2.0, 0.5, -1.0, 2.0];
        let items = || scores.iter().zip(0..).map(|(&score, item)| Nearest { score, item });
        assert_eq!(top(items(), 3), [1, 4, 0]);
        assert_eq!(top(items(), 9), [1, 4, 0, 2, 3]);
        assert!(top(items(), 0).is_empty());
    }

    #[test]
    fn dot_products_have_a_remainder() {
        let a: Vec<f32> = (0..19).map(|value| value as f32).collect();
        assert_eq!(dot(&a, &a), (0..19).map(|value| value * value).sum::<i32>() as f32);
    }
}

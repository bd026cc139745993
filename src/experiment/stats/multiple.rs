//! Adjusted p values of several comparisons.
//!
//! An undefined p value (`None`) is neither adjusted nor counted.

/// Holm's adjustment (Holm 1979, Scandinavian Journal of Statistics 6(2)): if adjusted values below 0.05 are called
/// differences, the chance of even one false difference is at most 5%, however the comparisons depend on each other.
///
/// ```
/// use recmirror::experiment::holm;
/// assert_eq!(holm(&[Some(0.25), None, Some(0.125)]), [Some(0.25), None, Some(0.25)]);
/// ```
pub fn holm(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let order = ascending(p_values);
    let mut adjusted = vec![None; p_values.len()];
    let mut largest: f64 = 0.0;
    for (rank, &(place, p_value)) in order.iter().enumerate() {
        largest = largest.max(p_value * (order.len() - rank) as f64).min(1.0);
        adjusted[place] = Some(largest);
    }
    adjusted
}

/// The adjustment of Benjamini and Hochberg (1995, Journal of the Royal Statistical Society B 57(1)): at most 5% of the
/// adjusted values below 0.05 are false differences on average, for comparisons that are independent or depend on each
/// other positively.
///
/// ```
/// use recmirror::experiment::benjamini_hochberg;
/// assert_eq!(benjamini_hochberg(&[Some(0.25), None, Some(0.125)]), [Some(0.25), None, Some(0.25)]);
/// ```
pub fn benjamini_hochberg(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let order = ascending(p_values);
    let mut adjusted = vec![None; p_values.len()];
    let mut smallest: f64 = 1.0;
    for (rank, &(place, p_value)) in order.iter().enumerate().rev() {
        smallest = smallest.min(p_value * order.len() as f64 / (rank + 1) as f64);
        adjusted[place] = Some(smallest);
    }
    adjusted
}

/// The defined values with their indices, smallest first; equal ones stay in order.
fn ascending(p_values: &[Option<f64>]) -> Vec<(usize, f64)> {
    let mut order: Vec<(usize, f64)> =
        p_values.iter().enumerate().filter_map(|(place, p_value)| Some((place, (*p_value)?))).collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(values: &[f64]) -> Vec<Option<f64>> {
        values.iter().copied().map(Some).collect()
    }

    #[test]
    fn by_hand() {
        // Sixty-fourths, in ascending order 1, 2, 8, 9: Holm 4, max(4, 6), max(6, 16), max(16, 9);
        // Benjamini-Hochberg from the last on 9, min(9, 8 * 4 / 3), min(9, 2 * 4 / 2), min(4, 1 * 4).
        let p_values = some(&[8.0, 1.0, 9.0, 2.0].map(|count| count / 64.0));
        assert_eq!(holm(&p_values), some(&[16.0, 4.0, 16.0, 6.0].map(|count| count / 64.0)));
        assert_eq!(benjamini_hochberg(&p_values), some(&[9.0, 4.0, 9.0, 4.0].map(|count| count / 64.0)));
    }

    #[test]
    fn never_above_one_and_never_below_its_own() {
        let p_values = some(&[0.9, 0.75, 1.0]);
        assert_eq!(holm(&p_values), some(&[1.0, 1.0, 1.0]));
        assert_eq!(benjamini_hochberg(&p_values), some(&[1.0, 1.0, 1.0]));
        assert_eq!(holm(&some(&[0.25])), some(&[0.25]));
        assert_eq!(benjamini_hochberg(&some(&[0.25])), some(&[0.25]));
        assert_eq!((holm(&[None]), benjamini_hochberg(&[])), (vec![None], vec![]));
    }
}

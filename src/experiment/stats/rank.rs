//! Agreement of two orders.

/// Kendall's tau-b (Kendall 1945): `(C - D) / sqrt((n - ties in x)(n - ties in y))` over the `n` pairs of indices; `C`
/// of them have the same order in both, `D` opposite ones. `None` if all values of one are equal, or the lengths
/// differ.
///
/// ```
/// use recmirror::experiment::kendall_tau;
/// assert_eq!(kendall_tau(&[1.0, 2.0, 3.0], &[10.0, 20.0, 30.0]), Some(1.0));
/// assert_eq!(kendall_tau(&[1.0, 2.0, 3.0], &[2.0, 1.0, 3.0]), Some(1.0 / 3.0));
/// assert_eq!(kendall_tau(&[1.0, 1.0], &[1.0, 2.0]), None);
/// ```
pub fn kendall_tau(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.len() != y.len() {
        return None;
    }
    let (mut agreement, mut in_x, mut in_y) = (0i64, 0i64, 0i64);
    for a in 0..x.len() {
        for b in a + 1..x.len() {
            let (dx, dy) = (sign(x[a] - x[b]), sign(y[a] - y[b]));
            agreement += dx * dy;
            in_x += dx.abs();
            in_y += dy.abs();
        }
    }
    (in_x > 0 && in_y > 0).then(|| agreement as f64 / libm::sqrt(in_x as f64 * in_y as f64))
}

fn sign(value: f64) -> i64 {
    i64::from(value > 0.0) - i64::from(value < 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        assert_eq!(kendall_tau(&[3.0, 2.0, 1.0], &[1.0, 2.0, 3.0]), Some(-1.0));
        // Of the six pairs one is tied in x, and of the others four agree and one does not.
        let found = kendall_tau(&[1.0, 1.0, 2.0, 3.0], &[1.0, 2.0, 4.0, 3.0]).unwrap();
        assert!((found - 3.0 / libm::sqrt(5.0 * 6.0)).abs() < 1e-15);
        assert_eq!((kendall_tau(&[], &[]), kendall_tau(&[1.0], &[1.0]), kendall_tau(&[1.0], &[])), (None, None, None));
    }
}

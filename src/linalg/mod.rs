//! Linear algebra for vectors of users and items.
//!
//! Sparse matrices, a truncated
//! singular value decomposition, the rotation that aligns two sets of vectors, the inverse of a positive definite
//! matrix, and many small ridge regressions, solved or approximated.
//!
//! Every sum has one fixed order, so equal input gives equal bits, whatever the number of threads and the width of vector
//! registers ([`widest`]).

mod cholesky;
mod conjugate_gradient;
mod inverse;
mod least_squares;
mod sparse;
mod svd;
mod wide;

pub use self::conjugate_gradient::{ConjugateGradient, Shared};
pub use self::inverse::inverse_of_positive;
pub use self::least_squares::{LeastSquares, Symmetric};
pub use self::sparse::Sparse;
pub use self::svd::{Gram, Precision, rotate_onto, truncated_svd, truncated_svd_of};
pub use self::wide::{Loop, widest};

//! The little linear algebra that vectors of users and items need: sparse matrices, a truncated
//! singular value decomposition, the rotation that aligns two sets of vectors, and the inverse of a positive definite
//! matrix.
//!
//! Every sum has one fixed order, so equal input gives equal bits, whatever the number of threads.

mod inverse;
mod sparse;
mod svd;

pub use self::inverse::inverse_of_positive;
pub use self::sparse::Sparse;
pub use self::svd::{Gram, Precision, TruncatedSvd, rotate_onto, truncated_svd, truncated_svd_of};

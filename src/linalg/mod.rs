//! The little linear algebra that vectors of users and items need: sparse matrices, a truncated
//! singular value decomposition, and the rotation that aligns two sets of vectors.
//!
//! Everything here runs in one fixed order, so equal input gives equal bits.

mod sparse;
mod svd;

pub use self::sparse::Sparse;
pub use self::svd::{Gram, Precision, TruncatedSvd, rotate_onto, truncated_svd, truncated_svd_of};

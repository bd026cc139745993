//! The little linear algebra that vectors of users and items need: sparse matrices, a truncated
//! singular value decomposition, and the rotation that aligns two sets of vectors.
//!
//! Everything runs in one fixed order on one thread, so equal input gives equal bits.

mod sparse;
mod svd;

pub use self::sparse::Sparse;
pub use self::svd::{TruncatedSvd, rotate_onto, truncated_svd};

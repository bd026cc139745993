//! Alignment of a user model with held-out users.
//!
//! Compares the choices of the model with those of held-out users.
//!
//! Scenes are built from the interactions after the cut: the memory is the user's earlier interactions, and the list
//! holds the real item and sampled negatives (see [`crate::scene::ListKind`]). The model is compared with rules that
//! ignore the user, and with two controls: another user's memory, and the memory frozen at the cut. On held-out
//! impressions, [`ClickAlignment`] measures its predictions of taken and passed-over items. [`scenes`] measures any
//! user model on scenes from files.
//!
//! Figures become sentences only if their intervals do not overlap:
//!
//! ```
//! use recmirror::align::{Share, comparison_sentences};
//!
//! let model = Share { estimate: 0.64, low: 0.62, high: 0.66 };
//! let item_knn = Share { estimate: 0.55, low: 0.53, high: 0.57 };
//! let said = comparison_sentences("popular", model, Some(item_knn), None);
//! assert_eq!(said, ["The model beats item-kNN on popular lists by 9.0 points (64.0% against 55.0%)."]);
//! ```

mod clicks;
mod comparison_sentences;
mod figures;
mod held_out;
mod measured;
mod order;
mod rules;
pub mod scenes;
mod verdict;

pub use self::clicks::ClickAlignment;
pub use self::comparison_sentences::{Share, comparison_sentences};
pub use self::figures::{AlignOptions, Alignment, Figure, align};
pub use self::measured::{MeasureError, measure, measured, shown};
pub(crate) use self::order::blocked;
pub use self::order::{
    Agreement, LearnedPolicy, Learning, NDCG_DEPTH, OrderFigure, PairJudgement, PairOrder, PolicyOrder, SELF_SELECTED,
    StartPolicy, ndcg, policy_order,
};
pub use self::verdict::Verdict;

pub(crate) use self::held_out::HeldOut;

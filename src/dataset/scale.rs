//! The scale of a log's ratings, and the map onto the levels that user models work with.

use serde::{Deserialize, Serialize};

/// Levels onto which every scale is mapped: 1 (worst) to 5 (best).
pub const LEVELS: usize = 5;

/// The range of a log's ratings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RatingScale {
    /// The worst rating that can be given.
    pub min: f32,
    /// The best one.
    pub max: f32,
}

impl RatingScale {
    /// Stars from 1 to 5.
    pub const STARS: RatingScale = RatingScale { min: 1.0, max: 5.0 };

    /// Whether a rating is within the scale. NaN is not.
    pub fn contains(self, rating: f32) -> bool {
        self.min <= rating && rating <= self.max
    }

    /// A rating as a level from 1 to [`LEVELS`], linear in the scale; NaN stays NaN.
    ///
    /// ```
    /// use recmirror::dataset::RatingScale;
    /// let percent = RatingScale { min: 0.0, max: 100.0 };
    /// assert_eq!((percent.level(0.0), percent.level(50.0), percent.level(100.0)), (1.0, 3.0, 5.0));
    /// assert_eq!(RatingScale::STARS.level(4.0), 4.0);
    /// ```
    #[inline]
    pub fn level(self, rating: f32) -> f32 {
        if self == RatingScale::STARS {
            return rating;
        }
        1.0 + (LEVELS - 1) as f32 * (rating - self.min) / (self.max - self.min)
    }

    /// A level from 1 to [`LEVELS`] as a rating of this scale; NaN stays NaN.
    #[inline]
    pub fn rating(self, level: f32) -> f32 {
        if self == RatingScale::STARS {
            return level;
        }
        self.min + (level - 1.0) * (self.max - self.min) / (LEVELS - 1) as f32
    }
}

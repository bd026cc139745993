//! The rating scale of a log, and its levels.

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

    /// The scales in common use, the narrowest first.
    const COMMON: [(f32, f32); 7] =
        [(0.0, 1.0), (1.0, 5.0), (0.5, 5.0), (0.0, 5.0), (1.0, 10.0), (0.0, 10.0), (0.0, 100.0)];

    /// The scale of a log: the narrowest common scale that contains all ratings, otherwise their own range, or the range from
    /// 0 where all ratings are equal. NaN means "not rated". `None` when nothing is rated.
    pub fn of(ratings: impl Iterator<Item = f32>) -> Option<RatingScale> {
        let rated = ratings.filter(|rating| !rating.is_nan());
        let range = rated.fold(None, |range: Option<(f32, f32)>, rating| {
            Some(range.map_or((rating, rating), |(min, max)| (min.min(rating), max.max(rating))))
        })?;
        let fits = |scale: &&(f32, f32)| scale.0 <= range.0 && range.1 <= scale.1;
        let own = if range.0 == range.1 { (range.0.min(0.0), range.1.max(0.0)) } else { range };
        let (min, max) = Self::COMMON.iter().find(fits).copied().unwrap_or(own);
        Some(RatingScale { min, max })
    }

    /// True if a rating is within the scale. NaN is not.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_of_a_log_is_the_narrowest_common_one_that_holds_it() {
        let of = |ratings: &[f32]| RatingScale::of(ratings.iter().copied()).map(|scale| (scale.min, scale.max));
        assert_eq!(of(&[1.0, f32::NAN, 4.0]), Some((1.0, 5.0)));
        assert_eq!(of(&[0.5, 4.5]), Some((0.5, 5.0)));
        assert_eq!(of(&[0.0, 1.0]), Some((0.0, 1.0)));
        assert_eq!(of(&[0.0, 9.0]), Some((0.0, 10.0)));
        assert_eq!(of(&[55.0, 81.0]), Some((0.0, 100.0)));
        assert_eq!(of(&[-10.0, 7.5]), Some((-10.0, 7.5)));
        assert_eq!(of(&[5.0, 5.0]), Some((1.0, 5.0)));
        assert_eq!(of(&[1000.0, 1000.0]), Some((0.0, 1000.0)));
        assert_eq!(of(&[f32::NAN]), None);
    }

    #[test]
    fn ratings_of_any_scale_become_levels_and_come_back() {
        let scale = RatingScale { min: -10.0, max: 10.0 };
        assert_eq!((scale.level(-10.0), scale.level(0.0), scale.rating(4.0)), (1.0, 3.0, 5.0));
        assert!(scale.level(f32::NAN).is_nan() && !scale.contains(f32::NAN));
    }
}

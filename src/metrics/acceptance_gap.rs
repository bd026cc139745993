//! Acceptance gaps between groups of users.
//!
//! The acceptance rate of the best-served group minus that of the worst-served, by a
//! field of the users: `acceptance_gap_field` by the categories of `data.user_field` (unasked: the field of 2 to 50 categories that
//! most users have), `acceptance_gap_gender`, `acceptance_gap_age` and `acceptance_gap_occupation` by the fields of these names.
//!
//! ```text
//! max over groups of (accepted slates / slates shown) - min over groups of (accepted slates / slates shown)
//! ```
//!
//! Ekstrand et al. 2018, "All The Cool Kids, How Do They Fit In?: Popularity and Demographic Biases in Recommender
//! Evaluation and Effectiveness", compare the utility of demographic groups. Ages fall into the bands of MovieLens-1M:
//! under 18, 18-24, 25-34, 35-44, 45-49, 50-55, 56 and over. Groups without a shown slate, and users without the
//! attribute, are left out; undefined with fewer than two groups. Many small groups differ by chance alone: compare
//! policies, not a gap with 0.
//!
//! ```
//! use recmirror::dataset::{Catalogue, Column, Field, Fields, TrainingLog};
//! use recmirror::ids::{ItemId, LogUserId, UserId};
//! use recmirror::log::{EventBatch, REJECTED};
//! use recmirror::metrics::{Background, Past, value_with};
//! use std::sync::Arc;
//!
//! let (log, catalogue) = (TrainingLog::from_sorted(vec![], 3, 1), Arc::new(Catalogue::unknown(1)));
//! let ages = Field { name: "age".to_owned(), column: Column::Number(vec![17.0, 30.0, 34.0]) };
//! let past = Past::new(Arc::new(log), catalogue.clone(), Fields::new(vec![ages]));
//! let start = Background::new([LogUserId(0), LogUserId(1), LogUserId(2)].into(), Arc::new(past));
//! let batch = EventBatch {
//!     slate: 1,
//!     users: vec![UserId(0), UserId(1), UserId(2)],
//!     items: vec![ItemId(0); 3],
//!     accepted: vec![0, 0, REJECTED],
//!     ..EventBatch::default()
//! };
//! assert_eq!(value_with("acceptance_gap_age", &[batch], &start, &catalogue).unwrap(), Some(0.5));
//! ```

use super::{Background, Better, Format, Metric, MetricKind, Past, Window, accumulator};
use crate::dataset::{Catalogue, Column};
use crate::log::{EventBatch, REJECTED};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The metric by the categories of `data.user_field`.
pub const FIELD: MetricKind = MetricKind {
    name: "acceptance_gap_field",
    title: "Acceptance gap between groups",
    formula: "highest - lowest acceptance rate of a group of users so far",
    make: |start| gap(start, start.table(Groups::<CHOSEN>::of)),
    ..GENDER
};

/// The metric by gender.
pub const GENDER: MetricKind = MetricKind {
    name: "acceptance_gap_gender",
    title: "Acceptance gap by gender",
    formula: "highest - lowest acceptance rate of a gender so far",
    format: Format::Percent { digits: 2 },
    better: Better::Lower,
    window: Window::SoFar,
    against: None,
    make: |start| gap(start, start.table(Groups::<GENDERS>::of)),
};

/// The metric by age band.
pub const AGE: MetricKind = MetricKind {
    name: "acceptance_gap_age",
    title: "Acceptance gap by age",
    formula: "highest - lowest acceptance rate of an age band so far",
    make: |start| gap(start, start.table(Groups::<AGES>::of)),
    ..GENDER
};

/// The metric by occupation.
pub const OCCUPATION: MetricKind = MetricKind {
    name: "acceptance_gap_occupation",
    title: "Acceptance gap by occupation",
    formula: "highest - lowest acceptance rate of an occupation so far",
    make: |start| gap(start, start.table(Groups::<OCCUPATIONS>::of)),
    ..GENDER
};

const GENDERS: u8 = 0;
const AGES: u8 = 1;
const OCCUPATIONS: u8 = 2;
const CHOSEN: u8 = 3;

/// First ages of the bands after the youngest.
const BANDS: [f32; 6] = [18.0, 25.0, 35.0, 45.0, 50.0, 56.0];

/// The group of each user of the data set by one attribute, which is part of the type because each has its own table.
struct Groups<const ATTRIBUTE: u8> {
    of: Vec<Option<usize>>,
    count: usize,
}

impl<const ATTRIBUTE: u8> Groups<ATTRIBUTE> {
    fn of(past: &Past) -> Self {
        let names: Vec<Option<String>> = (0..past.log.users()).map(|user| Self::name(past, user)).collect();
        let mut places: BTreeMap<&str, usize> = names.iter().flatten().map(|name| (name.as_str(), 0)).collect();
        places.values_mut().enumerate().for_each(|(place, value)| *value = place);
        let place = |name: &Option<String>| places.get(name.as_deref()?).copied();
        Groups { of: names.iter().map(place).collect(), count: places.len() }
    }

    fn name(past: &Past, user: usize) -> Option<String> {
        let field = match ATTRIBUTE {
            GENDERS => "gender",
            OCCUPATIONS => "occupation",
            AGES => "age",
            _ => past.user_field.as_deref()?,
        };
        let name = match (ATTRIBUTE, &past.user_fields.get(field)?.column) {
            (AGES, Column::Number(ages)) => {
                let age = *ages.get(user).filter(|age| !age.is_nan())?;
                BANDS.iter().filter(|&&first| age >= first).count().to_string()
            }
            (_, column) if user < column.len() => {
                column.names()?.external(*column.categories(user).first()?).to_owned()
            }
            _ => return None,
        };
        Some(name).filter(|name| !name.is_empty())
    }
}

fn gap<const ATTRIBUTE: u8>(start: &Background, groups: Arc<Groups<ATTRIBUTE>>) -> Box<dyn super::Accumulator> {
    let counts = vec![Counts::default(); groups.count];
    accumulator(AcceptanceGap { start: start.clone(), groups, counts })
}

struct AcceptanceGap<const ATTRIBUTE: u8> {
    start: Background,
    groups: Arc<Groups<ATTRIBUTE>>,
    counts: Vec<Counts>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    accepted: u64,
    shown: u64,
}

impl<const ATTRIBUTE: u8> Metric for AcceptanceGap<ATTRIBUTE> {
    fn fold(&mut self, batch: &EventBatch, _: &Catalogue) {
        for (&user, &slot) in batch.users.iter().zip(&batch.accepted) {
            let source = self.start.source(user);
            let group = source.and_then(|source| self.groups.of.get(source.index()).copied().flatten());
            if let Some(counts) = group.and_then(|group| self.counts.get_mut(group)) {
                counts.shown += 1;
                counts.accepted += u64::from(slot != REJECTED);
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        for (counts, others) in self.counts.iter_mut().zip(&other.counts) {
            counts.accepted += others.accepted;
            counts.shown += others.shown;
        }
    }

    fn value(&self) -> Option<f64> {
        let served = self.counts.iter().filter(|counts| counts.shown > 0);
        let rates: Vec<f64> = served.map(|counts| counts.accepted as f64 / counts.shown as f64).collect();
        let (low, high) = (rates.iter().copied().reduce(f64::min)?, rates.iter().copied().reduce(f64::max)?);
        (rates.len() > 1).then_some(high - low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Field, Fields};
    use crate::ids::LogUserId;
    use crate::metrics::testing::{batch, catalogue, value_after, value_of};

    const NAN: f32 = f32::NAN;

    fn start(users: &[(&'static str, f32, &'static str)]) -> Background {
        let log = crate::dataset::TrainingLog::from_sorted(Vec::new(), users.len(), 1);
        let known = |name: &'static str| Some(name).filter(|name| !name.is_empty());
        let field = |name: &str, column| Field { name: name.to_owned(), column };
        let ages = users.iter().map(|user| if user.1 > 0.0 { user.1 } else { NAN });
        let fields = Fields::new(vec![
            field("gender", Column::of_names(users.iter().map(|user| known(user.0)))),
            field("age", Column::Number(ages.collect())),
            field("occupation", Column::of_names(users.iter().map(|user| known(user.2)))),
        ]);
        let past = Past::new(Arc::new(log), Arc::new(catalogue(&[1])), fields);
        Background::new((0..users.len() as u32).map(LogUserId).collect(), Arc::new(past))
    }

    #[test]
    fn by_hand() {
        let users = start(&[
            ("F", 17.0, "artist"),
            ("M", 18.0, "artist"),
            ("F", 24.0, "writer"),
            ("", 56.0, ""),
            ("M", 80.0, ""),
        ]);
        let items = catalogue(&[1]);
        let yes = |user| (user, &[0][..], Some(0), 4.0);
        let no = |user| (user, &[0][..], None, NAN);
        let log = [
            batch(0, 1, &[yes(0), no(1), yes(2), no(3), yes(4)]),
            batch(1, 1, &[no(0), no(1), no(2), no(3), no(4)]),
            batch(2, 1, &[no(0)]),
        ];
        // F: 2 of 5, M: 1 of 4. Artists: 1 of 5, writers: 1 of 2. Under 18: 1 of 3, 18-24: 1 of 4, 56+: 1 of 4.
        let value = |name| value_after(name, &log, &users, &items).unwrap();
        assert_eq!(value("acceptance_gap_gender"), 2.0 / 5.0 - 1.0 / 4.0);
        assert_eq!(value("acceptance_gap_occupation"), 1.0 / 2.0 - 1.0 / 5.0);
        assert_eq!(value("acceptance_gap_age"), 1.0 / 3.0 - 1.0 / 4.0);
        // Of the two fields of categories gender has more users.
        assert_eq!(value("acceptance_gap_field"), value("acceptance_gap_gender"));
    }

    #[test]
    fn undefined_with_fewer_than_two_groups() {
        let items = catalogue(&[1]);
        let log = [batch(0, 1, &[(0, &[0], Some(0), 4.0)])];
        let users = start(&[("F", 20.0, ""), ("M", 21.0, "")]);
        for name in ["acceptance_gap_field", "acceptance_gap_gender", "acceptance_gap_age", "acceptance_gap_occupation"]
        {
            assert_eq!(value_after(name, &log, &users, &items), None, "{name}: one group was shown anything");
            assert_eq!(value_of(name, &log, 1, &items), None, "{name}: no profiles");
        }
    }
}

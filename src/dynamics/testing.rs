//! A small catalogue and the parameters with which dynamics are tested.

use super::{DynamicContext, Moment, Step};
use crate::dataset::{Catalogue, Column, Field, Fields, ItemCategories};
use crate::ids::{ItemId, UserId};
use crate::random::Streams;
use std::sync::Arc;

/// Ten ticks of a day each over `items` items: two genres each, a year except every ninth, two providers in turn.
pub(super) fn context(users: usize, items: usize) -> DynamicContext {
    let of = |item: usize| [["Drama", "Comedy", "War"][item / 2 % 3], ["Western", "Crime"][item / 6 % 2]];
    let year = |item: usize| if item % 9 == 8 { f32::NAN } else { (1980 + item / 2 % 20) as f32 };
    let fields = Fields::new(vec![
        Field { name: "genres".to_owned(), column: Column::of_names((0..items).map(of)) },
        Field { name: "year".to_owned(), column: Column::Number((0..items).map(year).collect()) },
    ]);
    let mut catalogue = Catalogue::new((0..items).map(|item| format!("Item {item}")).collect(), fields);
    catalogue.set_released(Some("year"));
    let makers = ["even", "odd"].map(str::to_owned).to_vec();
    let of = (0..items as u32).map(|item| Some(item % 2));
    catalogue.set_providers(Some(ItemCategories::single("maker", makers, of)));
    DynamicContext {
        catalogue: Arc::new(catalogue),
        users,
        acceptance: 0.25,
        ticks: 10,
        tick_seconds: 86_400,
        start: 893_289_600_000,
        streams: Streams::new(77, 1),
    }
}

/// The parameters of a kind: these, and strengths of 0.
pub(super) fn params(kind: &str, given: &[(&str, toml::Value)]) -> toml::Table {
    let kind = super::KINDS.iter().find(|known| known.name == kind).expect("a registered kind");
    let mut table: toml::Table = kind.strengths().map(|name| (name.to_owned(), 0.0.into())).collect();
    table.extend(given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    table
}

pub(super) fn moment(tick: u32) -> Moment {
    Moment { tick, time: (893_289_600 + i64::from(tick) * 86_400) * 1_000, seconds: 86_400 }
}

/// A response to a slate.
pub(super) fn step(tick: u32, user: u32, items: &[u32], accepted: Option<u32>) -> Step<'static> {
    // A test ends before this matters.
    let items: &'static [ItemId] = items.iter().map(|&item| ItemId(item)).collect::<Vec<_>>().leak();
    let rating = if accepted.is_some() { 4.0 } else { f32::NAN };
    Step { tick, user: UserId(user), items, accepted: accepted.map(ItemId), rating, slates: 1 }
}

//! Typed fields from the attributes that the two old readers know.

use super::films::Catalogue;
use super::profile::Profiles;
use super::{Column, Field, Fields, IdTable, NO_CATEGORY};
use crate::ids::ItemId;

fn category<'n>(name: &str, values: impl Iterator<Item = Option<&'n str>>) -> Field {
    let mut names = IdTable::default();
    let codes = values.map(|value| value.map_or(NO_CATEGORY, |value| names.insert(value).0)).collect();
    Field { name: name.to_owned(), column: Column::Category { names, codes } }
}

fn filled(fields: Vec<Field>) -> Fields {
    Fields::new(fields.into_iter().filter(|field| field.column.filled() > 0).collect())
}

pub(super) fn user_fields(profiles: &Profiles) -> Fields {
    let of = || profiles.0.iter();
    let ages = of().map(|profile| profile.age.unwrap_or(f32::NAN)).collect();
    filled(vec![
        Field { name: "age".to_owned(), column: Column::Number(ages) },
        category("gender", of().map(|profile| profile.gender.as_deref())),
        category("occupation", of().map(|profile| profile.occupation.as_deref())),
    ])
}

pub(super) fn item_fields(catalogue: &Catalogue) -> Fields {
    let years = catalogue.years.iter().map(|year| year.map_or(f32::NAN, f32::from)).collect();
    let (mut names, mut offsets, mut codes) = (IdTable::default(), vec![0], Vec::new());
    for name in &catalogue.genre_names {
        names.insert(name);
    }
    for genres in &catalogue.genres {
        codes.extend(genres.iter().map(|genre| genre as u32));
        offsets.push(codes.len() as u32);
    }
    let provider = |item| Some(catalogue.provider_names[catalogue.provider_of(ItemId(item))? as usize].as_str());
    filled(vec![
        Field { name: "title".to_owned(), column: Column::Text(catalogue.titles.clone()) },
        Field { name: "year".to_owned(), column: Column::Number(years) },
        Field { name: "genres".to_owned(), column: Column::Categories { names, offsets, codes } },
        category("provider", (0..catalogue.len() as u32).map(provider)),
    ])
}

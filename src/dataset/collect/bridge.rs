//! The catalogue and the profiles for code that does not read fields yet.

use crate::dataset::{Catalogue, Cleaner, Column, Dataset, GenreSet, NO_CATEGORY, Profile, Profiles};

/// Fields that hold what code without fields calls genres, the surest first.
const GENRES: [&str; 5] = ["genres", "genre", "class", "categories", "category"];

/// What stands for the title of an item that has none.
const UNTITLED: &str = "unknown";

/// Fills `catalogue` and `profiles` from the fields, and counts what items lack.
pub(in crate::dataset) fn fill(data: &mut Dataset) {
    let items = data.items.len();
    let mut catalogue =
        Catalogue { years: years(data), genres: vec![GenreSet::default(); items], ..Catalogue::default() };
    catalogue.titles = titles(data);
    genres(data, &mut catalogue);
    providers(data, &mut catalogue);
    let untitled = catalogue.titles.iter().filter(|title| matches!(title.as_str(), "unknown" | "unkonwn")).count();
    data.cleanup.count_many(Cleaner::UntitledItem, untitled, String::new);
    if data.released.is_some() {
        let missing = catalogue.years.iter().filter(|year| year.is_none()).count();
        data.cleanup.count_many(Cleaner::MissingYear, missing, String::new);
    }
    data.catalogue = catalogue;
    data.profiles = profiles(data);
}

fn titles(data: &Dataset) -> Vec<String> {
    let field = data.title.as_deref().and_then(|name| data.item_fields.get(name));
    match field.map(|field| &field.column) {
        Some(Column::Text(texts)) => {
            texts.iter().map(|text| if text.is_empty() { UNTITLED.to_owned() } else { text.clone() }).collect()
        }
        _ => (0..data.items.len() as u32).map(|item| data.items.external(item).to_owned()).collect(),
    }
}

fn years(data: &Dataset) -> Vec<Option<u16>> {
    let field = data.released.as_deref().and_then(|name| data.item_fields.get(name));
    let sane = |year: i64| u16::try_from(year).ok().filter(|year| (1000..=2999).contains(year));
    match field.map(|field| &field.column) {
        Some(Column::Number(years)) => years.iter().map(|&year| sane(year as i64)).collect(),
        Some(Column::Time(times)) => {
            let year = |time: i64| {
                jiff::Timestamp::from_millisecond(time)
                    .ok()
                    .map(|stamp| i64::from(jiff::tz::TimeZone::UTC.to_datetime(stamp).year()))
            };
            times.iter().map(|time| sane(year((*time)?)?)).collect()
        }
        _ => vec![None; data.items.len()],
    }
}

/// Genres are the categories of one field: of more than fit, those that the most items have.
fn genres(data: &Dataset, catalogue: &mut Catalogue) {
    let named = GENRES.iter().find_map(|name| data.item_fields.get(name));
    let many = || data.item_fields.iter().find(|field| matches!(field.column, Column::Categories { .. }));
    let Some(field) = named.or_else(many) else { return };
    let Some(names) = field.column.names() else { return };
    let mut counts = vec![0_usize; names.len()];
    for item in 0..data.items.len() {
        field.column.categories(item).iter().for_each(|&code| counts[code as usize] += 1);
    }
    let mut order: Vec<u32> = (0..names.len() as u32).collect();
    order.sort_by_key(|&code| (std::cmp::Reverse(counts[code as usize]), code));
    order.truncate(GenreSet::CAPACITY);
    order.sort_unstable();
    let bits: Vec<Option<u32>> =
        (0..names.len() as u32).map(|code| order.binary_search(&code).ok().map(|bit| bit as u32)).collect();
    catalogue.genre_names = order.iter().map(|&code| names.external(code).to_owned()).collect();
    for (item, set) in catalogue.genres.iter_mut().enumerate() {
        field.column.categories(item).iter().filter_map(|&code| bits[code as usize]).for_each(|bit| set.insert(bit));
    }
}

fn providers(data: &Dataset, catalogue: &mut Catalogue) {
    let field = data.provider.as_deref().and_then(|name| data.item_fields.get(name));
    let Some(Column::Category { names, codes }) = field.map(|field| &field.column) else { return };
    let mut provider_names: Vec<String> = (0..names.len() as u32).map(|code| names.external(code).to_owned()).collect();
    if codes.contains(&NO_CATEGORY) {
        provider_names.push(UNTITLED.to_owned());
    }
    let unknown = provider_names.len() as u32 - 1;
    catalogue.providers = codes.iter().map(|&code| if code == NO_CATEGORY { unknown } else { code }).collect();
    catalogue.provider_names = provider_names;
}

fn profiles(data: &Dataset) -> Profiles {
    let text = |name: &str, user: usize| {
        let column = &data.user_fields.get(name)?.column;
        let code = *column.categories(user).first()?;
        column.names().map(|names| names.external(code).to_owned())
    };
    let age = |user: usize| match &data.user_fields.get("age")?.column {
        Column::Number(ages) => Some(ages[user]).filter(|age| !age.is_nan()),
        _ => None,
    };
    let profile = |user| Profile { age: age(user), gender: text("gender", user), occupation: text("occupation", user) };
    Profiles((0..data.users.len()).map(profile).collect())
}

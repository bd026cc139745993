//! Providers of the items: from the data, or by a stated rule.

use crate::dataset::{Catalogue, FieldError, ItemCategories};
use crate::ids::ItemId;
use crate::random::{Purpose, Streams, below};
use crate::scenario::ProviderSpec;

/// Sets the providers of a catalogue. `column` uses the named field, or the data's own provider. `category` makes each
/// category a provider: an item belongs to its rarest category in the catalogue (the first of equals), and items
/// without a category have one more provider. `seeded` draws one of `count` providers for each item, the same for all
/// replications.
///
/// # Errors
/// When the items have no such field.
pub(super) fn assign(catalogue: &mut Catalogue, spec: &ProviderSpec, seed: u64) -> Result<(), FieldError> {
    let items = || (0..catalogue.len() as u32).map(ItemId);
    let made = match spec.rule.as_str() {
        "category" => {
            let own = catalogue.categories(&spec.field)?;
            let mut sizes = vec![0u32; own.len()];
            items().flat_map(|item| own.of(item)).for_each(|&code| sizes[code as usize] += 1);
            let rarest = |item| own.of(item).iter().copied().min_by_key(|&code| (sizes[code as usize], code));
            // Items without a category have a provider of their own, after the categories.
            let names = own.names().iter().cloned().chain([format!("no {}", own.field())]).collect();
            let of = items().map(|item| Some(rarest(item).unwrap_or(sizes.len() as u32)));
            ItemCategories::single(own.field(), names, of)
        }
        "seeded" => {
            let streams = Streams::new(seed, 0);
            let one = |item: ItemId| below(&mut streams.derive(Purpose::Provider, u64::from(item.0), 0), spec.count);
            let names = (1..=spec.count).map(|number| format!("provider {number}")).collect();
            ItemCategories::single("seeded", names, items().map(|item| Some(one(item))))
        }
        _ if !spec.field.is_empty() => {
            let own = catalogue.categories(&spec.field)?;
            let of = items().map(|item| own.of(item).first().copied());
            ItemCategories::single(own.field(), own.names().to_vec(), of)
        }
        _ => return Ok(()),
    };
    catalogue.set_providers(Some(made));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assigned(rule: &str, field: &str, rows: &[&[&str]]) -> Result<Catalogue, FieldError> {
        let mut catalogue = Catalogue::of_categories("genres", rows);
        let own = ItemCategories::single("maker", vec!["own".to_owned()], rows.iter().map(|_| Some(0)));
        catalogue.set_providers(Some(own));
        let spec = ProviderSpec { rule: rule.to_owned(), field: field.to_owned(), count: 4 };
        assign(&mut catalogue, &spec, 7).map(|()| catalogue)
    }

    fn providers(catalogue: &Catalogue) -> Vec<Option<u32>> {
        (0..catalogue.len() as u32).map(|item| catalogue.provider_of(ItemId(item))).collect()
    }

    const FILMS: [&[&str]; 5] = [&["Drama"], &["Drama", "War"], &["Drama", "Crime"], &["War", "Crime"], &[]];

    #[test]
    fn the_rarest_category_provides() {
        // Drama in three items, War in two, Crime in two.
        let catalogue = assigned("category", "", &FILMS).expect("categories");
        assert_eq!(providers(&catalogue), [0, 1, 2, 1, 3].map(Some));
        assert_eq!(catalogue.providers().expect("providers").names(), ["Drama", "War", "Crime", "no genres"]);
    }

    #[test]
    fn a_seeded_rule_is_fair_and_the_column_stays() {
        let catalogue = assigned("seeded", "", &vec![&["Drama"][..]; 4_000]).expect("a rule");
        assert_eq!(catalogue.providers().expect("providers").len(), 4);
        for provider in 0..4 {
            let items = providers(&catalogue).iter().filter(|&&found| found == Some(provider)).count() as i64;
            // Standard deviation 27.
            assert!((items - 1_000).abs() < 137, "{items}");
        }
        let stays = assigned("column", "", &FILMS).expect("the data's own");
        assert_eq!(stays.providers().expect("providers").names(), ["own"]);
    }

    #[test]
    fn a_named_field_provides_by_its_first_category() {
        let catalogue = assigned("column", "genres", &FILMS).expect("a field");
        assert_eq!(providers(&catalogue), [Some(0), Some(0), Some(0), Some(1), None]);
        let problem = assigned("column", "studio", &FILMS).expect_err("no such field").to_string();
        assert!(problem.contains("no field `studio`") && problem.contains("`genres` (categories)"), "{problem}");
    }
}

//! Who provides the items: what the data say, or a stated rule.

use crate::dataset::{Catalogue, GenreSet};
use crate::ids::ItemId;
use crate::random::{Purpose, Streams, below};
use crate::scenario::ProviderSpec;

/// Sets the providers of a catalogue. `column` leaves what the data say. `genre` makes each genre a provider, of the items
/// of which it is the rarest genre of the catalogue (the first of equals), and of those without a genre one more. `seeded` draws one of `count` providers for each
/// item, the same for all replications.
pub(super) fn assign(catalogue: &mut Catalogue, spec: &ProviderSpec, seed: u64) {
    match spec.rule.as_str() {
        "genre" => {
            let mut sizes = vec![0u32; catalogue.genre_names.len()];
            catalogue.genres.iter().flat_map(|genres| genres.iter()).for_each(|genre| sizes[genre] += 1);
            let rarest = |genres: &GenreSet| genres.iter().min_by_key(|&genre| (sizes[genre], genre));
            // Items without a genre have a provider of their own, behind the genres.
            let provider = |genres| rarest(genres).unwrap_or(sizes.len()) as u32;
            catalogue.providers = catalogue.genres.iter().map(provider).collect();
            catalogue.provider_names = catalogue.genre_names.clone();
            catalogue.provider_names.push("no genre".to_owned());
        }
        "seeded" => {
            let streams = Streams::new(seed, 0);
            let one = |item: ItemId| below(&mut streams.derive(Purpose::Provider, u64::from(item.0), 0), spec.count);
            catalogue.providers = (0..catalogue.len() as u32).map(ItemId).map(one).collect();
            catalogue.provider_names = (1..=spec.count).map(|number| format!("provider {number}")).collect();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue(genres: &[u64]) -> Catalogue {
        Catalogue {
            titles: vec![String::new(); genres.len()],
            genre_names: ["Drama", "War", "Crime"].map(str::to_owned).to_vec(),
            genres: genres.iter().map(|&bits| GenreSet(bits)).collect(),
            provider_names: vec!["own".to_owned()],
            providers: vec![0; genres.len()],
            ..Catalogue::default()
        }
    }

    fn assigned(rule: &str, genres: &[u64]) -> Catalogue {
        let mut catalogue = catalogue(genres);
        assign(&mut catalogue, &ProviderSpec { rule: rule.to_owned(), count: 4 }, 7);
        catalogue
    }

    #[test]
    fn the_rarest_genre_provides() {
        // Drama in three items, War in two, Crime in two.
        let catalogue = assigned("genre", &[0b001, 0b011, 0b101, 0b110, 0]);
        assert_eq!(catalogue.providers, [0, 1, 2, 1, 3]);
        assert_eq!(catalogue.provider_names, ["Drama", "War", "Crime", "no genre"]);
    }

    #[test]
    fn a_seeded_rule_is_fair_and_the_column_stays() {
        let catalogue = assigned("seeded", &vec![0b1; 4_000]);
        assert_eq!(catalogue.provider_names.len(), 4);
        for provider in 0..4 {
            let items = catalogue.providers.iter().filter(|&&found| found == provider).count() as i64;
            // Standard deviation 27.
            assert!((items - 1_000).abs() < 137, "{items}");
        }
        assert_eq!(assigned("column", &[0b1]).provider_names, ["own"]);
    }
}

//! The contract of every registered dynamic: registering a dynamic tests it.

use super::testing::{context, params};
use super::{Dynamic, DynamicContext, DynamicKind, Dynamics, Pull, Shown, Step, all};
use crate::dataset::ItemCategories;
use crate::ids::{ItemId, UserId};
use crate::log::{EventBatch, REJECTED};
use crate::params::Kind;
use crate::random::{Purpose, Streams, below, unit};
use std::sync::Arc;

const USERS: usize = 12;
const ITEMS: usize = 70;
const SLATE: usize = 5;
const TICKS: u32 = 40;
/// A value that is within the range of every strength.
const STRONG: f64 = 0.5;

fn build(kind: &DynamicKind, strength: f64) -> Box<dyn Dynamic> {
    let given: Vec<(&str, toml::Value)> = kind.strengths().map(|name| (name, strength.into())).collect();
    kind.build(&params(kind.name, &given), &own_context()).expect("parameters that build")
}

/// Seven providers of ten items each; the last one's are rarely shown.
fn own_context() -> DynamicContext {
    let mut catalogue = (*context(USERS, ITEMS).catalogue).clone();
    let names = (0..7).map(|number| format!("provider {number}")).collect();
    let of = (0..ITEMS as u32).map(|item| Some(item / 10));
    catalogue.set_providers(Some(ItemCategories::single("maker", names, of)));
    DynamicContext { catalogue: Arc::new(catalogue), tick_seconds: 3 * 3600, ticks: TICKS, ..context(USERS, ITEMS) }
}

/// Everything that a dynamic did to one user or to the offer.
#[derive(Clone, Debug, PartialEq)]
enum Deed {
    Arrival(u64),
    Logits(Vec<u32>),
    End(bool),
    Leaving(u64),
    Pull(Option<(ItemId, u32)>),
    Joins(u32),
}

/// Forty ticks in which users come, look at seeded slates and accept some items; only `users` take part. Returns the
/// deeds of each user, and the withheld items at each tick.
fn rollout(dynamic: Box<dyn Dynamic>, users: &[u32]) -> (Vec<Vec<Deed>>, Vec<Vec<u64>>) {
    let mut all = Dynamics::of(vec![dynamic], &own_context());
    let (mut deeds, mut withheld) = (vec![Vec::new(); USERS], Vec::new());
    for &user in users {
        deeds[user as usize].push(Deed::Joins(all.joins().get(user as usize).copied().unwrap_or(0)));
    }
    for tick in 0..TICKS {
        let mut batch = EventBatch { tick, slate: SLATE, ..EventBatch::default() };
        let moment = all.moment(tick);
        withheld.push(all.supply(tick).to_vec());
        for &user in users {
            let deeds = &mut deeds[user as usize];
            let mut rng = Streams::new(9, 0).derive(Purpose::Scenes, u64::from(user), tick);
            deeds.push(Deed::Arrival(all.arrival(&moment, UserId(user)).expect("a factor").to_bits()));
            // Sessions of three slates, with a break of two ticks.
            let place = (tick + user) % 5;
            if place > 2 {
                continue;
            }
            if place == 0 || tick == 0 {
                all.begin(&moment, UserId(user));
            }
            let first = below(&mut rng, (ITEMS - 2 * SLATE) as u32);
            let mut items: Vec<ItemId> = (first..first + SLATE as u32).map(ItemId).collect();
            items[SLATE - 1] = if tick % 4 == 0 { ItemId::NONE } else { items[SLATE - 1] };
            let mut logits: Vec<f32> = (0..=SLATE).map(|slot| slot as f32 / 4.0).collect();
            all.shift(&Shown { tick, user: UserId(user), items: &items }, &mut logits);
            deeds.push(Deed::Logits(logits.iter().map(|logit| logit.to_bits()).collect()));
            let slot = (unit(&mut rng) < 0.4).then(|| below(&mut rng, SLATE as u32 - 1) as usize);
            let (accepted, rating) = (slot.map(|slot| items[slot]), if slot.is_some() { 4.0 } else { f32::NAN });
            let step = Step { tick, user: UserId(user), items: &items, accepted, rating, slates: place + 1 };
            deeds.push(Deed::End(all.remember(&step)));
            deeds.push(Deed::Leaving(all.leaving(&step).expect("a probability").to_bits()));
            let pulls = all.pull(&step).expect("rates");
            let pull = pulls.into_iter().map(|Pull { item, rate }| (item, rate.to_bits())).next();
            deeds.push(Deed::Pull(pull));
            batch.users.push(UserId(user));
            batch.items.extend(&items);
            batch.accepted.push(slot.map_or(REJECTED, |slot| slot as u8));
            batch.ratings.push(rating);
        }
        all.observe(&batch);
    }
    (deeds, withheld)
}

const EVERYBODY: [u32; USERS] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

#[test]
fn a_strength_of_zero_changes_nothing_bit_for_bit() {
    let plain: Vec<u32> = (0..=SLATE).map(|slot| (slot as f32 / 4.0).to_bits()).collect();
    for kind in all() {
        let (deeds, withheld) = rollout(build(kind, 0.0), &EVERYBODY);
        for deed in deeds.into_iter().flatten() {
            let neutral = match &deed {
                Deed::Arrival(factor) => f64::from_bits(*factor) == 1.0,
                Deed::Logits(logits) => *logits == plain,
                Deed::End(ends) => !ends,
                Deed::Leaving(hazard) => f64::from_bits(*hazard) == 0.0,
                Deed::Pull(pull) => pull.is_none(),
                Deed::Joins(tick) => *tick == 0,
            };
            assert!(neutral, "{}: {deed:?}", kind.name);
        }
        assert!(withheld.iter().flatten().all(|&word| word == 0), "{}", kind.name);
        let fresh = build(kind, 0.0);
        assert!(!fresh.pulls() && (0..ITEMS as u32).all(|item| fresh.released(ItemId(item)) == 0), "{}", kind.name);
    }
}

#[test]
fn a_strength_above_zero_does_something() {
    for kind in all() {
        assert!(rollout(build(kind, STRONG), &EVERYBODY) != rollout(build(kind, 0.0), &EVERYBODY), "{}", kind.name);
    }
}

#[test]
fn every_number_is_one_that_the_engine_can_use() {
    for kind in all() {
        for deed in rollout(build(kind, STRONG), &EVERYBODY).0.into_iter().flatten() {
            let right = match &deed {
                Deed::Arrival(factor) => f64::from_bits(*factor).is_finite() && f64::from_bits(*factor) >= 0.0,
                Deed::Logits(logits) => logits.iter().all(|&bits| f32::from_bits(bits).is_finite()),
                Deed::Leaving(hazard) => (0.0..=1.0).contains(&f64::from_bits(*hazard)),
                Deed::Pull(pull) => {
                    pull.is_none_or(|(item, rate)| item.index() < ITEMS && (0.0..=1.0).contains(&f32::from_bits(rate)))
                }
                Deed::End(_) | Deed::Joins(_) => true,
            };
            assert!(right, "{}: {deed:?}", kind.name);
        }
    }
}

#[test]
fn two_instances_agree() {
    for kind in all() {
        assert!(rollout(build(kind, STRONG), &EVERYBODY) == rollout(build(kind, STRONG), &EVERYBODY), "{}", kind.name);
    }
}

#[test]
fn a_user_depends_neither_on_the_others_nor_on_their_order() {
    let turned: Vec<u32> = EVERYBODY.iter().rev().copied().collect();
    for kind in all() {
        let base = rollout(build(kind, STRONG), &EVERYBODY);
        assert!(rollout(build(kind, STRONG), &turned) == base, "{}: order", kind.name);
        for few in [&[3][..], &[1, 7, 8]] {
            let (deeds, _) = rollout(build(kind, STRONG), few);
            for &user in few {
                assert_eq!(deeds[user as usize], base.0[user as usize], "{}: user {user} of {few:?}", kind.name);
            }
        }
    }
}

#[test]
fn asking_for_a_shift_changes_nothing() {
    // The oracle asks about slates that are never shown.
    let items = [ItemId(0), ItemId(3)];
    for kind in all() {
        let dynamics = Dynamics::of(vec![build(kind, STRONG)], &own_context());
        let ask = |items: &[ItemId]| {
            let mut logits = vec![0.0; items.len() + 1];
            dynamics.shift(&Shown { tick: 3, user: UserId(1), items }, &mut logits);
            logits
        };
        assert_eq!(ask(&items), ask(&items), "{}", kind.name);
        assert_eq!(ask(&items)[..1], ask(&items[..1])[..1], "{}: a slot does not see the others", kind.name);
    }
}

#[test]
fn an_empty_catalogue_and_no_user() {
    for kind in all() {
        let given: Vec<(&str, toml::Value)> = kind.strengths().map(|name| (name, STRONG.into())).collect();
        let context = DynamicContext { ticks: 1, ..context(0, 0) };
        let built = kind.build(&params(kind.name, &given), &context).expect("parameters that build");
        let mut dynamics = Dynamics::of(vec![built], &context);
        for tick in 0..3 {
            assert!(dynamics.supply(tick).is_empty());
            dynamics.observe(&EventBatch { tick, ..EventBatch::default() });
        }
    }
}

#[test]
fn two_of_one_kind_draw_differently() {
    let spec = |name: &str| crate::dynamics::DynamicSpec {
        name: name.to_owned(),
        kind: "new_users".to_owned(),
        params: params("new_users", &[("share", STRONG.into())]),
    };
    let joins = |specs: &[crate::dynamics::DynamicSpec]| {
        Dynamics::new(specs, all(), &DynamicContext { users: 500, ..own_context() }).expect("dynamics").joins().to_vec()
    };
    let late = |joins: &[u32]| joins.iter().filter(|&&tick| tick > 0).count();
    let (one, two) = (joins(&[spec("a")]), joins(&[spec("a"), spec("b")]));
    assert!(late(&two) > late(&one) + 50, "half of the rest joins late as well");
}

#[test]
fn kinds_are_described_and_start_at_nothing() {
    for kind in all() {
        assert!(!kind.summary.is_empty() && kind.strengths().count() > 0, "{}", kind.name);
        assert!(std::ptr::eq(super::get(kind.name).expect("registered"), kind), "`{}` twice", kind.name);
        for name in kind.strengths() {
            let key = kind.keys.iter().find(|key| key.name == name).expect("a strength is a key");
            let Kind::Number { min, max, default } = key.kind else { panic!("{}: {name} is no number", kind.name) };
            assert!(min == 0.0 && max >= STRONG && default.is_none(), "{}: {name}", kind.name);
        }
        for key in kind.keys {
            let inside = match key.kind {
                Kind::Integer { min, max, default } => default.is_none_or(|value| (min..=max).contains(&value)),
                Kind::Number { min, max, default } => default.is_none_or(|value| (min..=max).contains(&value)),
                _ => true,
            };
            assert!(inside && !key.doc.is_empty(), "{}: {}", kind.name, key.name);
        }
    }
}

#[test]
fn the_document_has_every_kind_and_key() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/dynamics.md");
    let text = std::fs::read_to_string(path).expect("docs/reference/dynamics.md");
    for kind in all() {
        assert!(text.contains(&format!("`{}`", kind.name)), "docs/reference/dynamics.md lacks `{}`", kind.name);
        for key in kind.keys {
            assert!(
                text.contains(&format!("`{}`", key.name)),
                "docs/reference/dynamics.md lacks `{}` of {}",
                key.name,
                kind.name
            );
        }
    }
}

#[test]
fn the_recipe_of_contributing_works_unchanged() {
    let recipe = include_str!("../../tests/fixtures/recipes/sulking.rs");
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("   {line}\n") };
    let block: String = recipe.lines().map(line).collect();
    assert!(include_str!("../../CONTRIBUTING.md").contains(&block), "CONTRIBUTING.md shows another `sulking`");
    let build = |strength: f64| {
        let params = toml::Table::from_iter([("strength".to_owned(), strength.into())]);
        DynamicKind::of::<super::recipe::SulkingSpec>().build(&params, &own_context()).expect("a dynamic")
    };
    let base = rollout(build(STRONG), &EVERYBODY);
    assert!(rollout(build(STRONG), &EVERYBODY) == base && rollout(build(0.0), &EVERYBODY) != base);
    assert_eq!(rollout(build(STRONG), &[3]).0[3], base.0[3], "a user depends on nobody else");
    let mut logits = vec![0.5, 1.5];
    Dynamics::of(vec![build(0.0)], &own_context())
        .shift(&Shown { tick: 0, user: UserId(0), items: &[ItemId(1)] }, &mut logits);
    assert_eq!(logits, [0.5, 1.5], "nobody sulks");
}

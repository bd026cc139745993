//! The contract of every registered policy: registering a policy tests it.

use super::testing::{World, build, build_with, has_runtime, mask};
use super::{KINDS, PolicyKind, Slates};
use crate::ids::{ItemId, UserId};

/// All kinds; `external` with the example if Python is available, `onnx` with a fixture if the runtime is available.
fn kinds() -> Vec<&'static str> {
    let python = std::process::Command::new("python3").arg("--version").output().is_ok();
    let able = |name: &&str| match *name {
        "external" => python,
        "onnx" => has_runtime(),
        _ => true,
    };
    KINDS.iter().map(|kind| kind.name).filter(able).collect()
}

/// Slates of a dozen ticks (past a retraining) in which users accept some of the shown items.
fn rollout(world: &World, kind: &str, batches: usize) -> Vec<Slates> {
    let mut policy = build(kind, &world.context());
    let (users, mut blocked) = world.everyone();
    let mut ticks = Vec::new();
    for tick in 0..12 {
        let mut slates = Slates { slate: world.context().slate, ..Slates::default() };
        let size = users.len().div_ceil(batches);
        for (users, blocked) in users.chunks(size).zip(blocked.chunks(size)) {
            let part = world.recommend(policy.as_mut(), tick, users, blocked);
            slates.items.extend(part.items);
            slates.scores.extend(part.scores);
            slates.propensities.extend(part.propensities);
        }
        let events = world.respond(tick, &users, &slates, |user, item| (user.0 + item.0 + tick) % 3 == 0);
        for (row, blocked) in blocked.iter_mut().enumerate() {
            if let Some(item) = events.accepted_item(row) {
                blocked[item.index() / 64] |= 1 << (item.index() % 64);
            }
        }
        policy.observe(&events).expect("a policy that learns");
        ticks.push(slates);
    }
    ticks
}

fn assert_same(left: &[Slates], right: &[Slates], what: &str) {
    for (tick, (left, right)) in left.iter().zip(right).enumerate() {
        assert_eq!(left.items, right.items, "{what}: items at tick {tick}");
        let bits = |numbers: &[f32]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&left.scores), bits(&right.scores), "{what}: scores at tick {tick}");
        assert_eq!(bits(&left.propensities), bits(&right.propensities), "{what}: propensities at tick {tick}");
    }
}

/// Checks that items are distinct, allowed and before the empty slots, that scores do not increase, and that known
/// propensities are probabilities.
fn assert_valid(slates: &Slates, blocked: &[Vec<u64>], items: usize, kind: &str) {
    let numbers = slates.scores.chunks(slates.slate).zip(slates.propensities.chunks(slates.slate));
    for ((row, (scores, propensities)), blocked) in slates.items.chunks(slates.slate).zip(numbers).zip(blocked) {
        let free = items - blocked.iter().map(|word| word.count_ones() as usize).sum::<usize>();
        let filled = free.min(slates.slate);
        for (slot, item) in row.iter().enumerate() {
            assert_eq!(item.is_some(), slot < filled, "{kind}: slot {slot} of {row:?} with {free} candidates");
        }
        let (shown, scores) = (&row[..filled], &scores[..filled]);
        for (slot, item) in shown.iter().enumerate() {
            assert!(item.index() < items, "{kind}: {item:?} of {items}");
            assert_eq!(blocked[item.index() / 64] >> (item.index() % 64) & 1, 0, "{kind}: {item:?} is blocked");
            assert!(!shown[..slot].contains(item), "{kind}: {item:?} twice");
        }
        for pair in scores.windows(2).filter(|pair| !pair[0].is_nan() && !pair[1].is_nan()) {
            assert!(pair[0] >= pair[1], "{kind}: scores {scores:?}");
        }
        for (slot, propensity) in propensities.iter().enumerate().filter(|(_, propensity)| !propensity.is_nan()) {
            assert!(slot < filled && *propensity > 0.0 && *propensity <= 1.0, "{kind}: propensities {propensities:?}");
        }
    }
}

/// Recommends once, and again after an observed tick, and checks both.
fn check(world: &World, users: &[UserId], blocked: &[Vec<u64>], items: usize) {
    for kind in kinds() {
        let mut policy = build(kind, &world.context());
        for tick in 0..2 {
            let slates = world.recommend(policy.as_mut(), tick, users, blocked);
            assert_valid(&slates, blocked, items, kind);
            let again = world.recommend(policy.as_mut(), tick, users, blocked);
            assert_same(&[slates], std::slice::from_ref(&again), &format!("{kind}, repeated call"));
            policy
                .observe(&world.respond(tick, users, &again, |user, item| (user.0 ^ item.0) % 2 == 0))
                .expect("a policy that learns");
        }
    }
}

#[test]
fn slates_are_full_distinct_allowed_and_in_order_of_score() {
    for (users, items, slate) in [(30, 120, 5), (7, 64, 1), (3, 65, 40)] {
        let world = World::new(users, items).slate(slate);
        let (users, blocked) = world.everyone();
        check(&world, &users, &blocked, items);
    }
}

#[test]
fn fewer_candidates_than_slots_give_a_shorter_slate() {
    let world = World::new(4, 100);
    let all_but = |free: &[u32]| mask(100, &(0..100).filter(|item| !free.contains(item)).collect::<Vec<_>>());
    let blocked = [all_but(&[7, 64, 99]), all_but(&[]), all_but(&[0]), all_but(&[1, 2, 3, 4, 5, 63])];
    check(&world, &world.users(), &blocked, 100);
}

#[test]
fn without_requests() {
    check(&World::new(4, 20), &[], &[], 20);
}

#[test]
fn an_empty_log_and_users_without_history() {
    let world = World::with_log(3, 30, &[]);
    check(&world, &world.users(), &vec![mask(30, &[2]); 3], 30);
    let world = World::with_log(3, 30, &[&[1, 2, 3], &[], &[2, 3, 4]]);
    check(&world, &world.users(), &vec![mask(30, &[2]); 3], 30);
}

#[test]
fn a_catalogue_of_one_item_and_of_none() {
    let world = World::with_log(2, 1, &[&[0], &[]]);
    check(&world, &world.users(), &[mask(1, &[]), mask(1, &[0])], 1);
    let world = World::with_log(2, 0, &[]);
    check(&world, &world.users(), &[mask(0, &[]), mask(0, &[])], 0);
}

#[test]
fn several_users_of_one_source() {
    let world = World::new(6, 60).cloned(4);
    let (users, blocked) = world.everyone();
    check(&world, &users, &blocked, 60);
}

#[test]
fn two_instances_agree_over_several_ticks() {
    let world = World::new(20, 80);
    for kind in kinds() {
        assert_same(&rollout(&world, kind, 1), &rollout(&world, kind, 1), kind);
    }
}

#[test]
fn batches_do_not_change_a_slate() {
    let world = World::new(21, 80).cloned(7);
    for kind in kinds() {
        assert_same(&rollout(&world, kind, 1), &rollout(&world, kind, 2), kind);
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_slate() {
    let world = World::new(20, 80).cloned(9);
    let on = |threads: usize, kind: &str| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
        pool.install(|| rollout(&world, kind, 1))
    };
    for kind in kinds() {
        assert_same(&on(1, kind), &on(2, kind), kind);
    }
}

#[test]
fn kinds_and_keys_are_described() {
    for kind in KINDS {
        assert!(!kind.summary.is_empty(), "{}", kind.name);
        assert!(kind.keys.iter().all(|key| !key.doc.is_empty()), "{}", kind.name);
    }
}

#[test]
fn reported_chances_of_own_slates_are_the_logged_ones() {
    let world = World::new(20, 30);
    let (users, blocked) = world.everyone();
    let mut telling = Vec::new();
    for kind in kinds() {
        let mut policy = build(kind, &world.context());
        let slates = world.recommend(policy.as_mut(), 3, &users, &blocked);
        let Some(chances) = world.chances(policy.as_ref(), 3, &users, &blocked, &slates.items) else { continue };
        telling.push(kind);
        for (place, (chance, propensity)) in chances.iter().zip(&slates.propensities).enumerate() {
            assert_eq!(chance.given_above, *propensity, "{kind}");
            let known = !chance.alone.is_nan();
            let same = (chance.alone - chance.given_above).abs() < 1e-6;
            assert!(place % slates.slate > 0 || same, "{kind}: nothing stands above");
            assert!(!known || (chance.alone > 0.0 && chance.alone <= 1.0), "{kind}");
        }
    }
    let known = ["random", "epsilon_greedy", "mix"];
    assert!(known.iter().all(|kind| telling.contains(kind)), "{telling:?}");
}

/// Parts of a mix whose second slates differ.
const MIX: &str = "parts = [{ kind = 'popular', weight = 3.0 }, { kind = 'user_knn' }, { kind = 'markov' }]";

#[test]
fn chances_of_all_slates_add_up() {
    // Every ordered slate of three out of five items that are not blocked.
    let world = World::with_log(2, 6, &[&[0, 1, 2, 3], &[0, 2, 4]]).slate(3);
    let (users, blocked) = (world.users(), [mask(6, &[5]), mask(6, &[5])]);
    let mut all = Vec::new();
    for slate in (0..125).map(|number: u32| [number % 5, number / 5 % 5, number / 25]) {
        if slate[0] != slate[1] && slate[0] != slate[2] && slate[1] != slate[2] {
            all.push(slate.map(ItemId));
        }
    }
    for (kind, params) in [("random", ""), ("epsilon_greedy", "epsilon = 0.4"), ("mix", MIX)] {
        let params = toml::from_str(params).expect("parameters");
        let mut policy = build_with(kind, params, &world.context());
        world.recommend(policy.as_mut(), 0, &users, &blocked);
        let mut by_slot = [[0.0_f64; 5]; 3];
        let mut alone = [[f64::NAN; 5]; 3];
        for slate in &all {
            let chances = world.chances(policy.as_ref(), 0, &users[..1], &blocked[..1], slate).expect("it knows");
            let chance = chances.iter().map(|chance| f64::from(chance.given_above)).product::<f64>();
            for (slot, item) in slate.iter().enumerate() {
                by_slot[slot][item.index()] += chance;
                alone[slot][item.index()] = f64::from(chances[slot].alone);
            }
        }
        for (slot, (counted, stated)) in by_slot.iter().zip(&alone).enumerate() {
            assert!((counted.iter().sum::<f64>() - 1.0).abs() < 1e-6, "{kind}: {counted:?}");
            let same = counted.iter().zip(stated).all(|(counted, stated)| (counted - stated).abs() < 1e-6);
            assert!(same, "{kind}: slot {slot} shows {counted:?}, it says {stated:?}");
        }
    }
}

#[test]
fn the_recipe_of_contributing_works_unchanged() {
    let recipe = include_str!("../../tests/fixtures/recipes/newest.rs");
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("   {line}\n") };
    let block: String = recipe.lines().map(line).collect();
    assert!(include_str!("../../CONTRIBUTING.md").contains(&block), "CONTRIBUTING.md shows another `newest`");
    let world = World::new(6, 60);
    let (users, blocked) = world.everyone();
    let build = |until: i64| {
        let params = toml::Table::from_iter([("until".to_owned(), until.into())]);
        PolicyKind::of::<super::recipe::NewestParameters>().build(&params, &world.context()).expect("a policy")
    };
    for until in [9999, 1990] {
        let slates = world.recommend(build(until).as_mut(), 0, &users, &blocked);
        assert_valid(&slates, &blocked, 60, "newest");
        assert!(slates.propensities.iter().all(|&propensity| propensity == 1.0));
        assert!(slates.scores.iter().all(|&year| i64::from(year as u16) <= until), "{until}: {:?}", slates.scores);
        assert_same(&[world.recommend(build(until).as_mut(), 0, &users, &blocked)], &[slates], "another instance");
    }
}

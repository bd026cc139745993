//! Estimates of a run's needs before it starts.
//!
//! Settings within their ranges can still ask for more memory than a machine has, or for hours of training.
//!
//! The estimate is rough and errs upwards. It counts what grows: users of all concurrent trials, the slates of a tick,
//! a chunk of scenes in the user model, matrices over items, and pairs of policies.

use crate::dataset::Dataset;
use crate::scenario::Scenario;

/// Bytes of a simulated user without memory and seen items: history, engagement, the entity, the state of policies.
const USER: f64 = 900.0;
/// Numbers in a user's memory, for the models that ship.
const MEMORY: f64 = 160.0;
/// Bytes of one slot of a slate in the columns of a tick: item, score, propensity, probability, context, logits.
const SLOT: f64 = 64.0;
/// Bytes of one slot of a chunk while the mirror runs, in each worker: 65,536 slates of 60 took over 6 GB on two
/// workers.
const CHUNK_SLOT: f64 = 900.0;
/// Bytes of a pair of policies in one metric: its row and the work of tables and tests.
const PAIR: f64 = 1_200.0;
/// Matrices of items by items, of 8 bytes a number, that `ease` holds at a time: two during inversion, and half a one
/// of weights.
const SQUARES: f64 = 2.5;
/// The cube of the number of items that one thread inverts in a second, for `ease`: 1.1e10 with AVX-512, about half
/// with AVX2.
const INVERSE_SPEED: f64 = 5e9;
/// Training seconds of a policy above which a run announces it.
const LONG: f64 = 60.0;

/// A run that would need more memory than there is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the run would need about {needed} of memory, and {limit}: {parts}. Lower these keys, or set `engine.memory_mb` to let it \
     start all the same"
)]
pub struct TooLarge {
    needed: String,
    limit: String,
    parts: String,
}

/// The estimated needs of a run.
pub(super) struct Budget {
    /// The parts that need memory, in bytes, with the keys that determine them.
    parts: Vec<(String, f64)>,
    /// The slow steps.
    long: Vec<String>,
}

impl Budget {
    /// The estimate for a scenario on these data and number of threads.
    pub(super) fn of(scenario: &Scenario, data: &Dataset, threads: usize) -> Budget {
        let (items, slate) = (data.items.len() as f64, scenario.slate as f64);
        let users = scenario.population.users.number().map_or(data.users.len() as f64, f64::from);
        let policies = scenario.policies.len() as f64;
        let trials = (policies * f64::from(scenario.replications)).min(threads as f64).max(1.0);
        let (seen, memory) = (items / 8.0, MEMORY * 4.0);
        let of_users = trials * users * (USER + seen + memory) + data.users.len() as f64 * (seen + memory);
        let tick = trials * users * (seen + memory + slate * SLOT);
        let mut parts = vec![
            (format!("{users} users (`population.users`) in {trials} trials at a time (`--threads`)"), of_users),
            (format!("their slates of {slate} (`slate`)"), tick),
        ];
        if scenario.user.model.is("mirror") {
            let chunk = scenario.engine.chunk as f64;
            let bytes = threads as f64 * chunk * slate * CHUNK_SLOT;
            parts.push((format!("chunks of {chunk} scenes (`engine.chunk`)"), bytes));
        }
        let mut long = Vec::new();
        for spec in scenario.policies.iter().filter(|spec| spec.kind == "ease") {
            parts.push((
                format!("the matrices of `{}` over {items} items", spec.name),
                trials * SQUARES * 8.0 * items * items,
            ));
            let seconds = items * items * items / INVERSE_SPEED;
            if seconds > LONG {
                let (name, replications) = (&spec.name, scenario.replications);
                let each = seconds.round();
                long.push(format!("`{name}` inverts a matrix of {items} items in each of {replications} replications, about {each} s each"));
            }
        }
        let metrics = scenario.metrics.len() as f64;
        parts.push((
            format!("pairs of {policies} policies in {metrics} metrics"),
            policies * (policies - 1.0) / 2.0 * metrics * PAIR,
        ));
        parts.sort_by(|a, b| b.1.total_cmp(&a.1));
        Budget { parts, long }
    }

    fn bytes(&self) -> f64 {
        self.parts.iter().map(|part| part.1).sum()
    }

    /// Refuses a run that needs more than `allowed_mb`, or more than the free memory if that is 0; returns notes to
    /// print before the run.
    pub(super) fn check(&self, allowed_mb: usize, free: Option<f64>) -> Result<Vec<String>, TooLarge> {
        let (needed, own) = (self.bytes(), allowed_mb as f64 * 1e6);
        let limit = if allowed_mb > 0 { Some(own) } else { free };
        if let Some(limit) = limit.filter(|&limit| needed > limit) {
            let parts: Vec<String> =
                self.parts.iter().take(3).map(|(what, bytes)| format!("{} for {what}", size(*bytes))).collect();
            let word = if allowed_mb > 0 { "`engine.memory_mb` allows" } else { "this machine has free" };
            return Err(TooLarge {
                needed: size(needed),
                limit: format!("{word} {}", size(limit)),
                parts: parts.join(", "),
            });
        }
        let mut said = self.long.clone();
        if needed > 1e9 {
            said.push(format!("the run may need about {} of memory", size(needed)));
        }
        Ok(said)
    }
}

fn size(bytes: f64) -> String {
    if bytes >= 1e9 { format!("{:.1} GB", bytes / 1e9) } else { format!("{:.0} MB", bytes / 1e6) }
}

/// Bytes of memory that this process may use, if the system reports it: the smaller of the free memory and the rest of
/// the process group's limit.
pub(super) fn free_memory() -> Option<f64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let line = read("/proc/meminfo")?.lines().find_map(|line| line.strip_prefix("MemAvailable:").map(str::to_owned))?;
    let free = line.trim().trim_end_matches("kB").trim().parse::<f64>().ok()? * 1024.0;
    let number = |path: &str| read(path).and_then(|text| text.trim().parse::<f64>().ok());
    let group = number("/sys/fs/cgroup/memory.max").zip(number("/sys/fs/cgroup/memory.current"));
    Some(group.map_or(free, |(most, used)| free.min((most - used).max(0.0))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;
    use std::path::Path;

    fn budget(more: &str, users: usize, items: usize, threads: usize) -> Budget {
        let text = format!("data.path = 'd'\n{more}");
        let scenario = Scenario::parse(&text, Path::new("s.toml"), &Registry::builtin(), &[]).expect("a scenario");
        let mut data = Dataset::default();
        (0..users).for_each(|user| {
            data.users.insert(&user.to_string());
        });
        (0..items).for_each(|item| {
            data.items.insert(&item.to_string());
        });
        Budget::of(&scenario, &data, threads)
    }

    const RANDOM: &str = "policy = [{ kind = 'random' }]\n";

    #[test]
    fn shipped_scenarios_fit_and_huge_ones_are_refused_with_their_key() {
        let four = Some(4e9);
        let plain = budget(&format!("user.kind = 'mirror'\n{RANDOM}"), 943, 1_682, 2);
        assert_eq!(plain.check(0, four), Ok(vec![]));
        let refused = |more: &str, items: usize, key: &str| {
            let problem = budget(more, 943, items, 2).check(0, four).expect_err(more).to_string();
            assert!(problem.contains(key) && problem.contains("this machine has free 4.0 GB"), "{problem}");
            assert!(problem.contains("engine.memory_mb"), "{problem}");
        };
        refused(&format!("slate = 60\nengine.chunk = 65536\nuser.kind = 'mirror'\n{RANDOM}"), 1_682, "`engine.chunk`");
        refused(&format!("population.users = 10000000\n{RANDOM}"), 1_682, "`population.users`");
        refused("policy = [{ kind = 'ease' }]\n", 10_000, "`ease` over 10000 items");
        let names: Vec<String> = (0..1_000).map(|place| format!("{{ kind = 'random', name = 'p{place}' }}")).collect();
        refused(&format!("metrics = ['all']\npolicy = [{}]\n", names.join(", ")), 1_682, "pairs of 1000 policies");
    }

    #[test]
    fn a_given_limit_counts_and_slow_steps_are_announced() {
        let ease = budget("replications = 3\npolicy = [{ kind = 'ease' }]\n", 10, 10_000, 1);
        let said = ease.check(100_000, Some(1.0)).expect("allowed");
        assert!(
            said[0].contains("`ease` inverts a matrix of 10000 items in each of 3 replications, about 200 s"),
            "{said:?}"
        );
        let problem = ease.check(10, None).expect_err("too little").to_string();
        assert!(problem.contains("`engine.memory_mb` allows 10 MB"), "{problem}");
        assert!(
            budget(RANDOM, 10, 10, 1).check(0, None).is_ok_and(|said| said.is_empty()),
            "nothing is known of the machine"
        );
    }
}

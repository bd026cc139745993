//! Trust in an order of policies, by sensitivity scenarios.
//!
//! A simulator's answer depends on assumptions that its log cannot check: the users, how often they accept, the
//! strength of their taste. A [`SensitivityScenario`] changes one of them and nothing else, seeds included. A
//! conclusion of the run (one policy ahead of another, by the verdict over all pairs) then holds, is no longer
//! significant, or reverses. The verdicts are adjusted over all pairs and all sensitivity scenarios: with a chance of
//! 95%, none of them is false.

use super::results::Results;
use super::stats::kendall_tau;
use crate::metrics::Better;
use crate::registry::Registry;
use crate::scenario::{AcceptSpec, AcceptanceSpec, ExaminationRule, Scenario, ScenarioError, to_toml};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The most ticks of a sensitivity scenario with language users: a language model needs a fifth of a second and more
/// for a choice.
const LANGUAGE_TICKS: u32 = 10;
/// The chance of any false verdict.
const LEVEL: f64 = 0.05;
/// The accepted items that a language user of such a sensitivity scenario remembers.
const LANGUAGE_HISTORY: &str = "10";

/// A scenario with one changed assumption.
#[derive(Clone, Debug)]
pub struct SensitivityScenario {
    /// Its name, in tables.
    pub name: String,
    /// The scenario.
    pub scenario: Scenario,
    /// True if it needs what data or user model may lack, such as ratings; it is then left out if they lack it.
    pub is_optional: bool,
}

impl SensitivityScenario {
    /// `base` with some keys changed. Another `user.kind` has the defaults of that kind; relative folders among them
    /// start from `origin`, the file of `base`.
    ///
    /// # Errors
    /// When the keys or values are not valid in a scenario.
    pub fn new(
        name: &str,
        base: &Scenario,
        origin: &Path,
        registry: &Registry,
        changes: &[(String, String)],
    ) -> Result<SensitivityScenario, ScenarioError> {
        let mut scenario = Scenario::parse(&to_toml(base), origin, registry, changes)?;
        // Sensitivity scenarios leave no logs behind.
        scenario.engine.events = false;
        Ok(SensitivityScenario { name: name.to_owned(), scenario, is_optional: false })
    }

    /// The default sensitivity scenarios: half and twice the acceptance level, half and twice the temperature,
    /// parametric users for a mirror, the other meaning of accepting (take or like), examination by position (or of all
    /// slots, if the scenario uses another), the default mirror beside `origin` if it exists, and the models in
    /// `replicates/` of a mirror's folder, which were trained on bootstrap samples of its users.
    ///
    /// # Errors
    /// When a changed scenario is invalid: a defect.
    pub fn usual(
        base: &Scenario,
        origin: &Path,
        registry: &Registry,
    ) -> Result<Vec<SensitivityScenario>, ScenarioError> {
        let user = &base.user;
        let mut changes: Vec<(String, &str, String)> = Vec::new();
        for (factor, word) in [(0.5, "half"), (2.0, "twice")] {
            // A level from impressions is no assumption.
            if let AcceptanceSpec::Share(share) = user.acceptance {
                let acceptance = (share * factor).clamp(0.001, 0.95);
                changes.push((format!("{word} the acceptance"), "user.acceptance", acceptance.to_string()));
            }
        }
        for (factor, word) in [(0.5, "half"), (2.0, "twice")] {
            if user.acceptance != AcceptanceSpec::Log {
                let temperature = (user.temperature * factor).clamp(0.05, 20.0);
                changes.push((format!("{word} the temperature"), "user.temperature", temperature.to_string()));
            }
        }
        if !user.model.is("parametric") {
            changes.push(("parametric users".to_owned(), "user.kind", "parametric".to_owned()));
        }
        if let Some(path) = user.model.path().filter(|_| user.model.is("mirror")) {
            for folder in replicates(path) {
                let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                changes.push((format!("mirror {name}"), "user.path", folder.to_string_lossy().into_owned()));
            }
        }
        let sensitivity = |(name, key, value): (String, &str, String)| {
            SensitivityScenario::new(&name, base, origin, registry, &[(key.to_owned(), value)])
        };
        let mut scenarios: Vec<SensitivityScenario> = changes.into_iter().map(sensitivity).collect::<Result<_, _>>()?;
        scenarios.extend(responses(base, origin, registry)?);
        if !user.model.is("mirror") {
            let mirror = sensitivity(("mirrored users".to_owned(), "user.kind", "mirror".to_owned()))?;
            if mirror.scenario.user.model.path().is_some_and(|path| path.join("card.toml").is_file()) {
                scenarios.push(mirror);
            }
        }
        Ok(scenarios)
    }

    /// Few users for a few ticks, once with the scenario's user model and once as language users: the difference
    /// between the two is that of the user models. The language model is the default one of a scenario beside `origin`,
    /// and answers with the label alone.
    ///
    /// # Errors
    /// When a changed scenario is invalid: a defect.
    pub fn language(
        users: u32,
        base: &Scenario,
        origin: &Path,
        registry: &Registry,
    ) -> Result<[SensitivityScenario; 2], ScenarioError> {
        let few = [("population.users", users.to_string()), ("ticks", base.ticks.min(LANGUAGE_TICKS).to_string())];
        let model = [("user.kind", "language"), ("user.mode", "direct"), ("user.history", LANGUAGE_HISTORY)];
        let model = model.map(|(key, value)| (key, value.to_owned()));
        let sensitivity = |name: String, changes: &[(&str, String)]| {
            let changes: Vec<_> = changes.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
            SensitivityScenario::new(&name, base, origin, registry, &changes)
        };
        Ok([
            sensitivity(format!("{users} users"), &few)?,
            sensitivity(format!("{users} language users"), &[&few[..], &model[..]].concat())?,
        ])
    }
}

/// The other meaning of accepting, and the other examination.
fn responses(base: &Scenario, origin: &Path, registry: &Registry) -> Result<Vec<SensitivityScenario>, ScenarioError> {
    let accept = match base.user.accept {
        AcceptSpec::Take => ("accepting means liking", vec![("user.accept", "like")]),
        AcceptSpec::Like => ("accepting means taking", vec![("user.accept", "take")]),
    };
    let examination = match base.user.examination {
        ExaminationRule::None => ("slots examined by position", vec![("user.examination", "position")]),
        _ => ("all slots examined", vec![("user.examination", "none"), ("user.examination_weights", "[]")]),
    };
    let sensitivity = |(name, changes): (&str, Vec<(&str, &str)>)| {
        let changes: Vec<_> = changes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let sensitivity = SensitivityScenario::new(name, base, origin, registry, &changes)?;
        Ok(SensitivityScenario { is_optional: true, ..sensitivity })
    };
    [accept, examination].into_iter().map(sensitivity).collect()
}

/// The folders with a card in `replicates/`, by name.
fn replicates(model: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(model.join("replicates")).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.join("card.toml").is_file()).collect();
    folders.sort();
    folders
}

/// The fate of a conclusion in a sensitivity scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The same policy is ahead, by a p value of at most 0.05 over all pairs and sensitivity scenarios.
    Holds,
    /// Neither policy is ahead by such a p value.
    Unsure,
    /// The other policy is ahead by such a p value.
    #[serde(rename = "turns")]
    Reverses,
    /// One of the two could not run.
    Unknown,
}

/// A conclusion of the run: one policy ahead of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// The policy that is ahead.
    pub ahead: String,
    /// The other.
    pub behind: String,
    /// One for each sensitivity scenario.
    pub verdicts: Vec<Verdict>,
}

impl Claim {
    fn count(&self, verdict: Verdict) -> usize {
        self.verdicts.iter().filter(|&&found| found == verdict).count()
    }
}

/// The order of the policies in one sensitivity scenario.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScenarioOrder {
    /// The sensitivity scenario.
    pub name: String,
    /// The mean of the metric of each policy, in the order of [`Trust::policies`].
    pub means: Vec<Option<f64>>,
    /// Kendall's tau-b between this order and the run's; `None` below two policies.
    pub tau: Option<f64>,
    /// Pairs of policies whose means are in the opposite order.
    pub flips: usize,
}

/// How far the order of a run's policies in one metric can be trusted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trust {
    /// The metric.
    pub metric: &'static str,
    /// Its title.
    pub title: &'static str,
    /// True if less of it is better.
    pub lower_is_better: bool,
    /// The policies, best first in the run.
    pub policies: Vec<String>,
    /// Their means in the run.
    pub means: Vec<Option<f64>>,
    /// The sensitivity scenarios, in the order in which they were given.
    pub scenarios: Vec<ScenarioOrder>,
    /// The conclusion of the run, with policies in the run's order.
    pub claims: Vec<Claim>,
}

impl Trust {
    /// Compares a run with the same policies in sensitivity scenarios, in metric number `metric` of the run.
    pub fn new(run: &Results, scenarios: &[(String, Results)], metric: usize) -> Trust {
        let kind = run.metrics()[metric];
        let sign = if kind.better == Better::Lower { -1.0 } else { 1.0 };
        let mean = |results: &Results, policy: &str| results.estimate(policy, metric).map(|found| found.mean);
        let mut policies: Vec<String> = run.policies().to_vec();
        let rank = |policy: &String| mean(run, policy).map_or(f64::NEG_INFINITY, |mean| sign * mean);
        policies.sort_by(|a, b| rank(b).total_cmp(&rank(a)));
        let means_of = |results: &Results| policies.iter().map(|policy| mean(results, policy)).collect::<Vec<_>>();
        let means = means_of(run);
        let order = |(name, results): &(String, Results)| {
            let there = means_of(results);
            let both: (Vec<f64>, Vec<f64>) = means.iter().zip(&there).filter_map(|(a, b)| Some(((*a)?, (*b)?))).unzip();
            let flips = pairs(both.0.len()).filter(|&(a, b)| (both.0[a] - both.0[b]) * (both.1[a] - both.1[b]) < 0.0);
            ScenarioOrder { name: name.clone(), tau: kendall_tau(&both.0, &both.1), flips: flips.count(), means: there }
        };
        let claims = pairs(policies.len()).filter_map(|(a, b)| {
            let (ahead, behind) = (&policies[a], &policies[b]);
            let verdict = |results: &Results, of: usize| verdict(results, (ahead, behind), (metric, sign), of);
            (verdict(run, 1) == Verdict::Holds).then(|| Claim {
                ahead: ahead.clone(),
                behind: behind.clone(),
                verdicts: scenarios.iter().map(|(_, results)| verdict(results, scenarios.len())).collect(),
            })
        });
        let claims = claims.collect();
        let orders = scenarios.iter().map(order).collect();
        Trust {
            metric: kind.name,
            title: kind.title,
            lower_is_better: kind.better == Better::Lower,
            means,
            scenarios: orders,
            claims,
            policies,
        }
    }

    /// The conclusions that hold in every sensitivity scenario.
    pub fn surviving(&self) -> impl Iterator<Item = &Claim> {
        self.claims.iter().filter(|claim| claim.count(Verdict::Holds) == claim.verdicts.len())
    }

    /// The answer in sentences.
    pub fn sentences(&self) -> Vec<String> {
        let (scenarios, claims) = (self.scenarios.len(), self.claims.len());
        let mut sentences = Vec::new();
        if claims == 0 {
            sentences.push(format!("{}: the run separates no two policies.", self.title));
        } else {
            let surviving = self.surviving().count();
            let turning = self.claims.iter().filter(|claim| claim.count(Verdict::Reverses) > 0).count();
            let rest = match claims - surviving - turning {
                0 => String::new(),
                unsure => format!(
                    " {unsure} reverse in none, but are not significant in all: a scenario with few users separates \
                     few policies."
                ),
            };
            sentences.push(format!(
                "{}: the run separates {claims} of {} pairs of policies; {surviving} of these orders hold in all \
                 {scenarios} sensitivity scenarios.{rest}",
                self.title,
                pairs(self.policies.len()).count(),
            ));
        }
        let turned = self.claims.iter().filter(|claim| claim.count(Verdict::Reverses) > 0);
        sentences.extend(turned.map(|claim| {
            let place = |verdict: &Verdict| *verdict == Verdict::Reverses;
            let names = self.scenarios.iter().zip(&claim.verdicts).filter(|(_, verdict)| place(verdict));
            let names: Vec<String> = names.map(|(sensitivity, _)| format!("`{}`", sensitivity.name)).collect();
            format!("`{}` ahead of `{}` reverses in {}.", claim.ahead, claim.behind, names.join(", "))
        }));
        let same = self.scenarios.iter().filter(|sensitivity| sensitivity.flips == 0).count();
        sentences.push(format!("{same} of {scenarios} sensitivity scenarios have exactly the run's order."));
        sentences
    }
}

/// The verdict on "`ahead` is better than `behind`" in one of `scenarios` sensitivity scenarios.
fn verdict(
    results: &Results,
    (ahead, behind): (&str, &str),
    (metric, sign): (usize, f64),
    scenarios: usize,
) -> Verdict {
    let Some(found) = results.paired(ahead, behind, metric) else { return Verdict::Unknown };
    let is_sure = found.p_value.is_some_and(|p_value| p_value * scenarios as f64 <= LEVEL);
    match (is_sure, sign * found.difference.mean > 0.0) {
        (false, _) => Verdict::Unsure,
        (true, true) => Verdict::Holds,
        (true, false) => Verdict::Reverses,
    }
}

/// All pairs of indices, the smaller first.
fn pairs(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).flat_map(move |a| (a + 1..count).map(move |b| (a, b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::TrialResult;

    /// Three replications of policies with these means, one apart.
    fn results(means: &[(&str, f64)]) -> Results {
        let trial = |policy: &str, replication: u32, mean: f64| TrialResult {
            policy: policy.to_owned(),
            replication,
            ticks: Vec::new(),
            // The same random numbers for all policies, except a little.
            finals: vec![Some(mean + f64::from(replication) + mean * 1e-3 * f64::from(replication))],
            digest: String::new(),
            steps: 1,
            seconds: 0.0,
            short: crate::simulation::ShortSlates::default(),
            curves: Vec::new(),
            users: crate::experiment::UserTotals::default(),
        };
        let trials =
            means.iter().flat_map(|&(policy, mean)| (0..3).map(move |replication| trial(policy, replication, mean)));
        Results::new(crate::metrics::named(&["acceptance_rate".to_owned()]).unwrap(), means[0].0, trials.collect())
            .unwrap()
    }

    #[test]
    fn conclusions_hold_or_reverse() {
        let run = results(&[("b", 2.0), ("a", 3.0), ("c", 1.0)]);
        let scenarios = [
            ("same".to_owned(), results(&[("a", 30.0), ("b", 20.0), ("c", 10.0)])),
            ("turned".to_owned(), results(&[("a", 1.0), ("b", 2.0), ("c", 0.5)])),
            ("equal".to_owned(), results(&[("a", 2.0), ("b", 2.0), ("c", 2.0)])),
            ("without c".to_owned(), results(&[("a", 2.0), ("b", 1.0)])),
        ];
        let trust = Trust::new(&run, &scenarios, 0);
        assert_eq!(trust.policies, ["a", "b", "c"]);
        let taus: Vec<_> = trust.scenarios.iter().map(|sensitivity| sensitivity.tau).collect();
        assert_eq!(taus[..2], [Some(1.0), Some(1.0 / 3.0)]);
        assert_eq!((taus[2], taus[3]), (None, Some(1.0)));
        assert_eq!(trust.scenarios.iter().map(|sensitivity| sensitivity.flips).collect::<Vec<_>>(), [0, 1, 0, 0]);
        use Verdict::{Holds, Reverses, Unknown, Unsure};
        let verdicts: Vec<_> = trust.claims.iter().map(|claim| claim.verdicts.clone()).collect();
        assert_eq!(
            verdicts,
            [[Holds, Reverses, Unsure, Holds], [Holds, Holds, Unsure, Unknown], [Holds, Holds, Unsure, Unknown]]
        );
        assert_eq!(trust.surviving().count(), 0);
        let words = trust.sentences();
        assert!(
            words[0].contains("separates 3 of 3 pairs") && words[0].contains("0 of these orders hold in all 4"),
            "{words:?}"
        );
        assert!(words[0].contains(" 2 reverse in none, but"), "{words:?}");
        assert_eq!(words[1], "`a` ahead of `b` reverses in `turned`.");
    }

    #[test]
    fn one_assumption_is_another_and_nothing_else() {
        let registry = Registry::builtin();
        let text =
            "seed = 7\ndata.path = 'd'\nuser.kind = 'mirror'\nuser.acceptance = 0.2\npolicy = [{ kind = 'popular' }]";
        let origin = Path::new("x.toml");
        let base = Scenario::parse(text, origin, &registry, &[]).unwrap();
        let scenarios = SensitivityScenario::usual(&base, origin, &registry).unwrap();
        let names: Vec<&str> = scenarios.iter().map(|sensitivity| sensitivity.name.as_str()).collect();
        assert_eq!(
            names[..5],
            [
                "half the acceptance",
                "twice the acceptance",
                "half the temperature",
                "twice the temperature",
                "parametric users"
            ]
        );
        assert_eq!(names[names.len() - 2..], ["accepting means liking", "slots examined by position"]);
        for sensitivity in &scenarios {
            assert_eq!(
                (sensitivity.scenario.seed, &sensitivity.scenario.policies),
                (7, &base.policies),
                "{}",
                sensitivity.name
            );
        }
        let level = |sensitivity: usize| scenarios[sensitivity].scenario.user.acceptance;
        assert_eq!((level(0), level(1)), (AcceptanceSpec::Share(0.1), AcceptanceSpec::Share(0.4)));
        assert!(scenarios[4].scenario.user.model.is("parametric"));
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/mine.toml");
        let parametric = Scenario::parse(&text.replace("'mirror'", "'parametric'"), &shipped, &registry, &[]).unwrap();
        let names = |origin: &Path| -> Vec<String> {
            SensitivityScenario::usual(&parametric, origin, &registry)
                .unwrap()
                .into_iter()
                .map(|sensitivity| sensitivity.name)
                .collect()
        };
        assert_eq!(names(&shipped).last().unwrap(), "mirrored users");
        assert_eq!(names(Path::new("/nowhere/x.toml")).len(), 6, "there is no mirror beside it");
        assert_eq!(level(4), AcceptanceSpec::Share(0.2), "what all kinds have stays");
        let wrong =
            SensitivityScenario::new("w", &base, origin, &registry, &[("user.kund".to_owned(), "x".to_owned())]);
        assert!(wrong.is_err_and(|problem| problem.to_string().contains("user.kund")));
    }
}

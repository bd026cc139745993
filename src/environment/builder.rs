//! The builder of environments and experiments.
//!
//! Uses the keys and checks of scenario files.

use super::{Environment, EnvironmentError};
use crate::dataset::Dataset;
use crate::dynamics::{BuildDynamic, DynamicKind};
use crate::experiment::Experiment;
use crate::params::Parameters;
use crate::policy::{BuildPolicy, Factory, PolicyKind};
use crate::registry::{Entry, Registry};
use crate::scenario::{Place, PolicySpec, Problem, Scenario, ScenarioError};
use crate::user::{BuildUser, MirrorParameters, UserKind, UserModel};
use std::fmt::{Display, Write};
use std::path::Path;
use std::sync::Arc;

/// Collects settings. Settings that are not given have the defaults of scenario files; [`EnvironmentBuilder::build`]
/// reports all errors at once.
pub struct EnvironmentBuilder {
    data: Dataset,
    registry: Registry,
    model: Option<Arc<dyn UserModel>>,
    settings: Vec<(String, String)>,
    policies: String,
    own: Vec<String>,
    dynamics: String,
    problems: Vec<Problem>,
}

/// The kind of a policy that code builds, in manifests and tables.
pub const OUTSIDE: &str = "outside";

impl Environment {
    /// Starts an environment on a data set, which is copied: every user of the log once, parametric users, slates of 10.
    pub fn builder(data: &Dataset) -> EnvironmentBuilder {
        EnvironmentBuilder {
            data: data.clone(),
            registry: Registry::builtin(),
            model: None,
            settings: Vec::new(),
            policies: String::new(),
            own: Vec::new(),
            dynamics: String::new(),
            problems: Vec::new(),
        }
    }
}

impl Experiment {
    /// Collects the settings of an experiment on a data set, which is copied; [`EnvironmentBuilder::experiment`] prepares it.
    pub fn builder(data: &Dataset) -> EnvironmentBuilder {
        Environment::builder(data)
    }
}

impl EnvironmentBuilder {
    /// Sets any key of scenario files by its name there: `set("arrival.probability", 0.2)`.
    pub fn set(mut self, key: &str, value: impl Display) -> Self {
        self.settings.push((key.to_owned(), value.to_string()));
        self
    }

    /// Simulated users, drawn with replacement from those of the log. Default: every user of the log once.
    pub fn population(self, users: u32) -> Self {
        self.set("population.users", users)
    }

    /// Slots of a slate.
    pub fn slate(self, slots: usize) -> Self {
        self.set("slate", slots)
    }

    /// Steps until the environment is done.
    pub fn steps(self, steps: u32) -> Self {
        self.set("ticks", steps)
    }

    /// Repetitions of each policy, each with its own draws; an environment is one of them at a time.
    pub fn replications(self, replications: u32) -> Self {
        self.set("replications", replications)
    }

    /// The metrics to compute, by name.
    pub fn metrics(self, names: &[&str]) -> Self {
        self.set("metrics", names.join(","))
    }

    /// Root of all random draws.
    pub fn seed(self, seed: u64) -> Self {
        self.set("seed", seed)
    }

    /// Mean probability of accepting something from a slate of random candidates at the start, between 0 and 1.
    pub fn acceptance(self, share: f64) -> Self {
        self.set("user.acceptance", share)
    }

    /// Users who follow the mirror model in this folder.
    pub fn mirror(self, folder: impl AsRef<Path>) -> Self {
        self.user_of(&MirrorParameters { path: folder.as_ref().to_owned() })
    }

    /// Users who follow the model of a kind, with its own keys: `user("parametric", &[("taste", &2.0)])`.
    pub fn user(self, kind: &str, keys: &[(&str, &dyn Display)]) -> Self {
        let with_kind = self.set("user.kind", kind);
        keys.iter().fold(with_kind, |builder, (key, value)| builder.set(&format!("user.{key}"), value))
    }

    /// Users who follow the model of a kind, by its parameters: `user_of(&ParametricParameters { taste: 2.0, ..Default::default() })`.
    /// A kind of your own is known to the settings from then on.
    pub fn user_of<P: BuildUser>(self, parameters: &P) -> Self {
        self.register(UserKind::of::<P>()).with_keys("user", parameters, |builder, keys| builder.user(P::NAME, keys))
    }

    /// Users who follow a model of your own; keys of `user` other than `acceptance` and `temperature` then have no
    /// effect.
    pub fn users(mut self, model: impl UserModel + 'static) -> Self {
        self.model = Some(Arc::new(model));
        self
    }

    /// Makes a kind of your own known, of policy, user model, dynamic or metric: the settings may name it then.
    pub fn register(mut self, kind: impl Entry) -> Self {
        self.registry = self.registry.with(kind);
        self
    }

    /// Adds a policy by its kind, with its own keys: `policy("ials", &[("factors", &32)])`. Its name is its kind.
    pub fn policy(mut self, kind: &str, keys: &[(&str, &dyn Display)]) -> Self {
        table(&mut self.policies, "policy", kind, keys);
        self
    }

    /// Adds a policy by its parameters: `policy_of(&MmrParameters { relevance: 0.3, ..Default::default() })`. A kind of your own
    /// is known to the settings from then on. Its name is its kind.
    pub fn policy_of<P: BuildPolicy>(self, parameters: &P) -> Self {
        self.policy_as(P::NAME, parameters)
    }

    /// Adds a policy by its parameters under a name, so that there may be several of one kind.
    pub fn policy_as<P: BuildPolicy>(self, name: &str, parameters: &P) -> Self {
        let named = |builder: Self, keys: &[(&str, &dyn Display)]| {
            let name: &dyn Display = &toml::Value::from(name);
            builder.policy(P::NAME, &[keys, &[("name", name)]].concat())
        };
        self.register(PolicyKind::of::<P>()).with_keys("policy", parameters, named)
    }

    /// Adds a policy that `factory` builds, once a replication.
    pub fn own_policy(mut self, name: &str, factory: Factory) -> Self {
        self.registry = self.registry.with_policy(name, factory);
        self.own.push(name.to_owned());
        self
    }

    /// Adds a dynamic by its kind, with its own keys: `dynamic("satiation", &[("strength", &0.3)])`.
    pub fn dynamic(mut self, kind: &str, keys: &[(&str, &dyn Display)]) -> Self {
        table(&mut self.dynamics, "dynamic", kind, keys);
        self
    }

    /// Adds a dynamic by its parameters: `dynamic_of(&SatiationParameters { strength: 0.3, ..Default::default() })`. A kind of your
    /// own is known to the settings from then on.
    pub fn dynamic_of<P: BuildDynamic>(self, parameters: &P) -> Self {
        self.dynamic_as(P::NAME, parameters)
    }

    /// Adds a dynamic by its parameters under a name, so that there may be several of one kind.
    pub fn dynamic_as<P: BuildDynamic>(self, name: &str, parameters: &P) -> Self {
        let named = |builder: Self, keys: &[(&str, &dyn Display)]| {
            let name: &dyn Display = &toml::Value::from(name);
            builder.dynamic(P::NAME, &[keys, &[("name", name)]].concat())
        };
        self.register(DynamicKind::of::<P>()).with_keys("dynamic", parameters, named)
    }

    /// Gives the fields of a struct of parameters as keys; `sort` is how messages call what they are of.
    fn with_keys<P: Parameters>(
        mut self,
        sort: &str,
        parameters: &P,
        add: impl FnOnce(Self, &[(&str, &dyn Display)]) -> Self,
    ) -> Self {
        match parameters.table() {
            Ok(table) => {
                let keys: Vec<_> = table.iter().map(|(key, value)| (key.as_str(), value as &dyn Display)).collect();
                add(self, &keys)
            }
            Err(problem) => {
                let place = Place::Setting(format!("{sort}.{}", P::NAME));
                self.problems.push(Problem { place, message: problem.problem });
                self
            }
        }
    }

    /// Builds the environment, at step 0 of replication 0.
    ///
    /// # Errors
    /// All settings that are wrong at once, or data, user model or dynamics that cannot be used.
    pub fn build(self) -> Result<Environment, EnvironmentError> {
        Environment::of(Arc::new(self.experiment()?), 0)
    }

    /// Prepares an experiment that compares the policies.
    ///
    /// # Errors
    /// As [`EnvironmentBuilder::build`].
    pub fn experiment(self) -> Result<Experiment, EnvironmentError> {
        // Policies are optional for an environment, not for a scenario.
        let policies = if self.policies.is_empty() { "[[policy]]\nkind = \"random\"\n" } else { &self.policies };
        let text = format!("data.path = '.'\n{policies}{}", self.dynamics);
        let parsed = Scenario::parse(&text, Path::new(ORIGIN), &self.registry, &self.settings);
        let mut scenario = and_also(parsed, self.problems)?;
        if self.policies.is_empty() && !self.own.is_empty() {
            scenario.policies.clear();
            scenario.baseline = self.own[0].clone();
        }
        add_own(&mut scenario, &self.own);
        Ok(Experiment::with_model(scenario, self.data, self.registry, self.model)?)
    }
}

/// How messages call what is no file.
const ORIGIN: &str = "settings";

/// A scenario, or all that is wrong with it and with what never became part of it.
fn and_also(parsed: Result<Scenario, ScenarioError>, mut more: Vec<Problem>) -> Result<Scenario, ScenarioError> {
    if more.is_empty() {
        return parsed;
    }
    if let Err(error) = &parsed {
        more.extend_from_slice(error.problems());
    }
    Err(ScenarioError::Invalid { file: ORIGIN.into(), problems: more })
}

/// Adds the policies that code builds to a scenario, after its own; one of the same name is replaced.
pub fn add_own(scenario: &mut Scenario, names: &[String]) {
    for name in names {
        let spec = PolicySpec { name: name.clone(), kind: OUTSIDE.to_owned(), params: toml::Table::new() };
        match scenario.policies.iter_mut().find(|known| known.name == *name) {
            Some(known) => *known = spec,
            None => scenario.policies.push(spec),
        }
    }
}

/// Appends one table; values are written as in `--set`, where quotes around text may be left out.
fn table(text: &mut String, list: &str, kind: &str, keys: &[(&str, &dyn Display)]) {
    let quoted = |value: &str| toml::Value::String(value.to_owned()).to_string();
    let _ = writeln!(text, "[[{list}]]\nkind = {}", quoted(kind));
    for (key, value) in keys {
        let value = value.to_string();
        // One value and no more: text with a line break must not become keys of its own.
        let plain = format!("v = {value}").parse::<toml::Table>().is_ok_and(|table| table.len() == 1);
        let _ = writeln!(text, "{key} = {}", if plain { value } else { quoted(&value) });
    }
}

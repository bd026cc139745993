//! The registry of all kinds that a scenario may name.
//!
//! Kinds are policies, user models, dynamics, metrics and readers of data sets.
//! [`Registry::builtin`] has the kinds that ship with the crate; a program adds kinds of every sort with
//! [`Registry::with`], and scenario files, `--set`, the JSON Schema and messages then know them:
//!
//! ```
//! use recmirror::Registry;
//! use recmirror::dataset::{Dataset, Reader};
//!
//! const NOTEBOOK: Reader = Reader {
//!     name: "notebook",
//!     summary: "lines of a user, a space and an item, in a file `notebook.txt`",
//!     recognises: |path| path.join("notebook.txt").is_file(),
//!     read: |path| {
//!         let file = path.join("notebook.txt");
//!         let text = std::fs::read_to_string(&file).map_err(|problem| recmirror::dataset::DataError::own(&file, problem))?;
//!         let rows = text.lines().filter_map(|line| line.split_once(' ')).map(|(user, item)| (user, item, None, None));
//!         Dataset::from_rows("notebook", rows)
//!     },
//! };
//!
//! let folder = std::env::temp_dir().join(format!("recmirror-notebook-{}", std::process::id()));
//! std::fs::create_dir_all(&folder)?;
//! std::fs::write(folder.join("notebook.txt"), "anna tea\nbert milk\nanna milk\n")?;
//! let data = Registry::builtin().with(NOTEBOOK).read(&folder, None)?;
//! assert_eq!((data.users.len(), data.interactions.len()), (2, 3));
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::dataset::{DataError, Dataset, Reader, families};
use crate::dynamics::{self, DynamicKind};
use crate::metrics::{self, MetricError, MetricKind};
use crate::params::Section;
use crate::policy::{self, Factory, PolicyKind};
use crate::user::{self, UserKind};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// The kinds that a scenario may name, and the policies of the program that embeds the simulator.
#[derive(Clone)]
pub struct Registry {
    policies: Arc<[PolicyKind]>,
    built_outside: BTreeMap<String, Factory>,
    users: Vec<UserKind>,
    dynamics: Vec<DynamicKind>,
    metrics: Vec<&'static MetricKind>,
    readers: Vec<Reader>,
    sections: Arc<OnceLock<&'static [Section]>>,
}

/// A kind that can enter a registry: [`PolicyKind`], [`UserKind`], [`DynamicKind`], `&'static` [`MetricKind`], [`Reader`].
pub trait Entry {
    /// Enters it; a kind of the same sort and name is replaced.
    fn enter(self, registry: &mut Registry);
}

impl Registry {
    /// All kinds that ship with the crate.
    pub fn builtin() -> Registry {
        Registry {
            policies: policy::KINDS.into(),
            built_outside: BTreeMap::new(),
            users: user::KINDS.to_vec(),
            dynamics: dynamics::KINDS.to_vec(),
            metrics: metrics::all().iter().collect(),
            readers: Vec::new(),
            sections: Arc::default(),
        }
    }

    /// Adds a kind of your own; a kind of the same sort and name is replaced.
    pub fn with(mut self, kind: impl Entry) -> Registry {
        kind.enter(&mut self);
        self.sections = Arc::default();
        self
    }

    /// Adds a policy that code builds and no scenario file can name; one of the same name is replaced.
    pub fn with_policy(mut self, name: &str, factory: Factory) -> Registry {
        self.built_outside.insert(name.to_owned(), factory);
        self
    }

    /// The constructor of the policy that [`Registry::with_policy`] added under this name.
    pub fn factory(&self, name: &str) -> Option<&Factory> {
        self.built_outside.get(name)
    }

    /// The kind of policy with this name.
    pub fn policy(&self, name: &str) -> Option<&PolicyKind> {
        self.policies.iter().find(|kind| kind.name == name)
    }

    /// All kinds of policy, in the order of registration.
    pub fn policies(&self) -> &Arc<[PolicyKind]> {
        &self.policies
    }

    /// The kind of user model with this name.
    pub fn user(&self, name: &str) -> Option<&UserKind> {
        self.users.iter().find(|kind| kind.name == name)
    }

    /// All kinds of user model, in the order of registration.
    pub fn users(&self) -> &[UserKind] {
        &self.users
    }

    /// The kind of dynamic with this name.
    pub fn dynamic(&self, name: &str) -> Option<&DynamicKind> {
        self.dynamics.iter().find(|kind| kind.name == name)
    }

    /// All kinds of dynamic, in the order of registration.
    pub fn dynamics(&self) -> &[DynamicKind] {
        &self.dynamics
    }

    /// All metrics, in the order of reports.
    pub fn metrics(&self) -> &[&'static MetricKind] {
        &self.metrics
    }

    /// The metrics with these names, in their order.
    ///
    /// # Errors
    /// When there is no metric with one of the names.
    pub fn metrics_named<S: AsRef<str>>(&self, names: &[S]) -> Result<Vec<&'static MetricKind>, MetricError> {
        metrics::named_among(&self.metrics, names)
    }

    /// The readers of data sets that were added. Those that ship are [`crate::dataset::import::FAMILIES`].
    pub fn readers(&self) -> &[Reader] {
        &self.readers
    }

    /// Reads the data set at `path` as one of a family, or of an own reader of this name. Without a name the files decide:
    /// own readers first, in the order of registration.
    ///
    /// # Errors
    /// As [`Dataset::read_as`].
    pub fn read(&self, path: &Path, format: Option<&str>) -> Result<Dataset, DataError> {
        let mut data = self.read_without_vectors(path, format)?;
        data.join_vectors(path)?;
        Ok(data)
    }

    /// As [`Registry::read`], without vectors of items that are in a file beside the log.
    pub(crate) fn read_without_vectors(&self, path: &Path, format: Option<&str>) -> Result<Dataset, DataError> {
        let reader = match format {
            Some(name) => self.readers.iter().find(|reader| reader.name == name),
            None => self.readers.iter().find(|reader| (reader.recognises)(path)),
        };
        match reader {
            Some(_) if !path.exists() => Err(DataError::NoFolder { path: path.to_owned() }),
            Some(reader) => Ok(Dataset { family: reader.name, ..(reader.read)(path)? }),
            None => Dataset::read_without_vectors(path, format).map_err(|problem| self.with_own_names(problem)),
        }
    }

    /// As [`Registry::read`] without a format; a file of exposures in the folder is no part of the log.
    ///
    /// # Errors
    /// As [`Dataset::read_as`].
    pub fn read_beside(&self, path: &Path, exposures: &Path) -> Result<Dataset, DataError> {
        if self.readers.iter().any(|reader| (reader.recognises)(path)) {
            return self.read(path, None);
        }
        Dataset::read_beside(path, exposures).map_err(|problem| self.with_own_names(problem))
    }

    /// A message that lists families lists the own readers too.
    fn with_own_names(&self, problem: DataError) -> DataError {
        match problem {
            DataError::UnknownFamily { family, .. } => {
                let own = self.readers.iter().map(|reader| format!("`{}`", reader.name));
                let known = own.chain([families()]).collect::<Vec<_>>().join(", ");
                DataError::UnknownFamily { family, known }
            }
            other => other,
        }
    }

    /// True if every kind whose name or keys are in a section ships with the crate.
    pub(crate) fn has_builtin_sections(&self) -> bool {
        let metrics = self.metrics.iter().map(|kind| kind.name).eq(metrics::all().iter().map(|kind| kind.name));
        let of = |kind: &UserKind| (kind.name, kind.summary, kind.keys);
        let users = self.users.iter().map(of).eq(user::KINDS.iter().map(of));
        metrics && users && self.readers.is_empty()
    }

    /// The sections of scenario files over these kinds, made once for the registry and its copies.
    pub(crate) fn sections_or(&self, make: impl FnOnce() -> &'static [Section]) -> &'static [Section] {
        self.sections.get_or_init(make)
    }
}

impl Default for Registry {
    fn default() -> Self {
        Registry::builtin()
    }
}

impl Entry for PolicyKind {
    fn enter(self, registry: &mut Registry) {
        let mut policies = registry.policies.to_vec();
        put(&mut policies, self, |kind| kind.name);
        registry.policies = policies.into();
    }
}

impl Entry for UserKind {
    fn enter(self, registry: &mut Registry) {
        put(&mut registry.users, self, |kind| kind.name);
    }
}

impl Entry for DynamicKind {
    fn enter(self, registry: &mut Registry) {
        put(&mut registry.dynamics, self, |kind| kind.name);
    }
}

impl Entry for &'static MetricKind {
    fn enter(self, registry: &mut Registry) {
        put(&mut registry.metrics, self, |kind| kind.name);
    }
}

impl Entry for Reader {
    fn enter(self, registry: &mut Registry) {
        put(&mut registry.readers, self, |reader| reader.name);
    }
}

/// Puts a kind in the place of the one of its name, else at the end.
fn put<T>(kinds: &mut Vec<T>, kind: T, name: fn(&T) -> &'static str) {
    match kinds.iter().position(|known| name(known) == name(&kind)) {
        Some(place) => kinds[place] = kind,
        None => kinds.push(kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{Parameters, parameters};
    use crate::scenario::{Scenario, json_schema};
    use crate::user::{BuildUser, UserContext, UserError, UserModel};

    parameters! {
        /// users of another kind under a name that ships
        struct OtherParameters = "parametric" {
            /// a key of its own
            #[range(0..=9)]
            depth: u32 = 4,
        }
    }

    impl BuildUser for OtherParameters {
        fn build(self, _: &UserContext<'_>) -> Result<Arc<dyn UserModel>, UserError> {
            Err(UserError::Setup(format!("depth {}", self.depth)))
        }
    }

    #[test]
    fn a_kind_takes_the_place_of_the_one_of_its_name() {
        let names = |registry: &Registry| registry.users().iter().map(|kind| kind.name).collect::<Vec<_>>();
        let registry = Registry::builtin().with(UserKind::of::<OtherParameters>());
        assert_eq!(names(&registry), names(&Registry::builtin()));
        assert_eq!(registry.user("parametric").map(|kind| kind.keys), Some(OtherParameters::KEYS));
        let with = |key: &str| format!("data.path = '.'\nuser.{key} = 3\npolicy = [{{ kind = 'random' }}]");
        let parse = |key: &str| Scenario::parse(&with(key), Path::new("one.toml"), &registry, &[]);
        assert_eq!(parse("depth").expect("a scenario").user.model.params["depth"].as_integer(), Some(3));
        assert!(parse("taste").expect_err("no key of this kind").to_string().contains("unknown key `taste`"));
        assert!(json_schema(&registry).to_string().contains("a key of its own"));
    }
}

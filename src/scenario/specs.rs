//! Sections of scenario files as structs.
//!
//! Each struct is the one definition of its section: the checker, the schema, the reference file, what reads a checked table
//! and what writes a scenario follow from it.

use super::Section;
use crate::dataset::{Cut, FORMATS};
use crate::params::{Count, Parameters, parameters, words};
use std::path::PathBuf;

parameters! {
    /// The feedback log that the simulation starts from.
    pub struct DataSpec = "data" {
        /// The data set, relative to the folder of this file: a folder with a publisher's files, with your own tables
        /// (CSV, JSON lines, Parquet), or of an imported project; or one log of a folder with several.
        path: PathBuf,
        /// Family of the data set, as `recmirror import --help` lists them (`tables`: your own tables; `grouplens` is an
        /// older name for the form `100k` of `movielens`), or `auto` to recognise it by the files' names and columns.
        #[range(&FORMATS)]
        format: String = "auto",
        /// Share of each user's latest interactions that is held out: policies do not train on it and users do not
        /// start with it.
        #[range(0.0..=0.9)]
        holdout: f64 = 0.2,
        /// Where the log is cut: `user` holds out the latest share of each user's interactions, so that statistics over
        /// all users know what others did after a user's cut; `global` cuts at one moment for all, and users who came
        /// later have no history. The manifest and the report state the rule and the share of rows after the cuts.
        cut: Cut = Cut::User,
        /// Field of the items whose categories describe an item: for diversity, calibration, satiation, taste and
        /// features, where these name no field of their own. Empty: the field of 2 to 1000 categories that most items
        /// have; the run's manifest says which.
        item_field: String = "",
        /// Field of the users by whose categories `acceptance_gap_field` distinguishes groups. Empty: the field of 2 to 50
        /// categories that most users have; the run's manifest says which.
        user_field: String = "",
        /// Who provides the items: `column` takes `provider_field`, else the providers that the data name; `category`
        /// makes each category of `provider_field`, else of `item_field`, a provider, and an item belongs to its rarest
        /// category; `seeded` draws one of `provider_count` providers for each item.
        providers: ProviderRule = ProviderRule::Column,
        /// Field of the items for `providers`; empty leaves it to the data.
        provider_field: String = "",
        /// Providers of the rule `seeded`.
        #[range(1..=1_000_000)]
        provider_count: u32 = 100,
    }
}

words! {
    /// `data.providers`
    pub enum ProviderRule {
        /// A field of the items.
        Column = "column",
        /// The rarest category of an item.
        Category = "category",
        /// Drawn.
        Seeded = "seeded",
    }
}

parameters! {
    /// Who the simulated users are.
    pub struct PopulationSpec = "population" {
        /// Number of simulated users, drawn from the users of the data with replacement; `all` takes every user of
        /// the data once.
        #[range(1..=10_000_000)]
        users: Count = Count::All,
        /// The least interactions of a user before the holdout; users with fewer are left out.
        #[range(0..=1_000_000)]
        min_history: u32 = 5,
    }
}

parameters! {
    /// When the users come.
    pub struct ArrivalSpec = "arrival" {
        /// Mean probability that an absent user starts a session at a tick.
        #[range(0.0..=1.0)]
        probability: f64 = 0.5,
        /// How the probability is spread over the users: `uniform` is the same for all, `log` is proportional to the
        /// number of a user's interactions in the log (the mean is kept, no user exceeds 1).
        rate: ArrivalRate = ArrivalRate::Log,
    }
}

words! {
    /// `arrival.rate`
    pub enum ArrivalRate {
        /// The same for all.
        Uniform = "uniform",
        /// By the user's interactions in the log.
        Log = "log",
    }
}

parameters! {
    /// How long the users stay.
    pub struct SessionSpec = "session" {
        /// The most slates of a session; a session has one slate a tick.
        #[range(1..=10_000)]
        slates: u32 = 5,
        /// Rejected slates in a row after which a user ends the session; 0 means that rejection never ends it.
        #[range(0..=1_000_000)]
        patience: u32 = 3,
        /// Sessions in a row without an acceptance after which a user leaves for good; 0 means never.
        #[range(0..=1_000_000)]
        leave_after: u32 = 0,
    }
}

parameters! {
    /// What the users may be shown.
    pub struct CandidateSpec = "candidates" {
        /// `unseen` offers a user only items that the user has accepted neither in the log nor in the run; `repeats`
        /// offers all items.
        rule: CandidateRule = CandidateRule::Unseen,
    }
}

words! {
    /// `candidates.rule`
    pub enum CandidateRule {
        /// Items that the user has not accepted yet, and has not in the log.
        Unseen = "unseen",
        /// All items.
        Repeats = "repeats",
    }
}

impl CandidateSpec {
    /// Returns true if a user is not shown again what the user has accepted.
    pub fn unseen(&self) -> bool {
        self.rule == CandidateRule::Unseen
    }
}

parameters! {
    /// How the run is computed; nothing here changes a result.
    pub struct EngineSpec = "engine" {
        // Never 1: a matrix product of one row takes another kernel and rounds differently.
        /// Scenes that go through the user model in one call.
        #[range(2..=65_536)]
        chunk: usize = 128,
        /// Write every event to Parquet files in the run's folder. `story` and `replay` need them.
        events: bool = true,
        /// The most megabytes that a run may need, by an estimate before it starts; 0 means the free memory. A run that
        /// would need more does not start.
        #[range(0..=1_073_741_824)]
        memory_mb: usize = 0,
        /// Megabytes for the cache of texts that a language model has read; all policies and replications share it.
        #[range(0..=1_048_576)]
        cache_mb: usize = 1_024,
    }
}

/// The section of a struct.
pub(super) const fn section<P: Parameters>() -> Section {
    Section { name: P::NAME, heading: P::SUMMARY, keys: P::KEYS, variants: &[] }
}

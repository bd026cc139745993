//! `recmirror story`: one user's timeline in a run, tick by tick.

use super::{Failure, print};
use crate::registry::Registry;
use crate::story::{Story, StoryChoice};
use std::path::PathBuf;

/// Arguments of `story`.
#[derive(clap::Args)]
pub struct Tell {
    /// The run's folder.
    folder: PathBuf,
    /// The user's number in the run, as in `users.csv`.
    #[arg(long, value_name = "ID")]
    user: u32,
    /// The policy; by default the baseline.
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// The replication.
    #[arg(long, value_name = "N", default_value_t = 0)]
    replication: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Tell {
    pub(super) fn run(self, registry: &Registry) -> Result<(), Failure> {
        let choice = StoryChoice { user: self.user, policy: self.policy, replication: self.replication };
        let story = Story::read(&self.folder, &choice, registry).map_err(Failure::input)?;
        if self.json {
            let text = serde_json::to_string_pretty(&story).map_err(Failure::other)?;
            print(&(text + "\n"));
        } else {
            print(&story.to_string());
        }
        Ok(())
    }
}

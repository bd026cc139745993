//! Names of users in messages: their numbers and external ids.

use recmirror::dataset::Dataset;
use recmirror::experiment::Experiment;
use recmirror::ids::{LogUserId, UserId};
use std::sync::{Arc, OnceLock, Weak};

/// Names of the users of an experiment, which is prepared later than what asks for the names. Keeps neither it nor the data alive.
#[derive(Clone, Default)]
pub(crate) struct Names(Arc<Known>);

#[derive(Default)]
struct Known {
    data: OnceLock<Weak<Dataset>>,
    experiment: OnceLock<Weak<Experiment>>,
}

impl Names {
    /// Names of the users of `data`, where they are known so early.
    pub(crate) fn new(data: Option<&Arc<Dataset>>) -> Names {
        let names = Names::default();
        if let Some(data) = data {
            let _ = names.0.data.set(Arc::downgrade(data));
        }
        names
    }

    /// Takes the names of simulated users from the experiment.
    pub(crate) fn learn(&self, experiment: &Arc<Experiment>) {
        let _ = self.0.experiment.set(Arc::downgrade(experiment));
    }

    /// The simulated user of a replication, and whom it mirrors, as in ``user 5 (`u3`)``. The users are drawn again for it: only
    /// errors ask. Before the experiment is prepared, simulated users are those of the log.
    pub(crate) fn of(&self, user: UserId, replication: u32) -> String {
        let Some(experiment) = self.0.experiment.get().and_then(Weak::upgrade) else {
            return self.of_log(LogUserId(user.0));
        };
        let population = experiment.users(replication).ok();
        match population.as_ref().and_then(|population| population.sources.get(user.index())) {
            Some(source) => format!("user {} (`{}`)", user.0, experiment.data.users.external(source.0)),
            None => format!("user {}", user.0),
        }
    }

    /// A user of the log, as in ``user `u3` of the log``.
    pub(crate) fn of_log(&self, user: LogUserId) -> String {
        match self.0.data.get().and_then(Weak::upgrade) {
            Some(data) if (user.0 as usize) < data.users.len() => {
                format!("user `{}` of the log", data.users.external(user.0))
            }
            _ => format!("user {} of the log", user.0),
        }
    }
}

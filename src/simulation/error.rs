//! Errors that stop a replication.

use crate::dynamics::DynamicFault;
use crate::log::LogError;
use crate::user::UserError;

/// The reason why a tick could not be completed.
#[derive(Debug, thiserror::Error)]
pub enum TickError {
    /// The user model failed.
    #[error("tick {tick}: {source}")]
    User {
        /// The tick.
        tick: u32,
        /// The reason.
        source: UserError,
    },
    /// A dynamic gave a number that is none.
    #[error("tick {tick}: {source}")]
    Dynamic {
        /// The tick.
        tick: u32,
        /// The dynamic and its number.
        source: DynamicFault,
    },
    /// The events could not be stored.
    #[error("tick {tick}: {source}")]
    Log {
        /// The tick.
        tick: u32,
        /// The reason.
        source: LogError,
    },
    /// The log of a stopped run is not the beginning of this one.
    #[error(
        "policy `{policy}`, tick {tick}: the stored log has {problem} than the run comes to now: the data, the program or the \
         policy is another one, or the policy does not repeat itself; run the scenario again"
    )]
    Recorded {
        /// Name of the policy.
        policy: String,
        /// The tick.
        tick: u32,
        /// The differences.
        problem: &'static str,
    },
    /// An earlier step failed after users had begun to change.
    #[error("the last step failed after users had begun to change; call reset before the next step")]
    Broken,
    /// A policy broke its contract, or failed.
    #[error("policy `{policy}`, tick {tick}{}: {problem}", .user.map(|user| format!(", user {user}")).unwrap_or_default())]
    Policy {
        /// Name of the policy.
        policy: String,
        /// The tick.
        tick: u32,
        /// The user, numbered within the population; `None` if it concerns all of them.
        user: Option<u32>,
        /// The fault of the slate, or the reason why there is none.
        problem: String,
    },
}

/// Of the faults that dynamics have in one pass over users, that of the lowest id: users come in the ECS's own order.
#[derive(Default)]
pub(crate) struct FirstFault(Option<(u32, DynamicFault)>);

impl FirstFault {
    /// Notes a fault.
    pub fn keep(&mut self, tick: u32, source: DynamicFault) {
        if self.0.as_ref().is_none_or(|(_, known)| source.user < known.user) {
            self.0 = Some((tick, source));
        }
    }

    /// Reports the fault, if there is one and none was reported before.
    pub fn report(self, fault: &mut Option<TickError>) {
        if let Some((tick, source)) = self.0
            && fault.is_none()
        {
            *fault = Some(TickError::Dynamic { tick, source });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_user_is_reported_and_earlier_faults_are_kept() {
        let fault = |user: u32| DynamicFault {
            dynamic: "x".to_owned(),
            user,
            what: "the factor on coming",
            value: f64::NAN,
            expected: "0 to 1",
        };
        let reported = |users: &[u32], before: Option<TickError>| {
            let (mut first, mut slot) = (FirstFault::default(), before);
            users.iter().for_each(|&user| first.keep(7, fault(user)));
            first.report(&mut slot);
            slot.map(|problem| problem.to_string())
        };
        assert_eq!(reported(&[], None), None);
        let wanted = "tick 7: dynamic `x`, user 2: the factor on coming is NaN, expected 0 to 1";
        assert_eq!(reported(&[5, 2, 9], None).as_deref(), Some(wanted));
        let before = TickError::Dynamic { tick: 6, source: fault(1) };
        assert!(reported(&[5], Some(before)).is_some_and(|problem| problem.starts_with("tick 6")));
    }
}

//! Reasons why sessions begin and end.

use crate::scenario::SessionSpec;

/// A user's sessions so far, by the rules of `simulation/evolve`.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    session: u32,
    slates: u32,
    rejected: u32,
    accepted: u32,
    fruitless: u32,
    here: bool,
    left: bool,
}

impl Sessions {
    /// Counts a slate that the user saw; returns true if it began a session, the session, and the slate within it.
    pub(super) fn slate(&mut self) -> (bool, u32, u32) {
        let begins = !self.here;
        if begins {
            self.session += 1;
            (self.slates, self.rejected, self.accepted) = (0, 0, 0);
            self.here = true;
        }
        self.slates += 1;
        (begins, self.session, self.slates)
    }

    /// Counts the response to it; returns the reason if the session is over.
    pub(super) fn response(&mut self, accepted: bool, rules: &SessionSpec) -> Option<String> {
        self.accepted += u32::from(accepted);
        self.rejected = if accepted { 0 } else { self.rejected + 1 };
        let impatient = rules.patience > 0 && self.rejected >= rules.patience;
        if self.slates < rules.slates && !impatient {
            return None;
        }
        self.here = false;
        self.fruitless = if self.accepted > 0 { 0 } else { self.fruitless + 1 };
        self.left = rules.leave_after > 0 && self.fruitless >= rules.leave_after;
        let reason = match (self.slates >= rules.slates, self.rejected) {
            (true, _) if rules.slates == 1 => "a session has 1 slate".to_owned(),
            (true, _) => format!("a session has {} slates at most", rules.slates),
            (false, 1) => "a rejected slate was one too many".to_owned(),
            (false, rejected) => format!("{rejected} slates in a row were rejected"),
        };
        let leaves = match self.fruitless {
            1 => "; the user leaves for good after a session without an acceptance".to_owned(),
            sessions => format!("; the user leaves for good after {sessions} sessions in a row without an acceptance"),
        };
        Some(if self.left { reason + &leaves } else { reason })
    }

    /// The note on steps without a slate, from `first` to before `next`, after a slate that did not end a
    /// session; the user comes back in a session of its own.
    pub(super) fn gap(&mut self, first: u32, next: u32) -> Option<String> {
        if !self.here || first >= next {
            return None;
        }
        self.here = false;
        Some("the rules would have let it continue: the log does not say why the user saw nothing after it".to_owned())
    }

    /// The state of the user after the last slate; `last` is its step, if any, `ticks` are the steps of the run.
    pub(super) fn ending(&self, last: Option<u32>, ticks: u32) -> String {
        match last {
            None => format!("The user saw no slate in the {ticks} ticks of the run."),
            Some(_) if self.left => "The user left for good.".to_owned(),
            Some(last) if last + 1 >= ticks => format!("The run ends after tick {}.", ticks.saturating_sub(1)),
            Some(last) => format!(
                "The user did not come back after tick {last}; the run ends after tick {}.",
                ticks.saturating_sub(1)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: SessionSpec = SessionSpec { slates: 3, patience: 2, leave_after: 2 };

    fn live(responses: &[bool]) -> Vec<(bool, u32, u32, Option<String>)> {
        let mut sessions = Sessions::default();
        let step = |&accepted: &bool| {
            let (begins, session, slate) = sessions.slate();
            (begins, session, slate, sessions.response(accepted, &RULES))
        };
        responses.iter().map(step).collect()
    }

    #[test]
    fn sessions_end_as_in_the_simulation() {
        let found = live(&[true, false, true, false, false, false, false]);
        let places: Vec<_> = found.iter().map(|(begins, session, slate, _)| (*begins, *session, *slate)).collect();
        let wanted =
            [(true, 1, 1), (false, 1, 2), (false, 1, 3), (true, 2, 1), (false, 2, 2), (true, 3, 1), (false, 3, 2)];
        assert_eq!(places, wanted);
        assert_eq!(found[2].3.as_deref(), Some("a session has 3 slates at most"));
        assert_eq!(found[4].3.as_deref(), Some("2 slates in a row were rejected"));
        let leaves = "2 slates in a row were rejected; the user leaves for good after 2 sessions in a row without an \
                      acceptance";
        assert_eq!(found[6].3.as_deref(), Some(leaves));
    }

    #[test]
    fn unknown_ends_are_reported() {
        let mut sessions = Sessions::default();
        sessions.slate();
        assert_eq!(sessions.response(true, &RULES), None);
        assert_eq!(sessions.gap(4, 4), None, "there is none");
        assert!(sessions.gap(4, 6).is_some_and(|text| text.contains("does not say")));
        assert_eq!(sessions.slate(), (true, 2, 1));
    }

    #[test]
    fn endings() {
        let sessions = Sessions::default();
        assert_eq!(sessions.ending(None, 6), "The user saw no slate in the 6 ticks of the run.");
        assert_eq!(sessions.ending(Some(5), 6), "The run ends after tick 5.");
        let back = "The user did not come back after tick 3; the run ends after tick 5.";
        assert_eq!(sessions.ending(Some(3), 6), back);
        assert_eq!(Sessions { left: true, ..sessions }.ending(Some(3), 6), "The user left for good.");
    }
}

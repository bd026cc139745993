//! The journal of completed trials, for `resume`.

use crate::experiment::manifest::TrialRecord;
use crate::files::{FileRecord, sha256};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Result, Write};
use std::path::Path;

/// A line of the journal.
#[derive(Serialize, Deserialize)]
pub(super) struct Line {
    /// The run's seed.
    pub seed: u64,
    pub shortened_scenes: u64,
    /// Policy, replication, digest and so on. Journals of earlier versions say `arm`.
    #[serde(alias = "arm")]
    pub trial: TrialRecord,
    /// Its files.
    pub files: Vec<FileRecord>,
    /// The start of the hash over the other fields.
    pub check: String,
}

impl Line {
    pub fn new(trial: &TrialRecord, files: Vec<FileRecord>, seed: u64, shortened_scenes: u64) -> Line {
        let mut line = Line { seed, shortened_scenes, trial: trial.clone(), files, check: String::new() };
        line.check = line.right_check();
        line
    }

    fn right_check(&self) -> String {
        let whole =
            serde_json::to_vec(&(self.seed, self.shortened_scenes, &self.trial, &self.files)).unwrap_or_default();
        sha256(&whole).chars().take(16).collect()
    }
}

/// Writes each completed trial to a file, which is locked during the run.
pub(super) struct Journal {
    /// `None` after the end: on some systems an open file prevents its folder from being renamed or removed.
    file: Option<File>,
    /// The trials in the file that have a log.
    noted: Vec<TrialRecord>,
    /// True if the last line is incomplete.
    torn: bool,
}

impl Journal {
    pub fn create(path: &Path) -> Result<Journal> {
        let file = File::create(path)?;
        // On file systems without locks, nothing prevents another process from continuing an active run.
        let _ = file.try_lock();
        Ok(Journal { file: Some(file), noted: Vec::new(), torn: false })
    }

    /// Writes a trial and its `files`.
    pub fn note(&mut self, trial: &TrialRecord, files: Vec<FileRecord>, seed: u64, shortened_scenes: u64) {
        let line = serde_json::to_string(&Line::new(trial, files, seed, shortened_scenes));
        let (Ok(line), Some(file)) = (line, self.file.as_mut()) else { return };
        let before = if self.torn { "\n" } else { "" };
        // A full disk stops the run elsewhere, where its logs are written.
        self.torn = file.write_all(format!("{before}{line}\n").as_bytes()).is_err();
        if !self.torn && trial.events.is_some() {
            self.noted.push(trial.clone());
        }
    }

    pub fn forget(&mut self) {
        self.noted.clear();
    }

    pub fn close(&mut self) {
        self.file = None;
    }

    pub fn has_more_than(&self, had: &[TrialRecord]) -> bool {
        let had: BTreeSet<_> = had.iter().map(name).collect();
        self.noted.iter().any(|trial| !had.contains(&name(trial)))
    }

    pub fn has_all_of(&self, had: &[TrialRecord]) -> bool {
        let noted: BTreeSet<_> = self.noted.iter().map(name).collect();
        had.iter().all(|trial| noted.contains(&name(trial)))
    }

    /// Removes the logs of unfinished trials from `folder`: `resume` does not use them, and a full disk needs the room.
    pub fn keep_noted(&self, folder: &Path) {
        let decisions = self.noted.iter().filter_map(|trial| trial.decisions.as_ref()?.file.as_ref());
        let kept: BTreeSet<_> = self.noted.iter().filter_map(|trial| trial.events.as_ref()).chain(decisions).collect();
        let kept: BTreeSet<_> = kept.into_iter().map(|file| folder.join(file)).collect();
        for logs in ["events", "decisions"].iter().filter_map(|name| std::fs::read_dir(folder.join(name)).ok()) {
            for path in logs.flatten().map(|entry| entry.path()).filter(|path| !kept.contains(path)) {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

/// The lines of a journal, and the number of lines that are not JSON: a killed process or a full disk leaves an
/// incomplete line, which is no trial.
///
/// # Errors
/// The number, counted from 1, of the first line that was changed, and the reason.
pub(super) fn lines(text: &str) -> std::result::Result<(Vec<Line>, usize), (usize, String)> {
    let (mut all, mut torn): (Vec<Line>, _) = (Vec::new(), 0);
    for (line, number) in text.lines().zip(1..) {
        match serde_json::from_str::<Line>(line) {
            Ok(line) if line.check != line.right_check() => {
                return Err((
                    number,
                    format!("the trial of {} was changed: `check` does not fit", line.trial.trial_name(line.seed)),
                ));
            }
            Ok(line) if all.iter().any(|known| name(&known.trial) == name(&line.trial)) => {
                return Err((number, format!("the trial of {} occurs twice", line.trial.trial_name(line.seed))));
            }
            Ok(line) => all.push(line),
            Err(problem) if problem.is_data() => return Err((number, problem.to_string())),
            Err(_) => torn += 1,
        }
    }
    Ok((all, torn))
}

fn name(trial: &TrialRecord) -> (&str, u32) {
    (&trial.policy, trial.replication)
}

#[cfg(test)]
mod tests {
    use super::super::{RunFolder, StoppedFolder};
    use super::*;

    fn trial(policy: &str, has_log: bool) -> TrialRecord {
        let file = format!("events/{policy}.parquet");
        let events = if has_log { serde_json::json!(file) } else { serde_json::Value::Null };
        serde_json::from_value(serde_json::json!({
            "policy": policy, "replication": 0, "ticks": 1, "user_steps": 1, "short_slates": 0, "seconds": 0.0,
            "digest": "d", "events": events,
        }))
        .unwrap()
    }

    /// Fills a folder with these trials and an unfinished one, and stops; returns its path.
    fn fails(folder: RunFolder, trials: &[&TrialRecord]) -> std::path::PathBuf {
        folder.write("manifest.json", "{}").unwrap();
        for file in trials.iter().filter_map(|trial| trial.events.as_deref()).chain(["events/half.parquet"]) {
            folder.write(file.rsplit('/').next().unwrap(), "").unwrap();
            std::fs::rename(folder.path().join(file.rsplit('/').next().unwrap()), folder.path().join(file)).unwrap();
        }
        trials.iter().for_each(|trial| folder.note(trial, 5, 0));
        folder.path().to_owned()
    }

    #[test]
    fn failed_runs_stay_if_they_have_more_trials_to_resume() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("run");
        let create = || RunFolder::create(&target, false).unwrap();
        let (a, b, c) = (trial("a", true), trial("b", true), trial("c", true));
        assert!(!fails(create(), &[]).exists());
        assert!(!fails(create(), &[&trial("a", false)]).exists(), "there is no log");
        let first = fails(create(), &[&a, &b]);
        let left = StoppedFolder::find(&target).unwrap();
        assert!(left.path == first && left.killed.as_ref().is_some_and(|noted| noted.trials.len() == 2));
        let logs = |folder: &Path| std::fs::read_dir(folder.join("events")).unwrap().count();
        assert_eq!(logs(&first), 2, "the half one is gone");
        let again = |trials: &[&TrialRecord]| {
            let left = StoppedFolder::find(&first).unwrap();
            fails(RunFolder::going_on(&left, vec![a.clone(), b.clone()]).unwrap(), trials)
        };
        drop(left);
        assert!(!again(&[&a, &b]).exists() && first.exists(), "the first has as much");
        // One trial that was not counted again, and a new one: both are needed.
        let other = again(&[&a, &c]);
        assert!(other.exists() && first.exists());
        std::fs::remove_dir_all(&other).unwrap();
        let last = again(&[&a, &b, &c]);
        assert!(last.exists() && !first.exists(), "it has all that the first had");
        assert_eq!(StoppedFolder::find(&target).unwrap().path, last);
    }

    #[test]
    fn a_half_line_hides_no_other() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("trials.jsonl");
        let mut journal = Journal::create(&path).unwrap();
        journal.note(&trial("a", true), Vec::new(), 5, 0);
        journal.file.as_mut().unwrap().write_all(b"{\"shortened_sc").unwrap();
        journal.torn = true;
        journal.note(&trial("b", true), Vec::new(), 5, 3);
        journal.close();
        let text = std::fs::read_to_string(&path).unwrap();
        let (all, torn) = lines(&text).unwrap();
        let trials: Vec<&str> = all.iter().map(|line| line.trial.policy.as_str()).collect();
        assert_eq!((trials, torn), (vec!["a", "b"], 1));
        // Any change of a complete line is found.
        for (then, now) in
            [("\"replication\":0", "\"replication\":2"), ("\"seed\":5", "\"seed\":6"), ("\"ticks\":1", "\"ticks\":2")]
        {
            assert_eq!(lines(&text.replacen(then, now, 1)).err().unwrap().0, 1, "{now}");
        }
        let last = text.lines().last().unwrap();
        assert_eq!(lines(&format!("{text}{last}\n")).err().unwrap().0, 4);
        assert_eq!(lines("{\"trial\": 1}\n").err().unwrap().0, 1);
    }
}

//! The journal of a stage that asks a model.
//!
//! A restarted stage does not request answers in it again.
//!
//! It is beside the file that the stage makes, with the ending `.part`, and is removed when that file is complete. Its
//! first line records the inputs of the answers (scenes, model, settings, prompts); the others are `[scene, place,
//! answer]` in the order of arrival. Each arrival is one write, so a killed process loses no answer; the disk is
//! synchronised every [`SYNC_EVERY`] answers. A line that a crash cut off is removed. Memory holds only the positions
//! of answers.

use super::Watch;
use crate::files::FileError;
use crate::language::LanguageError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

/// Answers between two synchronisations of the disk.
const SYNC_EVERY: usize = 256;

/// The index of an answer: the scene's row and its place among the scene's answers, both from 0.
pub(super) type Place = (u64, u32);

/// The inputs of a file of answers: names and values, in a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Binding(Vec<(String, String)>);

impl Binding {
    /// Adds a value.
    pub(super) fn with(mut self, name: &str, value: impl ToString) -> Binding {
        self.0.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds a model: its name, and what distinguishes it from others with that name.
    pub(super) fn with_model(self, what: &str, name: &str, fingerprint: Option<&str>) -> Binding {
        let binding = self.with(what, name);
        match fingerprint.filter(|fingerprint| *fingerprint != name) {
            Some(fingerprint) => binding.with("weights", fingerprint),
            None => binding,
        }
    }

    /// A short hash over all names and values.
    pub(super) fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (name, value) in &self.0 {
            for text in [name, value] {
                hasher.update(&(text.len() as u64).to_le_bytes());
                hasher.update(text.as_bytes());
            }
        }
        hasher.finalize().to_hex()[..16].to_owned()
    }

    /// `model: was a, is b` for each differing value.
    fn differences(&self, now: &Binding) -> String {
        let value = |of: &Binding, name: &str| {
            of.0.iter().find(|(other, _)| other == name).map_or("nothing", |(_, value)| value).to_owned()
        };
        let mut names: Vec<&String> = self.0.iter().chain(&now.0).map(|(name, _)| name).collect();
        names.sort();
        names.dedup();
        let change = |name: &&String| {
            let (was, is) = (value(self, name), value(now, name));
            (was != is).then(|| format!("{name}: was {was}, is {is}"))
        };
        names.iter().filter_map(change).collect::<Vec<_>>().join("; ")
    }
}

/// The hash of a file's bytes.
pub(super) fn file_hash(path: &Path, remedy: &str) -> Result<String, FileError> {
    let fail = |source: std::io::Error| match source.kind() {
        ErrorKind::NotFound => FileError::Missing { path: path.to_owned(), remedy: remedy.to_owned() },
        _ => FileError::read(path, source),
    };
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(crate::files::open_regular(path).map_err(fail)?).map_err(fail)?;
    Ok(hasher.finalize().to_hex()[..16].to_owned())
}

/// The position of a line in the file.
#[derive(Clone, Copy, Debug)]
struct Span {
    offset: u64,
    length: u64,
}

/// The content of a journal.
#[derive(Debug, Default)]
struct Content {
    places: BTreeMap<Place, Span>,
    /// The end of the last complete line; 0 if the first line is incomplete.
    end: u64,
}

struct Output {
    file: File,
    content: Content,
    unsynced: usize,
}

/// A working file with answers of type `T`.
pub(super) struct Journal<T> {
    path: PathBuf,
    output: Mutex<Output>,
    answers: PhantomData<fn() -> T>,
}

/// The journal's path for the file `target`.
pub(super) fn journal_path(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    target.with_file_name(name)
}

impl<T: Serialize + DeserializeOwned> Journal<T> {
    /// Opens the journal of `target`, a new one if there is none or `restart` is set.
    ///
    /// # Errors
    /// When it belongs to other scenes, another model or other settings, is damaged, or is in use.
    pub(super) fn open(target: &Path, binding: &Binding, restart: bool) -> Result<Journal<T>, FileError> {
        let path = journal_path(target);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| FileError::write(folder, source))?;
        }
        let fail = |source| FileError::write(&path, source);
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(FileError::whole(&path, "another process works on this file; wait for it or stop it"));
            }
            Err(TryLockError::Error(source)) => return Err(fail(source)),
        }
        if restart {
            file.set_len(0).map_err(fail)?;
        }
        let mut content = scan::<T>(&path, &file, binding)?;
        file.set_len(content.end).map_err(fail)?;
        file.seek(SeekFrom::Start(content.end)).map_err(fail)?;
        if content.end == 0 {
            let header = line(&path, binding)?;
            file.write_all(&header).and_then(|()| file.sync_all()).map_err(fail)?;
            content.end = header.len() as u64;
        }
        let output = Mutex::new(Output { file, content, unsynced: 0 });
        Ok(Journal { path, output, answers: PhantomData })
    }

    /// True if the journal of `target` has an answer; the first line is none.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn holds_answers(target: &Path) -> Result<bool, FileError> {
        let path = journal_path(target);
        let file = match crate::files::open_regular(&path) {
            Ok(file) => file,
            Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(false),
            Err(source) => return Err(FileError::read(&path, source)),
        };
        let (mut reader, mut bytes) = (BufReader::new(file), Vec::new());
        for _ in 0..2 {
            bytes.clear();
            reader.read_until(b'\n', &mut bytes).map_err(|source| FileError::read(&path, source))?;
        }
        Ok(bytes.last() == Some(&b'\n'))
    }

    /// The places in the journal of `target`; empty without a journal. Changes nothing.
    ///
    /// # Errors
    /// As [`Journal::open`], except the lock.
    pub(super) fn peek(target: &Path, binding: &Binding) -> Result<Vec<Place>, FileError> {
        let path = journal_path(target);
        match crate::files::open_regular(&path) {
            Ok(file) => Ok(scan::<T>(&path, &file, binding)?.places.into_keys().collect()),
            Err(problem) if problem.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(FileError::read(&path, source)),
        }
    }

    /// True if the answer exists.
    pub(super) fn has(&self, place: Place) -> bool {
        self.output().content.places.contains_key(&place)
    }

    /// Answers so far.
    pub(super) fn count(&self) -> u64 {
        self.output().content.places.len() as u64
    }

    /// Adds answers with one write. Existing answers stay unchanged.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn push(&self, answers: &[(Place, T)]) -> Result<(), FileError> {
        let mut output = self.output();
        let mut bytes = Vec::new();
        let mut spans = Vec::with_capacity(answers.len());
        for ((scene, place), answer) in answers {
            let line = line(&self.path, &(scene, place, answer))?;
            // A number that is not finite becomes `null`, which a later run could not read.
            if let Err(problem) = serde_json::from_slice::<(u64, u32, T)>(&line) {
                let problem = format!("an answer of scene {scene} cannot be kept: {problem}");
                return Err(FileError::whole(&self.path, problem));
            }
            let offset = output.content.end + bytes.len() as u64;
            spans.push(((*scene, *place), Span { offset, length: line.len() as u64 }));
            bytes.extend_from_slice(&line);
        }
        let fail = |source| FileError::write(&self.path, source);
        // Reading an answer moves the position and may fail halfway, so every write sets its position.
        let end = output.content.end;
        if let Err(source) = output.file.seek(SeekFrom::Start(end)).and_then(|_| output.file.write_all(&bytes)) {
            // An incomplete line in the middle would make the rest unreadable.
            let _ = output.file.set_len(end).and_then(|()| output.file.seek(SeekFrom::Start(end)));
            return Err(fail(source));
        }
        output.content.end += bytes.len() as u64;
        for (place, span) in spans {
            output.content.places.entry(place).or_insert(span);
        }
        output.unsynced += answers.len();
        if output.unsynced >= SYNC_EVERY {
            output.unsynced = 0;
            output.file.sync_data().map_err(fail)?;
        }
        Ok(())
    }

    /// Reads an answer; `None` if it does not exist.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn get(&self, place: Place) -> Result<Option<T>, FileError> {
        let mut output = self.output();
        let Some(span) = output.content.places.get(&place).copied() else { return Ok(None) };
        let mut bytes = vec![0; usize::try_from(span.length).unwrap_or(0)];
        let read = output.file.seek(SeekFrom::Start(span.offset)).and_then(|_| output.file.read_exact(&mut bytes));
        read.map_err(|source| FileError::read(&self.path, source))?;
        let parsed: Result<(u64, u32, T), _> = serde_json::from_slice(&bytes);
        let (_, _, answer) = parsed.map_err(|problem| FileError::whole(&self.path, problem.to_string()))?;
        Ok(Some(answer))
    }

    /// Removes the journal: its file is complete.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub(super) fn remove(self) -> Result<(), FileError> {
        std::fs::remove_file(&self.path).map_err(|source| FileError::write(&self.path, source))
    }

    /// Writes all answers through to the disk.
    ///
    /// # Errors
    /// When the disk cannot be synchronised.
    pub(super) fn sync(&self) -> Result<(), FileError> {
        self.output().file.sync_data().map_err(|source| FileError::write(&self.path, source))
    }

    /// The journal's file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn output(&self) -> MutexGuard<'_, Output> {
        self.output.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The reason for a missing answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub why: String,
    /// True if another request would not help.
    pub lasting: bool,
}

/// How to continue after a stop: without `--restart`, which would discard the answers.
pub(super) fn again(restart: bool) -> &'static str {
    if restart { "run the command again without --restart" } else { "run the command again" }
}

/// Stores the answers of a model as they arrive, from any thread, and keeps failures for the end.
pub(super) struct Collector<'a, T> {
    journal: &'a Journal<T>,
    watch: &'a dyn Watch,
    stop: &'a AtomicBool,
    problem: Mutex<Option<FileError>>,
    failures: Mutex<BTreeMap<Place, Failure>>,
}

impl<'a, T: Serialize + DeserializeOwned> Collector<'a, T> {
    /// A collector that writes to `journal` and sets `stop` if that fails: an answer that cannot be stored is not
    /// requested.
    pub(super) fn new(journal: &'a Journal<T>, watch: &'a dyn Watch, stop: &'a AtomicBool) -> Collector<'a, T> {
        Collector { journal, watch, stop, problem: Mutex::default(), failures: Mutex::default() }
    }

    /// Stores answers.
    pub(super) fn keep(&self, answers: &[(Place, T)]) {
        if let Err(problem) = self.journal.push(answers) {
            self.stop.store(true, Ordering::Relaxed);
            if let Ok(mut slot) = self.problem.lock() {
                slot.get_or_insert(problem);
            }
        }
        self.watch.advance(answers.len() as u64);
    }

    /// Records a missing answer with its reason.
    pub(super) fn fail(&self, place: Place, why: String) {
        self.note(place, Failure { why, lasting: false });
    }

    /// Records the failure of a model.
    pub(super) fn fail_by(&self, place: Place, error: &LanguageError) {
        self.note(place, Failure { why: error.to_string(), lasting: matches!(error, LanguageError::Answer(_)) });
    }

    fn note(&self, place: Place, failure: Failure) {
        if let Ok(mut failures) = self.failures.lock() {
            failures.insert(place, failure);
        }
    }

    /// The failures, once the journal is synchronised.
    ///
    /// # Errors
    /// When an answer could not be stored.
    pub(super) fn finish(self) -> Result<BTreeMap<Place, Failure>, FileError> {
        if let Ok(Some(problem)) = self.problem.into_inner() {
            return Err(problem);
        }
        self.journal.sync()?;
        Ok(self.failures.into_inner().unwrap_or_default())
    }
}

fn line(path: &Path, value: &impl Serialize) -> Result<Vec<u8>, FileError> {
    let mut bytes = serde_json::to_vec(value).map_err(|problem| FileError::write(path, problem.into()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads the whole file once: the positions of answers, and the end of the last complete line.
fn scan<T: DeserializeOwned>(path: &Path, file: &File, binding: &Binding) -> Result<Content, FileError> {
    let mut content = Content::default();
    let mut foreign = None;
    let mut reader = BufReader::with_capacity(1 << 17, file);
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        let length = reader.read_until(b'\n', &mut bytes).map_err(|source| FileError::read(path, source))? as u64;
        if bytes.last() != Some(&b'\n') {
            break;
        }
        let span = Span { offset: content.end, length };
        content.end += length;
        if number == 1 {
            foreign = check(path, &bytes, binding).err();
            continue;
        }
        if let Some(problem) = foreign {
            return Err(problem);
        }
        let parsed: Result<(u64, u32, T), _> = serde_json::from_slice(&bytes);
        let (scene, place, _) = parsed.map_err(|problem| {
            FileError::line(path, number, format!("damaged ({problem}); --restart starts again without it"))
        })?;
        content.places.entry((scene, place)).or_insert(span);
    }
    // A foreign journal without answers can be overwritten without loss.
    if foreign.is_some() { Ok(Content::default()) } else { Ok(content) }
}

fn check(path: &Path, header: &[u8], binding: &Binding) -> Result<(), FileError> {
    let was: Binding = serde_json::from_slice(header)
        .map_err(|_| FileError::line(path, 1, "this is no journal of recmirror; --restart starts again without it"))?;
    if was == *binding {
        return Ok(());
    }
    let problem = format!(
        "these answers have other inputs ({}); run with those inputs, or start again with --restart",
        was.differences(binding)
    );
    Err(FileError::whole(path, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(model: &str) -> Binding {
        Binding::default().with("model", model).with("scenes", 7)
    }

    fn open(target: &Path, restart: bool) -> Result<Journal<String>, FileError> {
        Journal::open(target, &binding("m"), restart)
    }

    #[test]
    fn answers_are_there_after_a_crash_in_the_middle_of_a_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("deep/a.jsonl");
        let journal = open(&target, false).expect("a journal");
        journal.push(&[((0, 1), "ä\n".to_owned()), ((2, 0), "b".to_owned())]).expect("written");
        journal.push(&[((1, 0), "c".to_owned())]).expect("written");
        drop(journal);
        let path = journal_path(&target);
        let whole = std::fs::read(&path).expect("the journal");
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).expect("written");
            let journal = open(&target, false).expect("a journal");
            let lines = whole[..cut].iter().filter(|&&byte| byte == b'\n').count() as u64;
            assert_eq!(journal.count(), lines.saturating_sub(1), "cut at {cut}");
            journal.push(&[((9, 9), "d".to_owned())]).expect("written");
            drop(journal);
            let journal = open(&target, false).expect("a journal");
            assert_eq!(journal.get((9, 9)).expect("readable").as_deref(), Some("d"));
            let first = journal.get((0, 1)).expect("readable");
            assert_eq!(first.as_deref(), (lines > 1).then_some("ä\n"), "cut at {cut}");
        }
    }

    #[test]
    fn reading_back_does_not_disturb_writing() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("a.jsonl");
        let journal = open(&target, false).expect("a journal");
        for place in 0..5 {
            journal.push(&[((place, 0), place.to_string())]).expect("written");
            assert_eq!(journal.get((0, 0)).expect("readable").as_deref(), Some("0"));
        }
        journal.push(&[((4, 0), "another".to_owned())]).expect("written");
        drop(journal);
        assert_eq!(Journal::<String>::peek(&target, &binding("m")).expect("readable").len(), 5);
        let journal = open(&target, false).expect("a journal");
        assert_eq!(journal.get((4, 0)).expect("readable").as_deref(), Some("4"), "the first one stays");
        journal.remove().expect("removed");
        assert!(!journal_path(&target).exists());
    }

    #[test]
    fn a_read_that_fails_does_not_move_the_next_write() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("answers.jsonl");
        let journal = open(&target, false).expect("a journal");
        journal.push(&[((0, 0), "one".to_owned()), ((1, 0), "two".to_owned())]).expect("kept");
        // The second answer cannot be read while its line is cut short.
        let whole = std::fs::read(journal.path()).expect("bytes");
        let other = OpenOptions::new().write(true).open(journal.path()).expect("the file");
        other.set_len(whole.len() as u64 - 3).expect("cut");
        assert!(journal.get((1, 0)).is_err());
        other.set_len(0).and_then(|()| std::io::Write::write_all(&mut &other, &whole)).expect("restored");
        journal.push(&[((2, 0), "three".to_owned())]).expect("kept");
        for (place, text) in [((0, 0), "one"), ((1, 0), "two"), ((2, 0), "three")] {
            assert_eq!(journal.get(place).expect("an answer").as_deref(), Some(text));
        }
        drop(journal);
        assert_eq!(open(&target, false).expect("the same journal").count(), 3);
    }

    #[test]
    fn a_first_line_is_no_answer_and_infinite_numbers_are_not_stored() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("a.jsonl");
        let holds = || Journal::<f64>::holds_answers(&target).expect("readable");
        assert!(!holds());
        let journal = Journal::<f64>::open(&target, &binding("m"), false).expect("a journal");
        assert!(!holds());
        let problem = journal.push(&[((3, 0), f64::NAN)]).expect_err("no number").to_string();
        assert!(problem.contains("an answer of scene 3 cannot be kept"), "{problem}");
        assert!(!holds());
        journal.push(&[((3, 0), 0.5)]).expect("written");
        assert!(holds());
        drop(journal);
        assert_eq!(Journal::<f64>::open(&target, &binding("m"), false).expect("a journal").count(), 1);
    }

    #[test]
    fn other_settings_damage_and_a_second_process_are_reported() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("a.jsonl");
        let journal = open(&target, false).expect("a journal");
        journal.push(&[((0, 0), "a".to_owned())]).expect("written");
        let problem = open(&target, false).err().expect("in use").to_string();
        assert!(problem.contains("another process works on this file"), "{problem}");
        drop(journal);
        let problem = Journal::<String>::open(&target, &binding("n"), false).err().expect("other").to_string();
        assert!(problem.contains("(model: was m, is n)") && problem.contains("--restart"), "{problem}");
        let empty = folder.path().join("b.jsonl");
        drop(open(&empty, false).expect("a journal"));
        assert_eq!(Journal::<String>::open(&empty, &binding("n"), false).expect("nothing to lose").count(), 0);
        let path = journal_path(&target);
        let mut text = std::fs::read_to_string(&path).expect("the journal");
        text.push_str("[0,\n");
        std::fs::write(&path, text).expect("written");
        let problem = open(&target, false).err().expect("damaged").to_string();
        assert!(problem.contains("a.jsonl.part:3: damaged"), "{problem}");
        assert_eq!(open(&target, true).expect("a new journal").count(), 0);
    }

    #[test]
    fn digests_separate_names_from_values() {
        let one = Binding::default().with("a", "bc");
        assert_ne!(one.digest(), Binding::default().with("ab", "c").digest());
        assert_eq!(one.digest(), one.clone().digest());
    }
}

//! The child process of an external policy.
//!
//! Three threads serve its pipes, so that neither a program that does not read nor one that does not write can block
//! the simulation: only the wait for an answer blocks, and it has a limit.

use super::message::{Answer, Question};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// The most bytes of one answer: slates of a million users fit.
const LONGEST_ANSWER: u64 = 1 << 28;

/// Lines of standard error to keep for a message.
const LAST_WORDS: usize = 12;

/// The most characters of one of them.
const WORD_LENGTH: usize = 300;

/// The time that a program has to end once its standard input is closed, in steps of 10 ms.
const STEPS_TO_END: u32 = 100;

/// A started program.
pub(super) struct Child {
    process: std::process::Child,
    /// The name in messages.
    name: String,
    /// The channel to the writing thread; `None` once the program is asked to end.
    lines: Option<Sender<Vec<u8>>>,
    /// The channel from the reading thread: one line each, or the reason for its absence. The lock is never contended;
    /// a policy must be shareable between threads.
    answers: Mutex<Receiver<Result<Vec<u8>, String>>>,
    last_words: Arc<Mutex<VecDeque<String>>>,
    /// The thread that reads standard error.
    listener: Option<JoinHandle<()>>,
    /// True if its process group was ended.
    is_over: bool,
}

impl Child {
    /// Starts the program `command[0]` with the rest as arguments in `folder`.
    pub fn start(command: &[String], folder: &Path) -> Result<Child, String> {
        let name = command.join(" ");
        let (program, arguments) = command.split_first().ok_or("`command` is empty; name the program")?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            // Programs that it starts are in its group and end with it.
            command.process_group(0);
        }
        let mut process = command.spawn().map_err(|problem| {
            format!("cannot start `{name}` in {}: {problem}; see `command` and `folder`", folder.display())
        })?;
        let pipes = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(format!("cannot start `{name}`: it has no pipes"));
        };
        let last_words = Arc::default();
        let listener = Some(listen(stderr, Arc::clone(&last_words)));
        Ok(Child {
            process,
            name,
            lines: Some(write_to(stdin)),
            answers: Mutex::new(read_from(stdout)),
            last_words,
            listener,
            is_over: false,
        })
    }

    /// Writes a question and waits for its answer; `what` and `key` are the words of a message.
    pub fn ask(&mut self, question: &Question<'_>, what: &str, limit: Duration, key: &str) -> Result<Answer, String> {
        let mut line = serde_json::to_vec(question).map_err(|problem| problem.to_string())?;
        line.push(b'\n');
        // The wait for its answer detects a program that has ended.
        let _ = self.lines.as_ref().map(|lines| lines.send(line));
        let answers = self.answers.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner());
        let answer = match answers.recv_timeout(limit) {
            Ok(Ok(line)) => line,
            Ok(Err(problem)) => return Err(self.gone(what, &problem)),
            Err(RecvTimeoutError::Disconnected) => return Err(self.gone(what, "its output ended")),
            Err(RecvTimeoutError::Timeout) => {
                let seconds = limit.as_secs_f64();
                self.kill();
                return Err(self.with_last_words(format!(
                    "`{}` did not answer `{what}` within {seconds} s (key `{key}`) and was stopped",
                    self.name
                )));
            }
        };
        match serde_json::from_slice(&answer) {
            Ok(Answer::Error { message }) => Err(self.with_last_words(format!("`{}`: {message}", self.name))),
            Ok(answer) => Ok(answer),
            Err(problem) => {
                let text = shortened(&String::from_utf8_lossy(&answer));
                Err(self.with_last_words(format!(
                    "`{}` answered `{what}` with a line that is not in the protocol ({problem}): {text}",
                    self.name
                )))
            }
        }
    }

    /// The message for an answer of the wrong type.
    pub fn unexpected(&self, what: &str, wanted: &str, found: &Answer) -> String {
        format!("`{}` answered `{what}` with `{}`, not with `{wanted}`", self.name, found.name())
    }

    fn gone(&mut self, what: &str, problem: &str) -> String {
        self.lines = None;
        let status = match self.end() {
            Some(status) => format!("it ended with {status}"),
            None => problem.to_owned(),
        };
        // The program has ended, so its standard error is complete.
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
        self.with_last_words(format!("`{}` did not answer `{what}`: {status}", self.name))
    }

    fn with_last_words(&self, message: String) -> String {
        let words = self.last_words.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if words.is_empty() {
            return message;
        }
        let lines: Vec<&str> = words.iter().map(String::as_str).collect();
        format!("{message}; its last words:\n  {}", lines.join("\n  "))
    }

    /// Waits briefly for the program to end, then ends it, and in any case all programs of its group.
    fn end(&mut self) -> Option<std::process::ExitStatus> {
        let mut has_ended = self.has_ended();
        for _ in 0..STEPS_TO_END {
            if has_ended {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
            has_ended = self.has_ended();
        }
        self.kill();
        self.process.wait().ok().filter(|_| has_ended)
    }

    /// True if the program has ended. Its process id stays reserved until it is waited for, so the group that is ended
    /// after it cannot be another one.
    fn has_ended(&mut self) -> bool {
        #[cfg(unix)]
        {
            use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
            let number = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            number.is_none_or(|number| !matches!(waitid(WaitId::Pid(number), options), Ok(None)))
        }
        #[cfg(not(unix))]
        {
            !matches!(self.process.try_wait(), Ok(None))
        }
    }

    /// Ends the program and its group. A program that leaves the group (as a daemon does) is not reached.
    fn kill(&mut self) {
        let is_first = !std::mem::replace(&mut self.is_over, true);
        #[cfg(unix)]
        if is_first && let Some(group) = i32::try_from(self.process.id()).ok().and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        if is_first {
            let _ = self.process.kill();
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Closes its standard input, unless a line is still being written; then the program is stopped nevertheless.
        self.lines = None;
        self.end();
    }
}

fn write_to(mut stdin: impl Write + Send + 'static) -> Sender<Vec<u8>> {
    let (sender, lines) = channel::<Vec<u8>>();
    std::thread::spawn(move || {
        for line in lines {
            if stdin.write_all(&line).and_then(|()| stdin.flush()).is_err() {
                return;
            }
        }
    });
    sender
}

fn read_from(stdout: impl Read + Send + 'static) -> Receiver<Result<Vec<u8>, String>> {
    let (sender, answers) = channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        loop {
            let mut line = Vec::new();
            let read = reader.by_ref().take(LONGEST_ANSWER).read_until(b'\n', &mut line);
            let answer = match read {
                Ok(0) => return,
                Ok(_) if line.len() as u64 == LONGEST_ANSWER => {
                    Err(format!("a line is longer than {LONGEST_ANSWER} bytes"))
                }
                Ok(_) => Ok(line),
                Err(problem) => Err(problem.to_string()),
            };
            let broken = answer.is_err();
            if sender.send(answer).is_err() || broken {
                return;
            }
        }
    });
    answers
}

fn listen(stderr: impl Read + Send + 'static, last_words: Arc<Mutex<VecDeque<String>>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stderr);
        let mut line = Vec::new();
        while reader.by_ref().take(1 << 16).read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = shortened(String::from_utf8_lossy(&line).trim_end());
            line.clear();
            let mut words = last_words.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if words.len() == LAST_WORDS {
                words.pop_front();
            }
            words.push_back(text);
        }
    })
}

/// One line of text, cut to a readable length.
fn shortened(text: &str) -> String {
    let mut letters = text.trim_end().chars();
    let mut short: String = letters.by_ref().take(WORD_LENGTH).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if letters.next().is_some() {
        short.push_str("...");
    }
    short
}

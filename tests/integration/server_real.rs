//! `decide` and `judge` against a real server on this machine, killed and resumed. It fetches the server: `make test-server`.

use crate::util::{Answer, package, place, read, recmirror, start, text, wait, write};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const SCENES: usize = 3;

/// The server of `scripts/serve_smollm2.py`; it ends when this is dropped.
struct Served {
    process: Child,
    base: String,
}

impl Served {
    fn start() -> Served {
        let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let mut command = Command::new(python);
        command.args(["scripts/serve_smollm2.py", "--port", "0", "--slots", "1"]).current_dir(package());
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut base = String::new();
        let said = BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut base);
        assert!(said.is_ok() && base.starts_with("http://127.0.0.1:"), "it said: {base}");
        Served { process, base: base.trim().to_owned() }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn project() -> tempfile::TempDir {
    let folder = place();
    let scene = |number: usize| {
        json!({"text": {"profile": "A viewer of films.", "history": format!("Heat [crime] {number}"),
            "action_list": ["Alien [horror]", "Ronin [crime]"]}, "user_id": number, "item_id": 7, "item_pos": 1,
            "choice_cnt": 2, "dataset": "x"})
        .to_string()
            + "\n"
    };
    write(&folder.path().join("datasets/x_train.jsonl"), (0..SCENES).map(scene).collect::<String>());
    folder
}

fn arguments<'a>(command: &'a str, root: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec![command, "--project", text(root), "--datasets", "x", "--strength", "strong", "--quiet"];
    if command == "decide" {
        all.extend(["--decisions", "2"]);
    }
    all.extend_from_slice(more);
    all
}

/// Kills a stage after its first answers, calls it again, and gives the two parts' answers in the journal and all there are.
fn killed_and_resumed(command: &str, root: &Path, file: &Path, more: &[&str]) -> (String, Answer) {
    let journal = file.with_extension("jsonl.part");
    let mut child = start(&[], &arguments(command, root, more));
    let lines = || std::fs::read_to_string(&journal).unwrap_or_default().lines().count();
    while lines() < 2 {
        let ended = child.try_wait().expect("a status").is_some();
        assert!(!ended, "it ended: {}", wait(child).stderr);
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("killed");
    child.wait().expect("gone");
    let before = read(&journal);
    (before, recmirror(&arguments(command, root, more)).expect(0))
}

#[test]
#[ignore = "fetches a server and a model: make test-server"]
fn a_real_server_decides_and_judges_and_answers_are_kept() {
    let server = Served::start();
    let folder = project();
    let root = folder.path();
    let back = ["--endpoint", &server.base, "--model", "smollm2", "--concurrency", "1", "--timeout", "600"];
    let decisions = root.join("decisions/x_decisions_strong.jsonl");
    let (before, _) = killed_and_resumed("decide", root, &decisions, &[&back[..], &["--max-tokens", "24"]].concat());
    let after = read(&decisions);
    assert_eq!(after.lines().count(), SCENES);
    assert_eq!(after.matches("\"index\":").count(), 2 * SCENES, "each answer of each scene: {after}");
    for line in before.lines().skip(1) {
        let (_, _, answer): (u64, u32, serde_json::Value) = serde_json::from_str(line).expect("an answer");
        assert!(after.contains(&answer["text"].to_string()), "{answer} stays");
    }
    // So small a model seldom keeps the form: what is judged is composed.
    recmirror(&arguments("decide", root, &["--composed", "--restart"])).expect(0);
    let probs = root.join("probs/x_probs_strong.jsonl");
    let (before, answer) = killed_and_resumed("judge", root, &probs, &back);
    let asked = 2 * SCENES - (before.lines().count() - 1);
    assert!(answer.stdout.contains(&format!("{} judged decisions", 2 * SCENES)), "{}", answer.stdout);
    assert!(answer.stdout.contains(&format!("asked {asked} times")), "{}", answer.stdout);
}

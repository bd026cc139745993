//! `decide` and `judge` against a scripted server, over batch files and without a model; killed and resumed.

mod batch;
mod keys;

use crate::server::{Reply, Request, Server, answers};
use crate::util::{Answer, heard, names_in, place, read, recmirror, recmirror_with, start, text, wait, write};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A project with scenes of three options, each with its mark.
fn project(scenes: usize) -> tempfile::TempDir {
    let folder = place();
    let scene = |number: usize| {
        let list =
            [format!("Alpha {number} [war]"), format!("Beta {number} [love]"), format!("Gamma {number} [space]")];
        json!({"text": {"profile": format!("Scene-{number}"), "history": "Old one [war]\nOther one [space]", "action_list": list},
            "user_id": number, "item_id": 7, "timestamp": 1000, "item_pos": number % 3, "choice_cnt": 3, "dataset": "x"})
        .to_string()
            + "\n"
    };
    write(&folder.path().join("datasets/x_train.jsonl"), (0..scenes).map(scene).collect::<String>());
    folder
}

/// Arguments against a server, with short waits.
fn arguments<'a>(command: &'a str, root: &'a Path, base: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec![command, "--project", text(root), "--datasets", "x", "--strength", "strong", "--quiet"];
    all.extend(["--endpoint", base, "--model", "toy", "--retry-wait", "0.01"]);
    if !more.contains(&"--timeout") {
        all.extend(["--timeout", "3"]);
    }
    if command == "decide" {
        all.extend(["--decisions", "4"]);
    }
    all.extend_from_slice(more);
    all
}

fn ask(command: &str, root: &Path, server: &Server, more: &[&str]) -> Answer {
    recmirror(&arguments(command, root, &server.base(), more))
}

fn composed(command: &str, root: &Path, strength: &str, more: &[&str]) -> Answer {
    let way = if command == "decide" { "--composed" } else { "--overlap" };
    let mut all = vec![command, "--project", text(root), "--datasets", "x", "--strength", strength, "--quiet", way];
    all.extend_from_slice(more);
    recmirror(&all)
}

/// The file that a stage makes.
fn made(command: &str, root: &Path) -> PathBuf {
    root.join(if command == "decide" { "decisions/x_decisions_strong.jsonl" } else { "probs/x_probs_strong.jsonl" })
}

fn decisions(root: &Path) -> String {
    read(&made("decide", root))
}

fn journal_of(command: &str, root: &Path) -> String {
    std::fs::read_to_string(made(command, root).with_extension("jsonl.part")).unwrap_or_default()
}

fn journal(root: &Path) -> String {
    journal_of("decide", root)
}

/// A project that a stage can begin with.
fn ready(command: &str, scenes: usize) -> tempfile::TempDir {
    let folder = project(scenes);
    if command == "judge" {
        ask("decide", folder.path(), &Server::start(|_| Reply::Answers), &[]).expect(0);
    }
    folder
}

/// The result of a server without faults.
fn undisturbed_by(command: &str, scenes: usize, reply: fn() -> Reply) -> String {
    let folder = ready(command, scenes);
    let server = Server::start(move |_| reply());
    ask(command, folder.path(), &server, &[]).expect(0);
    read(&made(command, folder.path()))
}

fn undisturbed(scenes: usize, reply: fn() -> Reply) -> String {
    undisturbed_by("decide", scenes, reply)
}

fn status(status: u16, headers: &'static str) -> Reply {
    Reply::Status(status, headers, json!({"error": {"message": "not now"}}).to_string())
}

/// Each scene meets another fault, some of them several times.
fn faulty(request: &Request) -> Reply {
    match (request.scene, request.before) {
        (0, 0..5) => status(429, ""),
        (1, 0) => status(429, "retry-after: 0\r\n"),
        (1, 1) => status(429, "retry-after-ms: 30\r\n"),
        (2, 0) => status(500, ""),
        (2, 1) => status(503, ""),
        (2, 2) => status(529, ""),
        (3, 0..3) => Reply::Drop,
        (4, 0..3) => Reply::Half,
        (5, 0) => Reply::Trickle,
        (6, 0) => Reply::Body("{\"choices\": [".to_owned()),
        (6, 1) => Reply::Body("<html>busy</html>".to_owned()),
        (7, 0) => Reply::Body("{\"choices\": []}".to_owned()),
        (7, 1) => Reply::Body("[1, 2]".to_owned()),
        (7, 2) => Reply::Body("{\"error\": {\"message\": \"overloaded\"}}".to_owned()),
        // An answer without log-probabilities is no fault of the moment.
        (7, 3) if request.body["logprobs"] == true => status(502, ""),
        (7, 3) => Reply::Body("{\"choices\": [{\"text\": \"x\"}]}".to_owned()),
        (8, 0..3) => status(408, ""),
        _ => Reply::Answers,
    }
}

#[test]
fn faults_are_waited_out_and_leave_no_trace() {
    // `decide` asks once for the four answers of a scene, `judge` once for each.
    for (command, requests, file) in [("decide", 1, "x_decisions_strong.jsonl"), ("judge", 4, "x_probs_strong.jsonl")] {
        let folder = ready(command, 10);
        let server = Server::start(faulty);
        ask(command, folder.path(), &server, &[]).expect(0);
        assert_eq!(read(&made(command, folder.path())), undisturbed_by(command, 10, || Reply::Answers), "{command}");
        let mut asked = [0; 10];
        server.requests().iter().for_each(|request| asked[request.scene] += 1);
        assert_eq!(asked, [5, 2, 3, 3, 3, 1, 2, 4, 3, 0].map(|faults| faults + requests), "{command}");
        assert!(server.delivered().values().all(|&count| count == 4) && server.delivered().len() == 10);
        let folder = made(command, folder.path()).parent().expect("a folder").to_owned();
        assert_eq!(names_in(&folder), [file]);
    }
}

#[test]
fn a_refused_label_is_asked_again_and_too_many_stop_the_run() {
    let folder = ready("judge", 5);
    let root = folder.path();
    let longest = |request: &Request| match (request.scene, request.before) {
        (2, 0..2) => Reply::Status(400, "", "{\"error\": {\"message\": \"too long\"}}".to_owned()),
        _ => Reply::Answers,
    };
    let server = Server::start(longest);
    let answer = ask("judge", root, &server, &["--skip-failed", "--concurrency", "1"]).expect(0);
    assert!(
        answer.stdout.contains("usable decisions whose request failed (asked again next time)"),
        "{}",
        answer.stdout
    );
    assert_eq!(journal_of("judge", root).lines().count(), 1 + 18);
    let well = Server::start(|_| Reply::Answers);
    ask("judge", root, &well, &[]).expect(0);
    assert_eq!(well.requests().len(), 2);
    assert_eq!(read(&made("judge", root)), undisturbed_by("judge", 5, || Reply::Answers));
    let never = Server::start(|_| Reply::Status(400, "", "{}".to_owned()));
    let answer = ask("judge", root, &never, &["--skip-failed", "--concurrency", "1", "--restart"]).expect(2);
    answer.says(&["refuses the request (status 400)", "leave out --restart next time"]);
    assert_eq!(never.requests().len(), 3);
}

#[test]
fn an_answer_without_labels_costs_only_itself_once_labels_were_read() {
    let folder = ready("judge", 3);
    let empty = |request: &Request| match (request.scene, request.before) {
        (1, 0) => Reply::Body(
            "{\"choices\": [{\"message\": {\"content\": \"A\"}, \"logprobs\": {\"content\": []}}]}".to_owned(),
        ),
        _ => Reply::Answers,
    };
    let server = Server::start(empty);
    let answer = ask("judge", folder.path(), &server, &["--concurrency", "1"]).expect(0);
    assert!(answer.stdout.contains("11 judged decisions"), "{}", answer.stdout);
    assert!(answer.stdout.contains("for which the predictor named no option label"), "{}", answer.stdout);
}

#[test]
fn faults_that_do_not_end_stop_the_run_and_keep_what_was_answered() {
    let folder = project(6);
    let never = |request: &Request| if request.scene == 3 { status(500, "") } else { Reply::Answers };
    let server = Server::start(never);
    let more = ["--retries", "2", "--concurrency", "1"];
    let answer = ask("decide", folder.path(), &server, &more).expect(1);
    answer.says(&["gave no answer in 3 tries", "status 500: not now"]);
    assert_eq!(journal(folder.path()).lines().count(), 1 + 3 * 4);
    let answer = ask("decide", folder.path(), &server, &["--retries", "2", "--skip-failed"]).expect(0);
    assert!(answer.stdout.contains("scenes without an answer (first:"), "{}", answer.stdout);
    let failed = decisions(folder.path()).lines().nth(3).map(str::to_owned).unwrap_or_default();
    assert!(failed.starts_with(r#"{"custom_id":"x-3","response":null,"error":{"message":"#), "{failed}");
    // Another time the server is well: what failed is asked again, and nothing else.
    let well = Server::start(|_| Reply::Answers);
    ask("decide", folder.path(), &well, &[]).expect(0);
    assert_eq!(decisions(folder.path()), undisturbed(6, || Reply::Answers));
    assert_eq!(well.requests().len(), 1);
}

#[test]
fn servers_that_give_one_answer_at_a_time_are_asked_for_one_at_a_time() {
    let single = undisturbed(3, || Reply::One);
    let folder = project(3);
    let refusing = |request: &Request| match request.body["n"].as_u64() {
        Some(_) => Reply::Status(400, "", "{\"error\": {\"message\": \"n must be 1\"}}".to_owned()),
        None => Reply::Answers,
    };
    let server = Server::start(refusing);
    ask("decide", folder.path(), &server, &["--concurrency", "1"]).expect(0);
    assert_eq!(decisions(folder.path()), single);
    assert_eq!(server.requests().len(), 1 + 3 * 4, "it is told once");
    let seeds: std::collections::BTreeSet<u64> = server.delivered().into_keys().map(|(_, seed)| seed).collect();
    assert_eq!(seeds.len(), 12, "each sample has its own seed");
}

/// Waits until something is so.
fn until(what: &str, is: impl Fn() -> bool) {
    for _ in 0..3_000 {
        if is() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("half a minute has passed: {what}");
}

/// Waits until the journal has this many answers.
fn wait_for(command: &str, root: &Path, answers: usize) {
    until(&format!("no {answers} answers"), || journal_of(command, root).lines().count() > answers);
}

#[test]
fn a_killed_run_continues_without_losing_an_answer_or_asking_twice() {
    // Keys of what was delivered: `decide` has a seed for each sample, `judge` none.
    killed_and_resumed("decide", 20);
    killed_and_resumed("judge", 5);
}

fn killed_and_resumed(command: &str, keys: usize) {
    let folder = ready(command, 5);
    let root = folder.path();
    let mut delivered = std::collections::BTreeMap::new();
    for limit in [3, 4, 6] {
        // It answers some requests and then leaves all others waiting.
        let before: usize = delivered.values().sum();
        let server = Server::start(move |request| if request.answered < limit { Reply::One } else { Reply::Hold });
        let base = server.base();
        let mut child = start(&[], &arguments(command, root, &base, &["--concurrency", "1"]));
        wait_for(command, root, before + limit);
        child.kill().expect("killed");
        child.wait().expect("gone");
        for (key, count) in server.delivered() {
            *delivered.entry(key).or_insert(0) += count;
        }
        assert_eq!(delivered.values().sum::<usize>(), before + limit);
        assert!(!made(command, root).exists());
    }
    // A half-written line, as a crash of the machine may leave it.
    let path = made(command, root).with_extension("jsonl.part");
    write(&path, journal_of(command, root) + "[4,3,{\"text\":\"ha");
    let server = Server::start(|_| Reply::One);
    ask(command, root, &server, &[]).expect(0);
    for (key, count) in server.delivered() {
        *delivered.entry(key).or_insert(0) += count;
    }
    assert_eq!(delivered.len(), keys, "every sample of every scene");
    assert!(delivered.values().all(|&count| count == 20 / keys), "none twice: {delivered:?}");
    assert_eq!(read(&made(command, root)), undisturbed_by(command, 5, || Reply::One));
    // A further run asks nothing.
    let idle = Server::start(|_| Reply::Drop);
    ask(command, root, &idle, &[]).expect(0);
    assert!(idle.requests().is_empty());
}

#[cfg(unix)]
#[test]
fn an_interrupt_finishes_active_requests() {
    let folder = project(4);
    let root = folder.path();
    let server = Server::start(|request| if request.answered < 5 { Reply::One } else { Reply::Late });
    let base = server.base();
    let mut child = start(&[], &arguments("decide", root, &base, &["--concurrency", "1"]));
    wait_for("decide", root, 5);
    interrupt(&mut child);
    server.release();
    wait(child).expect(1).says(&["stopped: 6 of 16 answers are in"]);
    assert_eq!(journal(root).lines().count(), 1 + 6);
}

/// The effect of Ctrl-C, after the handler has run.
#[cfg(unix)]
fn interrupt(child: &mut std::process::Child) {
    let kill = std::process::Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status();
    assert!(kill.is_ok_and(|status| status.success()));
    heard(child, "stopping: active requests are finished");
}

#[cfg(unix)]
#[test]
fn a_request_that_waits_for_budget_is_not_sent_after_an_interrupt() {
    let folder = project(2);
    let server = Server::start(|_| Reply::Late);
    let base = server.base();
    // One request sets aside some 500 tokens and 4 x 1024: the other waits for it.
    let more = ["--concurrency", "2", "--max-total-tokens", "6000", "--timeout", "60"];
    let mut child = start(&[], &arguments("decide", folder.path(), &base, &more));
    until("no request", || !server.requests().is_empty());
    interrupt(&mut child);
    server.release();
    wait(child).expect(1).says(&["stopped: 1 of 8 answers are in"]);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn the_budget_holds_and_the_rest_is_asked_with_a_larger_one() {
    let folder = project(8);
    let server = Server::start(|_| Reply::Answers);
    // A request sets aside some 500 tokens of its prompt and 4 x 50 of its answers, and uses 100.
    let small = ["--max-tokens", "50", "--max-total-tokens", "1000", "--concurrency", "1"];
    let answer = ask("decide", folder.path(), &server, &small).expect(1);
    answer.says(&["the budget of 1000 tokens is used up", "raise --max-total-tokens"]);
    let there = server.requests().len();
    assert!((1..8).contains(&there), "{there}");
    assert_eq!(journal(folder.path()).lines().count(), 1 + 4 * there);
    ask("decide", folder.path(), &server, &["--max-tokens", "50", "--max-total-tokens", "100000"]).expect(0);
    assert_eq!(server.requests().len(), 8);
}

#[test]
fn a_dry_run_prints_requests_and_tokens_and_sends_nothing() {
    let folder = project(3);
    let answer = ask("decide", folder.path(), &Server::start(|_| Reply::Drop), &["--dry-run"]).expect(0);
    let output = answer.stdout.replace(text(folder.path()), "PROJECT");
    insta::assert_snapshot!(output);
    assert!(!folder.path().join("decisions").exists());
}

#[test]
fn other_settings_are_reported_and_restart_starts_again() {
    let folder = project(3);
    let root = folder.path();
    let holding = Server::start(|request| if request.answered < 4 { Reply::Answers } else { Reply::Drop });
    ask("decide", root, &holding, &["--retries", "0", "--concurrency", "1"]).expect(1);
    let well = Server::start(|_| Reply::Answers);
    let other = ask("decide", root, &well, &["--temperature", "0.5"]).expect(2);
    other.says(&["temperature: was 1, is 0.5", "--restart"]);
    ask("decide", root, &well, &["--temperature", "0.5", "--restart"]).expect(0);
    assert_eq!(well.requests().len(), 3);
    ask("decide", root, &well, &[]).expect(2).says(&["the file is there, by toy", "--restart makes it again"]);
    let text = read(&root.join("datasets/x_train.jsonl")).replace("Old one", "New one");
    write(&root.join("datasets/x_train.jsonl"), text);
    ask("decide", root, &well, &["--temperature", "0.5"]).expect(2).says(&["from other scenes or settings"]);
}

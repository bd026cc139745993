//! Batch files, `judge`, the flow without a model, wrong flags.

use super::*;

/// The output of OpenAI's batch interface for a file of requests; `failing` lines fail.
fn batched(requests: &str, failing: &[&str]) -> Vec<String> {
    let answer = |line: &str| {
        let request: Value = serde_json::from_str(line).expect("a request");
        let id = request["custom_id"].as_str().expect("an id").to_owned();
        if failing.iter().any(|failing| id == *failing || id.starts_with(&format!("{failing}."))) {
            return json!({"custom_id": id, "response": null, "error": {"message": "expired"}}).to_string();
        }
        let scene = id.split(['-', '.']).nth(1).and_then(|scene| scene.parse().ok()).expect("a scene");
        let body = answers(scene, &request["body"], request["body"]["n"].as_u64().unwrap_or(1));
        json!({"custom_id": id, "error": null, "response": {"status_code": 200, "request_id": "r", "body": body}})
            .to_string()
    };
    // The last first: batch output comes in any order.
    requests.lines().rev().map(answer).collect()
}

fn batch(command: &str, root: &Path, flag: &str, file: &Path, more: &[&str]) -> Answer {
    let mut all = vec![command, "--project", text(root), "--datasets", "x", "--strength", "strong", "--quiet"];
    all.extend(["--model", "toy", flag, text(file)]);
    if command == "decide" {
        all.extend(["--decisions", "4"]);
    }
    all.extend_from_slice(more);
    recmirror(&all)
}

#[test]
fn batch_files_go_out_and_come_in() {
    let folder = project(4);
    let root = folder.path();
    let (out, back) = (root.join("out.jsonl"), root.join("back.jsonl"));
    batch("decide", root, "--batch-out", &out, &[]).expect(0);
    assert_eq!(read(&out).lines().count(), 4);
    write(&back, batched(&read(&out), &["x-2"]).join("\n"));
    let answer = batch("decide", root, "--batch-in", &back, &[]).expect(1);
    answer.says(&["12 of 16 answers are there", "is of scene 2 (expired)", "give the rest with --batch-in"]);
    // The second file asks for the rest alone.
    batch("decide", root, "--batch-out", &out, &[]).expect(0);
    assert_eq!(read(&out).lines().count(), 1);
    write(&back, batched(&read(&out), &[]).join("\n"));
    batch("decide", root, "--batch-in", &back, &[]).expect(0);
    assert_eq!(decisions(root), undisturbed(4, || Reply::Answers), "the same as from the server");
    batch("judge", root, "--batch-out", &out, &[]).expect(0);
    write(&back, batched(&read(&out), &[]).join("\n"));
    batch("judge", root, "--batch-in", &back, &[]).expect(0);
    let probs = root.join("probs/x_probs_strong.jsonl");
    let by_batch = read(&probs);
    let server = Server::start(|_| Reply::Answers);
    ask("judge", root, &server, &["--restart"]).expect(0);
    assert_eq!(read(&probs), by_batch);
    write(&back, "{\"custom_id\": \"x-0-0.01234567\", \"response\": null}\n");
    let answer = batch("judge", root, "--batch-in", &back, &["--restart"]).expect(2);
    answer.says(&["back.jsonl:1", "`x-0-0.01234567` belongs to other scenes"]);
    write(&back, "{\"custom_id\": \"x-77\", \"response\": null}\n");
    batch("decide", root, "--batch-in", &back, &["--restart"])
        .expect(2)
        .says(&["back.jsonl:1", "`x-77` names no scene"]);
}

#[test]
fn batch_answers_have_their_places_and_belong_to_their_requests() {
    let folder = project(3);
    let root = folder.path();
    let (out, back, plain) = (root.join("out.jsonl"), root.join("back.jsonl"), root.join("plain.jsonl"));
    batch("decide", root, "--batch-out", &out, &[]).expect(0);
    // A server that gives two of the four answers; the rest is asked for by a second file.
    let halved = |text: &str| text.replace("\"n\":4", "\"n\":2");
    write(&back, batched(&halved(&read(&out)), &[]).join("\n"));
    let first = read(&back);
    batch("decide", root, "--batch-in", &back, &[]).expect(1).says(&["6 of 12 answers are there"]);
    batch("decide", root, "--batch-in", &back, &[]).expect(1).says(&["6 of 12 answers are there"]);
    batch("decide", root, "--batch-out", &out, &[]).expect(0);
    assert!(read(&out).lines().all(|line| line.contains(".2.")), "{}", read(&out));
    write(&back, batched(&read(&out), &["x-1"]).join("\n"));
    for _ in 0..2 {
        // The same answers again, and those that are there already, are not copied to other places.
        write(&plain, format!("{first}\n{}", read(&back)));
        batch("decide", root, "--batch-in", &plain, &[]).expect(1).says(&["10 of 12 answers are there"]);
    }
    // Answers to another seed's requests are refused; those of a file made elsewhere are taken.
    let other = batch("decide", root, "--batch-in", &back, &["--seed", "2", "--restart"]).expect(2);
    other.says(&["back.jsonl:1", "belongs to other scenes, prompts or settings", "--batch-out"]);
    let bare = |line: &str| {
        let mut line: Value = serde_json::from_str(line).expect("a line");
        let id = line["custom_id"].as_str().and_then(|id| id.split('.').next()).expect("an id").to_owned();
        line["custom_id"] = json!(id);
        line.to_string() + "\n"
    };
    write(&plain, first.lines().map(bare).collect::<String>());
    let answer = batch("decide", root, "--batch-in", &plain, &["--seed", "2", "--restart"]).expect(1);
    answer.says(&["6 of 12 answers are there", "without --restart"]);
}

#[test]
fn a_server_judges_and_labels_that_it_does_not_list_are_counted() {
    let folder = project(3);
    let root = folder.path();
    let server = Server::start(|_| Reply::Answers);
    ask("decide", root, &server, &[]).expect(0);
    let answer = ask("judge", root, &server, &[]).expect(0);
    assert!(answer.stdout.contains("12 judged decisions"), "{}", answer.stdout);
    assert!(
        answer.stdout.contains("12 of 36 option labels were not among the most likely tokens"),
        "{}",
        answer.stdout
    );
    let first: Value =
        serde_json::from_str(read(&root.join("probs/x_probs_strong.jsonl")).lines().next().expect("a line"))
            .expect("a record");
    // C is not listed: it gets what the list leaves, or the least listed token's share where that is less.
    let (a, b, the) = (libm::exp(-0.5), libm::exp(-1.5), libm::exp(-2.0));
    let c = the.min(1.0 - a - b - the);
    for (letter, wanted) in [("A", a), ("B", b), ("C", c)] {
        let found = first["choice"][0][letter].as_f64().expect("a probability");
        assert!((found - wanted / (a + b + c)).abs() < 1e-12, "{letter}: {found}");
    }
    let last = server.requests().pop().expect("a request");
    let messages = last.body["messages"].as_array().expect("messages").clone();
    assert!(messages[2]["content"].as_str().is_some_and(|text| text.ends_with("Behavior: [")));
    ask("judge", root, &server, &["--restart", "--letter", "ask"]).expect(0);
    let asked = server.requests().pop().expect("a request");
    assert_eq!(asked.body["messages"].as_array().map(Vec::len), Some(4));
    let mute = Server::start(|_| Reply::Body("{\"choices\": [{\"message\": {\"content\": \"A\"}}]}".to_owned()));
    ask("judge", root, &mute, &["--restart"]).expect(2).says(&["gives no log-probabilities", "--local"]);
}

#[test]
fn without_a_model_the_flow_runs_and_gives_the_same_bytes_for_any_threads() {
    let bytes = |threads: &str| {
        let folder = project(12);
        let root = folder.path();
        for strength in ["strong", "weak"] {
            composed("decide", root, strength, &["--threads", threads]).expect(0);
            composed("judge", root, strength, &["--threads", threads]).expect(0);
        }
        let pairs = ["distill", "--project", text(root), "--datasets", "x", "--quiet"];
        assert!(recmirror(&pairs).expect(0).stdout.contains("12 scenes"));
        let files =
            ["decisions/x_decisions_strong.jsonl", "decisions/x_decisions_weak.jsonl", "probs/x_probs_weak.jsonl"];
        files.map(|file| read(&root.join(file)))
    };
    let [strong, weak, probs] = bytes("1");
    assert!(strong.contains(r#""model":"composed""#) && probs.contains(r#""predictor":"overlap "#));
    assert_ne!(strong, weak);
    assert_eq!(bytes("2"), [strong, weak, probs]);
}

#[test]
fn wrong_files_and_flags_are_reported() {
    let folder = project(2);
    let root = folder.path();
    let plain = |more: &[&str]| {
        let mut all = vec!["decide", "--project", text(root), "--datasets", "x", "--strength", "weak", "--quiet"];
        all.extend_from_slice(more);
        recmirror(&all).expect(2)
    };
    plain(&[]).says(&["give one of --composed, --endpoint"]);
    plain(&["--composed", "--endpoint", "http://127.0.0.1:9"]).says(&["cannot be used with"]);
    plain(&["--endpoint", "http://127.0.0.1:9"]).says(&["--model"]);
    plain(&["--composed", "--top-p", "2"]).says(&["is not a number from"]);
    plain(&["--composed", "--wording", "nowhere.toml"]).says(&["cannot read the wording nowhere.toml"]);
    plain(&["--endpoint", "http://127.0.0.1:9", "--model", "m", "--request-extra", "[1]"]).says(&["not a JSON object"]);
    composed("judge", root, "weak", &[])
        .expect(2)
        .says(&["x_decisions_weak.jsonl does not exist; `recmirror decide` makes it"]);
    let scenes = root.join("datasets/x_train.jsonl");
    let text = read(&scenes);
    write(&scenes, text.replacen("\"item_pos\":1", "\"item_pos\":9", 1));
    composed("decide", root, "weak", &[]).expect(2).says(&["x_train.jsonl:2: item_pos 9 is beyond"]);
    write(&scenes, "");
    composed("decide", root, "weak", &[]).expect(2).says(&["there is no scene in it"]);
    assert!(!root.join("decisions").exists());
}

//! How fast the language model `models/lm-base` reads, writes and chooses: `make lm`, then `cargo bench --bench language`.
//!
//! Tokens and answers a second on all threads. Without the model, it says so and measures nothing.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use recmirror::language::{
    Completion, CompletionRequest, Draws, LanguageError, LanguageModel, LetterRequest, LocalModel, LocalOptions,
    Message, Role, Sampling,
};
use recmirror::random::{Purpose, Streams};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// A question of about 400 tokens; `user` makes it another.
fn question(user: usize) -> Vec<Message> {
    let history: String = (0..30).map(|place| format!("watched film {} and liked it\n", user * 31 + place)).collect();
    let text = format!("History of user {user}:\n{history}On the screen: [A] a comedy [B] a thriller [C] a war film");
    vec![Message::new(Role::System, "Say which one the user takes."), Message::new(Role::User, text)]
}

fn letters(model: &LocalModel, user: usize, said: &str) -> LetterRequest {
    let unfinished = Message::new(Role::Assistant, format!("{said}Behavior: ["));
    let request =
        LetterRequest { messages: [question(user), vec![unfinished]].concat(), options: 3, items: 3, said: 0 };
    assert!(model.count_tokens(&request.messages).is_ok_and(|count| count < model.context()));
    request
}

/// Answers a second, and the tokens of all requests a second.
fn ask(model: &LocalModel, what: &str, requests: &[LetterRequest]) {
    let tokens: usize = requests.iter().filter_map(|request| model.count_tokens(&request.messages).ok()).sum();
    let start = Instant::now();
    let outcome = model.letters(requests, &|_, outcome| assert!(outcome.is_ok()));
    assert!(outcome.is_ok());
    let seconds = start.elapsed().as_secs_f64();
    let (answers, tokens) = (requests.len() as f64 / seconds, tokens as f64 / seconds);
    println!("  {what}: {answers:.1} answers/s, {tokens:.0} prompt tokens/s");
}

fn write(model: &LocalModel, samples: u32) {
    let sampling = Sampling { temperature: 1.0, top_p: 0.9, max_tokens: 32 };
    let request = |id: u64| {
        let draws = Draws { streams: Streams::new(1, 0), purpose: Purpose::Decision, id, first: 0 };
        CompletionRequest { messages: question(0), samples, sampling, draws }
    };
    let requests: Vec<_> = (0..4).map(request).collect();
    let written = AtomicUsize::new(0);
    let start = Instant::now();
    let outcome = model.complete(&requests, &|_, answers| {
        let texts = answers.iter().flatten().map(|answer| vec![Message::new(Role::Assistant, answer.text.as_str())]);
        let empty = model.count_tokens(&[Message::new(Role::Assistant, "")]).unwrap_or(0);
        let tokens: usize = texts.filter_map(|text| model.count_tokens(&text).ok()).map(|count| count - empty).sum();
        written.fetch_add(tokens, Ordering::Relaxed);
    });
    assert!(outcome.is_ok());
    let speed = written.into_inner() as f64 / start.elapsed().as_secs_f64();
    println!("  {samples} samples of a prompt that was read: {speed:.0} tokens/s");
}

/// The requests of `benches/peers/llama.py`, a line at a time.
#[derive(serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Task {
    /// Requests for option labels, all at once.
    Rounds(Vec<Talk>),
    /// A conversation that is new: how fast it is read, and an answer written.
    Speeds(Vec<Message>),
}

#[derive(serde::Deserialize)]
struct Talk {
    messages: Vec<Message>,
    options: usize,
}

/// Answers the lines of stdin until it ends.
fn serve(model: &LocalModel) {
    for line in std::io::stdin().lines() {
        let line = line.expect("a line");
        let answer = match serde_json::from_str(&line).expect("a task") {
            Task::Rounds(talks) => rounds(model, talks),
            Task::Speeds(messages) => speeds(model, messages),
        };
        println!("{answer}");
    }
}

fn rounds(model: &LocalModel, talks: Vec<Talk>) -> serde_json::Value {
    let unfinished = Message::new(Role::Assistant, "Behavior: [");
    let request = |talk: Talk| LetterRequest {
        messages: [talk.messages, vec![unfinished.clone()]].concat(),
        options: talk.options,
        items: talk.options,
        said: 0,
    };
    let requests: Vec<LetterRequest> = talks.into_iter().map(request).collect();
    let letters = Mutex::new(vec![Vec::new(); requests.len()]);
    let start = Instant::now();
    let put = |place: usize, shares| letters.lock().expect("no panic")[place] = shares;
    model.letters(&requests, &|place, shares| put(place, shares.expect("shares"))).expect("letters");
    let seconds = start.elapsed().as_secs_f64();
    serde_json::json!({ "seconds": seconds, "letters": letters.into_inner().expect("no panic") })
}

fn speeds(model: &LocalModel, messages: Vec<Message>) -> serde_json::Value {
    let unfinished = Message::new(Role::Assistant, "Behavior: [");
    let letter =
        LetterRequest { messages: [messages.clone(), vec![unfinished]].concat(), options: 5, items: 5, said: 0 };
    let tokens = model.count_tokens(&letter.messages).expect("tokens") as f64;
    let start = Instant::now();
    model.letters(&[letter], &|_, shares| assert!(shares.is_ok())).expect("letters");
    let read = tokens / start.elapsed().as_secs_f64();
    let sampling = Sampling { temperature: 1.0, top_p: 0.9, max_tokens: 64 };
    let draws = Draws { streams: Streams::new(1, 0), purpose: Purpose::Decision, id: 0, first: 0 };
    let written = AtomicUsize::new(0);
    let start = Instant::now();
    let count = |answers: Vec<Completion>| {
        let empty = model.count_tokens(&[Message::new(Role::Assistant, "")]).expect("tokens");
        let texts = answers.iter().map(|answer| vec![Message::new(Role::Assistant, answer.text.as_str())]);
        texts.map(|text| model.count_tokens(&text).expect("tokens") - empty).sum::<usize>()
    };
    let request = CompletionRequest { messages, samples: 1, sampling, draws };
    let arrived = |_: usize, answers: Result<Vec<Completion>, LanguageError>| {
        written.store(count(answers.expect("an answer")), Ordering::Relaxed);
    };
    model.complete(&[request], &arrived).expect("answers");
    serde_json::json!({ "read": read, "written": written.into_inner() as f64 / start.elapsed().as_secs_f64() })
}

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/lm-base");
    let mut arguments = std::env::args().skip_while(|argument| argument != "--rounds");
    if let Some(threads) = arguments.nth(1) {
        let (threads, graph) = (threads.parse().expect("a number"), arguments.next());
        let options = LocalOptions { threads, graph, ..LocalOptions::default() };
        return serve(&LocalModel::load(&folder, &options).expect("models/lm-base: make lm"));
    }
    for threads in [1, 2] {
        let options = LocalOptions { threads, ..LocalOptions::default() };
        let model = match LocalModel::load(&folder, &options) {
            Ok(model) => model,
            Err(problem) => return println!("nothing measured: {problem}"),
        };
        println!("{}, {threads} threads", model.name());
        let users: Vec<_> = (0..12).map(|user| letters(&model, user, "")).collect();
        ask(&model, "nothing read before", &users);
        let long = "The user has seen many films of this kind, and the first one on the screen is the most like them. ";
        let said: Vec<_> = (0..24).map(|user| letters(&model, user % 12, &long.repeat(2))).collect();
        ask(&model, "question read, a decision of 40 tokens new", &said);
        let direct: Vec<_> = (0..48).map(|user| letters(&model, user % 12, "So: ")).collect();
        ask(&model, "question read, only the end new", &direct);
        for samples in [1, 8, 32] {
            write(&model, samples);
        }
    }
}

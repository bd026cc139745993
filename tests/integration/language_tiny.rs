//! Local language models, on small random ones: exact whatever runs beside them, and clear about what cannot be used.

mod folder;

use crate::util::{has_runtime, package, place, read, write};
use recmirror::language::{
    Completion, CompletionRequest, Draws, Finish, LanguageError, LanguageModel, LetterRequest, Likelihood,
    LikelihoodRequest, LocalModel, LocalOptions, Message, Role, Sampling,
};
use recmirror::random::{Purpose, Streams};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

const KINDS: [&str; 2] = ["llama", "qwen2"];

fn fixture(kind: &str) -> PathBuf {
    package().join("tests/fixtures/language").join(kind)
}

/// A copy of a fixture that a test may damage.
fn copy(kind: &str) -> TempDir {
    let folder = place();
    for entry in std::fs::read_dir(fixture(kind)).expect("a folder") {
        let path = entry.expect("an entry").path();
        std::fs::copy(&path, folder.path().join(path.file_name().expect("a name"))).expect("a copy");
    }
    folder
}

fn options(threads: usize, cache_bytes: usize) -> LocalOptions {
    LocalOptions { threads, cache_bytes, ..LocalOptions::default() }
}

fn load(kind: &str, threads: usize, cache_bytes: usize) -> LocalModel {
    LocalModel::load(&fixture(kind), &options(threads, cache_bytes)).unwrap_or_else(|problem| panic!("{problem}"))
}

/// The outcomes in the order of the requests.
fn gather<T: Send>(
    count: usize,
    ask: impl FnOnce(&(dyn Fn(usize, Result<T, LanguageError>) + Sync)) -> Result<(), LanguageError>,
) -> Vec<Result<T, String>> {
    let found: Mutex<Vec<Option<Result<T, String>>>> = Mutex::new((0..count).map(|_| None).collect());
    ask(&|place, outcome| {
        let old = found.lock().unwrap()[place].replace(outcome.map_err(|problem| problem.to_string()));
        assert!(old.is_none(), "request {place} was answered twice");
    })
    .unwrap_or_else(|problem| panic!("{problem}"));
    let found = found.into_inner().unwrap();
    found.into_iter().map(|outcome| outcome.expect("an answer for each request")).collect()
}

fn complete(model: &LocalModel, requests: &[CompletionRequest]) -> Vec<Vec<Completion>> {
    let found = gather(requests.len(), |arrived| model.complete(requests, arrived));
    found.into_iter().map(|outcome| outcome.expect("completions")).collect()
}

fn letters(model: &LocalModel, requests: &[LetterRequest]) -> Vec<Vec<f64>> {
    let found = gather(requests.len(), |arrived| model.letters(requests, arrived));
    found.into_iter().map(|outcome| outcome.expect("probabilities")).collect()
}

fn likelihoods(model: &LocalModel, requests: &[LikelihoodRequest]) -> Vec<Likelihood> {
    let found = gather(requests.len(), |arrived| model.likelihoods(requests, arrived));
    found.into_iter().map(|outcome| outcome.expect("a likelihood")).collect()
}

fn question(number: usize) -> Vec<Message> {
    let text = format!("Was nähme sie? {} [A] Brücke [B] 東京 [C] the rain", "and then ".repeat(number % 5));
    vec![Message::new(Role::System, "Say which one the user takes."), Message::new(Role::User, text)]
}

fn completion(number: usize, first: u32, samples: u32) -> CompletionRequest {
    let draws = Draws { streams: Streams::new(5, 0), purpose: Purpose::Decision, id: number as u64, first };
    let sampling = Sampling { temperature: 1.0, top_p: 0.9, max_tokens: 20 };
    CompletionRequest { messages: question(number), samples, sampling, draws }
}

/// Each question with several unfinished answers.
fn letter_requests() -> Vec<LetterRequest> {
    let said = ["", "On the whole, ", "I would not know why, but "];
    let request = |number: usize| {
        let unfinished = Message::new(Role::Assistant, format!("{}Behavior: [", said[number % 3]));
        let options = 2 + number % 3;
        let messages = [question(number / 3), vec![unfinished]].concat();
        LetterRequest { messages, options, items: options, said: 0 }
    };
    (0..18).map(request).collect()
}

fn bits(values: &[Vec<f64>]) -> Vec<Vec<u64>> {
    values.iter().map(|row| row.iter().map(|value| value.to_bits()).collect()).collect()
}

#[test]
fn a_text_has_the_likelihood_of_the_reference() {
    if !has_runtime() {
        return;
    }
    for kind in KINDS {
        let expected: serde_json::Value = serde_json::from_str(&read(&fixture(kind).join("expected.json"))).unwrap();
        let request = LikelihoodRequest { messages: vec![], text: expected["text"].as_str().unwrap().to_owned() };
        let found = likelihoods(&load(kind, 1, 0), &[request])[0];
        assert_eq!(found.tokens as u64, expected["tokens"].as_u64().unwrap());
        let log = expected["log"].as_f64().unwrap();
        assert!((found.log - log).abs() < 2e-4 * log.abs(), "{kind}: {} and not {log}", found.log);
    }
}

#[test]
fn a_sample_is_the_same_whatever_is_asked_beside_it() {
    if !has_runtime() {
        return;
    }
    for kind in KINDS {
        let requests: Vec<_> = (0..7).map(|number| completion(number, 0, 6)).collect();
        let expected = complete(&load(kind, 1, 0), &requests);
        let distinct: std::collections::BTreeSet<_> = expected.iter().flatten().map(|answer| &answer.text).collect();
        assert!(distinct.len() > 20, "samples differ: {}", distinct.len());
        assert_eq!(complete(&load(kind, 2, 1 << 20), &requests), expected, "{kind}: two threads, with a cache");
        let model = load(kind, 2, 40_000);
        let turned: Vec<_> = requests.iter().rev().cloned().collect();
        let mut found = complete(&model, &turned);
        found.reverse();
        assert_eq!(found, expected, "{kind}: in another order, with hardly any cache");
        // The requests that a stopped run still lacks: other numbers of samples, from another first one.
        let rest: Vec<_> = (0..7).map(|number| completion(number, 4, 2)).collect();
        for (found, expected) in complete(&model, &rest).iter().zip(&expected) {
            assert_eq!(found.as_slice(), &expected[4..], "{kind}: resumed");
        }
    }
}

#[test]
fn labels_do_not_depend_on_other_requests() {
    if !has_runtime() {
        return;
    }
    for kind in KINDS {
        let requests = letter_requests();
        let expected = letters(&load(kind, 1, 0), &requests);
        for (request, shares) in requests.iter().zip(&expected) {
            assert_eq!(shares.len(), request.options);
            assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12 && shares.iter().all(|share| *share >= 0.0));
        }
        let model = load(kind, 2, 1 << 22);
        assert_eq!(bits(&letters(&model, &requests)), bits(&expected), "{kind}: two threads, with a cache");
        assert_eq!(bits(&letters(&model, &requests)), bits(&expected), "{kind}: with what was read before");
        for (request, expected) in requests.iter().zip(&expected) {
            let alone = letters(&model, std::slice::from_ref(request));
            assert_eq!(bits(&alone), bits(std::slice::from_ref(expected)), "{kind}: alone");
        }
    }
}

/// `[A` and `[B` are one token each, `[C` is two: the labels have the shares of the texts that they end.
#[test]
fn labels_that_merge_with_the_text_have_the_likelihood_of_their_texts() {
    if !has_runtime() {
        return;
    }
    let model = load("qwen2", 1, 1 << 20);
    for options in [2, 3] {
        let unfinished = Message::new(Role::Assistant, "Behavior: [");
        let messages = [question(1), vec![unfinished]].concat();
        let found = &letters(&model, &[LetterRequest { messages, options, items: options, said: 0 }])[0];
        let text = |letter: &&str| LikelihoodRequest { messages: question(1), text: format!("Behavior: [{letter}") };
        let logs = likelihoods(&model, &["A", "B", "C"][..options].iter().map(text).collect::<Vec<_>>());
        for place in 1..options {
            let wanted = libm::exp(logs[place].log - logs[0].log);
            assert!((found[place] / found[0] / wanted - 1.0).abs() < 1e-6, "{place} of {options}: {found:?}, {wanted}");
        }
    }
}

#[test]
fn keys_values_and_logits_may_have_half_precision() {
    if !has_runtime() {
        return;
    }
    // The graph is made for texts of 64 tokens.
    let folder = copy("llama");
    let config = folder.path().join("config.json");
    write(&config, read(&config).replace("256", "64"));
    let load = |threads, cache_bytes| {
        let options = LocalOptions { graph: Some("halves.onnx".to_owned()), ..options(threads, cache_bytes) };
        LocalModel::load(folder.path(), &options).unwrap_or_else(|problem| panic!("{problem}"))
    };
    let request = |number: u32| CompletionRequest {
        messages: vec![Message::new(Role::User, "the rain")],
        ..completion(0, number, 3)
    };
    let expected = complete(&load(1, 0), &[request(0), request(3)]);
    let model = load(2, 1 << 20);
    assert_eq!(complete(&model, &[request(0), request(3)]), expected);
    assert_eq!(complete(&model, &[request(0), request(3)]), expected);
}

#[test]
fn a_prompt_that_is_too_long_fails_only_its_request() {
    if !has_runtime() {
        return;
    }
    let model = load("llama", 2, 1 << 20);
    let mut requests: Vec<_> = (0..3).map(|number| completion(number, 0, 2)).collect();
    requests[1].messages[1].content = "the rain ".repeat(60);
    let count = model.count_tokens(&requests[1].messages).unwrap();
    let found = gather(3, |arrived| model.complete(&requests, arrived));
    assert!(found[0].is_ok() && found[2].is_ok());
    let expected =
        format!("the prompt has {count} tokens, the model reads at most 256; shorten the history or the list");
    assert_eq!(found[1].as_ref().unwrap_err(), &expected);
}

#[test]
fn answers_end_where_the_limit_or_the_context_is() {
    if !has_runtime() {
        return;
    }
    let model = load("llama", 1, 0);
    let mut request = completion(0, 0, 3);
    request.sampling = Sampling { temperature: 0.0, top_p: 1.0, max_tokens: 0 };
    let nothing = Completion { text: String::new(), finish: Finish::Length };
    assert_eq!(complete(&model, std::slice::from_ref(&request))[0], vec![nothing; 3]);
    // Near the end of the context, more is wanted than has room; equal draws aside, the most likely tokens are the same.
    request.messages[1].content = "the rain ".repeat(20);
    request.sampling.max_tokens = 1000;
    let answers = &complete(&model, std::slice::from_ref(&request))[0];
    assert!(answers.iter().all(|answer| answer == &answers[0]));
    let prompt = model.count_tokens(&request.messages).unwrap();
    // All that has room, and no more: the same model with one token less says one token less.
    assert_eq!(answers[0].finish, Finish::Length, "the most likely tokens of this model never end a text");
    let room = model.context() - prompt;
    request.sampling.max_tokens = room;
    assert_eq!(&complete(&model, std::slice::from_ref(&request))[0], answers);
    request.sampling.max_tokens = room - 1;
    let shorter = &complete(&model, std::slice::from_ref(&request))[0];
    assert!(shorter[0].text.len() < answers[0].text.len() && answers[0].text.starts_with(&shorter[0].text));
}

#[test]
fn memory_for_samples_bounds_how_many_grow_at_once_and_changes_no_bit() {
    if !has_runtime() {
        return;
    }
    for kind in KINDS {
        let request = completion(2, 0, 11);
        let of = |sample_bytes| {
            let options = LocalOptions { sample_bytes, ..options(1, 0) };
            let model = LocalModel::load(&fixture(kind), &options).expect("a model");
            complete(&model, std::slice::from_ref(&request))
        };
        let expected = of(usize::MAX);
        assert_eq!(expected[0].len(), 11);
        assert!([0, 1 << 16, 1 << 18].iter().all(|&bytes| of(bytes) == expected), "{kind}");
    }
}

#[test]
fn a_stop_ends_a_request_in_the_middle_and_gives_nothing_half() {
    if !has_runtime() {
        return;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let options = LocalOptions { stop: Arc::clone(&stop), ..options(1, 0) };
    let model = LocalModel::load(&fixture("llama"), &options).expect("a model");
    let mut long = completion(0, 0, 100_000);
    long.sampling.max_tokens = 200;
    let given = AtomicUsize::new(0);
    let count = |_: usize, _: Result<Vec<Completion>, LanguageError>| {
        given.fetch_add(1, Ordering::Relaxed);
    };
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| model.complete(&[long], &count));
        std::thread::sleep(std::time::Duration::from_millis(50));
        stop.store(true, Ordering::Relaxed);
        asked.join().expect("no panic").expect("a stop is no error");
    });
    // Nothing more is begun either.
    model.complete(&[completion(0, 0, 1)], &count).expect("a stop is no error");
    assert_eq!(given.into_inner(), 0);
}

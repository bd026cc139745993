//! The language models `models/lm-base` and `models/lm`, made by `make lm`: whole, exact, and as clever as they should be. Run by
//! `make test-lm`.

use crate::resume::stopped_after;
use crate::util::{digests, movielens, package, place, settings};
use recmirror::Registry;
use recmirror::experiment::Experiment;
use recmirror::language::{
    Completion, CompletionRequest, Draws, Finish, LanguageError, LanguageModel, LetterRequest, LikelihoodRequest,
    LocalModel, LocalOptions, Message, Role, Sampling,
};
use recmirror::random::{Purpose, Streams};
use recmirror::scenario::Scenario;
use std::path::Path;
use std::sync::Mutex;

const TEXT: &str = "The sun rises in the east and sets in the west. Water boils at a hundred degrees Celsius at sea \
    level. Most people sleep at night and work during the day, and on Sundays many of them go for a walk in the park.";

/// As published: it writes. The other one chooses.
const BASE: &str = "models/lm-base";
const TUNED: &str = "models/lm";

fn load(folder: &str, graph: &str, threads: usize, cache_bytes: usize) -> LocalModel {
    let options = LocalOptions { graph: Some(graph.to_owned()), threads, cache_bytes, ..LocalOptions::default() };
    LocalModel::load(&package().join(folder), &options).unwrap_or_else(|problem| panic!("{problem}"))
}

fn gather<T: Send>(
    count: usize,
    ask: impl FnOnce(&(dyn Fn(usize, Result<T, LanguageError>) + Sync)) -> Result<(), LanguageError>,
) -> Vec<T> {
    let found: Mutex<Vec<Option<T>>> = Mutex::new((0..count).map(|_| None).collect());
    ask(&|place, outcome| found.lock().unwrap()[place] = Some(outcome.unwrap_or_else(|problem| panic!("{problem}"))))
        .unwrap_or_else(|problem| panic!("{problem}"));
    found.into_inner().unwrap().into_iter().map(|outcome| outcome.expect("an answer")).collect()
}

fn completion(text: &str, temperature: f64, samples: u32) -> CompletionRequest {
    let draws = Draws { streams: Streams::new(5, 0), purpose: Purpose::Decision, id: text.len() as u64, first: 0 };
    let sampling = Sampling { temperature, top_p: 0.9, max_tokens: 24 };
    CompletionRequest { messages: vec![Message::new(Role::User, text)], samples, sampling, draws }
}

fn complete(model: &LocalModel, requests: &[CompletionRequest]) -> Vec<Vec<Completion>> {
    gather(requests.len(), |arrived| model.complete(requests, arrived))
}

fn scenes() -> Vec<LetterRequest> {
    let said = ["", "The user likes adventures. ", "Nothing on the screen is new to this user, but "];
    let films = ["Alien", "Heat", "Fargo", "Babe", "Das Boot"];
    let request = |number: usize| {
        let list = films.iter().cycle().skip(number).take(5).zip(["A", "B", "C", "D", "E"]);
        let list: String = list.map(|(film, letter)| format!("[{letter}] {film}\n")).collect();
        let question = format!("The user liked {}.\nOn the screen:\n{list}Which one?", films[number % 5]);
        let unfinished = format!("{}Behavior: [", said[number % 3]);
        let messages = vec![
            Message::new(Role::System, "Say which one the user takes."),
            Message::new(Role::User, question),
            Message::new(Role::Assistant, unfinished),
        ];
        LetterRequest { messages, options: 5, items: 5, said: 0 }
    };
    (0..12).map(request).collect()
}

fn letters(model: &LocalModel, requests: &[LetterRequest]) -> Vec<Vec<f64>> {
    gather(requests.len(), |arrived| model.letters(requests, arrived))
}

#[test]
#[ignore = "needs make lm"]
fn it_answers_and_knows_where_to_stop() {
    let question = "What is the capital of France?";
    let answer = complete(&load(BASE, "model.onnx", 1, 0), &[completion(question, 0.0, 1)]).remove(0).remove(0);
    assert!(answer.text.contains("Paris") && answer.finish == Finish::Stop, "{answer:?}");
    // With 8 bits the first word is a near tie; what matters is what is said.
    let request = |city: &str| LikelihoodRequest {
        messages: vec![Message::new(Role::User, question)],
        text: format!("The capital of France is {city}."),
    };
    for graph in ["model.onnx", "model_int8.onnx"] {
        let requests = ["Paris", "Rome"].map(request);
        let logs = gather(2, |arrived| load(BASE, graph, 1, 1 << 28).likelihoods(&requests, arrived));
        assert!(logs[0].log > logs[1].log + 3.0, "{graph}: {logs:?}");
    }
}

#[test]
#[ignore = "needs make lm"]
fn eight_bits_say_what_all_bits_say() {
    let likelihood = |graph: &str| {
        let request = [LikelihoodRequest { messages: vec![], text: TEXT.to_owned() }];
        let found = gather(1, |arrived| load(BASE, graph, 1, 0).likelihoods(&request, arrived))[0];
        (found.log / found.tokens as f64, found.tokens)
    };
    let (whole, small) = (likelihood("model.onnx"), likelihood("model_int8.onnx"));
    println!("nats a token: {:.3} at 32 bits, {:.3} at 8, {} tokens", -whole.0, -small.0, whole.1);
    assert!(-whole.0 < 3.5 && (whole.0 - small.0).abs() < 0.05 * whole.0.abs());
    let (whole, small) =
        (letters(&load(BASE, "model.onnx", 2, 0), &scenes()), letters(&load(BASE, "model_int8.onnx", 2, 0), &scenes()));
    let off = whole.iter().flatten().zip(small.iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    println!("probabilities of letters differ by {off:.3} at most");
    assert!(off < 0.2);
}

/// A user with this history and five films, worded as in `models/lm-adapter`.
fn choice(history: &[&str], list: &[&str]) -> LetterRequest {
    let history: String = history.iter().map(|film| format!("{film} +\n")).collect();
    let options: String = list.iter().zip('A'..).map(|(film, letter)| format!("{film} [{letter}]\n")).collect();
    let messages = vec![
        Message::new(Role::System, "Say which option this person takes next."),
        Message::new(
            Role::User,
            format!("male, age 30, engineer\nHistory:\n{history}Options:\n{}", options.trim_end()),
        ),
        Message::new(Role::Assistant, "Behavior: ["),
    ];
    LetterRequest { messages, options: list.len(), items: list.len(), said: 0 }
}

#[test]
#[ignore = "needs make lm"]
fn the_tuned_model_chooses_for_the_user() {
    let space = ["Star Wars", "Star Trek: The Wrath of Khan", "Alien", "Terminator, The", "Empire Strikes Back, The"];
    let romance = ["Sense and Sensibility", "Emma", "English Patient, The", "Sabrina", "Jane Eyre"];
    // What goes with these histories in the eyes of those who took them: Aliens and Fargo, Indiana Jones and Evita.
    let lists = [
        (["Fargo", "Aliens", "Cinderella", "Persuasion", "Scream"], 1, 0),
        (["Quiz Show", "Indiana Jones and the Last Crusade", "Evita", "Cinderella", "Heat"], 1, 2),
    ];
    let asked: Vec<_> = lists.iter().flat_map(|(list, ..)| [choice(&space, list), choice(&romance, list)]).collect();
    let both = ["model.onnx", "model_int8.onnx"].map(|graph| letters(&load(TUNED, graph, 1, 0), &asked));
    let off = both[0].iter().flatten().zip(both[1].iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(off < 0.1, "8 bits differ from 32 by {off}: {both:?}");
    for found in &both {
        println!("{found:.2?}");
        for (place, &(_, one, other)) in lists.iter().enumerate() {
            let (of_space, of_romance) = (&found[2 * place], &found[2 * place + 1]);
            assert!(of_space[one] > 2.0 * of_romance[one], "{found:?}");
            assert!(of_romance[other] > 2.0 * of_space[other], "{found:?}");
        }
    }
}

#[test]
#[ignore = "needs make lm"]
fn bits_do_not_depend_on_what_runs_beside() {
    for (folder, graph) in [(BASE, "model.onnx"), (BASE, "model_int8.onnx"), (TUNED, "model_int8.onnx")] {
        let requests = scenes();
        let expected = letters(&load(folder, graph, 1, 0), &requests);
        assert!(expected.iter().all(|shares| (shares.iter().sum::<f64>() - 1.0).abs() < 1e-12));
        let bits = |rows: &[Vec<f64>]| rows.iter().flatten().map(|value| value.to_bits()).collect::<Vec<_>>();
        let model = load(folder, graph, 2, 1 << 28);
        assert_eq!(bits(&letters(&model, &requests)), bits(&expected), "{folder} {graph}: two threads");
        assert_eq!(bits(&letters(&model, &requests)), bits(&expected), "{folder} {graph}: read before");
        let asked = ["Name a film.", "Why do people watch films that they know?", "Wie heißt du? 東京!"];
        let asked: Vec<_> = asked.iter().map(|text| completion(text, 1.0, 5)).collect();
        let expected = complete(&load(folder, graph, 1, 0), &asked);
        assert_eq!(complete(&model, &asked), expected, "{folder} {graph}: samples on two threads");
        let rest = asked.iter().cloned().map(|mut request| {
            request.draws.first = 3;
            CompletionRequest { samples: 2, ..request }
        });
        for (found, expected) in complete(&model, &rest.collect::<Vec<_>>()).iter().zip(&expected) {
            assert_eq!(found.as_slice(), &expected[3..], "{folder} {graph}: resumed");
        }
    }
}

/// The scenario with language users, small, with this model on this number of threads.
fn users(threads: usize, folder: &str, more: &[&str]) -> Experiment {
    let (data, path) = (format!("data.path={}", movielens().display()), package().join(folder));
    let path = format!("user.path={}", path.display());
    let small = ["ticks=3", "arrival.probability=1", "user.probe=4", "user.rationale_tokens=16"];
    let all = [&[data.as_str(), &path], &small[..], more].concat();
    let file = package().join("scenarios/language.toml");
    let scenario = Scenario::load(&file, &Registry::builtin(), &settings(&all));
    let scenario = scenario.unwrap_or_else(|problem| panic!("{problem}"));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
    pool.install(|| Experiment::prepare(scenario, Registry::builtin())).unwrap_or_else(|problem| panic!("{problem}"))
}

#[test]
#[ignore = "needs make lm"]
fn language_users_live_the_same_life_on_any_threads_and_after_a_stop() {
    let folder = place();
    for (model, mode, people) in
        [(TUNED, "user.mode=direct", "population.users=5"), (BASE, "user.mode=rationale", "population.users=2")]
    {
        let out = |name: &str| folder.path().join(format!("{mode}-{name}"));
        let live = |threads: usize, chunk: &str, ticks: u64, name: &str, from: Option<&Path>| {
            let experiment = users(threads, model, &[mode, chunk, people]);
            let outcome = stopped_after(ticks, threads, &experiment, &out(name), from);
            (digests(&outcome), outcome.decisions)
        };
        let whole = live(1, "engine.chunk=16", u64::MAX, "whole", None);
        assert_eq!(whole.0.len(), 2);
        assert_eq!(live(2, "engine.chunk=4", u64::MAX, "two", None).0, whole.0, "{mode}: two threads, other chunks");
        assert_ne!(live(2, "engine.chunk=16", 2, "half", None).0, whole.0);
        assert_eq!(live(2, "engine.chunk=4", u64::MAX, "joined", Some(&out("half"))), whole, "{mode}: stopped");
    }
}

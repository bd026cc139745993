use super::*;
use crate::files::Jsonl;
use crate::language::Letter;
use crate::language::{Arrived, Finish, Sampling};
use crate::language::{Completion, CompletionRequest, Likelihood, LikelihoodRequest};
use crate::pipeline::ProbsRecord;
use crate::pipeline::Quiet;
use crate::pipeline::decide::{DecideOptions, Decider, decide};
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// Answers from the request alone, fails after `left` answers, and counts.
struct Toy {
    left: AtomicUsize,
    asked: AtomicUsize,
}

impl Toy {
    fn new(left: usize) -> Toy {
        Toy { left: AtomicUsize::new(left), asked: AtomicUsize::new(0) }
    }

    fn each<T>(&self, count: usize, arrived: Arrived<'_, T>, answer: impl Fn(usize) -> T) -> Result<(), LanguageError> {
        // In reverse, because answers may come in any order.
        for at in (0..count).rev() {
            if self.left.fetch_sub(1, Ordering::Relaxed) == 0 {
                return Err(LanguageError::Unanswered("the toy is tired".to_owned()));
            }
            self.asked.fetch_add(1, Ordering::Relaxed);
            arrived(at, Ok(answer(at)));
        }
        Ok(())
    }
}

impl LanguageModel for Toy {
    fn name(&self) -> &str {
        "toy"
    }

    fn complete(
        &self,
        requests: &[CompletionRequest],
        arrived: Arrived<'_, Vec<Completion>>,
    ) -> Result<(), LanguageError> {
        self.each(requests.len(), arrived, |at| {
            let request = &requests[at];
            let text = |sample: u32| match sample % 4 {
                3 => "no letter".to_owned(),
                of => format!("{sample} of {}\nBehavior: [{}]", request.draws.id, ["A", "B", "C"][of as usize]),
            };
            let samples = request.draws.first..request.draws.first + request.samples;
            samples.map(|sample| Completion { text: text(sample), finish: Finish::Stop }).collect()
        })
    }

    fn letters(&self, requests: &[LetterRequest], arrived: Arrived<'_, Vec<f64>>) -> Result<(), LanguageError> {
        self.each(requests.len(), arrived, |at| {
            let request = &requests[at];
            assert!(request.messages[2].content.ends_with("Behavior: ["));
            let weight = |place: usize| 1.0 + (request.messages[2].content.len() * (place + 1) % 7) as f64;
            let sum: f64 = (0..request.options).map(weight).sum();
            (0..request.options).map(|place| weight(place) / sum).collect()
        })
    }

    fn likelihoods(
        &self,
        requests: &[LikelihoodRequest],
        arrived: Arrived<'_, Likelihood>,
    ) -> Result<(), LanguageError> {
        self.each(requests.len(), arrived, |at| {
            let tokens = requests[at].text.len();
            let log = if requests[at].messages.is_empty() { -2.0 } else { -1.0 };
            Likelihood { tokens, log: log * tokens as f64 }
        })
    }
}

/// Two scenes; the decisions of the second are unusable if `second` is false.
fn project(folder: &Path) -> Project {
    let project = Project::new(folder);
    let scene = |user: u32| {
        format!(
            r#"{{"text": {{"profile": "", "history": "h{user}", "action_list": ["a", "b"]}}, "user_id": {user}, "item_id": 2,
            "item_pos": 0, "choice_cnt": 2, "dataset": "x"}}"#
        )
        .replace('\n', " ")
    };
    std::fs::create_dir_all(folder.join("datasets")).expect("a folder");
    std::fs::write(project.train("x"), format!("{}\n{}\n", scene(1), scene(2))).expect("written");
    project
}

fn decided(project: &Project, model: &Toy, decisions: u32) -> Result<Tally, crate::pipeline::decide::DecideError> {
    let options = DecideOptions {
        strength: Strength::Strong,
        decisions,
        sampling: Sampling { temperature: 1.0, top_p: 0.9, max_tokens: 16 },
        prompts: &Prompts::load(None).expect("prompts"),
        seed: 1,
        settings: "",
        restart: false,
        skip_failed: false,
        stop: &AtomicBool::new(false),
    };
    decide(project, "x", &options, Decider::Model(model), &Quiet)
}

fn judged(project: &Project, predictor: Predictor<'_>) -> Result<Tally, JudgeError> {
    let (prompts, stop) = (Prompts::load(None).expect("prompts"), AtomicBool::new(false));
    judge(project, "x", &options(&prompts, &stop), predictor, &Quiet)
}

fn options<'a>(prompts: &'a Prompts, stop: &'a AtomicBool) -> JudgeOptions<'a> {
    let strength = Strength::Strong;
    JudgeOptions { strength, prompts, settings: "", restart: false, skip_failed: false, stop }
}

fn rows(project: &Project) -> Vec<ProbsRecord> {
    Jsonl::open(&project.probs("x", Strength::Strong), "").expect("the file").all().expect("records")
}

#[test]
fn a_stage_stopped_anywhere_continues_to_the_same_bytes() {
    let whole = tempfile::tempdir().expect("a folder");
    let one = project(whole.path());
    decided(&one, &Toy::new(99), 5).expect("decisions");
    judged(&one, Predictor::Model(&Toy::new(99))).expect("probabilities");
    let bytes = |project: &Project| {
        let read = |path: PathBuf| std::fs::read(path).expect("the file");
        (read(project.decisions("x", Strength::Strong)), read(project.probs("x", Strength::Strong)))
    };
    for left in 0..6 {
        let folder = tempfile::tempdir().expect("a folder");
        let other = project(folder.path());
        let (first, second) = (Toy::new(left), Toy::new(99));
        let _ = decided(&other, &first, 5);
        decided(&other, &second, 5).expect("decisions");
        assert_eq!(first.asked.into_inner() + second.asked.into_inner(), 2, "stopped after {left}");
        let (first, second) = (Toy::new(left), Toy::new(99));
        let _ = judged(&other, Predictor::Model(&first));
        judged(&other, Predictor::Model(&second)).expect("probabilities");
        assert_eq!(first.asked.into_inner() + second.asked.into_inner(), 6, "stopped after {left}");
        assert!(bytes(&other) == bytes(&one), "stopped after {left}");
    }
}

#[test]
fn usable_decisions_are_judged_and_lines_stay_in_step() {
    let folder = tempfile::tempdir().expect("a folder");
    let project = project(folder.path());
    decided(&project, &Toy::new(99), 5).expect("decisions");
    // The second scene has no usable decision.
    let path = project.decisions("x", Strength::Strong);
    let text = std::fs::read_to_string(&path).expect("the file");
    let (first, second) = text.split_once('\n').expect("two lines");
    std::fs::write(&path, format!("{}\n{first}\n", second.replace("Behavior", "behavior"))).expect("written");
    let tally = judged(&project, Predictor::Model(&Toy::new(99))).expect("probabilities");
    assert_eq!((tally.count("usable decisions"), tally.count("judged decisions")), (Some(3), Some(3)));
    assert_eq!(tally.dropped("malformed: an option label beyond the list"), 1);
    assert_eq!(tally.dropped("malformed: no `Behavior:`"), 6);
    let rows = rows(&project);
    assert_eq!(rows.len(), 2);
    let letters: Vec<String> = rows[0].behavior.iter().flatten().map(Letter::to_string).collect();
    assert_eq!(letters, ["A", "B", "A"]);
    assert!(rows[0].choice.iter().all(|choice| (choice.values().sum::<f64>() - 1.0).abs() < 1e-12));
    assert_eq!((rows[1].decision_list.len(), rows[1].choice.len()), (0, 0));
    assert_eq!(rows[1].user_id, crate::dataset::ExternalId::Number(2));
    // A second run has nothing to do; another predictor is reported.
    let idle = Toy::new(0);
    judged(&project, Predictor::Model(&idle)).expect("nothing to do");
    let problem = judged(&project, Predictor::Overlap).expect_err("another predictor").to_string();
    assert!(problem.contains("by toy") && problem.contains("--restart"), "{problem}");
}

#[test]
fn shared_words_predict_where_there_is_no_model() {
    let folder = tempfile::tempdir().expect("a folder");
    let project = project(folder.path());
    let text = std::fs::read_to_string(project.train("x")).expect("the file");
    let named = text.replace(r#"["a", "b"]"#, r#"["Emma (1996)", "Heat (1995)"]"#);
    std::fs::write(project.train("x"), named).expect("written");
    decided(&project, &Toy::new(99), 1).expect("decisions");
    let path = project.decisions("x", Strength::Strong);
    let text = std::fs::read_to_string(&path).expect("the file");
    std::fs::write(&path, text.replacen("0 of", "Heat, of 1995, not", 1)).expect("written");
    judged(&project, Predictor::Overlap).expect("probabilities");
    let rows = rows(&project);
    let heat = rows[0].choice[0].values().nth(1).copied().expect("B");
    assert!((heat - 1.0 / (1.0 + libm::exp(-6.0))).abs() < 1e-12, "{heat}");
    assert!(rows[1].choice[0].values().all(|&probability| probability == 0.5));
    assert!(rows[0].predictor.as_ref().is_some_and(|name| name.starts_with("overlap ")));
}

#[test]
fn difficulties_have_the_order_of_the_decisions() {
    let folder = tempfile::tempdir().expect("a folder");
    let project = project(folder.path());
    decided(&project, &Toy::new(99), 5).expect("decisions");
    judged(&project, Predictor::Model(&Toy::new(99))).expect("probabilities");
    let (prompts, stop) = (Prompts::load(None).expect("prompts"), AtomicBool::new(false));
    let run = |model: &Toy| judge_difficulty(&project, "x", &options(&prompts, &stop), model, &Quiet);
    let problem = run(&Toy::new(7)).expect_err("tired").to_string();
    assert!(problem.contains("tired"), "{problem}");
    let rest = Toy::new(99);
    run(&rest).expect("difficulties");
    assert_eq!(rest.asked.into_inner(), 6, "three of six decisions were there");
    let reader = Jsonl::<crate::pipeline::DifficultyRecord>::open(&project.difficulties("x"), "").expect("the file");
    for record in reader.all().expect("records") {
        assert_eq!(record.ifd.len(), 3);
        assert!(record.ifd.iter().all(|value| value.is_some_and(|value| (value - libm::exp(-1.0)).abs() < 1e-12)));
    }
}

/// Refuses every request whose conversation has a word, permanently or not.
struct Picky {
    word: &'static str,
    error: fn(String) -> LanguageError,
    inner: Toy,
}

impl Picky {
    fn split<R: Clone, T>(
        &self,
        requests: &[R],
        texts: impl Fn(&R) -> bool,
        arrived: Arrived<'_, T>,
        ask: impl FnOnce(&[R], Arrived<'_, T>) -> Result<(), LanguageError>,
    ) -> Result<(), LanguageError> {
        let (bad, good): (Vec<usize>, Vec<usize>) = (0..requests.len()).partition(|&at| texts(&requests[at]));
        bad.iter().for_each(|&at| arrived(at, Err((self.error)("no".to_owned()))));
        let kept: Vec<R> = good.iter().map(|&at| requests[at].clone()).collect();
        ask(&kept, &|at, answer| arrived(good[at], answer))
    }

    fn has(&self, messages: &[crate::language::Message]) -> bool {
        messages.iter().any(|message| message.content.contains(self.word))
    }
}

impl LanguageModel for Picky {
    fn name(&self) -> &str {
        "toy"
    }

    fn complete(
        &self,
        requests: &[CompletionRequest],
        arrived: Arrived<'_, Vec<Completion>>,
    ) -> Result<(), LanguageError> {
        let bad = |request: &CompletionRequest| self.has(&request.messages);
        self.split(requests, bad, arrived, |kept, arrived| self.inner.complete(kept, arrived))
    }

    fn letters(&self, requests: &[LetterRequest], arrived: Arrived<'_, Vec<f64>>) -> Result<(), LanguageError> {
        let bad = |request: &LetterRequest| self.has(&request.messages);
        self.split(requests, bad, arrived, |kept, arrived| self.inner.letters(kept, arrived))
    }

    fn likelihoods(
        &self,
        requests: &[LikelihoodRequest],
        arrived: Arrived<'_, Likelihood>,
    ) -> Result<(), LanguageError> {
        let bad = |request: &LikelihoodRequest| self.has(&request.messages);
        self.split(requests, bad, arrived, |kept, arrived| self.inner.likelihoods(kept, arrived))
    }
}

fn picky(error: fn(String) -> LanguageError) -> Picky {
    Picky { word: "h2", error, inner: Toy::new(999) }
}

#[test]
fn refused_requests_are_asked_again_and_lasting_ones_are_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let project = project(folder.path());
    decided(&project, &Toy::new(99), 5).expect("decisions");
    let (prompts, stop) = (Prompts::load(None).expect("prompts"), AtomicBool::new(false));
    let skipping = JudgeOptions { skip_failed: true, ..options(&prompts, &stop) };
    let run = |model: &dyn LanguageModel| judge(&project, "x", &skipping, Predictor::Model(model), &Quiet);
    let tally = run(&picky(LanguageError::Refused)).expect("the file");
    assert_eq!(tally.dropped("usable decisions whose request failed (asked again next time)"), 3);
    assert_eq!(tally.dropped("usable decisions for which the predictor named no option label"), 0);
    let second = Toy::new(99);
    let tally = run(&second).expect("the file");
    assert_eq!((second.asked.into_inner(), tally.count("judged decisions")), (3, Some(6)));
    // An answer without a label would not change, so no request is left.
    let restarted = JudgeOptions { restart: true, ..options(&prompts, &stop) };
    let tally =
        judge(&project, "x", &restarted, Predictor::Model(&picky(LanguageError::Answer)), &Quiet).expect("the file");
    assert_eq!(tally.dropped("usable decisions for which the predictor named no option label"), 3);
    assert!(!crate::pipeline::answer_journal::journal_path(&project.probs("x", Strength::Strong)).exists());
}

#[test]
fn a_journal_without_answers_does_not_make_a_finished_file_unfinished() {
    let folder = tempfile::tempdir().expect("a folder");
    let project = project(folder.path());
    decided(&project, &Toy::new(99), 5).expect("decisions");
    judged(&project, Predictor::Model(&Toy::new(99))).expect("probabilities");
    let (prompts, stop) = (Prompts::load(None).expect("prompts"), AtomicBool::new(false));
    let restarted = JudgeOptions { restart: true, ..options(&prompts, &stop) };
    judge(&project, "x", &restarted, Predictor::Model(&Toy::new(0)), &Quiet).expect_err("tired at once");
    assert!(crate::pipeline::answer_journal::journal_path(&project.probs("x", Strength::Strong)).exists());
    judged(&project, Predictor::Model(&Toy::new(0))).expect("nothing to do");
    std::fs::write(crate::pipeline::answer_journal::journal_path(&project.decisions("x", Strength::Strong)), "[]\n")
        .expect("written");
    decided(&project, &Toy::new(0), 5).expect("nothing to do");
}

#[test]
fn the_remedy_depends_on_the_failure_and_on_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let project = project(folder.path());
    let (prompts, stop) = (Prompts::load(None).expect("prompts"), AtomicBool::new(false));
    let message = |error, restart| {
        let options = DecideOptions {
            strength: Strength::Strong,
            decisions: 2,
            sampling: Sampling { temperature: 1.0, top_p: 0.9, max_tokens: 16 },
            prompts: &prompts,
            seed: 1,
            settings: "",
            restart,
            skip_failed: false,
            stop: &stop,
        };
        decide(&project, "x", &options, Decider::Model(&picky(error)), &Quiet).expect_err("incomplete").to_string()
    };
    let lasting = message(LanguageError::Answer, false);
    assert!(lasting.contains("shorter history; or leave it out with --skip-failed"), "{lasting}");
    assert!(!lasting.contains("run the command again"), "{lasting}");
    let once = message(LanguageError::Refused, false);
    assert!(once.contains("run the command again to ask for the rest"), "{once}");
    let refused = message(LanguageError::Refused, true);
    assert!(refused.contains("run the command again without --restart to ask for the rest"), "{refused}");
    stop.store(true, Ordering::Relaxed);
    let stopped = message(LanguageError::Refused, true);
    assert!(stopped.contains("stopped: ") && stopped.contains("without --restart"), "{stopped}");
}

#[test]
fn difficulties_that_failed_are_null_and_asked_again_and_a_finished_file_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let project = project(folder.path());
    decided(&project, &Toy::new(99), 5).expect("decisions");
    judged(&project, Predictor::Model(&Toy::new(99))).expect("probabilities");
    let (prompts, stop) = (Prompts::load(None).expect("prompts"), AtomicBool::new(false));
    let skipping = JudgeOptions { skip_failed: true, ..options(&prompts, &stop) };
    let run = |model: &dyn LanguageModel| judge_difficulty(&project, "x", &skipping, model, &Quiet);
    run(&picky(LanguageError::Unanswered)).expect("a file");
    let records = || -> Vec<crate::pipeline::DifficultyRecord> {
        Jsonl::open(&project.difficulties("x"), "").expect("the file").all().expect("records")
    };
    assert!(records()[0].ifd.iter().all(Option::is_some) && records()[1].ifd == [None, None, None]);
    assert!(records()[0].probs.is_some());
    let rest = Toy::new(99);
    run(&rest).expect("the rest");
    assert_eq!(rest.asked.into_inner(), 6);
    assert!(records()[1].ifd.iter().all(Option::is_some));
    let tally = run(&Toy::new(0)).expect("nothing to do");
    assert_eq!(tally.count("difficulties"), Some(6));
    // Other probabilities are reported here and where the file is read.
    let path = project.probs("x", Strength::Strong);
    let text = std::fs::read_to_string(&path).expect("the file");
    std::fs::write(&path, text.replacen("\"A\":", "\"A\": ", 1)).expect("written");
    let problem = run(&Toy::new(0)).expect_err("other probabilities").to_string();
    assert!(problem.contains("the file is there, by toy") && problem.contains("--restart"), "{problem}");
    let problem = crate::pipeline::difficulty::Difficulties::read(&project, "x").err().expect("other").to_string();
    assert!(problem.contains("made for other decisions") && problem.contains("--ifd --restart"), "{problem}");
    std::fs::write(&path, text).expect("written");
    let scenes = std::fs::read_to_string(project.train("x")).expect("the scenes");
    std::fs::write(project.train("x"), scenes.replacen("\"item_id\": 2", "\"item_id\": 3", 1)).expect("written");
    let problem = crate::pipeline::difficulty::Difficulties::read(&project, "x").err().expect("other").to_string();
    assert!(problem.contains("ifd.jsonl:1: this is not the scene on this line"), "{problem}");
}

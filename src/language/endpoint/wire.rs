//! Requests and answers of `/v1/chat/completions`.

use crate::language::{Completion, CompletionRequest, Finish, Letter, LetterRequest, Message, Role, Sampling};
use rand_chacha::rand_core::Rng;
use serde_json::{Map, Value, json};

/// The user's own keys of every request; `null` removes a key.
pub type Extra = Map<String, Value>;

/// The text after a decision if the server cannot continue an unfinished turn of the model.
const ASK: &str = "Which option do you take? Answer with its letter alone.";

/// The form of a label request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LetterStyle {
    /// The last message is an unfinished turn of the model, which the server continues.
    #[default]
    Continue,
    /// The decision is a separate turn, followed by a question for the option label.
    Ask,
}

/// The body of a request for `samples` answers, whose draws begin at sample `first`.
pub fn completion_body(model: &str, request: &CompletionRequest, first: u32, samples: u32, extra: &Extra) -> Value {
    let Sampling { temperature, top_p, max_tokens } = request.sampling;
    let draws = request.draws;
    // 31 bits: some servers read a signed 32-bit number.
    let seed = draws.streams.derive(draws.purpose, draws.id, first).next_u32() >> 1;
    let mut body = json!({
        "model": model,
        "messages": request.messages,
        "temperature": temperature,
        "top_p": top_p,
        "max_tokens": max_tokens,
        "seed": seed,
    });
    if samples > 1 {
        body["n"] = json!(samples);
    }
    merged(body, extra)
}

/// The body of a request for the probabilities of option labels.
pub fn letter_body(model: &str, request: &LetterRequest, style: LetterStyle, top: u32, extra: &Extra) -> Value {
    let body = json!({
        "model": model,
        "messages": asked(request, style),
        "temperature": 1.0,
        "max_tokens": 1,
        "logprobs": true,
        "top_logprobs": top,
    });
    merged(body, extra)
}

fn asked(request: &LetterRequest, style: LetterStyle) -> Vec<Message> {
    let mut messages = request.messages.clone();
    if let (LetterStyle::Ask, Some(last)) = (style, messages.last_mut())
        && last.role == Role::Assistant
    {
        // Without the `Behavior: [` before the label.
        if let Some(decision) = last.content.get(..request.said) {
            last.content = decision.to_owned();
        }
        messages.push(Message::new(Role::User, ASK));
    }
    messages
}

fn merged(mut body: Value, extra: &Extra) -> Value {
    if let Some(keys) = body.as_object_mut() {
        for (key, value) in extra {
            match value {
                Value::Null => drop(keys.remove(key)),
                value => drop(keys.insert(key.clone(), value.clone())),
            }
        }
    }
    body
}

/// The answers in a body, in the order of their `index`.
///
/// # Errors
/// When the body lacks a part, which the error names.
pub fn read_completions(body: &Value) -> Result<Vec<Completion>, String> {
    let choices = choices(body)?;
    let mut answers = Vec::with_capacity(choices.len());
    for (place, choice) in choices.iter().enumerate() {
        let text = match &choice["message"]["content"] {
            Value::String(text) => text.clone(),
            // A refusal, or only a tool call.
            Value::Null if choice["message"].is_object() => String::new(),
            _ => return Err(format!("no text at `choices[{place}].message.content`")),
        };
        let finish = if choice["finish_reason"] == "length" { Finish::Length } else { Finish::Stop };
        let index = choice["index"].as_u64().unwrap_or(place as u64);
        answers.push((index, Completion { text, finish }));
    }
    answers.sort_by_key(|(index, _)| *index);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

fn choices(body: &Value) -> Result<&Vec<Value>, String> {
    match body["choices"].as_array() {
        Some(choices) if !choices.is_empty() => Ok(choices),
        Some(_) => Err("`choices` is empty".to_owned()),
        None => Err(match &body["error"] {
            Value::Null => "no `choices`".to_owned(),
            error => format!("an error in place of an answer: {}", error_message(error)),
        }),
    }
}

/// The message of an error object, or the whole object.
pub fn error_message(error: &Value) -> String {
    match (error, &error["message"]) {
        (Value::String(text), _) | (_, Value::String(text)) => text.clone(),
        _ => error.to_string(),
    }
}

/// The total tokens that a body reports.
pub fn read_usage(body: &Value) -> Option<u64> {
    let usage = &body["usage"];
    let parts = || Some(usage["prompt_tokens"].as_u64()? + usage["completion_tokens"].as_u64()?);
    usage["total_tokens"].as_u64().or_else(parts)
}

/// The labels' probabilities in a body.
#[derive(Clone, Debug, PartialEq)]
pub struct Letters {
    /// One for each option; they sum to 1.
    pub probabilities: Vec<f64>,
    /// Options whose label was not among the listed tokens.
    pub missing: u64,
}

/// The reason why a body has no probabilities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoLetters {
    /// The server gives no log-probabilities.
    Unsupported,
    /// No label is among the listed tokens, which are returned.
    None(String),
    /// The body is no answer.
    Shape(String),
}

/// Reads the probabilities of the labels of `options` options from the most likely first tokens.
///
/// Tokens that are a label, with or without blanks and brackets, are summed. An unlisted label is at most as likely as
/// the least likely listed token, and all unlisted labels share the rest of the probability: each gets the smaller of
/// the two bounds. Then the labels are normalised to sum to 1.
///
/// # Errors
/// When there are no log-probabilities, or no label among them.
pub fn read_letters(body: &Value, options: usize) -> Result<Letters, NoLetters> {
    let choices = choices(body).map_err(NoLetters::Shape)?;
    let token = &choices[0]["logprobs"]["content"][0];
    let listed = token["top_logprobs"].as_array().filter(|listed| !listed.is_empty());
    let listed = listed.ok_or(NoLetters::Unsupported)?;
    let mut found: Vec<Option<f64>> = vec![None; options];
    let (mut least, mut total) = (1.0f64, 0.0);
    for entry in listed {
        let (Some(text), Some(log)) = (entry["token"].as_str(), entry["logprob"].as_f64()) else {
            return Err(NoLetters::Shape("an entry of `top_logprobs` without `token` and `logprob`".to_owned()));
        };
        // A logarithm of a probability is at most 0; rounding may exceed that a little.
        if log > 1e-3 || log.is_nan() {
            return Err(NoLetters::Shape(format!("the `logprob` {log} of {text:?}, which is no probability")));
        }
        let probability = libm::exp(log).min(1.0);
        least = least.min(probability);
        total += probability;
        if let Some(slot) = letter(text).and_then(|letter| found.get_mut(letter.place())) {
            *slot = Some(slot.unwrap_or(0.0) + probability);
        }
    }
    let missing = found.iter().filter(|slot| slot.is_none()).count();
    let sum: f64 = found.iter().flatten().sum();
    if missing == options || sum <= 0.0 {
        let tokens: Vec<&str> = listed.iter().take(5).filter_map(|entry| entry["token"].as_str()).collect();
        return Err(NoLetters::None(format!("{tokens:?}")));
    }
    let bound = least.min((1.0 - total).max(0.0) / missing.max(1) as f64);
    let mut probabilities: Vec<f64> = found.iter().map(|slot| slot.unwrap_or(bound)).collect();
    let sum: f64 = probabilities.iter().sum();
    probabilities.iter_mut().for_each(|probability| *probability /= sum);
    Ok(Letters { probabilities, missing: missing as u64 })
}

fn letter(token: &str) -> Option<Letter> {
    let bare = token.trim().trim_start_matches('[').trim_end_matches(']').trim();
    Letter::try_from(bare.to_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Draws;
    use crate::random::{Purpose, Streams};

    fn request() -> CompletionRequest {
        CompletionRequest {
            messages: vec![Message::new(Role::User, "Which?")],
            samples: 3,
            sampling: Sampling { temperature: 1.0, top_p: 0.9, max_tokens: 8 },
            draws: Draws { streams: Streams::new(1, 0), purpose: Purpose::Decision, id: 4, first: 0 },
        }
    }

    #[test]
    fn bodies_have_the_settings_and_the_users_own_keys() {
        let body = completion_body("m", &request(), 0, 3, &Extra::new());
        assert_eq!(body["messages"], json!([{"role": "user", "content": "Which?"}]));
        assert_eq!((&body["n"], &body["top_p"], &body["max_tokens"]), (&json!(3), &json!(0.9), &json!(8)));
        let Value::Object(extra) = json!({"max_tokens": null, "max_completion_tokens": 8}) else { return };
        let other = completion_body("m", &request(), 1, 1, &extra);
        assert!(other.get("n").is_none() && other.get("max_tokens").is_none());
        assert_eq!(other["max_completion_tokens"], 8);
        assert_ne!(other["seed"], body["seed"], "another sample has another seed");
    }

    #[test]
    fn the_label_is_continued_or_asked_for() {
        let said = Message::new(Role::Assistant, "Thought:\nx Behavior: [");
        let messages = vec![Message::new(Role::User, "Which?"), said.clone()];
        let request = LetterRequest { messages, options: 3, items: 3, said: 10 };
        let body = letter_body("m", &request, LetterStyle::Continue, 20, &Extra::new());
        assert_eq!(body["messages"][1], json!(said));
        let body = letter_body("m", &request, LetterStyle::Ask, 20, &Extra::new());
        assert_eq!(body["messages"][1]["content"], "Thought:\nx");
        assert_eq!(body["messages"][2], json!({"role": "user", "content": ASK}));
    }

    #[test]
    fn answers_are_read_in_the_order_of_their_index() {
        let choice = |index: u64, text: Value, finish: &str| json!({"index": index, "message": {"content": text}, "finish_reason": finish});
        let body = json!({"choices": [choice(1, json!("b"), "length"), choice(0, Value::Null, "stop")]});
        let answers = read_completions(&body).expect("answers");
        assert_eq!(answers[0], Completion { text: String::new(), finish: Finish::Stop });
        assert_eq!(answers[1], Completion { text: "b".to_owned(), finish: Finish::Length });
        for (body, problem) in [
            (json!({"choices": []}), "`choices` is empty"),
            (json!([1]), "no `choices`"),
            (json!({"error": {"message": "too busy"}}), "an error in place of an answer: too busy"),
            (json!({"choices": [{"text": "b"}]}), "no text at `choices[0].message.content`"),
        ] {
            assert_eq!(read_completions(&body).expect_err("wrong"), problem);
        }
    }

    #[test]
    fn usage_is_the_total_or_the_sum() {
        assert_eq!(read_usage(&json!({"usage": {"total_tokens": 9}})), Some(9));
        assert_eq!(read_usage(&json!({"usage": {"prompt_tokens": 2, "completion_tokens": 3}})), Some(5));
        assert_eq!(read_usage(&json!({})), None);
    }

    fn listed(tokens: &[(&str, f64)]) -> Value {
        let entry = |(token, probability): &(&str, f64)| json!({"token": token, "logprob": libm::log(*probability)});
        let top: Vec<Value> = tokens.iter().map(entry).collect();
        json!({"choices": [{"logprobs": {"content": [{"token": "x", "top_logprobs": top}]}}]})
    }

    fn near(found: &[f64], wanted: &[f64]) {
        assert_eq!(found.len(), wanted.len());
        assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?} and not {wanted:?}");
    }

    #[test]
    fn labels_are_summed_over_the_tokens_that_spell_them() {
        let body = listed(&[("A", 0.4), (" A", 0.1), ("B]", 0.3), ("The", 0.1), ("D", 0.1)]);
        let found = read_letters(&body, 2).expect("letters");
        near(&found.probabilities, &[5.0 / 8.0, 3.0 / 8.0]);
        assert_eq!(found.missing, 0);
    }

    #[test]
    fn a_missing_label_gets_the_smaller_bound() {
        // The rest is 0.2 for two labels: 0.1 each, and the least listed token has 0.15.
        let found = read_letters(&listed(&[("A", 0.65), ("The", 0.15)]), 3).expect("letters");
        near(&found.probabilities, &[0.65 / 0.85, 0.1 / 0.85, 0.1 / 0.85]);
        assert_eq!(found.missing, 2);
        // The rest is 0.3 for one label, but the least listed token has 0.05.
        let found = read_letters(&listed(&[("A", 0.65), ("The", 0.05)]), 2).expect("letters");
        near(&found.probabilities, &[0.65 / 0.7, 0.05 / 0.7]);
    }

    #[test]
    fn invalid_log_probabilities_are_reported() {
        for log in [0.5, 1e300] {
            let top = json!([{"token": "A", "logprob": log}, {"token": "B", "logprob": -1.0}]);
            let body = json!({"choices": [{"logprobs": {"content": [{"token": "A", "top_logprobs": top}]}}]});
            assert!(matches!(read_letters(&body, 2), Err(NoLetters::Shape(text)) if text.contains("no probability")));
        }
        let top = json!([{"token": "A", "logprob": -0.1}, {"token": "B", "logprob": -1e300}]);
        let body = json!({"choices": [{"logprobs": {"content": [{"token": "A", "top_logprobs": top}]}}]});
        near(&read_letters(&body, 2).expect("letters").probabilities, &[1.0, 0.0]);
    }

    #[test]
    fn no_label_and_no_probabilities_are_distinguished() {
        assert!(
            matches!(read_letters(&listed(&[("The", 0.5)]), 2), Err(NoLetters::None(tokens)) if tokens == "[\"The\"]")
        );
        let none = json!({"choices": [{"message": {"content": "A"}, "logprobs": null}]});
        assert_eq!(read_letters(&none, 2), Err(NoLetters::Unsupported));
        assert!(matches!(read_letters(&json!({}), 2), Err(NoLetters::Shape(_))));
    }
}

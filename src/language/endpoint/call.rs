//! One exchange with the server, classified by the next action.

use super::wait;
use super::wire::error_message;
use serde_json::Value;
use std::time::Duration;
use ureq::http::{HeaderMap, Response, Uri};
use ureq::{Agent, Body, Error, Timeout};

/// Answers longer than this are refused; ten answers of 8,192 tokens with log-probabilities stay far below.
const LARGEST_ANSWER: u64 = 32 << 20;

/// The most characters shown of a server's own message.
const LONGEST_TOLD: usize = 400;

/// The outcome of one attempt.
pub(super) enum Outcome {
    /// An answer in JSON.
    Answer(Value),
    /// It may work later. `begun` means that the server may have worked for it.
    Again {
        /// The reason.
        reason: String,
        /// The wait that the server requests.
        asked: Option<Duration>,
        /// True if tokens may have been used.
        begun: bool,
    },
    /// No server answers at this address.
    Absent(String),
    /// The server refuses this request: its status and message.
    Refused(u16, String),
    /// No request can succeed.
    Useless(String),
}

/// The address of requests.
pub(super) struct Address {
    url: String,
    loopback: bool,
    key: Option<Key>,
    agent: Agent,
}

/// The least characters of a secret key.
const SHORTEST_SECRET: usize = 8;

/// A key and its environment variable. The key is never printed.
pub(super) struct Key {
    pub variable: String,
    pub value: String,
}

impl Address {
    /// The address of `/chat/completions` below `base`.
    ///
    /// # Errors
    /// When `base` is no http or https address.
    pub(super) fn new(base: &str, key: Option<Key>, timeout: Duration) -> Result<Address, String> {
        let (url, loopback) = chat_url(base)?;
        let mut config = Agent::config_builder()
            .timeout_global(Some(timeout))
            .timeout_connect(Some(timeout.min(Duration::from_secs(30))))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("recmirror/", env!("CARGO_PKG_VERSION")));
        if loopback {
            // A proxy for the outside cannot reach servers on this machine.
            config = config.proxy(None);
        }
        Ok(Address { url, loopback, key, agent: config.build().new_agent() })
    }

    /// True if it is unencrypted and not on this machine.
    pub(super) fn is_exposed(&self) -> bool {
        !self.loopback && self.url.starts_with("http://")
    }

    /// The address in full.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Sends a body and reads the answer.
    pub(super) fn exchange(&self, body: &[u8]) -> Outcome {
        let mut request = self.agent.post(&self.url).content_type("application/json");
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {}", key.value));
        }
        let mut response = match request.send(body) {
            Ok(response) => response,
            Err(problem) => return self.failed(&problem),
        };
        let read = response.body_mut().with_config().limit(LARGEST_ANSWER).read_to_vec();
        let status = response.status().as_u16();
        match (status, read) {
            (200..=299, Ok(bytes)) => match serde_json::from_slice(&bytes) {
                Ok(value) => Outcome::Answer(self.without_key(value)),
                Err(problem) => again(format!("the answer is no JSON ({problem})"), None, true),
            },
            (200..=299, Err(problem)) => self.failed(&problem),
            (status, read) => self.other(status, &response, &read.unwrap_or_default()),
        }
    }

    fn other(&self, status: u16, response: &Response<Body>, bytes: &[u8]) -> Outcome {
        let message = self.message(bytes);
        match status {
            408 | 409 | 425 | 429 | 500..=599 => {
                let header = |name: &str| text(response.headers(), name);
                let waits = format!("status {status}{}", if message.is_empty() { "" } else { ": " });
                again(waits + &message, wait::asked(header), false)
            }
            401 | 403 => Outcome::Useless(format!(
                "{} refuses the key (status {status}): {message}\n{}",
                self.url,
                match &self.key {
                    None =>
                        "no key was sent; name the environment variable that holds it with --api-key-env".to_owned(),
                    Some(key) => format!("check the environment variable {}, which --api-key-env names", key.variable),
                }
            )),
            404 | 405 => Outcome::Useless(format!(
                "{} answers with status {status}: {message}\ncheck --endpoint (the address before `/chat/completions`) and --model",
                self.url
            )),
            300..=399 => Outcome::Useless(format!(
                "{} has moved to {}; set --endpoint to it",
                self.url,
                self.shown(text(response.headers(), "location").unwrap_or("an address that it does not name"))
            )),
            status => Outcome::Refused(status, message),
        }
    }

    fn failed(&self, problem: &Error) -> Outcome {
        let reason = self.hidden(&problem.to_string());
        match problem {
            Error::Io(source) if source.kind() == std::io::ErrorKind::ConnectionRefused => Outcome::Absent(reason),
            Error::HostNotFound => Outcome::Absent(reason),
            Error::Timeout(at) => {
                let begun = !matches!(at, Timeout::Resolve | Timeout::Connect);
                again("no whole answer in the time that --timeout allows".to_owned(), None, begun)
            }
            // After the connection is made, the server may have read the request and worked for it.
            Error::Io(source) => again(format!("the connection broke ({reason})"), None, !unreachable(source)),
            Error::ConnectionFailed => again(format!("no connection ({reason})"), None, false),
            Error::Protocol(_) | Error::BodyStalled => again(format!("the connection broke ({reason})"), None, true),
            Error::BodyExceedsLimit(limit) => again(format!("the answer is longer than {limit} bytes"), None, true),
            _ => Outcome::Useless(format!("{}: {reason}", self.url)),
        }
    }

    /// The server's message, in one line without the key.
    fn message(&self, bytes: &[u8]) -> String {
        let text = match serde_json::from_slice::<Value>(bytes) {
            Ok(value) => match &value["error"] {
                Value::Null => error_message(&value),
                error => error_message(error),
            },
            Err(_) => String::from_utf8_lossy(bytes).into_owned(),
        };
        self.shown(&text)
    }

    /// A text of the server in one line, cut, and without the key.
    pub(super) fn shown(&self, text: &str) -> String {
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut shown: String = self.hidden(&line).chars().take(LONGEST_TOLD).collect();
        if shown.len() < line.len() && shown.chars().count() == LONGEST_TOLD {
            shown.push_str(" ...");
        }
        shown
    }

    /// An answer without the key in its texts: answers are stored in files, which are passed on. A key shorter than a
    /// secret may be a word of the answer (servers without keys are often given `EMPTY`) and stays.
    fn without_key(&self, mut answer: Value) -> Value {
        if self.key.as_ref().is_some_and(|key| key.value.len() >= SHORTEST_SECRET) {
            self.hide_in(&mut answer);
        }
        answer
    }

    fn hide_in(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.hidden(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.hide_in(value)),
            Value::Object(fields) => fields.values_mut().for_each(|value| self.hide_in(value)),
            _ => {}
        }
    }

    fn hidden(&self, text: &str) -> String {
        match &self.key {
            Some(key) if !key.value.is_empty() => text.replace(&key.value, "[key]"),
            _ => text.to_owned(),
        }
    }
}

fn again(reason: String, asked: Option<Duration>, begun: bool) -> Outcome {
    Outcome::Again { reason, asked, begun }
}

/// True for a problem of connecting.
fn unreachable(problem: &std::io::Error) -> bool {
    use std::io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkDown, NetworkUnreachable};
    matches!(problem.kind(), AddrNotAvailable | HostUnreachable | NetworkDown | NetworkUnreachable)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The address for chats below a base address, and whether it is on this machine.
fn chat_url(base: &str) -> Result<(String, bool), String> {
    let wrong = |why: &str| format!("--endpoint {base}: {why}; give an address such as http://127.0.0.1:8080/v1");
    let (path, query) = match base.trim().split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (base.trim(), String::new()),
    };
    let bare = path.trim_end_matches('/').trim_end_matches("/chat/completions");
    let uri: Uri = bare.parse().map_err(|_| wrong("this is no address"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("it begins with neither http:// nor https://"));
    }
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| wrong("it names no host"))?;
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("--endpoint: put no key into the address; name a variable with --api-key-env".to_owned());
    }
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    let loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    let path = if uri.path().len() <= 1 { "/v1" } else { "" };
    Ok((format!("{bare}{path}/chat/completions{query}"), loopback))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_addresses_become_chat_addresses() {
        for (base, url, loopback) in [
            ("http://127.0.0.1:80", "http://127.0.0.1:80/v1/chat/completions", true),
            ("http://localhost:9/v1/", "http://localhost:9/v1/chat/completions", true),
            ("http://[::1]:9/v1", "http://[::1]:9/v1/chat/completions", true),
            ("https://a.example/api/v1", "https://a.example/api/v1/chat/completions", false),
            ("https://a.example/v1/chat/completions", "https://a.example/v1/chat/completions", false),
            ("https://a.example/b/?version=1", "https://a.example/b/chat/completions?version=1", false),
            ("http://127.9.0.1:80?a=b/", "http://127.9.0.1:80/v1/chat/completions?a=b/", true),
        ] {
            assert_eq!(chat_url(base), Ok((url.to_owned(), loopback)));
        }
        for (base, expected) in [
            ("127.0.0.1:80", "begins with neither"),
            ("ftp://a.example", "begins with neither"),
            ("http://", "begins with neither"),
            ("https://key@a.example/v1", "--api-key-env"),
            ("", "no address"),
        ] {
            let problem = chat_url(base).expect_err("wrong");
            assert!(problem.contains(expected), "{problem}");
        }
    }

    #[test]
    fn a_connection_that_breaks_may_have_cost_tokens() {
        let address = Address::new("http://127.0.0.1:1", None, Duration::from_secs(1)).expect("an address");
        let begun = |problem: Error| match address.failed(&problem) {
            Outcome::Again { begun, .. } => Some(begun),
            _ => None,
        };
        let io = |kind: std::io::ErrorKind| Error::Io(kind.into());
        assert_eq!(begun(io(std::io::ErrorKind::ConnectionReset)), Some(true));
        assert_eq!(begun(io(std::io::ErrorKind::UnexpectedEof)), Some(true));
        assert_eq!(begun(Error::Timeout(Timeout::Global)), Some(true));
        assert_eq!(begun(Error::Timeout(Timeout::Connect)), Some(false));
        assert_eq!(begun(io(std::io::ErrorKind::NetworkUnreachable)), Some(false));
        assert_eq!(begun(Error::ConnectionFailed), Some(false));
        assert_eq!(begun(io(std::io::ErrorKind::ConnectionRefused)), None, "nothing is there");
    }

    #[test]
    fn only_unencrypted_requests_to_other_machines_are_exposed() {
        let exposed = |base| Address::new(base, None, Duration::from_secs(1)).expect("an address").is_exposed();
        assert!(exposed("http://a.example/v1") && exposed("http://localhost.example"));
        assert!(!exposed("http://[::1]:8080") && !exposed("http://127.0.0.1") && !exposed("https://a.example/v1"));
    }

    #[test]
    fn an_answer_does_not_repeat_the_key() {
        let echo = |value: &str| {
            let key = Key { variable: "KEY".to_owned(), value: value.to_owned() };
            let address = Address::new("http://127.0.0.1:1", Some(key), Duration::from_secs(1)).expect("an address");
            let answer = serde_json::json!({"choices": [{"message": {"content": format!("I saw {value}.")}}], "n": 1});
            address.without_key(answer)["choices"][0]["message"]["content"].clone()
        };
        assert_eq!(echo("sk-very-secret"), "I saw [key].");
        assert_eq!(echo("EMPTY"), "I saw EMPTY.");
    }

    #[test]
    fn a_message_is_short_and_without_the_key() {
        let key = Key { variable: "KEY".to_owned(), value: "sk-1".to_owned() };
        let address = Address::new("http://127.0.0.1:1", Some(key), Duration::from_secs(1)).expect("an address");
        let body = br#"{"error": {"message": "wrong\n key sk-1"}}"#;
        assert_eq!(address.message(body), "wrong key [key]");
        assert_eq!(address.message(&[b'x'; 5_000]).len(), LONGEST_TOLD + 4);
        assert_eq!(address.message(b"{\"detail\": 1}"), "{\"detail\":1}");
    }
}

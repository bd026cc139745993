//! A scripted server on this machine that speaks just enough of `/v1/chat/completions`, well or badly.
//!
//! It knows a request by the mark `Scene-N` in its prompt and by its seed, counts both, and ends with the test.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// The server's reaction to a request.
pub enum Reply {
    /// Answers with as many choices as were asked for.
    Answers,
    /// Answers with one choice, whatever was asked for.
    One,
    /// A status with headers and a body.
    Status(u16, &'static str, String),
    /// Closes the connection without a word.
    Drop,
    /// Announces more than it sends.
    Half,
    /// Sends a byte now and then and never ends.
    Trickle,
    /// A body with status 200.
    Body(String),
    /// Waits until it is released, then drops the connection.
    Hold,
    /// Waits until it is released, then answers with one choice.
    Late,
}

/// A request as the script sees it.
#[derive(Clone)]
pub struct Request {
    /// The number of the scene.
    pub scene: usize,
    /// How often this scene was asked about before.
    pub before: usize,
    /// Answers to all scenes so far.
    pub answered: usize,
    /// The head, in lower case.
    pub head: String,
    /// The body.
    pub body: Value,
}

type Script = dyn Fn(&Request) -> Reply + Send + Sync;

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    /// Choices that were sent in full, by scene and seed of their request.
    delivered: BTreeMap<(usize, u64), usize>,
    released: bool,
}

struct Shared {
    script: Box<Script>,
    state: Mutex<State>,
    released: Condvar,
    over: AtomicBool,
}

/// A running server; it ends when this is dropped.
pub struct Server {
    port: u16,
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Starts a server on a free port.
    pub fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            state: Mutex::default(),
            released: Condvar::new(),
            over: AtomicBool::new(false),
        });
        let of = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if of.over.load(Ordering::Relaxed) {
                    break;
                }
                let (Ok(stream), of) = (stream, Arc::clone(&of)) else { continue };
                std::thread::spawn(move || {
                    let _ = of.serve(stream);
                });
            }
        });
        Server { port, shared, thread: Some(thread) }
    }

    /// The base address.
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.state.lock().expect("the state").requests.clone()
    }

    /// How many choices were sent in full, by scene and seed.
    pub fn delivered(&self) -> BTreeMap<(usize, u64), usize> {
        self.shared.state.lock().expect("the state").delivered.clone()
    }

    /// Lets those go that wait.
    pub fn release(&self) {
        self.shared.state.lock().expect("the state").released = true;
        self.shared.released.notify_all();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        self.release();
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let Some((head, body)) = read(&mut stream)? else { return Ok(()) };
        let prompt = body["messages"].to_string();
        let after = prompt.split("Scene-").nth(1).unwrap_or("0");
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        let scene = digits.parse().unwrap_or(0);
        let request = {
            let mut state = self.state.lock().expect("the state");
            let before = state.requests.iter().filter(|other| other.scene == scene).count();
            let answered = state.delivered.values().sum();
            let request = Request { scene, before, answered, head, body };
            state.requests.push(request.clone());
            request
        };
        match (self.script)(&request) {
            Reply::Answers => self.answer(&mut stream, &request, request.body["n"].as_u64().unwrap_or(1)),
            Reply::One => self.answer(&mut stream, &request, 1),
            Reply::Status(status, headers, body) => send(&mut stream, status, headers, &body),
            Reply::Drop => Ok(()),
            Reply::Half => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n{\"choices\": ["),
            Reply::Trickle => self.trickle(&mut stream),
            Reply::Body(body) => send(&mut stream, 200, "", &body),
            Reply::Hold => {
                self.wait();
                Ok(())
            }
            Reply::Late => {
                self.wait();
                self.answer(&mut stream, &request, 1)
            }
        }
    }

    fn answer(&self, stream: &mut TcpStream, request: &Request, count: u64) -> std::io::Result<()> {
        let body = answers(request.scene, &request.body, count);
        // Counted before it is sent, because the receiver may check at once.
        let seed = request.body["seed"].as_u64().unwrap_or(0);
        *self.state.lock().expect("the state").delivered.entry((request.scene, seed)).or_default() += count as usize;
        send(stream, 200, "", &body.to_string())
    }

    fn trickle(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n")?;
        for _ in 0..600 {
            if self.over.load(Ordering::Relaxed) {
                break;
            }
            stream.write_all(b" ")?;
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn wait(&self) {
        let state = self.state.lock().expect("the state");
        let limit = Duration::from_secs(60);
        let _ = self.released.wait_timeout_while(state, limit, |state| !state.released);
    }
}

/// The body of an answer: what it says depends on the scene and the seed alone.
pub fn answers(scene: usize, body: &Value, count: u64) -> Value {
    let seed = body["seed"].as_u64().unwrap_or(0);
    if body["logprobs"] == true {
        let entry = |(token, logprob): (&str, f64)| json!({"token": token, "logprob": logprob});
        let top: Vec<Value> = [("A", -0.5), ("The", -2.0), (" B", -1.5)].into_iter().map(entry).collect();
        let content = json!([{"token": "A", "logprob": -0.5, "top_logprobs": top}]);
        return json!({"choices": [{"message": {"content": "A"}, "logprobs": {"content": content}}],
            "usage": {"total_tokens": 100}});
    }
    let letter = |at: u64| ["A", "B", "C"][((seed + at) % 3) as usize];
    let text = |at: u64| format!("Thought: number {at} of {seed} on {scene}\nBehavior: [{}]", letter(at));
    let choice =
        |at| json!({"index": at, "finish_reason": "stop", "message": {"role": "assistant", "content": text(at)}});
    let choices: Vec<Value> = (0..count).map(choice).collect();
    json!({"choices": choices, "usage": {"total_tokens": 100}})
}

fn read(stream: &mut TcpStream) -> std::io::Result<Option<(String, Value)>> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                let body = serde_json::from_slice(&bytes[end + 4..end + 4 + length]).unwrap_or(Value::Null);
                return Ok(Some((head, body)));
            }
        }
        match stream.read(&mut part)? {
            0 => return Ok(None),
            count => bytes.extend_from_slice(&part[..count]),
        }
    }
}

fn send(stream: &mut TcpStream, status: u16, headers: &str, body: &str) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} Whatever\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}

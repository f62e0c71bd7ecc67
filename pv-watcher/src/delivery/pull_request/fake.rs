//! A small GitHub on a free port of the loopback interface: what tests need of its pull requests, and its moods.
//!
//! It takes [`TOKEN`] only, opens a pull request for two branches once, and lists by branch as GitHub does. What it is
//! set by [`FakeGitHub::next`] it does once, for the next request, instead.

mod graphql;

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};
use serde_json::{Value, json};

/// The one token that it takes.
pub const TOKEN: &str = "a-token-of-the-fake-host";

/// The name of a label or a reviewer that it does not know.
pub const UNKNOWN: &str = "nobody-knows";

/// How long a request may take to arrive.
const READ_LIMIT: Duration = Duration::from_secs(10);

/// The largest request, in bytes.
const REQUEST_BYTES_MAX: u64 = 1 << 20;

/// The most headers of a request.
const HEADERS_MAX: usize = 64;

/// What it does with one request instead of what it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mood {
    /// It answers this, and does nothing.
    Says {
        /// The status.
        status: u16,
        /// Further header lines, each with its `\r\n`.
        headers: String,
        /// The body.
        body: String,
    },
    /// It closes the connection and does nothing.
    CutsBefore,
    /// It does what it should, and closes the connection without an answer.
    CutsAfter,
    /// It does nothing and keeps the connection open.
    Sleeps,
}

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The body, if it is JSON.
    pub json: Value,
}

/// The host. It ends when it is dropped.
pub struct FakeGitHub {
    address: SocketAddr,
    socket: Option<PathBuf>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    moods: VecDeque<Mood>,
    seen: Vec<Seen>,
    pulls: Vec<Value>,
    asleep: Vec<Box<dyn Send>>,
}

impl FakeGitHub {
    /// Starts one.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let mut fake = Self { address, socket: None, shared: Arc::new(Shared::default()), threads: Vec::new() };
        let shared = Arc::clone(&fake.shared);
        fake.threads.push(thread::spawn(move || {
            for stream in listener.incoming().take_while(|_| !shared.is_over()) {
                // A connection that breaks is the client's to notice.
                let _ = stream.and_then(|stream| {
                    stream.set_read_timeout(Some(READ_LIMIT))?;
                    shared.serve(stream)
                });
            }
        }));
        Ok(fake)
    }

    /// Lets it be reached at a socket too, which is where `gh` can be sent.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn listen_at(&mut self, socket: &Path) -> io::Result<()> {
        let listener = UnixListener::bind(socket)?;
        self.socket = Some(socket.to_owned());
        let shared = Arc::clone(&self.shared);
        self.threads.push(thread::spawn(move || {
            for stream in listener.incoming().take_while(|_| !shared.is_over()) {
                let _ = stream.and_then(|stream| {
                    stream.set_read_timeout(Some(READ_LIMIT))?;
                    shared.serve(stream)
                });
            }
        }));
        Ok(())
    }

    /// Returns the address of its API.
    #[must_use]
    pub fn api_base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Says what it does with the next request that has no mood yet.
    pub fn next(&self, mood: Mood) {
        self.shared.state().moods.push_back(mood);
    }

    /// Returns the requests that came, in their order.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.state().seen.clone()
    }

    /// Returns the pull requests that are open, as its API shows them, in the order in which they were opened.
    #[must_use]
    pub fn pulls(&self) -> Vec<Value> {
        self.shared.state().pulls.clone()
    }
}

impl Drop for FakeGitHub {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        // Each waits for a connection: this is its last.
        let _ = TcpStream::connect(self.address);
        let _ = self.socket.as_ref().map(UnixStream::connect);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Mood {
    /// An answer of JSON.
    #[must_use]
    pub fn says(status: u16, json: &Value) -> Self {
        Self::Says { status, headers: String::new(), body: json.to_string() }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    fn serve<S: Read + Write + Send + 'static>(&self, mut stream: S) -> io::Result<()> {
        let request = read(&mut stream)?;
        let mut state = self.state();
        state.seen.push(request.clone());
        let (status, headers, body) = match state.moods.pop_front() {
            None => state.answer(&request),
            Some(Mood::Says { status, headers, body }) => (status, headers, body),
            Some(Mood::CutsBefore) => return Ok(()),
            Some(Mood::CutsAfter) => {
                state.answer(&request);
                return Ok(());
            }
            Some(Mood::Sleeps) => {
                state.asleep.push(Box::new(stream));
                return Ok(());
            }
        };
        drop(state);
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{headers}\r\n{body}"
        )
    }
}

impl State {
    fn answer(&mut self, request: &Seen) -> (u16, String, String) {
        let (status, json) = self.act(request);
        (status, String::new(), json.to_string())
    }

    fn act(&mut self, request: &Seen) -> (u16, Value) {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        // `gh` writes another word before it.
        let token = request.authorization.as_deref().and_then(|said| said.split_once(' '));
        if token.is_none_or(|(_, token)| token != TOKEN) {
            return (401, json!({ "message": "Bad credentials" }));
        }
        if parts == ["graphql"] {
            return (200, self.graphql(&request.json));
        }
        if let &["repos", _, _, kind @ ("issues" | "pulls"), number, what @ ("labels" | "requested_reviewers")] =
            &parts[..]
        {
            return self.add(kind, number, what, &request.json);
        }
        let (&["repos", owner, repo, "pulls"], method) = (&parts[..], request.method.as_str()) else {
            return (404, json!({ "message": "Not Found" }));
        };
        if method == "GET" {
            return (200, self.list(owner, query));
        }
        let text = |name: &str| request.json[name].as_str().unwrap_or_default().to_owned();
        let (head, base) = (text("head"), text("base"));
        let invalid = |error: Value| (422, json!({ "message": "Validation Failed", "errors": [error] }));
        if head.is_empty() || base.is_empty() || text("title").is_empty() {
            return invalid(json!({ "resource": "PullRequest", "field": "head", "code": "missing_field" }));
        }
        if self.pull_of(&head, Some(&base)).is_some() {
            let message = format!("A pull request already exists for {owner}:{head}.");
            return invalid(json!({ "code": "custom", "message": message }));
        }
        let words = json!({ "title": text("title"), "body": text("body"), "draft": request.json["draft"] == true });
        (201, self.open(&format!("{owner}/{repo}"), &head, &base, words))
    }

    /// Adds labels or reviewers to a pull request: all of them, or none where one is named [`UNKNOWN`].
    fn add(&mut self, kind: &str, number: &str, what: &str, json: &Value) -> (u16, Value) {
        let index = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let Some(pull) = index.and_then(|index| self.pulls.get_mut(index)) else {
            return (404, json!({ "message": "Not Found" }));
        };
        if (kind, what) == ("pulls", "labels") || (kind, what) == ("issues", "requested_reviewers") {
            return (404, json!({ "message": "Not Found" }));
        }
        if json.to_string().contains(UNKNOWN) {
            return (422, json!({ "message": "Reviews may only be requested from collaborators." }));
        }
        let named = json.as_object().into_iter().flat_map(|json| json.values().filter_map(Value::as_array).flatten());
        let mut all: Vec<Value> = pull[what].as_array().cloned().unwrap_or_default();
        all.extend(named.cloned());
        pull[what] = all.into();
        (201, pull.clone())
    }

    fn pull_of(&self, head: &str, base: Option<&str>) -> Option<&Value> {
        let is_it =
            |pull: &&Value| pull["head"]["ref"] == *head && base.is_none_or(|base| pull["base"]["ref"] == *base);
        self.pulls.iter().find(is_it)
    }

    fn open(&mut self, full_repo: &str, head: &str, base: &str, mut pull: Value) -> Value {
        let number = self.pulls.len() + 1;
        pull["number"] = number.into();
        pull["html_url"] = format!("https://github.com/{full_repo}/pull/{number}").into();
        pull["state"] = "open".into();
        pull["head"] = json!({ "ref": head });
        pull["base"] = json!({ "ref": base });
        self.pulls.push(pull.clone());
        pull
    }

    fn list(&self, owner: &str, query: &str) -> Value {
        let asked = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(found, _)| *found == name).map(|(_, value)| unescape(value))
        };
        // Like GitHub, it does not understand a branch without its owner, and then shows all.
        let head = asked("head").and_then(|head| head.strip_prefix(&format!("{owner}:")).map(str::to_owned));
        let is_asked = |pull: &&Value| {
            head.as_ref().is_none_or(|head| pull["head"]["ref"] == **head)
                && asked("base").is_none_or(|base| pull["base"]["ref"] == *base)
        };
        self.pulls.iter().rev().filter(is_asked).cloned().collect()
    }
}

fn read(stream: &mut impl Read) -> io::Result<Seen> {
    let mut reader = BufReader::new(stream.take(REQUEST_BYTES_MAX));
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (mut authorization, mut length, mut is_chunked) = (None, 0, false);
    for _ in 0..HEADERS_MAX {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => authorization = Some(value.trim().to_owned()),
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "transfer-encoding" => is_chunked = value.trim() == "chunked",
            _ => {}
        }
    }
    let mut body = Vec::new();
    // The body as a whole, or in chunks, each with its length before it in hexadecimal digits, the last of which is empty.
    loop {
        if is_chunked {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            length = u64::from_str_radix(line.trim(), 16).unwrap_or(0);
        }
        (&mut reader).take(length).read_to_end(&mut body)?;
        if !is_chunked || length == 0 {
            break;
        }
        reader.read_line(&mut String::new())?;
    }
    Ok(Seen { method, path, authorization, json: serde_json::from_slice(&body).unwrap_or(Value::Null) })
}

fn unescape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut left = text.as_bytes();
    while let Some((&byte, rest)) = left.split_first() {
        let escaped = rest.get(..2).filter(|_| byte == b'%').and_then(|hex| str::from_utf8(hex).ok());
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(plain) => {
                out.push(plain);
                left = &rest[2..];
            }
            None => {
                out.push(if byte == b'+' { b' ' } else { byte });
                left = rest;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

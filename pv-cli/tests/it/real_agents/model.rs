//! A model on loopback whose behaviour a test chooses: enough of the Responses API for codex, of the Messages API for
//! claude, and of the Chat Completions API for opencode, to run the real agents without a login.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};

/// The model's last message.
pub(super) const LAST_MESSAGE: &str = "Done: the file is there.";

/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// The longest request that is read, in bytes.
const REQUEST_BYTES: u64 = 64 << 20;

/// What the model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    /// Replies with its last message.
    Replies,
    /// Has a command run, then replies with its last message.
    Runs(&'static str),
    /// Has the first command run, and the second one once it is told that a check fails.
    Mends(&'static str, &'static str),
    /// Responds with this status.
    Fails(u16),
    /// Responds with 429, and with the seconds after which the limit ends: in its body, which codex reads.
    RateLimited(u64),
    /// Begins to respond, and closes the connection.
    ClosesEarly,
    /// Reads the request and never responds.
    Hangs,
}

impl Script {
    /// Returns the command that is to run next, where `ran` have run in this session.
    fn command(self, body: &Value, ran: usize) -> Option<&'static str> {
        let is_told = || body.to_string().contains(TOLD);
        match self {
            Self::Runs(command) if ran == 0 => Some(command),
            Self::Mends(first, _) if ran == 0 && !is_told() => Some(first),
            Self::Mends(_, second) if ran < 2 && is_told() => Some(second),
            _ => None,
        }
    }
}

/// Which protocol a request is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Api {
    Responses,
    Messages,
    ChatCompletions,
}

impl Api {
    fn at(path: &str) -> Option<Self> {
        let ends = [("/responses", Self::Responses), ("/messages", Self::Messages)];
        let ends = ends.into_iter().chain([("/chat/completions", Self::ChatCompletions)]);
        ends.into_iter().find_map(|(end, api)| path.ends_with(end).then_some(api))
    }
}

/// A model that responds for as long as it exists.
pub(super) struct Model {
    port: u16,
    script: Arc<Mutex<Script>>,
    asked: Arc<AtomicUsize>,
    requests: Requests,
}

/// What the model was sent, in its order.
type Requests = Arc<Mutex<Vec<Value>>>;

/// What a prompt says that tells what a check found.
const TOLD: &str = "fails on your work";

impl Model {
    /// Starts a model. Its threads end with the test's process, and each connection by itself.
    pub(super) fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let model =
            Self { port, script: Arc::new(Mutex::new(script)), asked: Arc::default(), requests: Requests::default() };
        let (script, asked) = (Arc::clone(&model.script), Arc::clone(&model.asked));
        let requests = Arc::clone(&model.requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, asked, requests) = (Arc::clone(&script), Arc::clone(&asked), Arc::clone(&requests));
                thread::spawn(move || serve(&stream, &script, &asked, &requests));
            }
        });
        model
    }

    /// Returns where it listens.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Lets it do something else from now on.
    pub(super) fn now(&self, script: Script) {
        *self.script.lock().unwrap() = script;
    }

    /// Returns the bodies of the requests, in their order.
    pub(super) fn requests(&self) -> Vec<Value> {
        self.requests.lock().unwrap().clone()
    }

    /// Returns how often it was asked.
    pub(super) fn request_count(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// Responds to one request. A client that closes early is no error here.
fn serve(stream: &TcpStream, script: &Mutex<Script>, asked: &AtomicUsize, requests: &Mutex<Vec<Value>>) {
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    let Some((path, body)) = read_request(stream) else { return };
    let Some(api) = Api::at(&path) else {
        let _ = send(stream, 200, &json!({ "data": [], "models": [], "input_tokens": 1 }).to_string());
        return;
    };
    asked.fetch_add(1, Ordering::Relaxed);
    requests.lock().unwrap().push(body.clone());
    let script = *script.lock().unwrap();
    let events = match script {
        Script::Fails(status) => {
            let error = json!({ "type": "error", "message": format!("the model refuses with {status}") });
            let _ = send(stream, status, &json!({ "type": "error", "error": error }).to_string());
            return;
        }
        Script::RateLimited(seconds) => {
            let error = json!({ "type": "usage_limit_reached", "message": "enough", "resets_in_seconds": seconds,
                "resets_at": unix_now() + seconds });
            let _ = send(stream, 429, &json!({ "type": "error", "error": error }).to_string());
            return;
        }
        Script::Hangs => {
            let _ = { stream }.read(&mut [0]);
            return;
        }
        Script::ClosesEarly => match api {
            Api::ChatCompletions => chat_completions(script, &body).into_iter().take(2).collect(),
            Api::Responses | Api::Messages => {
                vec![json!({ "type": "response.created", "response": { "id": "r" } })]
            }
        },
        Script::Replies | Script::Runs(_) | Script::Mends(..) => match api {
            Api::Responses => responses(script, &body),
            Api::Messages => messages(script, &body),
            Api::ChatCompletions => chat_completions(script, &body),
        },
    };
    let line = |event: &Value| match event["type"].as_str() {
        Some(kind) => format!("event: {kind}\ndata: {event}\n\n"),
        None => format!("data: {event}\n\n"),
    };
    let mut stream_text: String = events.iter().map(line).collect();
    if api == Api::ChatCompletions && script != Script::ClosesEarly {
        stream_text += "data: [DONE]\n\n";
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    let _ = { stream }.write_all([head, &stream_text].concat().as_bytes());
}

fn read_request(stream: &TcpStream) -> Option<(String, Value)> {
    let mut reader = BufReader::new(stream.take(REQUEST_BYTES));
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.split('?').next()?.to_owned();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((path, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}

fn send(mut stream: &TcpStream, status: u16, body: &str) -> std::io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// Returns the events of a response in the Responses API.
fn responses(script: Script, body: &Value) -> Vec<Value> {
    let items = body["input"].as_array().into_iter().flatten();
    let is_output = |item: &&Value| item["type"].as_str().is_some_and(|kind| kind.ends_with("_call_output"));
    let ran = items.filter(is_output).count();
    let item = match script.command(body, ran) {
        Some(command) => {
            let tools = body["tools"].as_array().cloned().unwrap_or_default();
            let has = |name: &str| tools.iter().any(|tool| tool["name"] == name);
            let (name, key) = if has("exec_command") { ("exec_command", "cmd") } else { ("shell_command", "command") };
            let arguments = json!({ key: command }).to_string();
            let call_id = format!("c{ran}");
            json!({ "type": "function_call", "id": format!("f{ran}"), "call_id": call_id, "name": name, "arguments": arguments })
        }
        None => {
            let content = json!([{ "type": "output_text", "text": LAST_MESSAGE, "annotations": [] }]);
            json!({ "type": "message", "id": "m", "role": "assistant", "status": "completed", "content": content })
        }
    };
    let usage = json!({ "input_tokens": 100, "input_tokens_details": { "cached_tokens": 10 }, "output_tokens": 20,
        "output_tokens_details": { "reasoning_tokens": 0 }, "total_tokens": 120 });
    vec![
        json!({ "type": "response.created", "response": { "id": "r", "status": "in_progress", "output": [] } }),
        json!({ "type": "response.output_item.done", "output_index": 0, "item": item }),
        json!({ "type": "response.completed",
            "response": { "id": "r", "status": "completed", "output": [item], "usage": usage } }),
    ]
}

/// Returns the events of a response in the Messages API.
fn messages(script: Script, body: &Value) -> Vec<Value> {
    let parts = body["messages"].as_array().into_iter().flatten().filter_map(|message| message["content"].as_array());
    let ran = parts.flatten().filter(|part| part["type"] == "tool_result").count();
    let has_shell = body["tools"].as_array().is_some_and(|tools| tools.iter().any(|tool| tool["name"] == "Bash"));
    let (block, delta, stop) = match script.command(body, ran).filter(|_| has_shell) {
        Some(command) => {
            let input = json!({ "command": command, "description": "as asked" }).to_string();
            let block = json!({ "type": "tool_use", "id": format!("toolu_{ran}"), "name": "Bash", "input": {} });
            (block, json!({ "type": "input_json_delta", "partial_json": input }), "tool_use")
        }
        None => {
            let block = json!({ "type": "text", "text": "" });
            (block, json!({ "type": "text_delta", "text": LAST_MESSAGE }), "end_turn")
        }
    };
    let message = json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": { "input_tokens": 100, "output_tokens": 1 } });
    vec![
        json!({ "type": "message_start", "message": message }),
        json!({ "type": "content_block_start", "index": 0, "content_block": block }),
        json!({ "type": "content_block_delta", "index": 0, "delta": delta }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": stop, "stop_sequence": null },
            "usage": { "output_tokens": 20 } }),
        json!({ "type": "message_stop" }),
    ]
}

/// Returns the events of a response in the Chat Completions API. What is asked without tools gets the last message.
fn chat_completions(script: Script, body: &Value) -> Vec<Value> {
    let messages = body["messages"].as_array().into_iter().flatten();
    let ran = messages.filter(|message| message["role"] == "tool").count();
    let has_shell =
        body["tools"].as_array().is_some_and(|tools| tools.iter().any(|tool| tool["function"]["name"] == "bash"));
    let (delta, finish) = match script.command(body, ran).filter(|_| has_shell) {
        Some(command) => {
            let arguments = json!({ "command": command, "description": "as asked" }).to_string();
            let function = json!({ "name": "bash", "arguments": arguments });
            (
                json!({ "tool_calls": [{ "index": 0, "id": format!("c{ran}"), "type": "function", "function": function }] }),
                "tool_calls",
            )
        }
        None => (json!({ "content": LAST_MESSAGE }), "stop"),
    };
    let chunk = |choices: Value, usage: Value| {
        json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": body["model"], "choices": choices,
            "usage": usage })
    };
    let choice = |delta: Value, finish: Value| json!([{ "index": 0, "delta": delta, "finish_reason": finish }]);
    vec![
        chunk(choice(json!({ "role": "assistant", "content": "" }), Value::Null), Value::Null),
        chunk(choice(delta, Value::Null), Value::Null),
        chunk(choice(json!({}), json!(finish)), Value::Null),
        chunk(json!([]), json!({ "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120 })),
    ]
}

fn unix_now() -> u64 {
    u64::try_from(pv_lib::host::now().unix_seconds()).unwrap()
}

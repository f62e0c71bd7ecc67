//! Answers from an API over HTTP.

use std::{
    collections::VecDeque,
    future::Future,
    time::{Duration, Instant},
};

use pv_lib::{
    config::{Secret, base_url, client_token, redact_address},
    fs::OsFs,
    job::JobId,
    text::one_line,
};
use reqwest::{
    Client, Method, RequestBuilder, Response, StatusCode,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use super::{
    Backend, Prompt, Sink, SyncedTargets, Wanted, prefix,
    sse::{Event, Events},
    state, text,
};
use crate::exit::{Exit, Failure};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take; log streams have no such limit.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a stream may be silent: the API sends a comment every 15 s.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(45);
/// The longest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 256 << 20;
/// How often in a row a broken stream is taken up again.
const MAX_RESUMES: u32 = 5;
/// How long to wait before that.
const RESUME_AFTER: Duration = Duration::from_secs(1);
/// A stream that is silent for so long has sent what was there already.
const CAUGHT_UP_AFTER: Duration = Duration::from_millis(300);
/// A stream that has sent for so long without a pause is shown as it comes, though more than the last lines may be shown.
const MAX_CATCHING_UP: Duration = Duration::from_secs(2);
/// How much is held while looking for the last lines, in bytes.
const MAX_TAIL_BYTES: usize = 16 << 20;
/// How often a job that is waited for is looked at.
const PACE: Duration = Duration::from_secs(1);

/// An API.
#[derive(Debug)]
pub(super) struct Remote {
    /// Its address, without a slash at the end.
    url: String,
    token: Option<Secret>,
    client: Client,
    runtime: Runtime,
}

/// Why a stream was left.
enum Left {
    /// The job is over, and everything was sent.
    Over,
    /// The connection ended before that.
    Broken,
}

impl Remote {
    /// Prepares to ask the API at `url`. Asks nothing yet.
    ///
    /// # Errors
    /// An address that is none, or not `http://`; a token that cannot be read, or looks damaged: exit code 2.
    pub(super) fn new(url: &str) -> Result<Self, Failure> {
        let address = base_url(url).filter(|url| reqwest::Url::parse(url).is_ok());
        let address = address.ok_or_else(|| {
            Failure::usage(format!(
                "--api `{}` cannot be used: write it like http://127.0.0.1:8888/api/v1 (https through a tunnel, such as \
                 `ssh -L`; the token in PV_API_TOKEN_FILE or PV_API_TOKEN)",
                redact_address(url)
            ))
        })?;
        let token = client_token(&OsFs, &|name| std::env::var_os(name)).map_err(Failure::usage)?;
        // A proxy that the environment names for the web has no business between this host and its API.
        let client =
            Client::builder().no_proxy().connect_timeout(CONNECT_TIMEOUT).read_timeout(SILENCE_TIMEOUT).build();
        Ok(Self {
            url: address,
            token,
            client: client.map_err(|error| Failure::new(Exit::Refused, error))?,
            runtime: Builder::new_current_thread().enable_all().build()?,
        })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        }
    }

    /// Sends a request, and returns an answer that is no refusal.
    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let body = self.body(answer).await?;
        Err(self.refusal(status, &body))
    }

    async fn body(&self, mut answer: Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.unreachable(&error))? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(Failure::new(
                    Exit::Refused,
                    format!("{} answers more than {MAX_ANSWER_BYTES} bytes: ask for less, such as with -n", self.url),
                ));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn wait<T>(&self, answer: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        self.runtime.block_on(answer)
    }

    fn bytes(&self, request: RequestBuilder) -> Result<Vec<u8>, Failure> {
        self.wait(async { self.body(self.send(request.timeout(ANSWER_TIMEOUT)).await?).await })
    }

    fn json(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let not_ours = |_| {
            Failure::new(Exit::Refused, format!("{} does not answer as our API: should it end in /api/v1?", self.url))
        };
        serde_json::from_slice(&self.bytes(request)?).map_err(not_ours)
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let why = if error.is_timeout() { "it does not answer in time".to_owned() } else { root_cause(error) };
        Failure::new(Exit::Unreachable, format!("cannot reach {}: {why}", self.url))
    }

    fn refusal(&self, status: StatusCode, body: &[u8]) -> Failure {
        let exit = match status {
            StatusCode::NOT_FOUND => Exit::NotFound,
            StatusCode::CONFLICT => Exit::Conflict,
            // The page's service in between does not reach the API.
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => Exit::Unreachable,
            _ => Exit::Refused,
        };
        let detail = serde_json::from_slice::<Value>(body).ok().and_then(|body| detail(&body));
        // It comes from elsewhere, and goes to a terminal.
        let detail = detail.map(|detail| one_line(&detail));
        Failure::new(exit, detail.unwrap_or_else(|| format!("{} answers {status}", self.url)))
    }

    /// Reads a stream from the line after `seen` on, and notes in `seen` how far it came.
    async fn stream(
        &self,
        id: &str,
        seen: &mut Option<String>,
        tail: &mut Option<Tail>,
        sink: Sink<'_>,
    ) -> Result<Left, Failure> {
        let mut request = self.request(Method::GET, &format!("/jobs/{id}/log/stream?end=1"));
        if let Some(seen) = seen {
            request = request.header("Last-Event-ID", seen.as_str());
        }
        let mut answer = self.send(request).await?;
        let mut events = Events::default();
        loop {
            let chunk = match tail {
                None => answer.chunk().await,
                Some(_) => match tokio::time::timeout(CAUGHT_UP_AFTER, answer.chunk()).await {
                    Ok(chunk) => chunk,
                    Err(_) => {
                        flush(tail, sink)?;
                        continue;
                    }
                },
            };
            let Ok(Some(chunk)) = chunk else { return Ok(Left::Broken) };
            for event in events.take(&chunk) {
                let bytes = match event {
                    Event::End => {
                        flush(tail, sink)?;
                        return Ok(Left::Over);
                    }
                    Event::Part(part) => part,
                    Event::Line(mut line, next) => {
                        *seen = next.or(seen.take());
                        line.push(b'\n');
                        line
                    }
                };
                match tail {
                    Some(tail) => tail.push(bytes),
                    None => sink(&bytes)?,
                }
            }
            if tail.as_ref().is_some_and(|tail| tail.began.elapsed() > MAX_CATCHING_UP) {
                flush(tail, sink)?;
            }
        }
    }
}

impl Backend for Remote {
    fn submit(&self, repo: &str, branch: &str, mut prompts: Vec<Prompt>) -> Result<Vec<Value>, Failure> {
        let request = |path: &str| self.request(Method::POST, path);
        if prompts.len() == 1
            && let Some(prompt) = prompts.pop()
        {
            let markdown_text = String::from_utf8(prompt.bytes)
                .map_err(|_| Failure::new(Exit::Refused, "the prompt is not UTF-8 text: save it as UTF-8"))?;
            let body =
                json!({ "repo": repo, "branch": branch, "markdown_text": markdown_text, "filename": prompt.name });
            return Ok(vec![self.json(request("/jobs").json(&body))?]);
        }
        let mut form = Form::new().text("repo", repo.to_owned()).text("branch", branch.to_owned());
        for prompt in prompts {
            let name = prompt.name.unwrap_or_else(|| "prompt.md".into());
            form = form.part("files", Part::bytes(prompt.bytes).file_name(name));
        }
        rows(self.json(request("/jobs/upload").multipart(form))?, "jobs")
    }

    fn list(&self, wanted: &Wanted) -> Result<Vec<Value>, Failure> {
        let mut query: Vec<(&str, String)> = Vec::new();
        let mut add = |key, value: Option<String>| query.extend(value.map(|value| (key, value)));
        add("repo", wanted.repo.clone());
        add("branch", wanted.branch.clone());
        add("stalled", wanted.stalled.map(|stalled| stalled.to_string()));
        // The API takes one state; several are chosen here, and counted after that.
        let chosen_here = wanted.states.len() > 1;
        if !chosen_here {
            add("limit", wanted.limit.map(|limit| limit.to_string()));
            let name =
                |state: &Option<pv_lib::job::JobState>| state.map_or("unknown", |state| state.as_str()).to_owned();
            add("state", wanted.states.first().map(name));
        }
        let mut address = reqwest::Url::parse(&format!("{}/jobs", self.url)).map_err(Failure::usage)?;
        address.query_pairs_mut().extend_pairs(query);
        let path = format!("/jobs?{}", address.query().unwrap_or_default());
        let mut jobs = rows(self.json(self.request(Method::GET, &path))?, "jobs")?;
        if chosen_here {
            jobs.retain(|job| wanted.states.contains(&state(job)));
            jobs.truncate(wanted.limit.unwrap_or(usize::MAX));
        }
        Ok(jobs)
    }

    fn ids(&self) -> Result<Vec<String>, Failure> {
        let jobs = self.list(&Wanted::default())?;
        Ok(jobs.iter().map(|job| text(job, "job_id").to_owned()).collect())
    }

    fn resolve(&self, prefix: &str) -> Result<String, Failure> {
        match JobId::minted(prefix) {
            Some(whole) => Ok(whole.to_string()),
            None => Ok(prefix::resolve(&self.ids()?, prefix)?),
        }
    }

    fn job(&self, id: &str) -> Result<Value, Failure> {
        self.json(self.request(Method::GET, &format!("/jobs/{id}")))
    }

    fn log(&self, id: &str, lines: usize) -> Result<Vec<u8>, Failure> {
        self.bytes(self.request(Method::GET, &format!("/jobs/{id}/log?lines={lines}")))
    }

    fn follow(&self, id: &str, lines: Option<usize>, sink: Sink<'_>) -> Result<(), Failure> {
        let (mut seen, mut tail) = (None, lines.map(Tail::new));
        let mut resumes = 0;
        loop {
            let (before, began) = (seen.clone(), Instant::now());
            match self.wait(self.stream(id, &mut seen, &mut tail, sink)) {
                Ok(Left::Over) => return Ok(()),
                Ok(Left::Broken) => {}
                Err(failure) if failure.exit == Exit::Unreachable && resumes > 0 => {
                    if resumes >= MAX_RESUMES {
                        return Err(failure);
                    }
                }
                Err(failure) => return Err(failure),
            }
            let has_progress = seen != before || began.elapsed() > SILENCE_TIMEOUT;
            resumes = if has_progress { 1 } else { resumes + 1 };
            if resumes > MAX_RESUMES {
                return Err(Failure::new(
                    Exit::Unreachable,
                    format!("{} ends the log stream again and again", self.url),
                ));
            }
            std::thread::sleep(RESUME_AFTER);
        }
    }

    fn patch(&self, id: &str, sink: Sink<'_>) -> Result<(), Failure> {
        self.wait(async {
            let mut answer = self.send(self.request(Method::GET, &format!("/jobs/{id}/patch"))).await?;
            while let Some(chunk) = answer.chunk().await.map_err(|error| self.unreachable(&error))? {
                sink(&chunk)?;
            }
            Ok(())
        })
    }

    fn abort(&self, id: &str) -> Result<Value, Failure> {
        self.json(self.request(Method::POST, &format!("/jobs/{id}/abort")))
    }

    fn retry(&self, id: &str) -> Result<Value, Failure> {
        self.json(self.request(Method::POST, &format!("/jobs/{id}/retry")))
    }

    fn status(&self) -> Result<Value, Failure> {
        self.json(self.request(Method::GET, "/status"))
    }

    fn targets(&self) -> Result<Vec<Value>, Failure> {
        match self.json(self.request(Method::GET, "/targets"))? {
            Value::Array(targets) => Ok(targets),
            _ => Err(Failure::new(Exit::Refused, format!("{}/targets answers no list", self.url))),
        }
    }

    fn add_target(&self, _repo: &str, _branch: Option<&str>) -> Result<Value, Failure> {
        Err(makes_no_targets())
    }

    fn sync_targets(&self, _is_trial: bool) -> Result<SyncedTargets, Failure> {
        Err(makes_no_targets())
    }

    fn pace(&self) -> Duration {
        PACE
    }
}

fn makes_no_targets() -> Failure {
    Failure::new(Exit::Refused, "the API makes no targets: run `pv targets` on its host, without --api")
}

/// The last lines of what a stream sends at first.
#[derive(Debug)]
struct Tail {
    lines: VecDeque<Vec<u8>>,
    max_lines: usize,
    bytes: usize,
    began: Instant,
}

impl Tail {
    fn new(max_lines: usize) -> Self {
        Self { lines: VecDeque::new(), max_lines, bytes: 0, began: Instant::now() }
    }

    fn push(&mut self, line: Vec<u8>) {
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.lines.len() > self.max_lines || self.bytes > MAX_TAIL_BYTES {
            let Some(first) = self.lines.pop_front() else { break };
            self.bytes -= first.len();
        }
    }
}

fn flush(tail: &mut Option<Tail>, sink: Sink<'_>) -> Result<(), Failure> {
    let lines = tail.take().map(|tail| tail.lines).unwrap_or_default();
    lines.iter().try_for_each(|line| sink(line))
}

fn rows(mut answer: Value, key: &str) -> Result<Vec<Value>, Failure> {
    match answer.get_mut(key).map(Value::take) {
        Some(Value::Array(rows)) => Ok(rows),
        _ => Err(Failure::new(Exit::Refused, format!("the API's answer has no `{key}`: is it a Prompt Valet API?"))),
    }
}

/// Returns the sentence of a refusal, or one for each value that cannot be used.
fn detail(body: &Value) -> Option<String> {
    let issue = |issue: &Value| {
        let place = issue.get("loc")?.as_array()?.last()?.as_str()?.to_owned();
        Some(format!("{place}: {}", text(issue, "msg")))
    };
    match body.get("detail")? {
        Value::String(sentence) => Some(sentence.clone()),
        Value::Array(issues) => Some(issues.iter().filter_map(issue).collect::<Vec<_>>().join("; ")),
        _ => None,
    }
}

/// Returns what lies at the bottom of an error: the rest repeats the address.
fn root_cause(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.last().map_or_else(String::new, ToString::to_string)
}

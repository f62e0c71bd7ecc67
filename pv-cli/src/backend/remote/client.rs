//! Requests to an API, and the errors that they end with.

use std::{future::Future, time::Duration};

use pv_http::{api_client, tls_problem};
use pv_lib::{
    config::{Secret, base_url, client_token, redact_address},
    fs::OsFs,
    text::one_line,
};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::{
    backend::answers::text,
    exit::{Exit, Failure},
};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a response may take; streams have no such limit.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a stream may be silent: the API sends a comment every 15 s.
pub(super) const SILENCE_TIMEOUT: Duration = Duration::from_secs(45);
/// The longest response that is read, in bytes.
const RESPONSE_BYTES_MAX: usize = 256 << 20;

/// A client of one API.
#[derive(Debug)]
pub(super) struct Client {
    /// The API's address, without a slash at the end.
    url: String,
    token: Option<Secret>,
    http: reqwest::Client,
    runtime: Runtime,
}

impl Client {
    /// Prepares to send requests to the API at `url`. Sends none yet.
    ///
    /// # Errors
    /// An address that is none, or whose certificates cannot be read; a token that cannot be read, or looks damaged: exit code 2.
    pub(super) fn new(url: &str) -> Result<Self, Failure> {
        let address = base_url(url).filter(|url| Url::parse(url).is_ok());
        let address = address.ok_or_else(|| {
            Failure::usage(format!(
                "--api `{}` cannot be used: write it like http://127.0.0.1:8888/api/v1 or https://valet.example/api/v1 \
                 (the token in PV_API_TOKEN_FILE or PV_API_TOKEN)",
                redact_address(url)
            ))
        })?;
        let token = client_token(&OsFs, &|name| std::env::var_os(name)).map_err(Failure::usage)?;
        let http = api_client(&address).map_err(Failure::usage)?;
        let http = http.connect_timeout(CONNECT_TIMEOUT).read_timeout(SILENCE_TIMEOUT);
        Ok(Self {
            url: address,
            token,
            http: http.build().map_err(|error| Failure::new(Exit::Refused, error))?,
            runtime: Builder::new_current_thread().enable_all().build()?,
        })
    }

    /// Returns the API's address, without a slash at the end.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Begins a GET request.
    pub(super) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    /// Begins a POST request.
    pub(super) fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    /// Begins a DELETE request.
    pub(super) fn delete(&self, path: &str) -> RequestBuilder {
        self.request(Method::DELETE, path)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        }
    }

    /// Waits for what is done with requests.
    pub(super) fn wait<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        self.runtime.block_on(work)
    }

    /// Sends a request, and returns a response that is no error.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = self.body(response).await?;
        Err(self.refused(status, &body))
    }

    /// Sends a request, and returns the body of its response.
    pub(super) fn bytes(&self, request: RequestBuilder) -> Result<Vec<u8>, Failure> {
        self.wait(async { self.body(self.send(request.timeout(RESPONSE_TIMEOUT)).await?).await })
    }

    /// Sends a request, and returns the JSON of its response.
    pub(super) fn json(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let not_ours = |_| {
            Failure::new(
                Exit::Refused,
                format!(
                    "{} returned no JSON: is it a Prompt Valet API, and should its address end in /api/v1?",
                    self.url
                ),
            )
        };
        serde_json::from_slice(&self.bytes(request)?).map_err(not_ours)
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            if body.len() + chunk.len() > RESPONSE_BYTES_MAX {
                return Err(Failure::new(
                    Exit::Refused,
                    format!(
                        "{} returned more than {RESPONSE_BYTES_MAX} bytes: ask for less, such as with -n",
                        self.url
                    ),
                ));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Makes the failure of a request that got no response.
    pub(super) fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let why = match tls_problem(error) {
            Some(problem) => problem,
            None if error.is_timeout() => "it does not respond in time".to_owned(),
            None => root_cause(error),
        };
        Failure::new(Exit::Unreachable, format!("cannot reach {}: {why}", self.url))
    }

    /// Makes the failure of a response that is an error.
    fn refused(&self, status: StatusCode, body: &[u8]) -> Failure {
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
        Failure::new(exit, detail.unwrap_or_else(|| format!("{} returned {status}", self.url)))
    }
}

/// Returns the sentence of an error, or one for each value that cannot be used.
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

/// Returns the innermost cause of an error: the others repeat the address.
fn root_cause(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.last().map_or_else(String::new, ToString::to_string)
}

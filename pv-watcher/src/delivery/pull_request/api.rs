//! One bounded call of a git host's API: no redirect is followed, no connection kept, no answer read beyond a limit.

use std::{io, sync::Arc, time::Duration};

use pv_lib::config::Secret;
use serde_json::Value;
use ureq::{
    Agent, Body,
    http::{HeaderMap, HeaderValue, Response, Uri, header},
    tls::{RootCerts, TlsConfig},
};

use super::{Refusal, RestError};

/// The largest answer, in bytes. A pull request has some 30 KB.
pub(super) const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// What we call ourselves; GitHub refuses requests without it.
const USER_AGENT: &str = concat!("prompt-valet/", env!("CARGO_PKG_VERSION"));

/// An API that can be called.
#[derive(Debug)]
pub(super) struct Api {
    agent: Agent,
    base: String,
    host: String,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// How long it asks to wait.
    pub(super) retry_after: Option<Duration>,
    /// Whether the allowance of requests is used up.
    pub(super) is_used_up: bool,
    /// Where it sends us.
    pub(super) location: Option<String>,
    /// What it said, if that is JSON.
    pub(super) json: Option<Value>,
}

impl Api {
    /// Prepares calls. The proxy variables of this process's environment count, and the system's root certificates, so
    /// that a host inside a company can be reached.
    ///
    /// # Errors
    /// [`RestError::Address`].
    pub(super) fn new(base: &str) -> Result<Self, RestError> {
        let address = base;
        let base = address.trim_end_matches('/');
        let uri: Option<Uri> = base.parse().ok();
        let host = uri.as_ref().filter(|uri| matches!(uri.scheme_str(), Some("http" | "https"))).and_then(Uri::host);
        let Some(host) = host.filter(|_| !base.contains(['?', '@'])).map(str::to_owned) else {
            return Err(RestError::Address(address.to_owned()));
        };
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(0)
            .user_agent(USER_AGENT)
            .accept("application/vnd.github+json")
            .build()
            .new_agent();
        Ok(Self { agent, base: base.to_owned(), host })
    }

    /// Returns the name of the host.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Reads `path`, within `limit`.
    pub(super) fn get(
        &self,
        path: &str,
        query: &[(&str, &str)],
        token: &Secret,
        limit: Duration,
    ) -> Result<Answer, Refusal> {
        let request = self.agent.get(format!("{}{path}", self.base)).query_pairs(query.iter().copied());
        let request = request.header(header::AUTHORIZATION, bearer(token));
        read(request.config().timeout_global(Some(limit)).build().call())
    }

    /// Sends `json` to `path`, within `limit`.
    pub(super) fn post(&self, path: &str, json: &Value, token: &Secret, limit: Duration) -> Result<Answer, Refusal> {
        let request = self.agent.post(format!("{}{path}", self.base)).content_type("application/json");
        let request = request.header(header::AUTHORIZATION, bearer(token));
        read(request.config().timeout_global(Some(limit)).build().send(json.to_string()))
    }
}

/// Escapes one segment of a path.
pub(super) fn segment(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

/// A token is printable ASCII, so that this cannot fail; an empty one is refused like any wrong one.
fn bearer(token: &Secret) -> HeaderValue {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose()))
        .unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
    value.set_sensitive(true);
    value
}

fn read(sent: Result<Response<Body>, ureq::Error>) -> Result<Answer, Refusal> {
    let mut response = sent.map_err(refusal)?;
    let status = response.status().as_u16();
    let headers = response.headers();
    let (retry_after, is_used_up) = (seconds(headers), text(headers, "x-ratelimit-remaining") == Some("0"));
    let location = text(headers, "location").map(str::to_owned);
    let bytes = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec().map_err(refusal)?;
    Ok(Answer { status, retry_after, is_used_up, location, json: serde_json::from_slice(&bytes).ok() })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn seconds(headers: &HeaderMap) -> Option<Duration> {
    text(headers, "retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

fn refusal(error: ureq::Error) -> Refusal {
    use ureq::Error;
    match error {
        Error::Timeout(_) => Refusal::Timeout,
        Error::BodyExceedsLimit(limit_bytes) => Refusal::TooLarge { limit_bytes },
        Error::RedirectFailed | Error::TooManyRedirects => Refusal::Moved { status: 307, location: None },
        Error::Rustls(error) => Refusal::Untrusted { problem: error.to_string() },
        Error::Tls(problem) => Refusal::Untrusted { problem: problem.to_owned() },
        Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => Refusal::Timeout,
        // So the TLS library reports what it does not like during the handshake.
        Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            Refusal::Untrusted { problem: error.to_string() }
        }
        Error::Io(error) => Refusal::NoAnswer { problem: error.to_string() },
        Error::HostNotFound => Refusal::NoAnswer { problem: "no such host is known".to_owned() },
        other => Refusal::NoAnswer { problem: other.to_string() },
    }
}

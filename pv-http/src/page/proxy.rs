//! The proxy that forwards requests of the page to the API, and nothing else.
//!
//! Both directions are bounded. Bodies of requests are read whole before this, within the API's own limit. Responses
//! are forwarded as they arrive and never buffered; one that stays silent is cut off, since the API sends a comment
//! into each stream every 15 s.

use std::{io, sync::Arc, time::Duration};

use futures_util::StreamExt;
use poem::{
    Addr, Body, Endpoint, Request, Response,
    error::NotFoundError,
    http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header},
};
use reqwest::{Client, Url};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time,
};
use tokio_util::sync::CancellationToken;

use super::docs::{Docs, PREFIX};
use crate::{
    access::ip,
    client::{api_client, tls_problem},
    openapi::{Problem, method_not_allowed},
    server::{PeerLimits, PeerPermit},
};

/// How long nothing may come of a response that has begun.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);
/// How many of them one peer on another host may have.
const MAX_STREAMS_PER_PEER: usize = 16;
/// How many idle connections to the API are kept, and how long: for less than the API keeps them, so that none is used that
/// the API closes at that moment.
const MAX_IDLE_CONNECTIONS: usize = 16;
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// The headers of a request that are forwarded. What a browser says of the page that sends it was checked here.
const FORWARDED_REQUEST_HEADERS: [HeaderName; 8] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::IF_NONE_MATCH,
    header::RANGE,
    header::USER_AGENT,
    HeaderName::from_static("last-event-id"),
];

/// The headers of a response that are forwarded: none that is about the connection.
const FORWARDED_RESPONSE_HEADERS: [HeaderName; 14] = [
    header::ACCEPT_RANGES,
    header::ALLOW,
    header::CACHE_CONTROL,
    header::CONTENT_DISPOSITION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::ETAG,
    header::LOCATION,
    header::RETRY_AFTER,
    header::VARY,
    header::WWW_AUTHENTICATE,
    HeaderName::from_static("x-accel-buffering"),
];

/// Forwards requests to one API.
#[derive(Debug)]
pub(crate) struct Proxy {
    client: Client,
    base: Url,
    head_timeout: Duration,
    streams: Arc<Semaphore>,
    streams_per_peer: PeerLimits,
    stop: CancellationToken,
}

impl Proxy {
    /// Makes one for the API at `base`, which may take `head_timeout` until its response begins, that forwards up to
    /// `max_streams` streams at once. They end with `stop`.
    ///
    /// # Errors
    /// What is wrong with the address, or with the system.
    pub(crate) fn new(
        base: &str,
        head_timeout: Duration,
        max_streams: usize,
        stop: CancellationToken,
    ) -> Result<Self, String> {
        let base = Url::parse(base.trim_end_matches('/')).map_err(|error| error.to_string())?;
        let client = api_client(base.as_str())
            .map_err(|error| error.to_string())?
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(head_timeout)
            .read_timeout(SILENCE_TIMEOUT.max(head_timeout))
            .pool_max_idle_per_host(MAX_IDLE_CONNECTIONS)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build();
        let (client, streams) =
            (client.map_err(|error| error.to_string())?, Arc::new(Semaphore::new(max_streams.max(1))));
        Ok(Self { client, base, head_timeout, streams, streams_per_peer: PeerLimits::new(MAX_STREAMS_PER_PEER), stop })
    }

    /// Returns the address of a request at the API; `None` for one that leads out of the API's operations.
    fn address(&self, uri: &Uri) -> Option<Url> {
        let rest = uri.path().strip_prefix(PREFIX)?;
        let path = format!("{}{rest}", self.base.path());
        let mut address = self.base.clone();
        address.set_path(&path);
        address.set_query(uri.query());
        // A path that the parser changed, such as by resolving dots, is not forwarded.
        (address.path() == path && (rest.is_empty() || rest.starts_with('/'))).then_some(address)
    }

    async fn forward(&self, mut request: Request) -> Result<Response, Problem> {
        let not_found = || Problem::new(StatusCode::NOT_FOUND, NotFoundError.to_string());
        if !matches!(*request.method(), Method::GET | Method::HEAD | Method::POST | Method::DELETE) {
            return Docs::allow(request.uri().path()).map(method_not_allowed).ok_or_else(not_found);
        }
        let address = self.address(request.uri()).ok_or_else(not_found)?;
        let body = request.take_body().into_bytes().await.map_err(|_| Problem::internal())?;
        let headers = only(&FORWARDED_REQUEST_HEADERS, request.headers());
        let mut forwarded = self.client.request(request.method().clone(), address).headers(headers);
        // Tells another service of this kind that the request comes through a proxy.
        forwarded = forwarded.header(header::VIA, "1.1 prompt-valet");
        if *request.method() == Method::POST {
            forwarded = forwarded.body(body);
        }
        let response = match time::timeout(self.head_timeout, forwarded.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if !error.is_timeout() => return Err(self.unreachable(&error)),
            Ok(Err(_)) | Err(_) => return Err(self.timed_out(request.method())),
        };
        let (status, headers) = (response.status(), only(&FORWARDED_RESPONSE_HEADERS, response.headers()));
        let is_stream = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
        let permits = is_stream.then(|| self.acquire_stream(request.remote_addr())).transpose()?;
        let parts = response.bytes_stream().map(move |part| {
            // Held until the last part.
            let _permits = &permits;
            part.map_err(io::Error::other)
        });
        let mut response = Response::builder()
            .status(status)
            .body(Body::from_bytes_stream(parts.take_until(self.stop.clone().cancelled_owned())));
        *response.headers_mut() = headers;
        Ok(response)
    }

    /// Takes a permit for a stream, of those for all peers and of those of this one.
    fn acquire_stream(&self, peer: &Addr) -> Result<(OwnedSemaphorePermit, Option<PeerPermit>), Problem> {
        let full = || {
            let detail = "too many streams are open: close some, or try again later";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        };
        let of_peer = ip(peer).map(|peer| self.streams_per_peer.acquire(peer).ok_or_else(full)).transpose()?;
        Ok((self.streams.clone().try_acquire_owned().map_err(|_| full())?, of_peer))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Problem {
        let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
        let last = || causes.last().map_or_else(String::new, ToString::to_string);
        let cause = tls_problem(error).unwrap_or_else(last);
        tracing::debug!(api = %self.base, error = cause, "the API cannot be reached");
        let detail = format!(
            "the API at {} cannot be reached ({cause}): start it with `pv api`, or correct PV_API_BASE_URL",
            self.base
        );
        Problem::new(StatusCode::BAD_GATEWAY, detail)
    }

    fn timed_out(&self, method: &Method) -> Problem {
        // The API finishes what it has begun, also when nobody waits for it.
        let first = match *method {
            Method::POST | Method::DELETE => {
                "what was asked for may have been done all the same: look at the jobs before you ask again; then "
            }
            _ => "",
        };
        let detail = format!(
            "the API at {} did not answer within {} s: {first}look at its log, or raise PV_UI_API_TIMEOUT_SECONDS",
            self.base,
            self.head_timeout.as_secs_f32()
        );
        Problem::new(StatusCode::GATEWAY_TIMEOUT, detail)
    }
}

impl Endpoint for Proxy {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        Ok(self.forward(request).await?)
    }
}

fn only(names: &[HeaderName], headers: &HeaderMap) -> HeaderMap {
    let named = headers.iter().filter(|(name, _)| names.contains(name));
    named.map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A proxy that forwards three streams more than one peer may have.
    fn proxy(base: &str) -> Result<Proxy, String> {
        Proxy::new(base, Duration::from_secs(1), MAX_STREAMS_PER_PEER + 3, CancellationToken::new())
    }

    #[test]
    fn only_the_apis_operations_are_forwarded() {
        let address =
            |base: &str, target: &str| proxy(base).unwrap().address(&target.parse().unwrap()).map(String::from);
        let base = "http://127.0.0.1:8888/api/v1";
        for (target, expected) in [
            ("/api/v1/jobs?limit=3&repo=a%2Fb", Some("http://127.0.0.1:8888/api/v1/jobs?limit=3&repo=a%2Fb")),
            ("/api/v1/jobs/a%20b/log", Some("http://127.0.0.1:8888/api/v1/jobs/a%20b/log")),
            ("/api/v1//jobs", Some("http://127.0.0.1:8888/api/v1//jobs")),
            ("/api/v1", Some("http://127.0.0.1:8888/api/v1")),
            ("/api/v1/../../metrics", None),
            ("/api/v1/%2e%2e/%2E%2e/metrics", None),
            ("/api/v1/.", None),
            ("/api/v1/..%5c..", Some("http://127.0.0.1:8888/api/v1/..%5c..")),
            ("/api/v1\\..\\x", None),
            ("/api/v1.evil.example/", None),
            ("/api/v12", None),
            ("/metrics", None),
        ] {
            assert_eq!(address(base, target).as_deref(), expected, "{target}");
        }
        assert_eq!(address("http://h/pv/api/v1/", "/api/v1/jobs").as_deref(), Some("http://h/pv/api/v1/jobs"));
        assert!(proxy("nonsense").is_err());
    }

    #[tokio::test]
    async fn one_peer_cannot_take_every_stream() {
        let proxy = proxy("http://127.0.0.1:1/api/v1").unwrap();
        let acquire = |peer: [u8; 4]| proxy.acquire_stream(&Addr::SocketAddr((peer, 4000).into()));
        let mut held: Vec<_> = (0..MAX_STREAMS_PER_PEER).map(|_| acquire([10, 0, 0, 1]).unwrap()).collect();
        assert_eq!(acquire([10, 0, 0, 1]).unwrap_err().status(), StatusCode::SERVICE_UNAVAILABLE);
        held.extend((held.len()..MAX_STREAMS_PER_PEER + 3).map(|_| acquire([127, 0, 0, 1]).unwrap()));
        assert_eq!(acquire([127, 0, 0, 1]).unwrap_err().status(), StatusCode::SERVICE_UNAVAILABLE, "all are taken");
        held.pop();
        assert!(acquire([10, 0, 0, 2]).is_ok());
    }

    #[test]
    fn headers_about_the_connection_or_the_browser_are_not_forwarded() {
        for name in ["connection", "transfer-encoding", "host", "origin", "cookie", "upgrade", "te", "x-forwarded-for"]
        {
            let name = name.parse::<HeaderName>().unwrap();
            assert!(
                !FORWARDED_REQUEST_HEADERS.contains(&name) && !FORWARDED_RESPONSE_HEADERS.contains(&name),
                "{name}"
            );
        }
    }
}

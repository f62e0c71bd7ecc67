//! The server: an accept loop that slow, silent and greedy clients cannot wear down.
//!
//! Limits: so many connections at once, beyond which new ones wait in the kernel's queue; so long for the first byte,
//! for a request's head, and for a client to take what it is sent.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use poem::{
    Addr, Endpoint, Response,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;

use crate::patient::Patient;

/// How long a client may take for its first byte, and for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take nothing of what it is sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// How large a request's head may be.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// How long to wait after a failed accept, which is mostly for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a stop may take in all: the units kill after 2 s.
const STOP_DEADLINE: Duration = Duration::from_millis(1200);

/// Limits of the accept loop; tests use shorter ones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServeLimits {
    pub(crate) connections: usize,
    pub(crate) head_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) stop_deadline: Duration,
}

impl ServeLimits {
    /// The limits of a service that may hold so many connections.
    pub(crate) fn with_connections(connections: usize) -> Self {
        Self {
            connections: connections.max(1),
            head_timeout: HEAD_TIMEOUT,
            write_timeout: WRITE_TIMEOUT,
            stop_deadline: STOP_DEADLINE,
        }
    }
}

/// Answers connections until `stop` is cancelled, then lets those that are in work finish, within the deadline.
pub(crate) async fn accept_loop<E>(listener: TcpListener, endpoint: E, limits: ServeLimits, stop: CancellationToken)
where
    E: Endpoint<Output = Response> + 'static,
{
    let endpoint = Arc::new(endpoint);
    let free = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(limits.head_timeout).max_buf_size(MAX_HEAD_BYTES);
    let http = http.http1_only();
    while let Some((stream, peer, permit)) = next_connection(&listener, &free, &stop).await {
        let Ok(local) = stream.local_addr() else { continue };
        let (endpoint, http, watcher, stop) = (endpoint.clone(), http.clone(), graceful.watcher(), stop.clone());
        tokio::spawn(async move {
            let _permit = permit;
            if !speaks(&stream, limits.head_timeout, &stop).await {
                return;
            }
            let (local, remote) = (LocalAddr(Addr::SocketAddr(local)), RemoteAddr(Addr::SocketAddr(peer)));
            let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let endpoint = endpoint.clone();
                let request = (request, local.clone(), remote.clone(), http::uri::Scheme::HTTP).into();
                async move { Ok::<http::Response<_>, Infallible>(endpoint.get_response(request).await.into()) }
            });
            let io = TokioIo::new(Patient::new(stream, limits.write_timeout));
            let connection = http.serve_connection(io, service).into_owned();
            if let Err(error) = watcher.watch(connection).await {
                tracing::debug!(%peer, error, "a connection broke off");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.stop_deadline, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were still in work at the stop's deadline, and are cut off");
    }
}

/// Waits for a free place and then for a client; `None` once the service stops.
async fn next_connection(
    listener: &TcpListener,
    free: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    const QUIET: Duration = Duration::from_secs(10);
    let mut told: Option<Instant> = None;
    loop {
        let permit = tokio::select! {
            () = stop.cancelled() => return None,
            permit = free.clone().acquire_owned() => permit.ok()?,
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => return None,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
                }
                return Some((stream, peer, permit));
            }
            Err(error) => {
                if told.is_none_or(|told| told.elapsed() > QUIET) {
                    tracing::warn!(%error, "cannot accept a connection");
                    told = Some(Instant::now());
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Waits for the client's first byte, which hyper's own timeout does not cover.
async fn speaks(stream: &TcpStream, timeout: Duration, stop: &CancellationToken) -> bool {
    let mut first = [0; 1];
    let peek = pin!(stream.peek(&mut first));
    let spoken: Option<io::Result<usize>> = tokio::select! {
        () = stop.cancelled() => None,
        peeked = tokio::time::timeout(timeout, peek) => peeked.ok(),
    };
    matches!(spoken, Some(Ok(1..)))
}

//! The accept loop, with limits against slow, silent and greedy clients.
//!
//! - The number of connections: further ones wait in the kernel's queue.
//! - The number of connections of one peer: further ones are closed.
//! - The time for a request's head, which covers clients that send nothing at all.
//! - The time without a byte that the client takes of a response.
//!
//! It is written by hand: poem's server limits neither connections nor the time of a write.

use std::{
    convert::Infallible,
    net::SocketAddr,
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

use super::{peer_limits::PeerLimits, write_timeout::WriteTimeoutStream};

/// How long a client may take for the head of a request, counted from its connecting or from the last response.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take nothing of a response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// How large a request's head may be.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// How long to wait after a failed accept, mostly because no descriptor is free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often a failed accept is logged at most.
const ACCEPT_LOG_INTERVAL: Duration = Duration::from_secs(10);
/// How long a stop may take in all: systemd kills the service after 2 s.
const STOP_DEADLINE: Duration = Duration::from_millis(1200);

/// Limits of the accept loop; tests use shorter ones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServeLimits {
    pub(crate) connections: usize,
    /// How many of them one peer that is not on this host may have.
    pub(crate) connections_per_peer: usize,
    pub(crate) head_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) stop_deadline: Duration,
}

impl ServeLimits {
    /// The limits of a service that may have so many connections.
    pub(crate) fn with_connections(connections: usize) -> Self {
        Self {
            connections: connections.max(1),
            connections_per_peer: connections.max(1),
            head_timeout: HEAD_TIMEOUT,
            write_timeout: WRITE_TIMEOUT,
            stop_deadline: STOP_DEADLINE,
        }
    }
}

/// Serves connections until `stop` is cancelled, then lets requests that have begun finish, within the deadline.
pub(crate) async fn accept_loop<E>(listener: TcpListener, endpoint: E, limits: ServeLimits, stop: CancellationToken)
where
    E: Endpoint<Output = Response> + 'static,
{
    let endpoint = Arc::new(endpoint);
    let permits = Arc::new(Semaphore::new(limits.connections));
    let peers = PeerLimits::new(limits.connections_per_peer);
    let graceful = GracefulShutdown::new();
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(limits.head_timeout).max_buf_size(MAX_HEAD_BYTES);
    let http = http.http1_only();
    while let Some((stream, peer, permit)) = next_connection(&listener, &permits, &stop).await {
        let Ok(local) = stream.local_addr() else { continue };
        let Some(peer_permit) = peers.acquire(peer.ip()) else {
            tracing::debug!(%peer, "a peer has all the connections that it may have");
            continue;
        };
        let (endpoint, http, watcher) = (endpoint.clone(), http.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _permits = (permit, peer_permit);
            let (local, remote) = (LocalAddr(Addr::SocketAddr(local)), RemoteAddr(Addr::SocketAddr(peer)));
            let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let endpoint = endpoint.clone();
                let request = (request, local.clone(), remote.clone(), http::uri::Scheme::HTTP).into();
                async move { Ok::<http::Response<_>, Infallible>(endpoint.get_response(request).await.into()) }
            });
            let io = TokioIo::new(WriteTimeoutStream::new(stream, limits.write_timeout));
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

/// Waits for a permit and then for a client; `None` once the service stops.
async fn next_connection(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let mut logged_at: Option<Instant> = None;
    loop {
        let permit = tokio::select! {
            () = stop.cancelled() => return None,
            permit = permits.clone().acquire_owned() => permit.ok()?,
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
                if logged_at.is_none_or(|logged_at| logged_at.elapsed() > ACCEPT_LOG_INTERVAL) {
                    tracing::warn!(%error, "cannot accept a connection");
                    logged_at = Some(Instant::now());
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use poem::{EndpointExt, Route, get, handler};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const SHORT: Duration = Duration::from_millis(200);
    const LONG: Duration = Duration::from_secs(10);

    #[handler]
    fn hello() -> &'static str {
        "hello"
    }

    async fn start(connections: usize) -> (SocketAddr, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let limits = ServeLimits {
            connections,
            connections_per_peer: connections,
            head_timeout: SHORT,
            write_timeout: SHORT,
            stop_deadline: Duration::from_secs(1),
        };
        let app = Route::new().at("/", get(hello)).map_to_response();
        tokio::spawn(accept_loop(listener, app, limits, stop.clone()));
        (address, stop)
    }

    async fn read_to_end(mut stream: TcpStream) -> String {
        let mut got = String::new();
        tokio::time::timeout(LONG, stream.read_to_string(&mut got))
            .await
            .expect("the service closes the connection")
            .unwrap();
        got
    }

    #[tokio::test]
    async fn g26_connections_of_silent_and_slow_clients_are_closed() {
        let (address, _stop) = start(10).await;
        let silent = TcpStream::connect(address).await.unwrap();
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Half: ").await.unwrap();
        assert_eq!(read_to_end(silent).await, "");
        read_to_end(slow).await;
        let mut idle = TcpStream::connect(address).await.unwrap();
        idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert!(read_to_end(idle).await.ends_with("hello"), "one that is idle after a response too");
    }

    #[tokio::test]
    async fn g26_beyond_the_limit_of_connections_a_client_waits() {
        let (address, _stop) = start(1).await;
        let _first = TcpStream::connect(address).await.unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        second.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let begun = Instant::now();
        assert!(read_to_end(second).await.ends_with("hello"));
        assert!(begun.elapsed() >= SHORT / 2, "only once the first one was closed");
    }

    #[tokio::test]
    async fn g26_huge_heads_are_refused() {
        let (address, _stop) = start(10).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Huge: {}\r\n\r\n", "x".repeat(4 * MAX_HEAD_BYTES));
        let _ = stream.write_all(head.as_bytes()).await;
        let mut got = [0; 12];
        // Refused with a status, or closed while it still sends.
        if stream.read_exact(&mut got).await.is_ok() {
            assert_eq!(&got, b"HTTP/1.1 431");
        }
    }
}

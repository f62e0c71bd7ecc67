//! The accept loop, with limits against slow, silent and greedy clients.
//!
//! - The number of connections, by `acceptor.rs`: further clients wait, and are refused where that takes too long.
//! - The number of connections of one peer: further ones are refused.
//! - The time for a request's head, which covers clients that send nothing at all.
//! - The time without a byte that the client takes of a response.
//!
//! It is written by hand: poem's server limits neither connections nor the time of a write.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use poem::{
    Addr, Endpoint, Response,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, watch},
    time,
};
use tokio_util::sync::CancellationToken;

use super::{
    acceptor::Acceptor,
    peer_limits::{PeerLimits, PeerPermit},
    refusal::refuse_http2,
    write_timeout::WriteTimeoutStream,
};

/// How long a client may take for the head of a request, counted from its connecting or from the last response.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take nothing of a response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long clients wait for a connection to end before they are refused.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(2);
/// How large a request's head may be.
const MAX_HEAD_BYTES: usize = 64 * 1024;
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
    pub(crate) queue_timeout: Duration,
    pub(crate) stop_deadline: Duration,
}

impl ServeLimits {
    /// The limits of a service that may have so many connections.
    pub(crate) fn with_connections(connections: usize) -> Self {
        // As many as a semaphore can count, which no system has descriptors for.
        let connections = connections.clamp(1, u32::MAX as usize);
        Self {
            connections,
            connections_per_peer: connections,
            head_timeout: HEAD_TIMEOUT,
            write_timeout: WRITE_TIMEOUT,
            queue_timeout: QUEUE_TIMEOUT,
            stop_deadline: STOP_DEADLINE,
        }
    }
}

/// Serves connections until `stop` is cancelled, then lets requests that have begun finish, within the deadline.
pub(crate) async fn accept_loop<E>(listener: TcpListener, endpoint: E, limits: ServeLimits, stop: CancellationToken)
where
    E: Endpoint<Output = Response> + 'static,
{
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(limits.head_timeout).max_buf_size(MAX_HEAD_BYTES);
    let server = Arc::new(Server { endpoint: Arc::new(endpoint), http: http.http1_only(), limits, stop });
    let mut acceptor = Acceptor::new(listener, limits.connections, limits.queue_timeout, server.stop.clone());
    let peers = PeerLimits::new(limits.connections_per_peer);
    while let Some((stream, peer, permit)) = acceptor.next_connection().await {
        let Some(peer_permit) = peers.acquire(peer.ip()) else {
            tracing::debug!(%peer, "a peer has all the connections that it may have");
            drop(permit);
            acceptor.refuse(stream);
            continue;
        };
        tokio::spawn(server.clone().serve(stream, peer, acceptor.crowded(), (permit, peer_permit)));
    }
    if time::timeout(limits.stop_deadline, acceptor.all_ended()).await.is_err() {
        tracing::warn!("some requests were still in work at the stop's deadline, and are cut off");
    }
}

/// What every connection is served with.
struct Server<E> {
    endpoint: Arc<E>,
    http: auto::Builder<TokioExecutor>,
    limits: ServeLimits,
    stop: CancellationToken,
}

impl<E: Endpoint<Output = Response> + 'static> Server<E> {
    /// Serves one connection to its end. While all are taken, it is closed as soon as it is idle.
    async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        mut crowded: watch::Receiver<bool>,
        _permits: (OwnedSemaphorePermit, PeerPermit),
    ) {
        let Ok(local) = stream.local_addr() else { return };
        match self.first_bytes(&stream).await {
            // Nothing but that begins so, and hyper would close the connection without a word.
            Some(first) if first.starts_with(b"PRI ") => return refuse_http2(stream).await,
            Some(_) => {}
            None => return,
        }
        let (local, remote) = (LocalAddr(Addr::SocketAddr(local)), RemoteAddr(Addr::SocketAddr(peer)));
        let service = hyper::service::service_fn(|request: http::Request<hyper::body::Incoming>| {
            let endpoint = self.endpoint.clone();
            let request = (request, local.clone(), remote.clone(), http::uri::Scheme::HTTP).into();
            // In a box of its own, which goes with the response's head: the connection keeps room for what is given to it here
            // for as long as it lives, as a stream does for hours.
            Box::pin(async move { Ok::<http::Response<_>, Infallible>(endpoint.get_response(request).await.into()) })
        });
        let io = TokioIo::new(WriteTimeoutStream::new(stream, self.limits.write_timeout));
        let mut connection = pin!(self.http.serve_connection(io, service));
        let mut all_taken = pin!(async { drop(crowded.wait_for(|crowded| *crowded).await) });
        let mut is_closing = false;
        let ended = loop {
            tokio::select! {
                // First: a connection whose request has arrived is not idle, but it must see that itself.
                biased;
                ended = &mut connection => break ended,
                () = self.stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    break connection.await;
                }
                () = &mut all_taken, if !is_closing => {
                    connection.as_mut().graceful_shutdown();
                    is_closing = true;
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, error, "a connection broke off");
        }
    }

    /// Waits for the first bytes of a connection, and leaves them there; `None` for one that sends none in time.
    async fn first_bytes(&self, stream: &TcpStream) -> Option<Vec<u8>> {
        let mut first = vec![0; 4];
        let peeked = tokio::select! {
            () = self.stop.cancelled() => return None,
            peeked = time::timeout(self.limits.head_timeout, stream.peek(&mut first)) => peeked,
        };
        first.truncate(peeked.ok()?.ok()?);
        Some(first).filter(|first| !first.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use poem::{EndpointExt, Route, get, handler};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const SHORT: Duration = Duration::from_millis(200);
    const LONG: Duration = Duration::from_secs(10);

    #[handler]
    fn hello() -> &'static str {
        "hello"
    }

    /// Never answers.
    #[handler]
    async fn busy() {
        std::future::pending::<()>().await;
    }

    async fn start(connections: usize) -> (SocketAddr, CancellationToken) {
        start_with(connections, |_| {}).await
    }

    async fn start_with(connections: usize, set: fn(&mut ServeLimits)) -> (SocketAddr, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let mut limits = ServeLimits {
            connections,
            connections_per_peer: connections,
            head_timeout: SHORT,
            write_timeout: SHORT,
            queue_timeout: LONG,
            stop_deadline: Duration::from_secs(1),
        };
        set(&mut limits);
        let app = Route::new().at("/", get(hello)).at("/busy", get(busy)).map_to_response();
        tokio::spawn(accept_loop(listener, app, limits, stop.clone()));
        (address, stop)
    }

    async fn send(address: SocketAddr, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    async fn read_to_end(mut stream: TcpStream) -> String {
        let mut got = String::new();
        time::timeout(LONG, stream.read_to_string(&mut got)).await.expect("the service closes the connection").unwrap();
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
    async fn g26_clients_that_waited_too_long_for_a_connection_get_503() {
        let (address, stop) = start_with(2, |limits| limits.queue_timeout = SHORT).await;
        let request = "GET /busy HTTP/1.1\r\nHost: x\r\n\r\n";
        let held = [send(address, request).await, send(address, request).await];
        // More than are refused at once, and a body that is never read.
        let others = (0..40).map(async |_| {
            let post = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n{}", "x".repeat(9000));
            read_to_end(send(address, &post).await).await
        });
        for answer in futures_util::future::join_all(others).await {
            assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 5\r\n"), "{answer}");
            assert!(answer.ends_with("try again later\"}"), "{answer}");
        }
        drop(held);
        // hyper sees that the first two are gone, and the next client is served.
        let get = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        while !read_to_end(send(address, get).await).await.ends_with("hello") {}
        stop.cancel();
    }

    #[tokio::test]
    async fn g26_connections_that_are_idle_make_room_for_others() {
        let (address, _stop) = start_with(1, |limits| limits.head_timeout = 2 * LONG).await;
        let mut idle = send(address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let mut begun = [0; 12];
        idle.read_exact(&mut begun).await.unwrap();
        let second = send(address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(read_to_end(idle).await.ends_with("hello"), "it is closed once it is idle");
        let third = send(address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(read_to_end(second).await.ends_with("hello"));
        let mut begun = [0; 12];
        let mut third = third;
        third.read_exact(&mut begun).await.unwrap();
        assert_eq!(&begun, b"HTTP/1.1 200");
    }

    #[tokio::test]
    async fn http2_is_refused_with_an_answer() {
        let (address, _stop) = start(10).await;
        let answer = read_to_end(send(address, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await).await;
        assert!(answer.starts_with("HTTP/1.1 505 ") && answer.contains("HTTP/1.1 only"), "{answer}");
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

//! The accept loop, with limits against slow, silent and greedy clients.
//!
//! - The number of connections, by `acceptor.rs`: further clients wait, and are refused where that takes too long.
//! - The number of connections of one peer: further ones are refused.
//! - The time for a request's head, which covers clients that send nothing at all.
//! - The time without a byte that the client takes of a response.
//!
//! It is written by hand: poem's server limits neither connections nor the time of a write.

use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, task::Poll, time::Duration};

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::{
    Addr, Body, Endpoint, Request, Response,
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
    event_stream::{TakenBody, write_events},
    peer_limits::{PeerLimits, PeerPermit},
    refusal::refuse_http2,
    shared_stream::{SharedStream, Written},
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
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head_timeout).max_buf_size(MAX_HEAD_BYTES);
    let server = Arc::new(Server { endpoint: Arc::new(endpoint), http, limits, stop });
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
    http: http1::Builder,
    limits: ServeLimits,
    stop: CancellationToken,
}

impl<E: Endpoint<Output = Response> + 'static> Server<E> {
    /// Serves one connection to its end. While all are taken, it is closed as soon as it is idle.
    async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        crowded: watch::Receiver<bool>,
        _permits: (OwnedSemaphorePermit, PeerPermit),
    ) {
        let Ok(local) = stream.local_addr() else { return };
        match self.first_bytes(&stream).await {
            // Nothing but that begins so, and hyper would close the connection without a word.
            Some(first) if first.starts_with(b"PRI ") => return refuse_http2(stream).await,
            Some(_) => {}
            None => return,
        }
        let written = Written::default();
        let shared = SharedStream::new(&stream, &written);
        // In a box of its own, which goes before a stream of events is sent.
        let served = Box::pin(self.serve_requests(shared, &written, (local, peer), crowded)).await;
        let ended = match served {
            Ok(None) => return,
            Ok(Some(body)) => {
                let mut out = WriteTimeoutStream::new(shared, self.limits.write_timeout);
                tokio::select! {
                    biased;
                    ended = write_events(body, &mut out) => ended,
                    () = shared.closed_by_client() => return,
                }
            }
            Err(error) => Err(io::Error::other(error)),
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "a connection broke off");
        }
    }

    /// Answers the requests of a connection, until it ends or one is answered by a stream of events, whose body is returned once
    /// the response's head is written.
    async fn serve_requests(
        &self,
        shared: SharedStream<'_>,
        written: &Written,
        (local, peer): (SocketAddr, SocketAddr),
        mut crowded: watch::Receiver<bool>,
    ) -> hyper::Result<Option<Body>> {
        let (local, remote) = (LocalAddr(Addr::SocketAddr(local)), RemoteAddr(Addr::SocketAddr(peer)));
        let taken = TakenBody::default();
        let service = hyper::service::service_fn(|request: http::Request<hyper::body::Incoming>| {
            let (taken, method, version) = (&taken, request.method().clone(), request.version());
            let request: Request = (request, local.clone(), remote.clone(), http::uri::Scheme::HTTP).into();
            // In a box of its own, which goes with the response's head: the connection keeps room for what is given to it here
            // for as long as it lives.
            Box::pin(async move {
                let mut response = self.endpoint.get_response(request).await;
                taken.take_from(&mut response, &method, version, written);
                Ok::<http::Response<_>, Infallible>(response.into())
            })
        });
        let io = TokioIo::new(WriteTimeoutStream::new(shared, self.limits.write_timeout));
        let mut connection = pin!(self.http.serve_connection(io, service));
        let mut closing = pin!(async {
            tokio::select! {
                () = self.stop.cancelled() => {}
                _ = crowded.wait_for(|crowded| *crowded) => {}
            }
        });
        let mut is_closing = false;
        std::future::poll_fn(|cx| {
            // First: a connection whose request has arrived is not idle, but it must see that itself.
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(ended.map(|()| None));
            }
            if let Some(body) = taken.once_head_is_written(written) {
                return Poll::Ready(Ok(Some(body)));
            }
            if !is_closing && closing.as_mut().poll(cx).is_ready() {
                is_closing = true;
                connection.as_mut().graceful_shutdown();
                // What that changes shows when it is polled again.
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await
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

    use futures_util::{StreamExt, stream};
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

    /// A stream of events of which none ever comes.
    #[handler]
    fn quiet() -> Response {
        let events = stream::pending::<io::Result<&[u8]>>();
        Response::builder().content_type("text/event-stream").body(Body::from_bytes_stream(events))
    }

    /// A stream of events without an end.
    #[handler]
    fn flood() -> Response {
        let events = stream::repeat(()).map(|()| Ok::<_, io::Error>(vec![b'x'; 4096]));
        Response::builder().content_type("text/event-stream").body(Body::from_bytes_stream(events))
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
        let app =
            Route::new().at("/", get(hello)).at("/busy", get(busy)).at("/quiet", get(quiet)).at("/flood", get(flood));
        let app = app.map_to_response();
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
    async fn g26_a_stream_ends_with_its_client_and_for_one_that_takes_nothing() {
        let (address, _stop) = start(1).await;
        for path in ["/quiet", "/flood"] {
            let mut stream = send(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
            let mut begun = [0; 15];
            stream.read_exact(&mut begun).await.unwrap();
            assert_eq!(&begun, b"HTTP/1.1 200 OK", "{path}");
            // One client leaves, and one stays and reads nothing more.
            let stays = (path == "/flood").then_some(stream);
            let next = send(address, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
            assert!(read_to_end(next).await.ends_with("hello"), "{path} keeps its connection");
            drop(stays);
        }
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

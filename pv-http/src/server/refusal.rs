//! Refusals that no endpoint makes: of clients beyond the number of connections, and of those that speak HTTP/2.
//!
//! A client gets a response and not a closed connection, so that it knows what to do. What it sends is read and dropped: a
//! connection that is closed over unread bytes takes the response with it.

use std::{sync::Arc, time::Duration};

use poem::http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time,
};

/// How many clients are refused at once; further ones wait in the kernel's queue.
const MAX_REFUSALS: usize = 16;
/// How long the request of a refused client may take to arrive, and then to end.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);
const DRAIN_TIMEOUT: Duration = Duration::from_millis(250);
/// How much of it is read at once, and at most.
const BLOCK_BYTES: usize = 16 * 1024;
const DRAIN_BLOCKS: usize = 16;

/// The clients that are refused just now. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Refusals(Arc<Semaphore>);

/// Allows to refuse one client.
pub(super) struct Refusal(OwnedSemaphorePermit);

impl Refusals {
    /// Makes one without any.
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MAX_REFUSALS)))
    }

    /// Waits until one more client may be refused.
    pub(super) async fn next(&self) -> Option<Refusal> {
        self.0.clone().acquire_owned().await.ok().map(Refusal)
    }

    /// Returns `None` where no further client may be refused just now.
    pub(super) fn try_next(&self) -> Option<Refusal> {
        self.0.clone().try_acquire_owned().ok().map(Refusal)
    }
}

impl Refusal {
    /// Refuses a client with 503, beside what else goes on.
    pub(super) fn refuse(self, stream: TcpStream) {
        tokio::spawn(async move {
            let _permit = self.0;
            let detail = "too many connections are open: close some, or try again later";
            answer(stream, StatusCode::SERVICE_UNAVAILABLE, detail, "retry-after: 5\r\n").await;
        });
    }
}

/// Refuses a client that begins with HTTP/2 without having been asked to.
pub(super) async fn refuse_http2(stream: TcpStream) {
    let detail = "this service speaks HTTP/1.1 only: ask with that (curl: without --http2-prior-knowledge)";
    answer(stream, StatusCode::HTTP_VERSION_NOT_SUPPORTED, detail, "").await;
}

async fn answer(mut stream: TcpStream, status: StatusCode, detail: &str, headers: &str) {
    let mut block = vec![0; BLOCK_BYTES];
    let _ = time::timeout(REQUEST_TIMEOUT, stream.read(&mut block)).await;
    let body = serde_json::json!({ "detail": detail }).to_string();
    let response = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\
         x-content-type-options: nosniff\r\ncache-control: no-store\r\n{headers}\r\n{body}",
        body.len()
    );
    let rest = async {
        stream.write_all(response.as_bytes()).await?;
        stream.shutdown().await?;
        for _ in 0..DRAIN_BLOCKS {
            if stream.read(&mut block).await? == 0 {
                break;
            }
        }
        std::io::Result::Ok(())
    };
    let _ = time::timeout(DRAIN_TIMEOUT, rest).await;
}

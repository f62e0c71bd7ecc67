//! Accepting clients, as many as there may be connections. Where all are taken, those that are idle are closed, and further
//! clients wait a little in the kernel's queue; if no connection ends in that time they are refused with 503, until one does.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time,
};
use tokio_util::sync::CancellationToken;

use super::refusal::Refusals;

/// How long to wait after a failed accept, mostly because no descriptor is free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often what goes wrong here is logged at most.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Accepts clients.
pub(super) struct Acceptor {
    listener: TcpListener,
    /// How many connections there may be.
    connections: usize,
    /// How long clients wait for one to end before they are refused.
    queue_timeout: Duration,
    stop: CancellationToken,
    permits: Arc<Semaphore>,
    /// Whether all connections are taken.
    crowded: watch::Sender<bool>,
    /// Since when they have been.
    crowded_since: Option<time::Instant>,
    refusals: Refusals,
    logged_at: Option<time::Instant>,
}

impl Acceptor {
    /// Makes one that lets in so many clients at once, until `stop` is cancelled.
    pub(super) fn new(
        listener: TcpListener,
        connections: usize,
        queue_timeout: Duration,
        stop: CancellationToken,
    ) -> Self {
        Self {
            listener,
            connections,
            queue_timeout,
            stop,
            permits: Arc::new(Semaphore::new(connections)),
            crowded: watch::Sender::new(false),
            crowded_since: None,
            refusals: Refusals::new(),
            logged_at: None,
        }
    }

    /// Returns what tells connections whether all are taken, so that they make room.
    pub(super) fn crowded(&self) -> watch::Receiver<bool> {
        self.crowded.subscribe()
    }

    /// Refuses a client that asks for too much. Where many are refused already, it is closed without a response.
    pub(super) fn refuse(&self, stream: TcpStream) {
        if let Some(refusal) = self.refusals.try_next() {
            refusal.refuse(stream);
        }
    }

    /// Closes the listener, and waits until no connection is left.
    pub(super) async fn all_ended(self) {
        drop(self.listener);
        let all = u32::try_from(self.connections).unwrap_or(u32::MAX);
        let _ = self.permits.acquire_many(all).await;
    }

    /// Waits for a permit and then for a client; `None` once the service stops.
    pub(super) async fn next_connection(&mut self) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        loop {
            let permit = self.permit().await?;
            if let Some((stream, peer)) = self.accept().await? {
                return Some((stream, peer, permit));
            }
        }
    }

    /// Waits for a permit, and refuses clients while that takes too long; `None` once the service stops.
    async fn permit(&mut self) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = self.permits.clone().try_acquire_owned() {
            self.crowded_since = None;
            self.crowded.send_replace(false);
            return Some(permit);
        }
        self.crowded.send_replace(true);
        let since = *self.crowded_since.get_or_insert_with(time::Instant::now);
        tokio::select! {
            biased;
            () = self.stop.cancelled() => return None,
            permit = self.permits.clone().acquire_owned() => return permit.ok(),
            () = time::sleep_until(since + self.queue_timeout) => {}
        }
        if self.may_log() {
            tracing::warn!(connections = self.connections, "all connections are taken: others get 503");
        }
        loop {
            let (permits, refusals, stop) = (self.permits.clone(), self.refusals.clone(), self.stop.clone());
            let refusing = async {
                let refusal = refusals.next().await?;
                let (stream, _) = self.accept().await??;
                refusal.refuse(stream);
                Some(())
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                permit = permits.acquire_owned() => return permit.ok(),
                _ = refusing => {}
            }
        }
    }

    /// Tells whether what goes wrong here may be logged again, and counts it as logged.
    fn may_log(&mut self) -> bool {
        let may = self.logged_at.is_none_or(|logged_at| logged_at.elapsed() > LOG_INTERVAL);
        if may {
            self.logged_at = Some(time::Instant::now());
        }
        may
    }

    /// Waits for a client: `None` once the service stops, and `Some(None)` after an error and a pause.
    async fn accept(&mut self) -> Option<Option<(TcpStream, SocketAddr)>> {
        let accepted = tokio::select! {
            () = self.stop.cancelled() => return None,
            accepted = self.listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
                }
                Some(Some((stream, peer)))
            }
            Err(error) => {
                if self.may_log() {
                    tracing::warn!(%error, "cannot accept a connection");
                }
                time::sleep(ACCEPT_PAUSE).await;
                Some(None)
            }
        }
    }
}

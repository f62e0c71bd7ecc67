//! The API's service: its address is bound first, then it serves until a shutdown.

use std::net::SocketAddr;

use pv_lib::store::Store;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    app::app,
    server::{FdNeeds, ServeError, ServeLimits, accept_loop, bind},
    settings::ApiSettings,
    state::AppState,
};

/// A service whose address is bound: clients can connect, and are answered once it runs.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    settings: ApiSettings,
}

impl Bound {
    /// Binds the address of `settings`.
    ///
    /// # Errors
    /// [`ServeError`]: an address beyond loopback that was not allowed, one that does not exist, or one that is taken.
    pub async fn new(mut settings: ApiSettings) -> Result<Self, ServeError> {
        let variables = ["PV_BIND_HOST", "PV_BIND_PORT"];
        let beyond_loopback = settings.allow_insecure_bind || settings.token.is_some();
        let (listener, address) = bind(&settings.bind_host, settings.bind_port, beyond_loopback, variables).await?;
        if !address.ip().is_loopback() && settings.token.is_none() {
            tracing::warn!(%address, "everyone who reaches this address may SUBMIT AND ABORT jobs (PV_ALLOW_INSECURE_BIND)");
        }
        settings.bind_port = address.port();
        let (connections, requests) = (settings.max_connections, settings.max_disk_requests);
        let granted = FdNeeds { connections, per_connection: 1, requests }.raise_limit();
        (settings.max_connections, settings.max_disk_requests) = (granted.connections, granted.requests);
        Ok(Self { listener, address, settings })
    }

    /// Returns the address that was bound, with the real port where any free one was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until `shutdown` is done; then ends open streams, lets requests in work finish, and returns
    /// within 1.2 s.
    pub async fn run(self, store: Store, shutdown: impl Future<Output = ()>) {
        let stop = CancellationToken::new();
        let limits = ServeLimits::with_connections(self.settings.max_connections);
        let state = AppState::new(self.settings, store, stop.clone());
        state.load_in_background();
        let cancel = async {
            shutdown.await;
            stop.cancel();
        };
        tokio::join!(cancel, accept_loop(self.listener, app(&state), limits, stop.clone()));
    }
}

/// Binds and serves until `shutdown` is done.
///
/// # Errors
/// As [`Bound::new`].
pub async fn serve(settings: ApiSettings, store: Store, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
    Bound::new(settings).await?.run(store, shutdown).await;
    Ok(())
}

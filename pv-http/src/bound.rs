//! Binding the service's address and serving it until it is told to stop.

use std::{io, net::SocketAddr};

use pv_lib::store::Store;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    app::app,
    descriptors::room_for,
    serve::{ServeLimits, accept_loop},
    settings::ApiSettings,
    state::AppState,
};

/// A service that could not be started; the words say what to do.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address could be reached from elsewhere, and nobody said that it may.
    #[error(
        "will not listen on {0}, which other hosts can reach: bind 127.0.0.1 (PV_BIND_HOST), or set \
         PV_ALLOW_INSECURE_BIND=1 if everyone who can reach it may submit and abort jobs"
    )]
    NotLoopback(String),
    /// The host name means no address.
    #[error("cannot find the address of `{host}`: set PV_BIND_HOST to an address of this host, such as 127.0.0.1")]
    NoAddress {
        /// The name that was asked for.
        host: String,
        /// What the system said, if it said anything.
        source: Option<io::Error>,
    },
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {}", remedy(source))]
    Bind {
        /// The address and port.
        address: String,
        /// What the system said.
        source: io::Error,
    },
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another program has it: stop that one, or set PV_BIND_PORT to a free port",
        io::ErrorKind::AddrNotAvailable => "this host has no such address: set PV_BIND_HOST to one that it has",
        io::ErrorKind::PermissionDenied => "it needs privileges: set PV_BIND_PORT to a port above 1023",
        _ => "the system refused: see the cause, and check PV_BIND_HOST and PV_BIND_PORT",
    }
}

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
        let addresses = resolve(&settings).await?;
        if !settings.allow_insecure_bind && !addresses.iter().all(|address| address.ip().is_loopback()) {
            return Err(ServeError::NotLoopback(settings.bind_host));
        }
        let refused =
            |source| ServeError::Bind { address: format!("{}:{}", settings.bind_host, settings.bind_port), source };
        let listener = TcpListener::bind(&*addresses).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        settings.bind_port = address.port();
        settings.max_connections = room_for(settings.max_connections);
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
        let told = async {
            shutdown.await;
            stop.cancel();
        };
        tokio::join!(told, accept_loop(self.listener, app(&state), limits, stop.clone()));
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

async fn resolve(settings: &ApiSettings) -> Result<Vec<SocketAddr>, ServeError> {
    let host = settings.bind_host.trim_start_matches('[').trim_end_matches(']');
    let not_found = |source| ServeError::NoAddress { host: settings.bind_host.clone(), source };
    let found = tokio::net::lookup_host((host, settings.bind_port)).await;
    let addresses: Vec<_> = found.map_err(|error| not_found(Some(error)))?.collect();
    if addresses.is_empty() { Err(not_found(None)) } else { Ok(addresses) }
}

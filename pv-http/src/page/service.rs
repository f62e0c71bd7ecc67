//! The page's service, on a port of its own: it serves the page, and forwards the page's requests to the API.

use std::{net::SocketAddr, sync::Arc};

use poem::{Endpoint, EndpointExt, IntoResponse, Request, Response, Route};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    assets::Assets,
    below::below_any_path,
    docs::{Docs, PREFIX},
    errors::with_error_responses,
    proxy::Proxy,
};
use crate::{
    access::{AccessPolicy, Hosts, RemoteAccess, Token},
    server::{BodyReader, FdNeeds, ServeError, ServeLimits, accept_loop, bind},
    settings::UiSettings,
};

/// How many connections one peer on another host may have.
const MAX_CONNECTIONS_PER_PEER: usize = 32;

/// The page's service, bound to its address.
#[derive(Debug)]
pub struct BoundPage {
    listener: TcpListener,
    address: SocketAddr,
    settings: UiSettings,
}

impl BoundPage {
    /// Binds the page's address, which other hosts may reach: `access/policy.rs` says what those may do.
    ///
    /// # Errors
    /// [`ServeError`]: an address that does not exist, or one that is taken; an API's address that is none.
    pub async fn new(mut settings: UiSettings) -> Result<Self, ServeError> {
        // Made only to see that it can be made, before the service runs.
        proxy(&settings, CancellationToken::new())?;
        let variables = ["PV_UI_BIND_HOST", "PV_UI_BIND_PORT"];
        let (listener, address) = bind(&settings.bind_host, settings.bind_port, true, variables).await?;
        let needs = FdNeeds { connections: settings.max_connections, per_connection: 2, requests: 0 };
        settings.max_connections = needs.raise_limit().connections;
        Ok(Self { listener, address, settings })
    }

    /// Returns the address that was bound.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns what other hosts may do, in a sentence for the log; `None` where only this host reaches the page.
    #[must_use]
    pub fn remote_access_warning(&self) -> Option<&'static str> {
        if self.address.ip().is_loopback() {
            return None;
        }
        Some(match remote_access(&self.settings) {
            RemoteAccess::ReadOnly => {
                "other hosts may READ all jobs, prompts and logs here, unless the API asks for a token; they cannot \
                 submit or abort (PV_API_TOKEN_FILE or PV_UI_ALLOW_REMOTE_WRITE would allow it)"
            }
            RemoteAccess::WriteWith(_) => {
                "other hosts may submit and abort here with the token; without it they may READ all jobs, prompts and \
                 logs, unless the API asks for the token too (PV_API_TOKEN_FILE in its settings)"
            }
            RemoteAccess::Write => {
                "other hosts may READ all jobs, prompts and logs and SUBMIT AND ABORT jobs here, unless the API asks \
                 for a token (PV_UI_ALLOW_REMOTE_WRITE)"
            }
        })
    }

    /// Serves until `shutdown` is done, and returns within 1.2 s then.
    ///
    /// # Errors
    /// [`ServeError::ApiAddress`]: no client for the API can be made.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let stop = CancellationToken::new();
        let cancel = async {
            shutdown.await;
            stop.cancel();
        };
        let app = page_app(&self.settings, stop.clone())?;
        let limits = ServeLimits {
            connections_per_peer: MAX_CONNECTIONS_PER_PEER,
            ..ServeLimits::with_connections(self.settings.max_connections)
        };
        tokio::join!(cancel, accept_loop(self.listener, app, limits, stop.clone()));
        Ok(())
    }
}

/// Returns the service of the page as an endpoint, for tests and for embedding.
///
/// # Errors
/// [`ServeError::ApiAddress`].
pub fn page_app(
    settings: &UiSettings,
    stop: CancellationToken,
) -> Result<impl Endpoint<Output = Response> + 'static, ServeError> {
    let proxy = proxy(settings, stop)?;
    let bodies = Arc::new(BodyReader::new(settings.prompt_bytes));
    let proxy = Arc::new(proxy.around(move |proxy, mut request: Request| {
        let bodies = bodies.clone();
        async move {
            let _permit = bodies.read(&mut request).await?;
            proxy.call(request).await.map(IntoResponse::into_response)
        }
    }));
    let files = Arc::new(Assets::new());
    let route = Route::new()
        .at(PREFIX, proxy.clone())
        .at(format!("{PREFIX}/*rest"), proxy)
        .at("/", files.clone())
        .at("/*path", files);
    let app = with_error_responses(Docs::add_page(route));
    let hosts = Hosts::new(&settings.host_name, &settings.allowed_hosts);
    Ok(AccessPolicy::new(hosts, remote_access(settings)).layer(below_any_path(app)))
}

fn proxy(settings: &UiSettings, stop: CancellationToken) -> Result<Proxy, ServeError> {
    // The other connections are for requests that end.
    let max_streams = settings.max_connections / 4 * 3;
    Proxy::new(&settings.api_base, settings.api_timeout, max_streams, stop)
        .map_err(|problem| ServeError::ApiAddress { address: settings.api_base.clone(), problem })
}

fn remote_access(settings: &UiSettings) -> RemoteAccess {
    match &settings.token {
        _ if settings.allow_remote_write => RemoteAccess::Write,
        Some(token) => RemoteAccess::WriteWith(Token::new(token.clone())),
        None => RemoteAccess::ReadOnly,
    }
}

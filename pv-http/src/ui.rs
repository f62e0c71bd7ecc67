//! The plain page at `/`, and the service that serves it on a port of its own.
//!
//! That service answers the page and the API's health, which it asks for itself; whatever else belongs to the API it
//! points there.

use std::{net::SocketAddr, sync::Arc};

use futures_util::future::BoxFuture;
use poem::{Endpoint, EndpointExt, IntoResponse, Response, Route, endpoint::make_sync, get, http::StatusCode};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    assets::Assets,
    bound::{ServeError, bind},
    problem::answer_error,
    serve::{ServeLimits, accept_loop},
};

/// How many connections the page's service keeps at once; further ones wait.
const MAX_CONNECTIONS: usize = 256;

/// Asks the API how it is: the JSON text of its answer, or a sentence that says why there is none.
pub type AskHealth = Arc<dyn Fn() -> BoxFuture<'static, Result<String, String>> + Send + Sync>;

/// The page's service, bound to its address.
#[derive(Debug)]
pub struct BoundPage {
    listener: TcpListener,
    address: SocketAddr,
}

impl BoundPage {
    /// Binds the page's address, which may be one that other hosts reach: the page shows and changes nothing.
    ///
    /// # Errors
    /// [`ServeError`]: an address that does not exist, or one that is taken.
    pub async fn new(host: &str, port: u16) -> Result<Self, ServeError> {
        let (listener, address) = bind(host, port, true, ["PV_UI_BIND_HOST", "PV_UI_BIND_PORT"]).await?;
        Ok(Self { listener, address })
    }

    /// Returns the address that was bound.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is done, and returns within 1.2 s then. `api_base` is where the API's calls are, such as
    /// `http://127.0.0.1:8888/api/v1`.
    pub async fn run(self, api_base: &str, ask: AskHealth, shutdown: impl Future<Output = ()>) {
        let stop = CancellationToken::new();
        let told = async {
            shutdown.await;
            stop.cancel();
        };
        let limits = ServeLimits::with_connections(MAX_CONNECTIONS);
        tokio::join!(told, accept_loop(self.listener, page_app(api_base, ask), limits, stop.clone()));
    }
}

fn page_app(api_base: &str, ask: AskHealth) -> impl Endpoint<Output = Response> + 'static {
    let health = poem::endpoint::make(move |_| {
        let asked = ask();
        async move { answer_health(asked.await) }
    });
    let base = api_base.trim_end_matches('/').to_owned();
    let origin = base.strip_suffix("/api/v1").unwrap_or(&base).to_owned();
    let page_files = Arc::new(Assets::new());
    let to = |place: String| get(make_sync(move |_| redirect(&place)));
    Route::new()
        .at("/", get(page_files.clone()))
        .at("/*path", get(page_files))
        .at("/api/v1/healthz", get(health))
        .at("/docs", to(format!("{origin}/docs")))
        .at("/api/v1/status", to(format!("{base}/status")))
        .at("/api/v1/jobs", to(format!("{base}/jobs?limit=20")))
        .at("/api/v1/openapi.json", to(format!("{base}/openapi.json")))
        .catch_all_error(answer_error)
        .map_to_response()
}

fn redirect(place: &str) -> Response {
    Response::builder().status(StatusCode::TEMPORARY_REDIRECT).header("location", place).finish()
}

fn answer_health(answer: Result<String, String>) -> Response {
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err(detail) => (StatusCode::BAD_GATEWAY, serde_json::json!({ "detail": detail }).to_string()),
    };
    body.with_content_type("application/json").with_status(status).into_response()
}

#[cfg(test)]
mod tests {
    use poem::test::TestClient;

    use super::*;

    fn client(answer: Result<&'static str, &'static str>) -> TestClient<impl Endpoint> {
        let ask: AskHealth =
            Arc::new(move || Box::pin(async move { answer.map(str::to_owned).map_err(str::to_owned) }));
        TestClient::new(page_app("http://127.0.0.1:8888/api/v1", ask))
    }

    #[tokio::test]
    async fn the_page_tells_whether_the_api_answers() {
        let up = client(Ok(r#"{"status":"ok","version":"1"}"#));
        up.get("/").send().await.assert_status_is_ok();
        up.get("/api/v1/healthz").send().await.assert_text(r#"{"status":"ok","version":"1"}"#).await;
        let down = client(Err("refused"));
        let response = down.get("/api/v1/healthz").send().await;
        response.assert_status(StatusCode::BAD_GATEWAY);
        response.assert_text(r#"{"detail":"refused"}"#).await;
    }

    #[tokio::test]
    async fn what_belongs_to_the_api_is_pointed_there_and_nothing_is_submitted_here() {
        let client = client(Ok("{}"));
        client.get("/docs").send().await.assert_header("location", "http://127.0.0.1:8888/docs");
        client.post("/api/v1/jobs").send().await.assert_status(StatusCode::METHOD_NOT_ALLOWED);
    }
}

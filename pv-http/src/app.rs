//! The whole service as one endpoint.

use std::{any::Any, sync::Arc};

use poem::{Endpoint, EndpointExt, IntoResponse, Request, Response, Route, get, middleware::CatchPanic};

use crate::{
    access::{Guard, Hosts, Strangers},
    metrics::Metrics,
    openapi::{
        Problem, answer_error,
        docs::{self, Docs},
    },
    page::Assets,
    server::BodyReader,
    state::AppState,
};

/// Returns the service: `/api/v1`, `/docs`, `/metrics` and the page. Every refusal is JSON with a `detail`.
#[must_use = "an endpoint answers nothing until it is served"]
pub fn app(state: &AppState) -> impl Endpoint<Output = Response> + 'static {
    let settings = state.settings();
    let bodies = Arc::new(BodyReader::new(state.store().limits().prompt_bytes));
    let asking = state.clone();
    let service = docs::service(state);
    let docs = Docs::of_this_version();
    let api = docs.beside(Route::new()).nest("/", service).around(move |endpoint, mut request: Request| {
        let (state, bodies) = (asking.clone(), bodies.clone());
        async move {
            if let Some(token) = state.token() {
                token.admit(&request)?;
            }
            let _room = bodies.read(&mut request).await?;
            endpoint.call(request).await.map(IntoResponse::into_response)
        }
    });
    let files = Arc::new(Assets::new());
    let metrics = get(Metrics(state.clone()));
    let route =
        Route::new().nest("/api/v1", api).at("/metrics", metrics).at("/", get(files.clone())).at("/*path", get(files));
    let app = docs
        .at(route)
        .with(CatchPanic::new().with_handler(answer_panic))
        .catch_all_error(answer_error)
        .map_to_response();
    let hosts = Hosts::new(&settings.host_name, &settings.allowed_hosts);
    let counting = state.clone();
    Guard::new(hosts, Strangers::Change).before(app).after(move |answer| {
        let state = counting.clone();
        async move { answer.inspect(|answer| state.answered().count(answer.status())) }
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the signature is poem's")]
fn answer_panic(panic: Box<dyn Any + Send>) -> Response {
    let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = said.unwrap_or("?"), "a request panicked");
    Problem::internal().into_response()
}

#[cfg(test)]
mod tests {
    use poem::{handler, http::StatusCode, test::TestClient};

    use super::*;

    #[handler]
    fn boom() -> &'static str {
        panic!("boom")
    }

    #[tokio::test]
    async fn a_panic_is_answered_with_json() {
        let app = Route::new().at("/", get(boom)).with(CatchPanic::new().with_handler(answer_panic));
        let response = TestClient::new(app).get("/").send().await;
        response.assert_status(StatusCode::INTERNAL_SERVER_ERROR);
        response.assert_content_type("application/json");
    }
}

//! The whole service as one endpoint.

use std::{any::Any, sync::Arc};

use poem::{Endpoint, EndpointExt, IntoResponse, Request, Response, Route, get, middleware::CatchPanic};

use crate::{
    access::{AccessPolicy, Hosts, RemoteAccess, Token},
    api,
    metrics::{Metrics, ResponseCounts},
    openapi::Problem,
    page::{Assets, Docs, below_any_path, with_error_responses},
    server::BodyReader,
    state::AppState,
};

/// Returns the service: `/api/v1`, `/docs`, `/metrics` and the page. Every error response is JSON with a `detail`.
#[must_use = "an endpoint answers nothing until it is served"]
pub fn app(state: &AppState) -> impl Endpoint<Output = Response> + 'static {
    let AppState { context, index, streams, token, .. } = state;
    let bodies = Arc::new(BodyReader::new(context.store().limits().prompt_bytes));
    let api = Docs::add_description(Route::new()).nest("/", api::service(state)).around(
        move |endpoint, mut request: Request| {
            let bodies = bodies.clone();
            async move {
                let _permit = bodies.read(&mut request).await?;
                endpoint.call(request).await.map(IntoResponse::into_response)
            }
        },
    );
    let response_counts = Arc::new(ResponseCounts::default());
    let metrics = Metrics {
        context: context.clone(),
        index: index.clone(),
        streams: streams.clone(),
        response_counts: response_counts.clone(),
    };
    let files = Arc::new(Assets::new());
    let route = Route::new()
        .nest("/api/v1", require_token(token.clone(), api))
        .at("/metrics", get(require_token(token.clone(), metrics)))
        .at("/", files.clone())
        .at("/*path", files);
    let app = with_error_responses(Docs::add_page(route).with(CatchPanic::new().with_handler(panic_response)));
    let hosts = Hosts::new(&context.settings().host_name, &context.settings().allowed_hosts);
    AccessPolicy::new(hosts, RemoteAccess::Write).layer(below_any_path(app)).after(move |response| {
        let response_counts = response_counts.clone();
        async move { response.inspect(|response| response_counts.count(response.status())) }
    })
}

/// Checks the token, if there is one, before the endpoint reads anything of a request.
fn require_token(
    token: Option<Token>,
    endpoint: impl Endpoint<Output = Response> + 'static,
) -> impl Endpoint<Output = Response> + 'static {
    let token = Arc::new(token);
    endpoint.around(move |endpoint, request| {
        let token = token.clone();
        async move {
            if let Some(token) = &*token {
                token.check(&request)?;
            }
            endpoint.call(request).await
        }
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the signature is poem's")]
fn panic_response(panic: Box<dyn Any + Send>) -> Response {
    let message = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = message.unwrap_or("?"), "a request panicked");
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
        let app = Route::new().at("/", get(boom)).with(CatchPanic::new().with_handler(panic_response));
        let response = TestClient::new(app).get("/").send().await;
        response.assert_status(StatusCode::INTERNAL_SERVER_ERROR);
        response.assert_content_type("application/json");
    }
}

//! The documentation: the OpenAPI description, and Swagger UI, which works offline.

use std::sync::Arc;

use hyper::body::Bytes;
use poem::{Endpoint, Response, endpoint::make_sync};
use poem_openapi::{OpenApi, OpenApiService};
use pv_lib::{
    fs::OsFs,
    layout::{InboxMode, Layout},
    store::{Limits, Store},
};
use tokio_util::sync::CancellationToken;

use crate::{api, settings::ApiSettings, state::AppState};

/// The content type of pages.
pub(crate) const HTML: &str = "text/html; charset=utf-8";

const ABOUT: &str = "Hand Markdown prompts to coding agents, follow their work, stop it. \
    Every error is `{\"detail\": \"…\"}` with a sentence that says what to do; with status 422, `detail` is a list. \
    Times are RFC 3339 in UTC.";

/// Returns the documented operations.
pub(crate) fn service(state: &AppState) -> OpenApiService<impl OpenApi + 'static, ()> {
    OpenApiService::new(api::all(state), "Prompt Valet", env!("CARGO_PKG_VERSION"))
        .description(ABOUT)
        .license("MIT")
        .server("/api/v1")
}

/// Returns the OpenAPI description, pretty-printed, as committed in `openapi/prompt-valet.json`. Touches nothing.
#[must_use]
pub fn openapi_json() -> String {
    let layout = Layout::under("/srv/prompt-valet".into(), InboxMode::MultiOwner);
    let store = Store::new(Arc::new(OsFs), layout, Limits::default(), "");
    let state = AppState::new(ApiSettings::default(), store, CancellationToken::new());
    pretty(&service(&state).spec())
}

/// Returns JSON in its one committed form: indented, keys sorted, a newline at the end.
pub(crate) fn pretty(json: &str) -> String {
    let mut value: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    value.sort_all_objects();
    format!("{value:#}\n")
}

/// Returns an endpoint that always answers the same text.
pub(crate) fn fixed(content_type: &'static str, text: String) -> impl Endpoint<Output = Response> + 'static {
    let bytes = Bytes::from(text);
    make_sync(move |_| {
        Response::builder()
            .content_type(content_type)
            .header("cache-control", "no-cache")
            .header("x-content-type-options", "nosniff")
            .body(bytes.clone())
    })
}

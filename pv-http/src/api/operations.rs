//! All operations together, and their description.

use std::sync::Arc;

use poem_openapi::{OpenApi, OpenApiService};
use pv_lib::{
    fs::OsFs,
    layout::{InboxMode, Layout},
    store::{Limits, Store},
};
use tokio_util::sync::CancellationToken;

use super::{
    events::Changes, health::Health, jobs::Jobs, logs::Logs, patch::Patches, submit::Submit, targets::Targets,
};
use crate::{
    openapi::{describe, pretty},
    settings::ApiSettings,
    state::AppState,
};

/// Returns the documented operations.
pub(crate) fn service(state: &AppState) -> OpenApiService<impl OpenApi + use<>, ()> {
    let AppState { context, index, streams, feed, .. } = state;
    describe((
        Health { context: context.clone(), index: index.clone() },
        Targets(context.clone()),
        Submit(context.clone()),
        Jobs { context: context.clone(), index: index.clone() },
        Logs { context: context.clone(), streams: streams.clone() },
        Patches(context.clone()),
        Changes(feed.clone()),
    ))
}

/// Returns the operations for the sake of their description: they answer nothing of use.
pub(crate) fn description() -> OpenApiService<impl OpenApi + 'static, ()> {
    service(&nowhere())
}

/// Returns the OpenAPI description, pretty-printed, as committed in `openapi/prompt-valet.json`. Touches nothing.
#[must_use]
pub fn openapi_json() -> String {
    pretty(&description().spec())
}

/// A service over nothing, for its description.
fn nowhere() -> AppState {
    let layout = Layout::under("/srv/prompt-valet".into(), InboxMode::MultiOwner);
    let store = Store::new(Arc::new(OsFs), layout, Limits::default(), "");
    AppState::new(ApiSettings::default(), store, CancellationToken::new())
}

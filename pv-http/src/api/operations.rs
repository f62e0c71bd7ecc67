//! All operations together, and their description.

use std::sync::Arc;

use poem_openapi::{OpenApi, OpenApiService};
use pv_lib::{
    fs::OsFs,
    layout::{InboxMode, Layout},
    store::{Store, StoreLimits},
};
use tokio_util::sync::CancellationToken;

use super::{
    compressor::Compressors, events::Events, health::Health, holds::Holds, jobs::Jobs, logs::Logs, patch::Patches,
    submissions::Submissions, submit::Submit, targets::Targets, texts::Texts,
};
use crate::{
    openapi::{Description, describe},
    settings::ApiSettings,
    state::AppState,
};

/// Returns the documented operations of a service.
pub(crate) fn service(state: &AppState) -> OpenApiService<impl OpenApi + use<>, ()> {
    let AppState { context, index, streams, events, .. } = state;
    let submissions = Submissions::new(context.clone());
    describe((
        Health { context: context.clone(), index: index.clone() },
        Targets(context.clone()),
        Submit(submissions.clone()),
        Jobs { context: context.clone(), index: index.clone(), compressors: Compressors::default(), submissions },
        Logs { context: context.clone(), streams: streams.clone() },
        Patches(context.clone()),
        Texts(context.clone()),
        Holds(context.clone()),
        Events(events.clone()),
    ))
}

/// Returns the description of the operations, in its two forms.
pub(crate) fn description() -> Description {
    Description::of(&service(&placeholder_server()).spec())
}

/// Returns the OpenAPI description, pretty-printed, as committed in `openapi/prompt-valet.json`. Touches nothing.
#[must_use]
pub fn openapi_json() -> String {
    description().json
}

/// Returns a service that is never asked anything, for its description.
fn placeholder_server() -> AppState {
    let layout = Layout::under("/srv/prompt-valet".into(), InboxMode::MultiOwner);
    let store = Store::new(Arc::new(OsFs), layout, StoreLimits::default(), "");
    AppState::new(ApiSettings::default(), store, CancellationToken::new())
}

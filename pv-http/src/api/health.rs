//! The service itself: its health, its status, and the settings in effect.

use std::sync::Arc;

use poem::http::StatusCode;
use poem_openapi::OpenApi;
use pv_lib::api::{Status, StatusSettings};

use crate::{
    context::Context,
    openapi::{Compact, ConfigErrors, OperationError, Problem, ReadErrors, Tag, schema},
    query::JobIndex,
};

pub(super) struct Health {
    pub(super) context: Context,
    pub(super) index: Arc<JobIndex>,
}

#[OpenApi(tag = "Tag::Service")]
impl Health {
    /// Does the service answer?
    #[oai(path = "/healthz", method = "get", operation_id = "health")]
    async fn health(&self) -> Compact<schema::Health> {
        let settings = self.context.settings();
        let (version, commit) = (settings.version.clone(), settings.commit.clone());
        Compact::new(&schema::Health { status: "ok".into(), version, commit })
    }

    /// What does the service see?
    ///
    /// Settings, how many jobs there are, whether folders and watcher are there, how much space the disk has, what cannot be
    /// used, and which checkouts are kept.
    #[oai(path = "/status", method = "get", operation_id = "status")]
    async fn status(&self) -> Result<Compact<schema::Status>, OperationError<ReadErrors>> {
        let index = self.index.clone();
        let read = move |context: &Context| Ok(Compact::new(&status(context, &index)));
        Ok(self.context.blocking(read).await?)
    }

    /// Which settings are in effect, where does each come from, and is anything wrong?
    ///
    /// The settings are those that the service was started with, and never a secret; the checks are what `pv doctor` finds
    /// when the service's user runs it now.
    #[oai(path = "/config", method = "get", operation_id = "config")]
    async fn config(&self) -> Result<Compact<schema::Installation>, OperationError<ConfigErrors>> {
        let describe = |context: &Context| match &context.settings().installation {
            Some(installation) => Ok(Compact::new(&installation.describe())),
            None => Err(Problem::new(
                StatusCode::NOT_FOUND,
                "this service is part of no installation: ask `pv config` and `pv doctor` on its host",
            )),
        };
        Ok(self.context.blocking(describe).await?)
    }
}

/// Returns what the service sees.
pub(crate) fn status(context: &Context, index: &JobIndex) -> Status {
    let (store, settings) = (context.store(), context.settings());
    // A runs folder that cannot be read is among what cannot be used.
    let counts = index.counts(store, context.request_time()).unwrap_or_default();
    let settings = StatusSettings {
        thresholds: settings.thresholds,
        bind_host: settings.bind_host.clone(),
        bind_port: settings.bind_port,
    };
    Status::read(store, settings, counts, context.now())
}

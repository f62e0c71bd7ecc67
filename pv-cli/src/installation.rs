//! What the API tells of the installation that it is part of: the settings that it was started with, and a checkup.

use std::sync::Arc;

use pv_http::{ApiSettings, Installation};
use pv_lib::config::Config;
use serde_json::{Map, Value};

use crate::{
    commands::{config, doctor},
    context::Context,
    exit::Failure,
    services,
};

/// An installation, as the flags and the environment of this process describe it.
#[derive(Debug)]
struct Here {
    config: Config,
    context: Context,
}

impl Installation for Here {
    fn describe(&self) -> Map<String, Value> {
        let mut all = config::as_json(&self.config);
        all.extend(doctor::as_json(&self.context));
        all
    }
}

/// Returns what the API of this installation is told.
///
/// # Errors
/// As [`services::api_settings`].
pub(crate) fn api_settings(config: Config, context: &Context) -> Result<ApiSettings, Failure> {
    let settings = services::api_settings(&config)?;
    Ok(ApiSettings { installation: Some(Arc::new(Here { config, context: context.clone() })), ..settings })
}

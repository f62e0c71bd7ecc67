//! The installation that the API is part of, for `/config`: the settings that it was started with, and a checkup.

use std::sync::Arc;

use pv_http::{ApiSettings, Bound, Installation};
use pv_lib::config::{Config, SettingRow};
use serde_json::{Map, Value, json};

use crate::{
    checkup::RemoteCache,
    commands::{config, doctor},
    context::Context,
    exit::Failure,
    services,
};

/// An installation, as the flags and the environment of this process describe it.
#[derive(Debug)]
struct ThisInstallation {
    config: Config,
    context: Context,
    remotes: Arc<RemoteCache>,
}

impl Installation for ThisInstallation {
    fn describe(&self) -> Map<String, Value> {
        let mut all = config::as_json(&self.config);
        all.extend(doctor::as_json(&self.context, &self.remotes));
        all
    }
}

/// Binds the API of this installation.
///
/// # Errors
/// An address or a token that cannot be used: exit code 2.
pub(crate) async fn bind_api(config: &Config, context: &Context) -> Result<Bound, Failure> {
    Bound::new(api_settings(config.clone(), context)?).await.map_err(Failure::usage)
}

fn api_settings(mut config: Config, context: &Context) -> Result<ApiSettings, Failure> {
    let settings = services::api_settings(&config)?;
    config.rows.iter_mut().for_each(hide_arguments);
    let installation = ThisInstallation { config, context: context.clone(), remotes: Arc::default() };
    Ok(ApiSettings { installation: Some(Arc::new(installation)), ..settings })
}

/// Hides what an agent's program is called with: that may be a secret, and all clients of the API can read this.
fn hide_arguments(row: &mut SettingRow) {
    const HIDDEN: &str = "(set)";
    let shown = match row.name.strip_prefix("agents.").and_then(|name| name.rsplit_once('.')) {
        Some((_, "args")) => 0,
        Some((_, "command")) => 1,
        _ => return,
    };
    match &mut row.value {
        Value::Array(words) if words.len() > shown => {
            words.truncate(shown);
            words.push(HIDDEN.into());
        }
        Value::Array(_) | Value::Null => {}
        other => *other = json!(HIDDEN),
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;
    use pv_lib::config::Origin;

    use super::*;

    fn check(name: &str, value: Value, expected: &Value) {
        let mut row = SettingRow { name: name.into(), var: None, value, origin: Origin::Default };
        hide_arguments(&mut row);
        assert_eq!(&row.value, expected, "{name}");
    }

    #[test]
    fn what_agents_are_called_with_is_hidden() {
        check("agents.mine.args", json!(["--key", "s3cret"]), &json!(["(set)"]));
        check("agents.mine.args", json!([]), &json!([]));
        check("agents.mine.command", json!(["/bin/mine", "--key", "s3cret"]), &json!(["/bin/mine", "(set)"]));
        check("agents.mine.command", json!(["mine"]), &json!(["mine"]));
        check("agents.args.command", json!("mine s3cret"), &json!("(set)"));
        check("agents.mine.env", json!(["TOKEN"]), &json!(["TOKEN"]));
        check("watcher.max_concurrent", json!(2), &json!(2));
    }

    #[test]
    fn no_row_of_an_installation_holds_an_argument() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap().to_owned();
        let file = root.join("settings.yaml");
        let settings = "agents: {mine: {command: [mine, s3cret], args: [s3cret]}, codex: {command: codex s3cret}}\n";
        std::fs::write(&file, settings).unwrap();
        let context = Context { config: Some(file), root: Some(root), api: None, json: false };
        let (config, _) = context.settings().unwrap();
        let settings = Value::Object(config::as_json(&config)).to_string();
        assert!(settings.contains("s3cret"), "the settings are used");
        let installation = api_settings(config, &context).unwrap().installation.unwrap();
        let described = Value::Object(installation.describe()).to_string();
        assert!(described.contains("agents.mine.args") && !described.contains("s3cret"), "{described}");
    }
}

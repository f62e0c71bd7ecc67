//! The token of the API, and the one for the git host.

use std::{fs::File, io, os::unix::fs::PermissionsExt};

use camino::Utf8Path;
use pv_lib::{
    config::{Config, ConfigError},
    fs::OsFs,
};

use super::{
    Finding,
    identity::{Permission, Want},
    job_side::JobSide,
};

const MAKE_A_TOKEN: &str = "make one with `pv token new`";

/// Who may use the API, and whether others can read its token.
pub(super) fn api_token(config: &Config) -> Finding {
    const CHECK: &str = "token";
    // The one in the variable overrides the file.
    let file = config.api.token_file.value.as_ref().filter(|_| config.api.token.value.is_none());
    match (config.api_token(&OsFs), file) {
        (Err(error), _) => unusable_token(CHECK, MAKE_A_TOKEN, &error),
        (Ok(Some(_)), Some(file)) if others_may_read(file) => {
            Finding::warning(CHECK, format!("others than its owner and group may use {file}"))
                .with_remedy(format!("chmod 640 {file}"))
        }
        (Ok(Some(_)), Some(file)) => Finding::ok(CHECK, format!("the API asks for the one in {file}")),
        (Ok(Some(_)), None) => Finding::ok(CHECK, "the API asks for the one in PV_API_TOKEN"),
        (Ok(None), _) if config.api.allow_insecure_bind.value => {
            Finding::warning(CHECK, "none: everyone who reaches the API may run agents").with_remedy(MAKE_A_TOKEN)
        }
        (Ok(None), _) if config.ui.allow_remote_write.value => {
            Finding::warning(CHECK, "none: everyone who reaches the page may run agents").with_remedy(MAKE_A_TOKEN)
        }
        (Ok(None), _) => Finding::ok(CHECK, "none: programs of this host need none"),
    }
}

fn others_may_read(file: &Utf8Path) -> bool {
    let mode = std::fs::metadata(file).map_or(0, |file| file.permissions().mode());
    mode & 0o027 != 0
}

/// Whether the token for the git host can be used by jobs, where one is configured.
pub(super) fn delivery_token(config: &Config, side: &JobSide) -> Option<Finding> {
    const CHECK: &str = "delivery token";
    let file = config.delivery.token_file.value.as_ref()?;
    let user = &side.runs_as.user;
    if side.watcher.is_some() && !side.identity.is_this_user() {
        match side.identity.may(Want::Read, file.as_std_path()) {
            Permission::No(at) if file.exists() => {
                let message =
                    format!("{user}, as whom the watcher runs, may not read {file}, because of {}", at.display());
                return Some(Finding::problem(CHECK, message).with_remedy("correct its owner and mode"));
            }
            // What is in it is for that user to see.
            Permission::Yes if File::open(file).is_err() => {
                return Some(Finding::ok(
                    CHECK,
                    format!("{user} may read {file}; what it holds cannot be seen by this user"),
                ));
            }
            _ => {}
        }
    }
    match config.delivery_token(&OsFs) {
        Ok(None) => None,
        Ok(Some(_)) => Some(Finding::ok(CHECK, "its file holds one")),
        Err(error) => Some(unusable_token(CHECK, "write the git host's token into it", &error)),
    }
}

/// Making a token is the remedy only where there is none: clients that use the one that is there would be refused.
fn unusable_token(check: &str, make_one: &str, error: &ConfigError) -> Finding {
    match error {
        ConfigError::TokenFile { name, path, kind: io::ErrorKind::NotFound, .. } => {
            Finding::problem(check, format!("{path}, which {name} names, is not there")).with_remedy(make_one)
        }
        ConfigError::TokenFile { path, kind: io::ErrorKind::PermissionDenied, .. } => {
            Finding::problem(check, format!("{path} is there, and this user may not read it"))
                .with_remedy("run this as the services' user or group, or correct its owner and mode")
        }
        // It names the remedy itself.
        other => Finding::problem(check, other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{checkup::Level, context::Context};

    #[test]
    fn a_token_that_others_may_read_is_a_warning() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap().to_owned();
        let (file, settings) = (root.join("token"), root.join("settings.yaml"));
        std::fs::write(&settings, "").unwrap();
        let context = Context { config: Some(settings), root: Some(root), api: None, json: false };
        let (mut config, _) = context.settings().unwrap();
        config.api.token_file.value = Some(file.clone());
        assert_eq!(api_token(&config).level, Level::Problem, "it is not there");
        std::fs::write(&file, "s3cret\n").unwrap();
        for (mode, level) in [(0o600, Level::Ok), (0o640, Level::Ok), (0o660, Level::Warning), (0o604, Level::Warning)]
        {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let found = api_token(&config);
            assert_eq!(found.level, level, "{mode:o}");
            assert!(!found.message.contains("s3cret"));
        }
        config.api.token_file.value = None;
        assert_eq!(api_token(&config).level, Level::Ok);
        config.api.allow_insecure_bind.value = true;
        assert_eq!(api_token(&config).level, Level::Warning);
    }

    #[test]
    fn only_a_token_that_is_not_there_is_to_be_made() {
        for (kind, part, makes_one) in [
            (io::ErrorKind::NotFound, "pv token new", true),
            (io::ErrorKind::PermissionDenied, "owner and mode", false),
            (io::ErrorKind::InvalidData, "write the token as its only line", false),
        ] {
            let (name, path, problem) = ("PV_API_TOKEN_FILE", "/token".into(), "no".into());
            let error = ConfigError::TokenFile { name, path, problem, kind };
            let found = unusable_token("token", MAKE_A_TOKEN, &error);
            let all = format!("{} {}", found.message, found.remedy.unwrap_or_default());
            assert!(all.contains("/token") && all.contains(part), "{all}");
            assert_eq!(all.contains("pv token new"), makes_one, "{all}");
        }
    }
}

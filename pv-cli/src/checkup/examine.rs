//! All checks, in the order in which a person would set an installation up.

use std::sync::Arc;

use pv_lib::{
    config::Config,
    fs::{FsExt, OsFs},
    host,
};

use super::{Finding, RemoteCache, folders, job_side::JobSide, launchers, programs, remotes, tokens, work};
use crate::{
    context::{Context, store},
    services,
};

/// Checks an installation, and asks the remotes, or takes what they answered last from `cache`. Settings that cannot be used
/// are the only finding then.
pub(crate) fn examine(context: &Context, cache: Option<&Arc<RemoteCache>>) -> Vec<Finding> {
    let (config, warnings) = match context.settings() {
        Ok(settings) => settings,
        Err(failure) => return vec![Finding::problem("settings", failure.message)],
    };
    let (store, now) = (store(&config), host::now());
    let counts = store.counts(now, config.thresholds()).unwrap_or_default();
    let mut survey = store.survey(&counts.damaged, now);
    let (side, plan) = (JobSide::find(survey.watcher.as_ref(), now), services::plan(&config));
    let root = &config.folders.root;
    let mut found = vec![Finding::ok("root", format!("{} ({})", root.value, root.origin)), settings_file(&config)];
    found.extend(warnings.iter().map(|warning| Finding::warning("settings", warning.to_string())));
    found.extend(without_effect(&config));
    found.push(tokens::api_token(&config));
    found.extend(tokens::delivery_token(&config, &side));
    found.extend(folders::folders(&config, &side));
    found.push(folders::targets(&store.layout().inbox, survey.targets));
    // Full disks have findings of their own.
    survey.unusable.entries.retain(|entry| !survey.full_disks.iter().any(|full| full.path == entry.path));
    found.extend(work::unusable(&survey.unusable));
    found.push(programs::git(&side));
    let (asked_store, asked_plan, asked_side) = (store.clone(), plan.clone(), side.clone());
    let used = launchers::used(&config);
    let ask = move || {
        let mut answers = remotes::ask(&asked_store, &asked_plan, &asked_side);
        answers.extend(launchers::launchers(&asked_plan, asked_store.layout(), &used));
        answers
    };
    found.extend(match cache {
        Some(cache) => cache.latest(ask),
        None => ask(),
    });
    found.extend(programs::agents(&config, &side));
    found.extend(programs::withheld(&plan, &side));
    found.push(programs::this_program());
    found.push(work::watcher(&store));
    found.extend(programs::privileges(&side));
    found.extend(folders::disks(&store, &survey.full_disks));
    found.extend(work::holds(&store));
    found.extend(survey.kept_checkouts.iter().map(work::kept_checkout));
    found.extend(survey.watcher.and_then(|watcher| watcher.mirrors).iter().flat_map(work::mirrors));
    found
}

fn settings_file(config: &Config) -> Finding {
    let path = &config.config_path.value;
    match OsFs.stat_opt(path) {
        Ok(Some(_)) => Finding::ok("settings", format!("{path} is used")),
        // Where somebody named the file, a warning of its own says that it is missing.
        Ok(None) => Finding::ok("settings", format!("{path} is not there, the defaults are used")),
        Err(error) => Finding::problem("settings", format!("{error}: {}", error.source)),
    }
}

/// The keys of the settings file that are accepted and change nothing.
fn without_effect(config: &Config) -> Vec<Finding> {
    let keys = config.without_effect.iter();
    let finding = keys.map(|key| {
        let message = format!("{}:{}: `{}` has no effect: {}", key.path, key.line, key.key, key.why);
        Finding::warning("settings", message).with_remedy("remove the key")
    });
    finding.collect()
}

#[cfg(test)]
mod tests {
    use camino::{Utf8Path, Utf8PathBuf};

    use super::*;
    use crate::checkup::Level;

    fn context(root: &tempfile::TempDir, yaml: &str) -> (Context, Utf8PathBuf) {
        let root = Utf8Path::from_path(root.path()).unwrap().to_owned();
        let file = root.join("settings.yaml");
        std::fs::write(&file, yaml).unwrap();
        (Context { config: Some(file), root: Some(root.clone()), api: None, json: false }, root)
    }

    fn find<'a>(found: &'a [Finding], check: &str) -> &'a Finding {
        let of = found.iter().rfind(|finding| finding.check == check);
        of.unwrap_or_else(|| panic!("nothing about {check}: {found:?}"))
    }

    #[test]
    fn a_bare_root_has_warnings_that_say_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let (context, root) = context(
            &dir,
            "inbox_mode: legacy_single_owner\ndefault_agent: mine\nagents: {mine: {command: sh}}\nqueue: {mode: x}\n",
        );
        let found = examine(&context, None);
        for check in ["settings", "inbox", "targets", "watcher"] {
            assert_eq!(find(&found, check).level, Level::Warning, "{:?}", find(&found, check));
        }
        assert!(find(&found, "settings").message.contains("queue"), "{:?}", find(&found, "settings"));
        assert_eq!(find(&found, "agent mine (default)").level, Level::Ok);

        std::fs::create_dir_all(root.join("inbox/example/main")).unwrap();
        let found = examine(&context, None);
        assert_eq!((find(&found, "inbox").level, find(&found, "targets").level), (Level::Ok, Level::Ok));
    }

    #[test]
    fn what_stops_jobs_is_a_problem() {
        let dir = tempfile::tempdir().unwrap();
        let (context, root) = context(&dir, "default_agent: mine\nagents: {mine: {command: /no/such/program}}\n");
        std::fs::write(root.join("runs"), "a file").unwrap();
        let found = examine(&context, None);
        for check in ["agent mine (default)", "runs"] {
            let finding = find(&found, check);
            assert!(finding.level == Level::Problem && finding.remedy.is_some(), "{finding:?}");
        }
    }

    #[test]
    fn settings_that_cannot_be_used_are_the_only_finding() {
        let dir = tempfile::tempdir().unwrap();
        let (context, _) = context(&dir, "watcher: {max_concurrent: many}\n");
        let found = examine(&context, None);
        assert!(found.len() == 1 && found[0].level == Level::Problem, "{found:?}");
    }
}

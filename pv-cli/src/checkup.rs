//! What `pv doctor` checks. Nothing here writes or takes a lock.

use std::{io, os::unix::fs::PermissionsExt};

use camino::Utf8Path;
use pv_lib::{
    api::{HoldList, HoldState},
    config::{Agent, Config, ConfigError},
    fs::{FsExt, Kind, OsFs},
    host,
    job::HoldKind,
    store::Store,
    text::one_line,
    unusable::{Severity, Unusable},
};
use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::{
    context::{Context, store},
    programs::{find_program, on_path},
    services::network_file_system,
};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// As it should be.
    Ok,
    /// It works, but perhaps not as it was meant.
    Warning,
    /// Jobs cannot run, or not all of them.
    Problem,
}

impl Level {
    /// Returns the word that starts a line.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// How bad it is.
    pub(crate) level: Level,
    /// What was looked at.
    pub(crate) about: String,
    /// What was seen.
    pub(crate) says: String,
    /// What to do about it.
    pub(crate) remedy: Option<String>,
}

impl Finding {
    /// Makes a finding without a remedy.
    pub(crate) fn new(level: Level, about: impl Into<String>, says: impl Into<String>) -> Self {
        Self { level, about: about.into(), says: says.into(), remedy: None }
    }

    /// Adds what to do about it.
    pub(crate) fn or(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

use Level::{Ok as Fine, Problem, Warning};

/// Looks at everything, in the order in which a person would set it up. Settings that cannot be used end the list.
pub(crate) fn examine(context: &Context) -> Vec<Finding> {
    let (config, warnings) = match context.settings() {
        Ok(settings) => settings,
        Err(failure) => return vec![Finding::new(Problem, "settings", failure.message)],
    };
    let store = store(&config);
    let mut found = vec![settings_file(&config)];
    found.extend(warnings.iter().map(|warning| Finding::new(Warning, "settings", warning.to_string())));
    found.extend(config.without_effect.iter().map(|key| {
        let says = format!("{}:{}: `{}` has no effect: {}", key.path, key.line, key.key, key.why);
        Finding::new(Warning, "settings", says).or("remove the key")
    }));
    found.push(token(&config));
    found.extend(delivery_token(&config));
    found.extend(folders(&config));
    found.push(targets(&store));
    found.extend(unusable(&config, &store));
    found.push(match find_program("git") {
        Some(path) => Finding::new(Fine, "git", path.display().to_string()),
        None => Finding::new(Problem, "git", "not found on the PATH").or("install git"),
    });
    found.extend(config.agents.iter().map(|(name, settings)| agent(&config, name, settings)));
    found.push(this_program());
    found.push(watcher(&store));
    found.push(room(&store));
    found.extend(holds(&store));
    found.extend(kept_checkouts(&store));
    found
}

fn settings_file(config: &Config) -> Finding {
    let path = &config.config_path.value;
    match OsFs.stat_opt(path) {
        Ok(Some(_)) => Finding::new(Fine, "settings", format!("{path} is used")),
        // Where somebody named the file, a warning of its own says that it is missing.
        Ok(None) => Finding::new(Fine, "settings", format!("{path} is not there, the defaults are used")),
        Err(error) => Finding::new(Problem, "settings", format!("{error}: {}", error.source)),
    }
}

const MAKE_A_TOKEN: &str = "make one with `pv token new`";

/// Who may use the API, and whether others can read its token.
fn token(config: &Config) -> Finding {
    let others_may_read = |file: &Utf8Path| {
        let mode = std::fs::metadata(file).map_or(0, |file| file.permissions().mode());
        mode & 0o027 != 0
    };
    // The one in the variable wins over the file.
    let file = config.api.token_file.value.as_ref().filter(|_| config.api.token.value.is_none());
    match (config.api_token(&OsFs), file) {
        (Err(error), _) => unusable_token("token", MAKE_A_TOKEN, &error),
        (Ok(Some(_)), Some(file)) if others_may_read(file) => {
            Finding::new(Warning, "token", format!("others than its owner and group may use {file}"))
                .or(format!("chmod 640 {file}"))
        }
        (Ok(Some(_)), Some(file)) => Finding::new(Fine, "token", format!("the API asks for the one in {file}")),
        (Ok(Some(_)), None) => Finding::new(Fine, "token", "the API asks for the one in PV_API_TOKEN"),
        (Ok(None), _) if config.api.allow_insecure_bind.value => {
            Finding::new(Warning, "token", "none: everyone who reaches the API may run agents").or(MAKE_A_TOKEN)
        }
        (Ok(None), _) if config.ui.allow_remote_write.value => {
            Finding::new(Warning, "token", "none: everyone who reaches the page may run agents").or(MAKE_A_TOKEN)
        }
        (Ok(None), _) => Finding::new(Fine, "token", "none: programs of this host need none"),
    }
}

/// Whether the token for pushing can be used, where one is configured.
fn delivery_token(config: &Config) -> Option<Finding> {
    let about = "delivery token";
    match config.delivery_token(&OsFs) {
        Ok(None) => None,
        Ok(Some(_)) => Some(Finding::new(Fine, about, "its file holds one")),
        Err(error) => Some(unusable_token(about, "write the git host's token into it", &error)),
    }
}

/// A new token shuts out all who use the one that is there: it is the remedy only where there is none.
fn unusable_token(about: &str, make_one: &str, error: &ConfigError) -> Finding {
    let found = |says: String| Finding::new(Problem, about, says);
    match error {
        ConfigError::TokenFile { name, path, kind: io::ErrorKind::NotFound, .. } => {
            found(format!("{path}, which {name} names, is not there")).or(make_one)
        }
        ConfigError::TokenFile { path, kind: io::ErrorKind::PermissionDenied, .. } => {
            found(format!("{path} is there, and this user may not read it"))
                .or("run this as the services' user or group, or correct its owner and mode")
        }
        // It names the remedy itself.
        other => found(other.to_string()),
    }
}

fn folders(config: &Config) -> Vec<Finding> {
    let layout = config.layout();
    let mut found = Vec::new();
    let inbox = ("inbox", &layout.inbox);
    for (name, dir) in [inbox, ("runs", &layout.runs), ("finished", &layout.finished), ("work", &layout.work)] {
        found.push(folder(name, dir));
        if let Some(kind) = network_file_system(dir) {
            let says = format!("{dir} is on {kind}");
            let remedy = "point it to a disk of this host, or set watcher.allow_network_fs where no other host uses it";
            // The watcher refuses to work where locks may be shared with other hosts.
            let refused = ["inbox", "runs"].contains(&name) && !config.watcher.allow_network_fs.value;
            found.push(Finding::new(if refused { Problem } else { Warning }, name, says).or(remedy));
        }
    }
    found.push(clones(config));
    found
}

/// Clones are only read, and may all be missing where repositories are cloned from the host.
fn clones(config: &Config) -> Finding {
    let dir = &config.folders.repos.value;
    match std::fs::read_dir(dir) {
        Ok(_) => Finding::new(Fine, "repos", format!("{dir} is there")),
        Err(_) if config.git.auto_clone.value => {
            Finding::new(Fine, "repos", format!("{dir} is not there, all are cloned from {}", config.git.host.value))
        }
        Err(error) => Finding::new(Problem, "repos", format!("cannot read {dir}: {error}"))
            .or("make it, with a clone at OWNER/REPO for each repository, or set watcher.auto_clone_missing_repos"),
    }
}

fn folder(name: &str, dir: &Utf8Path) -> Finding {
    const USE_OWNER: &str = "run this as the services' user or group, or correct its owner and mode";
    let kind = match OsFs.stat_opt(dir) {
        Ok(stat) => stat.map(|stat| stat.kind),
        Err(error) => {
            return Finding::new(Problem, name, format!("{error}: {}", error.source)).or(USE_OWNER);
        }
    };
    // A root that is itself a link leads somewhere else, where the same questions are asked.
    let is_dir = kind == Some(Kind::Dir) || (kind == Some(Kind::Link) && dir.is_dir());
    match kind {
        Some(_) if !is_dir => Finding::new(Problem, name, format!("{dir} is no folder")).or("move it out of the way"),
        Some(_) if writable(dir) => Finding::new(Fine, name, format!("{dir} is there and writable")),
        Some(_) => Finding::new(Problem, name, format!("{dir} is not writable by this user")).or(USE_OWNER),
        None if dir.ancestors().find(|above| above.exists()).is_some_and(writable) => {
            Finding::new(Warning, name, format!("{dir} is not there")).or("a watcher makes it when it starts")
        }
        None => Finding::new(Problem, name, format!("{dir} is not there, and this user may not make it"))
            .or("make it, or choose another folder with --root or PV_ROOT"),
    }
}

fn writable(dir: &Utf8Path) -> bool {
    accessat(CWD, dir.as_std_path(), Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

fn targets(store: &Store) -> Finding {
    let inbox = &store.layout().inbox;
    match store.targets().found.len() {
        0 => Finding::new(Warning, "targets", format!("{inbox} has no branch folder"))
            .or("make one for each repository and branch that takes prompts, with `pv targets add`"),
        count => Finding::new(Fine, "targets", format!("{count} in {inbox}")),
    }
}

/// What cannot be read, and what the watcher tries again and again: each is one finding.
fn unusable(config: &Config, store: &Store) -> Vec<Finding> {
    let now = host::now();
    let counts = store.counts(now, config.thresholds()).unwrap_or_default();
    let unusable = store.survey(&counts.damaged, now).unusable;
    let level = |severity| match severity {
        Severity::Problem => Problem,
        Severity::Warning => Warning,
    };
    let finding = |entry: &Unusable| {
        Finding::new(level(entry.level), "unusable", format!("{}: {}", entry.path, entry.why)).or(&*entry.remedy)
    };
    let mut found: Vec<Finding> = unusable.entries.iter().map(finding).collect();
    if unusable.more > 0 {
        found.push(Finding::new(Warning, "unusable", format!("{} more", unusable.more)));
    }
    found
}

fn agent(config: &Config, name: &str, settings: &Agent) -> Finding {
    let is_default = *name == config.default_agent.value;
    let about = format!("agent {name}{}", if is_default { " (default)" } else { "" });
    let Some(program) = settings.command.first() else {
        return Finding::new(Problem, about, "no command").or(format!("set agents.{name}.command"));
    };
    match find_program(program) {
        Some(path) => Finding::new(Fine, about, path.display().to_string()),
        None => {
            let level = if is_default { Problem } else { Warning };
            Finding::new(level, about, format!("`{program}` is no program that this user can run"))
                .or(format!("install it, or set agents.{name}.command"))
        }
    }
}

/// Another program of this name, the pipe viewer, is common.
fn this_program() -> Finding {
    let this = std::env::current_exe().and_then(std::fs::canonicalize);
    let first = on_path("pv").first().cloned();
    match (this, first) {
        (Ok(this), Some(first)) if std::fs::canonicalize(&first).is_ok_and(|first| first == this) => {
            Finding::new(Fine, "pv", first.display().to_string())
        }
        (Ok(this), Some(first)) => {
            let says = format!("{} comes first on the PATH; it is another program or version", first.display());
            Finding::new(Warning, "pv", says).or(format!("call {}, or change the PATH", this.display()))
        }
        (Ok(this), None) => Finding::new(Fine, "pv", format!("{}, which is not on the PATH", this.display())),
        (Err(error), _) => Finding::new(Warning, "pv", format!("cannot tell which program this is: {error}")),
    }
}

/// Whether one lives is for its lock to say, which only a watcher may try; its own word is good enough here.
fn watcher(store: &Store) -> Finding {
    const START: &str = "start `pv watcher`, or prompt-valet-watcher.service";
    match store.watcher_status() {
        Ok(Some(facts)) if facts.is_alive(host::now()) => {
            let says =
                format!("pid {} on {}, {} running, {} waiting", facts.pid, facts.host, facts.running, facts.waiting);
            Finding::new(Fine, "watcher", says)
        }
        Ok(Some(facts)) => {
            Finding::new(Warning, "watcher", format!("silent since {}, prompts wait", facts.beat_at)).or(START)
        }
        Ok(None) => Finding::new(Warning, "watcher", "none has been here, prompts wait").or(START),
        Err(error) => Finding::new(Problem, "watcher", error.to_string()),
    }
}

/// Jobs that wait because of their agent. A limit ends by itself; for the rest a person is needed.
fn holds(store: &Store) -> Vec<Finding> {
    const ABOUT: &str = "holds";
    let list = match HoldList::read(store, host::now()) {
        Ok(list) => list,
        Err(error) => return vec![Finding::new(Problem, ABOUT, error.to_string())],
    };
    let each = list.holds.into_iter().map(|hold| {
        let level = if hold.kind == HoldKind::Quota { Warning } else { Problem };
        let waits = match hold.state {
            HoldState::Held => format!("wait until {}", hold.until),
            HoldState::Probing => "are tried one at a time until one works".to_owned(),
        };
        let says = format!("jobs of {} {waits} ({}): {}", one_line(&hold.agent), hold.kind, one_line(&hold.message));
        Finding::new(level, ABOUT, says).or(hold.remedy)
    });
    each.collect()
}

/// Work that is nowhere else waits for somebody to look at it.
fn kept_checkouts(store: &Store) -> Vec<Finding> {
    const ABOUT: &str = "kept checkouts";
    let kept = match store.kept_checkouts(host::now()) {
        Ok(kept) => kept,
        Err(error) => return vec![Finding::new(Problem, ABOUT, error.to_string())],
    };
    let each = kept.into_iter().map(|checkout| {
        let size = checkout.bytes.map(|bytes| format!(" ({})", crate::render::size(bytes))).unwrap_or_default();
        let says = format!("{}{size}: {}", checkout.path, checkout.reason);
        Finding::new(Warning, ABOUT, says).or(format!("look at it, then `pv discard {}` removes it", checkout.job_id))
    });
    each.collect()
}

fn room(store: &Store) -> Finding {
    let runs = &store.layout().runs;
    let Some(dir) = runs.ancestors().find(|dir| dir.is_dir()) else {
        return Finding::new(Problem, "disk", format!("{runs} is on no disk"));
    };
    match pv_lib::fs::Fs::space(&OsFs, dir) {
        Ok(space) => {
            let floor = store.disk_floor(space.total);
            let says = format!("{} MiB free at {runs}, {} MiB must stay so", space.available >> 20, floor >> 20);
            if space.available > floor {
                Finding::new(Fine, "disk", says)
            } else {
                Finding::new(Problem, "disk", says).or("make room, or lower limits.disk_floor_bytes")
            }
        }
        Err(error) => Finding::new(Problem, "disk", format!("{error}: {}", error.source)),
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;

    use super::*;

    fn context(root: &tempfile::TempDir, yaml: &str) -> (Context, Utf8PathBuf) {
        let root = Utf8Path::from_path(root.path()).unwrap().to_owned();
        let file = root.join("settings.yaml");
        std::fs::write(&file, yaml).unwrap();
        (Context { config: Some(file), root: Some(root.clone()), api: None, json: false }, root)
    }

    fn find<'a>(found: &'a [Finding], about: &str) -> &'a Finding {
        let of = found.iter().rfind(|finding| finding.about == about);
        of.unwrap_or_else(|| panic!("nothing about {about}: {found:?}"))
    }

    #[test]
    fn a_bare_root_has_warnings_and_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let (context, root) = context(
            &dir,
            "inbox_mode: legacy_single_owner\ndefault_agent: mine\nagents: {mine: {command: sh}}\nqueue: {mode: x}\n",
        );
        let found = examine(&context);
        for about in ["settings", "inbox", "targets", "watcher"] {
            assert_eq!(find(&found, about).level, Warning, "{:?}", find(&found, about));
        }
        assert!(find(&found, "settings").says.contains("queue"), "{:?}", find(&found, "settings"));
        assert_eq!(find(&found, "agent mine (default)").level, Fine);

        std::fs::create_dir_all(root.join("inbox/example/main")).unwrap();
        let found = examine(&context);
        assert_eq!((find(&found, "inbox").level, find(&found, "targets").level), (Fine, Fine));
    }

    #[test]
    fn what_stops_jobs_is_a_problem() {
        let dir = tempfile::tempdir().unwrap();
        let (context, root) = context(&dir, "default_agent: mine\nagents: {mine: {command: /no/such/program}}\n");
        std::fs::write(root.join("runs"), "a file").unwrap();
        let found = examine(&context);
        for about in ["agent mine (default)", "runs"] {
            let finding = find(&found, about);
            assert!(finding.level == Problem && finding.remedy.is_some(), "{finding:?}");
        }
    }

    #[test]
    fn a_token_that_others_may_read_deserves_a_word() {
        let dir = tempfile::tempdir().unwrap();
        let (context, root) = context(&dir, "");
        let (mut config, _) = context.settings().unwrap();
        let file = root.join("token");
        config.api.token_file.value = Some(file.clone());
        assert_eq!(token(&config).level, Problem, "it is not there");
        std::fs::write(&file, "s3cret\n").unwrap();
        for (mode, level) in [(0o600, Fine), (0o640, Fine), (0o660, Warning), (0o604, Warning)] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let found = token(&config);
            assert_eq!(found.level, level, "{mode:o}");
            assert!(!found.says.contains("s3cret"));
        }
        config.api.token_file.value = None;
        assert_eq!(token(&config).level, Fine);
        config.api.allow_insecure_bind.value = true;
        assert_eq!(token(&config).level, Warning);
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
            let all = format!("{} {}", found.says, found.remedy.unwrap_or_default());
            assert!(all.contains("/token") && all.contains(part), "{all}");
            assert_eq!(all.contains("pv token new"), makes_one, "{all}");
        }
    }

    #[test]
    fn settings_that_cannot_be_used_are_the_only_finding() {
        let dir = tempfile::tempdir().unwrap();
        let (context, _) = context(&dir, "watcher: {max_concurrent: many}\n");
        let found = examine(&context);
        assert!(found.len() == 1 && found[0].level == Problem, "{found:?}");
    }
}

//! What every command starts from: the global flags, and the settings that they lead to.

use std::{ffi::OsString, sync::Arc};

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use pv_lib::{
    config::{Config, DefaultRoot, Overrides, RootAccess, RootFacts, Warning, load, vars},
    fs::OsFs,
    host,
    layout::{InboxMode, Layout},
    store::Store,
};

use rustix::fs::{Access, AtFlags, CWD, Mode, accessat};

use crate::exit::Failure;

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Context {
    /// The YAML file with the settings [env: PV_CONFIG_PATH]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub(crate) config: Option<Utf8PathBuf>,
    /// The folder under which everything lives [env: PV_ROOT]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    pub(crate) root: Option<Utf8PathBuf>,
    /// Use this API instead of the files, such as http://127.0.0.1:8888/api/v1
    #[arg(long, global = true, value_name = "URL", help_heading = "Everywhere")]
    pub(crate) api: Option<String>,
    /// Print JSON
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) json: bool,
}

impl Context {
    /// Loads the settings, and returns warnings about them.
    ///
    /// # Errors
    /// A setting that cannot be used: exit code 2.
    pub(crate) fn settings(&self) -> Result<(Config, Vec<Warning>), Failure> {
        let mut flags = Overrides::default();
        flags.set_default_root(DefaultRoot::choose(&root_facts()));
        if let Some(path) = &self.config {
            flags.set(&vars::CONFIG_PATH, "--config", path.as_str());
        }
        if let Some(root) = &self.root {
            flags.set(&vars::ROOT, "--root", root.as_str());
        }
        load(&OsFs, &|name| std::env::var_os(name), &flags).map_err(Failure::usage)
    }

    /// Loads the settings, and prints warnings about them on standard error.
    ///
    /// # Errors
    /// A setting that cannot be used: exit code 2.
    pub(crate) fn config(&self) -> Result<Config, Failure> {
        let (config, warnings) = self.settings()?;
        for warning in warnings {
            eprintln!("pv: warning: {warning}");
        }
        Ok(config)
    }

    /// Returns the flags that lead another `pv` to the same settings, from whatever folder.
    pub(crate) fn as_flags(&self) -> Vec<OsString> {
        let mut flags = Vec::new();
        for (flag, value) in [("--config", &self.config), ("--root", &self.root)] {
            if let Some(value) = value {
                let absolute = camino::absolute_utf8(value).unwrap_or_else(|_| value.clone());
                flags.extend([flag.into(), absolute.as_str().into()]);
            }
        }
        flags
    }

    /// Returns how a person calls `pv` on the same installation: `pv`, with the flags that were given.
    pub(crate) fn command(&self) -> String {
        let flags = [("--config", self.config.as_ref()), ("--root", self.root.as_ref())];
        let given = flags.iter().filter_map(|(flag, value)| Some(format!(" {flag} {}", quoted((*value)?.as_str()))));
        ["pv".to_owned()].into_iter().chain(given).collect()
    }

    /// The same, with the API that was named.
    pub(crate) fn command_with_api(&self) -> String {
        let api = self.api.as_ref().map(|url| format!(" --api {}", quoted(url))).unwrap_or_default();
        format!("{}{api}", self.command())
    }
}

/// Returns a word as a shell takes it: as it is where that is safe, else in quotes.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%~".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Gathers what decides where an installation is that nobody named.
fn root_facts() -> RootFacts {
    let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let path = |name: &str| var(name).map(Utf8PathBuf::from);
    RootFacts {
        services_root: access(Utf8Path::new(vars::ROOT.default)),
        // Those of a user's own systemd have a runtime folder.
        is_system_service: var("INVOCATION_ID").is_some() && var("XDG_RUNTIME_DIR").is_none(),
        home: path("HOME"),
        state_home: path("XDG_STATE_HOME"),
        config_home: path("XDG_CONFIG_HOME"),
    }
}

/// Finds out what this user may do with a root. One that cannot be looked at is there, and closed.
///
/// Where the services are installed, their root is root's, and those who may use it write to its runs.
fn access(dir: &Utf8Path) -> RootAccess {
    let may_write =
        |dir: &Utf8Path| accessat(CWD, dir.as_std_path(), Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).is_ok();
    let is_missing =
        |dir: &Utf8Path| matches!(std::fs::metadata(dir), Err(error) if error.kind() == std::io::ErrorKind::NotFound);
    let above = || dir.ancestors().find(|dir| !is_missing(dir));
    match (is_missing(dir), may_write(dir) || may_write(&Layout::under(dir, InboxMode::MultiOwner).runs)) {
        (false, true) => RootAccess::Writable,
        (false, false) => RootAccess::ReadOnly,
        (true, _) if above().is_some_and(may_write) => RootAccess::Creatable,
        (true, _) => RootAccess::Missing,
    }
}

/// Decides who may use what this process and its children make: on an installation of a user's own that user, else the
/// services' group, too, as their units' `UMask` says: what a member of it makes, the services must be able to write.
pub(crate) fn set_umask(config: &Config) {
    let root = &config.folders.root;
    let is_own = root.origin.is_default() && root.value != vars::ROOT.default;
    rustix::process::umask(if is_own { Mode::RWXG | Mode::RWXO } else { Mode::RWXO });
}

/// Opens the jobs that the settings lead to, on this host's disk.
pub(crate) fn store(config: &Config) -> Store {
    Store::new(Arc::new(OsFs), resolved(config.layout()), config.store_limits(), &host::name())
}

/// Follows links in the roots themselves, once: below them the library follows none.
fn resolved(layout: Layout) -> Layout {
    let real = |dir: Utf8PathBuf| dir.canonicalize_utf8().unwrap_or(dir);
    Layout {
        inbox: real(layout.inbox),
        inbox_mode: layout.inbox_mode,
        finished: real(layout.finished),
        runs: real(layout.runs),
        work: real(layout.work),
        repos: real(layout.repos),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_looked_at_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        assert_eq!(access(root), RootAccess::Writable);
        assert_eq!(access(&root.join("a/b")), RootAccess::Creatable);
        assert_eq!(access("/proc/1/none".into()), RootAccess::Missing);
        assert_eq!(access("/proc/1".into()), RootAccess::ReadOnly);
    }

    #[test]
    fn a_word_is_quoted_where_a_shell_would_take_it_apart() {
        for (word, expected) in
            [("/srv/pv", "/srv/pv"), ("", "''"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("$x", "'$x'")]
        {
            assert_eq!(quoted(word), expected);
        }
    }
}

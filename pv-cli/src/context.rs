//! What every command starts from: the global flags, and the settings that they lead to.

use std::{ffi::OsString, sync::Arc};

use camino::Utf8PathBuf;
use clap::Args;
use pv_lib::{
    config::{Config, Overrides, Warning, load, vars},
    fs::OsFs,
    host,
    layout::Layout,
    store::Store,
};

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

    /// Returns the flags that lead another `pv` to the same settings.
    pub(crate) fn as_flags(&self) -> Vec<OsString> {
        let mut flags = Vec::new();
        for (flag, value) in [("--config", &self.config), ("--root", &self.root)] {
            if let Some(value) = value {
                flags.extend([flag.into(), value.as_str().into()]);
            }
        }
        flags
    }
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

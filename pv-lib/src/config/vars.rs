//! Every environment variable, once: its name, its default, what it means.

/// An environment variable that Prompt Valet reads.
#[derive(Debug, PartialEq, Eq)]
pub struct Var {
    /// Its name.
    pub name: &'static str,
    /// What counts where it is not set, as text for people.
    pub default: &'static str,
    /// What it means, in one sentence.
    pub meaning: &'static str,
    /// Which service's env file it belongs into.
    pub used_by: UsedBy,
}

/// The service whose env file holds a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsedBy {
    /// `pv.env`: the API, the watcher and the command line.
    Core,
    /// `pv-ui.env`: the UI service.
    Ui,
}

impl Var {
    /// Tells whether its value is a secret, by its name: such a value is read whole and never shown, and one that looks
    /// damaged is refused.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        SECRET_ENDINGS.iter().any(|ending| self.name.ends_with(ending))
    }

    /// Tells whether it names the file of a secret. People put the secret itself there by mistake, so that a value that
    /// is no path is not shown either.
    #[must_use]
    pub fn is_secret_file(&self) -> bool {
        self.name.strip_suffix("_FILE").is_some_and(|name| SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending)))
    }

    /// Returns the variable that names a file for the value of this one, where there is one.
    #[must_use]
    pub fn file(&self) -> Option<&'static Self> {
        ALL.iter().copied().find(|var| var.name.strip_suffix("_FILE") == Some(self.name))
    }
}

/// How the names of variables end whose values are secrets.
const SECRET_ENDINGS: [&str; 3] = ["_TOKEN", "_SECRET", "_PASSWORD"];

macro_rules! vars {
    ($($(#[doc = $doc:literal])+ $konst:ident = $name:literal, $default:literal, $used_by:ident;)+) => {
        $(
            $(#[doc = $doc])+
            pub const $konst: Var = Var {
                name: $name,
                default: $default,
                meaning: concat!($($doc),+).trim_ascii(),
                used_by: UsedBy::$used_by,
            };
        )+

        /// All of them, in the order in which the documentation lists them.
        pub const ALL: &[&Var] = &[$(&$konst),+];
    };
}

vars! {
    /// The YAML file with the settings; it may be missing.
    CONFIG_PATH = "PV_CONFIG_PATH", "/srv/prompt-valet/config/prompt-valet.yaml", Core;
    /// The folder under which the other folders are by default.
    ROOT = "PV_ROOT", "/srv/prompt-valet", Core;
    /// The inbox, where prompts wait (the name is historical).
    REPOS_ROOT = "PV_REPOS_ROOT", "YAML `inbox`, else <root>/inbox", Core;
    /// The folder of the run folders.
    RUNS_ROOT = "PV_RUNS_ROOT", "<root>/runs", Core;
    /// The address that the API listens on.
    BIND_HOST = "PV_BIND_HOST", "127.0.0.1", Core;
    /// The port that the API listens on.
    BIND_PORT = "PV_BIND_PORT", "8888", Core;
    /// After how many seconds without a heartbeat a running job counts as stalled.
    STALL_THRESHOLD_SECONDS = "PV_STALL_THRESHOLD_SECONDS", "60", Core;
    /// The token that the API asks for; better kept in a file.
    API_TOKEN = "PV_API_TOKEN", "none", Core;
    /// The file that holds the token that the API asks for.
    API_TOKEN_FILE = "PV_API_TOKEN_FILE", "none", Core;
    /// The user that the API's unit drops to.
    API_USER = "PV_API_USER", "prompt-valet", Core;
    /// The user that the UI's unit drops to.
    UI_USER = "PV_UI_USER", "prompt-valet", Ui;
    /// The API that the UI service and a remote command line talk to.
    API_BASE_URL = "PV_API_BASE_URL", "http://127.0.0.1:8888/api/v1", Ui;
    /// The address that the UI listens on.
    UI_BIND_HOST = "PV_UI_BIND_HOST", "0.0.0.0", Ui;
    /// The port that the UI listens on.
    UI_BIND_PORT = "PV_UI_BIND_PORT", "8080", Ui;
    /// How many seconds the UI waits for the API.
    UI_API_TIMEOUT_SECONDS = "PV_UI_API_TIMEOUT_SECONDS", "5.0", Ui;
    /// Further `Host` values that are answered, separated by commas; loopback and this host's own names always are.
    ALLOWED_HOSTS = "PV_ALLOWED_HOSTS", "none", Core;
    /// Whether the UI lets peers from elsewhere submit and abort without a token.
    UI_ALLOW_REMOTE_WRITE = "PV_UI_ALLOW_REMOTE_WRITE", "off", Ui;
    /// Whether the API may listen on an address that is not loopback without a token.
    ALLOW_INSECURE_BIND = "PV_ALLOW_INSECURE_BIND", "off", Core;
}

/// Names that begin with `PV_` and are no settings: an agent gets them.
pub const AGENT_VARS: &[&str] = &["PV_RUN_ID", "PV_JOB_ID", "PV_RUN_ROOT", "PV_PROMPT_FILE"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_is_there_once_and_explained() {
        let names: BTreeSet<_> = ALL.iter().map(|var| var.name).collect();
        assert_eq!(names.len(), ALL.len());
        for var in ALL {
            assert!(var.name.starts_with("PV_") && var.meaning.ends_with('.'), "{var:?}");
            assert!(!var.default.is_empty(), "{var:?}");
        }
    }

    #[test]
    fn b04_a_variable_is_secret_by_its_name() {
        let var = |name| Var { name, default: "none", meaning: "", used_by: UsedBy::Core };
        for (name, secret, file) in [
            ("PV_API_TOKEN", true, false),
            ("PV_WEBHOOK_SECRET", true, false),
            ("PV_PROXY_PASSWORD", true, false),
            ("PV_API_TOKEN_FILE", false, true),
            ("PV_WEBHOOK_SECRET_FILE", false, true),
            ("PV_TOKENS", false, false),
            ("PV_BIND_HOST", false, false),
        ] {
            assert_eq!((var(name).is_secret(), var(name).is_secret_file()), (secret, file), "{name}");
        }
        assert_eq!(API_TOKEN.file(), Some(&API_TOKEN_FILE));
        assert!(ALL.iter().filter(|var| var.is_secret()).all(|var| var.file().is_some()), "a secret may be in a file");
    }
}

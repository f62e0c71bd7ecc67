//! Where an installation is that nobody named: the services' root where this user may write there, else the user's own.

use camino::{Utf8Path, Utf8PathBuf};

use super::vars;

/// The name of our folder in the folders that a user has for state and settings.
const OWN_FOLDER: &str = "prompt-valet";

/// The name of the settings file in a user's own folder.
const OWN_SETTINGS: &str = "config.yaml";

/// What this user may do with the services' root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootAccess {
    /// It is there, and the user may write there.
    Writable,
    /// It is there, and the user may not write there.
    ReadOnly,
    /// It is not there, and the user may make it.
    Creatable,
    /// It is not there, and the user may not make it.
    Missing,
}

/// What decides where an installation is that nobody named: gathered by the shell, which knows the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootFacts {
    /// What this user may do with the services' root.
    pub services_root: RootAccess,
    /// Whether this process is a service of the system, which never has a root of its own.
    pub is_system_service: bool,
    /// `HOME`.
    pub home: Option<Utf8PathBuf>,
    /// `XDG_STATE_HOME`.
    pub state_home: Option<Utf8PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<Utf8PathBuf>,
}

/// Where an installation is that nobody named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultRoot {
    /// The folder under which everything lives.
    pub root: Utf8PathBuf,
    /// The settings file, there or not.
    pub config_path: Utf8PathBuf,
    /// Why it is this one, in a few words.
    pub why: String,
}

impl DefaultRoot {
    /// Chooses: the services' root where this user may write there, else the user's own folders.
    ///
    /// A folder of the user's that is named by a relative path does not count, as the XDG specification has it. Who has
    /// no folder at all gets the services' root.
    #[must_use]
    pub fn choose(facts: &RootFacts) -> Self {
        let services = vars::ROOT.default;
        let own = |named: &Option<Utf8PathBuf>, below_home: &str| {
            let absolute = |path: &&Utf8PathBuf| path.is_absolute();
            let in_home = facts.home.as_ref().filter(absolute).map(|home| home.join(below_home));
            named.as_ref().filter(absolute).cloned().or(in_home).map(|dir| dir.join(OWN_FOLDER))
        };
        let folders = (own(&facts.state_home, ".local/state"), own(&facts.config_home, ".config"));
        let why_own = match facts.services_root {
            _ if facts.is_system_service => return Self::of_services("this is a service of the system"),
            RootAccess::Writable => return Self::of_services("this user may write there"),
            RootAccess::Creatable => return Self::of_services("this user may make it"),
            RootAccess::ReadOnly => format!("this user's own, since it may not write to {services}"),
            RootAccess::Missing => format!("this user's own, since there is no {services}"),
        };
        match folders {
            (Some(root), Some(settings)) => Self { root, config_path: settings.join(OWN_SETTINGS), why: why_own },
            _ => Self::of_services("this user has no home folder"),
        }
    }

    /// Tells whether it is the services' root.
    #[must_use]
    pub fn is_of_services(&self) -> bool {
        self.root == Utf8Path::new(vars::ROOT.default)
    }

    fn of_services(why: &str) -> Self {
        Self { root: vars::ROOT.default.into(), config_path: vars::CONFIG_PATH.default.into(), why: why.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(services_root: RootAccess) -> RootFacts {
        let home = Some("/home/me".into());
        RootFacts { services_root, is_system_service: false, home, state_home: None, config_home: None }
    }

    fn check(facts: &RootFacts, root: &str, config: &str, why: &str) {
        let chosen = DefaultRoot::choose(facts);
        assert_eq!((chosen.root.as_str(), chosen.config_path.as_str()), (root, config), "{facts:?}");
        assert!(chosen.why.contains(why), "{chosen:?}");
        assert_eq!(chosen.is_of_services(), root == "/srv/prompt-valet");
    }

    #[test]
    fn the_services_root_is_for_those_who_may_write_there() {
        let (root, config) = ("/srv/prompt-valet", "/srv/prompt-valet/config/prompt-valet.yaml");
        check(&facts(RootAccess::Writable), root, config, "may write there");
        check(&facts(RootAccess::Creatable), root, config, "may make it");
        for access in [RootAccess::ReadOnly, RootAccess::Missing] {
            let service = RootFacts { is_system_service: true, ..facts(access) };
            check(&service, root, config, "service of the system");
            check(&RootFacts { home: None, ..facts(access) }, root, config, "no home");
            check(&RootFacts { home: Some("me".into()), ..facts(access) }, root, config, "no home");
        }
    }

    #[test]
    fn everybody_else_has_folders_of_their_own() {
        let (root, config) = ("/home/me/.local/state/prompt-valet", "/home/me/.config/prompt-valet/config.yaml");
        check(&facts(RootAccess::Missing), root, config, "there is no /srv/prompt-valet");
        check(&facts(RootAccess::ReadOnly), root, config, "may not write to /srv/prompt-valet");
        let named = RootFacts {
            home: None,
            state_home: Some("/s".into()),
            config_home: Some("/c".into()),
            ..facts(RootAccess::Missing)
        };
        check(&named, "/s/prompt-valet", "/c/prompt-valet/config.yaml", "own");
        let relative =
            RootFacts { state_home: Some("state".into()), config_home: Some("".into()), ..facts(RootAccess::Missing) };
        check(&relative, root, config, "own");
    }
}

//! Settings that are one of a few names.

/// How the inbox's folders spell a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InboxStyle {
    /// `<repo>/<branch>`.
    LegacySingleOwner,
    /// `<owner>/<repo>/<branch>`.
    MultiOwner,
}

/// How a git host is talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitProtocol {
    /// `https://host/owner/repo.git`.
    Https,
    /// `git@host:owner/repo.git`.
    Ssh,
}

/// By which way a pull request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullRequest {
    /// REST where a token is configured, else `gh` where it is there, else only the branch.
    Auto,
    /// The git host's REST API.
    Rest,
    /// The program `gh`.
    Gh,
}

/// What an agent's checkout borrows of our mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CheckoutMode {
    /// The mirror's objects: quick and small, and git needs the mirror to be readable.
    #[default]
    Shared,
    /// Nothing: git works in it with nothing outside of it.
    Full,
}

/// What becomes of a checkout's submodules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SubmoduleMode {
    /// All are fetched, or the job fails.
    Must,
    /// All are tried; one that cannot be fetched is a warning, and its folder is empty.
    #[default]
    Try,
    /// None is fetched.
    None,
}

/// In what an agent that is known by its name tells how its turn goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AgentEvents {
    /// In the events of that agent, which it is called to write.
    #[default]
    Auto,
    /// In none: its output is the log, and its exit code says how it went, as for any other program.
    None,
}

/// What a job comes to whose agent ended well and changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EmptyWork {
    /// It succeeds: there was nothing to do.
    #[default]
    Ok,
    /// It fails: something was asked for, and is not there.
    Fail,
}

impl InboxStyle {
    /// Reads the name that the settings file uses.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "legacy_single_owner" => Some(Self::LegacySingleOwner),
            "multi_owner" => Some(Self::MultiOwner),
            _ => None,
        }
    }

    /// Returns the name that the settings file uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LegacySingleOwner => "legacy_single_owner",
            Self::MultiOwner => "multi_owner",
        }
    }
}

impl GitProtocol {
    /// Reads the name that the settings file uses, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "https" => Some(Self::Https),
            "ssh" => Some(Self::Ssh),
            _ => None,
        }
    }

    /// Returns the name that the settings file uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Ssh => "ssh",
        }
    }
}

impl PullRequest {
    /// Reads the name that the settings file uses.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto),
            "rest" => Some(Self::Rest),
            "gh" => Some(Self::Gh),
            _ => None,
        }
    }

    /// Returns the name that the settings file uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Rest => "rest",
            Self::Gh => "gh",
        }
    }
}

impl CheckoutMode {
    /// Reads the name that the settings file uses.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "shared" => Some(Self::Shared),
            "full" => Some(Self::Full),
            _ => None,
        }
    }

    /// Returns the name that the settings file uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Full => "full",
        }
    }
}

impl SubmoduleMode {
    /// Reads the name that the settings file uses.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "must" => Some(Self::Must),
            "try" => Some(Self::Try),
            "none" => Some(Self::None),
            _ => None,
        }
    }

    /// Returns the name that the settings file uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Try => "try",
            Self::None => "none",
        }
    }
}

impl AgentEvents {
    /// Reads the name that the settings file uses.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "auto" => Some(Self::Auto),
            "none" => Some(Self::None),
            _ => None,
        }
    }

    /// Returns the name that the settings file uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::None => "none",
        }
    }
}

impl EmptyWork {
    /// Reads the name that the settings file uses.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "ok" => Some(Self::Ok),
            "fail" => Some(Self::Fail),
            _ => None,
        }
    }

    /// Returns the name that the settings file uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Fail => "fail",
        }
    }
}

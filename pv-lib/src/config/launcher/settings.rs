//! What is set of a launcher: where and how the command of an agent is run.

use std::time::Duration;

use super::Template;
use crate::config::CheckoutMode;

/// A way to run an agent's command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launcher {
    /// Its name in the settings.
    pub name: String,
    /// How it runs commands.
    pub kind: LauncherKind,
    /// What the checkout of an agent that it runs borrows; `None` where the agent's own setting counts.
    pub checkout: Option<CheckoutMode>,
    /// Names of variables that its own programs are given besides a few that every program needs.
    pub env: Vec<String>,
}

/// How a launcher runs commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LauncherKind {
    /// As a child of the supervisor, on this host, with all that its user can do.
    Local,
    /// On this host, in a sandbox.
    Bubblewrap(Bubblewrap),
    /// On a node of a Slurm cluster.
    Slurm(Slurm),
    /// By commands that are configured.
    Command(Box<CommandLauncher>),
}

/// A sandbox on this host: all of the host that is not hidden can be read, the checkout can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bubblewrap {
    /// Whether there is a network inside; the host's own, with all that listens on its loopback.
    pub network: bool,
    /// Further paths that can be read, absolute or from `~/` on, whatever hides them else.
    pub read: Vec<String>,
    /// Further paths that can be written.
    pub write: Vec<String>,
}

/// A Slurm cluster whose nodes have the work folder under the same path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Slurm {
    /// The partition; the cluster's default where it is `None`.
    pub partition: Option<String>,
    /// The account that is charged.
    pub account: Option<String>,
    /// How many CPUs a job gets.
    pub cpus: Option<usize>,
    /// How much memory a job gets, as Slurm reads it, such as `8G`.
    pub memory: Option<String>,
    /// Generic resources, such as `gpu:1`.
    pub gres: Option<String>,
    /// After how long Slurm ends a job by itself: a net below the agent's own timeout.
    pub time: Option<Duration>,
    /// Further options of `srun`.
    pub options: Vec<String>,
    /// Whether a namespace of its own holds the agent's processes together on the node, for clusters that track them by
    /// their parents or groups; needs bubblewrap there.
    pub namespace: bool,
}

/// Commands that start an agent, end it, and tell whether anything of it is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLauncher {
    /// Put before the agent's command, or with it inside.
    pub run: Template,
    /// How the agent is asked to end.
    pub ask: Ask,
    /// Ends it hard, by its name.
    pub stop: Option<Template>,
    /// Prints whatever is left of it.
    pub alive: Option<Template>,
    /// Prints what came of it.
    pub outcome: Option<Template>,
    /// What `outcome` prints of one that succeeded.
    pub succeeds: String,
    /// Prints why it has not started yet.
    pub waiting: Option<Template>,
    /// The exit codes of `run` that mean that the agent was not started.
    pub start_failed: Vec<i32>,
}

/// How an agent is asked to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// By the agent's own signal to the process group of what was started.
    OwnSignal,
    /// By this signal to it.
    Signal(AskSignal),
    /// By a command.
    Command(Template),
}

/// A signal that a program may be asked by to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskSignal {
    /// SIGHUP.
    Hup,
    /// SIGINT.
    Int,
    /// SIGQUIT.
    Quit,
    /// SIGTERM.
    Term,
    /// SIGUSR1.
    Usr1,
    /// SIGUSR2.
    Usr2,
}

impl AskSignal {
    const ALL: [(&'static str, Self); 6] = [
        ("HUP", Self::Hup),
        ("INT", Self::Int),
        ("QUIT", Self::Quit),
        ("TERM", Self::Term),
        ("USR1", Self::Usr1),
        ("USR2", Self::Usr2),
    ];

    /// Reads a name, with or without `SIG`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_uppercase();
        let name = name.strip_prefix("SIG").unwrap_or(&name);
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, signal)| *signal)
    }

    /// Returns the name without `SIG`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, signal)| *signal == self).map_or("TERM", |(name, _)| name)
    }
}

impl Default for Bubblewrap {
    fn default() -> Self {
        Self { network: true, read: Vec::new(), write: Vec::new() }
    }
}

impl LauncherKind {
    /// Returns the name that the settings file uses.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Local => LOCAL,
            Self::Bubblewrap(_) => BUBBLEWRAP,
            Self::Slurm(_) => SLURM,
            Self::Command(_) => COMMAND,
        }
    }
}

/// The names of the kinds. A launcher that is called by one of the first three needs no section in the settings.
pub(super) const LOCAL: &str = "local";
pub(super) const BUBBLEWRAP: &str = "bubblewrap";
pub(super) const SLURM: &str = "slurm";
pub(super) const COMMAND: &str = "command";

impl Launcher {
    /// Returns the launcher that needs no settings: the agent is a child of the supervisor.
    #[must_use]
    pub fn local() -> Self {
        Self { name: LOCAL.into(), kind: LauncherKind::Local, checkout: None, env: Vec::new() }
    }

    /// Tells whether the agent is a child of the supervisor, as without any launcher.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.kind == LauncherKind::Local
    }
}

//! Settings: what they are, where each came from, and what is wrong with them.
//!
//! [`load`] puts three layers on top of the defaults: the YAML file, then the environment, then flags. It is pure but
//! for reading that one file through [`crate::fs::Fs`]; the shell passes its environment and its flags as values.
//! Nothing is ever replaced by a default in silence: a value that cannot be used is an error that names the place,
//! the value and what would be right. A [`Secret`] is read whole, and neither it nor a part of it is ever shown. Every
//! environment name is listed once, in [`vars`].

mod agents;
mod choices;
mod command;
mod command_line;
mod delivery;
mod error;
pub mod keys;
mod launcher;
mod load;
mod nearest;
mod origin;
mod redact;
mod repos;
mod root;
mod secret;
mod settings;
mod sources;
mod token_file;
mod types;
pub mod vars;
mod verification;
mod yaml;

pub use agents::KNOWN_AGENTS;
pub use choices::{AgentEvents, CheckoutMode, EmptyWork, GitProtocol, InboxStyle, PullRequest, SubmoduleMode};
pub use command::Command;
pub use error::{ConfigError, NoEffect, Warning};
pub use launcher::{
    Ask, AskSignal, Bubblewrap, CommandLauncher, Filling, Launcher, LauncherKind, Place, Purpose, Slurm, Template,
    TemplateFault, shell_text,
};
pub use load::{client_token, load};
pub use nearest::nearest;
pub use origin::{Origin, Overrides, SettingRow, WithOrigin};
pub use redact::redact_address;
pub use repos::{RepoSettings, Repos};
pub use root::{DefaultRoot, RootAccess, RootFacts};
pub use secret::{Secret, SecretDamage};
pub use settings::{Agent, Api, Config, Delivery, Folders, Git, Limits, TreeBuilder, Ui, Watcher};
pub use sources::Environment;
pub use types::base_url;
pub use verification::Verification;

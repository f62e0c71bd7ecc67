//! Launchers: what the settings say of where and how an agent's command is run.

mod read;
mod settings;
mod template;

pub(super) use read::launchers;
pub use settings::{Ask, AskSignal, Bubblewrap, CommandLauncher, Launcher, LauncherKind, Slurm};
pub use template::{Filling, Place, Purpose, Template, TemplateFault, shell_text};

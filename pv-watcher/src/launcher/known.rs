//! The kinds of launchers. A new one is a file with its adapter, and a row here.

use pv_lib::config::{Launcher, LauncherKind};

use super::{adapter::Adapter, local::Local};

/// Returns the adapter of a launcher.
pub(crate) fn adapter(launcher: &Launcher) -> &dyn Adapter {
    match &launcher.kind {
        LauncherKind::Local => &Local,
        LauncherKind::Bubblewrap(bubblewrap) => bubblewrap,
        LauncherKind::Slurm(slurm) => slurm,
        LauncherKind::Command(command) => &**command,
    }
}

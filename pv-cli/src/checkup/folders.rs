//! The folders, what is in them, and the disk that they are on.

use camino::Utf8Path;
use pv_lib::{
    config::Config,
    fs::{Fs, FsExt, Kind, OsFs},
    store::{FullDisk, Store},
};

use super::{
    Finding, Level,
    identity::{Permission, Want},
    job_side::JobSide,
};
use crate::services::network_file_system;

/// Whether each folder is there and can be used, and is on a disk of this host.
pub(super) fn folders(config: &Config, side: &JobSide) -> Vec<Finding> {
    let layout = config.layout();
    let mut found = Vec::new();
    let inbox = ("inbox", &layout.inbox);
    for (name, dir) in [inbox, ("runs", &layout.runs), ("finished", &layout.finished), ("work", &layout.work)] {
        found.push(folder(name, dir, side));
        if let Some(kind) = network_file_system(dir) {
            let message = format!("{dir} is on {kind}");
            let remedy = "point it to a disk of this host, or set watcher.allow_network_fs where no other host uses it";
            // The watcher refuses to work where locks may be shared with other hosts.
            let refused = ["inbox", "runs"].contains(&name) && !config.watcher.allow_network_fs.value;
            let level = if refused { Level::Problem } else { Level::Warning };
            found.push(Finding::new(level, name, message).with_remedy(remedy));
        }
    }
    found.push(clones(config));
    found
}

/// Clones are only read, and may all be missing where repositories are cloned from the host.
fn clones(config: &Config) -> Finding {
    let dir = &config.folders.repos.value;
    match std::fs::read_dir(dir) {
        Ok(_) => Finding::ok("repos", format!("{dir} is there")),
        Err(_) if config.git.auto_clone.value => {
            Finding::ok("repos", format!("{dir} is not there, all are cloned from {}", config.git.host.value))
        }
        Err(error) => Finding::problem("repos", format!("cannot read {dir}: {error}")).with_remedy(
            "make it, with a clone at OWNER/REPO for each repository, or set watcher.auto_clone_missing_repos",
        ),
    }
}

fn folder(name: &str, dir: &Utf8Path, side: &JobSide) -> Finding {
    const USE_OWNER: &str = "run this as the services' user or group, or correct its owner and mode";
    let kind = match OsFs.stat_opt(dir) {
        Ok(stat) => stat.map(|stat| stat.kind),
        Err(error) => {
            return Finding::problem(name, format!("{error}: {}", error.source)).with_remedy(USE_OWNER);
        }
    };
    // A root may itself be a link, to a folder of which the same is asked.
    let is_dir = kind == Some(Kind::Dir) || (kind == Some(Kind::Link) && dir.is_dir());
    let may_write = |dir: &Utf8Path| side.identity.may(Want::WriteFolder, dir.as_std_path());
    let user = if side.watcher.is_some() { &*side.runs_as.user } else { "this user" };
    match kind {
        Some(_) if !is_dir => {
            Finding::problem(name, format!("{dir} is no folder")).with_remedy("move it out of the way")
        }
        Some(_) => match may_write(dir) {
            Permission::Yes => Finding::ok(name, format!("{dir} is there and writable")),
            Permission::No(_) => {
                Finding::problem(name, format!("{dir} is not writable by {user}")).with_remedy(USE_OWNER)
            }
            Permission::Unknown(_) => {
                Finding::warning(name, format!("whether {user} may write to {dir} cannot be seen by this user"))
                    .with_remedy(USE_OWNER)
            }
        },
        None if dir.ancestors().find(|above| above.exists()).map(may_write) == Some(Permission::Yes) => {
            Finding::warning(name, format!("{dir} is not there")).with_remedy("a watcher makes it when it starts")
        }
        None => Finding::problem(name, format!("{dir} is not there, and {user} may not make it"))
            .with_remedy("make it, or choose another folder with --root or PV_ROOT"),
    }
}

/// Whether the inbox takes prompts for anything.
pub(super) fn targets(inbox: &Utf8Path, count: usize) -> Finding {
    match count {
        0 => Finding::warning("targets", format!("{inbox} has no branch folder"))
            .with_remedy("make one for each repository and branch that takes prompts, with `pv targets add`"),
        count => Finding::ok("targets", format!("{count} in {inbox}")),
    }
}

/// Whether the disks have the room that must stay free: that of the runs, or the one that they would be on, and those of
/// prompts, checkouts and mirrors.
pub(super) fn disks(store: &Store, full: &[FullDisk]) -> Vec<Finding> {
    let problem = |full: &FullDisk| {
        let message =
            format!("{} has {}: prompts are refused or wait, and so does finished work", full.path, full.shortage);
        Finding::problem("disk", message).with_remedy("make room on it: everything goes on by itself then")
    };
    if !full.is_empty() {
        return full.iter().map(problem).collect();
    }
    let runs = &store.layout().runs;
    let Some(dir) = runs.ancestors().find(|dir| dir.is_dir()) else {
        return vec![Finding::problem("disk", format!("{runs} is on no disk"))];
    };
    vec![match OsFs.space(dir) {
        Ok(space) => {
            let floor = store.disk_floor(space.total);
            let message = format!("{} MiB free at {runs}, {} MiB must stay so", space.available >> 20, floor >> 20);
            if space.available > floor {
                Finding::ok("disk", message)
            } else {
                Finding::problem("disk", message).with_remedy("make room, or lower limits.disk_floor_bytes")
            }
        }
        Err(error) => Finding::problem("disk", format!("{error}: {}", error.source)),
    }]
}

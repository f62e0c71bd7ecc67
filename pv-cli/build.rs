//! Finds the commit that the program is built from, for `pv --version`.
//!
//! `PV_COMMIT` names it where there is no repository; set and empty it means that none is to be said. Else git is asked. In
//! an archive of the sources, in a package from a registry and without git there is none. `-dirty` means that a file that
//! the program is made of differs from the commit; those files are also what cargo looks at to decide whether this must run
//! again, with the files of git that change when HEAD moves. So a build after which nothing changed compiles nothing.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::Command,
};

/// What the program is made of, below the workspace.
const MADE_OF: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    "pv-lib/Cargo.toml",
    "pv-lib/src",
    "pv-http/Cargo.toml",
    "pv-http/build.rs",
    "pv-http/src",
    "pv-http/ui",
    "pv-http/vendor",
    "pv-watcher/Cargo.toml",
    "pv-watcher/src",
    "pv-cli/Cargo.toml",
    "pv-cli/build.rs",
    "pv-cli/src",
];

/// How many digits of the commit are said.
const DIGITS: usize = 7;

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=PV_COMMIT");
    let here = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = here.ok_or_else(|| io::Error::other("cargo sets no CARGO_MANIFEST_DIR"))?;
    // Looks at this file alone where there is nothing else to look at: without such a line cargo would look at all files.
    rerun_if_changed(&here.join("build.rs"));
    let commit = match env::var("PV_COMMIT") {
        Ok(commit) => Some(commit).filter(|commit| !commit.is_empty()),
        Err(_) => of_repository(&here),
    };
    println!("cargo::rustc-env=PV_BUILD_COMMIT={}", commit.as_deref().unwrap_or_default());
    let version = env::var("CARGO_PKG_VERSION").map_err(io::Error::other)?;
    let version = commit.map_or_else(|| version.clone(), |commit| format!("{version} ({commit})"));
    println!("cargo::rustc-env=PV_BUILD_VERSION={version}");
    Ok(())
}

/// Returns the commit of the repository whose workspace this is; `None` where git knows of none, or where these files are
/// only somewhere below another repository.
fn of_repository(here: &Path) -> Option<String> {
    let is_its_workspace = git(here, &["rev-parse", "--show-prefix"])? == "pv-cli/";
    if !is_its_workspace || git(here, &["ls-files", "--error-unmatch", "build.rs"]).is_none() {
        return None;
    }
    let root = here.parent()?;
    let commit = git(root, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?;
    watch_head(root);
    let made_of: Vec<&str> = MADE_OF.iter().copied().filter(|path| root.join(path).exists()).collect();
    made_of.iter().for_each(|path| rerun_if_changed(&root.join(path)));
    // Asked for all, so that a file that was removed counts.
    let changed = git(root, &[&["status", "--porcelain", "--"], MADE_OF].concat())?;
    let dirty = if changed.is_empty() { "" } else { "-dirty" };
    Some(format!("{}{dirty}", commit.get(..DIGITS)?))
}

/// Has cargo look at the files that change when HEAD moves: its log, which each commit and each switch appends to, else the
/// files of references. A file that is not there must not be named, since cargo takes that for a change each time.
fn watch_head(root: &Path) {
    let file =
        |name: &str| Some(root.join(git(root, &["rev-parse", "--git-path", name])?)).filter(|path| path.exists());
    if let Some(log) = file("logs/HEAD") {
        return rerun_if_changed(&log);
    }
    // A reference is a file of its own or in the file of all, and moves from one to the other.
    ["HEAD", "refs/heads", "packed-refs"].into_iter().filter_map(file).for_each(|path| rerun_if_changed(&path));
}

fn rerun_if_changed(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}

/// Returns what git prints, without the end of its line; `None` where it fails or is not there.
fn git(dir: &Path, args: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    // Those of a hook that builds name its repository, which need not be this one.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_NAMESPACE"] {
        command.env_remove(name);
    }
    let output =
        command.arg("-C").arg(dir).args(["--no-optional-locks", "-c", "core.fsmonitor=false"]).args(args).output();
    let output = output.ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim_end_matches('\n').to_owned())
}

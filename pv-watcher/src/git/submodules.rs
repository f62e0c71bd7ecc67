//! Submodules of a fresh checkout, and which entries of a tree are submodules at all.

use std::collections::BTreeSet;

use camino::Utf8Path;

use super::{failure::GitFailure, runner::Runner};

/// How deep submodules of submodules are fetched.
const DEPTH_MAX: usize = 8;

/// How many paths one call of git is given.
const PATHS_AT_ONCE: usize = 200;

/// The settings of `.gitmodules` that name a path.
const PATHS: &str = r"^submodule\..*\.path$";

/// What an entry of `git ls-files --stage` that is a repository begins with.
const GITLINK: &[u8] = b"160000 ";

/// Fetches the submodules of a checkout, and theirs. An entry that no `.gitmodules` names is left alone: nobody says where
/// it comes from. `credentials` are settings by which git gets them.
///
/// # Errors
/// What git says.
pub(super) fn update_submodules(
    git: &mut Runner<'_>,
    checkout: &Utf8Path,
    credentials: &[&str],
) -> Result<(), GitFailure> {
    let mut waiting = vec![(checkout.to_owned(), DEPTH_MAX)];
    while let Some((dir, depth)) = waiting.pop() {
        if !dir.join(".gitmodules").is_file() || depth == 0 {
            continue;
        }
        let file = dir.join(".gitmodules");
        let named = named_paths(git, &["config", "--file", file.as_str()])?;
        let listed = git.value(&["-C", dir.as_str(), "ls-files", "--stage", "-z"])?;
        let links = listed.split(|byte| *byte == 0).filter(|entry| entry.starts_with(GITLINK)).filter_map(|entry| {
            let (_, path) = str::from_utf8(entry).ok()?.split_once('\t')?;
            Some(path.to_owned())
        });
        let known: Vec<String> = links.filter(|path| named.contains(path)).collect();
        for some in known.chunks(PATHS_AT_ONCE) {
            let submodule = ["--literal-pathspecs", "submodule", "--quiet", "update", "--progress", "--init", "--"];
            let paths: Vec<&str> = some.iter().map(String::as_str).collect();
            git.with_retry(&[&["-C", dir.as_str()], credentials, &submodule[..], &paths].concat())?;
        }
        waiting.extend(known.iter().map(|path| (dir.join(path), depth - 1)));
    }
    Ok(())
}

/// Returns the paths that the `.gitmodules` of a tree names; none where it has none that can be read.
pub(super) fn paths_named_in(
    git: &mut Runner<'_>,
    repository: &Utf8Path,
    tree: &str,
) -> Result<BTreeSet<String>, GitFailure> {
    let blob = format!("{tree}:.gitmodules");
    match named_paths(git, &["--git-dir", repository.as_str(), "config", "--blob", &blob]) {
        // There is no such file, or it makes no sense.
        Err(GitFailure::Failed(_)) => Ok(BTreeSet::new()),
        named => named,
    }
}

fn named_paths(git: &mut Runner<'_>, config: &[&str]) -> Result<BTreeSet<String>, GitFailure> {
    let listed = git.value_if_found(&[config, &["--null", "--get-regexp", PATHS]].concat())?.unwrap_or_default();
    let entries = listed.split(|byte| *byte == 0).filter_map(|entry| str::from_utf8(entry).ok()?.split_once('\n'));
    Ok(entries.map(|(_, path)| path.trim_end_matches('/').to_owned()).collect())
}

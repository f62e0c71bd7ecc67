//! Submodules of a fresh checkout, and which entries of a tree are submodules at all.
//!
//! They are fetched all at once. Where that fails each is fetched by itself, so that one that cannot be fetched is known and is
//! all that is missing; its folder is left empty, as git leaves one that nobody asked for.

use std::{collections::BTreeSet, time::Instant};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use pv_lib::{
    config::SubmoduleMode,
    text::{one_line, without_credentials},
};

use super::{
    address::host_in,
    failure::GitFailure,
    refusal::{Refusal, explain},
    remove::remove_folder,
    runner::Runner,
};

/// How deep submodules of submodules are fetched.
const DEPTH_MAX: usize = 8;

/// How many paths one call of git is given.
const PATHS_AT_ONCE: usize = 200;

/// How many submodules that could not be fetched are named; more are counted.
const NAMED_MAX: usize = 8;

/// The settings of `.gitmodules` that name a path, and those that name an address.
const PATHS: &str = r"^submodule\..*\.path$";
const SETTINGS: &str = r"^submodule\..*\.(path|url)$";

/// What an entry of `git ls-files --stage` that is a repository begins with.
const GITLINK: &[u8] = b"160000 ";

/// How the submodules of a checkout are fetched.
pub(super) struct SubmoduleSpec<'a> {
    /// Whether they must be there.
    pub(super) mode: SubmoduleMode,
    /// Settings by which git gets credentials.
    pub(super) credentials: &'a [&'a str],
    /// The address of the repository, from which one that is relative counts.
    pub(super) address: &'a str,
}

/// A submodule as a `.gitmodules` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Submodule {
    /// What its settings are called; its repository is kept under that name.
    name: String,
    /// Where it is in the repository that names it.
    path: String,
    /// Its address; empty where there is none.
    url: String,
}

/// Fetches the submodules of a checkout, and theirs, and returns a sentence for each that could not be fetched. An entry that
/// no `.gitmodules` names is left alone: nobody says where it comes from.
///
/// # Errors
/// Which one could not be fetched and why, where they must all be there; [`GitFailure::Stopped`] where an abort or a signal
/// stopped it.
pub(super) fn update_submodules(
    git: &mut Runner<'_>,
    checkout: &Utf8Path,
    spec: &SubmoduleSpec<'_>,
) -> Result<Vec<String>, GitFailure> {
    if spec.mode == SubmoduleMode::None {
        return Ok(Vec::new());
    }
    let fetching = Fetching { git, checkout, spec, begun: Instant::now(), silent: BTreeSet::new(), failed: Vec::new() };
    fetching.fetch_all()
}

/// Fetching the submodules of one checkout.
struct Fetching<'a, 'git> {
    git: &'a mut Runner<'git>,
    checkout: &'a Utf8Path,
    spec: &'a SubmoduleSpec<'a>,
    begun: Instant,
    /// The hosts that did not answer: none of them is asked again.
    silent: BTreeSet<String>,
    /// What is said of those that could not be fetched.
    failed: Vec<String>,
}

impl Fetching<'_, '_> {
    fn fetch_all(mut self) -> Result<Vec<String>, GitFailure> {
        let mut waiting = vec![(Utf8PathBuf::new(), DEPTH_MAX)];
        while let Some((below, depth)) = waiting.pop() {
            let dir = self.checkout.join(&below);
            let file = dir.join(".gitmodules");
            if depth == 0 || !file.is_file() {
                continue;
            }
            let named = match submodules_in(self.git, &file) {
                Err(GitFailure::Failed(words)) => {
                    self.note(&format!("the submodules of {} cannot be read: {words}", below.join(".gitmodules")))?;
                    continue;
                }
                named => named?,
            };
            let listed = self.git.value(&["-C", dir.as_str(), "ls-files", "--stage", "-z"])?;
            let links = listed.split(|byte| *byte == 0).filter(|entry| entry.starts_with(GITLINK));
            let known: Vec<&Submodule> = links
                .filter_map(|entry| {
                    let (_, path) = str::from_utf8(entry).ok()?.split_once('\t')?;
                    named.iter().find(|submodule| submodule.path == path)
                })
                .collect();
            for some in known.chunks(PATHS_AT_ONCE) {
                self.fetch_some(&below, some)?;
            }
            // Of one that could not be fetched there is nothing below.
            waiting.extend(known.iter().map(|submodule| (below.join(&submodule.path), depth - 1)));
        }
        let more = self.failed.len().saturating_sub(NAMED_MAX);
        self.failed.truncate(NAMED_MAX);
        self.failed.extend((more > 0).then(|| format!("{more} more submodules could not be fetched")));
        Ok(self.failed)
    }

    /// Fetches some submodules of the repository at `below`.
    fn fetch_some(&mut self, below: &Utf8Path, some: &[&Submodule]) -> Result<(), GitFailure> {
        if self.silent.is_empty() {
            let all = self.arguments(below, &["update", "--progress", "--init"], some);
            match self.git.with_retry(&as_strs(&all)) {
                Err(failure) if !failure.is_interruption() => {}
                fetched => return fetched.map(drop),
            }
        }
        for submodule in some {
            if let Err(why) = self.fetch_one(below, submodule)? {
                // What failed half-way must not count as somebody's change.
                self.forget(below, submodule)?;
                let (path, url) = (below.join(&submodule.path), without_credentials(&submodule.url));
                let (path, url) = (one_line(path.as_str()), one_line(&url));
                self.note(&format!("the submodule {path} could not be fetched from {url}: {why}"))?;
            }
        }
        Ok(())
    }

    /// Fetches one; returns why that failed.
    fn fetch_one(&mut self, below: &Utf8Path, submodule: &Submodule) -> Result<Result<(), String>, GitFailure> {
        let address = if submodule.url.starts_with('.') { self.spec.address } else { &submodule.url };
        let host = host_in(address).map(str::to_owned);
        if let Some(host) = host.as_ref().filter(|host| self.silent.contains(*host)) {
            return Ok(Err(format!("{host} did not answer for another one, and was not asked again")));
        }
        if self.begun.elapsed() >= self.git.timeout() {
            let seconds = self.git.timeout().as_secs();
            return Ok(Err(format!("it was not tried, since all of them may take {seconds} s (git.timeout)")));
        }
        let failure = match self.try_one(below, submodule) {
            Err(failure) if !failure.is_interruption() => failure,
            fetched => return fetched.map(|()| Ok(())),
        };
        let is_silent = match &failure {
            GitFailure::Stopped(_) => true,
            GitFailure::Failed(words) => Refusal::find(words).is_some_and(|(refusal, _)| refusal.is_silence()),
        };
        self.silent.extend(host.filter(|_| is_silent));
        Ok(Err(explain(&failure.into_message(), address)))
    }

    fn try_one(&mut self, below: &Utf8Path, submodule: &Submodule) -> Result<(), GitFailure> {
        // What was fetched with others of which one failed is not checked out, and git takes it for done without this.
        let update = self.arguments(below, &["update", "--progress", "--init", "--force"], &[submodule]);
        let was_there = self.repository_of(below, submodule)?.is_some_and(|repository| repository.exists());
        match self.git.run(&as_strs(&update)) {
            // Part of it was there, of a call that was stopped.
            Err(GitFailure::Failed(_)) if was_there => {
                self.forget(below, submodule)?;
                self.git.run(&as_strs(&update)).map(drop)
            }
            fetched => fetched.map(drop),
        }
    }

    /// Makes a submodule one that was never fetched.
    fn forget(&mut self, below: &Utf8Path, submodule: &Submodule) -> Result<(), GitFailure> {
        let deinit = self.arguments(below, &["deinit", "--force"], &[submodule]);
        self.git.exit(&as_strs(&deinit))?;
        match self.repository_of(below, submodule)? {
            Some(repository) => remove_folder(&repository).map_err(|error| GitFailure::Failed(error.to_string())),
            None => Ok(()),
        }
    }

    /// Returns where git keeps the repository of a submodule; `None` for a name that git does not take.
    fn repository_of(&mut self, below: &Utf8Path, submodule: &Submodule) -> Result<Option<Utf8PathBuf>, GitFailure> {
        let name = Utf8Path::new(&submodule.name);
        if !name.components().all(|part| matches!(part, Utf8Component::Normal(_))) {
            return Ok(None);
        }
        let dir = self.checkout.join(below);
        let answer = self.git.value(&["-C", dir.as_str(), "rev-parse", "--absolute-git-dir"])?;
        let git_dir = str::from_utf8(&answer).ok().map(|dir| Utf8Path::new(dir.trim_end_matches('\n')));
        Ok(git_dir.filter(|dir| dir.is_absolute()).map(|dir| dir.join("modules").join(name)))
    }

    /// Notes that something could not be fetched.
    ///
    /// # Errors
    /// That, where it must be there.
    fn note(&mut self, what: &str) -> Result<(), GitFailure> {
        if self.spec.mode == SubmoduleMode::Must {
            return Err(GitFailure::Failed(format!("{what} (repos.<owner/name>.submodules is `must`)")));
        }
        self.failed.push(what.to_owned());
        Ok(())
    }

    fn arguments(&self, below: &Utf8Path, command: &[&str], some: &[&Submodule]) -> Vec<String> {
        let dir = self.checkout.join(below);
        let before = [&["-C", dir.as_str()], self.spec.credentials, &["--literal-pathspecs", "submodule", "--quiet"]];
        let paths = some.iter().map(|submodule| submodule.path.as_str());
        let all = before.concat().into_iter().chain(command.iter().copied()).chain(["--"]).chain(paths);
        all.map(str::to_owned).collect()
    }
}

fn as_strs(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
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
    Ok(entries(&listed).map(|(_, path)| path.trim_end_matches('/').to_owned()).collect())
}

/// Returns the submodules that a `.gitmodules` names.
fn submodules_in(git: &mut Runner<'_>, file: &Utf8Path) -> Result<Vec<Submodule>, GitFailure> {
    let config = ["config", "--file", file.as_str(), "--null", "--get-regexp", SETTINGS];
    let listed = git.value_if_found(&config)?.unwrap_or_default();
    let url_of = |name: &str| entries(&listed).filter(|(key, _)| key.strip_suffix(".url") == Some(name)).last();
    let submodule = |(key, path): (&str, &str)| {
        let name = key.strip_suffix(".path")?;
        let url = url_of(name).map_or_else(String::new, |(_, url)| url.to_owned());
        Some(Submodule {
            name: name.strip_prefix("submodule.")?.to_owned(),
            path: path.trim_end_matches('/').to_owned(),
            url,
        })
    };
    Ok(entries(&listed).filter_map(submodule).collect())
}

/// Reads what `git config --null --get-regexp` prints: a key, and after a line's end its value.
fn entries(listed: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    listed.split(|byte| *byte == 0).filter_map(|entry| str::from_utf8(entry).ok()?.split_once('\n'))
}

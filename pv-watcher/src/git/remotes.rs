//! The remote of a person's clone, as git itself finds it: with included files, worktrees, global settings and the rules
//! that rewrite addresses.
//!
//! git is asked in the clone. A clone has no remote only where git says so; whatever else goes wrong is a failure, since
//! work would be pushed into the clone itself otherwise.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::{
    config_entries::{Entry, entries, first_of, last},
    failure::GitFailure,
    person_settings::{PERSON_KEYS, PersonSettings},
    runner::Runner,
};

/// What is written down of remotes, and which is preferred where there are several.
const WRITTEN: &str = r"remote\..*\..*|checkout\.defaultremote";

/// Whence settings of the clone itself come; others, such as global ones, may give options to remotes that it has not.
const OWN_SCOPES: [&str; 2] = ["local", "worktree"];

/// Settings that make a remote, wherever they are written.
const MAKING: [&str; 3] = [".url", ".pushurl", ".vcs"];

/// Folders in which git keeps remotes that are in no configuration, as it did long ago.
const OLD_REMOTES: [&str; 2] = ["remotes", "branches"];

/// A remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remote {
    /// The address that is fetched from. May hold a password, as all of them.
    pub(crate) url: String,
    /// The addresses that are pushed to, one after the other; never empty.
    pub(crate) push: Vec<String>,
    /// The address that is fetched from as it is written down, before git rewrites it; that one where only the clone's own
    /// settings would rewrite it.
    pub(crate) written: String,
    /// The first address that is pushed to as it is written down.
    pub(crate) written_push: String,
    /// The person's clone that names it, if one does: its addresses are rewritten already.
    pub(crate) clone: Option<Utf8PathBuf>,
}

impl Remote {
    /// Makes the remote of an address that the settings name, which git is still to rewrite.
    pub(crate) fn named(url: String) -> Self {
        Self { push: vec![url.clone()], written: url.clone(), written_push: url.clone(), url, clone: None }
    }
}

/// A remote as git lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed {
    name: String,
    fetch: Option<String>,
    push: Vec<String>,
}

/// A line of `git remote -v` that cannot be understood.
#[derive(Debug, PartialEq, Eq)]
struct Unreadable;

/// The remotes of a person's clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remotes {
    /// The one that work comes from and goes to, with its name.
    pub(crate) chosen: Option<(String, Remote)>,
    /// The names of the others that have an address.
    pub(crate) others: Vec<String>,
    /// What the person's configuration says of every repository, where that is the same in every folder.
    pub(crate) person: Option<PersonSettings>,
}

/// Returns the remote of a person's clone, `origin` or the only one; `None` for a repository without any.
///
/// # Errors
/// As [`remotes_of`].
pub(crate) fn remote_of(git: &mut Runner<'_>, clone: &Utf8Path) -> Result<Option<Remote>, GitFailure> {
    Ok(remotes_of(git, clone)?.chosen.map(|(_, remote)| remote))
}

/// Returns the folder in which a clone is: its own, from which git reads paths in addresses; where there is nothing but a
/// `.git` that says where the repository is, as `pv run` makes it, that of the repository.
///
/// # Errors
/// [`GitFailure`] where git cannot be asked, as where what such a file names is gone.
pub(crate) fn home_of(git: &mut Runner<'_>, clone: &Utf8Path) -> Result<Utf8PathBuf, GitFailure> {
    let is_file = fs::metadata(clone.join(".git")).is_ok_and(|stat| stat.is_file());
    let has_files = || {
        let mut entries = fs::read_dir(clone).into_iter().flatten().flatten();
        entries.any(|entry| !entry.file_name().as_encoded_bytes().starts_with(b".git"))
    };
    if !is_file || has_files() {
        return Ok(clone.to_owned());
    }
    let dir = common_dir(git, clone)?;
    Ok(if dir.file_name() == Some(".git") { dir.parent().unwrap_or(&dir).to_owned() } else { dir })
}

/// Returns the remotes of a person's clone: the one that is meant, and which others there are.
///
/// # Errors
/// [`GitFailure`] where git cannot be asked, where it is not clear which remote is meant, and where `clone` is no
/// repository itself, whatever is around it.
pub(crate) fn remotes_of(git: &mut Runner<'_>, clone: &Utf8Path) -> Result<Remotes, GitFailure> {
    let says = |what: &str| GitFailure::Failed(format!("{clone} {what}"));
    // First, since it fails where there is no repository, or one that git refuses: `git config` takes both for a
    // folder without any. `get-url` does not know the remotes of the global configuration.
    let listed = git.value_in(clone, &["remote", "-v"])?;
    let listed = listed.ok_or_else(|| says("does not tell its remotes: `git remote -v` fails there"))?;
    let listed = parse(&listed).map_err(|Unreadable| says("has a remote that cannot be understood"))?;
    let asked = format!("^({WRITTEN}|{PERSON_KEYS})$");
    let written = git.value_in(clone, &["config", "--null", "--show-scope", "--get-regexp", &asked])?;
    let written = entries(&written.unwrap_or_default());
    let preferred = last(&written, "checkout.defaultremote");
    let Some(chosen) = choose(&listed, preferred).map_err(|why| says(&why))? else {
        if names_remote(&written) {
            return Err(says("names a remote without an address: set it with `git remote set-url`, or remove it"));
        } else if has_old_remotes(git, clone)? {
            return Err(says("keeps its remote in .git/remotes or .git/branches: name it with `git remote add`"));
        }
        return Ok(Remotes { chosen: None, others: Vec::new(), person: PersonSettings::of(&written) });
    };
    let home = home_of(git, clone)?;
    let mut remote = remote(chosen, &written, clone, &home).map_err(|why| says(&why))?;
    if remote.written != remote.url && !rewrites(git, &remote.written, &remote.url)? {
        remote.written.clone_from(&remote.url);
    }
    let others = usable(&listed).filter(|other| other.name != chosen.name).map(|other| other.name.clone()).collect();
    let person = PersonSettings::of(&written);
    Ok(Remotes { chosen: Some((chosen.name.clone(), remote)), others, person })
}

/// Tells whether git makes one address of another wherever it is asked, and not in that clone only.
fn rewrites(git: &mut Runner<'_>, written: &str, url: &str) -> Result<bool, GitFailure> {
    let answer = git.value(&["ls-remote", "--get-url", "--", written])?;
    Ok(answer.strip_suffix(b"\n").unwrap_or(&answer) == url.as_bytes())
}

fn has_old_remotes(git: &mut Runner<'_>, clone: &Utf8Path) -> Result<bool, GitFailure> {
    let dir = common_dir(git, clone)?;
    let is_used = |folder: &str| match fs::read_dir(dir.join(folder)) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(GitFailure::Failed(error.to_string())),
    };
    Ok(is_used(OLD_REMOTES[0])? || is_used(OLD_REMOTES[1])?)
}

/// Returns where the repository of a clone is.
pub(crate) fn common_dir(git: &mut Runner<'_>, clone: &Utf8Path) -> Result<Utf8PathBuf, GitFailure> {
    let args = ["rev-parse", "--path-format=absolute", "--git-common-dir"];
    let answer = git.value_in(clone, &args)?;
    let answer = answer.and_then(|answer| String::from_utf8(answer).ok());
    let answer = answer.ok_or_else(|| GitFailure::Failed(format!("{clone} does not tell where its repository is")))?;
    Ok(answer.trim_end_matches('\n').into())
}

/// Reads what `git remote -v` prints: `NAME⇥ADDRESS (fetch)` and `NAME⇥ADDRESS (push)`, the name alone where there is no
/// address to fetch from.
fn parse(printed: &[u8]) -> Result<Vec<Listed>, Unreadable> {
    let printed = std::str::from_utf8(printed).map_err(|_| Unreadable)?;
    let mut remotes: Vec<Listed> = Vec::new();
    for line in printed.lines() {
        let (name, rest) = line.split_once('\t').ok_or(Unreadable)?;
        let at = remotes.iter().position(|remote| remote.name == name).unwrap_or_else(|| {
            remotes.push(Listed { name: name.to_owned(), fetch: None, push: Vec::new() });
            remotes.len() - 1
        });
        if let Some(url) = rest.strip_suffix(" (push)") {
            remotes[at].push.push(url.to_owned());
        } else if !rest.is_empty() {
            // The filter of a partial clone may follow, as `[blob:none]`.
            let (url, filter) = rest.rsplit_once(" (fetch)").ok_or(Unreadable)?;
            if !(filter.is_empty() || filter.starts_with(" [")) {
                return Err(Unreadable);
            }
            remotes[at].fetch = Some(url.to_owned());
        }
    }
    Ok(remotes)
}

/// Chooses the remote that is meant: `origin`, else the only one, else the preferred one. A name without any address, such
/// as one that global settings give options to, is none.
fn choose<'a>(remotes: &'a [Listed], preferred: Option<&str>) -> Result<Option<&'a Listed>, String> {
    let usable: Vec<&Listed> = usable(remotes).collect();
    let named = |name: &str| usable.iter().find(|one| one.name == name).copied();
    match (named("origin"), usable.as_slice(), preferred.and_then(named)) {
        (Some(origin), ..) => Ok(Some(origin)),
        (None, [], _) => Ok(None),
        (None, [only], _) => Ok(Some(only)),
        (None, _, Some(preferred)) => Ok(Some(preferred)),
        (None, _, None) => {
            Err("has several remotes, none of them named origin: `git config checkout.defaultRemote NAME` chooses one"
                .to_owned())
        }
    }
}

/// Returns the remotes that have an address.
fn usable(remotes: &[Listed]) -> impl Iterator<Item = &Listed> {
    remotes.iter().filter(|one| one.fetch.is_some() || !one.push.is_empty())
}

/// Puts together what is known of the chosen remote.
fn remote(chosen: &Listed, written: &[Entry], clone: &Utf8Path, home: &Utf8Path) -> Result<Remote, String> {
    let Listed { name, fetch, push } = chosen;
    let (Some(fetch), [first, ..]) = (fetch, push.as_slice()) else {
        return Err(format!("has the remote {name} with no address to fetch from or none to push to"));
    };
    let key = |kind: &str| format!("remote.{name}.{kind}");
    if push.iter().any(|url| leads_into(&absolute(url, home), home)) {
        return Err(format!("has the remote {name}, which leads to that clone itself"));
    }
    let url = first_of(written, &key("url")).unwrap_or(fetch);
    let push_url = first_of(written, &key("pushurl")).or_else(|| first_of(written, &key("url"))).unwrap_or(first);
    Ok(Remote {
        url: absolute(fetch, home),
        push: push.iter().map(|url| absolute(url, home)).collect(),
        written: absolute(url, home),
        written_push: absolute(push_url, home),
        clone: Some(clone.to_owned()),
    })
}

/// Tells whether a remote is written down, usable or not.
fn names_remote(written: &[Entry]) -> bool {
    let makes = |key: &str| MAKING.iter().any(|ending| key.ends_with(ending));
    let of_remotes = written.iter().filter(|entry| entry.key.starts_with("remote."));
    of_remotes.into_iter().any(|entry| OWN_SCOPES.contains(&entry.scope.as_str()) || makes(&entry.key))
}

/// Makes a path in a remote's address absolute: git reads it from the repository that names it. One that begins with `~`
/// is read from the home.
fn absolute(url: &str, home: &Utf8Path) -> String {
    let is_path = !url.contains("://") && !url.split('/').next().unwrap_or_default().contains(':');
    if !is_path || url.starts_with('~') {
        return url.to_owned();
    }
    let joined = home.join(url);
    joined.canonicalize_utf8().unwrap_or(joined).into_string()
}

/// Tells whether an address is that of the clone that names it: nothing is pushed into a clone that has a remote.
fn leads_into(url: &str, clone: &Utf8Path) -> bool {
    let real = |path: &Utf8Path| path.canonicalize_utf8().ok();
    let leads = real(Utf8Path::new(url.strip_prefix("file://").unwrap_or(url)));
    leads.is_some() && [clone.to_owned(), clone.join(".git")].iter().any(|own| leads == real(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str, fetch: Option<&str>, push: &[&str]) -> Listed {
        let push = push.iter().map(|url| (*url).to_owned()).collect();
        Listed { name: name.to_owned(), fetch: fetch.map(str::to_owned), push }
    }

    #[test]
    fn b11_what_git_lists_is_read_whole_or_not_at_all() {
        let check = |printed: &str, expected: Result<Vec<Listed>, Unreadable>| {
            assert_eq!(parse(printed.as_bytes()), expected, "{printed:?}");
        };
        check("", Ok(vec![]));
        check("origin\tu (fetch)\norigin\tu (push)\n", Ok(vec![listed("origin", Some("u"), &["u"])]));
        check("o\tu v (fetch) [blob:none]\no\tu v (push)\n", Ok(vec![listed("o", Some("u v"), &["u v"])]));
        check("o\tu (fetch)\no\tp (push)\no\tq (push)\n", Ok(vec![listed("o", Some("u"), &["p", "q"])]));
        check("o\t\nx\t\nx\tp (push)\n", Ok(vec![listed("o", None, &[]), listed("x", None, &["p"])]));
        check("o\tu (fetch) (fetch)\n", Ok(vec![listed("o", Some("u (fetch)"), &[])]));
        for wrong in ["o", "o\tu", "o\tu (fetch)x", "o\tu\nv (fetch)\n", "error: no"] {
            check(wrong, Err(Unreadable));
        }
        assert_eq!(parse(b"o\t\xff (fetch)\n"), Err(Unreadable));
    }

    #[test]
    fn b11_one_remote_is_meant_or_none_is_there_or_it_is_an_error() {
        let (origin, one) = (listed("origin", Some("u"), &["u"]), listed("one", Some("v"), &["v"]));
        let (two, bare) = (listed("two", None, &["w"]), listed("origin", None, &[]));
        let check = |remotes: &[&Listed], preferred: Option<&str>, expected: Result<Option<&str>, ()>| {
            let remotes: Vec<Listed> = remotes.iter().map(|remote| (*remote).clone()).collect();
            let chosen = choose(&remotes, preferred).map(|chosen| chosen.map(|one| one.name.as_str()));
            assert_eq!(chosen.map_err(drop), expected, "{remotes:?} {preferred:?}");
        };
        check(&[], None, Ok(None));
        check(&[&bare], None, Ok(None));
        check(&[&bare, &one], None, Ok(Some("one")));
        check(&[&one, &origin, &two], Some("one"), Ok(Some("origin")));
        check(&[&two], None, Ok(Some("two")));
        check(&[&one, &two], None, Err(()));
        check(&[&one, &two], Some("two"), Ok(Some("two")));
        check(&[&one, &two], Some("three"), Err(()));
    }

    #[test]
    fn b11_addresses_are_known_as_they_are_used_and_as_they_are_written() {
        let written = entries(
            b"local\0remote.o.url\nold\0local\0remote.o.url\n\0local\0remote.o.url\ngh:o/r\0global\0remote.x.pushurl\nx\0\
              worktree\0remote.o.no\0",
        );
        assert_eq!((written.len(), written[4].value.as_str()), (5, ""));
        let found = remote(
            &listed("o", Some("https://h/o/r"), &["ssh://h/o/r", "../b"]),
            &written,
            "/p/r".into(),
            "/c/r".into(),
        )
        .unwrap();
        assert_eq!((found.url.as_str(), found.written.as_str()), ("https://h/o/r", "gh:o/r"));
        assert_eq!(
            (found.push, found.written_push.as_str()),
            (vec!["ssh://h/o/r".into(), "/c/r/../b".into()], "gh:o/r")
        );
        assert_eq!(last(&written, "remote.x.pushurl"), Some("x"));
        for incomplete in [listed("o", Some("u"), &[]), listed("o", None, &["u"])] {
            assert!(remote(&incomplete, &written, "/c/r".into(), "/c/r".into()).is_err(), "{incomplete:?}");
        }
    }

    #[test]
    fn b11_a_remote_that_is_written_down_is_one_whether_it_can_be_used_or_not() {
        for (scope, key, expected) in [
            ("local", "remote.origin.fetch", true),
            ("worktree", "remote.origin.prune", true),
            ("global", "remote.origin.prune", false),
            ("global", "remote.origin.url", true),
            ("system", "remote.origin.pushurl", true),
            ("command", "remote.x.vcs", true),
            ("local", "checkout.defaultremote", false),
        ] {
            let entry = Entry { scope: scope.into(), key: key.into(), value: String::new() };
            assert_eq!(names_remote(&[entry]), expected, "{scope} {key}");
        }
    }

    #[test]
    fn an_address_is_read_as_git_reads_it() {
        let check = |url: &str, expected: &str| assert_eq!(absolute(url, "/repos/o/r".into()), expected);
        check("../up.git", "/repos/o/r/../up.git");
        check("/srv/git/up.git", "/srv/git/up.git");
        check("~/up.git", "~/up.git");
        check("git@host:o/r.git", "git@host:o/r.git");
        check("https://h/o/r", "https://h/o/r");
        check("./a:b", "/repos/o/r/./a:b");
    }
}

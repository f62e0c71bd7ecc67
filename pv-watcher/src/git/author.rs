//! As whom `git commit` commits in a checkout: as the person's own configuration says, else as the settings say.

use camino::Utf8Path;

use super::{clone_settings::Setting, failure::GitFailure, remotes::Entry, runner::Runner};

/// What of the person's configuration says who commits, as a pattern of `git config`, without its anchors; and what makes the
/// answer another one in another folder.
pub(super) const AUTHOR_KEYS: &str = r"user\.(name|email)|includeif\..*";

/// Whence settings come that count in every repository of the person.
const OF_PERSON: [&str; 3] = ["system", "global", "command"];

/// What a person's configuration says, whatever the repository, of who commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KnownAuthor {
    has_name: bool,
    has_email: bool,
}

impl KnownAuthor {
    /// Reads it from what was asked in a clone of theirs by [`AUTHOR_KEYS`]; `None` where it depends on the folder.
    pub(super) fn of(entries: &[Entry]) -> Option<Self> {
        let of_person = || entries.iter().filter(|entry| OF_PERSON.contains(&entry.scope.as_str()));
        if of_person().any(|entry| entry.key.starts_with("includeif.")) {
            return None;
        }
        let has = |key: &str| of_person().any(|entry| entry.key == key);
        Some(Self { has_name: has("user.name"), has_email: has("user.email") })
    }

    /// Asks git in a checkout.
    fn ask(git: &mut Runner<'_>, dir: &Utf8Path) -> Result<Self, GitFailure> {
        let ask = ["-C", dir.as_str(), "config", "--null", "--name-only", "--get-regexp", r"^user\.(name|email)$"];
        let known = git.value_if_found(&ask)?.unwrap_or_default();
        let has = |key: &str| known.split(|byte| *byte == 0).any(|name| name == key.as_bytes());
        Ok(Self { has_name: has("user.name"), has_email: has("user.email") })
    }
}

/// Returns the settings by which `git commit` works in a checkout: as whom the person's own configuration says, else as
/// `author`.
pub(super) fn missing_author<'a>(
    git: &mut Runner<'_>,
    dir: &Utf8Path,
    known: Option<KnownAuthor>,
    author: (&'a str, &'a str),
) -> Result<Vec<Setting<'a>>, GitFailure> {
    let known = known.map_or_else(|| KnownAuthor::ask(git, dir), Ok)?;
    let name = (!known.has_name).then_some(("user", "name", author.0));
    let email = (!known.has_email).then_some(("user", "email", author.1));
    Ok(name.into_iter().chain(email).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_person_says_for_every_repository_is_known_elsewhere_too() {
        let check = |entries: &[(&str, &str)], expected: Option<(bool, bool)>| {
            let entry =
                |(scope, key): &(&str, &str)| Entry { scope: (*scope).into(), key: (*key).into(), value: "x".into() };
            let entries: Vec<Entry> = entries.iter().map(entry).collect();
            let expected = expected.map(|(has_name, has_email)| KnownAuthor { has_name, has_email });
            assert_eq!(KnownAuthor::of(&entries), expected, "{entries:?}");
        };
        check(&[], Some((false, false)));
        check(&[("global", "user.name"), ("system", "user.email")], Some((true, true)));
        check(&[("global", "user.name"), ("local", "user.email")], Some((true, false)));
        check(&[("worktree", "user.name"), ("command", "user.email")], Some((false, true)));
        check(&[("global", "user.name"), ("global", "includeif.gitdir:~/work/.path")], None);
        check(&[("local", "includeif.gitdir:~/work/.path")], Some((false, false)));
    }
}
